"""The outbox: what dispatch decided to tell, until it is delivered, and the leases on it.

A delivery is claimed by lease (see `claiming`), sent without any transaction open, and marked with the fence that its
claim gave (see `attempts`): whoever lost the lease meanwhile marks nothing. So nothing is lost when a process is killed
between any two steps, and a receiver sees at worst the same notification id twice. Leases and due times are wall time,
even where the rest is simulated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, or_, select, update

from watcher.alerts.alert import Alert
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, Told
from watcher.store import schema
from watcher.store.stamps import new_stamp
from watcher.store.turns import take_turns
from watcher.store.types import UtcDateTime
from watcher.store.upsert import chunks

#: As long as one send may take (contract): another process takes a delivery over after this.
LEASE = timedelta(seconds=30)
#: Less than a clock's set-back that matters, more than the clocks of two machines differ.
_CLOCKS_APART = timedelta(seconds=30)

_alerts = msgspec.json.Decoder(tuple[NotificationAlert, ...])
_covers = msgspec.json.Decoder(tuple[Alert, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification in the outbox, with the state of its delivery."""

    notification: Notification
    sequence: int
    state: str  #: pending, delivered, dead, dropped or merged
    due_at: datetime
    queued_at: datetime  #: from which its time counts
    first_tried_at: datetime | None
    attempts: int
    fence: int
    lease_until: datetime | None
    ended_at: datetime | None
    last_error: str
    is_uncertain: bool = False  #: a try that failed may have arrived all the same
    merged_into: str | None = None  #: id of the notification that says what this one would have said
    is_probe: bool = False  #: it is to find out whether a channel that failed works again


def lock_dispatch(tx: Connection) -> None:
    """Take turns with other processes until the end of the transaction. SQLite's writers do so anyway."""
    take_turns(tx, "dispatch")


def add(
    tx: Connection,
    planned: Sequence[tuple[Notification, Sequence[Told]]],
    *,
    now: datetime,
    owner: str = "",
    leased: Mapping[str, int] | None = None,
    last_decided: int | None = None,
) -> tuple[Delivery, ...]:
    """Record notifications and what their receivers will have been told; returns those that are new.

    Args:
        now: Wall time, from which they are due.
        owner: Who sends the first of them at once.
        leased: How many are leased to `owner` by that, for each receiver; see `claiming.openings`.
        last_decided: The place of the newest there is, where the caller knows that, and that none of these is there.
    """
    known = _existing(tx, [notification.id for notification, _ in planned]) if last_decided is None else ()
    fresh = [(notification, told) for notification, told in planned if notification.id not in known]
    if not fresh:
        return ()
    left = dict(leased or {})
    added = []
    first = next_sequence(tx) if last_decided is None else last_decided + 1
    for sequence, (notification, _) in enumerate(fresh, first):
        is_leased = left.get(notification.receiver, 0) > 0
        left[notification.receiver] = left.get(notification.receiver, 0) - 1
        added.append(_new(notification, sequence, now=now, lease_until=now + LEASE if is_leased else None))
    tx.execute(_ADDED, [_new_row(one, owner) for one in added])
    rows = [
        {**told_values(row), "sequence": one.sequence}
        for one, (_, told) in zip(added, fresh, strict=True)
        for row in told
    ]
    if rows:
        tx.execute(_TOLD, rows)
    return tuple(added)


_ADDED, _TOLD = insert(schema.notifications), insert(schema.told)


def _new(notification: Notification, sequence: int, *, now: datetime, lease_until: datetime | None) -> Delivery:
    return Delivery(
        notification=notification,
        sequence=sequence,
        state="pending",
        due_at=now,
        queued_at=now,
        first_tried_at=None,
        attempts=0,
        fence=0 if lease_until is None else 1,
        lease_until=lease_until,
        ended_at=None,
        last_error="",
    )


def _new_row(one: Delivery, owner: str) -> dict[str, Any]:
    return {
        **row_of(one.notification, sequence=one.sequence, due_at=one.due_at, queued_at=one.queued_at),
        "lease_owner": None if one.lease_until is None else owner,
        "lease_until": one.lease_until,
        "fence": one.fence,
    }


def next_sequence(tx: Connection) -> int:
    """The place of the next decision; whoever takes it must hold `lock_dispatch`."""
    last: int = tx.execute(_LAST).scalar_one()
    return last + 1


_LAST = select(func.coalesce(func.max(schema.notifications.c.sequence), 0))


