"""The application: `/healthz`, `/readyz` and `/metrics`.

Health and readiness are open to anyone who may connect, since probes carry no token; all else needs one where one is
set. A Host header of another name is refused, so that no page elsewhere can reach us through a browser.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watcher.web.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the daemon does."""

    is_alive: bool  #: the loops move
    not_ready: tuple[str, ...]  #: what is missing before the first complete cycle; empty: ready
    last_progress_at: datetime | None = None
    last_complete_cycle_at: datetime | None = None


def create_app(
    *, health: Callable[[], Health], metrics: Metrics, hosts: Sequence[str] = ("*",), tokens: Sequence[str] = ()
) -> Starlette:
    """The application.

    Args:
        hosts: Names and addresses under which we may be asked for; "*": any.
        tokens: Bearer tokens of which one is needed for what is not health; empty: none is needed.
    """

    async def healthz(request: Request) -> Response:
        now = health()
        return JSONResponse(
            {
                "status": "ok" if now.is_alive else "stuck",
                "last_progress_at": _text(now.last_progress_at),
                "last_complete_cycle_at": _text(now.last_complete_cycle_at),
            },
            status_code=200 if now.is_alive else 503,
        )

    async def readyz(request: Request) -> Response:
        now = health()
        return JSONResponse(
            {"status": "not ready" if now.not_ready else "ready", "reasons": list(now.not_ready)},
            status_code=503 if now.not_ready else 200,
        )

    async def exposition(request: Request) -> Response:
        if not _may_see(request, tokens):
            return PlainTextResponse("a bearer token is needed\n", 401, {"www-authenticate": "Bearer"})
        return Response(await run_in_threadpool(generate_latest, metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposition)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(SecurityHeaders)],
    )


def _may_see(request: Request, tokens: Sequence[str]) -> bool:
    if not tokens:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # All are compared, each in constant time: neither the time nor the order tells anything.
    matches = [hmac.compare_digest(given.encode(), token.encode()) for token in tokens]
    return scheme.lower() == "bearer" and any(matches)


def _text(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


class SecurityHeaders:
    """Adds what a browser should hold us to; pure ASGI, so that streams stay streams."""

    _HEADERS = (
        (
            b"content-security-policy",
            b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
