"""Claiming: what goes out next by which channel, and what goes out as one.

A notification waits while an earlier one about any of its alerts is undelivered to the same receiver; no other receiver
waits with it. A channel that failed is asked with one message at its time, and one with a rate gets no more than that
allows: what is more goes as one message, never not at all. Two messages about one alert that wait for the same receiver
become one too.

Only what was certainly never sent is merged: of such a one each claim has ended with an attempt on record, and none of
those may have arrived.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from watcher.alerts import merging
from watcher.alerts.pace import STEADY, Pace
from watcher.store import channels, outbox, schema
from watcher.store.outbox import LEASE, Delivery
from watcher.store.upsert import chunks

#: At a time for each message that may be under way at once.
_AHEAD = 8
#: What failed so often alone may be at fault itself: it takes no others down with it.
_OFTEN = 3

_SUPERSEDED = "later news came before the earlier could be delivered"
_OVERFLOW = "there were more than this receiver's rate_limit allows"

Paces = Mapping[str, Pace]


def claim(
    tx: Connection,
    owner: str,
    *,
    receivers: Collection[str],
    now: datetime,
    paces: Paces | None = None,
    at_most: int | None = None,
    heedless: bool = False,
) -> tuple[Delivery, ...]:
    """Lease what is due, in the order of the decisions.

    Args:
        paces: How fast each receiver is told; one that is not named is told steadily.
        at_most: For each receiver; `None`: a little more than it takes at once.
        heedless: Try what is due whatever the breaker says, and one message at least whatever the rate says.
    """
    waiting = _with_something_due(tx, receivers, now)
    if not waiting:
        return ()
    known, pace_of = channels.of(tx, waiting), {name: (paces or {}).get(name, STEADY) for name in waiting}
    queues = {receiver: _queue(tx, receiver) for receiver in waiting}
    merging_at = {name for name in waiting if _wants_merging(queues[name], known.get(name), pace_of[name], now)}
    if merging_at:
        outbox.lock_dispatch(tx)  # a merged one gets the newest place; held before any channel, as everywhere
    claimed: list[Delivery] = []
    for receiver in waiting:
        claimed += _claim_of(
            tx,
            owner,
            receiver,
            queues[receiver],
            pace=pace_of[receiver],
            at_most=at_most or _AHEAD * pace_of[receiver].at_once,
            merges=receiver in merging_at,
            now=now,
            heedless=heedless,
        )
    return tuple(claimed)


def _with_something_due(tx: Connection, receivers: Collection[str], now: datetime) -> list[str]:
    c = schema.notifications.c
    query = select(c.receiver).distinct()
    query = query.where(schema.IS_PENDING, c.receiver.in_(sorted(receivers)), c.due_at <= now, _is_free(now))
    return sorted(tx.execute(query).scalars())


def _is_free(now: datetime) -> ColumnElement[bool]:
    lease_until = schema.notifications.c.lease_until
    return or_(lease_until.is_(None), lease_until <= now)


def _claim_of(
    tx: Connection,
    owner: str,
    receiver: str,
    queue: list["_Waiting"],
    *,
    pace: Pace,
    at_most: int,
    merges: bool,
    now: datetime,
    heedless: bool,
) -> list[Delivery]:
    channel = held = channels.locked(tx, receiver)
    if channel.is_closed(now) and not heedless:
        return []
    if merges:
        queue = _merge_pairs(tx, receiver, _queue(tx, receiver), now)
    elif tx.dialect.name == "postgresql":
        queue = _queue(tx, receiver)  # others may have been here before we held the channel
    due = [one for one in queue if one.is_due(now)]
    is_probe = channel.retry_at is not None and not heedless
    if is_probe:
        due = sorted(due, key=lambda one: (one.attempts, one.sequence))[:1]
        channel = replace(channel, retry_at=now + LEASE)
    if pace.rate is not None:
        tokens = pace.rate.tokens(channel.tokens, channel.tokens_at, now)
        tokens = max(tokens, 1.0) if heedless else tokens
        if tokens < 1 or not due:
            return []
        if merges and len(due) > int(tokens):
            queue = _merge_overflow(tx, receiver, due, queue, now)
            due = [one for one in queue if one.is_due(now)]
        due = due[: int(tokens)]
    due = due[:at_most]
    if not due:
        return []
    if pace.rate is not None:
        channel = replace(channel, tokens=tokens - len(due), tokens_at=now)
    channels.put(tx, held, channel)
    return _with_references(tx, receiver, _lease(tx, owner, due, now, is_probe))


def _lease(tx: Connection, owner: str, due: Sequence["_Waiting"], now: datetime, is_probe: bool) -> list[Delivery]:
    c = schema.notifications.c
    leased = []
    for some in chunks([one.id for one in due]):
        # Asked anew: an operator may have dropped it meanwhile.
        where = and_(c.id.in_(some), schema.IS_PENDING, _is_free(now))
        values = {"lease_owner": owner, "lease_until": now + LEASE, "fence": c.fence + 1}
        rows = tx.execute(update(schema.notifications).where(where).values(values).returning(schema.notifications))
        leased += [outbox.delivery_of(row, is_probe=is_probe) for row in rows.all()]
    return sorted(leased, key=lambda one: one.sequence)


def _with_references(tx: Connection, receiver: str, claimed: list[Delivery]) -> list[Delivery]:
    """With what the receiver's notifier called its first message about each alert."""
    n, t = schema.notifications.c, schema.told.c
    if not tx.execute(select(exists(select(1).where(n.receiver == receiver, n.reference != "")))).scalar():
        return claimed
    first: dict[str, str] = {}
    about = {entry.alert.id for one in claimed for entry in one.notification.alerts}
    for some in chunks(sorted(about)):
        query = (
            select(t.alert_id, n.reference)
            .join(schema.notifications, n.id == t.notification_id)
            .where(t.receiver == receiver, t.alert_id.in_(some), n.state == "delivered", n.reference != "")
        )
        for alert_id, reference in tx.execute(query.order_by(n.sequence)):
            first.setdefault(alert_id, reference)
    return [
        replace(one, notification=replace(one.notification, earlier=_among(one, first))) if _among(one, first) else one
        for one in claimed
    ]


