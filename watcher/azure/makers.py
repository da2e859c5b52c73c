"""Looks among the jobs that are history for those that made the checkpoints which deployments name by their bare ids.

Such an id tells neither model nor base, and nothing else is ever asked about a job that had ended before it was seen.
So each is asked once, a few in one poll and the newest first, until every such id has its job. What is kept are the
checkpoints alone: how a training went that is history is nobody's news.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance
from watcher.azure.gaps import gap_of
from watcher.azure.insides import GIVEN_UP_AFTER, Seen
from watcher.azure.openai import OpenAI
from watcher.errors import AzureError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Gap, Known, Section
from watcher.resources.training import Training

#: Jobs that are asked in one poll of an account.
_AT_ONCE = 4

_READ = "the job had ended when it was first seen, and was asked for its checkpoints alone"
_GIVEN_UP = "the job had ended when it was first seen, and its checkpoints could not be read, though tried for a day"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """An answer that failed to come."""

    first_at: datetime
    at: datetime  #: the last time
    gap: Gap


class Makers:
    """Remembers what failed when; what was read is remembered by whoever keeps it, see `Known.training`.

    Args:
        every: How often a job that could not be read is tried again.
    """

    def __init__(self, openai: OpenAI, *, every: timedelta) -> None:
        self._openai = openai
        self._every = every
        self._tries: dict[str, dict[str, _Try]] = {}

    async def read(
        self,
        account: Account,
        auth: Authorizer,
        known: Known,
        seen: Seen,
        *,
        at: datetime,
        allowance: Allowance,
        by_key: bool,
    ) -> tuple[Mapping[str, Training], tuple[Gap, ...]]:
        """The checkpoints of a few jobs more, by job's id, and why another could not be read, this time or the last."""
        if not known.unplaced:  # as nearly always
            self._tries.pop(account.key, None)
            return {}, ()
        open_jobs = _not_asked(known, seen)
        tries = {job: one for job, one in self._tries.pop(account.key, {}).items() if job in open_jobs}
        found: dict[str, Training] = {}
        missing = set(known.unplaced)
        for job in self._due(open_jobs, tries, seen, at)[:_AT_ONCE] if open_jobs else ():
            remark = _READ
            try:
                checkpoints = await self._openai.checkpoints(
                    account, job, auth, dialect=seen.dialect, allowance=allowance
                )
            except NotFoundError:
                checkpoints = ()  # this address has none to offer, or the job has just been deleted
            except AzureError as exc:
                first_at = tries[job].first_at if job in tries else at
                if at - first_at < GIVEN_UP_AFTER:
                    gap = gap_of(exc, Section.TRAINING, at, subject=job, by_key=by_key)
                    tries[job] = _Try(first_at=first_at, at=at, gap=gap)
                    break
                checkpoints, remark = (), _GIVEN_UP
            tries.pop(job, None)
            found[job] = Training(job=job, read_at=at, is_final=True, checkpoints=checkpoints, remark=remark)
            missing -= {one.id.lower() for one in checkpoints}
            if not missing:
                break
        if tries:
            self._tries[account.key] = tries
        failures = sorted(tries.values(), key=lambda one: one.at)
        return found, tuple(one.gap for one in failures[-1:])  # what keeps one from being read mostly keeps them all

    def _due(self, open_jobs: frozenset[str], tries: Mapping[str, _Try], seen: Seen, at: datetime) -> list[str]:
        """Those to be asked now: the newest first, and behind them all those that have failed before.

        None for a while after a failure: mostly the next would fail too.
        """
        if any(at - one.at < self._every for one in tries.values()):
            return []
        listed = [job for job in seen.jobs().values() if job.id in open_jobs]
        listed.sort(key=_created_at, reverse=True)
        listed.sort(key=lambda job: job.id in tries)
        return [job.id for job in listed]


def _not_asked(known: Known, seen: Seen) -> frozenset[str]:
    """The jobs that have ended and whose inside was not read, nor will be since their end is news."""
    ended = {job for job, status in seen.statuses.items() if status.has_ended}
    final = {job for job, (_, is_final) in known.training.items() if is_final}
    return frozenset(ended - final - known.unread_training.keys() - seen.ended)


def _created_at(job: FineTuningJob) -> float:
    return job.created_at.timestamp() if job.created_at else 0.0
