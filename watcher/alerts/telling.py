"""What a receiver lacks: for each alert and receiver, whether anything is to be told, why, and how soon.

This is the first stage of dispatch, and rests on what was told before alone. Whether it may be told now, and in which
message, later stages decide.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.escalation import Escalation, escalated, escalations
from watcher.alerts.interval import muted_until
from watcher.alerts.notification import NotifyReason, Told
from watcher.alerts.route import Route, group_key
from watcher.alerts.routing import Routing, receivers
from watcher.alerts.step import is_nearer
from watcher.alerts.unheard import unheard_note, was_muted_away
from watcher.rules.finding import Severity, Subject

#: Events that wait for no group.
URGENT_RULES = frozenset({"deployment_gone"})

#: Conditions that remind at a time of their own, by a step, and by no interval before it.
_OWN_REMINDER_RULES = frozenset({"job_paused"})

#: The group of what is told late all at once: what held already when its account was first read, and what others knew
#: before the routes led here. One message a receiver.
FIRST_SIGHT_KEY = "first-sight"

#: No countdown is put off and comes near again so soon; but two processes may have clocks that differ.
_CLOCKS_APART = timedelta(minutes=30)

#: All that was told, by alert id, oldest first.
Histories = Mapping[str, Sequence[Told]]


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
    waits_from: datetime  #: from when on `group_wait` counts
    covers: tuple[Alert, ...] = ()  #: ended alerts whose resolve this telling stands for
    note: str = ""
    is_escalation: bool = False
    was_untold: bool = False  #: a resolve to a receiver that was muted for all of the alert's time
    is_newcomer: bool = (
        False  #: others know the alert, and could have been told with this receiver had it been routed so
    )

    @property
    def is_resolve(self) -> bool:
        return self.reason is NotifyReason.RESOLVED

    @property
    def subject(self) -> Subject:
        return self.alert.finding.subject


def histories(told: Iterable[Told]) -> dict[str, list[Told]]:
    """What was told of each alert. `told` is in the order of telling, which a clock that was put back does not show."""
    found: dict[str, list[Told]] = {}
    for row in told:
        found.setdefault(row.alert_id, []).append(row)
    return found


def need(alert: Alert, told: Told | None, route: Route, now: datetime) -> Need | None:
    """What a receiver that was told `told` lacks of an alert that fires, or that happened; `None`: nothing.

    A severity that fell is no news. A countdown reminds at its steps, and never by interval: at each once, and once
    more where it was put off and the step comes anew. What has a reminder of its own does not remind by interval
    either, nor does an acknowledged alert.
    """
    if told is None:
        return Need(reason=NotifyReason.FIRING, at=now if alert.finding.rule in URGENT_RULES else None)
    if alert.is_event or told.status is AlertStatus.RESOLVED:
        return None
    if alert.severity.rank > told.severity.rank:
        return Need(reason=NotifyReason.SEVERITY_RAISED, at=now)
    if is_nearer(alert.finding.step, than=told.step) or _comes_anew(alert, told):
        return Need(reason=NotifyReason.REMINDER, at=now)
    has_its_own = alert.finding.step or alert.finding.rule in _OWN_REMINDER_RULES
    if has_its_own or alert.acked_at is not None or not route.repeat_interval:
        return None
    return Need(reason=NotifyReason.REMINDER, at=told.at + route.repeat_interval)


def _comes_anew(alert: Alert, told: Told) -> bool:
    """Whether a countdown has come to its step since the receiver was told of it, or of a nearer one."""
    return bool(alert.finding.step and told.step) and alert.raised_at - told.at > _CLOCKS_APART


def lacking(
    alerts: Sequence[Alert],
    routing: Routing,
    taken: Mapping[str, Sequence[Route]],
    told: Histories,
    now: datetime,
) -> Iterator[Telling | datetime]:
    """Everything that some receiver lacks now, or will lack when nobody acknowledges; and when reminders are due.

    Args:
        taken: The routes that each alert takes, by id; of those that fire.
    """
    for alert in alerts:
        rows = told.get(alert.id, ())
        known = {row.receiver: row for row in rows}
        if alert.status is AlertStatus.RESOLVED:
            yield from _resolves(alert, known.values(), routing)
            yield from _unheard(alert, known, routing)
            continue
        routes = taken[alert.id]
        for route in routes:
            found = need(alert, known.get(route.receiver), route, now)
            if found is not None and found.at is not None and found.at > now:
                yield found.at
            elif found is not None:
                is_new = route.receiver not in known and _is_newcomer(alert, route, rows, routing, now)
                yield _firing(alert, found, known.get(route.receiver), route, is_newcomer=is_new)
        for escalation in escalations(alert, routes, rows):
            yield _escalating(alert, escalation)
        for receiver, route in escalated(alert, routes, rows).items():
            silent = replace(route, receiver=receiver, repeat_interval=timedelta())  # what is worse, and no reminders
            if (found := need(alert, known[receiver], silent, now)) is not None:
                yield _firing(alert, found, known[receiver], silent)


def _firing(alert: Alert, found: Need, told: Told | None, route: Route, *, is_newcomer: bool = False) -> Telling:
    comes_late = told is None and (alert.is_first_sight or is_newcomer)
    return Telling(
        alert=alert,
        receiver=route.receiver,
        reason=found.reason,
        at=found.at,
        route=route,
        route_path=route.path,
        group_key=FIRST_SIGHT_KEY if comes_late else group_key(route, alert.labels),
        loudest=alert.severity,
        waits_from=alert.updated_at if is_newcomer else alert.starts_at,  # tags change as their accounts are read
        is_newcomer=is_newcomer,
    )


def _is_newcomer(alert: Alert, route: Route, told: Sequence[Told], routing: Routing, now: datetime) -> bool:
    """Whether others know that it fires, and this receiver would too had routes, tags and owners been as they are.

    It would not have been told before the alert was loud enough for its route, nor while its route was muted, nor
    before its group was due.
    """
    if alert.is_event:
        return False
    for row in told:
        labels = {**alert.labels, "severity": row.severity.value}
        if any(one.receiver == route.receiver for one in receivers(routing, labels)):
            free_at = muted_until(routing.mutes_of(route), row.at, row.severity) or row.at
            return now > free_at + route.group_wait + route.group_interval
    return False


def _escalating(alert: Alert, escalation: Escalation) -> Telling:
    found = Need(reason=NotifyReason.FIRING, at=escalation.at)
    telling = _firing(alert, found, None, replace(escalation.route, receiver=escalation.receiver))
    return replace(telling, note=str(escalation), is_escalation=True)


def _resolves(alert: Alert, told: Iterable[Told], routing: Routing) -> Iterator[Telling]:
    """To exactly those who know it as firing, in the group in which they were told, wherever the routes now lead."""
    for row in sorted(told, key=lambda row: row.receiver):
        if row.status is AlertStatus.FIRING and not alert.is_event:
            yield Telling(
                alert=alert,
                receiver=row.receiver,
                reason=NotifyReason.RESOLVED,
                at=None,
                route=_route_of(row, alert, routing),
                route_path=row.route,
                group_key=row.group_key,
                loudest=max(alert.severity, row.severity, key=lambda severity: severity.rank),
                waits_from=alert.starts_at,
            )


def _unheard(alert: Alert, known: Collection[str], routing: Routing) -> Iterator[Telling]:
    """To those who would know it as firing, had they not been muted then."""
    if not routing.mutes or alert.is_event:
        return
    for route in receivers(routing, alert.labels):
        wait = routing.root.group_wait if alert.is_first_sight else route.group_wait
        mutes = routing.mutes_of(route)
        if route.receiver not in known and was_muted_away(alert, wait, mutes):
            need_ = Need(reason=NotifyReason.RESOLVED)
            telling = _firing(alert, need_, None, route)
            yield replace(telling, note=unheard_note(alert, mutes), was_untold=True)


def _route_of(row: Told, alert: Alert, routing: Routing) -> Route | None:
    """The route by which the receiver would be told today, else the one by which it was, if it still leads there."""
    for route in receivers(routing, alert.labels):
        if route.receiver == row.receiver:
            return route
    return routing.at(row.route, row.receiver)
