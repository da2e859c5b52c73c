"""What Azure's refusals mean: an answer that is no success, or no answer at all, becomes one of our errors. Pure.

Bodies are read leniently: the services wrap their errors in three ways, the gateways before them in a fourth, and some
proxies answer in HTML.

Source: azure-rest-api-specs (error shapes of both dialects and of ARM); the Azure OpenAI troubleshooting page for 403;
openai-python's `_base_client.py` for the order in which the retry headers count.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from watcher.errors import (
    AzureError,
    ForbiddenError,
    ForbiddenReason,
    MalformedError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from watcher.transport import (
    ConnectError,
    ConnectTimeout,
    DecodingError,
    InvalidURL,
    TimeoutException,
    UnsupportedProtocol,
)

#: Statuses that a second try may cure. 529 is Azure Monitor's own way to say 429.
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 529})
THROTTLED_STATUSES = frozenset({429, 529})

_MESSAGE_LIMIT = 400


def fault_of(status: int, headers: Mapping[str, str], body: bytes, *, url: str, now: datetime) -> AzureError:
    """The error that an answer without success stands for, with the service's own words."""
    code, said = read_error(body)
    text = f"{code}: {said}" if code and said else code or said or f"HTTP {status} without a word of explanation"
    request_id = request_id_of(headers)
    if status == 401:
        # The data plane answers a missing data role, and a key where keys are disabled, with 401 as well as with 403.
        reason = forbidden_reason(code, said)
        if reason in ("role", "keys_disabled"):
            return ForbiddenError(text, reason=reason, status=status, request_id=request_id, url=url)
        return UnauthorizedError(text, status=status, request_id=request_id, url=url)
    if status == 403:
        return ForbiddenError(text, reason=forbidden_reason(code, said), status=status, request_id=request_id, url=url)
    if status == 404:
        return NotFoundError(text, status=status, request_id=request_id, url=url)
    if status in THROTTLED_STATUSES:
        wait = retry_after(headers, now)
        return ThrottledError(text, retry_after=wait, status=status, request_id=request_id, url=url)
    if status >= 500 or status == 408:
        return UnavailableError(text, status=status, request_id=request_id, url=url)
    if status < 400:
        return MalformedError(f"HTTP {status} where JSON was expected", status=status, request_id=request_id, url=url)
    return AzureError(text, status=status, request_id=request_id, url=url)


def request_id_of(headers: Mapping[str, str]) -> str:
    """Azure's id of the request: the data plane's gateway names it otherwise than ARM."""
    return headers.get("apim-request-id") or headers.get("x-ms-request-id") or headers.get("x-request-id") or ""


