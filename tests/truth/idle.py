"""Countdowns to deletions, held against when the deletions really come."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.resources.changes import Change
from watcher.simulator.ledger import LifeTruth

from .record import (
    Record,
    Step,
    Violation,
    is_blurred,
    is_open,
    is_resolved,
    life_of,
    provisioning,
    stands,
    when,
)

RULE, EXPIRY_RULE = "deployment_idle", "deployment_expiring"
LIFETIME, DEVELOPER_LIFETIME = timedelta(days=15), timedelta(hours=24)

#: Calls are known by the hour: a call may be an hour younger than the earliest deletion supposes.
_BUCKET = timedelta(hours=1)
#: Metrics that were read longer ago decide nothing.
_STALE_AFTER = timedelta(hours=3)
_STEPS = tuple(timedelta(hours=hours) for hours in (6, 24, 72, 168))
_EXPIRY_STEPS = tuple(timedelta(hours=hours) for hours in (1, 4))
_DEVELOPER = frozenset({"developer", "developertier"})
_NAMES = {168: "7d", 72: "3d", 24: "1d", 6: "6h", 4: "4h", 1: "1h"}
_ORDER = ("7d", "3d", "1d", "6h", "overdue")
_EXPIRY_ORDER = ("4h", "1h", "overdue")
#: Metrics that come later than this are never read.
_READ_AGAIN = timedelta(hours=23)
_LONG_AGO = timedelta(days=3650)
_INSTANT = timedelta(microseconds=1)


def check(record: Record) -> Iterator[Violation]:
    yield from claims(record)
    for life in record.ledger.lives:
        if is_blurred(record, life) or not life.is_fine_tuned:
            continue
        if is_developer(life):
            yield from expiries(record, life)
        elif life.idle_after == LIFETIME:
            yield from countdowns(record, life)


def is_developer(life: LifeTruth) -> bool:
    return life.sku.lower() in _DEVELOPER


@dataclass(frozen=True, slots=True)
class Knowable:
    """When a life's clock runs out, by the least and by the most that could be known of its calls at a step."""

    earliest: datetime  #: no sooner may it be said to be deleted
    latest: datetime  #: a deletion that is said to come by then at the latest, at the least
    most: datetime  #: with every call until now that goes by its name
    truth: datetime  #: with every call until now


def knowable(record: Record, life: LifeTruth, step: Step) -> Knowable:
    read = read_at(record, life, step)
    known_at = _known_at(record, read) if read else life.start - _LONG_AGO
    own = _by_name(life)
    least = _last_sure(record, own, known_at)
    all_known = _last_sure(record, life, known_at)
    return Knowable(
        earliest=(least or life.created) + LIFETIME - _BUCKET,
        latest=(all_known or life.created) + LIFETIME,
        most=(own.last_success(step.at) or life.created) + LIFETIME,
        truth=(_last(life, step.at) or life.created) + LIFETIME,
    )


def _known_at(record: Record, read: datetime) -> datetime:
    """The last moment whose calls a reading could show: one that is exactly as old as metrics are late is not there."""
    return read - record.world.scenario.metrics_delay - _INSTANT


def read_at(record: Record, life: LifeTruth, step: Step) -> datetime | None:
    """When its calls were last read without doubt; `None`: never."""
    steps = record.clear_steps(life.account, "metrics", "arm")
    return max((s.at for s in steps if s.at <= step.at and life.account in s.metered), default=None)


def _by_name(life: LifeTruth) -> LifeTruth:
    """With the calls alone that count by what can be known: they were answered, and go by its name."""
    named = (calls for calls in life.traffic if calls.dimension is None or calls.dimension.lower() == life.name.lower())
    return replace(life, traffic=tuple(named), failed_calls_count=False)


def _last(life: LifeTruth, at: datetime) -> datetime | None:
    return life.last_call(at) if life.failed_calls_count else life.last_success(at)


def _last_sure(record: Record, life: LifeTruth, at: datetime) -> datetime | None:
    """The last call that no fault may have hidden for ever: but for the last day, metrics are read once."""
    call = _last(life, at)
    while call is not None:
        lost = [begin for begin, end in _lost(record, life.account) if begin - _BUCKET <= call <= end + _BUCKET]
        if not lost:
            return call
        call = _last(life, min(lost) - _BUCKET - _INSTANT)
    return None


def _lost(record: Record, account: str) -> Iterator[tuple[datetime, datetime]]:
    for blind in record.ledger.blinds:
        if account in blind.accounts and blind.fault.gap is not None:
            begin, end = blind.fault.gap
            yield record.ledger.start + begin, record.ledger.start + end
        if account in blind.accounts and (blind.fault.metrics_delay or timedelta()) > _READ_AGAIN:
            assert blind.fault.metrics_delay is not None
            yield blind.begins - blind.fault.metrics_delay, blind.ends


