"""Claiming: what goes out next by which channel, and what goes out as one.

A notification waits while an earlier one about any of its alerts is undelivered to the same receiver; no other receiver
waits with it. A channel that failed is asked with one message at its time, and one with a rate gets no more than that
allows: what is more goes as one message, never not at all. Two messages about one alert that wait for the same receiver
become one too.

Only what was certainly never sent is merged: of such a one each claim has ended with an attempt on record, and none of
those may have arrived.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
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
from watcher.alerts.notification import Notification, NotifyReason
from watcher.alerts.pace import STEADY, Pace
from watcher.store import channels, heads, outbox, schema
from watcher.store.outbox import LEASE, Delivery
from watcher.store.upsert import chunks

#: At a time for each message that may be under way at once.
_AHEAD = 8
#: Groups that one claim merges at most: nobody else writes meanwhile.
_MOST_MERGED = 200
#: What failed so often alone may be at fault itself: it takes no others down with it.
_OFTEN = 3

_SUPERSEDED = "later news came before the earlier could be delivered"
_OVERFLOW = "there were more than this receiver's rate_limit allows"

Paces = Mapping[str, Pace]


def claim_at(
    tx: Connection,
    owner: str,
    *,
    clock: Callable[[], datetime],
    receivers: Collection[str],
    paces: Paces | None = None,
    heedless: bool = False,
) -> tuple[Delivery, ...]:
    """`claim`, by the time at which the writer comes to it: a lease counts from when it is taken."""
    return claim(tx, owner, receivers=receivers, now=clock(), paces=paces, heedless=heedless)


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
    queues = {receiver: _queue(tx, receiver, now) for receiver in waiting}
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


def openings(tx: Connection, wanted: Mapping[str, int], *, now: datetime, paces: Paces | None = None) -> dict[str, int]:
    """How many of so many new notifications may go out at once to each receiver, as soon as they are decided.

    None where anything at all waits there, or the channel fails, or its rate does not allow all of them: then `claim`
    has to say what goes out, and in which order. Their tokens are taken. Call it with `lock_dispatch` held, in the
    transaction that adds them, and lease as many.

    Args:
        wanted: By receiver, about different alerts each.
    """
    found: dict[str, int] = {}
    for receiver in sorted(wanted):
        channel, pace = channels.locked(tx, receiver), (paces or {}).get(receiver, STEADY)
        count = min(wanted[receiver], _AHEAD * pace.at_once)
        if channel.retry_at is not None or tx.execute(_WAITS, {"receiver": receiver}).first() is not None:
            continue
        if pace.rate is not None:
            tokens = pace.rate.tokens(channel.tokens, channel.tokens_at, now)
            if wanted[receiver] > int(tokens):
                continue
            channels.put(tx, channel, replace(channel, tokens=tokens - count, tokens_at=now))
        found[receiver] = count
    return found


_WAITS = (
    select(schema.notifications.c.id)
    .where(schema.notifications.c.receiver == bindparam("receiver"), schema.IS_PENDING)
    .limit(1)
)


def completed(tx: Connection, receiver: str, leased: Sequence[Delivery]) -> list[Delivery]:
    """What was leased for a receiver, with what is known only now: what it heard before, and by which references.

    Of what it was never told before there is nothing to know.
    """
    told = _with_references(tx, receiver, [_with_untold(tx, receiver, one) for one in leased])
    return heads.with_ended(tx, receiver, told)


def _with_something_due(tx: Connection, receivers: Collection[str], now: datetime) -> list[str]:
    return sorted(tx.execute(_DUE_AT, {"receivers": sorted(receivers), **_times(now)}).scalars())


def _times(now: datetime) -> dict[str, datetime]:
    return {"now": now, "latest_due": now + channels.LONGEST_WAIT, "latest_lease": outbox.latest_lease(now)}


_DUE_AT = (
    select(schema.notifications.c.receiver)
    .distinct()
    .where(
        schema.IS_PENDING,
        schema.notifications.c.receiver.in_(bindparam("receivers", expanding=True)),
        or_(
            schema.notifications.c.due_at <= bindparam("now"),
            schema.notifications.c.due_at > bindparam("latest_due"),
        ),
        outbox.IS_FREE,
    )
)


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
    later: frozenset[str] = frozenset()
    if merges:
        queue, later = _merge_pairs(tx, receiver, _queue(tx, receiver, now), now)
    elif tx.dialect.name == "postgresql":
        queue = _queue(tx, receiver, now)  # others may have been here before we held the channel
    due = [one for one in queue if one.is_due(now) and one.id not in later]
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
            due = [one for one in queue if one.is_due(now) and one.id not in later]
        due = due[: int(tokens)]
    due = due[:at_most]
    if not due:
        return []
    if pace.rate is not None:
        channel = replace(channel, tokens=tokens - len(due), tokens_at=now)
    channels.put(tx, held, channel)
    leased = _lease(tx, owner, due, now, is_probe)
    return completed(tx, receiver, leased)


def _lease(tx: Connection, owner: str, due: Sequence["_Waiting"], now: datetime, is_probe: bool) -> list[Delivery]:
    leased = []
    for some in chunks([one.id for one in due]):
        # Asked anew: an operator may have dropped it meanwhile.
        values = {"ids": some, "owner": owner, "until": now + LEASE, **_times(now)}
        leased += [outbox.delivery_of(row, is_probe=is_probe) for row in tx.execute(_LEASED, values).all()]
    return sorted(leased, key=lambda one: one.sequence)


_LEASED = (
    update(schema.notifications)
    .where(schema.notifications.c.id.in_(bindparam("ids", expanding=True)), schema.IS_PENDING, outbox.IS_FREE)
    .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"), fence=schema.notifications.c.fence + 1)
    .returning(schema.notifications)
)


def _with_untold(tx: Connection, receiver: str, claimed: Delivery) -> Delivery:
    """With each end marked of which the receiver never heard that it began: what was to say so died, or was dropped."""
    notification = claimed.notification
    ends = {e.alert.id for e in notification.alerts if e.reason is NotifyReason.RESOLVED and not e.was_untold}
    if not ends:
        return claimed
    n, t = schema.notifications.c, schema.told.c
    heard: set[str] = set()
    for some in chunks(sorted(ends)):
        may_have_arrived = or_(n.id.is_(None), n.state == "delivered", n.is_uncertain, n.fence > n.attempts)
        query = (
            select(t.alert_id)
            .distinct()
            .outerjoin(schema.notifications, n.sequence == t.sequence)
            .where(t.receiver == receiver, t.alert_id.in_(some), t.sequence < claimed.sequence, may_have_arrived)
        )
        heard |= set(tx.execute(query).scalars())
    if ends <= heard:
        return claimed
    entries = tuple(replace(e, was_untold=True) if e.alert.id in ends - heard else e for e in notification.alerts)
    return replace(claimed, notification=replace(notification, alerts=entries))


def _with_references(tx: Connection, receiver: str, claimed: list[Delivery]) -> list[Delivery]:
    """With what the receiver's notifier called its first message about each alert."""
    n, t = schema.notifications.c, schema.told.c
    if tx.execute(_REFERRED, {"receiver": receiver}).first() is None:
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


