"""Deliveries taken up again, given up or taken back: by an operator, by a channel that works again, with a receiver.

What was told since is never denied: of an old message only what is still the newest word goes out.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, insert, select, update

from watcher.alerts.dispatch import told_rows
from watcher.alerts.notification import reason_of
from watcher.store import channels, outbox, schema
from watcher.store.outbox import Delivery
from watcher.store.upsert import chunks


def try_now(tx: Connection, *, now: datetime, receivers: Collection[str] | None = None) -> None:
    """Make what waits for its next try due at once, at some receivers or all; budgets, leases and breakers stay."""
    c = schema.notifications.c
    query = update(schema.notifications).where(schema.IS_PENDING, c.due_at > now)
    if receivers is not None:
        query = query.where(c.receiver.in_(sorted(receivers)))
    tx.execute(query.values(due_at=now))


def retry(tx: Connection, ids: Collection[str], *, now: datetime) -> int:
    """Make pending or dead deliveries due at once, with a fresh budget; returns how many.

    Of the dead only what is still the newest word of each condition to that receiver, and events: what is older would
    deny what came after it. Their channels are tried at once too: who asks for it has mended them, or wants to know.
    """
    outbox.lock_dispatch(tx)  # nothing newer is decided meanwhile
    receivers = _hold(tx, ids)
    channels.let_try(tx, now=now, receivers=receivers)
    stale = _without_old_news(tx, ids, now)
    values = {"state": "pending", "due_at": now, "queued_at": now, "first_tried_at": None, "ended_at": None}
    return _change(tx, frozenset(ids) - stale, values)


#: Why what is dead stays untold.
LATER_NEWS = "later news was told"


def _without_old_news(tx: Connection, ids: Collection[str], now: datetime) -> frozenset[str]:
    """Take out of dead notifications what a later one tells; returns the ids of those of which nothing is left."""
    c, t = schema.notifications.c, schema.told.c
    stale = set()
    dead = [
        outbox.delivery_of(row)
        for some in chunks(sorted(ids))
        for row in tx.execute(select(schema.notifications).where(c.id.in_(some), schema.IS_DEAD))
    ]
    for one in dead:
        later: dict[str, str] = {}
        about = [entry.alert.id for entry in one.notification.alerts if not entry.alert.is_event]
        for some in chunks(sorted(about)):
            query = select(t.alert_id, c.id).outerjoin(schema.notifications, c.sequence == t.sequence)
            query = query.where(
                t.alert_id.in_(some), t.receiver == one.notification.receiver, t.sequence > one.sequence
            )
            later |= {alert_id: by or "" for alert_id, by in tx.execute(query.order_by(t.sequence))}
        kept = tuple(entry for entry in one.notification.alerts if entry.alert.id not in later)
        values: dict[str, Any] = {"alerts": msgspec.json.encode(kept).decode()}
        if not kept:
            stale.add(one.notification.id)
            by = next(iter(later.values())) or None
            values = {"state": "merged", "merged_into": by, "ended_at": now, "last_error": LATER_NEWS}
        elif not later:
            values = {}
        else:
            reason = reason_of([entry.reason for entry in kept])
            notes = [*one.notification.notes, f"{len(later)} left out: {LATER_NEWS}"]
            values |= {"reason": reason.value, "notes": notes}
        if values:
            tx.execute(update(schema.notifications).where(c.id == one.notification.id).values(values))
        if kept:
            _tell_again(tx, replace(one, notification=replace(one.notification, alerts=kept)))
    return frozenset(stale)


def _tell_again(tx: Connection, one: Delivery) -> None:
    """What died with its receiver was taken back, see `forget`: it is told after all."""
    t = schema.told.c
    if tx.execute(select(t.alert_id).where(t.sequence == one.sequence).limit(1)).first() is None:
        rows = told_rows(one.notification)
        tx.execute(insert(schema.told), [{**outbox.told_values(row), "sequence": one.sequence} for row in rows])
        outbox.look_again(tx, {row.alert_id for row in rows})


def forget(tx: Connection, deliveries: Collection[Delivery]) -> None:
    """Take back what was told by these: nobody heard it, so whoever the routes lead to now is to be told."""
    for some in chunks(sorted(one.sequence for one in deliveries)):
        tx.execute(delete(schema.told).where(schema.told.c.sequence.in_(some)))
    outbox.look_again(tx, {entry.alert.id for one in deliveries for entry in one.notification.alerts})


def drop(tx: Connection, ids: Collection[str], *, now: datetime) -> int:
    """Give deliveries up; returns how many."""
    _hold(tx, ids)
    return _change(tx, ids, {"state": "dropped", "ended_at": now})


def _hold(tx: Connection, ids: Collection[str]) -> frozenset[str]:
    """Hold the channels of some notifications, as whoever delivers does; returns the receivers."""
    c = schema.notifications.c
    found = {
        receiver
        for some in chunks(sorted(ids))
        for receiver in tx.execute(select(c.receiver).distinct().where(c.id.in_(some))).scalars()
    }
    for receiver in sorted(found):
        channels.locked(tx, receiver)
    return frozenset(found)


def _change(tx: Connection, ids: Collection[str], values: Mapping[str, Any]) -> int:
    c = schema.notifications.c
    count = 0
    for some in chunks(sorted(ids)):
        where = and_(c.id.in_(some), c.state.in_(("pending", "dead")))
        count += tx.execute(update(schema.notifications).where(where).values(dict(values))).rowcount
    return count
