"""Who is told what, now: a chain of small decisions from open alerts to notifications. All of it is pure.

    lacking → stand in (gone for resolve) → hold back (silence, inhibition, keep, mute) → group and wait → notifications

Times come from what is stored: when an alert started, what a receiver was told, when its group was last notified. So a
restart says nothing twice, and a plan that was never stored is simply made again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.inhibition import DEFAULT_INHIBITIONS, Inhibitor, InhibitRule, lingers_until
from watcher.alerts.interval import MuteInterval, muted_until
from watcher.alerts.keep import COUNTDOWN_RULES, Keep, kept_by
from watcher.alerts.lifecycle import GONE_RULE
from watcher.alerts.notification import Notification, NotificationAlert, Told, notification_id, reason_of
from watcher.alerts.route import REPORT_ONLY_RULES, Route, group_labels, labels_of_key
from watcher.alerts.silence import Silence, silenced_by
from watcher.alerts.telling import FIRST_SIGHT_KEY, Telling, lacking, latest, receivers
from watcher.rules.finding import Subject

#: When each group of each receiver was last notified, by receiver and group key.
Groups = Mapping[tuple[str, str], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the configuration says of who is told."""

    root: Route
    inhibitions: tuple[InhibitRule, ...] = DEFAULT_INHIBITIONS
    mutes: Mapping[str, MuteInterval] = field(default_factory=dict)  #: by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a receiver is not told of an alert now."""

    receiver: str  #: "" where no receiver would be
    because: str
    until: datetime | None = None  #: when to look again; `None`: when something else changes

    def __str__(self) -> str:
        until = "" if self.until is None else f" until {self.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.because}{until}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to store and send now, and when to plan again if nothing else happens before."""

    notifications: tuple[Notification, ...] = ()
    next_at: datetime | None = None  #: later than now
    held: Mapping[str, tuple[Held, ...]] = field(default_factory=dict)  #: by alert id: what is not told now, and why


def plan(
    alerts: Sequence[Alert],
    *,
    routing: Routing,
    told: Iterable[Told] = (),
    groups: Groups | None = None,
    silences: Sequence[Silence] = (),
    keeps: Sequence[Keep] = (),
    ended: Sequence[Alert] = (),
    now: datetime,
    immediate: bool = False,
) -> Plan:
    """Decide what each receiver is told now. The same arguments give the same plan, ids included.

    Args:
        alerts: At least all open conditions, the ended ones that someone still takes for firing, and the events that
            someone was not told of; more do no harm.
        told: What was told, at least the newest row of each alert and receiver.
        groups: When each group was last notified; a group without an entry never was.
        ended: What ended lately, for what it still keeps quiet.
        immediate: Wait for neither `group_wait` nor `group_interval`, nor for what ended: all has just been looked at.
    """
    alerts = sorted(alerts, key=lambda alert: (alert.starts_at, alert.id))  # the order in which they came says nothing
    tellings = tuple(lacking(alerts, routing.root, latest(told), now))
    planned = _Planning(now=now, immediate=immediate, groups=groups or {}, routing=routing)
    _note_unrouted(alerts, planned)
    due = _stand_in(_due(tellings, planned))
    lingering = () if immediate else tuple(alert for alert in ended if lingers_until(alert, now))
    inhibitor = Inhibitor(routing.inhibitions, alerts, lingering)
    free = _hold_back(due, inhibitor, silences, keeps, planned)
    notifications = _flush(free, planned)
    held = {alert_id: tuple(reasons) for alert_id, reasons in sorted(planned.held.items())}
    return Plan(notifications=notifications, next_at=planned.next_at, held=held)


@dataclass(slots=True)
class _Planning:
    """What one plan rests on, and what its stages note down on the way."""

    now: datetime
    immediate: bool
    groups: Groups
    routing: Routing
    next_at: datetime | None = None
    held: dict[str, list[Held]] = field(default_factory=dict)

    def wake(self, at: datetime | None) -> None:
        if at is not None and at > self.now and (self.next_at is None or at < self.next_at):
            self.next_at = at

    def hold(self, alert: Alert, held: Held) -> None:
        self.held.setdefault(alert.id, []).append(held)
        self.wake(held.until)


def _due(tellings: Iterable[Telling], planned: _Planning) -> list[Telling]:
    """Without the reminders to come."""
    due = []
    for telling in tellings:
        if telling.at is None or telling.at <= planned.now:
            due.append(telling)
        else:
            planned.wake(telling.at)
    return due


def _note_unrouted(alerts: Iterable[Alert], planned: _Planning) -> None:
    for alert in alerts:
        if alert.status is AlertStatus.FIRING and not planned.routing.root.match(alert.labels):
            because = "report only" if alert.finding.rule in REPORT_ONLY_RULES else "no route takes it"
            planned.hold(alert, Held(receiver="", because=because))


def _stand_in(tellings: Sequence[Telling]) -> list[Telling]:
    """Let the news that a deployment is gone stand for the resolve of its countdowns, at each receiver that gets both.

    So the resolve goes with that news, however long it is held back, and never without it.
    """
    gone = {(t.subject, t.receiver): t for t in tellings if t.alert.finding.rule == GONE_RULE}
    covers: dict[tuple[Subject, str], list[Alert]] = {}
    rest = []
    for telling in tellings:
        place = (telling.subject, telling.receiver)
        if place in gone and telling.is_resolve and telling.alert.finding.rule in COUNTDOWN_RULES:
            covers.setdefault(place, []).append(telling.alert)
        else:
            rest.append(telling)
    return [
        replace(telling, covers=tuple(sorted(covers[place], key=_loudness)))
        if (place := (telling.subject, telling.receiver)) in covers and gone[place] is telling
        else telling
        for telling in rest
    ]


