"""How long jobs have waited and run, out of what was just seen of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from watcher.resources.account import Account
from watcher.resources.changes import Transition, started_at
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.training import Duration
from watcher.rules.pace import pace_key


def durations(
    account: Account,
    jobs: Iterable[FineTuningJob],
    transitions: Sequence[Transition],
    events: Mapping[str, tuple[JobEvent, ...]],
    known: Mapping[str, Duration],
) -> tuple[Duration, ...]:
    """What becomes known of each job that has started or succeeded, as far as the service dates both ends.

    Args:
        events: By job id, as far as read just now: a job's own log says when it began.
        known: By job id, what was known before.
    """
    found = []
    by_id = {job.id: job for job in jobs}
    for id_ in dict.fromkeys(t.name for t in transitions if t.is_job_status):
        job = by_id.get(id_)
        if job is None or job.created_at is None:
            continue
        own = [t for t in transitions if t.is_job_status and t.name == id_]
        before = known.get(id_)
        began = started_at(events.get(id_, ())) or _at(own, JobStatus.RUNNING) or _known_start(job.created_at, before)
        if began is None or began < job.created_at:
            continue
        queued = (began - job.created_at).total_seconds()
        after = Duration(job=id_, key=pace_key(account, job), queued=queued, at=began)
        ended = _at(own, JobStatus.SUCCEEDED)
        if ended is not None and ended >= began:
            after = replace(after, ran=(ended - began).total_seconds(), at=ended)
        elif before is not None and before.ran is not None:
            continue
        if after != before:
            found.append(after)
    return tuple(found)


def _at(transitions: Iterable[Transition], status: JobStatus) -> datetime | None:
    """When the service says that a job came to a status."""
    return next((t.occurred_at for t in transitions if t.after == status.value and t.occurred_at is not None), None)


def _known_start(created_at: datetime, known: Duration | None) -> datetime | None:
    """When it began, where no run is known yet: then `at` is the start."""
    if known is None or known.queued is None or known.ran is not None:
        return None
    return known.at
