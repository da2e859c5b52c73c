"""The rule about jobs that learn their training data by heart: validation parts from training for long enough."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.fine_tuning import Checkpoint, FineTuningJob
from watcher.resources.snapshot import Gap, Section
from watcher.resources.training import Training
from watcher.rules import commands
from watcher.rules.checkpoints import kept_from, usable
from watcher.rules.curve import LEAST_POINTS, RISE, Parting, parting
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.job_waits import unless_unread
from watcher.rules.labels import job_labels, job_name, owner_of, portal_link
from watcher.rules.rai import refusal_of
from watcher.rules.rule import View, job_subject
from watcher.rules.sight import REASONS
from watcher.rules.text import ago, counted, duration, moment, rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOverfitting:
    """Finds jobs whose validation has become worse than its best while training went on gaining.

    Jobs under way by their checkpoints, ended ones by their results; of these only those whose end was seen.
    """

    name: ClassVar[str] = "job_overfitting"

    #: By which share of its best the validation must have become worse: 0.1 is 10 %.
    rise: float = RISE
    #: How many validation points that must span, the best included.
    points: int = LEAST_POINTS
    #: How long after a job's end it is still told.
    forget_after: timedelta = timedelta(days=14)

    def evaluate(self, view: View) -> Iterator[Answer]:
        for job in view.jobs:
            training = view.training.get(job.id)
            if training is not None and (parted := self._parted(training)) is not None:
                yield self._answer(view, job, training, parted)

    def _parted(self, training: Training) -> Parting | None:
        return parting(training.points, rise=self.rise, least_points=self.points)

    def _answer(self, view: View, job: FineTuningJob, training: Training, parted: Parting) -> Answer:
        subject = job_subject(view.account, job.id)
        if job.status.has_ended:
            ended_at = job.finished_at or view.status_since.get(job.id) or training.read_at
            if view.now - ended_at >= self.forget_after:
                because = f"the job ended {moment(ended_at)}, {duration(self.forget_after)} ago or longer"
                return Cleared(rule=self.name, subject=subject, because=because)
        found = _finding(self.name, view, job, training, parted)
        gap = _gap_of(view, job)
        if gap is not None and not job.status.has_ended:
            because = f"the job's checkpoints could not be read: {REASONS[gap.reason]}"
            return Undecided(
                rule=self.name, subject=subject, because=because, since=training.read_at, on_last_evidence=found
            )
        return unless_unread(view, found)


def _gap_of(view: View, job: FineTuningJob) -> Gap | None:
    gaps = (gap for gap in view.reading.gaps if gap.section is Section.TRAINING and gap.subject == job.id)
    return next(gaps, None)


def _finding(rule: str, view: View, job: FineTuningJob, training: Training, parted: Parting) -> Finding:
    kept, sentence = _best_kept(training, parted)
    if refusal_of(job, ()) is not None:
        kept, sentence = None, "The service's safety checks have refused this job, so none of it can be deployed."
    noun, verb = parted.metric.noun, "overfitted" if job.status.has_ended else "is overfitting"
    return Finding(
        rule=rule,
        kind=FindingKind.CONDITION,
        severity=Severity.INFO,
        subject=job_subject(view.account, job.id),
        labels=job_labels(view.account, job, view.owner_tag),
        summary=f"{job_name(view.account, job)} {verb}: validation {noun} was best at step {parted.best_step} "
        f"of {parted.last_step}",
        description=" ".join((_what(parted), sentence)),
        action=_action(view, job, kept, parted),
        evidence=_evidence(view, training, parted),
        values={
            "metric": parted.metric.noun,
            "best_step": parted.best_step,
            "best": parted.best,
            "last_step": parted.last_step,
            "last": parted.last,
            "checkpoint": kept.model if kept else "",
            "checkpoint_step": kept.step if kept else None,
            "finished_at": rfc3339(job.finished_at) if job.status.has_ended else None,
            "owner_source": owner_of(view.account, job=job, owner_tag=view.owner_tag).source,
        },
        links=portal_link(view.account),
        occurred_at=_at_step(training, parted.best_step),
    )


def _what(parted: Parting) -> str:
    noun = parted.metric.noun
    worse, better = ("fallen", "rose") if parted.metric.is_better_high else ("risen", "fell")
    return (
        f"Validation {noun} was best at step {parted.best_step} ({parted.best:.3g}) and has {worse} by "
        f"{parted.worse_by * 100:.0f} % of it to {parted.last:.3g} at step {parted.last_step}, while training {noun} "
        f"{better} from {parted.train_at_best:.3g} to {parted.train_last:.3g}. Such a model learns its training data "
        "by heart, and answers new questions worse."
    )


def _best_kept(training: Training, parted: Parting) -> tuple[Checkpoint | None, str]:
    """The newest checkpoint from before validation became worse, and what to say of it."""
    checkpoints = usable(training)
    early = kept_from(parted.of, checkpoints)
    if early is not None:
        where = "before that" if early.step <= parted.best_step else "there, as finely as the curve tells"
        return early, f"The checkpoint of step {early.step}, {early.model}, is from {where}."
    if checkpoints:
        return None, (
            f"No checkpoint from that step or before is listed: the earliest is of step {checkpoints[0].step}. "
            "The service keeps the last three only."
        )
    return None, "No checkpoint of the job is known to watcher."


def _action(view: View, job: FineTuningJob, kept: Checkpoint | None, parted: Parting) -> str:
    said = []
    if kept is not None:
        said.append(
            f"Deploy the checkpoint of step {kept.step} in place of the end:\n"
            f"{commands.deploy_checkpoint(view.account, job, kept)}"
        )
    epochs = job.hyperparameters.get("n_epochs", "")
    had = f" (it has n_epochs {epochs})" if epochs.isdigit() else ""
    share = parted.best_step / parted.last_step
    said.append(
        f"{'Or train' if said else 'Train'} again with fewer epochs{had} or more varied examples; the best step lies "
        f"{share * 100:.0f} % of the way to the last one measured."
    )
    if not job.status.has_ended:
        said.append(f"The job still trains. To stop it; work done is billed:\n{commands.cancel_job(view.account, job)}")
    return "\n".join(said)


def _evidence(view: View, training: Training, parted: Parting) -> str:
    source = training.source.value if training.source else "an unknown source"
    lines = [
        f"{counted(len(training.points), 'point')} from {source}, {parted.points} of validation from the best on",
        f"read {moment(training.read_at)} ({ago(training.read_at, view.now)})",
    ]
    if training.remark:
        lines.append(training.remark)
    return "; ".join(lines)


def _at_step(training: Training, step: int) -> datetime | None:
    return next((c.created_at for c in training.checkpoints if c.step == step), None)
