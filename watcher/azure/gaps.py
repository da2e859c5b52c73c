"""Errors → gaps: why a section could not be read, as a reason that asks for one cure. Pure."""

from datetime import datetime

from watcher.errors import (
    AzureError,
    CredentialError,
    ForbiddenError,
    IncompleteError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from watcher.resources.snapshot import PLANE_OF, Gap, GapReason, Section

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
        case UnavailableError():
            return GapReason.UNREACHABLE if error.status in (None, 408) else GapReason.BROKEN
        case IncompleteError():
            return GapReason.INCOMPLETE
        case _:
            return GapReason.BROKEN


def gap_of(error: AzureError, section: Section, at: datetime, *, subject: str = "") -> Gap:
    """The gap that `error` leaves in `section`, or in what is known of one resource, `subject`."""
    message = error.message
    if isinstance(error, ThrottledError) and error.retry_after is not None:
        message = f"{message} (wait {error.retry_after.total_seconds():.0f} s)"
    return Gap(
        section=section,
        plane=PLANE_OF[section],
        reason=reason_of(error),
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