def _among(delivery: Delivery, references: Mapping[str, str]) -> dict[str, str]:
    ids = (entry.alert.id for entry in delivery.notification.alerts)
    return {id_: references[id_] for id_ in ids if id_ in references}


def next_due(tx: Connection, *, receivers: Collection[str], paces: Paces | None = None) -> datetime | None:
    """When the next delivery to one of `receivers` can be tried: its due time or the end of the lease on it, not before
    its channel is tried again and its rate allows it."""
    c = schema.notifications.c
    free_at = case((and_(c.lease_until.is_not(None), c.lease_until > c.due_at), c.lease_until), else_=c.due_at)
    query = select(c.receiver, func.min(free_at)).where(
        schema.IS_PENDING, c.receiver.in_(sorted(receivers)), ~_waits_for_an_earlier_one()
    )
    rows = tx.execute(query.group_by(c.receiver)).all()
    known = channels.of(tx, [receiver for receiver, _ in rows])
    return min((_open_at(at, known.get(name), (paces or {}).get(name, STEADY)) for name, at in rows), default=None)


def _open_at(at: datetime, channel: channels.Channel | None, pace: Pace) -> datetime:
    if channel is None:
        return at
    ready_at = None if pace.rate is None else pace.rate.ready_at(channel.tokens, channel.tokens_at)
    return max(at, *(each for each in (channel.retry_at, ready_at) if each is not None), at)


def _waits_for_an_earlier_one() -> ColumnElement[bool]:
    c = schema.notifications.c
    mine, theirs = schema.told.alias("mine"), schema.told.alias("theirs")
    earlier = schema.notifications.alias("earlier")
    # With the alerts that it stands for: the news that a deployment is gone must not overtake its countdown.
    return exists(
        select(1)
        .select_from(mine)
        .join(
            theirs,
            and_(
                theirs.c.alert_id == mine.c.alert_id,
                theirs.c.receiver == mine.c.receiver,
                theirs.c.sequence < mine.c.sequence,
            ),
        )
        .join(earlier, earlier.c.sequence == theirs.c.sequence)
        .where(mine.c.sequence == c.sequence, earlier.c.state == literal_column("'pending'"))
        .correlate(schema.notifications)
    )