_REFERRED = (
    select(schema.notifications.c.id)
    .where(schema.notifications.c.receiver == bindparam("receiver"), schema.notifications.c.reference != "")
    .limit(1)
)


def _among(delivery: Delivery, references: Mapping[str, str]) -> dict[str, str]:
    ids = (entry.alert.id for entry in delivery.notification.alerts)
    return {id_: references[id_] for id_ in ids if id_ in references}


def next_due(tx: Connection, *, receivers: Collection[str], paces: Paces | None = None) -> datetime | None:
    """When the next delivery to one of `receivers` can be tried."""
    return min(due_times(tx, receivers=receivers, paces=paces).values(), default=None)


def due_times(tx: Connection, *, receivers: Collection[str], paces: Paces | None = None) -> dict[str, datetime]:
    """When the next delivery to each of `receivers` can be tried, where there is one: its due time or the end of the
    lease on it, not before its channel is tried again and its rate allows it."""
    rows = tx.execute(_next_due(), {"receivers": sorted(receivers)}).all()
    known = channels.of(tx, [receiver for receiver, _ in rows]) if rows else {}
    return {name: _open_at(at, known.get(name), (paces or {}).get(name, STEADY)) for name, at in rows}


@cache
def _next_due() -> Select[Any]:
    c = schema.notifications.c
    free_at = case((and_(c.lease_until.is_not(None), c.lease_until > c.due_at), c.lease_until), else_=c.due_at)
    query = select(c.receiver, func.min(free_at)).where(
        schema.IS_PENDING, c.receiver.in_(bindparam("receivers", expanding=True)), ~_waits_for_an_earlier_one()
    )
    return query.group_by(c.receiver)


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
    fence: int
    attempts: int
    is_uncertain: bool
    is_free: bool  #: it is in nobody's hands
    waits: bool  #: for an earlier one about one of its alerts

    def is_due(self, now: datetime) -> bool:
        return not self.waits and self.is_free and not now < self.due_at <= now + channels.LONGEST_WAIT

    @property
    def was_never_sent(self) -> bool:
        return self.fence == self.attempts and not self.is_uncertain


def _queue(tx: Connection, receiver: str, now: datetime) -> list[_Waiting]:
    return [_Waiting(*row) for row in tx.execute(_queued(), {"receiver": receiver, **_times(now)})]


