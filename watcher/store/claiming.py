"""Claiming: what goes out next by which channel.

A notification waits while an earlier one about any of its alerts is undelivered to the same receiver; no other receiver
waits with it. A channel that failed is asked with one message at its time, and one with a rate gets no more than that
allows: what is more goes as one message, never not at all. What becomes one message is for `merging` to say.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, func, or_, select, update

from watcher.alerts.pace import STEADY, Pace
from watcher.store import channels, heard, merging, outbox, schema
from watcher.store.outbox import LEASE, Delivery
from watcher.store.upsert import chunks
from watcher.store.waiting import Waiting, queue_of, times, waits_for_an_earlier_one

#: At a time for each message that may be under way at once.
_AHEAD = 8

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
    queues = {receiver: queue_of(tx, receiver, now) for receiver in waiting}
    merging_at = {name for name in waiting if merging.is_wanted(queues[name], known.get(name), pace_of[name], now)}
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


def _with_something_due(tx: Connection, receivers: Collection[str], now: datetime) -> list[str]:
    return sorted(tx.execute(_DUE_AT, {"receivers": sorted(receivers), **times(now)}).scalars())


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
    queue: list[Waiting],
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
        queue, later = merging.merge_pairs(tx, receiver, queue_of(tx, receiver, now), now)
    elif tx.dialect.name == "postgresql":
        queue = queue_of(tx, receiver, now)  # others may have been here before we held the channel
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
            queue = merging.merge_overflow(tx, receiver, due, queue, now)
            due = [one for one in queue if one.is_due(now) and one.id not in later]
        due = due[: int(tokens)]
    due = due[:at_most]
    if not due:
        return []
    if pace.rate is not None:
        channel = replace(channel, tokens=tokens - len(due), tokens_at=now)
    channels.put(tx, held, channel)
    leased = _lease(tx, owner, due, now, is_probe)
    return heard.completed(tx, receiver, leased)


def _lease(tx: Connection, owner: str, due: Sequence[Waiting], now: datetime, is_probe: bool) -> list[Delivery]:
    leased = []
    for some in chunks([one.id for one in due]):
        # Asked anew: an operator may have dropped it meanwhile.
        values = {"ids": some, "owner": owner, "until": now + LEASE, **times(now)}
        leased += [outbox.delivery_of(row, is_probe=is_probe) for row in tx.execute(_LEASED, values).all()]
    return sorted(leased, key=lambda one: one.sequence)


_LEASED = (
    update(schema.notifications)
    .where(schema.notifications.c.id.in_(bindparam("ids", expanding=True)), schema.IS_PENDING, outbox.IS_FREE)
    .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"), fence=schema.notifications.c.fence + 1)
    .returning(schema.notifications)
)


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
        schema.IS_PENDING, c.receiver.in_(bindparam("receivers", expanding=True)), ~waits_for_an_earlier_one()
    )
    return query.group_by(c.receiver)


def _open_at(at: datetime, channel: channels.Channel | None, pace: Pace) -> datetime:
    if channel is None:
        return at
    ready_at = None if pace.rate is None else pace.rate.ready_at(channel.tokens, channel.tokens_at)
    return max(at, *(each for each in (channel.retry_at, ready_at) if each is not None), at)
