"""Slow and hostile clients over real sockets: they wait for one another, and nobody else waits for them.

Meanwhile the loop must keep moving; how late it is, is measured.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from watcher.web.asking import MOST_BYTES, body_of
from watcher.web.connections import Lobby
from watcher.web.problem import ProblemError, problem
from watcher.web.server import serving
from watcher.web.shield import Crowd

from .rig import WRITER, make_app, make_site, with_keys

#: Short waits, so that a test sees their end.
HURRIED = {"head_timeout_s": 0.4, "read_timeout_s": 0.4}
#: Of the loop's own time between two turns, whatever else the machine does; and of all time. Far above what any machine
#: needs, and far below what one that is held up would show: `HURRIED` clients, by the hundred.
MOST_WORK_S, MOST_LAG_S = 2.0, 5.0
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
#: More than sockets hold by themselves.
LARGE = 20_000_000


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here depends on it


@pytest.fixture
def app(store, clock):
    return make_app(make_site(store, clock), with_keys())


class Client:
    """One connection that does as it is told, and no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, sent: bytes) -> None:
        self.writer.write(sent)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", "0"))), 10)
        return int(first.split()[1]), headers, body

    async def is_ended(self, within: float = 10) -> bool:
        """Whether the other side ends the connection within so many seconds."""
        try:
            async with asyncio.timeout(within):
                while await self.reader.read(65_536):
                    pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False


