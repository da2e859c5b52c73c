"""What lets a month pass in seconds: a loop that waits for no timer, a store without threads, requests without a wire.

A database, its statements and their compiled form are kept from one month to the next: only what is in it is new.
"""

import asyncio
import selectors
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from httpx import AsyncBaseTransport, Headers, Request, Response
from sqlalchemy import Connection, Engine
from sqlalchemy.pool import StaticPool
from starlette.types import ASGIApp, Message, Scope

from watcher.store import engine
from watcher.store.engine import Store
from watcher.transport import Client, Fetched, TooLargeError


class HereStore(Store):
    """The store, in the caller's thread, over a connection that stays open."""

    def __init__(self, connection: Connection) -> None:  # instead of the store's own, which starts its threads
        self.engine = connection.engine
        self._tx = connection

    async def read(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return self.read_now(fn, *args, **kwargs)

    def read_now(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return self.write_now(fn, *args, **kwargs)

    async def write(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return self.write_now(fn, *args, **kwargs)

    def write_now(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        with engine.translated(), self._tx.begin():
            return fn(self._tx, *args, **kwargs)

    def close(self) -> None:
        self._tx.close()


def open_store() -> Store:
    """A new database; only one is open at a time."""
    database, blank = _databases()
    connection = database.connect()
    # Over whatever the last one left there, were it a transaction that nobody ended.
    blank.backup(connection.connection.dbapi_connection)
    return HereStore(connection)


@cache
def _databases() -> tuple[Engine, Any]:
    """One in memory, to be used again and again, and one with nothing in it but the schema."""
    database = engine.connect("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    engine.upgrade(database)
    blank: Any = engine.connect("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    held = blank.connect().connection.dbapi_connection
    with database.connect() as connection:
        connection.connection.dbapi_connection.backup(held)  # type: ignore[union-attr]  # it is sqlite's
    return database, held


class HereClient(Client):
    """The client, with an ASGI app instead of the network, as the real one goes around httpx."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(_Nowhere())
        self._app = app

    async def fetch(
        self, url: str, headers: Mapping[str, str], *, connect_s: float, most: int, question: bytes | None = None
    ) -> Fetched:
        host, scope = _address(url)
        scope = scope | {
            "method": "GET" if question is None else "POST",
            "headers": [*_raw(tuple(headers.items())), (b"host", host)],
            "state": {},
        }
        is_asked = False
        status, told, parts = 0, Headers(), list[bytes]()

        async def receive() -> Message:
            nonlocal is_asked
            if is_asked:
                await asyncio.Event().wait()  # the client is there until it gives up
            is_asked = True
            return {"type": "http.request", "body": question or b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, told
            if message["type"] == "http.response.start":
                status, told = message["status"], Headers(message["headers"])
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        body = b"".join(parts)
        if len(body) > most:
            raise TooLargeError
        return Fetched(status, told, body)


class _Nowhere(AsyncBaseTransport):
    """Nothing is asked but by `fetch`."""

    async def handle_async_request(self, request: Request) -> Response:
        raise AssertionError(f"{request.url} was asked for in another way than by `fetch`")


@lru_cache(maxsize=4096)
def _address(url: str) -> tuple[bytes, Scope]:
    parts = urlsplit(url)
    path = parts.path or "/"
    return parts.netloc.encode(), {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": parts.scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": parts.query.encode(),
        "server": (parts.hostname or "", parts.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }


@lru_cache(maxsize=1024)
def _raw(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers)


class _HastySelector(selectors.DefaultSelector):
    """Never waits for a timer: moves the clock to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class HastyLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hasty = _HastySelector()
        super().__init__(self._hasty)

    def time(self) -> float:
        return self._hasty.now
