"""The pretend Azure as a Starlette app: one route for each operation that a read-only client uses, and one that writes.

The gate stands before the routes: it finds the account behind a host, refuses whatever is not a read, but for those
who may write, and keeps the record of requests. Each operation runs under the faults of its plane.
"""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watcher.simulator import arm, control, costs, data_plane, monitor, prices, writes
from watcher.simulator.addresses import Addresses
from watcher.simulator.clock import Clock
from watcher.simulator.ids import guid
from watcher.simulator.requests import RequestLog, RequestRecord
from watcher.simulator.scenario import Dialect
from watcher.simulator.serving import (
    ARM_READS_LEFT,
    Answer,
    Context,
    Operation,
    Refusal,
    authorize,
    error_response,
    error_shape,
)
from watcher.simulator.wire import spoilt
from watcher.simulator.world import World

_ACCOUNTS = "/providers/Microsoft.CognitiveServices/accounts"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_ACCOUNT = f"{_GROUP}{_ACCOUNTS}/{{account}}"
_BATCH = "/subscriptions/{subscription}/metrics:getBatch"

# plane, name of the operation, path (ARM's without regard to case), operation
_CONTROL_PLANE: tuple[tuple[str, str, str, Operation], ...] = (
    ("arm", "subscriptions", "/subscriptions", arm.subscriptions),
    ("arm", "resource_groups", "/subscriptions/{subscription}/resourcegroups", arm.resource_groups),
    ("arm", "accounts", f"/subscriptions/{{subscription}}{_ACCOUNTS}", arm.accounts),
    ("arm", "accounts", f"{_GROUP}{_ACCOUNTS}", arm.accounts),
    ("arm", "account", _ACCOUNT, arm.account),
    ("arm", "deployments", f"{_ACCOUNT}/deployments", arm.deployments),
    ("arm", "deployment", f"{_ACCOUNT}/deployments/{{deployment}}", arm.deployment),
    (
        "arm",
        "location_models",
        "/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/locations/{location}/models",
        arm.location_models,
    ),
    ("metrics", "metrics", f"{_ACCOUNT}/providers/Microsoft.Insights/metrics", monitor.account_metrics),
    ("metrics", "metrics_batch", _BATCH, monitor.batch),
    (
        "activity",
        "activity_log",
        "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values",
        monitor.activity_log,
    ),
    (
        "costs",
        "cost_query",
        "/subscriptions/{subscription}/providers/Microsoft.CostManagement/query",
        costs.query,
    ),
    ("prices", "prices", "/api/retail/prices", prices.prices),
)

_DATA_PLANE: tuple[tuple[str, str, Operation], ...] = (
    ("jobs", "/fine_tuning/jobs", data_plane.job_list),
    ("job", "/fine_tuning/jobs/{job}", data_plane.job),
    ("events", "/fine_tuning/jobs/{job}/events", data_plane.events),
    ("checkpoints", "/fine_tuning/jobs/{job}/checkpoints", data_plane.checkpoints),
    ("files", "/files", data_plane.file_list),
    ("file", "/files/{file}", data_plane.file),
    ("file_content", "/files/{file}/content", data_plane.file_content),
    ("models", "/models", data_plane.model_list),
    ("model", "/models/{model:path}", data_plane.model),
)
_DIALECTS: tuple[tuple[str, Dialect], ...] = (("/openai/v1", "v1"), ("/openai", "dated"))


def create_app(
    world: World, clock: Clock, *, addresses: Addresses | None = None, with_control: bool = False
) -> Starlette:
    """The app that serves `world` at the time of `clock`.

    `addresses` says where accounts' endpoints are (by default under `/account/<key>/` of the address asked);
    `with_control` opens `/_simulator/…`. `app.state.requests` is a RequestLog, `app.state.world` the world.
    """
    book = addresses or Addresses()
    routes: list[BaseRoute] = [
        _AnyCaseRoute(path, _served(operation, plane, api, None, clock, book), methods=["GET", "POST"])
        for plane, api, path, operation in _CONTROL_PLANE
    ]
    put = _served(writes.put_deployment, "arm", "deployment_put", None, clock, book)
    routes.insert(0, _AnyCaseRoute(f"{_ACCOUNT}/deployments/{{deployment}}", put, methods=["PUT"]))
    for prefix, dialect in _DIALECTS:
        routes += [
            Route(f"/account/{{key}}{prefix}{path}", _served(operation, "data", api, dialect, clock, book))
            for api, path, operation in _DATA_PLANE
        ]
    if with_control:
        routes += control.routes(clock)
    log = RequestLog()
    app = Starlette(
        routes=routes,
        middleware=[Middleware(_Gate, world=world, clock=clock, log=log, addresses=book)],
        exception_handlers={404: _not_found},
    )
    app.router.redirect_slashes = False
    app.state.world = world
    app.state.requests = log
    app.state.cost_queries = {}
    return app


