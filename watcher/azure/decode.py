"""The data plane's JSON → jobs, events, checkpoints, in both dialects of the API. Pure.

Unknown fields and words are taken, and what does not apply may be absent, `null`, `{}` or `[]`: all four were seen.

Source: `Azure/azure-rest-api-specs`, data plane 2024-10-21, 2025-04-01-preview and v1; recorded answers of the service
for what the specifications leave out (`trainingType`, `suffix` in v1).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from watcher.azure.lenient import BadItem, Page, float_of, int_of, parse_object, shape, text_of, texts_of, when
from watcher.errors import MalformedError
from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobError, JobEvent, JobStatus

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


class _Job(msgspec.Struct):
    id: str
    status: str
    created_at: Any = None
    finished_at: Any = None
    estimated_finish: Any = None
    model: str | None = None
    fine_tuned_model: str | None = None
    training_file: str | None = None
    validation_file: str | None = None
    result_files: Any = None
    trained_tokens: Any = None
    suffix: str | None = None
    user_provided_suffix: str | None = None
    method: Any = None
    training_type: Any = msgspec.field(name="trainingType", default=None)
    hyperparameters: Any = None
    metadata: Any = None
    error: Any = None


class _Event(msgspec.Struct):
    id: str = ""
    created_at: Any = None
    level: str | None = None
    message: str | None = None
    type: str | None = None


class _Checkpoint(msgspec.Struct):
    id: str
    fine_tuned_model_checkpoint: str | None = None
    fine_tuning_job_id: str | None = None
    step_number: Any = None
    created_at: Any = None
    metrics: Any = None


class _Jobs(msgspec.Struct):
    data: list[_Job]
    has_more: bool | None = False


class _Events(msgspec.Struct):
    data: list[_Event]
    has_more: bool | None = False


class _Checkpoints(msgspec.Struct):
    data: list[_Checkpoint]
    has_more: bool | None = False


_JOBS = msgspec.json.Decoder(_Jobs)
_EVENTS = msgspec.json.Decoder(_Events)
_CHECKPOINTS = msgspec.json.Decoder(_Checkpoints)

#: Words for a status that mean one of ours. `notRunning` is the service's shared enum showing through.
_STATUSES = {status.value: status for status in JobStatus} | {"canceled": JobStatus.CANCELLED}


def decode_jobs(body: bytes, *, account: str) -> Page[FineTuningJob]:
    """A page of the job list. `account` is the account's key.

    Raises:
        MalformedError: this is no list of anything.
    """
    return page_of(body, _JOBS, _Job, lambda raw: _job(raw, account))


def decode_job(body: bytes, *, account: str) -> FineTuningJob:
    """One job. Raises `MalformedError` where it lacks an id or a status."""
    return _job(shape(parse_object(body), _Job), account)


def decode_events(body: bytes) -> Page[JobEvent]:
    """A page of a job's events, in the order of the answer; one without a time takes its neighbour's."""
    page = page_of(body, _EVENTS, _Event, lambda raw: raw)
    times = _filled([when(raw.created_at) for raw in page.items])
    good: list[JobEvent] = []
    bad = list(page.bad)
    for raw, at in zip(page.items, times, strict=True):
        if at is None:
            bad.append(BadItem(raw.id, "no event of this page has a time"))
            continue
        level = (raw.level or "info").lower()
        good.append(
            JobEvent(
                id=raw.id,
                created_at=at,
                level="warning" if level == "warn" else level,
                message=raw.message or "",
                type=raw.type or "message",
            )
        )
    return Page(tuple(good), tuple(bad), page.has_more, page.last_id)


def decode_checkpoints(body: bytes) -> Page[Checkpoint]:
    """A page of a job's checkpoints, in the order of the answer."""
    return page_of(body, _CHECKPOINTS, _Checkpoint, _checkpoint)


