"""Alerts by pages: of thousands no more are read than are asked for."""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, select

from watcher.alerts.alert import Alert
from watcher.store import alerts, schema

#: So many are read at once.
_AT_ONCE = 50


def newest(tx: Connection, *, since: datetime, behind: tuple[datetime, str] | None = None) -> Iterator[Alert]:
    """What fires, and what began or ended since `since`, newest first, read a few at a time.

    Those of one time are in the order of their ids, whatever order the database knows.

    Args:
        behind: When the last one began that is known already, and its id.
    """
    ids = _newest(tx, since, behind)
    while some := tuple(islice(ids, _AT_ONCE)):
        found = {alert.id: alert for alert in alerts.of_ids(tx, some)}
        yield from (found[id_] for id_ in some)


def stamps(tx: Connection, *, since: datetime) -> dict[str, int]:
    """By id of what fires, and of what began or ended since `since`, a number that changes with it."""
    c = schema.alerts.c
    query = select(c.id, c.stamp).where(schema.IS_FIRING | (c.starts_at >= since) | (c.ends_at >= since))
    return {id_: stamp for id_, stamp in tx.execute(query)}


def firing(tx: Connection, *, rules: Collection[str], accounts: Collection[str]) -> tuple[Alert, ...]:
    """Open conditions of some rules in some accounts, by their keys, newest first."""
    c = schema.alerts.c
    query = select(c.id).where(schema.IS_FIRING, c.rule.in_(sorted(rules)), c.account.in_(sorted(accounts)))
    found = alerts.of_ids(tx, tuple(tx.execute(query).scalars()))
    return tuple(sorted(found, key=lambda alert: (alert.starts_at, alert.id), reverse=True))


def _newest(tx: Connection, since: datetime, behind: tuple[datetime, str] | None) -> Iterator[str]:
    c = schema.alerts.c
    id_ = c.id.collate("BINARY" if tx.dialect.name == "sqlite" else "C")
    query = select(c.id).where(schema.IS_FIRING | (c.starts_at >= since) | (c.ends_at >= since))
    if behind is not None:
        at, last = behind
        query = query.where((c.starts_at < at) | ((c.starts_at == at) & (id_ > last)))
    # (Closed where nobody wants the rest: PostgreSQL holds a cursor until then.)
    with tx.execute(query.order_by(c.starts_at.desc(), id_).execution_options(yield_per=200)) as rows:
        yield from rows.scalars()
