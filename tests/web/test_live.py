"""Live updates: over real sockets, from a change of the store to the page that is told of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.web.rig import SHARED, make_site, with_keys
from watcher.errors import DatabaseUnavailableError
from watcher.store import operators
from watcher.web.access import Rules
from watcher.web.app import create_app
from watcher.web.live import Live, Stream
from watcher.web.metrics import Figures, Metrics
from watcher.web.server import serving


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here depends on it


#: Longer than anything here takes; it bounds a test that fails.
PATIENCE_S = 10.0


class Look:
    """What a mark is read from."""

    def __init__(self) -> None:
        self.mark, self.looks, self.fails = "1", 0, False

    async def __call__(self) -> str:
        self.looks += 1
        if self.fails:
            raise DatabaseUnavailableError("gone for a moment")
        return self.mark


class Wire:
    """What one stream sends, and its reader."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_ended = False
        self.gone = asyncio.Event()
        self.is_slow = is_slow

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.is_slow and message["type"] == "http.response.body":
            await asyncio.Event().wait()
        if message["type"] == "http.response.body":
            self.is_ended = not message.get("more_body", False)
            self.sent.put_nowait(message["body"])

    async def next(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.sent.get()


@asynccontextmanager
async def listening(live: Live, wire: Wire, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    stream = Stream(live, **{"is_known": lambda: True, **options})
    task = asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.001)


async def test_a_change_is_told_to_all_and_nothing_else_is() -> None:
    look, wires = Look(), [Wire(), Wire()]
    live = Live(look, every_s=0.001)
    async with listening(live, wires[0]), listening(live, wires[1]):
        assert [await wire.next() for wire in wires] == [b"retry: 3000\n\n"] * 2
        await until(lambda: look.looks > 20)
        assert all(wire.sent.empty() for wire in wires)
        look.mark = "2"
        assert [await wire.next() for wire in wires] == [b"event: changed\ndata: 100\n\n"] * 2


async def test_nobody_looks_where_nobody_listens() -> None:
    look, wire = Look(), Wire()
    live = Live(look, every_s=0.001)
    assert look.looks == 0
    async with listening(live, wire) as task:
        await wire.next()
        await until(lambda: look.looks > 2)
        wire.gone.set()
        async with asyncio.timeout(PATIENCE_S):
            await task
    assert (live.listeners, live.is_looking) == (0, False)
    async with listening(live, again := Wire()):  # and it begins anew
        await again.next()
        await until(lambda: live.is_looking)


async def test_one_look_serves_all() -> None:
    look = Look()
    live = Live(look, every_s=0.001)
    async with listening(live, Wire()):
        await until(lambda: look.looks > 3)
        first = live._looking
        async with listening(live, Wire()):
            assert live._looking is first


async def test_a_database_that_is_gone_for_a_moment_ends_nothing() -> None:
    look, wire = Look(), Wire()
    async with listening(Live(look, every_s=0.001), wire):
        await wire.next()
        await until(lambda: look.looks > 2)
        look.fails, begun = True, look.looks
        await until(lambda: look.looks > begun + 3)
        look.fails, look.mark = False, "2"
        assert (await wire.next()).startswith(b"event: changed")


async def test_a_heartbeat_is_sent_and_a_session_that_ends_ends_the_stream() -> None:
    wire, known = Wire(), [True]
    async with listening(Live(Look()), wire, heartbeat_s=0.002, is_known=lambda: known[0]) as task:
        await wire.next()
        assert await wire.next() == b": still here\n\n"
        known[0] = False
        async with asyncio.timeout(PATIENCE_S):
            await task
    assert wire.is_ended


async def test_a_stream_ends_after_its_time() -> None:
    wire = Wire()
    async with listening(Live(Look()), wire, heartbeat_s=0.002, longest_s=0.01) as task, asyncio.timeout(PATIENCE_S):
        await task
    assert wire.is_ended


async def test_who_takes_nothing_is_let_go_of() -> None:
    wire = Wire(is_slow=True)
    live = Live(Look())
    async with listening(live, wire, slow_s=0.01) as task, asyncio.timeout(PATIENCE_S):
        await task
    assert live.listeners == 0


# In the application


@asynccontextmanager
async def served(site: Any, rules: Rules) -> AsyncIterator[str]:
    app = create_app(site, metrics=Metrics(Figures), rules=rules)
    async with serving(app, host="127.0.0.1", port=0) as address:
        yield address


async def test_what_somebody_does_reaches_an_open_page(store, clock) -> None:
    async with (
        served(make_site(store, clock), Rules()) as address,
        httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
        client.stream("GET", "/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 3000"
        acting = asyncio.create_task(act_on_and_on(store, clock))  # the first look sees what was done before it
        try:
            async with asyncio.timeout(PATIENCE_S):
                while await anext(lines) != "event: changed":
                    pass
        finally:
            acting.cancel()
        assert await anext(lines) == "data: 50"


async def act_on_and_on(store, clock) -> None:
    while True:
        await store.write(operators.record, author="Kim", action="ack", subject="x", comment="", now=clock())
        await asyncio.sleep(0.05)


async def test_the_end_of_the_server_ends_streams_at_once(store, clock) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        loop = asyncio.get_running_loop()
        async with served(make_site(store, clock), Rules()) as address:
            request = client.build_request("GET", f"{address}/events")
            answer = await client.send(request, stream=True)
            lines = answer.aiter_lines()
            await anext(lines)
            began = loop.time()
        assert loop.time() - began < 1.0  # uvicorn's own patience is 2 s
        assert [line async for line in lines if line] == []
        await answer.aclose()


async def test_events_are_for_those_who_may_see(store, clock) -> None:
    async with served(make_site(store, clock), with_keys()) as address, httpx.AsyncClient() as client:
        answer = await client.get(f"{address}/events")
        assert answer.status_code == 401
        bearer = {"authorization": f"Bearer {SHARED}"}
        async with client.stream("GET", f"{address}/events", headers=bearer) as stream:
            assert stream.status_code == 200
