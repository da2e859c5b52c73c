"""Dispatch: decide who is told of what, and commit the decisions with the outbox rows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import Plan, Routing, plan, told_rows
from watcher.alerts.inhibition import LINGER
from watcher.clock import Clock
from watcher.store import alerts, outbox
from watcher.store.engine import Store


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
        told=alerts.told(tx, {alert.id for alert in open_alerts}),
        groups=outbox.groups(tx, since=now - max(route.group_interval for route in routing.root.walk())),
        silences=alerts.silences(tx, since=now),
        keeps=alerts.keeps(tx, since=now),
        ended=alerts.ended(tx, "", since=now - LINGER),
        now=now,
        immediate=immediate,
    )


def _is_settled(alert: Alert, decided: Plan) -> bool:
    """Whether nobody waits for word of it: an event that all have heard of, an ending that all who had to know know."""
    is_over = alert.is_event or alert.status is AlertStatus.RESOLVED
    return is_over and not any(held.receiver for held in decided.held.get(alert.id, ()))
