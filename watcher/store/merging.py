"""Two messages about one alert that wait for the same receiver become one; so does what its rate does not allow.

Only what was certainly never sent is merged: of such a one each claim has ended with an attempt on record, and none of
those may have arrived.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from watcher.alerts import merging
from watcher.alerts.notification import Notification
from watcher.alerts.pace import Pace
from watcher.store import channels, outbox, schema
from watcher.store.outbox import Delivery
from watcher.store.upsert import chunks
from watcher.store.waiting import Waiting, queue_of

#: Groups that one claim merges at most: nobody else writes meanwhile.
MOST_MERGED = 200
#: What failed so often alone may be at fault itself: it takes no others down with it.
_OFTEN = 3

_SUPERSEDED = "later news came before the earlier could be delivered"
_OVERFLOW = "there were more than this receiver's rate_limit allows"


def is_wanted(queue: Sequence[Waiting], channel: channels.Channel | None, pace: Pace, now: datetime) -> bool:
    """Whether anything that waits for a receiver is to be merged."""
    if any(one.waits and one.was_never_sent for one in queue):
        return True
    if pace.rate is None:
        return False
    tokens = float(pace.rate.messages) if channel is None else pace.rate.tokens(channel.tokens, channel.tokens_at, now)
    return sum(one.is_due(now) for one in queue) > int(tokens)


def merge_pairs(
    tx: Connection, receiver: str, queue: list[Waiting], now: datetime
) -> tuple[list[Waiting], frozenset[str]]:
    """Merge what tells of the same alerts; returns the queue afterwards, and the ids of those left for next time."""
    about = _alerts_of(tx, queue)
    joined = _joined(_mergeable(queue, [one for one in queue if one.was_never_sent], about), about)
    if not joined:
        return queue, frozenset()
    _merge(tx, joined[:MOST_MERGED], now, _SUPERSEDED)
    left = frozenset(one.id for members in joined[MOST_MERGED:] for one in members)
    return queue_of(tx, receiver, now), left


def merge_overflow(
    tx: Connection, receiver: str, due: Sequence[Waiting], queue: list[Waiting], now: datetime
) -> list[Waiting]:
    """Merge all that is due; returns the queue afterwards."""
    wanted = [one for one in due if one.was_never_sent and one.attempts < _OFTEN]
    members = _mergeable(queue, wanted, _alerts_of(tx, queue))
    if len(members) < 2:
        return queue
    _merge(tx, [members], now, _OVERFLOW)
    return queue_of(tx, receiver, now)


def _alerts_of(tx: Connection, queue: Iterable[Waiting]) -> dict[int, frozenset[str]]:
    """Ids of the alerts that each tells of, or stands for, by sequence."""
    about: dict[int, set[str]] = {one.sequence: set() for one in queue}
    t = schema.told.c
    for some in chunks(sorted(about)):
        for sequence, alert_id in tx.execute(select(t.sequence, t.alert_id).where(t.sequence.in_(some))):
            about[sequence].add(alert_id)
    return {sequence: frozenset(ids) for sequence, ids in about.items()}


def _mergeable(
    queue: Sequence[Waiting], wanted: Sequence[Waiting], about: Mapping[int, frozenset[str]]
) -> list[Waiting]:
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


def _joined(members: Sequence[Waiting], about: Mapping[int, frozenset[str]]) -> list[list[Waiting]]:
    """Those that tell of the same alerts, directly or by way of others, two at least; groups and members in order."""
    group_of: dict[str, list[Waiting]] = {}  # by alert
    groups: dict[int, list[Waiting]] = {}  # by identity
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


def _merge(tx: Connection, groups: Sequence[Sequence[Waiting]], now: datetime, because: str) -> None:
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
