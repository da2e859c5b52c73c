"""What became of a job that has just ended. Five event rules share this one answer, so that exactly one of them fires.

A refusal on RAI grounds may stand in the job's error, in its events, or in both; the events are read once, in the poll
that sees the job's end. Where that failed, the answer waits for a later poll, but not for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from watcher.resources.changes import ResourceKind, Transition
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.rules.rai import RaiStage, Refusal, has_trained, refusal_of
from watcher.rules.rule import View

#: How long an ended job's events are waited for before it is judged by its own error alone.
EVENTS_WAIT = timedelta(hours=1)


class Outcome(StrEnum):
    """The ways in which a job ends, as far as its owner would do something else next."""

    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    FAILED = "failed"
    RAI_DATA_FAILED = "rai_data_failed"
    RAI_MODEL_FAILED = "rai_model_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that has just ended, and what is known of why."""

    job: FineTuningJob
    transition: Transition
    events: tuple[JobEvent, ...] | None  #: oldest first; `None`: not read
    refusal: Refusal | None
    possible: frozenset[Outcome]  #: one when it is decided; several while the events are still to be read

    @property
    def outcome(self) -> Outcome | None:
        """What became of it; `None`: cannot be said yet."""
        return next(iter(self.possible)) if len(self.possible) == 1 else None


def ended_jobs(view: View, wait: timedelta = EVENTS_WAIT) -> Iterator[EndedJob]:
    """The jobs whose last transition ended them, first sight left out; each once."""
    last: dict[str, Transition] = {}
    for transition in sorted(view.transitions, key=lambda t: t.observed_at):  # steps seen at once keep their order
        if transition.kind is ResourceKind.JOB and transition.attribute == "status":
            last[transition.resource] = transition
    for transition in last.values():
        if transition.is_history or not _status(transition.after).has_ended:
            continue
        yield _judge(view, transition, wait)


def _status(raw: str | None) -> JobStatus:
    try:
        return JobStatus((raw or "").lower())
    except ValueError:
        return JobStatus.UNKNOWN


def _judge(view: View, transition: Transition, wait: timedelta) -> EndedJob:
    status = _status(transition.after)
    # A transition may be presented again after its job has left the list: it is told all the same.
    job = view.job(transition.resource) or FineTuningJob(
        id=transition.resource,
        account=transition.account,
        status=status,
        raw_status=transition.after or "",
        created_at=None,
    )
    events = view.events.get(job.id)
    refusal = None if status is JobStatus.CANCELLED else refusal_of(job, events or ())
    is_final = events is not None or view.now - transition.observed_at >= wait
    return EndedJob(
        job=job,
        transition=transition,
        events=events,
        refusal=refusal,
        possible=_possible(
            job,
            status,
            refusal,
            is_final=is_final,
            is_trained=has_trained(job, events or ()) or _has_checkpoints(view, job),
        ),
    )


def _has_checkpoints(view: View, job: FineTuningJob) -> bool:
    training = view.training.get(job.id)
    return training is not None and bool(training.checkpoints)


def _possible(
    job: FineTuningJob, status: JobStatus, refusal: Refusal | None, *, is_final: bool, is_trained: bool
) -> frozenset[Outcome]:
    if status is JobStatus.CANCELLED:
        return frozenset({Outcome.CANCELLED})
    if status is JobStatus.SUCCEEDED:
        # Whether a job can stay "succeeded" with a model that may not be deployed is not documented; a text that says
        # so is believed, since "deploy it now" would be the wrong advice.
        if refusal is not None:
            return frozenset({Outcome.RAI_MODEL_FAILED})
        undecided = {Outcome.SUCCEEDED, Outcome.RAI_MODEL_FAILED}
        return frozenset({Outcome.SUCCEEDED} if is_final else undecided)
    if refusal is None:
        undecided = {Outcome.FAILED, Outcome.RAI_DATA_FAILED, Outcome.RAI_MODEL_FAILED}
        return frozenset({Outcome.FAILED} if is_final else undecided)
    match refusal.stage:
        case RaiStage.DATA:
            return frozenset({Outcome.RAI_DATA_FAILED})
        case RaiStage.MODEL:
            return frozenset({Outcome.RAI_MODEL_FAILED})
    if not is_final:
        return frozenset({Outcome.RAI_DATA_FAILED, Outcome.RAI_MODEL_FAILED})
    return frozenset({Outcome.RAI_MODEL_FAILED if is_trained else Outcome.RAI_DATA_FAILED})