def claims(record: Record) -> Iterator[Violation]:
    """What every word of a countdown says is true when it is said."""
    for step, alert in record.said(RULE, EXPIRY_RULE):
        life = life_of(record, alert, step.at)
        name = f"{alert.finding.rule} for {alert.labels.get('deployment')} in {alert.labels.get('account')}"
        if life is None or not life.is_fine_tuned or is_developer(life) != (alert.finding.rule == EXPIRY_RULE):
            yield record.violation(step.at, f"{name}: no such deployment is subject to it")
        elif not is_blurred(record, life) and alert.updated_at == step.at and life.idle_after == LIFETIME:
            for what in _claim(record, step, alert, life):
                yield record.violation(step.at, f"{name}: {what}")


def _claim(record: Record, step: Step, alert: Alert, life: LifeTruth) -> Iterator[str]:
    if alert.finding.rule == EXPIRY_RULE:
        yield from _expiry_claim(record, step, alert, life)
        return
    known = knowable(record, life, step)
    if is_resolved(alert):
        if known.most - step.at <= _STEPS[-1] and not _is_out_of_it(record, life, step):
            yield f"resolved ({alert.ended_because}), and it is deleted {known.truth}"
        return
    values = alert.finding.values
    earliest, latest = when(values["deletion_earliest"]), when(values["deletion_latest"])
    since = when(values["idle_since"])
    if earliest is None or since is None:
        yield "it names no earliest deletion"
        return
    is_bounded = _is_bounded(alert)
    if earliest > known.truth:
        yield f"deletion_earliest {earliest} is later than the deletion, {known.truth}"
    least = life.created + LIFETIME if is_bounded else known.earliest
    if earliest < least and (life.shows_created or not is_bounded):
        yield f"deletion_earliest {earliest}: nothing can be deleted before {least}"
    if latest is not None and latest < known.latest:
        yield f"deletion_latest {latest} is earlier than the deletion, {known.latest}"
    is_doubted = any(words in alert.finding.evidence for words in ("latest time counts", "no latest time is named"))
    if not (is_bounded or is_doubted) and (latest is None or latest > earliest + _BUCKET):
        yield f"deletion_latest {latest}, and nothing is said of why it is no sooner"
    yield from _step_and_severity(record, step, alert, life, earliest, latest, is_bounded=is_bounded)


def _step_and_severity(
    record: Record,
    step: Step,
    alert: Alert,
    life: LifeTruth,
    earliest: datetime,
    latest: datetime | None,
    *,
    is_bounded: bool,
) -> Iterator[str]:
    left = max(earliest - step.at, timedelta())  # from then on it may come at any moment
    if latest is not None and step.at > latest:
        left = latest - step.at
    said, expected = alert.finding.step, step_of(left, _STEPS)
    if said != expected:
        yield f"step {said!r} with {left} left"
    severity = "critical" if left <= _STEPS[1] else "warning" if left <= _STEPS[2] else "info"
    is_paused = any(begins <= step.at and (end is None or step.at < end) for begins, end in life.paused)
    if severity == "critical" and (is_paused or "provisioned" in life.sku.lower()):
        severity = "warning"
    if severity == "critical" and is_bounded:
        severity = alert.severity.value if alert.severity.value in ("warning", "critical") else "warning"
    was_clear = record.is_clear(step, life.account, "arm")  # else its state may be an older one
    if alert.severity.value != severity and was_clear:
        yield f"severity {alert.severity.value} with {left} left"


def _is_out_of_it(record: Record, life: LifeTruth, step: Step) -> bool:
    """Whether the rule has nothing to say of it any more."""
    has_ended = life.ended is not None and life.ended <= step.at
    return has_ended or provisioning(record, life, step.at) in ("Failed", "Deleting")


