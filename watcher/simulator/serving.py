"""What every operation shares: its context, refusals in the shape of its plane, authorization.

Sources: SPEC error models (dated, v1, ARM; metrics answer bare), section on keys and tokens.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watcher.simulator.addresses import Addresses
from watcher.simulator.faults import Fault, Paging
from watcher.simulator.scenario import Account, Dialect
from watcher.simulator.world import World

ARM_READS_LEFT = "x-ms-ratelimit-remaining-subscription-reads"


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        super().__init__(f"{status} {code}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One request, as an operation sees it."""

    request: Request
    world: World
    addresses: Addresses
    now: datetime
    plane: str
    api: str
    dialect: Dialect | None = None  # of the data plane
    faults: Sequence[Fault] = ()
    body: Mapping[str, Any] = field(default_factory=dict)  # of a POST that reads, and of a PUT

    @property
    def moment(self) -> timedelta:
        return self.world.moment(self.now)

    @property
    def netloc(self) -> str:
        return str(self.request.headers.get("host", "localhost"))

    def parameter(self, name: str) -> str:
        """A part of the path; the routes guarantee that it is there."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A query parameter, by its name without case, as ARM takes them."""
        wanted = name.lower()
        return next((value for key, value in self.request.query_params.items() if key.lower() == wanted), None)

    def listed(self, *names: str) -> bool:
        """Whether a resource of these names shows up in lists."""
        return not any(fault.hides(*names) for fault in self.faults)

    @property
    def paging(self) -> Paging | None:
        """How a list lies about its pages; None: it does not."""
        return next((fault.paging for fault in self.faults if fault.paging is not None), None)

    def check_visible(self, *names: str) -> None:
        """Raise the Refusal that a fault has in store for a hidden resource's own address."""
        for fault in self.faults:
            if fault.hides(*names) and fault.hidden_status != 200:
                raise Refusal(fault.hidden_status, *reason(self.plane, fault.hidden_status))


class Answer(JSONResponse):
    """JSON by the quick encoder: a fortnight of metrics by the hour is a third of a megabyte."""

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


ErrorShape = Literal["wrapped", "bare", "v1"]
Operation = Callable[[Context], Response | Mapping[str, object]]


def error_shape(api: str, dialect: Dialect | None) -> ErrorShape:
    """How an operation words its errors: single-resource metrics without an envelope, batches with one."""
    if api == "metrics":
        return "bare"
    return "v1" if dialect == "v1" else "wrapped"


def error_response(refusal: Refusal, shape: ErrorShape) -> Response:
    """A refusal as JSON."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if shape == "bare":
        return Answer(error, status_code=refusal.status, headers=refusal.headers)
    if shape == "v1":
        error |= {"param": None, "type": "invalid_request_error", "inner_error": None}
    return Answer({"error": error}, status_code=refusal.status, headers=refusal.headers)


_ARM_REASONS = {
    400: ("BadRequest", "The request is invalid."),
    401: ("InvalidAuthenticationToken", "The access token is invalid."),
    403: ("AuthorizationFailed", "The client does not have authorization to perform this action over this scope."),
    404: ("ResourceNotFound", "The Resource was not found."),
    429: ("TooManyRequests", "The request was throttled."),
    500: ("InternalServerError", "The server encountered an internal error."),
    503: ("ServerBusy", "The server is busy. Please retry."),
    529: ("TooManyRequests", "The server is overloaded. Please retry later."),
}
_DATA_REASONS = {
    400: ("invalidPayload", "The request is invalid."),
    401: ("401", "Access denied due to an invalid token or key, or a wrong API endpoint."),
    403: ("forbidden", "The principal lacks the required data action, or a network rule blocks this request."),
    404: ("notFound", "The specified resource was not found."),
    429: ("429", "Requests have exceeded the call rate limit of this resource. Please retry later."),
    500: ("internalFailure", "The service failed. Please retry."),
    503: ("serviceUnavailable", "The service is temporarily unable to process the request. Please retry later."),
}


def reason(plane: str, status: int) -> tuple[str, str]:
    """Usual code and message of an error status on a plane."""
    reasons = _DATA_REASONS if plane == "data" else _ARM_REASONS
    return reasons.get(status, (str(status), f"The request failed with status {status}."))


def authorize(context: Context) -> None:
    """Check the bearer token of ARM and Azure Monitor. Raises Refusal."""
    if not _has_token(context):
        given = "authorization" in context.request.headers
        code = "InvalidAuthenticationToken" if given else "AuthenticationFailed"
        message = "The access token is invalid." if given else "The 'Authorization' header is missing."
        raise Refusal(401, code, f"Authentication failed. {message}", {"www-authenticate": "Bearer"})


def authorize_data(context: Context, account: Account) -> None:
    """Check the token or the key of a data plane request. Raises Refusal."""
    key = context.request.headers.get("api-key")
    if key is None:
        if not _has_token(context):
            raise Refusal(401, *reason("data", 401))
    elif account.disable_local_auth:
        raise Refusal(403, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.")
    elif key not in account.api_keys:
        raise Refusal(401, *reason("data", 401))


def _has_token(context: Context) -> bool:
    scheme, _, token = context.request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and token.strip() in context.world.tokens | context.world.writers