def row_of(notification: Notification, *, sequence: int, due_at: datetime, queued_at: datetime) -> dict[str, Any]:
    """The columns of a notification that waits to be delivered."""
    return {
        "id": notification.id,
        "sequence": sequence,
        "receiver": notification.receiver,
        "route": notification.route,
        "group_key": notification.group_key,
        "group_labels": dict(notification.group_labels),
        "reason": notification.reason.value,
        "alerts": msgspec.json.encode(notification.alerts).decode(),
        "covers": msgspec.json.encode(notification.covers).decode(),
        "created_at": notification.created_at,
        "state": "pending",
        "due_at": due_at,
        "queued_at": queued_at,
        "notes": list(notification.notes),
    }


def _existing(tx: Connection, ids: Sequence[str]) -> frozenset[str]:
    return frozenset(id_ for some in chunks(ids) for id_ in tx.execute(_IDS, {"ids": some}).scalars())


_IDS = select(schema.notifications.c.id).where(schema.notifications.c.id.in_(bindparam("ids", expanding=True)))


def told_values(told: Told) -> dict[str, Any]:
    """The columns of what a receiver was told, but for its place."""
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


#: Whether a delivery is in nobody's hands at "now". A lease that ends later than one can, after "latest_lease", was
#: taken by a clock that was put back since.
IS_FREE: ColumnElement[bool] = or_(
    schema.notifications.c.lease_until.is_(None),
    schema.notifications.c.lease_until <= bindparam("now", type_=UtcDateTime),
    schema.notifications.c.lease_until > bindparam("latest_lease", type_=UtcDateTime),
)


def latest_lease(now: datetime) -> datetime:
    """When the last lease that can have been taken by `now` ends."""
    return now + LEASE + _CLOCKS_APART


def renew_all(tx: Connection, deliveries: Sequence[Delivery], *, now: datetime) -> tuple[Delivery, ...]:
    """Hold leases for as long again; returns the deliveries of which the lease was not lost."""
    held = still_held(tx, deliveries)
    c = schema.notifications.c
    for some in chunks(sorted(held)):
        tx.execute(update(schema.notifications).where(c.id.in_(some)).values(lease_until=now + LEASE))
    return tuple(replace(one, lease_until=now + LEASE) for one in deliveries if one.notification.id in held)


def release(tx: Connection, deliveries: Sequence[Delivery]) -> None:
    """Give back what was claimed and not tried: it is as it was before the claim."""
    c = schema.notifications.c
    for some in chunks(sorted(still_held(tx, deliveries))):
        values = {"lease_owner": None, "lease_until": None, "fence": c.fence - 1}
        tx.execute(update(schema.notifications).where(c.id.in_(some)).values(values))


def still_held(tx: Connection, deliveries: Sequence[Delivery]) -> frozenset[str]:
    """Ids of those that are still ours, their rows locked where the database locks rows."""
    fences = {one.notification.id: one.fence for one in deliveries}
    held = set()
    for some in chunks(sorted(fences)):
        held |= {id_ for id_, fence in tx.execute(_FENCES, {"ids": some}) if fence == fences[id_]}
    return frozenset(held)


_FENCES = (
    select(schema.notifications.c.id, schema.notifications.c.fence)
    .where(schema.notifications.c.id.in_(bindparam("ids", expanding=True)), schema.IS_PENDING)
    .order_by(schema.notifications.c.id)
    .with_for_update()
)


def expired(tx: Connection, receiver: str, *, queued_before: datetime) -> tuple[Delivery, ...]:
    """What has waited for a receiver since before then, and is in nobody's hands."""
    c = schema.notifications.c
    query = select(schema.notifications).where(
        c.receiver == receiver, schema.IS_PENDING, c.queued_at <= queued_before, c.lease_until.is_(None)
    )
    return tuple(delivery_of(row) for row in tx.execute(query.order_by(c.sequence)))


def oldest(tx: Connection, receiver: str) -> datetime | None:
    """Since when the oldest of what waits for a receiver has waited."""
    c = schema.notifications.c
    query = select(func.min(c.queued_at)).where(c.receiver == receiver, schema.IS_PENDING)
    found: datetime | None = tx.execute(query).scalar()
    return found


