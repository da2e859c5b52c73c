"""A webhook sink on loopback, in the test's own loop: it records, verifies signatures, and fails as it is told."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.simulator.server import LOOPBACK, bind, serving

SIGNING_SECRET = "whsec_" + base64.b64encode(b"the signing secret of the flows").decode()


@dataclass(frozen=True)
class Hook:
    """One POST that came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return self.json["alerts"]

    @property
    def reason(self) -> str:
        return self.json["reason"]


@dataclass
class Sink:
    """What was sent: `tried` holds every attempt, `hooks` those that were accepted."""

    url: str = ""
    secret: str = SIGNING_SECRET
    status: int = 204  #: of the answers from now on
    tried: list[Hook] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    pings: int = 0  #: GETs of /ping, for a heartbeat
    _accepts_late: bool = False
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def hang(self) -> None:
        """Answer nothing until `recover`."""
        self._open.clear()

    def recover(self, *, accept: bool = False) -> None:
        """Accept everything; requests that hang are let go, accepted or not."""
        self.status, self._accepts_late = 204, accept
        self._open.set()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that were told, in order, each with the id and the reason of its notification."""
        return [{**alert, "hook": hook.id} for hook in self.hooks for alert in hook.alerts]

    def rules(self, reason: str | None = None) -> list[str]:
        """The rules of all alerts told, sorted."""
        return sorted(alert["rule"] for alert in self.alerts if reason in (None, alert["reason"]))

    def about(self, name: str) -> list[dict[str, Any]]:
        """The alerts about one job, deployment or account."""
        return [
            alert for alert in self.alerts if name in {alert["labels"].get(k) for k in ("job", "deployment", "account")}
        ]

    def of(self, rule: str) -> list[dict[str, Any]]:
        return [alert for alert in self.alerts if alert["rule"] == rule]

    async def take(self, request: Request) -> Response:
        hook = Hook(headers=dict(request.headers), body=await request.body())
        Webhook(self.secret).verify(hook.body, hook.headers)
        self.tried.append(hook)
        if not self._open.is_set():
            await self._open.wait()
            if not self._accepts_late:
                return Response(status_code=503)
        if self.status < 300:
            self.hooks.append(hook)
        return Response(status_code=self.status)

    async def ping(self, _: Request) -> Response:
        self.pings += 1
        await self._open.wait()
        return Response(status_code=200)


@contextlib.asynccontextmanager
async def serve_sink() -> AsyncIterator[Sink]:
    sink = Sink()
    sink.recover()
    app = Starlette(
        routes=[
            Route("/alerts", sink.take, methods=["POST"]),
            Route("/ping/{secret}", sink.ping),
            Route("/ping", sink.ping),
        ]
    )
    sockets = bind([LOOPBACK], 0)
    sink.url = f"http://{LOOPBACK}:{sockets[0].getsockname()[1]}"
    async with serving(app, sockets):
        try:
            yield sink
        finally:
            sink.recover()
