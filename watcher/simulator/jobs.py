"""A fine-tuning job at a moment: its status, and the timeline that leads there. Pure.

Moments are offsets from the scenario's start. A timeline is a list of (moment, phase), oldest first; phases are
neutral words (`validating`, `waiting`, …) which `status_word` turns into a dialect's, or Azure's own words where the
scenario gave an explicit timeline.
"""

from collections.abc import Sequence
from datetime import timedelta

from watcher.simulator import texts
from watcher.simulator.ids import hex32, letters24
from watcher.simulator.scenario import Account, Dialect, Job

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})

# "Job succeeded." came this long before "Model Evaluation Passed." (recorded output of one job).
EVALUATION = timedelta(seconds=8)
# `pausing` and `resuming` pass quickly; no source says how quickly.
PAUSING = timedelta(minutes=1)

_WORDS: dict[Dialect, dict[str, str]] = {
    "dated": {"validating": "pending", "waiting": "pending"},
    "v1": {"validating": "validating_files", "waiting": "queued"},
}

Timeline = Sequence[tuple[timedelta, str]]


def job_id(account: Account, job: Job) -> str:
    """The job's id, in the form that the scenario asks for."""
    if job.id is not None:
        return job.id
    seed = ("job", account.key, job.name)
    forms = {"ftjob-hex": f"ftjob-{hex32(*seed)}", "ft-hex": f"ft-{hex32(*seed)}"}
    return forms.get(job.id_form, f"ftjob-{letters24(*seed)}")


def timeline(job: Job) -> Timeline:
    """Every phase that the job will ever enter, with its beginning."""
    if job.timeline:
        return [(job.created + offset, word) for word, offset in job.timeline]
    steps = [(job.created, "validating"), (job.created + job.validating_for, "waiting")]
    moment = job.created + job.validating_for + job.queued_for
    trained = timedelta(0)
    if job.outcome != "rai_data" and job.running_for > trained:  # refused data fail a job before it trains
        steps.append((moment, "running"))
        for pause in job.pauses:
            moment += pause.after - trained
            trained = pause.after
            if pause.reason == "user":
                steps.append((moment, "pausing"))
                moment += PAUSING
            steps.append((moment, "paused"))
            if pause.lasts is None:
                return steps
            moment += pause.lasts
            steps.append((moment, "resuming"))
            moment += PAUSING
            steps.append((moment, "running"))
        moment += job.running_for - trained
    if job.outcome in ("succeeded", "rai_model"):
        moment += EVALUATION
    if job.outcome != "none":
        steps.append((moment, job.outcome if job.outcome in TERMINAL else "failed"))
    return steps


def phase_at(job: Job, moment: timedelta) -> str | None:
    """The phase in force; None before the job was created."""
    current = None
    for begins, phase in timeline(job):
        if begins <= moment:
            current = phase
    return current


def ended_at(job: Job) -> timedelta | None:
    """When the job reaches a terminal status, be it in the future; None: never."""
    begins, phase = timeline(job)[-1]
    return begins if phase in TERMINAL else None


def has_succeeded(job: Job, moment: timedelta) -> bool:
    return phase_at(job, moment) == "succeeded"


def started_at(job: Job) -> timedelta | None:
    """When training first begins; None: never."""
    return next((begins for begins, phase in timeline(job) if phase == "running"), None)


def status_word(job: Job, phase: str, dialect: Dialect) -> str:
    """`phase` as the job's dialect spells it (2024-10-21 and 2025-04-01-preview enums; v1 types)."""
    return _WORDS[job.words or dialect].get(phase, phase)


def step_moment(job: Job, step: int) -> timedelta | None:
    """When training step `step` is done; steps are evenly spread over the training time. None: never."""
    running = _running_spans(job)
    left = _training_time(job, running) * (step / job.steps)
    for begins, ends in running:
        if ends is None or left <= ends - begins:
            return begins + left
        left -= ends - begins
    return None


def failure(job: Job) -> tuple[str, str] | None:
    """Code and text of the failure that the job is heading for; None when it will not fail."""
    if job.outcome == "rai_data":
        text = texts.training_data_refused(job.harm_types)
    elif job.outcome == "rai_model":
        text = texts.model_refused(job.harm_types)
    elif job.outcome == "failed":
        return job.error_code or "internalFailure", job.error_message or texts.INTERNAL_FAILURE
    else:
        return None
    # No source documents the code of a safety failure; an unknown one keeps clients from relying on it.
    return job.error_code or "safetyCheckFailed", job.error_message or text


def model_name(account: Account, job: Job) -> str:
    """The fine-tuned model's name: base model, `.ft-`, 32 hex digits, and the suffix if there is one."""
    tail = job_id(account, job).rpartition("-")[2]
    digits = tail if len(tail) == 32 else hex32("model", account.key, job.name)
    return f"{job.model}.ft-{digits}" + (f"-{job.suffix}" if job.suffix else "")


def checkpoint_name(account: Account, job: Job, step: int) -> str:
    """Model name of an earlier checkpoint."""
    return f"{model_name(account, job)}:ckpt-step-{step}"


def checkpoint_id(account: Account, job: Job, step: int) -> str:
    """Id of the checkpoint of a step."""
    return f"ftchkpt-{hex32(account.key, job.name, 'checkpoint', step)}"


def file_id(account: Account, job: Job, role: str) -> str:
    """Id of the job's `training`, `validation` or `results` file."""
    return f"file-{hex32('file', account.key, job.name, role)}"


def _running_spans(job: Job) -> list[tuple[timedelta, timedelta | None]]:
    """When the job trains: beginning and end of each span; None: open."""
    steps = list(timeline(job))
    ends: list[timedelta | None] = [begins for begins, _ in steps[1:]]
    ends.append(None)
    return [(begins, end) for (begins, phase), end in zip(steps, ends, strict=True) if phase == "running"]


def _training_time(job: Job, running: list[tuple[timedelta, timedelta | None]]) -> timedelta:
    if not job.timeline:
        return job.running_for
    lengths = [job.running_for if end is None else end - begins for begins, end in running]
    return sum(lengths, timedelta(0))
