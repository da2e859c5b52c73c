"""What the receivers' ledger, the database and the story say of each other, once all is at rest. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.crash.sink import Receipt
from watcher.alerts.alert import Alert, AlertStatus
from watcher.rules.finding import Severity
from watcher.store.outbox import Delivery

#: Who is told of everything, and who of what is critical alone.
EVERYTHING, CRITICAL = "hook", "pager"

_RANKS = {severity.value: severity.rank for severity in Severity}


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What the database holds: all alerts that are not for reports alone, and the whole outbox."""

    alerts: Sequence[Alert]
    deliveries: Sequence[Delivery]


@dataclass(kw_only=True)
class Verdict:
    messages: int = 0  #: taken, each once
    repeats: int = 0  #: that came again, under their id
    merged: int = 0  #: that went out as parts of others
    untold: int = 0  #: conditions that ended before anybody was told
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)  #: told again under another id
    wrong: list[str] = field(default_factory=list)  #: anything else: order, contents, state

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.repeated, *self.wrong]


@dataclass(frozen=True)
class _Told:
    """One alert in one message."""

    message: str
    alert: str
    status: str
    severity: str
    reason: str
    was_untold: bool = False
    is_covered: bool = False  #: another's news stand for it


def judge(receipts: Sequence[Receipt], stored: Stored, happened: Iterable[tuple[str, str]]) -> Verdict:
    """Hold the ledger, in the order in which it was written, against the database, and both against what happened.

    Args:
        happened: What has to be told, whatever the database says: a rule, and the job or deployment that it is about.
    """
    verdict = Verdict()
    taken: dict[str, Receipt] = {}
    first: dict[str, Receipt] = {}
    for receipt in receipts:
        earlier = first.setdefault(receipt.id, receipt)
        if _content(earlier) != _content(receipt):
            verdict.wrong.append(f"{receipt.id} came again with another body")
        if receipt.is_taken:
            taken.setdefault(receipt.id, receipt)
    verdict.messages, verdict.repeats = len(taken), len(receipts) - len(first)
    _check_outbox(first, taken, stored, verdict)
    _check_order(receipts, stored, verdict)
    stories: dict[tuple[str, str], list[_Told]] = {}
    for receipt in taken.values():
        for told in _told(receipt):
            stories.setdefault((receipt.receiver, told.alert), []).append(told)
    alerts = {alert.id: alert for alert in stored.alerts}
    merged = {
        (one.notification.receiver, entry.alert.id)
        for one in stored.deliveries
        if one.state == "merged"
        for entry in one.notification.alerts
    }
    for (receiver, alert), story in stories.items():
        if alert not in alerts:
            verdict.wrong.append(f"{receiver} was told of {alert}, which the database does not know")
        else:
            who, was_merged = f"{receiver}: {_name(alerts[alert])}", (receiver, alert) in merged
            _check_story(who, story, alerts[alert], verdict, was_merged=was_merged)
    for alert in stored.alerts:
        for receiver in (EVERYTHING, CRITICAL):
            _check_complete(receiver, alert, stories.get((receiver, alert.id), []), verdict)
    _check_events(stories, alerts, verdict)
    _check_happened(taken.values(), happened, verdict)
    return verdict


def _content(receipt: Receipt) -> dict[str, Any]:
    return {name: value for name, value in receipt.json.items() if name != "sent_at"}


def _name(alert: Alert) -> str:
    labels = alert.labels
    return f"{alert.finding.rule} of {labels.get('job') or labels.get('deployment') or alert.account} ({alert.id})"


def _told(receipt: Receipt) -> Iterator[_Told]:
    for one in receipt.json["alerts"]:
        yield _Told(receipt.id, one["id"], one["status"], one["severity"], one["reason"], one["was_untold"])
    for one in receipt.json["covers"]:
        yield _Told(receipt.id, one["id"], one["status"], "", "", is_covered=True)


def _check_outbox(first: dict[str, Receipt], taken: dict[str, Receipt], stored: Stored, verdict: Verdict) -> None:
    """Delivered is what was taken; and what is merged was not."""
    states = {one.notification.id: one.state for one in stored.deliveries}
    for id_, state in states.items():
        if state == "merged":
            verdict.merged += 1
            if id_ in taken:
                verdict.repeated.append(f"{id_} was taken, and then merged into another")
        elif state != "delivered":
            verdict.lost.append(f"{id_} is {state} at the end")
        elif id_ not in taken:
            verdict.lost.append(f"{id_} is delivered, and never came")
    verdict.wrong += [f"{id_} came, and is not on record" for id_ in first if id_ not in states]