def listed(
    tx: Connection,
    *,
    states: Collection[str] = ("pending", "dead"),
    ids: Collection[str] | None = None,
    since: datetime | None = None,
) -> tuple[Delivery, ...]:
    """Deliveries in some states, or of some ids, in the order of the decisions; with `since` those decided later."""
    c = schema.notifications.c
    if ids is not None:
        wanted: list[ColumnElement[bool]] = [c.id.in_(some) for some in chunks(sorted(ids))]
    else:
        wanted = [_UNDELIVERED[state] for state in sorted(states) if state in _UNDELIVERED]
        if rest := sorted(set(states) - _UNDELIVERED.keys()):
            wanted.append(c.state.in_(rest))
    found: list[Delivery] = []
    for where in wanted:
        query = select(schema.notifications).where(where)
        found += map(delivery_of, tx.execute(query if since is None else query.where(c.created_at >= since)))
    return tuple(sorted(found, key=lambda one: one.sequence))


#: Each has an index of its own, which serves one of them at a time.
_UNDELIVERED = {"pending": schema.IS_PENDING, "dead": schema.IS_DEAD}


def ids_like(tx: Connection, beginnings: Collection[str], *, states: Collection[str] | None = None) -> tuple[str, ...]:
    """Ids that begin with one of these texts, in the order of the decisions; of all states, or some."""
    c = schema.notifications.c
    found: dict[str, int] = {}
    for text in sorted(filter(None, beginnings)):
        query = select(c.id, c.sequence).where(c.id.startswith(text, autoescape=True))
        if tx.dialect.name == "sqlite":  # whose LIKE knows no case, and so no index
            query = query.where(c.id >= text, c.id < text + chr(0x10FFFF))
        if states is not None:
            query = query.where(c.state.in_(sorted(states)))
        found.update((id_, sequence) for id_, sequence in tx.execute(query))
    return tuple(sorted(found, key=found.__getitem__))


def of_alert(tx: Connection, alert_id: str) -> tuple[Delivery, ...]:
    """The deliveries that told of one alert, in order."""
    c = schema.notifications.c
    ids = select(schema.told.c.notification_id).where(schema.told.c.alert_id == alert_id)
    return tuple(
        delivery_of(row) for row in tx.execute(select(schema.notifications).where(c.id.in_(ids)).order_by(c.sequence))
    )


def counts(tx: Connection) -> Mapping[str, int]:
    """How many deliveries are in each state, however many there are."""
    c = schema.notifications.c
    rows = tx.execute(select(c.state, func.count()).group_by(c.state))
    return {state: count for state, count in rows}


def undelivered(tx: Connection) -> Mapping[str, int]:
    """How many deliveries wait, and how many are dead; reads no others."""
    counted = {
        state: tx.execute(select(func.count()).select_from(schema.notifications).where(where)).scalar_one()
        for state, where in _UNDELIVERED.items()
    }
    return {state: count for state, count in counted.items() if count}


def strangers(tx: Connection, receivers: Collection[str]) -> tuple[str, ...]:
    """Others than these receivers for whom something waits."""
    c = schema.notifications.c
    query = select(c.receiver).distinct().where(schema.IS_PENDING, c.receiver.not_in(sorted(receivers)))
    return tuple(sorted(tx.execute(query).scalars()))


def waiting_for(tx: Connection, receiver: str, *, now: datetime) -> tuple[Delivery, ...]:
    """What waits for a receiver, and is in nobody's hands."""
    c = schema.notifications.c
    query = select(schema.notifications).where(c.receiver == receiver, schema.IS_PENDING, IS_FREE)
    times = {"now": now, "latest_lease": latest_lease(now)}
    return tuple(delivery_of(row) for row in tx.execute(query.order_by(c.sequence), times))


def delivery_of(row: Row[Any], **changes: Any) -> Delivery:
    """A row of the table as the noun, with some fields changed."""
    values: dict[str, Any] = {
        "sequence": row.sequence,
        "state": row.state,
        "due_at": row.due_at,
        "queued_at": row.queued_at,
        "first_tried_at": row.first_tried_at,
        "attempts": row.attempts,
        "fence": row.fence,
        "lease_until": row.lease_until,
        "ended_at": row.ended_at,
        "last_error": row.last_error,
        "is_uncertain": row.is_uncertain,
        "merged_into": row.merged_into,
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


def paths(tx: Connection, sequence: int) -> dict[str, str]:
    """The routes by which a notification tells of its alerts, by alert id."""
    t = schema.told.c
    rows = tx.execute(select(t.alert_id, t.route).where(t.sequence == sequence))
    return {alert_id: route for alert_id, route in rows}


def look_again(tx: Connection, alert_ids: Collection[str]) -> None:
    """Have dispatch look at these alerts once more: somebody else was told of them, who is to be told of the end."""
    for some in chunks(sorted(alert_ids)):
        where = schema.alerts.c.id.in_(some)
        tx.execute(update(schema.alerts).where(where).values(is_settled=False, stamp=new_stamp()))
