"""Reads the inside of jobs: checkpoints while one is under way, and once more, with the result file, when it has ended.

Few at a time and each seldom, so that a poll stays cheap; what fails is tried again later, and given up a day after the
job's end was seen. Only result files are ever downloaded, and only those that the job itself lists.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance
from watcher.azure.gaps import gap_of
from watcher.azure.openai import Dialect, OpenAI
from watcher.azure.results import decode_results, points_of
from watcher.errors import AzureError, ForbiddenError, MalformedError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobEvent, JobStatus
from watcher.resources.left_out import left_out
from watcher.resources.snapshot import Gap, Known, Section
from watcher.resources.training import CurvePoint, CurveSource, Training

#: Jobs whose inside is read in one poll of an account; a second one only if the first cost few requests.
_AT_ONCE = 2
_FEW_REQUESTS = 3
#: Result files of one job that are tried; it lists one as a rule.
_FILES = 2
_LARGE_BYTES = 256 * 1024
#: How long after its end was seen a job's inside is tried again.
GIVEN_UP_AFTER = timedelta(hours=24)

UNDER_WAY = frozenset({JobStatus.RUNNING, JobStatus.PAUSING, JobStatus.PAUSED, JobStatus.RESUMING})

_NO_ROLE = (
    "the result file may not be read: the role Cognitive Services OpenAI User is missing, or another with the data "
    "action Microsoft.CognitiveServices/accounts/OpenAI/*/read"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a poll has just seen of an account's jobs."""

    statuses: Mapping[str, JobStatus]
    ended: frozenset[str]  #: ids of those whose end is news
    events: Mapping[str, tuple[JobEvent, ...]]  #: by job id, of those that were read just now
    jobs: Callable[[], Mapping[str, FineTuningJob]]  #: decodes the listing where that was not needed yet
    is_whole: Callable[[], bool]  #: `False`: a job that is missing may be listed all the same
    dialect: Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """The last time that a job's inside was asked for."""

    at: datetime
    gap: Gap | None = None  #: what stood in the way


_Wanted = tuple[str, bool]  #: a job's id, and whether it has ended


class Insides:
    """Remembers what was tried when; nothing of it is needed for correctness.

    Args:
        every: How often the inside of a job under way is read, and what failed is tried again.
        read_results: `False`: no result file is downloaded.
    """

    def __init__(self, openai: OpenAI, *, every: timedelta, read_results: bool) -> None:
        self._openai = openai
        self._every = every
        self._read_results = read_results
        self._tries: dict[str, dict[_Wanted, _Try]] = {}
        self._skipped: dict[str, dict[str, int]] = {}

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
        """The insides that are due, by job's id, and why others could not be read, this time or the last."""
        wanted = _wanted(known, seen)
        tries = {key: one for key, one in self._tries.get(account.key, {}).items() if key in wanted}
        skipped = self._remember(account, wanted, seen)
        found: dict[str, Training] = {}
        for job, has_ended in self._due(wanted, tries, known, at)[:_AT_ONCE]:
            if found and allowance.requests >= _FEW_REQUESTS:
                break
            reading = _Reading(self._openai, account, auth, seen, at, allowance)
            if has_ended:
                training, error = await reading.ended(job, skipped.get(job), with_results=self._read_results)
                if error is not None and at - known.unread_training.get(job, at) >= GIVEN_UP_AFTER:
                    remark = training.remark or "the training's metrics could not be read, though tried for a day"
                    training, error = replace(training, is_final=True, remark=remark), None
            else:
                training, error = await reading.under_way(job, skipped.get(job))
            gap = None if error is None else gap_of(error, Section.TRAINING, at, subject=job, by_key=by_key)
            tries[job, has_ended] = _Try(at=at, gap=gap)
            if gap is None or training.checkpoints:
                found[job] = training
        self._tries[account.key] = tries
        if not tries:
            del self._tries[account.key]
        return found, tuple(one.gap for one in tries.values() if one.gap is not None)

    def _due(
        self, wanted: Iterable[_Wanted], tries: Mapping[_Wanted, _Try], known: Known, at: datetime
    ) -> list[_Wanted]:
        """Those to be read now: ended ones first, then those that were read the longest ago."""

        def last(one: _Wanted) -> datetime | None:
            tried = tries[one].at if one in tries else None
            read = None if one[1] or one[0] not in known.training else known.training[one[0]][0]
            return max((time for time in (tried, read) if time is not None), default=None)

        due = [(one, last(one)) for one in wanted]
        due = [(one, time) for one, time in due if time is None or at - time >= self._every]
        due.sort(key=lambda pair: (not pair[0][1], pair[1] is not None, pair[1] or at, pair[0][0]))
        return [one for one, _ in due]

    def _remember(self, account: Account, wanted: Iterable[_Wanted], seen: Seen) -> Mapping[str, int]:
        """What the logs of jobs said of examples that were left out: they say so long before the job's end."""
        if not seen.events and account.key not in self._skipped:  # as nearly always
            return {}
        said = {job: number for job, events in seen.events.items() if (number := _skipped(events)) is not None}
        jobs = {job for job, _ in wanted}
        merged = {**self._skipped.get(account.key, {}), **said}
        kept = {
            job: number
            for job, number in merged.items()
            if job in jobs or not seen.statuses.get(job, JobStatus.FAILED).has_ended
        }
        self._skipped[account.key] = kept
        if not kept:
            del self._skipped[account.key]
        return kept


