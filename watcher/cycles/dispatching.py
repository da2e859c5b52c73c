"""Dispatch: decide who is told of what, and commit the decisions with the outbox rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import Plan, plan, told_rows
from watcher.alerts.flapping import WITHIN, Lives, can_flap
from watcher.alerts.inhibition import LINGER
from watcher.alerts.notification import Told
from watcher.alerts.routing import Routing
from watcher.clock import Clock
from watcher.cycles.recall import Quiet, Recall, mark
from watcher.store import alerts, outbox
from watcher.store.engine import Store

#: What is told later than this after it fired was held back, and no more is said of how often it came.
_YOUNG = timedelta(days=1)


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
    quiet, now = recall.quiet, clock()
    still_holds = quiet is not None and not immediate and quiet.holds(routing, now)
    if quiet is not None and still_holds and await store.read(mark, now) == quiet.mark:
        return Plan(next_at=quiet.next_at)
    try:
        return await store.write(dispatch_now, routing, clock(), wall_clock(), immediate=immediate, recall=recall)
    except BaseException:
        recall.forget()
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
    outbox.lock_dispatch(tx)
    recall = recall or Recall()
    marked = mark(tx, now)  # first: what is committed while this decides is news to the next run
    open_alerts, told = recall.read(tx, now)
    decided = decide(tx, open_alerts, routing, now, immediate=immediate, told=told)
    outbox.add(tx, [(notification, told_rows(notification)) for notification in decided.notifications], now=wall_now)
    settled = [alert.id for alert in open_alerts if _is_settled(alert, decided)]
    alerts.settle(tx, settled)
    is_quiet = not (decided.notifications or settled or immediate)
    recall.quiet = Quiet(mark=marked, routing=routing, at=now, next_at=decided.next_at) if is_quiet else None
    return decided


def decide(
    tx: Connection,
    open_alerts: Sequence[Alert],
    routing: Routing,
    now: datetime,
    *,
    immediate: bool = False,
    told: Sequence[Told] | None = None,
) -> Plan:
    """What dispatch would tell now of these alerts; changes nothing.

    Args:
        told: Who was told of them, where it is at hand; see `alerts.told_rows`.
    """
    known = alerts.told_rows(tx, {alert.id for alert in open_alerts}) if told is None else told
    if any(route.escalate_to for route in routing.root.walk()) and (lost := alerts.lost(tx)):
        known = [replace(row, is_lost=True) if row.notification_id in lost else row for row in known]
    return plan(
        open_alerts,
        routing=routing,
        told=known,
        groups=outbox.groups(tx, since=now - max(route.group_interval for route in routing.root.walk())),
        silences=alerts.silences(tx, since=now),
        keeps=alerts.keeps(tx, since=now),
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
