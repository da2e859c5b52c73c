"""Which ends the service has announced for a job, out of what was recorded of it. Pure."""

from collections.abc import Iterable
from datetime import datetime

from watcher.resources.changes import ESTIMATED_FINISH, Transition
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.training import Estimates


def announced_ends(job: FineTuningJob, changes: Iterable[Transition], *, first_seen_at: datetime) -> Estimates:
    """The ends by the changes of this job, which name both sides of each; else the one that is recorded.

    Args:
        changes: Oldest first; those of other attributes are passed over.
    """
    moved = [change for change in changes if change.attribute == ESTIMATED_FINISH]
    first = moved[0].before if moved else job.announced_finish_at and job.announced_finish_at.isoformat()
    seen = [(first_seen_at, first), *((change.observed_at, change.after) for change in moved)]
    return Estimates(seen=tuple((at, datetime.fromisoformat(end)) for at, end in seen if end))
