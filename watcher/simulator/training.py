"""What a training run leaves behind, at a moment: events, checkpoints, results. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

from watcher.simulator import jobs, texts
from watcher.simulator.ids import fraction, hex32
from watcher.simulator.scenario import Account, Dialect, Job

EVENT_EVERY = 10  # steps between metrics events (recorded output)
CHECKPOINTS_KEPT = 3  # the final one and the two epochs before it (how-to article)

_RESULT_COLUMNS = (
    "step",
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "validation_mean_token_accuracy",  # so spelt here, `valid_…` in checkpoints
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
)
# Of older jobs; that the columns stand in this order is a guess.
_OLDER_COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "training_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "valid_accuracy": "valid_mean_token_accuracy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a job's log."""

    at: timedelta
    message: str
    level: str = "info"
    metrics: dict[str, float] = field(default_factory=dict)


def log_lines(account: Account, job: Job, moment: timedelta) -> list[Line]:
    """The job's log up to `moment`, newest first, as the live service orders it."""
    lines = [line for line in _all_lines(account, job) if line.at <= moment]
    lines.sort(key=lambda line: line.at)  # stable: lines of one moment keep the order in which they were written
    return lines[::-1]


def event_payloads(
    account: Account, job: Job, moment: timedelta, *, epoch: int, dialect: Dialect
) -> list[dict[str, object]]:
    """The log as the events route serves it. `epoch`: the scenario's start in Unix seconds."""
    lines = log_lines(account, job, moment)
    oldest_first = len(lines)
    payloads = []
    for index, line in enumerate(lines):
        level = "warn" if line.level == "warning" and dialect == "v1" else line.level
        payload: dict[str, object] = {
            "id": f"ftevent-{hex32(account.key, job.name, oldest_first - index)}",
            "object": "fine_tuning.job.event",
            "created_at": epoch + int(line.at.total_seconds()),
            "level": level,
            "type": "metrics" if line.metrics else "message",
            "message": line.message,
        }
        if line.metrics:
            payload["data"] = line.metrics
        payloads.append(payload)
    return payloads


def checkpoint_payloads(account: Account, job: Job, moment: timedelta, *, epoch: int) -> list[dict[str, object]]:
    """The last checkpoints, newest first; once the job has succeeded the final one bears the plain model name."""
    done = []
    for number in range(1, job.epochs + 1):
        step = job.steps * number // job.epochs
        at = jobs.step_moment(job, step)
        if at is not None and at <= moment:
            done.append((step, at))
    payloads = []
    for step, at in reversed(done[-CHECKPOINTS_KEPT:]):
        final = step == job.steps and jobs.has_succeeded(job, moment)
        name = jobs.model_name(account, job) if final else jobs.checkpoint_name(account, job, step)
        payload: dict[str, object] = {
            "id": jobs.checkpoint_id(account, job, step),
            "object": "fine_tuning.job.checkpoint",
            "created_at": epoch + int(at.total_seconds()),
            "fine_tuning_job_id": jobs.job_id(account, job),
            "step_number": step,
            "fine_tuned_model_checkpoint": name,
            "metrics": metrics_of(job, step),
        }
        payloads.append(payload)
    return payloads


def results_csv(job: Job) -> str:
    """The result file of a finished job."""
    return _results(_curve_of(job), job.older_results)


def metrics_of(job: Job, step: int) -> dict[str, float]:
    """Losses and accuracies of one step; `full_valid_…` at the end of an epoch only."""
    return dict(_measured(_curve_of(job), step))


