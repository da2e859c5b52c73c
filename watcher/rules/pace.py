"""How long a job may wait or run before that is strange: by the configuration, and by what such jobs usually take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from watcher.resources.account import Account
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.model import base_of
from watcher.resources.training import PaceKey
from watcher.rules.rule import View
from watcher.rules.text import counted, duration, moment

#: Jobs that usually take minutes are not called late within this.
_LEAST = timedelta(minutes=30)
#: A job that takes over twice as long as nearly all others is late.
_LATE = 2
#: Where nearly all others take two thirds of the configured limit, it would cry at ordinary days.
_NORMAL = 1.5
_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How long is still in order."""

    limit: timedelta
    grounds: str  #: as a sentence about what has lasted longer
    seen: str = ""  #: what such jobs took, for the evidence; "": too few were seen


def pace_key(account: Account, job: FineTuningJob) -> PaceKey:
    """The kind of job: those of one base model, region, training type and method wait and run alike.

    A job that trains a custom model further is of the kind of its base.
    """
    return PaceKey(
        model=base_of(job.model) or job.model,
        location=account.location,
        training_type=job.training_type.lower(),
        method=job.method.lower(),
    )


def allowance(configured: timedelta, seen: Sequence[float], *, least: int, span: str, method: str = "") -> Allowance:
    """The limit by the configuration, unless at least `least` jobs of the kind say that another is due.

    They make it shorter where they are quick, and longer where to last beyond the configured limit is normal.

    Args:
        seen: Seconds that such jobs took, in ascending order.
        least: From how many on they count; 0: never.
        span: What these seconds lie between, in words.
        method: By which these jobs train; "": unknown.
    """
    by_configuration = f"That is longer than the {duration(configured)} allowed by the configuration."
    if not least or len(seen) < least:
        return Allowance(limit=configured, grounds=by_configuration)
    usual = timedelta(seconds=percentile(seen, _SHARE))
    by_history = max(_LATE * usual, _LEAST)
    jobs = f"95 % of the {counted(len(seen), f'{method} job'.strip())} of this kind that watcher saw"
    what = f"{jobs} took at most {duration(usual)} {span}"
    is_normal = _NORMAL * usual > configured
    if by_history >= configured and not is_normal:
        return Allowance(limit=configured, grounds=by_configuration, seen=what)
    much = "twice that" if by_history > _LEAST else duration(_LEAST)
    grounds = f"That is longer than {jobs} (p95 {duration(usual)} {span}), and over {much}."
    if is_normal:
        grounds += f" The configured {duration(configured)} is not applied, since such jobs often take about as long."
    return Allowance(limit=by_history, grounds=grounds, seen=what)


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the ascending `values` that `share` of them do not exceed."""
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def announced_end(view: View, job: FineTuningJob) -> str:
    """What the service says of a living job's end, as sentences; how often it has changed its mind; "": nothing."""
    said = []
    if (end := job.estimated_finish_at) is not None:
        if end < view.now:
            said.append(f"The service's estimate of its end, {moment(end)}, has passed and was wrong.")
        else:
            said.append(f"The service estimates its end at {moment(end)}, which may be wrong.")
    if moved := moves(view, job):
        ends = [end for _, end in view.estimates[job.id].seen]
        said.append(f"It has moved its estimate {times(moved)}, from {moment(ends[0])} to {moment(ends[-1])}.")
    return " ".join(said)


def moves(view: View, job: FineTuningJob) -> int:
    """How often the service has announced another end than before."""
    estimates = view.estimates.get(job.id)
    ends = [end for _, end in estimates.seen] if estimates else []
    return sum(before != after for before, after in pairwise(ends))


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
