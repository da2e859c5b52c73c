"""Dispatch: decide who is told of what, and commit the decisions with the outbox rows."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import Plan, plan, told_rows
from watcher.alerts.flapping import WITHIN, Lives, can_flap
from watcher.alerts.inhibition import LINGER
from watcher.alerts.notification import Notification, NotifyReason, Told
from watcher.alerts.routing import Routing
from watcher.clock import Clock
from watcher.cycles.recall import Quiet, Recall, look, mark
from watcher.cycles.reviewing import Reviewer
from watcher.store import alerts, claiming, heard, operators, outbox, tellings
from watcher.store.claiming import Paces
from watcher.store.engine import Store
from watcher.store.outbox import Delivery

log = structlog.get_logger()

#: What is told later than this after it fired was held back, and no more is said of how often it came.
_YOUNG = timedelta(days=1)

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What this process sends at once, if it is decided now: the lease on it is taken with the decision."""

    owner: str
    receivers: frozenset[str]  #: those to which it sends nothing else just now
    paces: Paces = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """What one run of dispatch came to."""

    plan: Plan
    claimed: tuple[Delivery, ...] = ()  #: leased for this process, and to be sent: see `Claims`
    reviewed: tuple[Alert, ...] = ()  #: changed by the review that had to come first

    @property
    def is_all_claimed(self) -> bool:
        return len(self.claimed) == len(self.plan.notifications)


async def dispatch(
    *,
    routing: Routing,
    store: Store,
    clock: Clock,
    wall_clock: Clock,
    immediate: bool = False,
    recall: Recall | None = None,
) -> Plan:
    """Decide who is told of what, and commit the decisions with the outbox rows, from stored state alone.

    Args:
        wall_clock: For the due times of deliveries, which are wall time even where `clock` is simulated.
        immediate: Wait for no `group_wait` and no `group_interval`.
        recall: What this process read last, if it keeps it: a run to which nothing is new then reads next to nothing.
            The plan of such a run does not say what is held back.
    """
    if recall is None:
        return await store.write(dispatch_now, routing, clock(), wall_clock(), immediate=immediate)
    done = await dispatch_and_claim(
        routing=routing, store=store, clock=clock, wall_clock=wall_clock, immediate=immediate, recall=recall
    )
    return done.plan


async def dispatch_and_claim(
    *,
    routing: Routing,
    store: Store,
    clock: Clock,
    wall_clock: Clock,
    recall: Recall,
    immediate: bool = False,
    claims: Claims | None = None,
    reviewer: Reviewer | None = None,
    has_news: bool = False,
) -> Dispatched:
    """`dispatch`, with what can be sent at once leased in the same commit.

    Args:
        reviewer: Looks first for one cause behind what is found, where that may be.
        has_news: Something was committed, so that it is no use to look first whether anything is new.
    """
    quiet, now = recall.quiet, clock()
    may_hold = quiet is not None and not (has_news or immediate) and quiet.holds(routing, now)
    if quiet is not None and may_hold and await store.read(mark, now) == quiet.mark:
        return Dispatched(plan=Plan(next_at=quiet.next_at))

    def run(tx: Connection) -> Dispatched:
        times = (clock(), wall_clock())  # by which the writer comes to it: a lease counts from when it is taken
        return _dispatch(tx, routing, *times, immediate=immediate, recall=recall, claims=claims, reviewer=reviewer)

    try:
        return await store.write(run)
    except BaseException:
        recall.forget()
        if reviewer is not None:
            reviewer.forget()
        raise


#: What happened longer ago, while there was nobody to tell, is not told to whom is configured then.
_OLD_NEWS = timedelta(days=1)


async def let_go(*, store: Store, clock: Clock) -> None:
    """In place of `dispatch` where there is no receiver: events do not pile up until there is one. Safe to repeat."""
    await store.write(alerts.settle_events, before=clock() - _OLD_NEWS)


def dispatch_now(
    tx: Connection,
    routing: Routing,
    now: datetime,
    wall_now: datetime,
    *,
    immediate: bool,
    recall: Recall | None = None,
) -> Plan:
    """`dispatch`, inside a transaction."""
    return _dispatch(tx, routing, now, wall_now, immediate=immediate, recall=recall or Recall()).plan


