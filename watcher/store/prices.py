"""Azure's public price list as it was read last, whole, one for each currency; and when it may be asked for again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select, update

from watcher.resources.price import RetailList
from watcher.store import schema
from watcher.store.upsert import insert_new, upsert

#: How often the list is read, and how soon it is tried again where that failed.
EVERY = timedelta(days=1)
AGAIN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the list was asked for, and when it was last read to its end."""

    tried_at: datetime | None = None
    read_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to ask now. A time in the future, which a clock set back leaves behind, holds up nothing."""
        return not (_is_within(EVERY, self.read_at, now) or _is_within(AGAIN_AFTER, self.tried_at, now))


def _is_within(span: timedelta, at: datetime | None, now: datetime) -> bool:
    return at is not None and timedelta() <= now - at < span


def times(tx: Connection, currency: str) -> Times:
    """When the list of a currency was tried and read."""
    c = schema.retail_prices.c
    row = tx.execute(select(c.tried_at, c.read_at).where(c.currency == currency)).one_or_none()
    return Times() if row is None else Times(tried_at=row.tried_at, read_at=row.read_at)


def claim(tx: Connection, currency: str, *, now: datetime) -> bool:
    """Note that the list is asked for now, unless it is not due: another process may have come first."""
    table, c = schema.retail_prices, schema.retail_prices.c
    if insert_new(tx, table, {"currency": currency}, {"tried_at": now}):
        return True
    is_due = (
        or_(c.read_at.is_(None), c.read_at <= now - EVERY, c.read_at > now),
        or_(c.tried_at <= now - AGAIN_AFTER, c.tried_at > now),
    )
    return tx.execute(update(table).where(c.currency == currency, *is_due).values(tried_at=now)).rowcount == 1


def save(tx: Connection, currency: str, found: RetailList) -> None:
    """Replace the list of a currency."""
    values = {"tried_at": found.read_at, "read_at": found.read_at, "prices": found.prices}
    upsert(tx, schema.retail_prices, {"currency": currency}, values)


def load(tx: Connection, currency: str) -> RetailList | None:
    """The list of a currency; `None`: it was never read."""
    c = schema.retail_prices.c
    row = tx.execute(select(c.read_at, c.prices).where(c.currency == currency)).one_or_none()
    if row is None or row.read_at is None or row.prices is None:
        return None
    return RetailList(prices=row.prices, read_at=row.read_at)


def newest(tx: Connection) -> datetime | None:
    """When any of the lists was read last."""
    found: datetime | None = tx.execute(select(func.max(schema.retail_prices.c.read_at))).scalar()
    return found
