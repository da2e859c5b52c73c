"""Rules about living jobs that do not move: paused, or pending or running for too long."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.costs.training import is_reinforcement
from watcher.resources.changes import Change, Transition
from watcher.resources.fine_tuning import FineTuningJob, JobStatus
from watcher.resources.snapshot import Section
from watcher.resources.training import Pace
from watcher.rules import checkpoints, commands, pace, text
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.labels import job_labels, job_name, owner_of, portal_link
from watcher.rules.pace import Allowance, allowance, pace_key
from watcher.rules.rule import View, job_subject
from watcher.rules.sight import late, unread_section
from watcher.rules.text import ago, moment, rfc3339

_HALTED = frozenset({JobStatus.PAUSING, JobStatus.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPaused:
    """Finds paused jobs, and reminds of them once after `remind_after`."""

    name: ClassVar[str] = "job_paused"

    remind_after: timedelta = timedelta(days=3)

    def evaluate(self, view: View) -> Iterator[Answer]:
        yield from _unread_as_a_whole(view, self.name)
        lost = _lost_with_account(view)
        for job in view.jobs:
            if job.id in lost:
                yield _gone(self.name, view, job, lost[job.id])
            elif job.status in _HALTED:
                yield unless_unread(view, self._finding(view, job))
        for transition in _status_changes(view):
            now = view.job(transition.resource)
            if (transition.before or "").lower() in _HALTED and now is not None and now.status not in _HALTED:
                yield _moved_on(self.name, view, now, transition)

    def _finding(self, view: View, job: FineTuningJob) -> Finding:
        since = view.status_since.get(job.id)
        is_long = since is not None and view.now - since >= self.remind_after
        state = f"is {job.raw_status}"
        if since is not None and view.now - since >= timedelta(minutes=1):
            state = f"has been {job.raw_status} since {moment(since)} at least"
        guess, advice = _pause_cause(job)
        kept, deploy = checkpoints.rescue(view, job, f"the job is {job.raw_status}")
        rewards = checkpoints.rewards(view.training.get(job.id))
        estimate = pace.announced_end(view, job) if pace.moves(view, job) else ""
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=job_subject(view.account, job.id),
            labels=job_labels(view.account, job, view.owner_tag),
            summary=f"{job_name(view.account, job)} {state}",
            description=" ".join(
                part
                for part in (
                    f"{guess} This is a guess: the service does not say who paused it. {advice}",
                    kept,
                    rewards,
                    estimate,
                )
                if part
            ),
            action=f"Resume it:\n{commands.resume_job(view.account, job)}\n"
            f"Or end it; work done is billed:\n{commands.cancel_job(view.account, job)}"
            + (f"\n{deploy}" if deploy else ""),
            evidence=_status_evidence(view, job, since, is_seen=True),
            values={
                "paused_since": rfc3339(since),
                "created_at": rfc3339(job.created_at),
                "owner_source": owner_of(view.account, job=job, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account),
            step=text.step(self.remind_after) if is_long else "",
            occurred_at=since,
            is_older=since is not None,
        )


def _pause_cause(job: FineTuningJob) -> tuple[str, str]:
    """What most likely paused the job, and what that means for going on."""
    if is_reinforcement(job):
        return (
            "Likely at its spending cap: reinforcement jobs pause there with a deployable checkpoint.",
            "Mind that after a resume there is no further cap.",
        )
    if "developer" in job.training_type.lower():
        return (
            "Likely pre-empted by the platform: Developer training runs on spare capacity and resumes by itself.",
            "Paused time is free.",
        )
    return (
        "Likely paused by a person.",
        "A job paused after its first step keeps a deployable checkpoint once that has passed its safety evaluation.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStalled:
    """Finds jobs that have been pending or running for longer than allowed, or than jobs of their kind usually are."""

    name: ClassVar[str] = "job_stalled"

    pending_after: timedelta = timedelta(hours=6)
    running_after: timedelta = timedelta(hours=24)
    #: From how many jobs of one model, region, training type and method on these say what is usual; 0: never.
    history: int = 8

    def evaluate(self, view: View) -> Iterator[Answer]:
        yield from _unread_as_a_whole(view, self.name)
        lost = _lost_with_account(view)
        for job in view.jobs:
            if job.id in lost:
                yield _gone(self.name, view, job, lost[job.id])
                continue
            allowed = self._allowance(view, job)
            since = view.status_since.get(job.id) or job.created_at
            if allowed is not None and since is None:
                because = f"it is not known since when the job is {job.raw_status}"
                yield Undecided(rule=self.name, subject=job_subject(view.account, job.id), because=because)
            elif allowed is not None and since is not None and view.now - since > allowed.limit:
                yield unless_unread(view, self._finding(view, job, since, allowed))
            else:
                changed = (t for t in _status_changes(view) if t.resource == job.id and t.before is not None)
                yield from (_moved_on(self.name, view, job, t) for t in changed)

    def _allowance(self, view: View, job: FineTuningJob) -> Allowance | None:
        key = pace_key(view.account, job)
        seen, least, method = view.paces.get(key, Pace()), self.history, key.method
        if job.status.is_waiting:
            span = "from creation to start"
            return allowance(self.pending_after, seen.queued, least=least, span=span, method=method)
        if job.status is JobStatus.RESUMING:  # it waits for capacity too, but no job's history tells how long
            return allowance(self.pending_after, (), least=0, span="")
        if job.status is JobStatus.RUNNING:
            span = "from start to success"
            return allowance(self.running_after, seen.ran, least=least, span=span, method=method)
        return None

    def _finding(self, view: View, job: FineTuningJob, since: datetime, allowed: Allowance) -> Finding:
        announced = pace.announced_end(view, job)
        if job.status is JobStatus.RUNNING:
            likely = "Large data sets and many epochs take long; the service ends a job after 720 hours."
        else:
            likely = "The region may be short of capacity, or too many jobs of this account are ahead of it."
        is_bound = job.id in view.undated
        span = f"since {moment(since)}"
        if is_bound:
            span = f"at least since {moment(since)}, when it was first seen so"
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=job_subject(view.account, job.id),
            labels=job_labels(view.account, job, view.owner_tag),
            summary=f"{job_name(view.account, job)} has been {job.raw_status} {span}",
            description=" ".join(part for part in (allowed.grounds, likely, announced) if part),
            action=f"See whether its log moves:\n{commands.read_job_events(view.account, job)}\n"
            f"Or end it; work done is billed, waiting is not:\n{commands.cancel_job(view.account, job)}",
            evidence="; ".join(
                part for part in (_status_evidence(view, job, since, is_seen=is_bound), allowed.seen) if part
            ),
            values={
                "since": rfc3339(since),
                "limit_seconds": int(allowed.limit.total_seconds()),
                "created_at": rfc3339(job.created_at),
                "estimated_finish": rfc3339(job.estimated_finish_at),
                "estimate_moves": pace.moves(view, job),
                "owner_source": owner_of(view.account, job=job, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account),
            occurred_at=since,
            is_older=is_bound,
        )


def _unread_as_a_whole(view: View, rule: str) -> Iterator[Undecided]:
    """That no job was ever read, and nothing of any can be said."""
    unread = unread_section(view, Section.JOBS) if view.reading.jobs is None else None
    if unread is not None:
        yield Undecided(rule=rule, subject=None, because=unread.because, since=unread.since)


def unless_unread(view: View, found: Finding) -> Answer:
    unread = unread_section(view, Section.JOBS)
    if unread is None:
        return found
    return Undecided(
        rule=found.rule, subject=found.subject, because=unread.because, since=unread.since, on_last_evidence=found
    )


def _status_changes(view: View) -> Iterator[Transition]:
    """The last change of each job's status, where this poll saw one."""
    last = {t.resource: t for t in view.transitions if t.is_job_status and t.change is not Change.GONE}
    yield from last.values()