def _hold_back(
    tellings: Iterable[Telling],
    inhibitor: Inhibitor,
    silences: Sequence[Silence],
    keeps: Sequence[Keep],
    planned: _Planning,
) -> list[Telling]:
    """Those that may be told now. What is held back stays lacking, and so is told when its reason is gone."""
    free = []
    for telling in tellings:
        held = None
        if not telling.is_resolve:  # whoever was told that it fires is told that it is over
            held = _quieted(telling, inhibitor, silences, keeps, planned.now)
        held = held or _muted(telling, planned)
        if held is None:
            free.append(telling)
        else:
            planned.hold(telling.alert, held)
            for alert in telling.covers:
                planned.hold(alert, Held(receiver=telling.receiver, because=f"waiting for {GONE_RULE}"))
    return free


def _quieted(
    telling: Telling, inhibitor: Inhibitor, silences: Sequence[Silence], keeps: Sequence[Keep], now: datetime
) -> Held | None:
    alert, receiver = telling.alert, telling.receiver
    if found := silenced_by(alert, silences, now):
        return Held(receiver=receiver, because=f"silenced by {found[0].id}", until=found[0].ends_at)
    if (source := inhibitor.inhibited_by(alert)) is not None:
        because = f"inhibited by {source.finding.rule} ({source.id})"
        if source.ends_at is not None:
            because += ", which has ended, until it has been looked at again"
        return Held(receiver=receiver, because=because, until=lingers_until(source, now))
    if (keep := kept_by(alert, keeps, now)) is not None:
        return Held(receiver=receiver, because=f"kept by {keep.author}" if keep.author else "kept", until=keep.until)
    return None


def _muted(telling: Telling, planned: _Planning) -> Held | None:
    names = () if telling.route is None else telling.route.mute
    intervals = [planned.routing.mutes[name] for name in names if name in planned.routing.mutes]
    until = muted_until(intervals, planned.now, telling.loudest)
    if until is None:
        return None
    return Held(receiver=telling.receiver, because=f"muted by {', '.join(names)}", until=until)


def _flush(tellings: Iterable[Telling], planned: _Planning) -> tuple[Notification, ...]:
    """One notification for each group that is due; what waits in it for less goes along."""
    groups: dict[tuple[str, str], list[Telling]] = {}
    for telling in tellings:
        groups.setdefault((telling.receiver, telling.group_key), []).append(telling)
    notifications = []
    for members in groups.values():
        due_at = _due_at(members, planned)
        if due_at <= planned.now:
            notifications.append(_notification(members, planned.now))
            continue
        for telling in members:
            planned.hold(telling.alert, Held(receiver=telling.receiver, because="waiting for its group", until=due_at))
    return tuple(sorted(notifications, key=lambda n: (_loudness(n.alerts[0].alert), n.receiver, n.group_key)))


def _due_at(members: Sequence[Telling], planned: _Planning) -> datetime:
    """When the group is due: at once for a step, a raised severity, a reminder and what is urgent.

    Otherwise `group_wait` after the oldest news began, and `group_interval` after the group was last notified.
    """
    if planned.immediate or any(telling.at is not None for telling in members):
        return planned.now
    first = members[0]
    root = planned.routing.root
    route = root if first.group_key == FIRST_SIGHT_KEY else first.route or root
    last = planned.groups.get((first.receiver, first.group_key))
    resolves = [telling for telling in members if telling.is_resolve]
    waits = [telling.alert.starts_at + route.group_wait for telling in members if not telling.is_resolve]
    ready_at = planned.now if resolves else min(waits)
    return ready_at if last is None else max(ready_at, last + route.group_interval)


def _notification(members: Sequence[Telling], now: datetime) -> Notification:
    first = members[0]
    loudest_first = sorted(members, key=lambda telling: _loudness(telling.alert))
    alerts = tuple(NotificationAlert(alert=telling.alert, reason=telling.reason) for telling in loudest_first)
    return Notification(
        id=notification_id(first.receiver, alerts, now),
        receiver=first.receiver,
        route=first.route_path,
        group_key=first.group_key,
        group_labels=labels_of_key(first.group_key),
        reason=reason_of([alert.reason for alert in alerts]),
        alerts=alerts,
        covers=tuple(alert for telling in loudest_first for alert in telling.covers),
        created_at=now,
    )


def _loudness(alert: Alert) -> tuple[int, datetime, str]:
    return (-alert.severity.rank, alert.starts_at, alert.id)


def told_rows(notification: Notification) -> tuple[Told, ...]:
    """What the receiver knows after this notification: a row for each alert in it, and for each it stands for."""
    entries = [(entry.alert, notification.id) for entry in notification.alerts]
    entries += [(alert, "") for alert in notification.covers]
    return tuple(
        Told(
            alert_id=alert.id,
            receiver=notification.receiver,
            status=alert.status,
            severity=alert.severity,
            step=alert.finding.step,
            at=notification.created_at,
            notification_id=notification_id_,
            group_key=notification.group_key,
            route=notification.route,
        )
        for alert, notification_id_ in entries
    )


def explain_routes(labels: Mapping[str, str], routing: Routing) -> list[tuple[str, str, dict[str, str]]]:
    """For each receiver that an alert with these labels reaches: the route's path, the receiver, the group's labels."""
    return [(route.path, route.receiver, group_labels(route, labels)) for route in receivers(routing.root, labels)]
