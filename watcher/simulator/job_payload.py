"""A fine-tuning job as JSON, in the dialect that is asked for. Pure."""

from datetime import timedelta
from typing import Literal

from watcher.simulator import jobs
from watcher.simulator.ids import hex32
from watcher.simulator.scenario import Account, Dialect, Job

DATED_PREVIEW = "2025-04-01-preview"  # the dated version from which jobs carry `method` and `integrations`

Blanks = Literal["absent", "null", "empty"]


def job_payload(
    account: Account, job: Job, moment: timedelta, *, epoch: int, dialect: Dialect, api_version: str
) -> dict[str, object] | None:
    """The job as served at `moment`; None before it exists. `epoch`: the scenario's start in Unix seconds.

    Source: SPEC examples and recorded output; which fields are absent, null or empty follows `job.blanks`.
    """
    phase = jobs.phase_at(job, moment)
    if phase is None:
        return None
    ended = jobs.ended_at(job)
    over = ended is not None and ended <= moment
    succeeded = phase == "succeeded"
    started = jobs.started_at(job)
    has_started = started is not None and started <= moment
    estimated = _estimate(job, moment - job.created)
    finished = ended if over else None
    if phase in ("paused", "resuming") and job.paused_finished_at:
        finished = _last_change(job, moment)  # as in the official example of a paused job
    payload: dict[str, object] = {
        "id": jobs.job_id(account, job),
        "object": "fine_tuning.job",
        "created_at": _unix(epoch, job.created),
        "status": jobs.status_word(job, phase, dialect),
        "model": job.model,
        "training_file": jobs.file_id(account, job, "training"),
        "hyperparameters": _hyperparameters(job, has_started, dialect),
        "seed": job.seed,
    }
    maybe: dict[str, object] = {
        "finished_at": None if finished is None else _unix(epoch, finished),
        "estimated_finish": None if estimated is None else _unix(epoch, job.created + estimated),
        "fine_tuned_model": jobs.model_name(account, job) if succeeded else None,
        "validation_file": jobs.file_id(account, job, "validation") if job.validation else None,
        "result_files": [jobs.file_id(account, job, "results")] if succeeded else None,
        "trained_tokens": job.trained_tokens if succeeded else None,
        "suffix": job.suffix,
        "trainingType": job.training_type,
        "error": _error(account, job, phase),
    }
    if dialect == "v1" or api_version == DATED_PREVIEW:
        payload["method"] = {"type": job.method, job.method: {"hyperparameters": payload["hyperparameters"]}}
        maybe["integrations"] = None
    if dialect == "v1":
        maybe["organization_id"] = None
        maybe["metadata"] = dict(job.metadata) or None
    blanks: Blanks = job.blanks or ("null" if dialect == "v1" else "absent")
    return payload | _filled(maybe, blanks)


def _filled(maybe: dict[str, object], blanks: Blanks) -> dict[str, object]:
    """Fields without a value, in one of the ways in which the service has been seen to leave them out."""
    filled = {}
    for name, value in maybe.items():
        if value is not None:
            filled[name] = value
        elif blanks == "null" and name != "trainingType":
            filled[name] = None
        elif blanks == "empty":
            empty: dict[str, object] = {"error": {}, "metadata": {}, "result_files": [], "integrations": []}
            filled[name] = empty.get(name)
    return filled


def _error(account: Account, job: Job, phase: str) -> dict[str, object] | None:
    failing = jobs.failure(job) if phase == "failed" else None
    if failing is None or job.text_in == "events":
        return None
    code, message = failing
    param = "training_file" if job.outcome == "rai_data" else None
    return {"code": code, "message": message, "param": param}


def _hyperparameters(job: Job, started: bool, dialect: Dialect) -> dict[str, object]:
    if started:
        return {"n_epochs": job.epochs, "batch_size": 1, "learning_rate_multiplier": 1.0}
    if dialect == "v1":
        return {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
    return {"n_epochs": -1}


def _estimate(job: Job, age: timedelta) -> timedelta | None:
    """The estimate in force, since creation."""
    current = job.estimated
    for since, estimate in job.estimates:
        if since <= age:
            current = estimate
    return current


def _last_change(job: Job, moment: timedelta) -> timedelta:
    return max(begins for begins, _ in jobs.timeline(job) if begins <= moment)


def _unix(epoch: int, moment: timedelta) -> int:
    return epoch + int(moment.total_seconds())


def list_order(account: Account, payload: dict[str, object]) -> tuple[object, ...]:
    """Sort key of a job in the account's list. A client must not rely on the order, so a scenario may change it."""
    created = int(str(payload["created_at"]))
    if account.job_order == "shuffled":
        return (hex32("order", payload["id"]),)
    return (created if account.job_order == "oldest" else -created, str(payload["id"]))
