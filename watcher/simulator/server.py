"""The app on loopback, over real sockets, in the caller's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.simulator.addresses import Addresses, loopback_hosts
from watcher.simulator.app import create_app
from watcher.simulator.clock import Clock
from watcher.simulator.requests import RequestLog
from watcher.simulator.wire import CONNECTIONS
from watcher.simulator.world import World

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A simulator that is being served."""

    url: str  # base of ARM, Azure Monitor and retail prices; no slash at the end
    port: int
    app: Starlette
    world: World

    @property
    def requests(self) -> RequestLog:
        log = self.app.state.requests
        assert isinstance(log, RequestLog)
        return log


@contextlib.asynccontextmanager
async def serve(
    world: World, clock: Clock, *, port: int = 0, own_hosts: bool = False, with_control: bool = False
) -> AsyncIterator[Running]:
    """Serve `world` on 127.0.0.1 until the block ends. Signals are left alone.

    `port` 0 takes a free one. With `own_hosts` each account that exists now gets an address of 127.1.0.0/16 of its own,
    on the same port, so that clients meet as many hosts as with the real service (Linux; elsewhere needs aliases).
    Raises OSError when an address cannot be bound.
    """
    hosts: Mapping[str, str] = {}
    if own_hosts:
        hosts = loopback_hosts([account.key for account in world.scenario.accounts])
    app = create_app(world, clock, addresses=Addresses(hosts=hosts), with_control=with_control)
    sockets = bind([LOOPBACK, *hosts.values()], port)
    bound = int(sockets[0].getsockname()[1])
    async with serving(app, sockets):
        yield Running(url=f"http://{LOOPBACK}:{bound}", port=bound, app=app, world=world)


@contextlib.asynccontextmanager
async def serving(app: Starlette, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serve `app` on bound sockets until the block ends; closes them."""
    config = uvicorn.Config(
        app,
        http=_NotedProtocol,  # the pure Python protocol, whose connections a fault may cut
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the app sends the simulated time
        timeout_graceful_shutdown=1,
    )
    server = _Embedded(config)
    task = asyncio.create_task(server.serve(sockets=list(sockets)))
    try:
        while not server.started:
            if task.done():
                await task  # raises why it never started
                raise OSError("the simulator stopped while it was starting")
            await asyncio.sleep(0.005)
        yield
    finally:
        for number in {bound.getsockname()[1] for bound in sockets}:
            _cut_connections(number)  # answers that hang on purpose would hold the shutdown
        server.should_exit = True
        await task
        for bound in sockets:
            bound.close()


def bind(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """A listening socket for each host, all on one port; 0 lets the first choose. Raises OSError."""
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            port = int(bound.getsockname()[1])
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _cut_connections(port: int) -> None:
    for connection in list(CONNECTIONS.values()):
        if connection.get_extra_info("sockname")[1] == port:
            connection.abort()


class _Embedded(uvicorn.Server):
    """A server in somebody else's loop: uvicorn would take SIGTERM and SIGINT, and raise them again when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _NotedProtocol(H11Protocol):
    """Notes each connection where `wire` finds it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        if self.client is not None:
            CONNECTIONS[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.client is not None:
            CONNECTIONS.pop(self.client, None)
