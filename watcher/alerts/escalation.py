"""Escalation: where nobody acknowledges an alert that a route told, others are told of it too.

What was told alone decides: from when its receiver was first told of the alert as loud as it is now. So a restart
escalates once, and what has only just become worse is not escalated for having been told long ago.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Told
from watcher.alerts.route import Route
from watcher.alerts.routing import failing_receiver
from watcher.rules.finding import Severity
from watcher.rules.text import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A receiver that is to be told, since another was told and nobody has acknowledged."""

    receiver: str
    route: Route  #: that escalates
    told_at: datetime  #: when the route's own receiver was told, or was to be told
    is_lost: bool = False  #: nothing of it arrived there
    at: datetime

    def __str__(self) -> str:
        receiver, told_at = self.route.receiver, moment(self.told_at)
        if self.is_lost:
            return f"escalated: {receiver} could not be told of this at {told_at}, and nobody has acknowledged it"
        return f"escalated: nobody has acknowledged this since {receiver} was told at {told_at}"


def escalations(alert: Alert, routes: Sequence[Route], told: Sequence[Told]) -> tuple[Escalation, ...]:
    """To whom an alert has yet to escalate by the routes that it takes, and when: the earliest for each receiver.

    That may be one whom another route reaches, and who was not told for its mute or its group.

    Args:
        told: All that was told of the alert, oldest first.
    """
    if alert.acked_at is not None:
        return ()
    knowing = {row.receiver for row in told}
    found: dict[str, Escalation] = {}
    for receiver, route in _ways(alert, routes):
        words = _words(route.receiver, alert.severity, told)
        if receiver in knowing or not words or route.escalate_after is None:
            continue
        at = words[0].at + route.escalate_after
        if receiver not in found or at < found[receiver].at:
            heard = next((row for row in words if not row.is_lost), words[0])
            found[receiver] = Escalation(receiver=receiver, route=route, told_at=heard.at, is_lost=heard.is_lost, at=at)
    return tuple(found.values())


def escalated(alert: Alert, routes: Sequence[Route], told: Sequence[Told]) -> Mapping[str, Route]:
    """Those who know the alert by escalation alone, each with the route that escalates: they follow it from then on."""
    knowing, reached = {row.receiver for row in told}, {route.receiver for route in routes}
    found: dict[str, Route] = {}
    for receiver, route in _ways(alert, routes):
        if receiver in knowing and receiver not in reached:
            found.setdefault(receiver, route)
    return found


def _ways(alert: Alert, routes: Sequence[Route]) -> Iterator[tuple[str, Route]]:
    """Whom the routes name for escalation."""
    for route in routes:
        for receiver in route.escalate_to:
            if receiver != failing_receiver(alert.labels):
                yield receiver, route


def _words(receiver: str, severity: Severity, told: Sequence[Told]) -> list[Told]:
    """What the receiver was told of it as loud as it is now, oldest first."""
    return [
        row
        for row in told
        if row.receiver == receiver and row.status is AlertStatus.FIRING and row.severity.rank >= severity.rank
    ]
