"""The data plane of one account: fine-tuning jobs, events, checkpoints, files, models, in both dialects.

Sources: SPEC data plane 2024-10-21 and 2025-04-01-preview (dated), v1 specification, and recorded output for order and
cursor behaviour.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import PlainTextResponse, Response

from watcher.simulator import jobs, training
from watcher.simulator.files import StoredFile, file_payload, files_of
from watcher.simulator.job_payload import job_payload, list_order
from watcher.simulator.scenario import SPEAKING_KINDS, Account, BaseModel, Job
from watcher.simulator.serving import Context, Refusal, authorize_data, reason

DATED_VERSIONS = frozenset({"2024-10-21", "2025-04-01-preview"})
V1_VERSIONS = frozenset({"v1", "preview"})
MOST_PER_PAGE = 100

_MODEL_CREATED = 1744588800  # of base models; no fact, only a plausible past


def job_list(context: Context) -> Mapping[str, object]:
    account = _account(context)
    pairs = [(job, _payload(context, account, job)) for job in account.jobs]
    rows = [payload for job, payload in pairs if payload is not None and context.listed(job.name, str(payload["id"]))]
    rows.sort(key=lambda payload: list_order(account, payload))
    return _paged(context, rows, default=20)


def job(context: Context) -> Mapping[str, object]:
    account = _account(context)
    _, payload = _job(context, account)
    return payload


def events(context: Context) -> Mapping[str, object]:
    account = _account(context)
    found, _ = _job(context, account)
    assert context.dialect is not None
    epoch = context.world.epoch
    rows = training.event_payloads(account, found, context.moment, epoch=epoch, dialect=context.dialect)
    return _paged(context, rows, default=20)


def checkpoints(context: Context) -> Mapping[str, object]:
    account = _account(context)
    found, _ = _job(context, account)
    rows = training.checkpoint_payloads(account, found, context.moment, epoch=context.world.epoch)
    page = _paged(context, rows, default=10)
    if context.dialect == "v1":
        ids = [row["id"] for row in page["data"]]
        page |= {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return page


def file_list(context: Context) -> Mapping[str, object]:
    """All files, or those of one `purpose`. The dated answer has no paging."""
    account = _account(context)
    purpose = context.query("purpose")
    rows = [
        file_payload(file, epoch=context.world.epoch)
        for file in files_of(account, context.moment)
        if purpose in (None, file.purpose) and context.listed(file.id, file.filename)
    ]
    page: dict[str, object] = {"object": "list", "data": rows}
    return page | {"has_more": False} if context.dialect == "v1" else page


def file(context: Context) -> Mapping[str, object]:
    return file_payload(_file(context, _account(context)), epoch=context.world.epoch)


def file_content(context: Context) -> Response:
    return PlainTextResponse(_file(context, _account(context)).content(), media_type="application/octet-stream")


def model_list(context: Context) -> Mapping[str, object]:
    """Base models and every custom model that was completed; without paging."""
    return {"object": "list", "data": _models(context, _account(context))}


def model(context: Context) -> Mapping[str, object]:
    wanted = context.parameter("model")
    for found in _models(context, _account(context)):
        if found["id"] == wanted:
            return found
    raise Refusal(404, *reason("data", 404))


def _account(context: Context) -> Account:
    """The account that is asked, once authorization and version are in order."""
    account = context.world.account(context.parameter("key"), context.moment)
    absent = Refusal(404, "404", "Resource not found")  # the gateway's words for an address that it does not know
    if account is None or account.kind not in SPEAKING_KINDS:
        raise absent
    authorize_data(context, account)
    if context.dialect not in account.dialects:
        raise absent
    version = context.query("api-version")
    if context.dialect == "v1":
        if version is not None and version not in V1_VERSIONS:
            raise Refusal(400, "BadRequest", "API version not supported")
    elif version not in DATED_VERSIONS:
        raise absent
    return account


def _job(context: Context, account: Account) -> tuple[Job, dict[str, object]]:
    wanted = context.parameter("job")
    for found in account.jobs:
        if jobs.job_id(account, found) == wanted:
            payload = _payload(context, account, found)
            if payload is not None:
                context.check_visible(found.name, wanted)
                return found, payload
    raise Refusal(404, "notFound", f"The fine-tuning job '{wanted}' was not found.")


def _payload(context: Context, account: Account, found: Job) -> dict[str, object] | None:
    assert context.dialect is not None
    return job_payload(
        account,
        found,
        context.moment,
        epoch=context.world.epoch,
        dialect=context.dialect,
        api_version=context.query("api-version") or "v1",
    )


def _paged(context: Context, rows: Sequence[Mapping[str, object]], *, default: int) -> dict[str, Any]:
    """One page: `limit` items after the one whose id is `after`."""
    limit_text = context.query("limit") or str(default)
    if not limit_text.isdecimal() or int(limit_text) == 0:
        raise Refusal(400, "invalidPayload", "limit must be a positive number")
    limit = min(int(limit_text), MOST_PER_PAGE)
    after, begin = context.query("after"), 0
    if after is not None:
        positions = {row["id"]: position for position, row in enumerate(rows)}
        if after not in positions:
            raise Refusal(400, "invalidPayload", f"There is no item '{after}' to go on after.")
        begin = positions[after] + 1
    more = begin + limit < len(rows) if context.paging is None else context.paging == "endless"
    return {"object": "list", "data": list(rows[begin : begin + limit]), "has_more": more}


def _file(context: Context, account: Account) -> StoredFile:
    wanted = context.parameter("file")
    for found in files_of(account, context.moment):
        if found.id == wanted:
            return found
    raise Refusal(404, "notFound", f"The file '{wanted}' was not found.")


def _models(context: Context, account: Account) -> list[dict[str, object]]:
    rows = [_base_model(base, context) for base in context.world.models()]
    bases = {base.full_name: base for base in context.world.models()}
    for done in account.jobs:
        ended = jobs.ended_at(done)
        if ended is None or not jobs.has_succeeded(done, context.moment):
            continue
        row: dict[str, object] = {
            "id": jobs.model_name(account, done),
            "object": "model",
            "created": context.world.epoch + int(ended.total_seconds()),
            "owned_by": account.key,
        }
        if context.dialect == "dated":
            base = bases.get(done.model)
            inference = None if base is None else _deprecation(base).get("inference")
            row = {
                "id": row["id"],
                "object": "model",
                "created_at": row["created"],
                "status": "succeeded",
                "model": done.model,
                "fine_tune": jobs.job_id(account, done),
                "capabilities": _capabilities(fine_tune=False),
                "lifecycle_status": "generally-available",
                "deprecation": {} if inference is None else {"inference": inference},
            }
        rows.append(row)
    return rows


def _base_model(base: BaseModel, context: Context) -> dict[str, object]:
    if context.dialect == "v1":
        return {"id": base.full_name, "object": "model", "created": _MODEL_CREATED, "owned_by": "openai"}
    return {
        "id": base.full_name,
        "object": "model",
        "created_at": _MODEL_CREATED,
        "status": "succeeded",
        "capabilities": _capabilities(fine_tune=base.fine_tune_until is not None),
        "lifecycle_status": "preview" if base.lifecycle == "Preview" else "generally-available",
        "deprecation": _deprecation(base),
    }


def _capabilities(*, fine_tune: bool) -> dict[str, bool]:
    return {
        "fine_tune": fine_tune,
        "inference": True,
        "completion": False,
        "chat_completion": True,
        "embeddings": False,
    }


def _deprecation(base: BaseModel) -> dict[str, int]:
    times = {"fine_tune": base.fine_tune_until, "inference": base.inference_until}
    return {name: int(when.timestamp()) for name, when in times.items() if when is not None}
