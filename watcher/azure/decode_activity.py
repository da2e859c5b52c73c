"""Activity log → who deleted what. Pure.

One operation leaves several entries (`Started`, `Accepted`, `Succeeded` or `Failed`) under one correlation id. A
deletion of the account or of its resource group takes the deployments along, and may leave no entry for them.

Source: azure-rest-api-specs, Microsoft.Insights 2015-04-01, "Activity Logs – List". Its example names the resource in
`id` and `authorization.scope` only; live entries have `resourceId`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from watcher.azure.decode_arm import page_of
from watcher.azure.lenient import Page, text_of, when
from watcher.errors import MalformedError
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment


class _Entry(msgspec.Struct, rename="camel"):
    operation_name: Any = None
    status: Any = None
    event_timestamp: Any = None
    resource_id: str | None = None
    authorization: Any = None
    caller: str | None = None
    correlation_id: str | None = None
    operation_id: str | None = None


class _Entries(msgspec.Struct, rename="camel"):
    value: list[_Entry]
    next_link: str | None = None


_ENTRIES = msgspec.json.Decoder(_Entries)

_UNDONE = frozenset({"failed", "canceled", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step of one operation on one resource."""

    resource: str  #: ARM id in lower case
    operation: str  #: in lower case: `microsoft.cognitiveservices/accounts/deployments/delete`
    status: str  #: in lower case: `started`, `accepted`, `succeeded`, `failed`, …
    at: datetime
    caller: str
    correlation_id: str


def decode_activity(body: bytes) -> Page[Entry]:
    """A page of the log, in the order of the answer.

    Raises:
        MalformedError: this is no list of anything.
    """
    return page_of(body, _ENTRIES, _Entry, _entry)


def _entry(raw: _Entry) -> Entry:
    at = when(raw.event_timestamp)
    if at is None:
        raise MalformedError("an entry of the log without a time")
    scope = raw.authorization.get("scope") if isinstance(raw.authorization, dict) else ""
    return Entry(
        resource=(raw.resource_id or text_of(scope)).rstrip("/").lower(),
        operation=_value(raw.operation_name).lower(),
        status=_value(raw.status).lower(),
        at=at,
        caller=raw.caller or "",
        correlation_id=raw.correlation_id or raw.operation_id or "",
    )


def _value(named: Any) -> str:
    return text_of(named.get("value")) if isinstance(named, dict) else text_of(named)


def departure_of(deployment: Deployment, entries: Iterable[Entry], *, read_from: datetime) -> Departure:
    """What a log that was read whole from `read_from` on says of the end of `deployment`.

    Of several deletions the last one counts; one from before the deployment's creation belongs to an earlier life.
    """
    account = deployment.account.rstrip("/")
    group = account.partition("/providers/")[0]
    found: list[tuple[datetime, Entry, bool]] = []
    for steps in _operations(entries):
        last = steps[-1]
        if any(step.status in _UNDONE for step in steps):
            continue
        if deployment.created_at is not None and last.at < deployment.created_at:
            continue
        if last.resource == deployment.key and last.operation.endswith("/deployments/delete"):
            found.append((last.at, _named(steps), False))
        elif last.resource in (account, group) and last.operation.endswith(_WIDER):
            found.append((last.at, _named(steps), True))
    if not found:
        return Departure(is_read=True, read_from=read_from)
    at, entry, is_wider = max(found, key=lambda one: (one[0], not one[2]))
    return Departure(
        is_read=True,
        deleted_by=entry.caller,
        deleted_at=at,
        correlation_id=entry.correlation_id,
        account_deleted=is_wider,
        read_from=read_from,
    )


#: Operations that delete an account, or a resource group with all that is in it.
_WIDER = ("/accounts/delete", "/resourcegroups/delete")


def _operations(entries: Iterable[Entry]) -> Iterable[list[Entry]]:
    """The deletions in the log, each with its steps from the first to the last."""
    operations: dict[tuple[str, ...], list[Entry]] = {}
    for number, entry in enumerate(entries):
        if entry.operation.endswith("/delete"):
            same = entry.correlation_id or f"entry {number}"
            operations.setdefault((same, entry.resource, entry.operation), []).append(entry)
    return [sorted(steps, key=lambda step: step.at) for steps in operations.values()]


def _named(steps: list[Entry]) -> Entry:
    """The last step that names a caller, else the last."""
    return next((step for step in reversed(steps) if step.caller), steps[-1])