class _AnyCaseRoute(Route):
    """A route whose fixed parts match in any case, as ARM's do."""

    def __init__(self, path: str, endpoint: Callable[..., object], *, methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


def _served(
    operation: Operation, plane: str, api: str, dialect: Dialect | None, clock: Clock, addresses: Addresses
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one operation: faults first, then authorization, then the operation itself."""

    shape = error_shape(api, dialect)

    async def endpoint(request: Request) -> Response:
        world = cast(World, request.app.state.world)
        now = clock()
        moment = world.moment(now)
        account = _account_name(request, world, moment)
        request.state.labels = (plane, api, account)
        path = request.url.path
        faults = world.faults.strike(plane=plane, account=account, path=path, api=api, moment=moment)
        context = Context(
            request=request,
            world=world,
            addresses=addresses,
            now=now,
            plane=plane,
            api=api,
            dialect=dialect,
            faults=faults,
            body=await _body(request),
        )
        return await spoilt(faults, lambda: _answer(operation, context), plane=plane, shape=shape, now=now)

    return endpoint


async def _answer(operation: Operation, context: Context) -> Response:
    try:
        if context.plane not in ("data", "prices"):
            authorize(context)
        answer = operation(context)
        response = answer if isinstance(answer, Response) else Answer(answer)
    except Refusal as refusal:
        response = error_response(refusal, error_shape(context.api, context.dialect))
    number = context.request.app.state.requests.total
    if context.plane == "data":
        response.headers["apim-request-id"] = guid("request", number)
    elif context.plane != "prices":
        response.headers["x-ms-request-id"] = guid("request", number)
        response.headers["x-ms-correlation-request-id"] = guid("correlation", number)
        response.headers[ARM_READS_LEFT] = "249"
    return response


async def _body(request: Request) -> dict[str, object]:
    if request.method not in ("POST", "PUT"):
        return {}
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _account_name(request: Request, world: World, moment: timedelta) -> str:
    """The name of the account that a request is about, "" for none."""
    key = request.path_params.get("key")
    if key is not None:
        account = world.account(str(key), moment)
        return str(key) if account is None else account.name
    return str(request.path_params.get("account", ""))


async def _not_found(request: Request, exc: Exception) -> Response:
    return JSONResponse({"error": {"code": "404", "message": "Resource not found"}}, status_code=404)


class _Gate:
    """Before all routes: an account's own host becomes a path, writes of those who only read are refused, every request
    is recorded.
    """

    def __init__(self, app: ASGIApp, *, world: World, clock: Clock, log: RequestLog, addresses: Addresses) -> None:
        self._app = app
        self._world = world
        self._clock = clock
        self._log = log
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(control.PREFIX):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        headers = dict(scope["headers"])
        key = self._addresses.key_of(headers.get(b"host", b"").decode("latin-1"))
        if key is not None:
            scope["path"] = f"/account/{key}{scope['path']}"
        status = 0

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            is_read = scope["method"] in ("GET", "HEAD") or (scope["method"] == "POST" and _is_question(scope["path"]))
            if is_read or (scope["method"] == "PUT" and writes.may_write(self._world, headers, scope["path"])):
                await self._app(scope, receive, watched_send)
            else:
                scope["state"]["labels"] = ("", "refused", "")
                await _REFUSED(scope, receive, watched_send)
        finally:
            self._record(scope, status)

    def _record(self, scope: Scope, status: int) -> None:
        plane, api, account = scope["state"].get("labels", ("", "", ""))
        query = scope["query_string"].decode("latin-1")
        record = RequestRecord(
            at=self._clock(),
            method=scope["method"],
            path=scope["path"],
            query=query,
            plane=plane,
            api=api,
            account=account,
            status=status,
        )
        self._log.add(record)


_REFUSED = JSONResponse(
    {"error": {"code": "MethodNotAllowed", "message": "The simulator answers reads only."}}, status_code=405
)


def _is_question(path: str) -> bool:
    """Whether this is one of the two addresses that are read with a body."""
    return path.lower().endswith(("/metrics:getbatch", "/providers/microsoft.costmanagement/query"))