def page_of(body: bytes, decoder: msgspec.json.Decoder[Any], raw_type: type[R], noun: Callable[[R], T]) -> Page[T]:
    try:
        fast = decoder.decode(body)
        raws, has_more = fast.data, bool(fast.has_more)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = parse_object(body)
        raws, more = answer.get("data"), answer.get("has_more")
        if not isinstance(raws, list) or not (more is None or isinstance(more, bool)):
            raise MalformedError("the answer is no page of a list: `data` or `has_more` is wrong") from None
        has_more = bool(more)
    items: list[T] = []
    bad: list[BadItem] = []
    last_id = ""
    for raw in raws:
        try:
            shaped = raw if isinstance(raw, raw_type) else shape(raw, raw_type)
            items.append(noun(shaped))
            last_id = getattr(shaped, "id", "")
        except MalformedError as exc:
            last_id = _id_of(raw)
            bad.append(BadItem(last_id, exc.message))
    return Page(tuple(items), tuple(bad), has_more, last_id)


def _id_of(raw: Any) -> str:
    found = raw.get("id") if isinstance(raw, dict) else getattr(raw, "id", "")
    return found if isinstance(found, str) else ""


def _job(raw: _Job, account: str) -> FineTuningJob:
    if not raw.id or not raw.status:
        raise MalformedError("a job without an id or a status")
    method, of_method = _method(raw.method)
    return FineTuningJob(
        id=raw.id,
        account=account,
        status=_STATUSES.get(raw.status.lower(), JobStatus.UNKNOWN),
        raw_status=raw.status,
        created_at=when(raw.created_at),
        finished_at=when(raw.finished_at),
        estimated_finish_at=when(raw.estimated_finish),
        model=raw.model or "",
        fine_tuned_model=raw.fine_tuned_model or "",
        training_file=raw.training_file or "",
        validation_file=raw.validation_file or "",
        result_files=_files(raw.result_files),
        trained_tokens=int_of(raw.trained_tokens),
        suffix=raw.suffix or raw.user_provided_suffix or "",
        method=method,
        training_type=text_of(raw.training_type),
        hyperparameters={**of_method, **texts_of(raw.hyperparameters)},
        metadata=texts_of(raw.metadata),
        error=_error(raw.error),
    )


def _method(value: Any) -> tuple[str, Mapping[str, str]]:
    """The method's name, and the hyperparameters that v1 keeps under it."""
    if not isinstance(value, dict):
        return text_of(value), {}
    name = text_of(value.get("type"))
    options = value.get(name)
    return name, texts_of(options.get("hyperparameters")) if isinstance(options, dict) else {}


def _files(value: Any) -> tuple[str, ...]:
    return tuple(entry for entry in value if isinstance(entry, str)) if isinstance(value, list) else ()


def _error(value: Any) -> JobError | None:
    """The failure, or `None` for `null` and `{}`: both mean that there is none."""
    if isinstance(value, str):
        return JobError(message=value) if value else None
    if not isinstance(value, dict):
        return None
    error = JobError(
        code=text_of(value.get("code")), message=text_of(value.get("message")), param=text_of(value.get("param"))
    )
    return None if error == JobError() else error


def _checkpoint(raw: _Checkpoint) -> Checkpoint:
    metrics = raw.metrics.items() if isinstance(raw.metrics, dict) else ()
    return Checkpoint(
        id=raw.id,
        job_id=raw.fine_tuning_job_id or "",
        model=raw.fine_tuned_model_checkpoint or "",
        step=int_of(raw.step_number) or 0,
        created_at=when(raw.created_at),
        metrics={key: number for key, value in metrics if (number := float_of(value)) is not None},
    )


def _filled(times: list[datetime | None]) -> list[datetime | None]:
    """Each hole filled from the neighbour before it, else from the one after."""
    for order in (range(len(times)), range(len(times) - 1, -1, -1)):
        last: datetime | None = None
        for index in order:
            last = times[index] = times[index] or last
    return times
