"""What was said of jobs, held against how they went."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.resources.changes import Change, ResourceKind, Source, Transition
from watcher.simulator.ledger import JobTruth

from .record import Record, Step, Violation, first, is_open, is_resolved

RULE_OF = {
    "succeeded": "job_succeeded",
    "failed": "job_failed",
    "rai_data": "job_rai_data_failed",
    "rai_model": "job_rai_model_failed",
    "cancelled": "job_cancelled",
}
EVENT_RULES = tuple(RULE_OF.values())

#: Either dialect's words for a phase; every other phase is called the same in both.
_WORDS = {"validating": {"pending", "validating_files"}, "waiting": {"pending", "queued"}}
_WAITING = frozenset({"validating", "waiting", "pending", "validating_files", "queued", "created", "resuming"})
_HALTED = frozenset({"pausing", "paused"})
#: Whether something holds of a job at a step.
Claim = Callable[[Record, JobTruth, Step], bool]
_SECOND = timedelta(seconds=1)
#: How long an ended job's events are waited for; after that its own error decides alone.
_EVENTS_WAIT = timedelta(hours=1)
_PENDING_AFTER, _RUNNING_AFTER = timedelta(hours=6), timedelta(hours=24)


def check(record: Record) -> Iterator[Violation]:
    yield from false_events(record)
    yield from missed_events(record)
    yield from transitions(record)
    yield from pauses(record)
    yield from stalls(record)


def false_events(record: Record) -> Iterator[Violation]:
    """Each event matches the job's true outcome, harm types and end, and is told once."""
    told: set[tuple[str, str]] = set()
    for step, alert in record.said(*EVENT_RULES):
        subject = alert.finding.subject
        key = (subject.id, subject.incarnation)
        job = record.jobs.get(key)
        if alert.labels.get("cause") == "account_gone" and job is not None:
            if job.vanished is None or job.vanished > step.at:
                yield record.violation(step.at, f"{alert.finding.rule} for {job.job}, whose account is there")
            continue
        if job is None or job.ended is None or job.ended > step.at:
            yield record.violation(step.at, f"{alert.finding.rule} for {subject.incarnation}, which has not ended")
            continue
        if key in told:
            yield record.violation(step.at, f"{alert.finding.rule} for {job.job}, whose end was told before")
        told.add(key)
        yield from _false_event(record, step, alert, job)


def _false_event(record: Record, step: Step, alert: Alert, job: JobTruth) -> Iterator[Violation]:
    assert job.ended is not None
    rule, expected = alert.finding.rule, RULE_OF[job.outcome]
    if rule != expected and not (_went_unread(record, step, job) and rule in ("job_failed", "job_succeeded")):
        yield record.violation(step.at, f"{rule} for {job.job}, which {job.outcome}: {alert.finding.summary}")
    elif rule == expected and rule.startswith("job_rai"):
        harms = alert.labels.get("harm_types", "")
        if harms != ",".join(sorted(job.harm_types)):
            yield record.violation(step.at, f"{rule} for {job.job} names {harms!r}, not {job.harm_types}")
    earliest = first(s for s in record.steps if job.account in s.polled)
    if earliest is not None and job.ended <= earliest.at:
        yield record.violation(step.at, f"{rule} for {job.job}, which had ended before first sight")
    for name, at in (
        ("occurred_at", alert.finding.occurred_at),
        ("finished_at", alert.finding.values.get("finished_at")),
    ):
        said = datetime.fromisoformat(at) if isinstance(at, str) else at
        if isinstance(said, datetime) and abs(said - job.ended) > _SECOND:
            yield record.violation(step.at, f"{rule} for {job.job} says {name} {said}, it ended {job.ended}")


def _went_unread(record: Record, step: Step, job: JobTruth) -> bool:
    """Whether its events may have stayed unread for so long that its own error was to decide alone."""
    assert job.ended is not None
    blind = list(record.blinds("data", job.account, job.ended, step.at))
    return bool(blind) and step.at - job.ended >= _EVENTS_WAIT


def _latest_first_sight(record: Record, account: str) -> Step | None:
    """The first step at which its jobs can be read without doubt: then at the latest is their first sight."""
    return first(record.clear_steps(account, "data"))


def missed_events(record: Record) -> Iterator[Violation]:
    """Every end after first sight is told at the first poll that could read it."""
    told = {
        (alert.finding.subject.id, alert.finding.subject.incarnation): step.at
        for step, alert in reversed(list(record.said(*EVENT_RULES)))
    }
    for job in record.ledger.jobs:
        sight = _latest_first_sight(record, job.account)
        if job.ended is None or sight is None or job.ended <= sight.at:
            continue
        clear = record.clear_steps(job.account, "data")
        due = first(step for step in clear if step.at >= job.ended and _is_there(job, step.at))
        said = told.get((job.account, job.job))
        if due is not None and (said is None or said > due.at):
            late = "never" if said is None else f"not before {said}"
            yield record.violation(due.at, f"the end of {job.job} ({job.outcome}, {job.ended}) was told {late}")