def _moved_on(rule: str, view: View, job: FineTuningJob, transition: Transition) -> Cleared:
    verb = "it ended" if job.status.has_ended else "it is now"
    at = moment(transition.occurred_at or transition.observed_at)
    return Cleared(rule=rule, subject=job_subject(view.account, job.id), because=f"{verb} {job.raw_status}, {at}")


def _lost_with_account(view: View) -> dict[str, Transition]:
    """The jobs that were under way in an account that is gone, by id."""
    return {t.resource: t for t in view.transitions if t.is_job_status and t.change is Change.GONE}


def _gone(rule: str, view: View, job: FineTuningJob, transition: Transition) -> Cleared:
    because = f"its account is gone, seen {moment(transition.observed_at)}, and the job with it"
    return Cleared(rule=rule, subject=job_subject(view.account, job.id), because=because)


def _status_evidence(view: View, job: FineTuningJob, since: datetime | None, *, is_seen: bool = False) -> str:
    """What dates a job's status, and how it stands.

    Args:
        is_seen: Nothing that the service tells dates this status: it was first read at `since`, and began before.
    """
    if is_seen and since is not None:
        lines = [f"status {job.raw_status}, first seen so {moment(since)}; it may have begun earlier"]
    elif job.id in view.status_since and since is not None:
        lines = [f"status {job.raw_status} since {moment(since)}"]
    elif since is not None:
        lines = [
            f"status {job.raw_status}; since when is not known, so it is counted from its creation {moment(since)}"
        ]
    else:
        lines = [f"status {job.raw_status}; since when is not known"]
    if events := view.events.get(job.id):
        lines.append(f'last line of its log, {moment(events[-1].created_at)}: "{events[-1].message}"')
    if view.reading.jobs_at:
        lines.append(f"jobs read {ago(view.reading.jobs_at, view.now)}")
    if found_late := late(view, Section.JOBS):
        lines.append(found_late)
    return "; ".join(lines)