@cache
def _queued() -> Select[Any]:
    n = schema.notifications.c
    query = select(
        n.id,
        n.sequence,
        n.due_at,
        n.fence,
        n.attempts,
        n.is_uncertain,
        outbox.IS_FREE,
        _waits_for_an_earlier_one(),
    )
    return query.where(n.receiver == bindparam("receiver"), schema.IS_PENDING).order_by(n.sequence)


def _wants_merging(queue: Sequence[_Waiting], channel: channels.Channel | None, pace: Pace, now: datetime) -> bool:
    if any(one.waits and one.was_never_sent for one in queue):
        return True
    if pace.rate is None:
        return False
    tokens = float(pace.rate.messages) if channel is None else pace.rate.tokens(channel.tokens, channel.tokens_at, now)
    return sum(one.is_due(now) for one in queue) > int(tokens)


def _merge_pairs(
    tx: Connection, receiver: str, queue: list[_Waiting], now: datetime
) -> tuple[list[_Waiting], frozenset[str]]:
    """Merge what tells of the same alerts; returns the queue afterwards, and the ids of those left for next time."""
    about = _alerts_of(tx, queue)
    joined = _joined(_mergeable(queue, [one for one in queue if one.was_never_sent], about), about)
    if not joined:
        return queue, frozenset()
    _merge(tx, joined[:_MOST_MERGED], now, _SUPERSEDED)
    left = frozenset(one.id for members in joined[_MOST_MERGED:] for one in members)
    return _queue(tx, receiver, now), left


def _merge_overflow(
    tx: Connection, receiver: str, due: Sequence[_Waiting], queue: list[_Waiting], now: datetime
) -> list[_Waiting]:
    """Merge all that is due; returns the queue afterwards."""
    wanted = [one for one in due if one.was_never_sent and one.attempts < _OFTEN]
    members = _mergeable(queue, wanted, _alerts_of(tx, queue))
    if len(members) < 2:
        return queue
    _merge(tx, [members], now, _OVERFLOW)
    return _queue(tx, receiver, now)


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
    """Those that tell of the same alerts, directly or by way of others, two at least; groups and members in order."""
    group_of: dict[str, list[_Waiting]] = {}  # by alert
    groups: dict[int, list[_Waiting]] = {}  # by identity
    for one in members:
        met = {id(group): group for alert in about[one.sequence] if (group := group_of.get(alert)) is not None}
        largest, *others = sorted(met.values(), key=len, reverse=True) or [[]]
        groups[id(largest)] = largest
        for group in others:
            del groups[id(group)]
            largest += group
            group_of |= {alert: largest for each in group for alert in about[each.sequence]}
        largest.append(one)
        group_of |= dict.fromkeys(about[one.sequence], largest)
    found = [sorted(group, key=lambda each: each.sequence) for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: group[0].sequence)


def _merge(tx: Connection, groups: Sequence[Sequence[_Waiting]], now: datetime, because: str) -> None:
    """Put one notification in place of each group; what was told by its members was told by it."""
    n, t = schema.notifications.c, schema.told.c
    found: dict[str, Delivery] = {}
    told: dict[int, list[Any]] = {}
    for some in chunks([one for members in groups for one in members]):
        rows = tx.execute(select(schema.notifications).where(n.id.in_([one.id for one in some])))
        found |= {row.id: outbox.delivery_of(row) for row in rows}
        for row in tx.execute(select(schema.told).where(t.sequence.in_([one.sequence for one in some]))):
            told.setdefault(row.sequence, []).append(row)
    first = outbox.next_sequence(tx)
    merged_rows, told_rows, over = [], [], []
    for sequence, members in enumerate(groups, first):
        parts = [found[one.id] for one in members]
        merged = merging.merge([part.notification for part in parts], because=because)
        merged_rows.append(_merged_values(merged, sequence, parts))
        newest = {row.alert_id: row for one in members for row in told.get(one.sequence, ())}
        told_rows += [_told_by(merged.id, sequence, row) for row in newest.values()]
        over += [{"of": one.id, "by": merged.id, "at": now} for one in members]
    tx.execute(insert(schema.notifications), merged_rows)
    if told_rows:
        tx.execute(insert(schema.told), told_rows)
    tx.execute(_OVER, over)


_OVER = (
    update(schema.notifications)
    .where(schema.notifications.c.id == bindparam("of"))
    .values(state="merged", merged_into=bindparam("by"), ended_at=bindparam("at"))
)


def _merged_values(merged: Notification, sequence: int, parts: Sequence[Delivery]) -> dict[str, Any]:
    due_at, queued_at = max(part.due_at for part in parts), max(part.queued_at for part in parts)
    return outbox.row_of(merged, sequence=sequence, due_at=due_at, queued_at=queued_at)


def _told_by(notification_id: str, sequence: int, told: Any) -> dict[str, Any]:
    stands_for_it = not told.notification_id  # nothing names it: another's news say that it is over
    return {
        **told._mapping,
        "sequence": sequence,
        "notification_id": "" if stands_for_it else notification_id,
    }
