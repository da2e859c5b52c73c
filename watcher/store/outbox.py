"""The outbox: what dispatch decided to tell, until it is delivered, and each attempt at it.

A delivery is claimed by lease, sent without any transaction open, and marked with the fence that its claim gave:
whoever lost the lease meanwhile marks nothing. So nothing is lost when a process is killed between any two steps, and a
receiver sees at worst the same notification id twice. Leases and due times are wall time, even where the rest is
simulated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, exists, func, insert, or_, select, update

from watcher.alerts.alert import Alert
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, Told
from watcher.store import schema
from watcher.store.turns import take_turns

#: As long as one send may take (contract): another process takes a delivery over after this.
LEASE = timedelta(seconds=30)

_alerts = msgspec.json.Decoder(tuple[NotificationAlert, ...])
_covers = msgspec.json.Decoder(tuple[Alert, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification in the outbox, with the state of its delivery."""

    notification: Notification
    sequence: int
    state: str  #: pending, delivered, dead or dropped
    due_at: datetime
    first_tried_at: datetime | None
    attempts: int
    fence: int
    lease_until: datetime | None
    ended_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a delivery."""

    at: datetime
    duration_s: float
    outcome: str  #: delivered, retry or dead
    kind: str  #: why it failed: auth, rate_limited, timeout, …; "" if it did not
    detail: str  #: what the other side said; never with a secret


def lock_dispatch(tx: Connection) -> None:
    """Take turns with other processes until the end of the transaction. SQLite's writers do so anyway."""
    take_turns(tx, "dispatch")


def add(tx: Connection, planned: Sequence[tuple[Notification, Sequence[Told]]], *, now: datetime) -> int:
    """Record notifications and what their receivers will have been told; returns how many are new.

    Args:
        now: Wall time, from which they are due.
    """
    sequence = tx.execute(select(func.coalesce(func.max(schema.notifications.c.sequence), 0))).scalar_one()
    known = _existing(tx, [notification.id for notification, _ in planned])
    added = 0
    for notification, told in planned:
        if notification.id in known:
            continue
        sequence, added = sequence + 1, added + 1
        tx.execute(
            insert(schema.notifications).values(
                id=notification.id,
                sequence=sequence,
                receiver=notification.receiver,
                route=notification.route,
                group_key=notification.group_key,
                group_labels=dict(notification.group_labels),
                reason=notification.reason.value,
                alerts=msgspec.json.encode(notification.alerts).decode(),
                covers=msgspec.json.encode(notification.covers).decode(),
                created_at=notification.created_at,
                state="pending",
                due_at=now,
                queued_at=now,
                notes=list(notification.notes),
            )
        )
        tx.execute(insert(schema.told), [{**_told_values(row), "sequence": sequence} for row in told])
    return added


def _existing(tx: Connection, ids: Sequence[str]) -> frozenset[str]:
    c = schema.notifications.c
    return frozenset(tx.execute(select(c.id).where(c.id.in_(ids))).scalars()) if ids else frozenset()


def _told_values(told: Told) -> dict[str, Any]:
    return {
        "alert_id": told.alert_id,
        "receiver": told.receiver,
        "status": told.status.value,
        "severity": told.severity.value,
        "step": told.step,
        "at": told.at,
        "notification_id": told.notification_id,
        "group_key": told.group_key,
        "route": told.route,
    }


def groups(tx: Connection, *, since: datetime) -> dict[tuple[str, str], datetime]:
    """When each receiver's group was last told something, by receiver and group key; those told before `since` are left
    out."""
    c = schema.notifications.c
    query = select(c.receiver, c.group_key, func.max(c.created_at)).where(c.created_at >= since)
    return {(receiver, key): at for receiver, key, at in tx.execute(query.group_by(c.receiver, c.group_key))}


def claim(
    tx: Connection, owner: str, *, receivers: Collection[str], now: datetime, per_receiver: int = 4
) -> tuple[Delivery, ...]:
    """Lease what is due, in the order of the decisions.

    A notification waits while an earlier one about any of its alerts is undelivered to the same receiver; no other
    receiver waits with it.
    """
    c = schema.notifications.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    claimed: list[Delivery] = []
    for receiver in sorted(receivers):
        due = (
            select(schema.notifications)
            .where(c.receiver == receiver, c.state == "pending", c.due_at <= now, free, ~_waits_for_an_earlier_one())
            .order_by(c.sequence)
            .limit(per_receiver)
        )
        if tx.dialect.name == "postgresql":
            due = due.with_for_update(skip_locked=True)
        for row in tx.execute(due).all():
            lease = {"lease_owner": owner, "lease_until": now + LEASE, "fence": row.fence + 1}
            tx.execute(update(schema.notifications).where(c.id == row.id, c.fence == row.fence).values(lease))
            claimed.append(_delivery(row, fence=row.fence + 1, lease_until=now + LEASE))
    return tuple(claimed)


def _waits_for_an_earlier_one() -> Any:
    c = schema.notifications.c
    mine, theirs = schema.told.alias("mine"), schema.told.alias("theirs")
    earlier = schema.notifications.alias("earlier")
    return exists(
        select(1)
        .select_from(mine)
        .join(theirs, and_(theirs.c.alert_id == mine.c.alert_id, theirs.c.receiver == mine.c.receiver))
        .join(earlier, earlier.c.id == theirs.c.notification_id)
        .where(
            # With the alerts that it stands for: the news that a deployment is gone must not overtake its countdown.
            mine.c.notification_id.in_((c.id, "")),
            mine.c.sequence == c.sequence,
            earlier.c.sequence < c.sequence,
            earlier.c.state == "pending",
        )
    )