def transitions(record: Record) -> Iterator[Violation]:
    """Each transition of a job matches a phase, in order, none doubled; after each clear poll the last one is true."""
    last: dict[tuple[str, str], Transition] = {}
    for step in record.steps:
        for transition in step.transitions:
            if transition.kind is ResourceKind.JOB and transition.attribute == "status":
                key = (transition.account, transition.resource)
                before = last.pop(key, None)
                if transition.change is Change.GONE:
                    if record.exists(transition.account, step.at) and before is not None:
                        yield record.violation(step.at, f"{transition.resource} is recorded as gone")
                    continue
                yield from _transition(record, step, transition, before)
                last[key] = transition
        for job in record.ledger.jobs:
            if not record.is_clear(step, job.account, "data") or not _is_there(job, step.at):
                continue
            known, phase = last.get((job.account, job.job)), _phase(job, step.at)
            if known is None or not _is_word_of(known.after, phase):
                after = None if known is None else known.after
                yield record.violation(step.at, f"{job.job} is recorded as {after}, and is {phase}")


def _transition(record: Record, step: Step, transition: Transition, before: Transition | None) -> Iterator[Violation]:
    what = f"{transition.resource} {transition.before} → {transition.after} ({transition.source})"
    job = record.jobs.get((transition.account, transition.resource))
    if job is None or job.created > step.at:
        yield record.violation(step.at, f"{what}: there is no such job")
        return
    if transition.before != (before.after if before else None):
        yield record.violation(step.at, f"{what}: follows {before.after if before else None}")
    if transition.before == transition.after:
        yield record.violation(step.at, f"{what}: no change")
    if transition.source is Source.LISTING and not _is_word_of(transition.after, _phase(job, step.at)):
        yield record.violation(step.at, f"{what}: it is {_phase(job, step.at)}")
    began = [at for at, phase in job.phases if _is_word_of(transition.after, phase) and at <= step.at]
    if transition.source is Source.EVENTS and transition.after == "pending":
        began.append(job.created)  # enqueued, whatever its status was called then
    if not began:
        yield record.violation(step.at, f"{what}: it never was that")
    at = transition.occurred_at
    if (transition.after or "").lower() in _WAITING:
        began.append(job.created)  # a job waits, in one word or another, from its creation on
    if at is not None and not any(abs(at - begins) <= _SECOND for begins in began):
        yield record.violation(step.at, f"{what}: dated {at}, it began {[str(begins) for begins in began]}")


def _is_there(job: JobTruth, at: datetime) -> bool:
    """Whether it can be listed: its account may have gone with it, and have come back without it."""
    return job.appears <= at and (job.vanished is None or at < job.vanished)


def _phase(job: JobTruth, at: datetime) -> str:
    return next(phase for begins, phase in reversed(job.phases) if begins <= at)


def _is_word_of(word: str | None, phase: str) -> bool:
    return word is not None and word.lower() in _WORDS.get(phase, {phase.lower()})


def pauses(record: Record) -> Iterator[Violation]:
    """`job_paused` fires where a job is seen halted, and ends where it is seen to go on."""
    yield from _condition(record, "job_paused", must=_is_halted, may=_is_halted)


def _is_halted(record: Record, job: JobTruth, step: Step) -> bool:
    return _phase(job, step.at) in _HALTED


def stalls(record: Record) -> Iterator[Violation]:
    """`job_stalled` fires where a job waits or runs for longer than allowed, counted from when it could be seen."""
    yield from _condition(record, "job_stalled", must=_must_be_stalled, may=_may_be_stalled)


def _must_be_stalled(record: Record, job: JobTruth, step: Step) -> bool:
    limit = _limit(_phase(job, step.at))
    if limit is None:
        return False
    since = max(at for at, _ in job.phases if at <= step.at)
    seen = first(s for s in record.clear_steps(job.account, "data") if s.at >= since)
    return seen is not None and step.at - seen.at > limit


def _may_be_stalled(record: Record, job: JobTruth, step: Step) -> bool:
    limit = _limit(_phase(job, step.at))
    if limit is None:
        return False
    # Waiting in one way or another counts as one; when a pause was too short to be seen, so does running.
    since = next(at for at, phase in job.phases if _limit(phase) == limit)
    return step.at - since > limit


def _limit(phase: str) -> timedelta | None:
    if phase in _WAITING:
        return _PENDING_AFTER
    return _RUNNING_AFTER if phase == "running" else None


def _condition(record: Record, rule: str, *, must: Claim, may: Claim) -> Iterator[Violation]:
    """An alert stands after each poll where it must, and none where it may not."""
    for step, alert in record.said(rule):
        subject = alert.finding.subject
        job = record.jobs.get((subject.id, subject.incarnation))
        was_clear = job is not None and record.is_clear(step, job.account, "data")
        if job is None or (was_clear and not is_resolved(alert) and not may(record, job, step)):
            yield record.violation(step.at, f"{rule} for {subject.incarnation}: {alert.finding.summary}")
    for job in record.ledger.jobs:
        for step in record.clear_steps(job.account, "data"):
            if not _is_there(job, step.at):
                continue
            is_firing = is_open(step, rule, job.account, job.job) is not None
            if is_firing and not may(record, job, step):
                yield record.violation(step.at, f"{rule} for {job.job} still fires, and it is {_phase(job, step.at)}")
            if not is_firing and must(record, job, step):
                yield record.violation(step.at, f"no {rule} for {job.job}, which is {_phase(job, step.at)}")
