"""What was said of whole accounts, once a day or when something had changed: limits, leftovers, and ends of models."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.resources.snapshot import Section
from watcher.simulator import BaseModel
from watcher.simulator.ledger import JobTruth, LifeTruth

from .record import (
    Record,
    Step,
    Violation,
    is_blurred,
    is_open,
    is_resolved,
    life_of,
    provisioning,
    source_of,
    stands,
    when,
)
from .stock import files_at

LIMIT, ORPHANED, RETIRING = "limit_near", "file_orphaned", "model_retiring"

#: Azure's limits, and the share of them from which on they are near.
_LIMITS = {
    "files": 100,
    "file_bytes": 1_000_000_000,
    "jobs": 100,
    "deployments": 10,
    "queued": 20,
    "running": 3,
    "running_developer": 5,
}
_AT_PERCENT = 80
_ORPHANED_AFTER = timedelta(days=14)
_DAY = timedelta(days=1)
_RETIRING_STEPS = (7 * _DAY, 30 * _DAY, 90 * _DAY)
_WAITS = frozenset({"validating", "waiting", "pending", "validating_files", "queued", "created"})
#: Whether they still take a place among the running ones is nobody's to say.
_BETWEEN = frozenset({"pausing", "resuming"})
#: A base counts as trained on for this long.
_TRAINED_LATELY = 90 * _DAY


def check(record: Record) -> Iterator[Violation]:
    yield from limits(record)
    yield from orphans(record)
    yield from retirements(record)


def limits(record: Record) -> Iterator[Violation]:
    """After every inventory that could read them: an alert for each limit that is near, and for no other."""
    for step, key in _inventories(record, "arm", "data"):
        least, most = _used(record, step, key)
        for name, limit in _LIMITS.items():
            alert = is_open(step, LIMIT, key, name)
            if alert is not None and not _is_near(most[name], limit):
                yield record.violation(step.at, f"{alert.finding.summary}: it is {most[name]} of {limit}")
            if alert is None and _is_near(least[name], limit):
                yield record.violation(step.at, f"no {LIMIT} for {key}, with {least[name]} of {limit} {name}")
            is_fresh = alert is not None and alert.starts_at == step.at  # numbers alone do not renew it
            if is_fresh and not least[name] <= int(str(alert.finding.values["used"])) <= most[name]:
                yield record.violation(step.at, f"{alert.finding.summary}: it is {least[name]}")


def _is_near(used: int, limit: int) -> bool:
    return used * 100 >= limit * _AT_PERCENT


def _inventories(record: Record, *planes: str) -> Iterator[tuple[Step, str]]:
    """The steps at which stock was taken, with each account all of which could be read then."""
    for step in record.steps:
        for key in sorted(step.polled) if step.has_discovered else ():
            has_come_back = len(record.accounts[key]) > 1  # what was there before is known in another way
            if record.is_clear(step, key, *planes) and not has_come_back and step.asked[key] >= _ALL:
                yield step, key


_ALL = frozenset({Section.JOBS, Section.FILES, Section.DEPLOYMENTS})


def _used(record: Record, step: Step, key: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """How much of each limit is used, at the least and at the most."""
    files = [file for _, file in files_at(record, step, key)]
    jobs = [job for job in record.ledger.jobs if job.account == key and _is_listed(job, step.at)]
    lives = [life for life in record.ledger.lives if life.account == key and life.is_fine_tuned]
    words = [(job, _phase(job, step.at), _is_developer(record, job)) for job in jobs]
    surely = {
        "files": len(files),
        "file_bytes": sum(file.bytes or 0 for file in files),
        "jobs": len(jobs),
        "deployments": sum(stands(life, step.at) for life in lives),
        "queued": sum(word in _WAITS for _, word, _ in words),
        "running": sum(word == "running" and not developer for _, word, developer in words),
        "running_developer": sum(word == "running" and developer for _, word, developer in words),
    }
    between = {
        "queued": sum(word in _BETWEEN for _, word, _ in words),
        "running": sum(word in _BETWEEN and not developer for _, word, developer in words),
        "running_developer": sum(word in _BETWEEN and developer for _, word, developer in words),
    }
    return surely, {name: used + between.get(name, 0) for name, used in surely.items()}


def _is_listed(job: JobTruth, at: datetime) -> bool:
    return job.appears <= at and (job.vanished is None or at < job.vanished)


def _phase(job: JobTruth, at: datetime) -> str:
    return next(phase.lower() for begins, phase in reversed(job.phases) if begins <= at)


def _is_developer(record: Record, job: JobTruth) -> bool:
    source = record.job_sources[job.account, job.job]
    return (source.training_type or "").lower().startswith("developer")


def orphans(record: Record) -> Iterator[Violation]:
    """What is said to be named by no job is an old upload that none names, and all of these are said to be."""
    for step, alert in record.said(ORPHANED):
        key = alert.finding.subject.id
        if is_resolved(alert) or len(record.accounts[key]) > 1 or not record.exists(key, step.at):
            continue
        true = _orphans(record, step, key, _ORPHANED_AFTER)
        for file in sorted(_named(alert) - true):
            yield record.violation(step.at, f"{alert.finding.summary}: {file} is none")
    for step, key in _inventories(record, "data"):
        if _is_doubtful(record, step, key):
            continue
        alert = is_open(step, ORPHANED, key)
        said = _named(alert) if alert is not None else frozenset[str]()
        for file in sorted(_orphans(record, step, key, _ORPHANED_AFTER + _DAY) - said):
            yield record.violation(step.at, f"no {ORPHANED} for {file} in {key}")


def _is_doubtful(record: Record, step: Step, key: str) -> bool:
    """Whether something was hidden in the last day, since when stock was taken."""
    since = step.at - _DAY
    return any(True for plane in ("arm", "data") for _ in record.blinds(plane, None, since, step.at)) or not (
        record.steps[0].at <= since and record.exists(key, since)
    )


def _named(alert: Alert) -> frozenset[str]:
    return frozenset(str(alert.finding.values["files"]).split(","))


def _orphans(record: Record, step: Step, key: str, age: timedelta) -> frozenset[str]:
    """No job names them: jobs' own files have jobs in the scenario."""
    return frozenset(
        file.id
        for account, file in files_at(record, step, key)
        if file.status == "processed"
        and file.purpose == "fine-tune"
        and record.world.start + file.created <= step.at - age
        and file.filename in {upload.filename for upload in account.files}
    )


