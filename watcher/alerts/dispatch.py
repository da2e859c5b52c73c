"""Who is told what, now: a chain of small decisions from open alerts to notifications. All of it is pure.

    lacking → stand in (gone for resolve) → hold back (silence, inhibition, keep, flapping, mute) → group and wait

Times come from what is stored: when an alert started, what a receiver was told, when its group was last notified. So a
restart says nothing twice, and a plan that was never stored is simply made again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.escalation import escalations
from watcher.alerts.flapping import Lives, flapping
from watcher.alerts.inhibition import Inhibitor, lingers_until
from watcher.alerts.interval import muted_until
from watcher.alerts.keep import COUNTDOWN_RULES, Keep, kept_by
from watcher.alerts.lifecycle import GONE_RULE
from watcher.alerts.notification import (
    Notification,
    NotificationAlert,
    NotifyReason,
    Told,
    notification_id,
    reason_of,
)
from watcher.alerts.route import REPORT_ONLY_RULES, Route, labels_of_key
from watcher.alerts.routing import Routing, explain_routes, failing_receiver, receivers
from watcher.alerts.silence import Silence, hushed
from watcher.alerts.telling import FIRST_SIGHT_KEY, Histories, Telling, histories, lacking
from watcher.alerts.unheard import AtTheEnd
from watcher.rules.finding import Subject

__all__ = ["Groups", "Held", "Plan", "Routing", "explain_routes", "plan", "told_rows"]

#: When each group of each receiver was last notified, by receiver and group key.
Groups = Mapping[tuple[str, str], datetime]

#: How `Held.because` begins where a mute holds back; the names of the route's mutes follow.
MUTED_BY = "muted by "

#: Said of a message to a receiver whom the routes, the tags or the owners now lead to. Which of them, nothing tells.
NEWCOMER_NOTE = "already firing; others were told before, and this receiver is new to it"


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
    #: By id of each alert of which somebody lacks nothing now, until when: `None`, until it changes or is told. As long
    #: as the routing is the same, it need not be planned for again before.
    at_rest: Mapping[str, datetime | None] = field(default_factory=dict)


def plan(
    alerts: Sequence[Alert],
    *,
    routing: Routing,
    told: Iterable[Told] = (),
    groups: Groups | None = None,
    silences: Sequence[Silence] = (),
    keeps: Sequence[Keep] = (),
    ended: Sequence[Alert] = (),
    lives: Lives | None = None,
    now: datetime,
    immediate: bool = False,
    bystanders: Sequence[Alert] = (),
) -> Plan:
    """Decide what each receiver is told now. The same arguments give the same plan, ids included.

    Args:
        alerts: At least all open conditions, the ended ones that someone still takes for firing, and the events that
            someone was not told of; more do no harm.
        told: All that was told of these alerts, in the order in which it was told.
        groups: When each group was last notified; a group without an entry never was.
        ended: What ended lately, for what it still keeps quiet; and what kept quiet those that ended in a mute.
        silences: Those in force, and those that were when what ended in a mute did.
        lives: When conditions that fire began before, so far as that was lately.
        immediate: Wait for neither `group_wait` nor `group_interval`, nor for what ended: all has just been looked at.
        bystanders: Open conditions of which nobody lacks anything, and which may keep others quiet. With them `alerts`
            need not hold those that are at rest.
    """
    alerts = sorted(alerts, key=lambda alert: (alert.starts_at, alert.id))  # the order in which they came says nothing
    known = histories(told)
    taken = {a.id: receivers(routing, a.labels) for a in alerts if a.status is AlertStatus.FIRING}
    planned = _Planning(now=now, immediate=immediate, groups=groups or {}, routing=routing, lives=lives or {})
    _note_unrouted((alert for alert in alerts if not taken.get(alert.id, True)), planned)
    due = _stand_in(_due(alerts, taken, known, planned))
    lingering = () if immediate else tuple(alert for alert in ended if lingers_until(alert, now))
    inhibitor = Inhibitor(routing.inhibitions, (*alerts, *bystanders), lingering)
    at_the_end = AtTheEnd(
        inhibitions=routing.inhibitions,
        sources=(*alerts, *bystanders, *ended),
        silences=silences,
        keeps=keeps,
        lives=lives or {},
    )
    due = [telling for telling in due if not (telling.was_untold and at_the_end.hid(telling.alert))]
    free = _hold_back(due, inhibitor, silences, keeps, planned)
    notifications = _flush(_told_once(free), planned)
    _await_acknowledgement(notifications, taken, known, planned)
    held = {alert_id: tuple(reasons) for alert_id, reasons in sorted(planned.held.items())}
    return Plan(notifications=notifications, next_at=planned.next_at, held=held, at_rest=planned.at_rest)


@dataclass(slots=True)
class _Planning:
    """What one plan rests on, and what its stages note down on the way."""

    now: datetime
    immediate: bool
    groups: Groups
    routing: Routing
    lives: Lives
    next_at: datetime | None = None
    held: dict[str, list[Held]] = field(default_factory=dict)
    at_rest: dict[str, datetime | None] = field(default_factory=dict)

    def wake(self, at: datetime | None) -> None:
        if at is not None and at > self.now and (self.next_at is None or at < self.next_at):
            self.next_at = at

    def hold(self, alert: Alert, held: Held) -> None:
        self.held.setdefault(alert.id, []).append(held)
        self.wake(held.until)


def _due(
    alerts: Sequence[Alert], taken: Mapping[str, Sequence[Route]], known: Histories, planned: _Planning
) -> list[Telling]:
    """What is lacking, without the reminders and the escalations to come."""
    due: list[Telling] = []
    for alert in alerts:
        later: list[datetime] = []
        before = len(due)
        for telling in lacking((alert,), planned.routing, taken, known, planned.now):
            if isinstance(telling, datetime):
                planned.wake(telling)
                later.append(telling)
            elif telling.at is not None and telling.at > planned.now:
                planned.hold(alert, _unless_acknowledged(telling.receiver, telling.at))
                later.append(telling.at)
            else:
                due.append(telling)
        if len(due) == before:
            planned.at_rest[alert.id] = min(later, default=None)
    return due


def _unless_acknowledged(receiver: str, at: datetime) -> Held:
    return Held(receiver=receiver, because="escalates if nobody acknowledges it", until=at)


def _note_unrouted(alerts: Iterable[Alert], planned: _Planning) -> None:
    for alert in alerts:
        because = "report only" if alert.finding.rule in REPORT_ONLY_RULES else "no route takes it"
        if failing := failing_receiver(alert.labels):
            because = f"no receiver is left but {failing}"
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
        if place in gone and telling.was_untold and telling.alert.finding.rule in COUNTDOWN_RULES:
            continue  # the news says it all to whoever never heard of the countdown
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
        if not telling.is_resolve or telling.was_untold:  # whoever was told that it fires is told that it is over
            held = _quieted(telling, inhibitor, silences, keeps, planned.now) or _damped(telling, planned)
        held = held or _muted(telling, planned)
        if held is None:
            free.append(_remarked(telling, silences, planned))
        else:
            planned.hold(telling.alert, held)
            for alert in telling.covers:
                planned.hold(alert, Held(receiver=telling.receiver, because=f"waiting for {GONE_RULE}"))
    return free


def _quieted(
    telling: Telling, inhibitor: Inhibitor, silences: Sequence[Silence], keeps: Sequence[Keep], now: datetime
) -> Held | None:
    alert, receiver = telling.alert, telling.receiver
    if (hush := hushed(alert, silences, now)).by is not None:
        return Held(receiver=receiver, because=f"silenced by {hush.by.id}", until=hush.until)
    if (source := inhibitor.inhibited_by(alert)) is not None:
        because = f"inhibited by {source.finding.rule} ({source.id})"
        if source.ends_at is not None:
            because += ", which has ended, until it has been looked at again"
        return Held(receiver=receiver, because=because, until=lingers_until(source, now))
    if (keep := kept_by(alert, keeps, now)) is not None:
        return Held(receiver=receiver, because=f"kept by {keep.author}" if keep.author else "kept", until=keep.until)
    return None


def _damped(telling: Telling, planned: _Planning) -> Held | None:
    """What comes and goes is told once it has stood for a while; what was told goes on as anything else."""
    if telling.reason is not NotifyReason.FIRING:
        return None
    found = flapping(telling.alert, planned.lives)
    if found is None or _is_over(found.stands_at, planned.now, found.stands_at - telling.alert.starts_at):
        return None
    return Held(receiver=telling.receiver, because=str(found), until=found.stands_at)


def _remarked(telling: Telling, silences: Sequence[Silence], planned: _Planning) -> Telling:
    """With all that is to be said of this telling."""
    if telling.is_resolve:
        return telling
    notes = [telling.note, hushed(telling.alert, silences, planned.now).note]
    if telling.reason is NotifyReason.FIRING and (found := flapping(telling.alert, planned.lives)) is not None:
        notes.append(str(found))
    note = "; ".join(note for note in notes if note)
    return telling if note == telling.note else replace(telling, note=note)


def _is_over(at: datetime, now: datetime, wait: timedelta) -> bool:
    """Whether a wait that ends at `at` is over. One that has more than all of itself before it never began: the clock
    was put back."""
    return at <= now or at - now > 2 * wait


def _muted(telling: Telling, planned: _Planning) -> Held | None:
    if telling.route is None:
        return None
    until = muted_until(planned.routing.mutes_of(telling.route), planned.now, telling.loudest)
    if until is None:
        return None
    return Held(receiver=telling.receiver, because=f"{MUTED_BY}{', '.join(telling.route.mute)}", until=until)


def _told_once(tellings: Sequence[Telling]) -> list[Telling]:
    """Whoever is told by escalation now is not told by its own route as well."""
    escalating = {(telling.alert.id, telling.receiver) for telling in tellings if telling.is_escalation}
    return [one for one in tellings if one.is_escalation or (one.alert.id, one.receiver) not in escalating]


def _flush(tellings: Iterable[Telling], planned: _Planning) -> tuple[Notification, ...]:
    """One notification for each group that is due; what waits in it for less goes along."""
    groups: dict[tuple[str, str], list[Telling]] = {}
    for telling in tellings:
        groups.setdefault((telling.receiver, telling.group_key), []).append(telling)
    notifications = []
    for members in groups.values():
        due_at = _due_at(members, planned)
        if due_at <= planned.now:
            notifications.append(_notification(members, planned))
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
    waits = [telling.waits_from + route.group_wait for telling in members if not telling.is_resolve]
    last = planned.groups.get((first.receiver, first.group_key))
    ready_at = planned.now
    if len(waits) == len(members) and not _is_over(min(waits), planned.now, route.group_wait):
        ready_at = min(waits)
    if last is not None and not _is_over(last + route.group_interval, planned.now, route.group_interval):
        ready_at = max(ready_at, last + route.group_interval)
    return ready_at


def _notification(members: Sequence[Telling], planned: _Planning) -> Notification:
    first, now = members[0], planned.now
    paths = {telling.route_path for telling in members}
    loudest_first = sorted(members, key=lambda telling: _loudness(telling.alert))
    all_new = all(telling.is_newcomer for telling in members)
    alerts = tuple(
        NotificationAlert(
            alert=telling.alert,
            reason=telling.reason,
            note=NEWCOMER_NOTE if telling.is_newcomer and not all_new and not telling.note else telling.note,
            was_untold=telling.was_untold,
        )
        for telling in loudest_first
    )
    return Notification(
        id=notification_id(first.receiver, alerts, now),
        receiver=first.receiver,
        route=first.route_path if len(paths) == 1 else planned.routing.root.path,
        group_key=first.group_key,
        group_labels=labels_of_key(first.group_key),
        reason=reason_of([alert.reason for alert in alerts]),
        alerts=alerts,
        covers=tuple(alert for telling in loudest_first for alert in telling.covers),
        created_at=now,
        notes=(NEWCOMER_NOTE,) if all_new else (),
    )


def _await_acknowledgement(
    notifications: Iterable[Notification],
    taken: Mapping[str, Sequence[Route]],
    known: Histories,
    planned: _Planning,
) -> None:
    """Note to whom what is told now escalates, so that an event stays on the list until then."""
    told: dict[str, list[Told]] = {}
    for notification in notifications:
        for row in told_rows(notification):
            told.setdefault(row.alert_id, []).append(row)
    alerts = {entry.alert.id: entry.alert for one in notifications for entry in one.alerts}
    for alert in alerts.values():
        if alert.status is AlertStatus.RESOLVED:
            continue
        rows = [*known.get(alert.id, ()), *told[alert.id]]
        waiting = {held.receiver for held in planned.held.get(alert.id, ())}
        for escalation in escalations(alert, taken[alert.id], rows):
            if escalation.receiver not in waiting:
                planned.hold(alert, _unless_acknowledged(escalation.receiver, escalation.at))


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
            # Not before it came to this, or a clock that was put back would let the same step be told as a new one.
            at=max(notification.created_at, alert.raised_at),
            notification_id=notification_id_,
            group_key=notification.group_key,
            route=notification.route,
        )
        for alert, notification_id_ in entries
    )
