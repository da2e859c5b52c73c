"""What the receivers were told, held against what the alerts said."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta

from watcher.alerts.alert import Alert
from watcher.alerts.notification import Notification
from watcher.alerts.route import REPORT_ONLY_RULES
from watcher.alerts.step import is_nearer

from .record import Record, Step, Violation, is_resolved
from .sight import FLEET_RULES, RULES, planes_of

#: The receiver that is told at any time, and the one that is not told at night.
ALWAYS, BY_DAY = "all", "day"
_UNREAD = ("account_unreachable", "account_throttled")
_NIGHT = (time(22), time(7))
#: How long one cause behind many may go on being told in place of others once it is over.
_LINGER = timedelta(minutes=15)


def check(record: Record) -> Iterator[Violation]:
    yield from one_life(record)
    yield from told_once(record)
    yield from told_at_all(record)
    yield from first_sights(record)
    yield from deliveries(record)


def one_life(record: Record) -> Iterator[Violation]:
    """Each alert ends once, and no two of one fingerprint are open at once."""
    ended: set[str] = set()
    for step in record.steps:
        for alert in step.alerts:
            if alert.id in ended:
                yield record.violation(step.at, f"{alert.finding.rule} ({alert.id}) goes on after its end")
            if is_resolved(alert):
                ended.add(alert.id)
        for print_, count in Counter(alert.fingerprint for alert in step.firing).items():
            if count > 1:
                yield record.violation(step.at, f"{count} alerts of one fingerprint {print_} are open")


def told_once(record: Record) -> Iterator[Violation]:
    """Nobody is told the same twice, and nobody is told of the end of what he was not told of."""
    told: set[tuple[str, ...]] = set()
    firing: dict[tuple[str, str], bool] = {}
    stands: dict[str, str] = {}
    for step in record.steps:
        for alert in step.alerts:
            if is_nearer(stands.get(alert.id, ""), than=alert.finding.step):  # it was put off, and begins anew
                told = {key for key in told if key[1] != alert.id}
            stands[alert.id] = alert.finding.step
        for notification in step.notifications:
            untold = {
                entry.alert.id for entry in notification.alerts if entry.was_untold
            }  # over before it could be told
            for alert, what in _entries(notification):
                key = (notification.receiver, alert.id, alert.status, alert.severity, alert.finding.step)
                if key in told:
                    yield record.violation(step.at, f"{notification.receiver} is told {what} again")
                told.add(key)
                place = (notification.receiver, alert.id)
                if is_resolved(alert) and not firing.get(place) and alert.id not in untold:
                    yield record.violation(step.at, f"{notification.receiver} is told {what}, and did not know of it")
                firing[place] = not is_resolved(alert)


def _entries(notification: Notification) -> Iterator[tuple[Alert, str]]:
    for alert in (*(entry.alert for entry in notification.alerts), *notification.covers):
        finding = alert.finding
        yield alert, f"{finding.rule} {alert.status} {alert.severity} {finding.step} of {finding.subject.id}"


def told_at_all(record: Record) -> Iterator[Violation]:
    """Whoever may be told now knows of all that fires and of all that ended."""
    known: dict[tuple[str, str], Alert] = {}
    waiting: dict[str, Alert] = {}
    events: dict[tuple[str, str], Alert] = {}
    steps_of: dict[str, str] = {}
    over: list[Alert] = []  # what spanned accounts
    for step in record.steps:
        over += [one for one in step.alerts if one.finding.rule in FLEET_RULES and is_resolved(one)]
        fresh: dict[tuple[str, str], Alert] = {}
        for notification in step.notifications:
            for alert, _ in _entries(notification):
                fresh[notification.receiver, alert.id] = alert
        known |= fresh
        for alert in step.alerts:
            if alert.finding.rule in REPORT_ONLY_RULES:
                continue
            if alert.is_event:
                events |= {(receiver, alert.id): alert for receiver in (ALWAYS, BY_DAY)}
            elif is_resolved(alert):
                waiting[alert.id] = alert
            elif is_nearer(alert.finding.step, than=steps_of.get(alert.id, "")) and (ALWAYS, alert.id) not in fresh:
                yield record.violation(step.at, f"nobody is told of {_named(alert)}")
            steps_of[alert.id] = alert.finding.step
        events = {place: alert for place, alert in events.items() if place not in known}
        for receiver in (ALWAYS, BY_DAY) if not _is_night(step.at) else (ALWAYS,):
            yield from _lacking(record, step, receiver, known, waiting, events, over)


def _lacking(
    record: Record,
    step: Step,
    receiver: str,
    known: dict[tuple[str, str], Alert],
    waiting: dict[str, Alert],
    events: dict[tuple[str, str], Alert],
    over: Sequence[Alert],
) -> Iterator[Violation]:
    for place, alert in events.items():
        if place[0] == receiver:
            yield record.violation(step.at, f"{receiver} is not told of {_named(alert)}")
    for alert in waiting.values():
        told = known.get((receiver, alert.id))
        if told is not None and not is_resolved(told):
            yield record.violation(step.at, f"{receiver} is not told that it is over: {_named(alert)}")
    for alert in step.firing:
        if alert.finding.rule in REPORT_ONLY_RULES or _is_inhibited(step, alert, over):
            continue
        if alert.labels.get("receiver") == receiver:
            continue  # it is the one that takes no messages
        told = known.get((receiver, alert.id))
        lacks_step = told is not None and is_nearer(alert.finding.step, than=told.finding.step)
        if told is None or told.severity.rank < alert.severity.rank or lacks_step:
            yield record.violation(step.at, f"{receiver} does not know of {_named(alert)}")


def _named(alert: Alert) -> str:
    return f"{alert.finding.rule} {alert.status} {alert.severity} {alert.finding.step}: {alert.finding.summary}"


def _is_inhibited(step: Step, alert: Alert, over: Sequence[Alert]) -> bool:
    """Whether one cause behind many may be told in its place, or is just over and this not looked at since."""
    plane = alert.labels.get("plane")
    if alert.finding.rule == "metrics_stale":  # whoever knows that they cannot be read knows enough
        for one in step.firing:
            if one.account == alert.account and one.labels.get("plane") == plane and one.finding.rule in _UNREAD:
                return True
    if (
        alert.labels.get("cause") == "credential" and plane != "arm"
    ):  # the control plane's refusal says it of all planes
        for one in step.firing:
            same_cause = one.account == alert.account and one.labels.get("cause") == "credential"
            if same_cause and one.labels.get("plane") == "arm":
                return True
    fleet = [one for one in step.firing if one.finding.rule in FLEET_RULES]
    fleet += [one for one in over if one.ends_at and alert.starts_at <= one.ends_at and step.at < one.ends_at + _LINGER]
    is_credential = alert.labels.get("cause") == "credential"
    return alert.finding.rule in RULES and any(
        plane in planes_of(one) or not planes_of(one) or (is_credential and one.finding.rule == "credential_failing")
        for one in fleet
    )


def _is_night(at: datetime) -> bool:
    return at.time() >= _NIGHT[0] or at.time() < _NIGHT[1]


def first_sights(record: Record) -> Iterator[Violation]:
    """What holds at first sight is told in one message a receiver, and what happened before it is not told at all."""
    for step in record.steps:
        counts: Counter[str] = Counter()
        for notification in step.notifications:
            if any(entry.alert.is_first_sight and entry.reason == "firing" for entry in notification.alerts):
                counts[notification.receiver] += 1
        for receiver, count in counts.items():
            if count > 1:
                yield record.violation(step.at, f"{receiver} is told of first sights in {count} messages")
        for alert in step.alerts:
            if alert.is_event and alert.is_first_sight:
                yield record.violation(step.at, f"an event at first sight: {_named(alert)}")


def deliveries(record: Record) -> Iterator[Violation]:
    """What was decided arrives, once: by itself or as a part of what it was merged into."""
    arrived = Counter(notification.id for step in record.steps for notification in step.sent)
    patience, tries = timedelta(hours=6), 4  # a receiver may have been busy
    for number, step in enumerate(record.steps):
        has_had_time = record.steps[-1].at - step.at > patience and len(record.steps) - number >= tries
        for notification in step.notifications:
            id_ = notification.id
            while id_ in record.merged:
                id_ = record.merged[id_]
            count = arrived[id_]
            if count > 1 or (count == 0 and has_had_time):
                yield record.violation(step.at, f"{notification.id} to {notification.receiver} arrived {count} times")
