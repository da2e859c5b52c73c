"""Live updates: `/events` tells open pages that something has changed, and they fetch themselves again.

However many pages are open, one look a second at the store's mark serves them all, and none is taken where none is
open. An event holds no news, so a reader that is slow misses nothing by getting one for many: nothing is queued.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from watcher.errors import StoreError
from watcher.store import marks
from watcher.web.pages import Room
from watcher.web.server import END

#: Between two looks.
EVERY_S = 1.0
#: After so long without news something is sent all the same: it keeps proxies from closing what seems dead, and is
#: when a session is looked at again.
HEARTBEAT_S = 15.0
#: Whoever takes nothing for so long is let go of.
SLOW_S = 10.0
#: A stream ends then, and the page opens another: what would leak, leaks no longer.
LONGEST_S = 3_600.0
#: A browser tries again after this.
_RETRY_MS = 3_000
#: Each page that is open makes all of them be told that much more seldom, so that many do not keep us busy.
_CALM_S = 0.05

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class _Listener:
    """One open page."""

    __slots__ = ("is_over", "is_told", "word")

    def __init__(self) -> None:
        self.word = asyncio.Event()  #: something is to be said
        self.is_told = False  #: that something has changed
        self.is_over = False

    def tell(self) -> None:
        self.is_told = True
        self.word.set()

    def end(self) -> None:
        self.is_over = True
        self.word.set()


class Live:
    """Looks at the store while somebody listens."""

    def __init__(self, look: Callable[[], Awaitable[str]], *, every_s: float = EVERY_S) -> None:
        """`look`: reads the mark; it may raise `StoreError`."""
        self._look = look
        self._every_s = every_s
        self._listeners: set[_Listener] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @property
    def is_looking(self) -> bool:
        return self._looking is not None and not self._looking.done()

    def join(self) -> _Listener:
        listener = _Listener()
        self._listeners.add(listener)
        if not self.is_looking:
            self._looking = asyncio.create_task(self._look_forever(), name="live")
        return listener

    def leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def spread_ms(self) -> int:
        """Over how long the pages that are told spread what they ask for."""
        return round(len(self._listeners) * _CALM_S * 1_000)

    async def _look_forever(self) -> None:
        known: str | None = None
        loop = asyncio.get_running_loop()
        told_at = -1e9
        while True:
            with contextlib.suppress(StoreError):  # the pages that ask say so; the next look tells of what is new then
                found = await self._look()
                if known is None:
                    known = found
                elif found != known and loop.time() - told_at >= len(self._listeners) * _CALM_S:
                    known, told_at = found, loop.time()
                    for listener in self._listeners:
                        listener.tell()
            await asyncio.sleep(self._every_s)


class Stream(Response):
    """One stream of events."""

    def __init__(
        self,
        live: Live,
        *,
        is_known: Callable[[], bool],
        heartbeat_s: float = HEARTBEAT_S,
        slow_s: float = SLOW_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        """`is_known`: whether whoever listens may still do so."""
        self._live = live
        self._is_known = is_known
        self._heartbeat_s, self._slow_s, self._longest_s = heartbeat_s, slow_s, longest_s
        self.background = None
        self.status_code = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listener = self._live.join()
        beside = [asyncio.create_task(_until_gone(receive, listener))]
        ended = scope.get("extensions", {}).get(END)
        if ended is not None:
            beside.append(asyncio.create_task(_until_ended(ended, listener)))
        try:
            async with asyncio.timeout(self._slow_s):
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._tell(listener, send)
        except TimeoutError:
            return  # it takes nothing: the server closes what was not ended
        finally:
            self._live.leave(listener)
            for task in beside:
                task.cancel()

    async def _tell(self, listener: _Listener, send: Send) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        chunk = f"retry: {_RETRY_MS}\n\n"
        while True:
            async with asyncio.timeout(self._slow_s):
                await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await listener.word.wait()
            if listener.is_over or not self._is_known() or loop.time() - begun > self._longest_s:
                break
            chunk = f"event: changed\ndata: {self._live.spread_ms()}\n\n" if listener.is_told else ": still here\n\n"
            listener.is_told = False
            listener.word.clear()
        async with asyncio.timeout(self._slow_s):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive, listener: _Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()


async def _until_ended(ended: asyncio.Event, listener: _Listener) -> None:
    await ended.wait()
    listener.end()


def routes(room: Room) -> list[Route]:
    """`/events`."""
    site, door = room.site, room.door
    live = Live(lambda: site.store.read(marks.mark))

    async def events(request: Request) -> Response:
        if door.who(request, site.clock()) is None:
            return PlainTextResponse("sign in\n", 401)
        return Stream(live, is_known=lambda: door.who(request, site.clock()) is not None)

    return [Route("/events", events, methods=["GET"])]
