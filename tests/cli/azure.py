"""A simulated Azure on loopback for commands that ask it, in a thread, since they bring an event loop of their own.

It also answers ARM's permissions operation, which the simulator does not know, from `grants`.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.factories import NOW
from watcher.simulator import Scenario, World, create_app
from watcher.simulator.clock import SteppedClock
from watcher.simulator.server import bind, serving

_PERMISSIONS = "/providers/microsoft.authorization/permissions"


@dataclass(slots=True)
class Azure:
    """What is being served."""

    url: str = ""
    grants: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  #: by ARM id in lower case; else 403
    asked: list[str] = field(default_factory=list)  #: paths


class _Permissions:
    """Answers one operation, and hands on all others."""

    def __init__(self, app: ASGIApp, azure: Azure) -> None:
        self._app = app
        self._azure = azure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        self._azure.asked.append(path)
        if not path.lower().endswith(_PERMISSIONS):
            await self._app(scope, receive, send)
            return
        held = self._azure.grants.get(path.lower().removesuffix(_PERMISSIONS))
        refused = {"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}}
        answer = JSONResponse(refused, 403) if held is None else JSONResponse({"value": held, "nextLink": None})
        await answer(scope, receive, send)


@contextlib.contextmanager
def serve_azure(scenario: Scenario) -> Iterator[Azure]:
    """The scenario at `NOW`, over real sockets, until the block ends."""
    azure = Azure()
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        world = World(scenario, start=NOW)
        inner = create_app(world, SteppedClock(NOW))
        app = Starlette(middleware=[Middleware(_Permissions, azure=azure)])
        app.mount("/", inner)
        sockets = bind(["127.0.0.1"], 0)
        azure.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        async with serving(app, sockets):
            loops.append(asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(30)
        yield azure
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(30)


def dumped(document: object) -> str:
    """As one text, to be searched."""
    return json.dumps(document)
