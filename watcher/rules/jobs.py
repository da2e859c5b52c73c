"""Rules about jobs that have just ended: told once, by the transition that ended them.

Which of the five speaks is settled in `outcome`; here stand the words. Conditions of living jobs are in `job_waits`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from watcher.costs.training import billed_tokens
from watcher.resources.snapshot import Section
from watcher.rules import checkpoints, commands
from watcher.rules.finding import Answer, Finding, FindingKind, Severity, Undecided
from watcher.rules.job_lost import lost_jobs
from watcher.rules.labels import job_labels, job_name, owner_of, portal_link
from watcher.rules.outcome import EVENTS_WAIT, EndedJob, Outcome, ended_jobs
from watcher.rules.rai import has_trained
from watcher.rules.rule import View, job_subject
from watcher.rules.sight import late
from watcher.rules.text import ago, duration, moment, rfc3339, sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What one rule says of one ended job."""

    summary: str
    description: str
    action: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _EndedJobRule(ABC):
    """What the five rules have in common: when they speak, and the facts that all of them show."""

    name: ClassVar[str]
    outcome: ClassVar[Outcome]
    severity: ClassVar[Severity]

    #: How long an ended job's events are waited for before its own error alone decides.
    events_wait: timedelta = EVENTS_WAIT

    @abstractmethod
    def words(self, view: View, ended: EndedJob) -> _Words: ...

    def evaluate(self, view: View) -> Iterator[Answer]:
        for ended in ended_jobs(view, self.events_wait):
            if self.outcome not in ended.possible:
                continue
            if ended.outcome is None:
                yield Undecided(
                    rule=self.name,
                    subject=job_subject(view.account, ended.job.id),
                    because="the job's events have not been read yet, and they may tell why it ended",
                    since=ended.transition.observed_at,
                )
            else:
                yield self._finding(view, ended)

    def _finding(self, view: View, ended: EndedJob) -> Finding:
        job, words = ended.job, self.words(view, ended)
        return Finding(
            rule=self.name,
            kind=FindingKind.EVENT,
            severity=self.severity,
            subject=job_subject(view.account, job.id),
            labels={**job_labels(view.account, job, view.owner_tag), **dict(words.labels)},
            summary=words.summary,
            description=words.description,
            action=words.action,
            evidence=_evidence(view, ended),
            values={
                "job": job.id,
                "model": job.model,
                "fine_tuned_model": job.fine_tuned_model,
                "created_at": rfc3339(job.created_at),
                "finished_at": rfc3339(ended.transition.occurred_at or job.finished_at),
                "seen_at": rfc3339(ended.transition.observed_at),
                "trained_tokens": job.trained_tokens,
                "training_file": job.training_file,
                "error_code": job.error.code if job.error else "",
                "owner_source": owner_of(view.account, job=job, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account),
            occurred_at=ended.transition.occurred_at,
        )


def _evidence(view: View, ended: EndedJob) -> str:
    job, transition = ended.job, ended.transition
    before = f"after {transition.before}" if transition.before else "not seen before"
    lines = [f"status {transition.after} ({before}), seen {moment(transition.observed_at)}"]
    if transition.occurred_at:
        lines.append(f"ended {moment(transition.occurred_at)} by the service's word")
        if transition.observed_at - transition.occurred_at > timedelta(hours=1):
            lines.append(f"noticed {duration(transition.observed_at - transition.occurred_at)} later")
    if view.job(job.id) is None:
        lines.append("the job is no longer listed, so its details could not be read")
    if ended.events is None:
        lines.append("its events could not be read: judged by its own error and status alone")
    else:
        lines.append(f"{len(ended.events)} of its events read")
    if view.reading.jobs_at:
        lines.append(f"jobs read {ago(view.reading.jobs_at, view.now)}")
    if found_late := late(view, Section.JOBS):
        lines.append(found_late)
    return "; ".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSucceeded(_EndedJobRule):
    """Finds jobs that have succeeded, and says how to deploy their model."""

    name: ClassVar[str] = "job_succeeded"
    outcome: ClassVar[Outcome] = Outcome.SUCCEEDED
    severity: ClassVar[Severity] = Severity.INFO

    def words(self, view: View, ended: EndedJob) -> _Words:
        job = ended.job
        model = job.fine_tuned_model
        description = (
            f"The fine-tuned model is {model}." if model else "The service has not named the fine-tuned model yet."
        )
        if job.trained_tokens:
            billed = billed_tokens(ended.events or ())
            rest = "what is billed may differ" if billed is None else f"{billed:,} are billed, by the job's own log"
            description += f" {job.trained_tokens:,} tokens were trained; {rest}."
        training = view.training.get(job.id)
        more = (
            checkpoints.rewards(training),
            checkpoints.skipped(training, ended.events or ()),
            checkpoints.best_earlier(training),
        )
        description = " ".join(part for part in (description, *more) if part)
        deploy = (
            f"Deploy it:\n{commands.deploy_model(view.account, job)}\n"
            if model
            else "Deploy it once the job shows its model's name. "
        )
        return _Words(
            summary=f"{job_name(view.account, job)} succeeded",
            description=description,
            action=deploy
            + "Mind that hosting costs by the hour from its creation, called or not, and that Azure deletes a "
            "fine-tuned deployment after 15 days without a call. The model itself stays.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(_EndedJobRule):
    """Finds jobs that were cancelled."""

    name: ClassVar[str] = "job_cancelled"
    outcome: ClassVar[Outcome] = Outcome.CANCELLED
    severity: ClassVar[Severity] = Severity.INFO

    def words(self, view: View, ended: EndedJob) -> _Words:
        job = ended.job
        kept, deploy = checkpoints.rescue(view, job, "the job was cancelled")
        began = (
            bool(kept)
            or has_trained(job, ended.events or ())
            or ended.transition.before in ("running", "pausing", "paused")
        )
        cost = (
            "It had begun to train: work done until then is billed. The amount is not known to watcher."
            if began
            else "No sign of training was seen. A job cancelled before training is not billed; work done would be."
        )
        billed = next((e.message for e in reversed(ended.events or ()) if "tokens billed" in e.message.lower()), "")
        return _Words(
            summary=f"{job_name(view.account, job)} was cancelled",
            description=" ".join(part for part in (cost, billed and f'The service says: "{billed}"', kept) if part),
            action="Nothing needs doing if this was meant. Otherwise start the job again from its training file"
            + (f" {job.training_file}." if job.training_file else ".")
            + (f"\n{deploy}" if deploy else ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(_EndedJobRule):
    """Finds jobs that failed for any reason but the RAI checks, and those that were lost with their account."""

    name: ClassVar[str] = "job_failed"
    outcome: ClassVar[Outcome] = Outcome.FAILED
    severity: ClassVar[Severity] = Severity.WARNING

    def evaluate(self, view: View) -> Iterator[Answer]:
        yield from _EndedJobRule.evaluate(self, view)
        yield from lost_jobs(view, rule=self.name, severity=self.severity)

    def words(self, view: View, ended: EndedJob) -> _Words:
        job, reason = ended.job, _reason(ended)
        kept, deploy = checkpoints.rescue(view, job, "the job failed")
        return _Words(
            summary=f"{job_name(view.account, job)} failed{f': {_first_line(reason)}' if reason else ''}",
            description=(f"The service says: {sentence(reason)}" if reason else "The service gives no reason.")
            + (f" Error code: {job.error.code}." if job.error and job.error.code else "")
            + " Failed jobs are not billed, by Azure's pricing page."
            + (f" {kept}" if kept else ""),
            action="Read the job's log, mend what it names and start the job again:\n"
            + commands.read_job_events(view.account, job)
            + (f"\n{deploy}" if deploy else ""),
        )


def _reason(ended: EndedJob) -> str:
    """The error's own text, else the newest line of the log that is an error."""
    error = ended.job.error
    if error and error.message.strip():
        return error.message.strip()
    lines = (event.message for event in reversed(ended.events or ()) if event.level == "error")
    return next(lines, error.code if error else "").strip()


def _first_line(text: str, limit: int = 160) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _rai_summary(view: View, ended: EndedJob, verdict: str) -> str:
    refusal = ended.refusal
    harms = ", ".join(refusal.harm_types) if refusal else ""
    unclassified = "" if refusal and refusal.is_known_wording else " (RAI, unclassified)"
    return f"{job_name(view.account, ended.job)}: {verdict}{unclassified}{f': {harms}' if harms else ''}"


def _rai_description(ended: EndedJob, remark: str) -> str:
    refusal = ended.refusal
    parts = [f'The service says: "{refusal.text}"' if refusal else ""]
    if refusal and not refusal.is_known_wording:
        parts.append(
            "This wording is not one that Azure documents, so the stage of the check (data or model) is inferred from "
            "the text and from whether the job had trained."
        )
    return " ".join(part for part in (*parts, remark) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRaiDataFailed(_EndedJobRule):
    """Finds jobs whose training data failed the RAI checks."""

    name: ClassVar[str] = "job_rai_data_failed"
    outcome: ClassVar[Outcome] = Outcome.RAI_DATA_FAILED
    severity: ClassVar[Severity] = Severity.WARNING

    def words(self, view: View, ended: EndedJob) -> _Words:
        file = ended.job.training_file
        return _Words(
            summary=_rai_summary(view, ended, "the training data failed the RAI checks"),
            description=_rai_description(ended, "It was refused before training; the check is not billed."),
            action="Remove or rewrite the examples that show these harms in the training file"
            f"{f' {file}' if file else ''}, upload it again and start a new job. "
            "The thresholds cannot be changed by customers.",
            labels=(("harm_types", ",".join(ended.refusal.harm_types) if ended.refusal else ""),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRaiModelFailed(_EndedJobRule):
    """Finds jobs whose model was judged unsafe after training and cannot be deployed."""

    name: ClassVar[str] = "job_rai_model_failed"
    outcome: ClassVar[Outcome] = Outcome.RAI_MODEL_FAILED
    severity: ClassVar[Severity] = Severity.WARNING

    def words(self, view: View, ended: EndedJob) -> _Words:
        remark = "The model was trained and then judged; the evaluation is not billed."
        if ended.transition.after == "succeeded":
            remark += (
                " The job's own status is succeeded, yet its log says that the model may not be deployed; that is "
                "taken as the truth here."
            )
        return _Words(
            summary=_rai_summary(view, ended, "the fine-tuned model failed the RAI evaluation and cannot be deployed"),
            description=_rai_description(ended, remark),
            action="Review the training data for what teaches these harms, then start a new job; do not try to deploy "
            "this model. The thresholds cannot be changed by customers.",
            labels=(("harm_types", ",".join(ended.refusal.harm_types) if ended.refusal else ""),),
        )