def _skipped(events: Iterable[JobEvent]) -> int | None:
    """How many examples or images a log says were left out; `None`: it does not say."""
    said = left_out(events)
    return said.count if said else None


def _wanted(known: Known, seen: Seen) -> frozenset[_Wanted]:
    """The jobs whose inside may still be read, each with whether it has ended."""
    final = {job for job, (_, is_final) in known.training.items() if is_final}
    ended = {job for job in known.unread_training.keys() | seen.ended if job not in final}
    under_way = {job for job, status in seen.statuses.items() if status in UNDER_WAY}
    return frozenset({(job, True) for job in ended - under_way} | {(job, False) for job in under_way})


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of one account's jobs."""

    openai: OpenAI
    account: Account
    auth: Authorizer
    seen: Seen
    at: datetime
    allowance: Allowance

    async def under_way(self, job: str, skipped: int | None) -> tuple[Training, AzureError | None]:
        """The checkpoints so far, or what stood in the way."""
        checkpoints, error = await self._checkpoints(job)
        return self._training(job, checkpoints, points_of(checkpoints), skipped=skipped), error

    async def ended(self, job: str, skipped: int | None, *, with_results: bool) -> tuple[Training, AzureError | None]:
        """All that is left of a training, or what of it could be read and what stood in the way of the rest."""
        listed = self.seen.jobs().get(job)
        if listed is None and self.seen.is_whole():
            gone = Training(job=job, read_at=self.at, is_final=True, skipped=skipped, remark="the job is not listed")
            return gone, None
        checkpoints, error = await self._checkpoints(job)
        training = self._training(job, checkpoints, points_of(checkpoints), skipped=skipped)
        if error is not None or listed is None:
            return training, error or MalformedError("the job stands in its list as an item that cannot be read")
        if with_results:
            points, remark, error = await self._results(listed)
            if points:
                training = replace(training, points=points, source=CurveSource.RESULTS)
            training = replace(training, remark=remark)
        if skipped is None:
            training = replace(training, skipped=await self._left_out(job))
        return replace(training, is_final=error is None), error

    def _training(
        self, job: str, checkpoints: tuple[Checkpoint, ...], points: tuple[CurvePoint, ...], *, skipped: int | None
    ) -> Training:
        return Training(
            job=job,
            read_at=self.at,
            checkpoints=checkpoints,
            points=points,
            source=CurveSource.CHECKPOINTS if points else None,
            skipped=skipped,
        )

    async def _checkpoints(self, job: str) -> tuple[tuple[Checkpoint, ...], AzureError | None]:
        try:
            return await self.openai.checkpoints(
                self.account, job, self.auth, dialect=self.seen.dialect, allowance=self.allowance
            ), None
        except NotFoundError:
            return (), None  # this address has none to offer, or the job has just been deleted
        except AzureError as exc:
            return (), exc

    async def _results(self, job: FineTuningJob) -> tuple[tuple[CurvePoint, ...], str, AzureError | None]:
        """The curve in a job's result file; else why there is none, and the error if another try may help."""
        remark = "the job lists no result file" if job.status is JobStatus.SUCCEEDED else ""
        for file in job.result_files[:_FILES]:
            try:
                body = await self.openai.result_file(
                    self.account, file, self.auth, dialect=self.seen.dialect, allowance=self.allowance
                )
                # A second of arithmetic must not hold up the loop.
                is_large = len(body) > _LARGE_BYTES
                points = await asyncio.to_thread(decode_results, body) if is_large else decode_results(body)
            except NotFoundError:
                remark = f"the result file {file} is not there any more"
            except MalformedError as exc:
                remark = f"the result file {file} is of no use: {exc.message}"
            except AzureError as exc:
                is_refused = isinstance(exc, ForbiddenError) and exc.reason not in ("network", "blocked")
                return (), _NO_ROLE if is_refused else "", exc
            else:
                if points:
                    return points, "", None
                remark = f"the result file {file} holds no row with a number"
        return (), remark, None

    async def _left_out(self, job: str) -> int | None:
        """What the log says of examples that were left out, where it was not read before; a page of it is enough."""
        events = self.seen.events.get(job)
        if events is None:
            try:
                events, _ = await self.openai.events(
                    self.account, job, self.auth, dialect=self.seen.dialect, allowance=self.allowance, page_cap=1
                )
            except AzureError:
                return None  # a number less to tell, and no more
        return _skipped(events)
