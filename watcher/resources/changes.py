"""What changed between the last reading of an account and a new snapshot: `diff` names it, `absorb` takes it over.

Both are pure and agree with each other: diffing a snapshot against the reading that absorbed it finds nothing. A
section that was not read is passed over in silence; only a complete listing together with a 404 on the deployment's
own address says that it is gone. The first complete reading of a section is history: its transitions are marked so,
and no rule alerts on them.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watcher.resources.deployment import Deployment, Usage
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.snapshot import NAMELESS, Gap, Reading, Section, Snapshot


class ResourceKind(StrEnum):
    """What a transition or an alert is about."""

    ACCOUNT = "account"
    JOB = "job"
    DEPLOYMENT = "deployment"
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
    """The transitions from `previous` to `current`, deployments before jobs, in the order of the resources' names."""
    return (*_deployment_transitions(previous, current), *_job_transitions(previous, current))


def absorb(previous: Reading, current: Snapshot) -> Reading:
    """The reading that holds after `current`: sections that were read replace the old ones, the others stay."""
    jobs, jobs_at = previous.jobs, previous.jobs_at
    if current.jobs is not None:
        jobs_at = current.at
        if current.jobs.items is not None:
            jobs = _distinct((*_kept_jobs(previous, current), *current.jobs.items))
    deployments, deployments_at = previous.deployments, previous.deployments_at
    if current.deployments is not None:
        deployments_at = current.at
        deployments = living(previous, current)
    usage, usage_at = previous.usage, previous.usage_at
    if current.usage is not None:
        usage, usage_at = merge_usage(previous.usage or {}, current.usage), current.at
    return replace(
        previous,
        account=current.account,
        jobs=jobs,
        jobs_at=jobs_at,
        deployments=deployments,
        deployments_at=deployments_at,
        usage=usage,
        usage_at=usage_at,
        gaps=open_gaps(previous.gaps, current),
    )


def _kept_jobs(previous: Reading, current: Snapshot) -> Iterator[FineTuningJob]:
    """The known jobs that are not listed and may be listed all the same: as an item that could not be read."""
    unread = current.unread_items(Section.JOBS)
    if not unread or current.jobs is None:
        return
    listed = {job.id for job in current.jobs.items or ()}
    yield from (job for job in previous.jobs or () if job.id not in listed and (job.id in unread or NAMELESS in unread))


def _distinct(jobs: Sequence[FineTuningJob]) -> tuple[FineTuningJob, ...]:
    """Each job once, as last read: a job that comes while pages are read pushes others onto a second page."""
    return tuple({job.id: job for job in jobs}.values())


def living(previous: Reading, current: Snapshot) -> tuple[Deployment, ...]:
    """The deployments that live after `current`, each with its incarnation.

    One that a listing lacks stays, until its own address has answered 404.
    """
    known = {deployment.key: deployment for deployment in previous.deployments or ()}
    if current.deployments is None or current.deployments.items is None:
        return tuple(d for d in known.values() if d.key not in current.absent)
    listed = {d.key: _with_life(known.get(d.key), d, current.at) for d in current.deployments.items}
    unlisted = {key: d for key, d in known.items() if key not in listed and key not in current.absent}
    return tuple(sorted((*listed.values(), *unlisted.values()), key=lambda d: d.key))


def _with_life(known: Deployment | None, seen: Deployment, at: datetime) -> Deployment:
    """`seen` with the incarnation it belongs to: that of `known`, unless its `createdAt` says that it is a new one."""
    if known is not None and not _is_another_life(known, seen):
        # An answer that leaves `systemData` out today takes nothing back of what it said yesterday.
        created_at = seen.created_at or known.created_at
        return replace(seen, incarnation=known.incarnation, created_at=created_at)
    incarnation = seen.created_at.isoformat() if seen.created_at else f"seen {at.isoformat()}"
    return replace(seen, incarnation=incarnation)


def _is_another_life(known: Deployment, seen: Deployment) -> bool:
    return known.created_at is not None and seen.created_at is not None and known.created_at != seen.created_at


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
    for job in sorted(_distinct(current.jobs.items), key=lambda job: job.id):
        before = known.get(job.id)
        if before is None or before.raw_status != job.raw_status:
            history = () if first_sight else current.events.get(job.id, ())
            yield from _status_transitions(before, job, history, current, is_history=first_sight)


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
        happened_at = _started_at(events)
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
            attribute="status",
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


def _started_at(events: Iterable[JobEvent]) -> datetime | None:
    return next((event.created_at for event in events if event.message.lower().startswith("job started")), None)


def merge_usage(known: Mapping[str, Usage], read: Mapping[str, Usage]) -> Mapping[str, Usage]:
    """Join each deployment's calls with what was known of them: an adjoining span is grown, a torn one replaced.

    Deployments that were not read stay as they were known: what is known of one that is gone tells why it is gone.
    """
    return {**known, **{name: _join(known.get(name), usage) for name, usage in read.items()}}


def _join(known: Usage | None, read: Usage) -> Usage:
    if known is None or read.read_from > known.read_to:
        return read
    if read.read_to < known.read_from:
        return known  # it ends before what is known begins, and cannot be joined to it
    is_whole = read.read_from <= known.read_from and read.read_to >= known.read_to
    return replace(
        read,
        read_from=min(known.read_from, read.read_from),
        read_to=max(known.read_to, read.read_to),
        # A call once seen stays seen, though Azure may lose old points.
        last_success_at=_latest(known.last_success_at, read.last_success_at),
        last_failure_at=_latest(known.last_failure_at, read.last_failure_at),
        bucket_seconds=max(known.bucket_seconds, read.bucket_seconds),
        is_ambiguous=read.is_ambiguous or (known.is_ambiguous and not is_whole),
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def closed_gaps(previous: Reading, current: Reading) -> tuple[Gap, ...]:
    """The gaps that were open in `previous` and are not in `current`, dated from when they were first met."""
    still_open = {(gap.section, gap.reason, gap.subject) for gap in current.gaps}
    return tuple(gap for gap in previous.gaps if (gap.section, gap.reason, gap.subject) not in still_open)


def open_gaps(previous: Sequence[Gap], current: Snapshot) -> tuple[Gap, ...]:
    """The gaps that stand after `current`: its own, dated from when first met, and those of sections not asked."""
    first_met = {(gap.section, gap.reason, gap.subject): gap.at for gap in previous}
    unasked = [gap for gap in previous if gap.section not in current.asked]
    met = [
        replace(gap, at=min(gap.at, first_met.get((gap.section, gap.reason, gap.subject), gap.at)))
        for gap in current.gaps
    ]
    return tuple(sorted((*unasked, *met), key=lambda gap: (gap.section, gap.subject, gap.reason)))
