"""What holds of an account after a new snapshot: what it read replaces what was known, and all else stays.

Pure. `absorb` agrees with `diff` in `changes.py`: a snapshot against the reading that absorbed it shows no change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watcher.resources.deployment import Deployment, Usage
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.model import CustomModel
from watcher.resources.snapshot import NAMELESS, Gap, Reading, Section, Snapshot


def absorb(previous: Reading, current: Snapshot) -> Reading:
    """The reading that holds after `current`: sections that were read replace the old ones, the others stay."""
    jobs, jobs_at = previous.jobs, previous.jobs_at
    if current.jobs is not None:
        jobs_at = current.at
        if current.jobs.items is not None:
            before = {job.id: job for job in previous.jobs or ()}
            listed = (
                replace(job, announced_finish_at=announced(before.get(job.id), job)) for job in current.jobs.items
            )
            jobs = distinct((*_kept_jobs(previous, current), *listed))
    deployments, deployments_at = previous.deployments, previous.deployments_at
    if current.deployments is not None:
        deployments_at = current.at
        deployments = living(previous, current)
    usage, usage_at = previous.usage, previous.usage_at
    if current.usage is not None:
        usage, usage_at = merge_usage(previous.usage or {}, current.usage), current.at
    files, files_at = previous.files, previous.files_at
    if current.files is not None:
        files, files_at = (
            previous.files if current.files.items is None else _listed_files(previous, current),
            current.at,
        )
    models, models_at = previous.models, previous.models_at
    if current.models is not None:
        models, models_at = (
            (previous.models if current.models.items is None else _listed_models(previous, current)),
            current.at,
        )
    return replace(
        previous,
        account=current.account,
        jobs=jobs,
        jobs_at=jobs_at,
        deployments=deployments,
        deployments_at=deployments_at,
        usage=usage,
        usage_at=usage_at,
        files=files,
        files_at=files_at,
        models=models,
        models_at=models_at,
        gaps=open_gaps(previous.gaps, current),
    )


def _kept_jobs(previous: Reading, current: Snapshot) -> Iterator[FineTuningJob]:
    """The known jobs that are not listed and may be listed all the same: as an item that could not be read."""
    unread = current.unread_items(Section.JOBS)
    if not unread or current.jobs is None:
        return
    listed = {job.id for job in current.jobs.items or ()}
    yield from (job for job in previous.jobs or () if job.id not in listed and (job.id in unread or NAMELESS in unread))


#: The service moves its estimate at each look; less than this is no news.
_SLIP = timedelta(minutes=15)


def announced(before: FineTuningJob | None, job: FineTuningJob) -> datetime | None:
    """The end that is recorded as announced: the first one, until the service's estimate is far enough from it."""
    old, new = before.announced_finish_at if before else None, job.estimated_finish_at
    if job.status.has_ended or new is None:
        return old
    return new if old is None or abs(new - old) >= _SLIP else old


def distinct(jobs: Sequence[FineTuningJob]) -> tuple[FineTuningJob, ...]:
    """Each job once, as last read: a job that comes while pages are read pushes others onto a second page."""
    return tuple({job.id: job for job in jobs}.values())


def _listed_files(previous: Reading, current: Snapshot) -> tuple[File, ...]:
    """The files that a listing names, with the known ones that it may name as an item that could not be read."""
    assert current.files is not None and current.files.items is not None
    listed = {file.id: file for file in current.files.items}
    if unread := current.unread_items(Section.FILES):
        kept = {f.id: f for f in previous.files or () if f.id in unread or NAMELESS in unread}
        listed = kept | listed
    return tuple(sorted(listed.values(), key=lambda file: file.id))


def _listed_models(previous: Reading, current: Snapshot) -> tuple[CustomModel, ...]:
    """The models that a listing names, with the known ones that it may name as an item that could not be read."""
    assert current.models is not None and current.models.items is not None
    listed = {model.id: model for model in current.models.items}
    if unread := current.unread_items(Section.MODELS):
        kept = {m.id: m for m in previous.models or () if m.id in unread or NAMELESS in unread}
        listed = kept | listed
    return tuple(sorted(listed.values(), key=lambda model: model.id))


def living(previous: Reading, current: Snapshot) -> tuple[Deployment, ...]:
    """The deployments that live after `current`, each with its incarnation.

    One that a listing lacks stays, until its own address has answered 404.
    """
    if current.deployments is not None and current.deployments.items is None and not current.absent:
        return previous.deployments or ()
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
    return replace(
        read,
        read_from=min(known.read_from, read.read_from),
        read_to=max(known.read_to, read.read_to),
        # A call once seen stays seen, though Azure may lose old points.
        last_success_at=_latest(known.last_success_at, read.last_success_at),
        last_failure_at=_latest(known.last_failure_at, read.last_failure_at),
        bucket_seconds=max(known.bucket_seconds, read.bucket_seconds),
        last_unclear_at=_latest(known.last_unclear_at, read.last_unclear_at),
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def closed_gaps(previous: Reading, current: Reading) -> tuple[Gap, ...]:
    """The gaps that were open in `previous` and are not in `current`, dated from when they were first met."""
    still_open = {_identity(gap) for gap in current.gaps}
    return tuple(gap for gap in previous.gaps if _identity(gap) not in still_open)


def open_gaps(previous: Sequence[Gap], current: Snapshot) -> tuple[Gap, ...]:
    """The gaps that stand after `current`: its own, dated from when first met, and those of what was not asked."""
    first_met = {_identity(gap): gap for gap in previous}
    met = [_since(first_met.get(_identity(gap), gap), gap) for gap in current.gaps]
    again = {_identity(gap) for gap in met}
    unasked = [gap for gap in previous if _is_unasked(gap, current) and _identity(gap) not in again]
    return tuple(sorted((*unasked, *met), key=lambda gap: (gap.section, gap.subject, gap.reason)))


def _since(first: Gap, again: Gap) -> Gap:
    """The gap as it was met now, dated from when it was met first."""
    return again if again.at <= first.at else replace(again, at=first.at, stood_at=first.stood_at)


def _identity(gap: Gap) -> tuple[Section, str, str]:
    return gap.section, gap.reason, gap.subject


def _is_unasked(gap: Gap, current: Snapshot) -> bool:
    """Whether `current` says nothing of what a gap is about. The inside of jobs is asked for along with the jobs."""
    return current.jobs is None if gap.section is Section.TRAINING else gap.section not in current.asked