# What waits for one receiver


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A notification that waits, as far as claiming needs to know."""

    id: str
    sequence: int
    due_at: datetime
    lease_until: datetime | None
    fence: int
    attempts: int
    is_uncertain: bool
    waits: bool  #: for an earlier one about one of its alerts

    def is_due(self, now: datetime) -> bool:
        return not self.waits and self.due_at <= now and (self.lease_until is None or self.lease_until <= now)

    @property
    def was_never_sent(self) -> bool:
        return self.fence == self.attempts and not self.is_uncertain


_QUEUE = (
    select(
        schema.notifications.c.id,
        schema.notifications.c.sequence,
        schema.notifications.c.due_at,
        schema.notifications.c.lease_until,
        schema.notifications.c.fence,
        schema.notifications.c.attempts,
        schema.notifications.c.is_uncertain,
        _waits_for_an_earlier_one(),
    )
    .where(schema.notifications.c.receiver == bindparam("of"), schema.IS_PENDING)
    .order_by(schema.notifications.c.sequence)
)


def _queue(tx: Connection, receiver: str) -> list[_Waiting]:
    return [_Waiting(*row) for row in tx.execute(_QUEUE, {"of": receiver})]


def _wants_merging(queue: Sequence[_Waiting], channel: channels.Channel | None, pace: Pace, now: datetime) -> bool:
    if any(one.waits and one.was_never_sent for one in queue):
        return True
    if pace.rate is None:
        return False
    tokens = float(pace.rate.messages) if channel is None else pace.rate.tokens(channel.tokens, channel.tokens_at, now)
    return sum(one.is_due(now) for one in queue) > int(tokens)


def _merge_pairs(tx: Connection, receiver: str, queue: list[_Waiting], now: datetime) -> list[_Waiting]:
    """Merge what tells of the same alerts; returns the queue afterwards."""
    about = _alerts_of(tx, queue)
    joined = _joined(_mergeable(queue, [one for one in queue if one.was_never_sent], about), about)
    for members in joined:
        _merge(tx, members, now, _SUPERSEDED)
    return _queue(tx, receiver) if joined else queue


def _merge_overflow(
    tx: Connection, receiver: str, due: Sequence[_Waiting], queue: list[_Waiting], now: datetime
) -> list[_Waiting]:
    """Merge all that is due; returns the queue afterwards."""
    wanted = [one for one in due if one.was_never_sent and one.attempts < _OFTEN]
    members = _mergeable(queue, wanted, _alerts_of(tx, queue))
    if len(members) < 2:
        return queue
    _merge(tx, members, now, _OVERFLOW)
    return _queue(tx, receiver)


def _alerts_of(tx: Connection, queue: Iterable[_Waiting]) -> dict[int, frozenset[str]]:
    """Ids of the alerts that each tells of, or stands for, by sequence."""
    about: dict[int, set[str]] = {one.sequence: set() for one in queue}
    t = schema.told.c
    for some in chunks(sorted(about)):
        for sequence, alert_id in tx.execute(select(t.sequence, t.alert_id).where(t.sequence.in_(some))):
            about[sequence].add(alert_id)
    return {sequence: frozenset(ids) for sequence, ids in about.items()}


def _mergeable(
    queue: Sequence[_Waiting], wanted: Sequence[_Waiting], about: Mapping[int, frozenset[str]]
) -> list[_Waiting]:
    """Those of `wanted` that may take the newest place: no other that comes after them tells of one of their alerts."""
    members = list(wanted)
    while True:
        names = {one.id for one in members}
        latest: dict[str, int] = {}  # of those that are not merged, by alert
        for other in queue:
            if other.id not in names:
                latest.update(dict.fromkeys(about[other.sequence], other.sequence))  # the queue is in order
        kept = [one for one in members if all(latest.get(alert, 0) < one.sequence for alert in about[one.sequence])]
        if len(kept) == len(members):
            return kept
        members = kept


def _joined(members: Sequence[_Waiting], about: Mapping[int, frozenset[str]]) -> list[list[_Waiting]]:
    """Those that tell of the same alerts, directly or by way of others, two at least; each in order."""
    sets: list[tuple[set[str], list[_Waiting]]] = []
    for one in members:
        alerts, together = set(about[one.sequence]), [one]
        apart = []
        for other in sets:
            if other[0] & alerts:
                alerts |= other[0]
                together = other[1] + together
            else:
                apart.append(other)
        sets = [*apart, (alerts, sorted(together, key=lambda each: each.sequence))]
    return [together for _, together in sets if len(together) > 1]


def _merge(tx: Connection, members: Sequence[_Waiting], now: datetime, because: str) -> None:
    """Put one notification in place of several; what was told by them was told by it."""
    n, t = schema.notifications.c, schema.told.c
    found = [
        outbox.delivery_of(row)
        for some in chunks([one.id for one in members])
        for row in tx.execute(select(schema.notifications).where(n.id.in_(some)))
    ]
    parts = sorted(found, key=lambda part: part.sequence)
    merged = merging.merge([part.notification for part in parts], because=because)
    sequence = outbox.next_sequence(tx)
    values = outbox.row_of(
        merged,
        sequence=sequence,
        due_at=max(part.due_at for part in parts),
        queued_at=max(part.queued_at for part in parts),
    )
    tx.execute(insert(schema.notifications).values(values))
    newest: dict[str, Any] = {}
    for some in chunks([part.sequence for part in parts]):
        for told in tx.execute(select(schema.told).where(t.sequence.in_(some)).order_by(t.sequence)):
            newest[told.alert_id] = told
    if newest:
        tx.execute(insert(schema.told), [_told_by(merged.id, sequence, told) for told in newest.values()])
    over = {"state": "merged", "merged_into": merged.id, "ended_at": now}
    for ids in chunks([part.notification.id for part in parts]):
        tx.execute(update(schema.notifications).where(n.id.in_(ids)).values(over))


def _told_by(notification_id: str, sequence: int, told: Any) -> dict[str, Any]:
    stands_for_it = not told.notification_id  # nothing names it: another's news say that it is over
    return {
        **told._mapping,
        "sequence": sequence,
        "notification_id": "" if stands_for_it else notification_id,
    }