def _check_order(receipts: Sequence[Receipt], stored: Stored, verdict: Verdict) -> None:
    """No message about an alert comes, or comes again, after a later one about it."""
    places = {one.notification.id: one.sequence for one in stored.deliveries}
    latest: dict[tuple[str, str], int] = {}
    for receipt in receipts:
        place = places.get(receipt.id, 0)
        for told in _told(receipt):
            key = receipt.receiver, told.alert
            if place < latest.get(key, 0):
                verdict.wrong.append(f"{receipt.id} about {told.alert} came after a later one")
            latest[key] = max(latest.get(key, 0), place)


def _check_story(who: str, story: Sequence[_Told], alert: Alert, verdict: Verdict, *, was_merged: bool) -> None:
    """It begins by firing, becomes only worse, and ends once. A fire may have become one with the end, or with the news
    that stand for the end."""
    start, *rest = story
    is_pair = start.status == "resolved" and (start.was_untold or (start.is_covered and was_merged))
    if start.status != "firing" and not is_pair:
        verdict.wrong.append(f"{who}: resolved without its fire ({start.message})")
    elif start.reason != "firing" and not is_pair:
        verdict.wrong.append(f"{who}: first told as {start.reason} ({start.message})")
    if alert.is_event and rest:
        verdict.repeated.append(f"{who}: an event told {len(story)} times ({', '.join(one.message for one in story)})")
        return
    worst, is_over = _RANKS[start.severity] if start.severity else 0, start.status == "resolved"
    for told in rest:
        if is_over and not told.is_covered:
            verdict.repeated.append(f"{who}: told as {told.status} after its end ({told.message})")
        elif is_over or told.was_untold:
            verdict.repeated.append(f"{who}: its end is told as if nobody had heard of it, or twice ({told.message})")
        elif told.status == "firing" and _RANKS[told.severity] <= worst:
            verdict.repeated.append(f"{who}: told as {told.severity} again ({told.message})")
        if told.severity:
            worst = max(worst, _RANKS[told.severity])
        is_over = is_over or told.status == "resolved"


def _check_complete(receiver: str, alert: Alert, story: Sequence[_Told], verdict: Verdict) -> None:
    """What fires is known to fire, as badly as it does; what is over is over for whoever knew of it."""
    who = f"{receiver}: {_name(alert)}"
    is_wanted = receiver == EVERYTHING or alert.severity is Severity.CRITICAL
    if not story:
        if alert.status is AlertStatus.RESOLVED:
            verdict.untold += receiver == EVERYTHING
        elif is_wanted:
            verdict.lost.append(f"{who} was never told")
        return
    if alert.is_event:
        return
    if alert.status is AlertStatus.RESOLVED and story[-1].status != "resolved":
        verdict.lost.append(f"{who}: its end was never told")
    elif alert.status is AlertStatus.FIRING and story[-1].status != "firing":
        verdict.wrong.append(f"{who}: told as over, and fires")
    elif alert.status is AlertStatus.FIRING and story[-1].severity != alert.severity.value:
        verdict.lost.append(f"{who}: told as {story[-1].severity}, and is {alert.severity.value}")


def _check_events(stories: dict[tuple[str, str], list[_Told]], alerts: dict[str, Alert], verdict: Verdict) -> None:
    """One event is one alert."""
    seen: dict[tuple[str, str], str] = {}
    for receiver, id_ in stories:
        alert = alerts.get(id_)
        if alert is not None and alert.is_event:
            other = seen.setdefault((receiver, alert.fingerprint), id_)
            if other != id_:
                verdict.repeated.append(f"{receiver}: {_name(alert)} was told before as {other}")


def _check_happened(taken: Iterable[Receipt], happened: Iterable[tuple[str, str]], verdict: Verdict) -> None:
    told = {
        (one["rule"], one["labels"].get("job") or one["labels"].get("deployment", ""))
        for receipt in taken
        if receipt.receiver == EVERYTHING
        for one in receipt.json["alerts"]
    }
    missing = (one for one in happened if one not in told)
    verdict.lost += [f"{rule} of {name} happened, and was never told" for rule, name in missing]