class Place:
    """A server, and its clients."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self._clients: list[Client] = []

    async def connect(self, **options: int) -> Client:
        self._clients.append(Client(*await asyncio.open_connection(self.host, self.port, **options)))
        return self._clients[-1]

    async def get(self, path: str = "/healthz", *, token: str = "") -> int:
        """The status that a client in order is answered."""
        client = await self.connect()
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        await client.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}Connection: close\r\n\r\n".encode())
        status, _, _ = await client.answer()
        return status

    async def leave(self) -> None:
        for client in self._clients:
            client.writer.close()
        for client in self._clients:
            with contextlib.suppress(ConnectionError):
                await client.writer.wait_closed()


@contextlib.asynccontextmanager
async def served(app, **limits) -> AsyncIterator[Place]:
    async with serving(app, host="127.0.0.1", port=0, lobby=Lobby(**limits)) as address:
        place = Place(address)
        try:
            yield place
        finally:
            await place.leave()


class Lag:
    """How long the loop is held up at most, while it is watched."""

    def __init__(self) -> None:
        self.work = self.lag = 0.0

    async def watch(self) -> None:
        while True:
            due, worked = time.monotonic() + 0.01, time.thread_time()
            await asyncio.sleep(0.01)
            self.lag = max(self.lag, time.monotonic() - due)
            self.work = max(self.work, time.thread_time() - worked)


@pytest.fixture
async def lag() -> AsyncIterator[Lag]:
    watched = Lag()
    task = asyncio.create_task(watched.watch())
    yield watched
    task.cancel()
    assert watched.work < MOST_WORK_S, "the loop was held up"
    assert watched.lag < MOST_LAG_S, "the loop stood still"


async def test_three_hundred_that_never_finish_their_heads_lock_nobody_out(app, lag) -> None:
    async with served(app, most=200) as place:
        slow = [await place.connect() for _ in range(300)]
        for client in slow:
            client.writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        for _ in range(20):
            assert await place.get("/api/v1/jobs", token=WRITER) == 200
        assert await place.get("/healthz") == 200


async def test_a_head_has_its_time_and_no_drip_prolongs_it(app, lag) -> None:
    async with served(app, **HURRIED) as place:
        silent, drip = await place.connect(), await place.connect()
        began = time.monotonic()

        async def dripping() -> None:
            await drip.send(b"GET /healthz HTTP/1.1\r\nX-A: ")
            with contextlib.suppress(ConnectionError):
                while not drip.reader.at_eof():
                    await drip.send(b"a")
                    await asyncio.sleep(0.02)

        task = asyncio.create_task(dripping())
        assert await silent.is_ended()
        assert await drip.is_ended()
        assert time.monotonic() - began < 5
        await task


async def test_the_second_head_on_a_connection_has_no_more_time(app) -> None:
    async with served(app, **HURRIED) as place:
        client = await place.connect()
        await client.send(GET)
        assert (await client.answer())[0] == 200
        await client.send(b"GET /healthz HTTP/1.1\r\nX-A: ")
        assert await client.is_ended(5)


async def test_requests_on_one_connection_are_served_as_long_as_they_come(app) -> None:
    async with served(app, **HURRIED) as place:
        client = await place.connect()
        for _ in range(5):
            await client.send(GET)
            assert (await client.answer())[0] == 200
            await asyncio.sleep(0.15)  # together longer than a head may take: each has its own time


async def test_an_answer_that_takes_long_is_waited_for(lag) -> None:
    """The head's time ends with the head: what we take ourselves is not the client's."""

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.8)
        return PlainTextResponse("late")

    async with served(Starlette(routes=[Route("/", slow)]), **HURRIED) as place:
        assert await place.get("/") == 200


@pytest.mark.parametrize("path", ["/login", "/api/v1/silences"])
async def test_a_large_body_is_refused_before_it_is_read(app, path: str) -> None:
    async with served(app) as place:
        client = await place.connect()
        kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {WRITER}\r\nContent-Type: {kind}\r\n"
        await client.send(f"{head}Content-Length: 10000000000\r\n\r\n".encode())
        assert (await client.answer())[0] == 413


async def test_a_body_that_does_not_say_its_size_is_read_up_to_the_limit(app) -> None:
    async with served(app, most_unread=200_000) as place:
        client = await place.connect()
        await client.send(
            b"POST /api/v1/silences HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer " + WRITER.encode() + b"\r\n\r\n"
        )
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        for _ in range(MOST_BYTES // 0x8000 + 1):
            await client.send(chunk)
        assert (await client.answer())[0] == 413
        with contextlib.suppress(ConnectionError):
            for _ in range(200):  # whoever goes on is cut off
                await client.send(chunk)
        assert await client.is_ended()


async def test_a_body_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.web.asking.BODY_TIMEOUT_S", 0.2)

    async def take(request: Request) -> Response:
        try:
            return PlainTextResponse(str(len(await body_of(request))))
        except ProblemError as exc:
            return problem(exc.status, exc.detail, headers=exc.headers)

    async with served(Starlette(routes=[Route("/", take, methods=["POST"])])) as place:
        client = await place.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n123")
        status, headers, _ = await client.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert await client.is_ended(2)


async def test_slow_bodies_take_no_place_from_others(app, lag) -> None:
    """More of them than requests may be worked on at once; none has a token, and the form of the door is read."""
    async with served(app, most=250) as place:
        for number in range(200):
            client = await place.connect()
            path = "/login" if number % 2 else "/api/v1/silences"
            kind = "application/x-www-form-urlencoded" if number % 2 else "application/json"
            client.writer.write(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
                f"Content-Length: 1000\r\n\r\ntoken=".encode()
            )
        for _ in range(20):
            assert await place.get("/api/v1/jobs", token=WRITER) == 200


async def test_who_does_not_read_is_dropped_and_holds_up_nobody(lag) -> None:
    content = b"x" * LARGE

    async def much(request: Request) -> Response:
        return StreamingResponse(iter([content, content]))

    crowd = Crowd(Starlette(routes=[Route("/much", much), Route("/", lambda _: PlainTextResponse("ok"))]), at_work=3)
    begun = ended = 0

    async def app(scope, receive, send) -> None:
        nonlocal begun, ended
        begun += scope["type"] == "http"
        try:
            await crowd(scope, receive, send)
        finally:
            ended += scope["type"] == "http"

    async def until(comes_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not comes_true():
                await asyncio.sleep(0.01)

    async with served(app, **HURRIED) as place:
        deaf = [await place.connect(limit=1024) for _ in range(4)]
        for client in deaf:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await client.send(b"GET /much HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: begun == 4)
        assert await place.get("/") == 200
        await until(lambda: ended == begun)
        for client in deaf:
            received = 0
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            with contextlib.suppress(ConnectionError):
                while some := await asyncio.wait_for(client.reader.read(1_000_000), 5):
                    received += len(some)
            assert received < LARGE
        assert crowd.at_work == 0


async def test_who_reads_slowly_gets_all_of_it() -> None:
    """Though it takes longer than any single wait may."""
    content = b"x" * LARGE
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse(content))])
    async with served(app, **HURRIED) as place:
        client = await place.connect(limit=1024)
        await client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        received, began = 0, time.monotonic()
        while received < LARGE and (some := await asyncio.wait_for(client.reader.read(1_000_000), 5)):
            received += len(some)
            await asyncio.sleep(min(0.05, max(0.0, began + 1.5 * received / LARGE - time.monotonic())))
    assert head.startswith(b"HTTP/1.1 200")
    assert received == LARGE
    assert time.monotonic() - began > 2 * HURRIED["head_timeout_s"]


async def test_who_are_too_many_are_told_so_and_probes_are_answered() -> None:
    is_open = asyncio.Event()

    async def waits(request: Request) -> Response:
        await is_open.wait()
        return PlainTextResponse("done")

    ok = PlainTextResponse("ok")
    app = Crowd(Starlette(routes=[Route("/", waits), Route("/healthz", lambda _: ok)]), at_work=3)
    async with served(app) as place:
        first = [asyncio.create_task(place.get("/")) for _ in range(3)]
        while app.at_work < 3:
            await asyncio.sleep(0.01)
        assert await place.get("/") == 503
        assert await place.get("/healthz") == 200
        is_open.set()
        assert await asyncio.gather(*first) == [200, 200, 200]
        assert await place.get("/") == 200
    assert app.at_work == 0


async def test_streams_are_counted_apart_and_given_back() -> None:
    async def events(request: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            while True:
                yield ": here\n\n"
                await asyncio.sleep(0.02)

        return StreamingResponse(lines(), media_type="text/event-stream")

    app = Crowd(
        Starlette(routes=[Route("/events", events), Route("/", lambda _: PlainTextResponse("ok"))]),
        at_work=1,
        streams=2,
    )
    async with served(app) as place:
        listening = [await place.connect() for _ in range(2)]
        for client in listening:
            await client.send(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await asyncio.wait_for(client.reader.readuntil(b": here"), 5)
        assert (app.streams, app.at_work) == (2, 0)
        assert await place.get("/events") == 503
        assert await place.get("/") == 200
        listening[0].writer.close()
        async with asyncio.timeout(5):
            while app.streams == 2:
                await asyncio.sleep(0.01)
        client = await place.connect()
        await client.send(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await asyncio.wait_for(client.reader.readuntil(b": here"), 5)
        for one in (client, listening[1]):
            one.writer.close()
        async with asyncio.timeout(5):
            while app.streams:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", id="a long address"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n", id="many headers"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n", id="two hosts"),
        pytest.param(b"nonsense\r\n\r\n", id="nonsense"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            id="two lengths",
        ),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX A: b\r\n\r\n", id="a blank in a name"),
    ],
)
async def test_a_head_that_cannot_be_is_refused(app, lag, head: bytes) -> None:
    async with served(app) as place:
        client = await place.connect()
        with contextlib.suppress(ConnectionError):
            await client.send(head)
            reply = await asyncio.wait_for(client.reader.read(1000), 5)
            assert reply.startswith(b"HTTP/1.1 400") or not reply
        assert await client.is_ended()
        assert await place.get() == 200


async def test_requests_that_come_at_once_are_answered_in_turn(app, lag) -> None:
    async with served(app, **HURRIED) as place:
        client = await place.connect()
        unknown = GET.replace(b"/healthz", b"/api/v1/jobs")
        await client.send((GET + unknown) * 100)
        assert [(await client.answer())[0] for _ in range(200)] == [200, 401] * 100


async def test_who_sends_no_more_still_hears_the_answer() -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return PlainTextResponse("late")

    async with served(Starlette(routes=[Route("/healthz", slow)])) as place:
        client = await place.connect()
        await client.send(GET)
        client.writer.write_eof()
        assert (await client.answer())[0] == 200
        assert await client.is_ended(2)


async def test_who_goes_in_the_middle_leaves_nothing_behind(app) -> None:
    async with served(app) as place:
        for sent in (
            b"",
            b"GET /healthz HT",
            b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nabc",
        ):
            client = await place.connect()
            await client.send(sent)
            client.writer.write_eof()
            assert await client.is_ended(2)
        assert await place.get() == 200


async def test_a_protocol_that_is_not_spoken_is_not_switched_to(app) -> None:
    async with served(app) as place:
        client = await place.connect()
        await client.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert (await client.answer())[0] == 200


async def test_nobody_on_this_machine_can_speak_for_a_proxy(store, clock) -> None:
    """uvicorn would take X-Forwarded-For from loopback for the address of the client."""
    rules = replace(with_keys(), user_header="X-User", proxies=_networks("10.0.0.1/32"))
    async with served(make_app(make_site(store, clock), rules)) as place:
        client = await place.connect()
        await client.send(
            b"GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-User: root\r\n\r\n"
        )
        assert (await client.answer())[0] == 401
    rules = replace(with_keys(), user_header="X-User")
    async with served(make_app(make_site(store, clock), rules)) as place:
        client = await place.connect()
        await client.send(
            b"GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-User: ada\r\n\r\n"
        )
        assert (await client.answer())[0] == 200


def _networks(*texts: str):
    from ipaddress import ip_network

    return tuple(map(ip_network, texts))


async def test_an_end_is_not_held_up_by_who_stalls(app) -> None:
    began = 0.0
    async with served(app) as place:
        for sent in (b"", b"GET / HT", b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nabc"):
            client = await place.connect()
            await client.send(sent)
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await place.leave()
    assert time.monotonic() - began < 4
