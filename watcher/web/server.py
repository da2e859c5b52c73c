"""uvicorn inside our loop: it takes no signals, and lets go of slow clients when it stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.errors import ConfigurationError
from watcher.web.connections import Connection, Lobby

#: In a scope's extensions the event that is set when the server ends: what would go on for ever ends with it.
END = "watcher.end"
#: Requests that are open at the end have this long.
_STOP_TIMEOUT_S = 2
#: For the next request on a connection.
_KEEP_ALIVE_S = 5
#: Of the head of a request.
_MOST_HEAD_BYTES = 16 * 1024


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # uvicorn would raise them again at its end, and kill us before we have cleaned up


@asynccontextmanager
async def serving(app: ASGIApp, *, host: str, port: int, lobby: Lobby | None = None) -> AsyncIterator[str]:
    """Serve `app` while the context lasts; gives the address with its real port (0 asks for a free one).

    Args:
        lobby: How many connections there may be, and how long they may keep us waiting.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    ended = asyncio.Event()
    config = uvicorn.Config(
        _told(app, ended),
        host=host,
        port=port,
        lifespan="off",
        http=cast("type[asyncio.Protocol]", partial(Connection, lobby=lobby or Lobby())),
        ws="none",
        log_config=None,
        log_level="error",  # what clients send wrongly is no warning of ours, and they could fill the log with it
        access_log=False,
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For would let anybody on this machine speak for a proxy
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    server = _Embedded(config)
    try:
        socket = config.bind_socket()
    except (SystemExit, OSError) as exc:  # uvicorn logs the cause and exits
        problem = ("web.listen", f"{host}:{port} cannot be bound", "is another watcher running? choose another port")
        raise ConfigurationError([problem]) from exc
    task = asyncio.create_task(server.serve(sockets=[socket]), name="web")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        bound = socket.getsockname()
        yield f"http://{_bracketed(bound[0])}:{bound[1]}"
    finally:
        ended.set()
        server.should_exit = True
        await task
        socket.close()


def _told(app: ASGIApp, ended: asyncio.Event) -> ASGIApp:
    """The application, told of the end."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[END] = ended
        await app(scope, receive, send)

    return asked


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
