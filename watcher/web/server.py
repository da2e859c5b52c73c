"""uvicorn inside our loop: it takes no signals, and lets go of slow clients when it stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from watcher.errors import ConfigurationError

#: Requests that are open at the end have this long.
_STOP_TIMEOUT_S = 2


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # uvicorn would raise them again at its end, and kill us before we have cleaned up


@asynccontextmanager
async def serving(app: ASGIApp, *, host: str, port: int) -> AsyncIterator[str]:
    """Serve `app` while the context lasts; gives the address with its real port (0 asks for a free one).

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
        limit_concurrency=256,
        timeout_keep_alive=5,
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
        server.should_exit = True
        await task
        socket.close()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
