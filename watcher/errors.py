"""Every error that `watcher` raises on purpose; one file, so that a reader can choose what to catch.

    WatcherError
    ├── ConfigurationError          problems: each with path, message and cure
    ├── AzureError                  status, request_id, url (no query)
    │   ├── CredentialError         no token could be had
    │   ├── UnauthorizedError       401
    │   ├── ForbiddenError          403 (or 401 with a cause): reason
    │   ├── NotFoundError           404
    │   ├── ThrottledError          429: retry_after
    │   ├── UnavailableError        timeout, connection failure, 5xx
    │   │   └── NoEndpointError     there is no address to ask
    │   └── MalformedError          an answer that is not what the API promises
    │       └── IncompleteError     a listing that does not come to its end, or leaves items unreadable
    ├── DeliveryError               permanent, kind, retry_after
    ├── Refused                     what a person asked for cannot be done: code
    └── StoreError
        ├── NewerSchemaError        the database was written by a newer watcher
        ├── OutdatedSchemaError     the database wants `watcher db upgrade`
        └── DatabaseUnavailableError

An error carries what its catcher needs to decide; its text is one line that says what happened and, where it can, what
to do. Foreign errors (httpx, SQLAlchemy, pydantic) are translated at the edge with `raise … from exc`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from inspect import getdoc
from typing import Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "AzureError",
    "ConfigurationError",
    "CredentialError",
    "DatabaseUnavailableError",
    "DeliveryError",
    "DeliveryFailure",
    "ForbiddenError",
    "ForbiddenReason",
    "IncompleteError",
    "MalformedError",
    "NewerSchemaError",
    "NoEndpointError",
    "NotFoundError",
    "OutdatedSchemaError",
    "Problem",
    "Refused",
    "StoreError",
    "ThrottledError",
    "UnauthorizedError",
    "UnavailableError",
    "WatcherError",
]

#: Why a 403 was given. `role`: a missing permission; `network`: firewall or private endpoint; `keys_disabled`: the
#: account takes no api-keys; `blocked`: the service has blocked the resource.
ForbiddenReason = Literal["role", "network", "keys_disabled", "blocked", "unknown"]

#: What stood between a message and its receiver.
DeliveryFailure = Literal["auth", "rate_limited", "bad_request", "timeout", "dns", "tls", "refused", "server"]


class WatcherError(Exception):
    """Something went wrong in watcher."""

    def __init__(self, message: str | None = None) -> None:
        """`message` defaults to the first line of the class's docstring."""
        super().__init__(message or (getdoc(type(self)) or type(self).__name__).splitlines()[0])

    @property
    def message(self) -> str:
        return str(self.args[0])


class Problem(NamedTuple):
    """One mistake in the configuration."""

    #: Where: `receivers[1].url_env`, a variable's name, or a file's with line and column. Empty: the file as a whole.
    path: str
    #: What is wrong, without any value that may be secret.
    message: str
    #: What to do about it; empty where the message says it already.
    cure: str = ""

    def __str__(self) -> str:
        head = f"{self.path}: {self.message}" if self.path else self.message
        return f"{head}; {self.cure}" if self.cure else head


class ConfigurationError(WatcherError):
    """The configuration is not usable."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[tuple[str, str, str]]) -> None:
        """`problems`: every mistake found, in the order of the file; its text has one line for each."""
        self.problems = tuple(Problem(*problem) for problem in problems)
        super().__init__("\n".join(str(problem) for problem in self.problems) or None)


class AzureError(WatcherError):
    """Azure did not answer a request as hoped."""

    #: HTTP status; None where no answer came.
    status: int | None
    #: Azure's own id of the request, for its support.
    request_id: str | None
    #: Scheme, host and path of the request: never its query, which may hold a signature.
    url: str | None

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int | None = None,
        request_id: str | None = None,
        url: str | None = None,
    ) -> None:
        """`url` may be given whole: user, password, query and fragment are dropped here."""
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.url = None if url is None else _without_secrets(url)


def _without_secrets(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # for instance an unclosed IPv6 bracket; such a text is dropped rather than searched for secrets
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class CredentialError(AzureError):
    """No token could be had for Azure; see `[azure] credential`."""


class UnauthorizedError(AzureError):
    """Azure refused the token or key."""


class ForbiddenError(AzureError):
    """Azure knows who asks and does not allow it."""

    reason: ForbiddenReason

    def __init__(
        self,
        message: str | None = None,
        *,
        reason: ForbiddenReason = "unknown",
        status: int | None = 403,
        request_id: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, url=url)
        self.reason = reason


class NotFoundError(AzureError):
    """What was asked for is not there."""


class ThrottledError(AzureError):
    """Azure asks to be asked less often."""

    #: The service's own wait; None where it named none.
    retry_after: timedelta | None

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: timedelta | None = None,
        status: int | None = 429,
        request_id: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, url=url)
        self.retry_after = retry_after


class UnavailableError(AzureError):
    """Azure could not be reached or failed: timeout, connection failure or 5xx."""


class NoEndpointError(UnavailableError):
    """ARM names no data-plane address that a token may be sent to; see `endpoint` in `[[azure.accounts]]`."""


class MalformedError(AzureError):
    """Azure gave an answer that cannot be understood."""


class IncompleteError(MalformedError):
    """Azure's list does not come to its end, or cannot be read whole."""


class DeliveryError(WatcherError):
    """A message could not be delivered."""

    #: True: no repetition can help; a person has to act. False: try again later.
    permanent: bool
    kind: DeliveryFailure
    #: The receiver's own wait; None where it named none.
    retry_after: timedelta | None
    #: True: no answer came, and the receiver may have taken the message all the same.
    maybe_delivered: bool
    #: True: permanent, unless it passes within minutes, as while a receiver is rolled out or its keys are replaced.
    may_pass: bool

    def __init__(
        self,
        message: str | None = None,
        *,
        permanent: bool,
        kind: DeliveryFailure,
        retry_after: timedelta | None = None,
        maybe_delivered: bool = False,
        may_pass: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.kind = kind
        self.retry_after = retry_after
        self.maybe_delivered = maybe_delivered
        self.may_pass = may_pass


class Refused(WatcherError):
    """What a person asked for cannot be done."""

    def __init__(self, message: str | None = None, *, code: int = 1) -> None:
        """`code`: of a command's exit; 1: there is no such thing, 2: it was asked wrongly."""
        super().__init__(message)
        self.code = code


class StoreError(WatcherError):
    """The database did not do what was asked."""


class NewerSchemaError(StoreError):
    """The database was written by a newer watcher; run that version, or restore a backup."""


class OutdatedSchemaError(StoreError):
    """The database is from an older watcher; run `watcher db upgrade`."""


class DatabaseUnavailableError(StoreError):
    """The database cannot be reached or opened; see `[database] url`."""
