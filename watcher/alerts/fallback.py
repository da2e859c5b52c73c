"""Fallback: who is told in place of a receiver that could not be, and of what.

A fallback is told once, and what it knows already it is not told again. It is in the told rows like any receiver, so
the resolve follows; and it never falls back itself.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from watcher.alerts.alert import AlertStatus
from watcher.alerts.dispatch import told_rows
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, Told, reason_of
from watcher.alerts.routing import Routing, failing_receiver
from watcher.alerts.step import is_nearer


def fallbacks(
    notification: Notification,
    *,
    paths: Mapping[str, str],
    routing: Routing,
    known: Iterable[Told],
    because: str,
    now: datetime,
) -> tuple[tuple[Notification, tuple[Told, ...]], ...]:
    """What the fallbacks are told of a notification that is dead, each with its told rows. The same again is the same.

    Args:
        paths: The route by which the receiver was to be told, by alert id.
        known: What each receiver was last told of these alerts.
        because: Why the receiver could not be told.
    """
    last = {(row.alert_id, row.receiver): row for row in known}
    lots: dict[str, list[tuple[NotificationAlert, str]]] = {}
    for entry in notification.alerts:
        path = paths.get(entry.alert.id, notification.route)
        route = routing.at(path, notification.receiver)
        if route is None or (notification.receiver in route.fallback and notification.receiver != route.receiver):
            continue
        for receiver in route.fallback:
            if receiver == notification.receiver:
                continue
            news = _news(entry, last.get((entry.alert.id, receiver)))
            if news is not None and receiver != failing_receiver(entry.alert.labels):
                lots.setdefault(receiver, []).append((news, path))
    return tuple(_instead(notification, receiver, lot, because, now) for receiver, lot in lots.items())


def _news(entry: NotificationAlert, told: Told | None) -> NotificationAlert | None:
    """The entry as it is told to a receiver that knows what `told` says; `None`: nothing of it is news there."""
    if entry.reason is NotifyReason.RESOLVED:
        # Whoever was told that it fires is told by dispatch that it is over.
        return entry if told is None and entry.was_untold else None
    if told is None:
        return replace(entry, reason=NotifyReason.FIRING)
    if told.status is AlertStatus.RESOLVED or entry.alert.is_event:
        return None
    if entry.alert.severity.rank > told.severity.rank:
        return replace(entry, reason=NotifyReason.SEVERITY_RAISED)
    if is_nearer(entry.alert.finding.step, than=told.step):
        return replace(entry, reason=NotifyReason.REMINDER)
    return None


def _instead(
    dead: Notification, receiver: str, lot: list[tuple[NotificationAlert, str]], because: str, now: datetime
) -> tuple[Notification, tuple[Told, ...]]:
    digest = hashlib.sha256("\x1f".join((dead.id, receiver)).encode()).hexdigest()[:24]
    entries = tuple(entry for entry, _ in lot)
    notification = replace(
        dead,
        id=f"ntf_{digest}",
        receiver=receiver,
        route=lot[0][1],
        reason=reason_of([entry.reason for entry in entries]),
        alerts=entries,
        covers=(),
        created_at=now,
        notes=(*dead.notes, f"{dead.receiver} could not be told: {because}"),
        earlier={},
    )
    paths = {entry.alert.id: path for entry, path in lot}
    return notification, tuple(replace(row, route=paths[row.alert_id]) for row in told_rows(notification))
