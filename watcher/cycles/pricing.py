"""Pricing: Azure's public price list, read once a day and kept, so that all that is said of money rests on one list.

Its failure harms nothing: what was read last stays in use, with its date, and there are other sources of prices.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection

from watcher.clock import Clock
from watcher.errors import AzureError
from watcher.resources.price import RetailList, RetailPrice
from watcher.store import prices
from watcher.store.engine import Store

log = structlog.get_logger()


class ReadPrices(Protocol):
    """Reads the price list in a currency. Raises `AzureError` where it cannot."""

    async def __call__(self, currency: str, *, at: datetime) -> Sequence[RetailPrice]: ...


class Tariff:
    """The stored list: one and the same object until it is read anew, since books of prices are kept by it.

    Args:
        currency: Of the list; "": none is used, whatever is stored.
    """

    def __init__(self, currency: str = "") -> None:
        self.currency = currency.upper()
        self.latest: RetailList | None = None
        self._is_loaded = not currency

    def of(self, tx: Connection) -> RetailList | None:
        """The list; loaded the first time only."""
        if not self._is_loaded:
            self.take(prices.load(tx, self.currency))
        return self.latest

    def take(self, found: RetailList | None) -> None:
        """Use `found` from now on, unless it is the one in use."""
        self._is_loaded = True
        if found is None or self.latest is None or found.read_at != self.latest.read_at:
            self.latest = found


async def refresh_prices(
    read: ReadPrices, *, tariff: Tariff, store: Store, clock: Clock, only_look: bool = False
) -> bool:
    """Read the list where that is due, and take over what another process has read; whether another is in use now.

    Args:
        only_look: Use what is read, and write nothing.
    """
    if not tariff.currency:
        return False
    before, now = tariff.latest, clock()
    known = await store.read(prices.times, tariff.currency)
    if known.read_at is not None and (before is None or before.read_at != known.read_at):
        tariff.take(await store.read(prices.load, tariff.currency))
    if not known.is_due(now):
        return tariff.latest is not before
    if not only_look and not await store.write(prices.claim, tariff.currency, now=now):
        return tariff.latest is not before  # another process asks at this moment
    try:
        found = RetailList(prices=tuple(await read(tariff.currency, at=now)), read_at=now)
    except AzureError as exc:
        log.warning("prices.unread", reason=exc.message, last_read_at=known.read_at and known.read_at.isoformat())
        return tariff.latest is not before
    if not only_look:
        await store.write(prices.save, tariff.currency, found)
    tariff.take(found)
    log.info("prices.read", prices=len(found.prices), currency=tariff.currency)
    return True