def renew(tx: Connection, delivery: Delivery, *, now: datetime) -> bool:
    """Hold a lease for as long again; `False` if it was lost, or an operator gave the delivery up meanwhile."""
    c = schema.notifications.c
    where = and_(c.id == delivery.notification.id, c.fence == delivery.fence, c.state == "pending")
    return tx.execute(update(schema.notifications).where(where).values(lease_until=now + LEASE)).rowcount == 1


def mark(tx: Connection, delivery: Delivery, attempt: Attempt, *, state: str, due_at: datetime | None = None) -> bool:
    """Record an attempt and what follows from it; returns `False` if the lease was lost, and then changes no state."""
    c = schema.notifications.c
    tx.execute(
        insert(schema.attempts).values(
            notification_id=delivery.notification.id,
            at=attempt.at,
            duration_s=attempt.duration_s,
            outcome=attempt.outcome,
            kind=attempt.kind,
            detail=attempt.detail,
        )
    )
    values: dict[str, Any] = {
        "state": state,
        "attempts": delivery.attempts + 1,
        "first_tried_at": delivery.first_tried_at or attempt.at,
        "lease_owner": None,
        "lease_until": None,
        "last_error": "" if state == "delivered" else attempt.detail,
    }
    if due_at is not None:
        values["due_at"] = due_at
    if state != "pending":
        values["ended_at"] = attempt.at
    where = and_(c.id == delivery.notification.id, c.fence == delivery.fence, c.state == "pending")
    return tx.execute(update(schema.notifications).where(where).values(values)).rowcount == 1


def next_due(tx: Connection, *, receivers: Collection[str]) -> datetime | None:
    """When the next delivery to one of `receivers` can be tried: its due time, or the end of the lease on it."""
    c = schema.notifications.c
    rows = tx.execute(
        select(c.due_at, c.lease_until).where(
            c.state == "pending", c.receiver.in_(sorted(receivers)), ~_waits_for_an_earlier_one()
        )
    )
    return min((max(due, lease) if lease else due for due, lease in rows), default=None)


def listed(
    tx: Connection, *, states: Collection[str] = ("pending", "dead"), ids: Collection[str] | None = None
) -> tuple[Delivery, ...]:
    """Deliveries in some states, or of some ids, in the order of the decisions."""
    c = schema.notifications.c
    query = select(schema.notifications).order_by(c.sequence)
    query = query.where(c.state.in_(sorted(states))) if ids is None else query.where(c.id.in_(sorted(ids)))
    return tuple(_delivery(row) for row in tx.execute(query))


def of_alert(tx: Connection, alert_id: str) -> tuple[Delivery, ...]:
    """The deliveries that told of one alert, in order."""
    c = schema.notifications.c
    ids = select(schema.told.c.notification_id).where(schema.told.c.alert_id == alert_id)
    return tuple(
        _delivery(row) for row in tx.execute(select(schema.notifications).where(c.id.in_(ids)).order_by(c.sequence))
    )


def attempts(tx: Connection, notification_id: str) -> tuple[Attempt, ...]:
    """The tries at one delivery, oldest first."""
    c = schema.attempts.c
    rows = tx.execute(select(schema.attempts).where(c.notification_id == notification_id).order_by(c.id))
    return tuple(
        Attempt(at=row.at, duration_s=row.duration_s, outcome=row.outcome, kind=row.kind, detail=row.detail)
        for row in rows
    )


def counts(tx: Connection) -> Mapping[str, int]:
    """How many deliveries are in each state."""
    c = schema.notifications.c
    rows = tx.execute(select(c.state, func.count()).group_by(c.state))
    return {state: count for state, count in rows}


def try_now(tx: Connection, *, now: datetime) -> None:
    """Make what waits for its next try due at once; budgets and leases stay."""
    c = schema.notifications.c
    tx.execute(update(schema.notifications).where(c.state == "pending", c.due_at > now).values(due_at=now))


def retry(tx: Connection, ids: Collection[str], *, now: datetime) -> int:
    """Make pending or dead deliveries due at once, with a fresh budget; returns how many."""
    c = schema.notifications.c
    values = {"state": "pending", "due_at": now, "first_tried_at": None, "ended_at": None}
    where = and_(c.id.in_(sorted(ids)), c.state.in_(("pending", "dead")))
    return tx.execute(update(schema.notifications).where(where).values(values)).rowcount


def drop(tx: Connection, ids: Collection[str], *, now: datetime) -> int:
    """Give deliveries up; returns how many."""
    c = schema.notifications.c
    where = and_(c.id.in_(sorted(ids)), c.state.in_(("pending", "dead")))
    return tx.execute(update(schema.notifications).where(where).values(state="dropped", ended_at=now)).rowcount


def _delivery(row: Row[Any], **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "sequence": row.sequence,
        "state": row.state,
        "due_at": row.due_at,
        "first_tried_at": row.first_tried_at,
        "attempts": row.attempts,
        "fence": row.fence,
        "lease_until": row.lease_until,
        "ended_at": row.ended_at,
        "last_error": row.last_error,
    }
    notification = Notification(
        id=row.id,
        receiver=row.receiver,
        route=row.route,
        group_key=row.group_key,
        group_labels=row.group_labels,
        reason=NotifyReason(row.reason),
        alerts=_alerts.decode(row.alerts),
        covers=_covers.decode(row.covers),
        created_at=row.created_at,
        notes=tuple(row.notes),
    )
    return Delivery(notification=notification, **(values | changes))