def read_error(body: bytes) -> tuple[str, str]:
    """Code and message of an error body, each "" where there is none; of a body that is no JSON its first words."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[: 4 * _MESSAGE_LIMIT].decode("utf-8", "replace").strip()
        is_page = text[:1] == "<"
        return "", "the answer is a web page, not JSON" if is_page else _one_line(text)
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, dict):
        code = error.get("code")
        said = error.get("message")
        return (
            str(code) if isinstance(code, str | int) else "",
            _one_line(said) if isinstance(said, str) else "",
        )
    return "", _one_line(error) if isinstance(error, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]


#: Parts of codes and messages in lower case. The narrower cause comes first: a text about a network rule often speaks
#: of permission too, and one about a blocked resource of both.
_FORBIDDEN: tuple[tuple[ForbiddenReason, tuple[str, ...]], ...] = (
    (
        "blocked",
        (
            "temporarily blocked",
            "resource has been blocked",
            "resource is blocked",
            "account has been blocked",
            "has been suspended",
            "is suspended",
        ),
    ),
    (
        "keys_disabled",
        (
            "authenticationtypedisabled",
            "key based authentication is disabled",
            "key-based authentication is disabled",
            "key authentication is disabled",
            "local authentication is disabled",
            "local authentication has been disabled",
            "local auth is disabled",
            "disablelocalauth",
        ),
    ),
    (
        "network",
        (
            "public access is disabled",
            "public network access is disabled",
            "publicnetworkaccess",
            "virtual network",
            "firewall",
            "private endpoint",
            "private link",
            "privatelink",
            "network rules",
            "network acl",
            "network security perimeter",
            "not allowed by network",
            "ip address is not allowed",
            "client address is not authorized",
            "ip is not allowed",
            "not from an approved",
        ),
    ),
    (
        "role",
        (
            "authorizationfailed",
            "permissiondenied",
            "insufficientpermissions",
            "authorizationpermissionmismatch",
            "do not have permission",
            "not have permission",
            "does not have authorization",
            "lacks the required",
            "not have access",
            "not have the required permission",
            "insufficient permission",
            "insufficient privileges",
            "not authorized to perform",
            "not authorized to access",
            "role assignment",
        ),
    ),
)


def forbidden_reason(code: str, message: str) -> ForbiddenReason:
    """Why a 403 (or a 401 with a cause) was given, by the texts that the services use; `unknown` where none fits.

    The texts are read without regard to case and to line breaks.
    """
    text = " ".join(f"{code} {message}".lower().split())
    return next((reason for reason, marks in _FORBIDDEN if any(mark in text for mark in marks)), "unknown")


#: Cost Management's, in seconds; which of them it sends is reported, not documented.
_QUOTA_WAITS = tuple(
    f"x-ms-ratelimit-microsoft.costmanagement-{quota}-retry-after" for quota in ("qpu", "entity", "tenant", "client")
)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The service's own wait: `retry-after-ms`, else the longest of Cost Management's own headers and `Retry-After` in
    seconds, else `Retry-After` as a date.

    `None` where none makes sense; a date in the past is a wait of zero.
    """
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return _wait(millis / 1000)
    quotas = [wait for name in _QUOTA_WAITS if (wait := _number(headers.get(name))) is not None]
    given = headers.get("retry-after")
    seconds = _number(given)
    if quotas:
        return _wait(max((*quotas, seconds or 0.0)))
    if seconds is not None:
        return _wait(seconds)
    if not given:
        return None
    try:
        at = parsedate_to_datetime(given)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(aware - now, timedelta())


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _wait(seconds: float) -> timedelta | None:
    if not 0 <= seconds <= 30 * 86400:  # nan and nonsense too; a wait of more than a month is no wait
        return None
    return timedelta(seconds=seconds)


def may_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the same request may be sent again; `x-should-retry` is the service's own word on it."""
    word = headers.get("x-should-retry", "").lower()
    if word in ("true", "false"):
        return word == "true" and status >= 400
    return status in RETRIED_STATUSES


def fault_of_exception(exc: Exception, url: str) -> AzureError:
    """What a failure without an answer stands for."""
    if isinstance(exc, DecodingError):
        return MalformedError(f"the body cannot be unpacked: {_one_line(str(exc))}", url=url)
    if isinstance(exc, InvalidURL | UnsupportedProtocol):
        return MalformedError(f"not an address that can be asked: {_one_line(str(exc))}", url=url)
    return UnavailableError(f"{_kind_of(exc)}: {_one_line(str(exc)) or type(exc).__name__}", url=url)


def _kind_of(exc: BaseException) -> str:
    causes = list(_causes(exc))
    if any(isinstance(cause, socket.gaierror) or "DNS" in type(cause).__name__ for cause in causes):
        return "the name cannot be resolved (DNS)"
    if any(isinstance(cause, ssl.SSLError) or "Certificate" in type(cause).__name__ for cause in causes):
        return "the TLS handshake failed"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "the connection was refused"
    if any("Disconnected" in type(cause).__name__ or isinstance(cause, ConnectionResetError) for cause in causes):
        return "the connection was reset"
    if isinstance(exc, TimeoutException) and not isinstance(exc, ConnectTimeout):
        return "the answer took too long"
    if isinstance(exc, ConnectError | ConnectTimeout):
        return "no connection"
    return "the connection failed"


def _causes(exc: BaseException | None) -> Iterator[Any]:
    for _ in range(8):
        if exc is None:
            return
        yield exc
        yield getattr(exc, "os_error", None)
        exc = exc.__cause__ or exc.__context__
