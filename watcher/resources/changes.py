"""What changed between the last reading of an account and a new snapshot: `diff` names it.

Pure, as is `absorb` in `merging.py`, which takes it over: diffing a snapshot against the reading that absorbed it finds
nothing. A section that was not read is passed over in silence; only a complete listing together with a 404 on the
deployment's own address says that it is gone. The first complete reading of a section is history: its transitions are
marked so, and no rule alerts on them.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.merging import announced, distinct, living
from watcher.resources.snapshot import Reading, Snapshot


class ResourceKind(StrEnum):
    """What a transition or an alert is about."""

    ACCOUNT = "account"
    JOB = "job"
    DEPLOYMENT = "deployment"
    FILE = "file"
    MODEL = "model"
    REGION = "region"  #: a cloud's region and plane, behind many accounts
    CREDENTIAL = "credential"
    WATCHER = "watcher"  #: this program itself


class Change(StrEnum):
    """How a resource changed."""

    DISCOVERED = "discovered"  #: first seen
    CHANGED = "changed"  #: one attribute, before and after
    REPLACED = "replaced"  #: the name lives again with another `createdAt`; the old life ended between two polls
    GONE = "gone"  #: two signs: a complete listing lacks it, and its own address answers 404


class Source(StrEnum):
    """Where a transition was learned."""

    LISTING = "listing"  #: the resource's own state
    EVENTS = "events"  #: rebuilt from the job's events, with the service's times


#: The attribute of a transition that tells of a job's or file's status, and of a job's announced end.
STATUS = "status"
ESTIMATED_FINISH = "estimated_finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One attribute of one resource changed; appended to the history and never altered."""

    account: str  #: key of the account
    kind: ResourceKind
    resource: str  #: the id as Azure has it: the job's, or the deployment's ARM id
    name: str  #: the job's id, or the deployment's name
    incarnation: str
    change: Change
    attribute: str = ""
    before: str | None = None
    after: str | None = None
    observed_at: datetime  #: when we saw it
    occurred_at: datetime | None = None  #: when it happened by the service's own word; `None` if it does not say
    source: Source = Source.LISTING
    is_history: bool = False  #: from the first sight of its section: recorded, not announced

    @property
    def is_job_status(self) -> bool:
        """Whether it tells of a job's status, and of no other attribute."""
        return self.kind is ResourceKind.JOB and self.attribute == STATUS

    @property
    def key(self) -> str:
        """Equal for the same change seen by two processes in the same snapshot; unique in the store."""
        parts = (
            self.account,
            self.kind,
            self.resource.lower(),
            self.incarnation,
            self.change,
            self.attribute,
            self.before or "",
            self.after or "",
            self.observed_at.isoformat(),
            self.source,
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def diff(previous: Reading, current: Snapshot) -> tuple[Transition, ...]:
    """The transitions from `previous` to `current`: deployments, jobs, files, each in the order of their names."""
    return (
        *_deployment_transitions(previous, current),
        *_job_transitions(previous, current),
        *_file_transitions(previous, current),
    )


#: What of a deployment is worth a transition, with the way to read it.
_DEPLOYMENT_ATTRIBUTES: Mapping[str, Callable[[Deployment], str | None]] = {
    "provisioning_state": lambda d: d.raw_provisioning_state,
    "deployment_state": lambda d: d.deployment_state,
    "model": lambda d: d.model,
    "sku": lambda d: d.sku,
    "capacity": lambda d: None if d.capacity is None else str(d.capacity),
}


def _deployment_transitions(previous: Reading, current: Snapshot) -> Iterator[Transition]:
    if current.deployments is None:
        return
    known = {deployment.key: deployment for deployment in previous.deployments or ()}
    first_sight = previous.deployments is None
    for deployment in living(previous, current):
        before = known.get(deployment.key)
        if before is None:
            state = deployment.raw_provisioning_state
            yield _deployment_transition(
                deployment,
                current,
                Change.DISCOVERED,
                attribute="provisioning_state",
                after=state,
                occurred_at=deployment.created_at,
                is_history=first_sight,
            )
        elif before.incarnation != deployment.incarnation:
            yield _deployment_transition(
                deployment,
                current,
                Change.REPLACED,
                attribute="created_at",
                before=before.incarnation,
                after=deployment.incarnation,
                occurred_at=deployment.created_at,
            )
        else:
            for attribute, read in _DEPLOYMENT_ATTRIBUTES.items():
                if read(before) != read(deployment):
                    yield _deployment_transition(
                        deployment,
                        current,
                        Change.CHANGED,
                        attribute=attribute,
                        before=read(before),
                        after=read(deployment),
                    )
    for key in sorted(current.absent & known.keys()):
        gone = known[key]
        yield _deployment_transition(
            gone, current, Change.GONE, attribute="provisioning_state", before=gone.raw_provisioning_state
        )


def _deployment_transition(
    deployment: Deployment,
    current: Snapshot,
    change: Change,
    *,
    attribute: str,
    before: str | None = None,
    after: str | None = None,
    occurred_at: datetime | None = None,
    is_history: bool = False,
) -> Transition:
    return Transition(
        account=current.account.key,
        kind=ResourceKind.DEPLOYMENT,
        resource=deployment.id,
        name=deployment.name,
        incarnation=deployment.incarnation,
        change=change,
        attribute=attribute,
        before=before,
        after=after,
        observed_at=current.at,
        occurred_at=occurred_at,
        is_history=is_history,
    )


def _job_transitions(previous: Reading, current: Snapshot) -> Iterator[Transition]:
    if current.jobs is None or current.jobs.items is None:
        return
    known = {job.id: job for job in previous.jobs or ()}
    first_sight = previous.jobs is None
    for job in sorted(distinct(current.jobs.items), key=lambda job: job.id):
        before = known.get(job.id)
        if before is None or before.raw_status != job.raw_status:
            history = () if first_sight else current.events.get(job.id, ())
            yield from _status_transitions(before, job, history, current, is_history=first_sight)
        if before is not None and announced(before, job) != before.announced_finish_at:
            yield _slip(before, job, current)


def _slip(before: FineTuningJob, job: FineTuningJob, current: Snapshot) -> Transition:
    """The service now announces another end of a job that is under way."""
    old = before.announced_finish_at
    return Transition(
        account=current.account.key,
        kind=ResourceKind.JOB,
        resource=job.id,
        name=job.id,
        incarnation=job.id,
        change=Change.CHANGED,
        attribute=ESTIMATED_FINISH,
        before=None if old is None else _rfc3339(old),
        after=None if job.estimated_finish_at is None else _rfc3339(job.estimated_finish_at),
        observed_at=current.at,
    )


def _rfc3339(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _file_transitions(previous: Reading, current: Snapshot) -> Iterator[Transition]:
    """Files that are new or have another status. One that a listing lacks was deleted, by whoever may: no news."""
    if current.files is None or current.files.items is None:
        return
    known = {file.id: file for file in previous.files or ()}
    for _, file in sorted({file.id: file for file in current.files.items}.items()):
        before = known.get(file.id)
        if before is not None and before.raw_status == file.raw_status:
            continue
        yield Transition(
            account=current.account.key,
            kind=ResourceKind.FILE,
            resource=file.id,
            name=file.filename or file.id,
            incarnation=file.id,
            change=Change.DISCOVERED if before is None else Change.CHANGED,
            attribute=STATUS,
            before=None if before is None else before.raw_status,
            after=file.raw_status,
            observed_at=current.at,
            occurred_at=file.created_at if before is None else None,
            is_history=previous.files is None,
        )


def _status_transitions(
    before: FineTuningJob | None,
    job: FineTuningJob,
    events: Sequence[JobEvent],
    current: Snapshot,
    *,
    is_history: bool,
) -> Iterator[Transition]:
    """The steps from one recorded status to the one seen now, with those that fell between two polls."""
    steps = list(_missed_steps(before, job, events))
    happened_at = job.finished_at if job.status.has_ended else None
    if job.status is JobStatus.RUNNING and (before is None or before.status.is_waiting):  # not resumed after a pause
        happened_at = started_at(events)
    if before is None and job.status.is_waiting:  # a job waits from its creation on; no other status begins with it
        happened_at = job.created_at
    steps.append((job.raw_status, happened_at, Source.LISTING))
    last = None if before is None else before.raw_status
    for status, occurred_at, source in steps:
        yield Transition(
            account=current.account.key,
            kind=ResourceKind.JOB,
            resource=job.id,
            name=job.id,
            incarnation=job.id,
            change=Change.DISCOVERED if last is None else Change.CHANGED,
            attribute=STATUS,
            before=last,
            after=status,
            observed_at=current.at,
            occurred_at=occurred_at,
            source=source,
            is_history=is_history,
        )
        last = status


#: Events that tell of a status a poll may have missed. Nothing here says "succeeded": the text comes before the model's
#: evaluation, and only a job's own status makes it succeeded.
_EVENT_STATUSES = (("job enqueued", JobStatus.PENDING), ("job started", JobStatus.RUNNING))


def _missed_steps(
    before: FineTuningJob | None, job: FineTuningJob, events: Sequence[JobEvent]
) -> Iterator[tuple[str, datetime | None, Source]]:
    if before is not None and not before.status.is_waiting:
        return  # it had started already: its old lines tell of nothing new, least of all after a pause
    seen = {None if before is None else before.status, job.status}
    for text, status in _EVENT_STATUSES:
        if status in seen or (status.is_waiting and (before is not None or job.status.is_waiting)):
            continue
        event = next((event for event in events if event.message.lower().startswith(text)), None)
        if event is not None:
            yield status.value, event.created_at, Source.EVENTS


def started_at(events: Iterable[JobEvent]) -> datetime | None:
    """When a job began to run, by the lines of its own log; `None` if they do not say."""
    return next((event.created_at for event in events if event.message.lower().startswith("job started")), None)
