"""The data plane's JSON → files and custom models, in both dialects of the API. Pure.

Source: `Azure/azure-rest-api-specs`, data plane 2024-10-21 (files and models without paging), 2025-04-01-preview
(`expires_at`) and v1, whose models are only `{id, created, object, owned_by}`.
"""

from typing import Any

import msgspec

from watcher.azure.decode import page_of
from watcher.azure.lenient import Page, int_of, text_of, when
from watcher.errors import MalformedError
from watcher.resources.deployment import is_fine_tuned
from watcher.resources.file import File, FileStatus
from watcher.resources.model import CustomModel


class _File(msgspec.Struct):
    id: str
    status: str | None = None
    filename: str | None = None
    purpose: str | None = None
    bytes: Any = None
    created_at: Any = None
    expires_at: Any = None
    status_details: Any = None
    error: Any = None


class _Model(msgspec.Struct):
    id: str
    model: str | None = None
    fine_tune: str | None = None
    created_at: Any = None
    created: Any = None
    status: str | None = None
    deprecation: Any = None


class _Files(msgspec.Struct):
    data: list[_File]
    has_more: bool | None = False


class _Models(msgspec.Struct):
    data: list[_Model]
    has_more: bool | None = False


_FILES = msgspec.json.Decoder(_Files)
_MODELS = msgspec.json.Decoder(_Models)

_STATUSES = {status.value: status for status in FileStatus}


def decode_files(body: bytes, *, account: str) -> Page[File]:
    """A page of files. `account` is the account's key.

    Raises:
        MalformedError: this is no list of anything.
    """
    return page_of(body, _FILES, _File, lambda raw: _file(raw, account))


def decode_models(body: bytes, *, account: str) -> Page[CustomModel]:
    """The custom models of a page of models; base models are left out.

    The dated API names the job behind a custom model; in v1 only its name tells one.

    Raises:
        MalformedError: this is no list of anything.
    """
    page = page_of(body, _MODELS, _Model, _with_id)
    custom = (raw for raw in page.items if raw.fine_tune or is_fine_tuned(raw.id))
    return Page(tuple(_custom_model(raw, account) for raw in custom), page.bad, page.has_more, page.last_id)


def _file(raw: _File, account: str) -> File:
    if not raw.id:
        raise MalformedError("a file without an id")
    size = int_of(raw.bytes)
    status = raw.status or ""
    return File(
        id=raw.id,
        account=account,
        filename=raw.filename or "",
        purpose=raw.purpose or "",
        bytes=size if size is not None and size >= 0 else None,
        status=_STATUSES.get(status.lower(), FileStatus.UNKNOWN),
        raw_status=status,
        created_at=when(raw.created_at),
        expires_at=when(raw.expires_at),
        reason=_words(raw.status_details) or _words(raw.error),
    )


def _words(value: Any) -> str:
    """A text, or the message in an object: the specification says text, and calls the field deprecated."""
    if isinstance(value, dict):
        return text_of(value.get("message")) or text_of(value.get("code"))
    return value if isinstance(value, str) else ""


def _with_id(raw: _Model) -> _Model:
    if not raw.id:
        raise MalformedError("a model without an id")
    return raw


def _custom_model(raw: _Model, account: str) -> CustomModel:
    deprecation = raw.deprecation if isinstance(raw.deprecation, dict) else {}
    return CustomModel(
        id=raw.id,
        account=account,
        base=raw.model or "",
        job=raw.fine_tune or "",
        created_at=when(raw.created_at) or when(raw.created),
        raw_status=raw.status or "",
        inference_until=when(deprecation.get("inference")),
    )
