"""What a receiver lacks: for each alert and receiver, whether anything is to be told, why, and how soon.

This is the first stage of dispatch, and rests on what was told before alone. Whether it may be told now, and in which
message, later stages decide.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import NotifyReason, Told
from watcher.alerts.route import Route, group_key
from watcher.alerts.step import is_nearer
from watcher.rules.finding import Severity, Subject

#: Events that wait for no group.
URGENT_RULES = frozenset({"deployment_gone"})

#: The group of what held already when its account was first read: one message a receiver.
FIRST_SIGHT_KEY = "first-sight"

#: No countdown is put off and comes near again so soon; but two processes may have clocks that differ.
_CLOCKS_APART = timedelta(minutes=30)

Latest = Mapping[tuple[str, str], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Why a receiver is to be told of an alert, and from when on; `None`: when its group is due."""

    reason: NotifyReason
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One alert that one receiver is to be told of."""

    alert: Alert
    receiver: str
    reason: NotifyReason
    at: datetime | None  #: from when on; `None`: when its group is due
    route: Route | None  #: whose times and mutes hold; `None`: it is gone from the configuration
    route_path: str
    group_key: str
    loudest: Severity  #: the alert's severity, or the one the receiver knows where that is higher
    covers: tuple[Alert, ...] = ()  #: ended alerts whose resolve this telling stands for

    @property
    def is_resolve(self) -> bool:
        return self.reason is NotifyReason.RESOLVED

    @property
    def subject(self) -> Subject:
        return self.alert.finding.subject


def latest(told: Iterable[Told]) -> dict[tuple[str, str], Told]:
    """What each receiver knows of each alert, by alert id and receiver."""
    newest: dict[tuple[str, str], Told] = {}
    for row in told:
        known = newest.get((row.alert_id, row.receiver))
        if known is None or _age(row) > _age(known):
            newest[row.alert_id, row.receiver] = row
    return newest


def _age(row: Told) -> tuple[datetime, bool]:
    return (row.at, row.status is AlertStatus.RESOLVED)  # told and resolved in one instant: resolved came last


def need(alert: Alert, told: Told | None, route: Route, now: datetime) -> Need | None:
    """What a receiver that was told `told` lacks of an alert that fires, or that happened; `None`: nothing.

    A severity that fell is no news. A countdown reminds at its steps, and never by interval: at each once, and once
    more where it was put off and the step comes anew. An acknowledged alert does not remind by interval either.
    """
    if told is None:
        return Need(reason=NotifyReason.FIRING, at=now if alert.finding.rule in URGENT_RULES else None)
    if alert.is_event or told.status is AlertStatus.RESOLVED:
        return None
    if alert.severity.rank > told.severity.rank:
        return Need(reason=NotifyReason.SEVERITY_RAISED, at=now)
    if is_nearer(alert.finding.step, than=told.step) or _comes_anew(alert, told):
        return Need(reason=NotifyReason.REMINDER, at=now)
    if alert.finding.step or alert.acked_at is not None or not route.repeat_interval:
        return None
    return Need(reason=NotifyReason.REMINDER, at=told.at + route.repeat_interval)


def _comes_anew(alert: Alert, told: Told) -> bool:
    """Whether a countdown has come to its step since the receiver was told of it, or of a nearer one."""
    return bool(alert.finding.step and told.step) and alert.raised_at - told.at > _CLOCKS_APART


def lacking(alerts: Sequence[Alert], root: Route, known: Latest, now: datetime) -> Iterator[Telling]:
    """Everything that some receiver lacks now, or will lack when a reminder is due."""
    told_of: dict[str, list[Told]] = {}
    for told in known.values():
        told_of.setdefault(told.alert_id, []).append(told)
    for alert in alerts:
        if alert.status is AlertStatus.RESOLVED:
            yield from _resolves(alert, told_of.get(alert.id, ()), root)
            continue
        for route in receivers(root, alert.labels):
            row = known.get((alert.id, route.receiver))
            if (found := need(alert, row, route, now)) is not None:
                yield _firing(alert, found, row, route, root)


def receivers(root: Route, labels: Mapping[str, str]) -> Iterator[Route]:
    """The routes taken, one for each receiver: of two that lead to the same one the first counts."""
    seen = set()
    for route in root.match(labels):
        if route.receiver not in seen:
            seen.add(route.receiver)
            yield route


def _firing(alert: Alert, found: Need, told: Told | None, route: Route, root: Route) -> Telling:
    is_first_sight = alert.is_first_sight and told is None
    return Telling(
        alert=alert,
        receiver=route.receiver,
        reason=found.reason,
        at=found.at,
        route=route,
        route_path=root.path if is_first_sight else route.path,
        group_key=FIRST_SIGHT_KEY if is_first_sight else group_key(route, alert.labels),
        loudest=alert.severity,
    )


def _resolves(alert: Alert, told: Iterable[Told], root: Route) -> Iterator[Telling]:
    """To exactly those who know it as firing, in the group in which they were told, wherever the routes now lead."""
    for row in sorted(told, key=lambda row: row.receiver):
        if row.status is AlertStatus.FIRING and not alert.is_event:
            yield Telling(
                alert=alert,
                receiver=row.receiver,
                reason=NotifyReason.RESOLVED,
                at=None,
                route=_route_of(row, alert, root),
                route_path=row.route,
                group_key=row.group_key,
                loudest=max(alert.severity, row.severity, key=lambda severity: severity.rank),
            )


def _route_of(row: Told, alert: Alert, root: Route) -> Route | None:
    """The route by which the receiver would be told today, else the one by which it was, if it still leads there."""
    for route in receivers(root, alert.labels):
        if route.receiver == row.receiver:
            return route
    former = root.at(row.route)
    return former if former is not None and former.receiver == row.receiver else None