@dataclass(frozen=True, slots=True)
class _End:
    """When the base of a deployment's model ends, as ARM's catalogue has it."""

    serving: timedelta | None  #: until then, from a step on; `None`: no date
    training: timedelta | None

    def nearest(self, *, is_trained: bool) -> timedelta | None:
        ahead = self.training if is_trained and self.training is not None and self.training >= timedelta() else None
        return min((left for left in (self.serving, ahead) if left is not None), default=None)


def retirements(record: Record) -> Iterator[Violation]:
    """A deployment is said to lose its base model when that comes near, at the right step, and otherwise not."""
    for step, alert in record.said(RETIRING):
        life = life_of(record, alert, step.at)
        if life is None or is_resolved(alert):
            continue
        yield from _false_retirement(record, step, alert, life)
    for life in record.ledger.lives:
        is_plain = life.is_fine_tuned and not is_blurred(record, life) and len(record.accounts[life.account]) == 1
        if is_plain:
            yield from _missed_retirement(record, life)


def _false_retirement(record: Record, step: Step, alert: Alert, life: LifeTruth) -> Iterator[Violation]:
    base, what = _base(record, life), alert.finding.summary
    if base is None or base.full_name.lower() != str(alert.finding.values["base"]).lower():
        yield record.violation(step.at, f"{what}: its base is {base.full_name if base else 'not in the catalogue'}")
        return
    for name, at in (("inference_until", base.inference_until), ("fine_tune_until", base.fine_tune_until)):
        said = when(alert.finding.values[name])
        if said is not None and said != at:
            yield record.violation(step.at, f"{what}: {name} {said}, it is {at}")
    end = _end(base, step.at)
    left = end.training if alert.finding.values["ends"] == "training" else end.serving
    if left is None or left > _RETIRING_STEPS[-1]:
        yield record.violation(step.at, f"{what}: that is {left} ahead")
    elif alert.starts_at == step.at and alert.finding.step != retiring_step(left):
        yield record.violation(step.at, f"{what}: step {alert.finding.step!r} with {left} left")


def _missed_retirement(record: Record, life: LifeTruth) -> Iterator[Violation]:
    base = _base(record, life)
    if base is None:
        return
    for step, key in _inventories(record, "arm", "data"):
        if key != life.account or step.at < life.appears:
            continue
        alert = is_open(step, RETIRING, life.deployment, life.created.isoformat() if life.shows_created else None)
        if not stands(life, step.at) or provisioning(record, life, step.at) == "Deleting":
            if alert is not None:
                yield record.violation(step.at, f"{alert.finding.summary} fires on, and it does not stand")
            continue
        if _is_doubtful(record, step, key) or life.appears > step.at - _DAY:
            continue
        # Stock was taken within the last day: what was near then is said to be, at the step of then or a later one.
        # Training that has ended since is no longer waited for.
        until = base.fine_tune_until
        is_trained = until is not None and step.at <= until and _is_trained(record, life, step)
        left = _end(base, step.at - _DAY).nearest(is_trained=is_trained)
        due = "" if left is None else retiring_step(left)
        said = alert.finding.step if alert is not None else ""
        if due and (not said or _ORDER.index(said) < _ORDER.index(due)):
            what = f"{RETIRING} for {life.name} in {life.label} stands at {said or 'nothing'!r}, not at {due!r}"
            yield record.violation(step.at, what)


_ORDER = ("90d", "30d", "7d", "overdue")


def retiring_step(left: timedelta) -> str:
    """The step that is crossed with so much time left; "" where it is none."""
    if left < timedelta():
        return "overdue"
    crossed = [step for step in _RETIRING_STEPS if left <= step]
    return f"{crossed[0].days}d" if crossed else ""


def _base(record: Record, life: LifeTruth) -> BaseModel | None:
    """The catalogue's entry of the base model at the root; `None`: there is none."""
    name = life.model
    for job, source in record.job_sources.items():
        if job[0] == life.account and source.name == source_of(record, life).job:
            name = source.model
    known = {model.full_name.lower(): model for model in record.world.models()}
    bare = name.lower().removeprefix("ft:").partition(".ft-")[0].partition(":")[0]
    return known.get(bare)


def _end(base: BaseModel, at: datetime) -> _End:
    serving = None if base.inference_until is None else base.inference_until - at
    if base.lifecycle == "Deprecated":  # ARM's word for what is no longer served
        serving = -_DAY
    return _End(serving, None if base.fine_tune_until is None else base.fine_tune_until - at)


def _is_trained(record: Record, life: LifeTruth, step: Step) -> bool:
    """Whether its own job was seen to make a model of this base lately."""
    job = source_of(record, life).job
    for key, source in record.job_sources.items():
        ended = record.jobs[key].ended if key in record.jobs else None
        if key[0] == life.account and source.name == job and record.jobs[key].outcome == "succeeded" and ended:
            return ended <= step.at - _DAY and step.at - ended < _TRAINED_LATELY
    return False