def step_of(left: timedelta, steps: tuple[timedelta, ...]) -> str:
    """The step that is crossed with so much time left; "" where it is none."""
    if left < timedelta():
        return "overdue"
    crossed = [step for step in steps if left <= step]
    return _NAMES[int(min(crossed).total_seconds() // 3600)] if crossed else ""


def countdowns(record: Record, life: LifeTruth) -> Iterator[Violation]:
    """At every poll that can read it: an alert at the right step near the deadline, and none far from it."""
    name = f"{life.name} in {life.label}"
    for step in record.clear_steps(life.account, "arm"):
        if step.at < life.appears:
            continue
        alert = is_open(step, RULE, life.deployment, _incarnation(life))
        if not stands(life, step.at) and alert is None:
            return
        if not stands(life, step.at) or _is_out_of_it(record, life, step):
            if alert is not None and not is_looked_up(step, alert):
                yield record.violation(step.at, f"{RULE} for {name} fires on after its end, {life.ended}")
            continue
        known = knowable(record, life, step)
        if alert is not None and known.earliest - step.at > _STEPS[-1] and _was_metered_first(record, step, life):
            yield record.violation(step.at, f"{RULE} for {name}, which is deleted no sooner than {known.earliest}")
        due = step_of(known.most - step.at, _STEPS)
        if due and _is_decidable(record, life, step):
            if due == "overdue" and alert is not None and not _is_past(alert, step):
                due = "6h"  # it may come at any moment, and is not known to be late
            said = alert.finding.step if alert is not None else ""
            if not said or _ORDER.index(said) < _ORDER.index(due):
                what = f"{RULE} for {name} stands at {said or 'nothing'!r}, not at {due!r}: deleted {known.most}"
                yield record.violation(step.at, what)


def _is_past(alert: Alert, step: Step) -> bool:
    """Whether the latest time that was told has passed; where none was, nothing is ever late."""
    latest = when(alert.finding.values["deletion_latest"])
    return latest is not None and latest < step.at


def is_looked_up(step: Step, alert: Alert) -> bool:
    """Whether the end of its deployment was seen at this very step, and why is told at the next one."""
    return any(
        transition.change is Change.GONE and transition.resource.lower() == alert.finding.subject.id
        for transition in step.transitions
    )


def _is_bounded(alert: Alert) -> bool:
    """Whether its last call may lie before the metrics that could be read."""
    values = alert.finding.values
    since, earliest = when(values["idle_since"]), when(values["deletion_earliest"])
    return since is not None and earliest is not None and since + LIFETIME != earliest


def _incarnation(life: LifeTruth) -> str | None:
    return life.created.isoformat() if life.shows_created else None


def _was_metered_first(record: Record, step: Step, life: LifeTruth) -> bool:
    """Whether the poll of this step had its metrics from a reading in which nothing was in doubt."""
    last = max((s for s in record.steps if s.at <= step.at and life.account in s.metered), key=lambda s: s.at)
    return record.is_clear(last, life.account, "metrics", "arm")


def _is_decidable(record: Record, life: LifeTruth, step: Step) -> bool:
    """Whether its calls were known well enough to decide: read lately, since it was there, and enough to date it."""
    metered = [s for s in record.steps if s.at <= step.at and life.account in s.metered]
    if not metered or not record.is_clear(metered[-1], life.account, "metrics", "arm"):
        return False
    read = metered[-1].at
    if read < life.appears or step.at - read > _STALE_AFTER:
        return False
    if life.shows_created:
        return True
    call = _last_sure(record, _by_name(life), _known_at(record, read))
    return call is not None and call > metered[0].at - LIFETIME


def _expiry_claim(record: Record, step: Step, alert: Alert, life: LifeTruth) -> Iterator[str]:
    ends = life.created + DEVELOPER_LIFETIME
    left = ends - step.at
    if is_resolved(alert):
        if not _is_out_of_it(record, life, step):
            yield f"resolved ({alert.ended_because}), and it stands"
        return
    if when(alert.finding.values["deletion_earliest"]) != ends:
        yield f"deletion_earliest {alert.finding.values['deletion_earliest']}, it ends {ends}"
    if alert.finding.step != step_of(left, _EXPIRY_STEPS):
        yield f"step {alert.finding.step!r} with {left} left"
    if alert.severity.value != ("warning" if left <= _EXPIRY_STEPS[0] else "info"):
        yield f"severity {alert.severity.value} with {left} left"


def expiries(record: Record, life: LifeTruth) -> Iterator[Violation]:
    name = f"{life.name} in {life.label}"
    for step in record.clear_steps(life.account, "arm"):
        if step.at < life.appears:
            continue
        alert = is_open(step, EXPIRY_RULE, life.deployment, _incarnation(life))
        if not stands(life, step.at):
            if alert is None:
                return
            if not is_looked_up(step, alert):
                yield record.violation(step.at, f"{EXPIRY_RULE} for {name} fires on after its end, {life.ended}")
            continue
        due = step_of(life.created + DEVELOPER_LIFETIME - step.at, _EXPIRY_STEPS) if life.shows_created else ""
        if provisioning(record, life, step.at) == "Deleting":
            due = ""
        said = alert.finding.step if alert is not None else ""
        if said and not due:
            yield record.violation(step.at, f"{EXPIRY_RULE} for {name} at {said!r}, which ends later")
        if due and (not said or _EXPIRY_ORDER.index(said) < _EXPIRY_ORDER.index(due)):
            yield record.violation(step.at, f"{EXPIRY_RULE} for {name} stands at {said or 'nothing'!r}, not at {due!r}")
