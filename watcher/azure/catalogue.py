"""When base models retire, by each region's own catalogue. A help: a region that cannot be read is no gap."""

import asyncio
from collections.abc import Iterable
from functools import partial

from watcher.azure.decode_catalogue import decode_location_models
from watcher.azure.management import Management
from watcher.azure.paging import decode_pages
from watcher.errors import AzureError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.model import Retirement

#: Regions asked at once.
_AT_ONCE = 4


async def retirements(
    management: Management, accounts: Iterable[Account]
) -> tuple[tuple[Retirement, ...], frozenset[str]]:
    """What is said of the retirement of models in the regions of `accounts`, and the regions that were read.

    One listing a region, by the first of its subscriptions that is answered; one that answers 404 has no catalogue,
    and counts as read. Only models of which something is said are returned, in the order of region and name.
    """
    subscriptions: dict[str, set[str]] = {}
    for account in accounts:
        region = account.location.lower().replace(" ", "")
        if region and not account.is_gone:
            subscriptions.setdefault(region, set()).add(account.subscription.lower())
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(region: str) -> tuple[Retirement, ...] | None:
        async with slots:
            return await _region(management, region, sorted(subscriptions[region]))

    regions = sorted(subscriptions)
    listings = dict(zip(regions, await asyncio.gather(*(read(region) for region in regions)), strict=True))
    found = [one for listing in listings.values() for one in listing or ()]
    return (
        tuple(sorted(found, key=lambda one: (one.location, one.model))),
        frozenset(region for region, listing in listings.items() if listing is not None),
    )


async def _region(management: Management, region: str, subscriptions: Iterable[str]) -> tuple[Retirement, ...] | None:
    """One region's catalogue; `None`: no subscription was answered."""
    decode = partial(decode_location_models, location=region)
    for subscription in subscriptions:
        try:
            bodies = await management.model_pages(subscription, region)
            models, _ = decode_pages(bodies, decode, lambda one: (one.model, _says(one)), may_lack_ids=True)
        except NotFoundError:
            return ()
        except AzureError:
            continue
        # Kinds of account list the same model each: of two entries the one that says something is taken.
        return tuple({one.model: one for one in models if _says(one)}.values())
    return None


def _says(one: Retirement) -> bool:
    """Whether anything is said of its end: a date, or a word for what is past its prime."""
    return bool(one.fine_tune_until or one.inference_until or one.lifecycle.lower() in _ENDING)


_ENDING = frozenset({"legacy", "deprecating", "deprecated"})
