"""Dispatch: decide who is told of what, and commit the decisions with the outbox rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import Plan, plan, told_rows
from watcher.alerts.flapping import WITHIN, Lives, can_flap
from watcher.alerts.inhibition import LINGER
from watcher.alerts.routing import Routing
from watcher.clock import Clock
from watcher.store import alerts, outbox
from watcher.store.engine import Store

#: What is told later than this after it fired was held back, and no more is said of how often it came.
_YOUNG = timedelta(days=1)


async def dispatch(*, routing: Routing, store: Store, clock: Clock, wall_clock: Clock, immediate: bool = False) -> Plan:
    """Decide who is told of what, and commit the decisions with the outbox rows, from stored state alone.

    Args:
        wall_clock: For the due times of deliveries, which are wall time even where `clock` is simulated.
        immediate: Wait for no `group_wait` and no `group_interval`.
    """
    return await store.write(dispatch_now, routing, clock(), wall_clock(), immediate=immediate)


def dispatch_now(tx: Connection, routing: Routing, now: datetime, wall_now: datetime, *, immediate: bool) -> Plan:
    """`dispatch`, inside a transaction."""
    outbox.lock_dispatch(tx)
    open_alerts = alerts.unsettled(tx)
    decided = decide(tx, open_alerts, routing, now, immediate=immediate)
    outbox.add(tx, [(notification, told_rows(notification)) for notification in decided.notifications], now=wall_now)
    alerts.settle(tx, [alert.id for alert in open_alerts if _is_settled(alert, decided)])
    return decided


def decide(
    tx: Connection, open_alerts: Sequence[Alert], routing: Routing, now: datetime, *, immediate: bool = False
) -> Plan:
    """What dispatch would tell now of these alerts; changes nothing."""
    return plan(
        open_alerts,
        routing=routing,
        told=alerts.told_rows(tx, {alert.id for alert in open_alerts}),
        groups=outbox.groups(tx, since=now - max(route.group_interval for route in routing.root.walk())),
        silences=alerts.silences(tx, since=now),
        keeps=alerts.keeps(tx, since=now),
        ended=alerts.ended(tx, "", since=now - LINGER),
        lives=_lives(tx, open_alerts, now),
        now=now,
        immediate=immediate,
    )


def _lives(tx: Connection, open_alerts: Sequence[Alert], now: datetime) -> Lives:
    """How often the conditions that fired lately came and went before."""
    young = [
        alert
        for alert in open_alerts
        if alert.status is AlertStatus.FIRING and can_flap(alert) and alert.starts_at > now - _YOUNG
    ]
    if not young:
        return {}
    return alerts.recent_lives(tx, young, since=min(alert.starts_at for alert in young) - WITHIN)


def _is_settled(alert: Alert, decided: Plan) -> bool:
    """Whether nobody waits for word of it: an event that all have heard of, an ending that all who had to know know."""
    is_over = alert.is_event or alert.status is AlertStatus.RESOLVED
    return is_over and not any(held.receiver for held in decided.held.get(alert.id, ()))
