"""What Azure billed, as it was read last, and of which days; kept apart from every estimate."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from watcher.resources.price import Actual, Actuals, BilledSpan
from watcher.store import schema
from watcher.store.upsert import chunks, insert_new

#: How often a subscription's bill is asked for at most, whatever came of it.
EVERY = timedelta(days=1)


def claim(tx: Connection, subscription: str, *, now: datetime) -> bool:
    """Note that a subscription's bill is asked for now, unless it was within the day."""
    table, c = schema.billed_spans, schema.billed_spans.c
    key = subscription.lower()
    if insert_new(tx, table, {"subscription": key}, {"tried_at": now}):
        return True
    is_due = and_(c.subscription == key, or_(c.tried_at <= now - EVERY, c.tried_at > now))
    return tx.execute(update(table).where(is_due).values(tried_at=now)).rowcount == 1


def save(
    tx: Connection, subscription: str, lines: Iterable[Actual], *, since: date, until: date, now: datetime
) -> None:
    """Replace what is known of the days from `since` on; of those before it stays.

    Args:
        until: The first day of which the bill may not be whole.
    """
    a, s = schema.actuals.c, schema.billed_spans.c
    key = subscription.lower()
    tx.execute(delete(schema.actuals).where(a.subscription == key, a.day >= since.isoformat()))
    rows = [
        {
            "subscription": key,
            "account": line.account,
            "meter": line.meter,
            "day": line.day.isoformat(),
            "currency": line.currency,
            "cost": str(line.cost),
            "read_at": now,
        }
        for line in lines
        if line.day >= since
    ]
    for some in chunks(rows):
        tx.execute(insert(schema.actuals), some)
    before = _span(tx, key)
    is_joined = before is not None and before.since <= since <= before.until
    span = {
        "since": (before.since if before is not None and is_joined else since).isoformat(),
        "until": until.isoformat(),
        "read_at": now,
    }
    tx.execute(update(schema.billed_spans).where(s.subscription == key).values(**span))


def _span(tx: Connection, key: str) -> BilledSpan | None:
    return _spans(tx).get(key)


def _spans(tx: Connection) -> dict[str, BilledSpan]:
    c = schema.billed_spans.c
    return {
        row.subscription: BilledSpan(
            since=date.fromisoformat(row.since), until=date.fromisoformat(row.until), read_at=row.read_at
        )
        for row in tx.execute(select(schema.billed_spans).where(c.read_at.is_not(None)))
    }


def load(tx: Connection, *, since: date, until: date) -> Actuals:
    """What was billed from `since` up to but not including `until`, by account, meter and day."""
    c = schema.actuals.c
    rows = tx.execute(
        select(c.account, c.meter, c.day, c.cost, c.currency)
        .where(c.day >= since.isoformat(), c.day < until.isoformat())
        .order_by(c.account, c.meter, c.day, c.currency)
    )
    lines = tuple(
        Actual(
            account=row.account,
            meter=row.meter,
            day=date.fromisoformat(row.day),
            cost=Decimal(row.cost),
            currency=row.currency,
        )
        for row in rows
    )
    return Actuals(lines=lines, spans=_spans(tx))


def prune(tx: Connection, *, before: datetime) -> int:
    """Delete the days before a time; returns how many lines went."""
    day = before.date().isoformat()
    gone: int = tx.execute(delete(schema.actuals).where(schema.actuals.c.day < day)).rowcount
    c = schema.billed_spans.c
    tx.execute(update(schema.billed_spans).where(c.since < day, c.until > day).values(since=day))
    tx.execute(delete(schema.billed_spans).where(or_(c.until <= day, c.read_at.is_(None)), c.tried_at < before))
    return gone