def _dispatch(
    tx: Connection,
    routing: Routing,
    now: datetime,
    wall_now: datetime,
    *,
    immediate: bool,
    recall: Recall,
    claims: Claims | None = None,
    reviewer: Reviewer | None = None,
) -> Dispatched:
    outbox.lock_dispatch(tx)
    found = look(tx, now)  # first: what is committed while this decides is news to the next run
    reviewed = () if reviewer is None else reviewer.review_first(tx, found, now, wall_now)
    if reviewed:
        found = look(tx, now)
    marked, known = mark(tx, now, found), recall.read(tx, found, routing, now)
    for silence in recall.newly_unread(marked.silences):
        log.warning("silence.unread", silence=silence.id, author=silence.author, because=silence.unread_because)
    decided = plan(
        known.awake,
        routing=routing,
        told=_with_lost(known.told, known.lost),
        groups=known.groups,
        silences=marked.silences,
        keeps=marked.keeps,
        ended=alerts.ended(tx, "", since=now - LINGER) if found.ended else (),
        lives=_lives(tx, known.awake, now),
        now=now,
        immediate=immediate,
        bystanders=known.bystanders,
    )
    # What was told before now, in whatever group, is none of these.
    are_new = all(known.groups.get((one.receiver, one.group_key), _NEVER) < now for one in decided.notifications)
    last_decided = found.last_decided if are_new else None
    added, claimed = _add(tx, decided.notifications, claims, wall_now, last_decided)
    settled = [alert.id for alert in known.awake if _is_settled(alert, decided)]
    alerts.settle(tx, settled)
    recall.note(at_rest=decided.at_rest, told=added, settled=settled)
    decided = replace(decided, next_at=min(filter(None, (decided.next_at, recall.next_at)), default=None))
    is_quiet = not (decided.notifications or settled or immediate)
    recall.quiet = Quiet(mark=marked, routing=routing, at=now, next_at=decided.next_at) if is_quiet else None
    return Dispatched(plan=decided, claimed=claimed, reviewed=reviewed)


def _add(
    tx: Connection,
    notifications: Sequence[Notification],
    claims: Claims | None,
    wall_now: datetime,
    last_decided: int | None,
) -> tuple[tuple[Delivery, ...], tuple[Delivery, ...]]:
    """Put them into the outbox; returns what is new there, and what of it this process is to send at once."""
    if not notifications:
        return (), ()
    planned = [(notification, told_rows(notification)) for notification in notifications]
    if claims is None:
        return outbox.add(tx, planned, now=wall_now, last_decided=last_decided), ()
    wanted = Counter(one.receiver for one in notifications if one.receiver in claims.receivers)
    leased = claiming.openings(tx, wanted, now=wall_now, paces=claims.paces)
    added = outbox.add(tx, planned, now=wall_now, owner=claims.owner, leased=leased, last_decided=last_decided)
    lanes: dict[str, list[Delivery]] = {}
    for one in added:
        if one.lease_until is not None:
            lanes.setdefault(one.notification.receiver, []).append(one)
    claimed = [each for receiver, lane in lanes.items() for each in _completed(tx, receiver, lane)]
    return added, tuple(claimed)


def _completed(tx: Connection, receiver: str, lane: Sequence[Delivery]) -> Sequence[Delivery]:
    if all(entry.reason is NotifyReason.FIRING for one in lane for entry in one.notification.alerts):
        return lane  # of this the receiver was never told before, so there is nothing to look up
    return heard.completed(tx, receiver, lane)


def _with_lost(told: Sequence[Told], lost: Collection[str]) -> Sequence[Told]:
    return [replace(row, is_lost=row.notification_id in lost) for row in told] if lost else told


def decide(
    tx: Connection,
    open_alerts: Sequence[Alert],
    routing: Routing,
    now: datetime,
    *,
    immediate: bool = False,
) -> Plan:
    """What dispatch would tell now of these alerts; changes nothing."""
    escalates = any(route.escalate_to for route in routing.root.walk())
    return plan(
        open_alerts,
        routing=routing,
        told=_with_lost(
            tellings.for_planning(tx, {alert.id for alert in open_alerts}), tellings.lost(tx) if escalates else ()
        ),
        groups=outbox.groups(tx, since=now - max(route.group_interval for route in routing.root.walk())),
        silences=operators.silences(tx, since=now),
        keeps=operators.keeps(tx, since=now),
        ended=alerts.ended(tx, "", since=now - LINGER),
        lives=_lives(tx, open_alerts, now),
        now=now,
        immediate=immediate,
    )


def _lives(tx: Connection, open_alerts: Sequence[Alert], now: datetime) -> Lives:
    """How often the conditions that fired lately, and may have ended untold, came and went before."""
    young = [alert for alert in open_alerts if can_flap(alert) and alert.starts_at > now - _YOUNG]
    if not young:
        return {}
    return alerts.recent_lives(tx, young, since=min(alert.starts_at for alert in young) - WITHIN)


def _is_settled(alert: Alert, decided: Plan) -> bool:
    """Whether nobody waits for word of it: an event that all have heard of, an ending that all who had to know know."""
    is_over = alert.is_event or alert.status is AlertStatus.RESOLVED
    return is_over and not any(held.receiver for held in decided.held.get(alert.id, ()))
