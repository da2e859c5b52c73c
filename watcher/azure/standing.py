"""Reads which deployments of an account stand. Gone takes two signs, and both are looked for here: a complete listing
lacks a known one, and its own address answers 404.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from watcher.azure.client import Allowance
from watcher.azure.decode_arm import decode_deployments
from watcher.azure.gaps import gap_of, gap_of_item, gaps_of_items
from watcher.azure.management import Management
from watcher.azure.paging import OPEN_END, decode_pages
from watcher.errors import AzureError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.snapshot import Gap, Known, Listing, Section

#: Deployments of one account that are asked for by themselves at once.
_AT_ONCE = 4

#: What is known of a deployment whose listing is not whole.
_PERHAPS = "its own address answers 404, but the listing holds an item without an id, which it may be"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The deployments that stand, and the keys of those that are gone."""

    listing: Listing[Deployment]
    absent: frozenset[str] = frozenset()
    gaps: tuple[Gap, ...] = ()


async def read_standing(
    management: Management, account: Account, known: Known, at: datetime, allowance: Allowance
) -> Standing:
    """The deployments of `account`. Raises `AzureError` where the listing cannot be read."""
    bodies = await management.deployment_pages(account, allowance, known_digest=known.deployments_digest)
    digest = bodies.digest
    if digest == known.deployments_digest:
        return Standing(listing=Listing(digest=digest, items=None))
    decode = partial(decode_deployments, account=account.key)
    listed, unread = decode_pages(bodies, decode, lambda item: item.key, may_lack_ids=True)
    bad = [replace(item, id=item.id.lower()) for item in unread]
    seen = {deployment.key for deployment in listed} | {item.id for item in bad}
    missing = [deployment for deployment in known.deployments if deployment.key not in seen]
    found, absent, open_ones = await _confirm(management, missing, account, at, allowance)
    if not all(item.id for item in bad):  # no complete listing: of the two signs that one is gone, one is lacking
        open_ones = (*open_ones, *(gap_of_item(_PERHAPS, Section.DEPLOYMENTS, at, subject=key) for key in absent))
        absent = frozenset()
    doubts = (replace(gap, stood_at=known.doubted.get(gap.subject, known.deployments_at)) for gap in open_ones)
    # A listing that lacks what lives is asked about again at each poll, even if it stays the same.
    is_settled = not bad and len(absent) == len(missing)
    return Standing(
        listing=Listing(digest=digest if is_settled else digest + OPEN_END, items=(*listed, *found)),
        absent=absent,
        gaps=(*gaps_of_items(bad, Section.DEPLOYMENTS, at), *doubts),
    )


async def _confirm(
    management: Management, missing: Iterable[Deployment], account: Account, at: datetime, allowance: Allowance
) -> tuple[tuple[Deployment, ...], frozenset[str], tuple[Gap, ...]]:
    """Ask each deployment that the listing lacks for itself: those that live, the keys of the gone, the gaps.

    Listings that are filtered by role shrink without a word; only a 404 on the own address says "gone".
    """
    slots = asyncio.Semaphore(_AT_ONCE)
    found: list[Deployment] = []
    absent: set[str] = set()
    gaps: list[Gap] = []

    async def ask(deployment: Deployment) -> None:
        async with slots:
            try:
                found.append(await management.deployment(deployment.id, account.key, allowance))
            except NotFoundError:
                absent.add(deployment.key)
            except AzureError as exc:
                gaps.append(gap_of(exc, Section.DEPLOYMENTS, at, subject=deployment.key))

    await asyncio.gather(*(ask(deployment) for deployment in missing))
    return tuple(found), frozenset(absent), tuple(gaps)
