"""Errors → gaps: why a section could not be read, as a reason that asks for one cure. Pure."""

from collections.abc import Iterable
from datetime import datetime

from watcher.azure.lenient import BadItem
from watcher.errors import (
    AzureError,
    CredentialError,
    ForbiddenError,
    IncompleteError,
    NoEndpointError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from watcher.resources.snapshot import NAMELESS, PLANE_OF, Gap, GapReason, Section

_FORBIDDEN = {
    "role": GapReason.ROLE,
    "network": GapReason.NETWORK,
    "keys_disabled": GapReason.KEYS_DISABLED,
    "blocked": GapReason.BLOCKED,
    "unknown": GapReason.FORBIDDEN,
}


def reason_of(error: AzureError) -> GapReason:
    match error:
        case CredentialError() | UnauthorizedError():
            return GapReason.CREDENTIAL
        case ForbiddenError():
            return _FORBIDDEN[error.reason]
        case NotFoundError():
            return GapReason.NOT_FOUND
        case ThrottledError():
            return GapReason.THROTTLED
        case NoEndpointError():
            return GapReason.NO_ENDPOINT
        case UnavailableError():
            return GapReason.UNREACHABLE if error.status in (None, 408) else GapReason.BROKEN
        case IncompleteError():
            return GapReason.INCOMPLETE
        case _:
            return GapReason.BROKEN


def gap_of(error: AzureError, section: Section, at: datetime, *, subject: str = "", by_key: bool = False) -> Gap:
    """The gap that `error` leaves in `section`, or in what is known of one resource, `subject`.

    Args:
        by_key: The request bore the account's own api-key, so that a refusal says nothing of the credential.
    """
    message = error.message
    wait_s = error.retry_after.total_seconds() if isinstance(error, ThrottledError) and error.retry_after else 0
    if round(wait_s) > 0:
        message = f"{message} (wait {wait_s:.0f} s)"
    reason = reason_of(error)
    if by_key and reason is GapReason.CREDENTIAL:
        reason = GapReason.KEY
    return Gap(
        section=section,
        plane=PLANE_OF[section],
        reason=reason,
        message=message,
        at=at,
        status=error.status,
        request_id=error.request_id or "",
        subject=subject,
    )


def gap_of_item(problem: str, section: Section, at: datetime, *, subject: str) -> Gap:
    """The gap that one unreadable item of a listing leaves: it exists, but nothing else is known of it."""
    return Gap(
        section=section, plane=PLANE_OF[section], reason=GapReason.BROKEN, message=problem, at=at, subject=subject
    )


def gaps_of_items(bad: Iterable[BadItem], section: Section, at: datetime) -> tuple[Gap, ...]:
    """The gaps that the unreadable items of a listing leave: one for each id, one for all items without an id."""
    problems: dict[str, list[str]] = {}
    for item in bad:
        problems.setdefault(item.id or NAMELESS, []).append(item.problem)
    return tuple(
        gap_of_item(said[0] if len(said) == 1 else f"{said[0]}, and {len(said) - 1} more", section, at, subject=subject)
        for subject, said in problems.items()
    )
