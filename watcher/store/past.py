"""All that is recorded of one account, and what was known at some time: a snapshot as that time's poll would bring.

What the record cannot tell of a time is said: see `Past.blind`. Nothing is read here.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from watcher.resources.account import GONE, Account
from watcher.resources.account_changes import EXCLUDED, INCLUDED, SCOPE, STATE
from watcher.resources.calls import DELAY, HOUR, Calls, Coverage, HourOfCalls
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.resources.model import CustomModel
from watcher.resources.snapshot import Gap, Known, Listing, Section, Snapshot
from watcher.resources.training import Training
from watcher.store.scope import NEXT_COLUMNS
from watcher.store.then import Life, deployment_at, file_at, job_at, lives_at

T = TypeVar("T")

EVERYTHING = frozenset(NEXT_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A job, file or model as it was recorded last, and from when to when it was listed."""

    noun: FineTuningJob | File | CustomModel
    first_seen_at: datetime
    left_at: datetime | None

    def is_listed(self, at: datetime) -> bool:
        return self.first_seen_at <= at and (self.left_at is None or at < self.left_at)


@dataclass(frozen=True, kw_only=True)
class Past:
    """All that is recorded of one account."""

    account: Account
    first_seen_at: datetime
    removed_at: datetime | None
    read: Mapping[Section, datetime]  #: the sections that were read at least once, with when first
    dialect: str
    transitions: tuple[Transition, ...]  #: oldest first
    jobs: tuple[Seen, ...]
    files: tuple[Seen, ...]
    models: tuple[Seen, ...]
    lives: tuple[Life, ...]
    events: Mapping[str, tuple[JobEvent, ...]]  #: by job, oldest first
    training: Mapping[str, Training]  #: by job
    gaps: tuple[tuple[Gap, datetime | None], ...]  #: each with when it closed
    calls: Mapping[str, Calls]
    coverage: Coverage
    metered: tuple[datetime, ...] = ()  #: when metrics brought something new, in order
    moments: tuple[datetime, ...] = ()  #: when something else of it changed, in order

    def is_watched(self, at: datetime) -> bool:
        """Whether it was in scope and stood."""
        said = [t for t in self.transitions if t.kind is ResourceKind.ACCOUNT and t.attribute in (STATE, SCOPE)]
        before = [t for t in said if t.observed_at <= at]
        if before:
            last = before[-1]
            return last.change is not Change.GONE and last.after != EXCLUDED
        if at < self.first_seen_at:
            return False
        if said:
            return said[0].change is Change.GONE or said[0].before == INCLUDED
        return self.removed_at is None or at < self.removed_at

    def was_read(self, at: datetime) -> bool:
        """Whether anything of it had been read, or could not be."""
        return any(first <= at for first in self.read.values()) or any(gap.at <= at for gap, _ in self.gaps)

    def is_gone(self, at: datetime) -> bool:
        """Whether the last that was heard of it was that its own address answered 404."""
        said = [t for t in self.transitions if t.kind is ResourceKind.ACCOUNT and t.observed_at <= at]
        return bool(said) and said[-1].change is Change.GONE

    def snapshot(
        self, at: datetime, *, known: Known | None = None, sections: frozenset[Section] = EVERYTHING
    ) -> Snapshot:
        """What a poll at that time would have brought; without the account's own changes of tags.

        Args:
            known: What is known already, and need not come again; `None`: all comes.
            sections: What the poll asks for.
        """
        known = known or Known()
        open_gaps = tuple(gap for gap, ends_at in self.gaps if gap.at <= at and (ends_at is None or at < ends_at))
        unread = {gap.section for gap in open_gaps if not gap.subject}
        digest = f"{bisect_right(self.moments, at)} of {len(self.moments)}"

        def can_read(section: Section) -> bool:
            first = self.read.get(section)
            return section in sections and section not in unread and first is not None and first <= at

        def listing(section: Section, known_digest: str, items: Callable[[datetime], Iterable[T]]) -> Listing[T] | None:
            if not can_read(section):
                return None
            return Listing(digest=digest, items=None if digest == known_digest else tuple(items(at)))

        jobs = listing(Section.JOBS, known.jobs_digest, self._jobs)
        deployments = listing(Section.DEPLOYMENTS, known.deployments_digest, self._living)
        absent: frozenset[str] = frozenset()
        departures: dict[str, Departure] = {}
        if deployments is not None:
            absent = self._absent(at) if deployments.items is not None else frozenset()
            departures = self.departures(at)
        if deployments is not None and known.statuses is not None:
            absent &= {one.key for one in known.deployments}
            asked = absent | {one.key for one in known.departed}
            departures = {key: departure for key, departure in departures.items() if key in asked}
        return Snapshot(
            account=_standing(self.account),
            at=at,
            asked=sections | {Section.TRAINING} if jobs is not None else sections,
            jobs=jobs,
            deployments=deployments,
            usage=self._usage(at) if can_read(Section.METRICS) else None,
            events={} if jobs is None else self._events(jobs, known, open_gaps, at),
            absent=absent,
            departures=departures,
            files=listing(Section.FILES, known.files_digest, self._files),
            models=listing(Section.MODELS, known.models_digest, self._models),
            training={} if jobs is None else self._training(known, at),
            gaps=tuple(gap for gap in open_gaps if _is_asked(gap, sections, has_jobs=jobs is not None)),
            dialect="" if jobs is None else self.dialect,
        )

    def _events(
        self, jobs: Listing[FineTuningJob], known: Known, open_gaps: Iterable[Gap], at: datetime
    ) -> dict[str, tuple[JobEvent, ...]]:
        """Of the jobs that moved, and of those whose end nobody could judge yet."""
        statuses = known.statuses or {}
        moved = {job.id for job in jobs.items or () if statuses.get(job.id) is not job.status}
        silent = {gap.subject for gap in open_gaps if gap.section is Section.JOBS}
        return {
            job: tuple(event for event in lines if event.created_at <= at)
            for job, lines in self.events.items()
            if job in (moved | known.unexplained) - silent
        }

    def _training(self, known: Known, at: datetime) -> dict[str, Training]:
        return {
            job: one
            for job, one in self.training.items()
            if one.read_at <= at and known.training.get(job, (None, False))[0] != one.read_at
        }

    def departures(self, at: datetime) -> dict[str, Departure]:
        """What the activity log says of the newest life of each deployment that had ended, by key."""
        ended = [one for one in self.lives if one.ended_at is not None and one.ended_at <= at]
        newest = {one.noun.key: one for one in sorted(ended, key=lambda one: one.ended_at or at)}
        return {key: one.departure for key, one in newest.items() if one.departure is not None}

    def blind(self, since: datetime) -> tuple[str, ...]:
        """What the record does not tell of the time from `since` on, each as a sentence's beginning."""
        found = []
        if Section.METRICS in self.read and self.lives:
            first = min((begin for begin, _ in self.coverage.spans), default=None)
            if first is None:
                found.append("calls by the hour: none were kept")
            elif first > max(since, self.first_seen_at):
                found.append("calls by the hour: they are kept from a later day on")
        again = [job for job, one in self.training.items() if since <= one.read_at and not one.is_final]
        if again:
            found.append("the curves of jobs that are under way: only the newest reading is kept")
        return tuple(found)

    @cached_property
    def _said(self) -> Mapping[tuple[ResourceKind, str], Sequence[Transition]]:
        """Transitions by what they are about; deployments by their key."""
        found: dict[tuple[ResourceKind, str], list[Transition]] = {}
        for t in self.transitions:
            resource = t.resource.lower() if t.kind is ResourceKind.DEPLOYMENT else t.resource
            found.setdefault((t.kind, resource), []).append(t)
        return found

    def _jobs(self, at: datetime) -> Iterator[FineTuningJob]:
        for seen in self.jobs:
            if isinstance(seen.noun, FineTuningJob) and seen.is_listed(at):
                yield job_at(seen.noun, self._said.get((ResourceKind.JOB, seen.noun.id), ()), at)

    def _files(self, at: datetime) -> Iterator[File]:
        for seen in self.files:
            if not isinstance(seen.noun, File) or not seen.is_listed(at):
                continue
            yield file_at(seen.noun, self._said.get((ResourceKind.FILE, seen.noun.id), ()), at)

    def _models(self, at: datetime) -> Iterator[CustomModel]:
        for seen in self.models:
            if isinstance(seen.noun, CustomModel) and seen.is_listed(at):
                yield seen.noun

    def _living(self, at: datetime) -> Iterator[Deployment]:
        for life in self.lives:
            own = self._said.get((ResourceKind.DEPLOYMENT, life.noun.key), ())
            if lives_at(life, own, at):
                yield deployment_at(life.noun, [t for t in own if t.incarnation == life.noun.incarnation], at)

    def _absent(self, at: datetime) -> frozenset[str]:
        living = {one.key for one in self._living(at)}
        return frozenset(one.noun.key for one in self.lives if one.first_seen_at <= at) - living

    def _usage(self, at: datetime) -> dict[str, Usage] | None:
        """What the metrics told: the span that was read up to then, and of it the hours whose calls had come."""
        if not self.coverage.spans:
            return {}  # nothing that could go idle was ever there
        begin, end = max((span for span in self.coverage.spans if span[0] < at), default=(at, at))
        read_to = min(end, _hour(at - DELAY))
        if read_to <= begin:
            return None
        nameless = self.calls.get("")
        adrift = [hour for hour, _ in _known(nameless, begin, at)]
        found = {}
        for one in self._living(at):
            name = one.name.lower()
            hours = _known(self.calls.get(name), begin, at)
            unclear = [hour for hour, calls_ in hours if calls_.unclear] + adrift
            found[name] = Usage(
                deployment=name,
                read_from=begin,
                read_to=read_to,
                last_success_at=max((hour for hour, calls_ in hours if calls_.ok), default=None),
                last_failure_at=max((hour for hour, calls_ in hours if calls_.other), default=None),
                last_unclear_at=max(unclear, default=None),
            )
        return found


def _known(calls_: Calls | None, begin: datetime, at: datetime) -> list[tuple[datetime, HourOfCalls]]:
    """The hours with calls from `begin` on that had been read by then."""
    if calls_ is None:
        return []
    return [
        (hour, one)
        for hour, one in calls_.hours.items()
        if begin <= hour and (hour + HOUR + DELAY if one.seen_at is None else one.seen_at) <= at
    ]


def _is_asked(gap: Gap, sections: frozenset[Section], *, has_jobs: bool) -> bool:
    return has_jobs if gap.section is Section.TRAINING else gap.section in sections or gap.section is Section.ACCOUNT


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _standing(account: Account) -> Account:
    return replace(account, provisioning_state="Succeeded") if account.provisioning_state == GONE else account