@dataclass(frozen=True, slots=True)
class _Curve:
    """All of a job that its numbers depend on. Every listing of files asks for them anew, so they are kept."""

    name: str
    steps: int
    epochs: int
    method: str
    overfits: bool
    validation: bool

    @property
    def epoch_ends(self) -> tuple[int, ...]:
        return tuple(self.steps * number // self.epochs for number in range(1, self.epochs + 1))


def _curve_of(job: Job) -> _Curve:
    return _Curve(job.name, job.steps, job.epochs, job.method, job.overfits, job.validation)


@lru_cache(maxsize=512)
def _results(curve: _Curve, is_older: bool) -> str:
    columns = {name: name.replace("validation_", "valid_") for name in _RESULT_COLUMNS}
    if is_older:
        columns = _OLDER_COLUMNS
    rows = [",".join(columns)]
    for step in range(1, curve.steps + 1):
        metrics = _measured(curve, step)
        rows.append(",".join(str(metrics.get(source, "")) for source in columns.values()))
    return "\n".join(rows) + "\n"


@lru_cache(maxsize=16_384)
def _measured(curve: _Curve, step: int) -> Mapping[str, float]:
    progress = step / curve.steps
    noise = fraction(curve.name, "noise", step) * 0.08 - 0.04
    train = 0.35 + 1.6 * math.exp(-3.2 * progress) + noise
    valid = 0.45 + 1.6 * math.exp(-2.8 * progress) - noise
    if curve.overfits and progress > 0.4:
        valid += 2.2 * (progress - 0.4)
    metrics = {"step": step, "train_loss": round(train, 6), "train_mean_token_accuracy": _accuracy(train)}
    if curve.method == "reinforcement":
        metrics |= _rewards(step, progress, noise)
    if curve.validation:
        metrics |= {"valid_loss": round(valid, 6), "valid_mean_token_accuracy": _accuracy(valid)}
        if step in curve.epoch_ends:
            full = {"full_valid_loss": round(valid, 6), "full_valid_mean_token_accuracy": _accuracy(valid)}
            metrics |= full
            if curve.method == "reinforcement":
                metrics["full_valid_mean_reward"] = round(progress * 0.65 - noise, 6)
    return metrics


def _rewards(step: int, progress: float, noise: float) -> dict[str, float]:
    """What only reinforcement jobs measure. Source: SKILL training-curves."""
    return {
        "train_mean_reward": round(progress * 0.7 + noise, 6),
        "completion_tokens_mean": round(600 - 200 * progress, 3),
        "reasoning_tokens_mean": round(900 + 300 * progress, 3),
        "mean_unresponsive_rewards": round(0.05 * (1 - progress), 6),
        "train_sample_parse_error_count": step % 3,
        "train_other_error_count": 0,
    }


def _accuracy(loss: float) -> float:
    return round(max(0.0, min(1.0, 1.0 - loss / 4)), 6)


def _all_lines(account: Account, job: Job) -> Iterator[Line]:
    """Every line that the log will ever have, in writing order within one moment."""
    yield Line(at=job.created, message=texts.ENQUEUED)
    for step in range(EVENT_EVERY, job.steps + 1, EVENT_EVERY):
        done = jobs.step_moment(job, step)
        if done is not None:
            metrics = metrics_of(job, step)
            yield Line(at=done, message=texts.step(step, metrics["train_loss"]), metrics=metrics)
    phases = list(jobs.timeline(job))
    before = ""
    pauses = iter(job.pauses)
    for at, phase in phases:
        if phase == "running":
            yield Line(at=at, message=texts.RESUMED if before in ("resuming", "paused") else texts.STARTED)
        elif phase == "paused":
            pause = next(pauses, None)
            reason = "user" if pause is None else pause.reason
            yield Line(at=at, message=texts.PAUSED[reason], level="info" if reason == "user" else "warning")
        before = phase
    ended = jobs.ended_at(job)
    if ended is not None:
        yield from _last_lines(account, job, ended, phases[-1][1])
    if job.skipped_images:
        checked = job.created + job.validating_for
        yield Line(at=checked, message=texts.skipped_images(job.skipped_images), level="warning")
    for extra in job.events:
        yield Line(at=job.created + extra.at, message=extra.message, level=extra.level)


def _last_lines(account: Account, job: Job, ended: timedelta, status: str) -> Iterator[Line]:
    failing = jobs.failure(job) if status == "failed" else None
    if status == "succeeded" or (failing and job.outcome == "rai_model"):
        # The log says so before the evaluation has spoken: an event is no proof of success.
        trained = ended - jobs.EVALUATION
        yield Line(at=trained, message=texts.results_file(jobs.file_id(account, job, "results")))
        yield Line(at=trained, message=texts.SUCCEEDED)
    if status == "succeeded":
        yield Line(at=ended, message=texts.EVALUATION_PASSED)
        billed = job.billed_tokens if job.billed_tokens is not None else job.trained_tokens * 3 // 4
        yield Line(at=ended, message=texts.billed(billed))
    elif status == "cancelled":
        yield Line(at=ended, message=texts.CANCELLED)
    elif failing is not None:
        _, text = failing
        shown = text if job.text_in != "error" else texts.FAILED
        yield Line(at=ended, message=shown, level="error")
