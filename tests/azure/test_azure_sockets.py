"""Over real sockets: what a wire can do to an answer, and what the pool does with many hosts."""

import asyncio
import ssl
from collections import Counter
from contextlib import asynccontextmanager

import pytest
import trustme
from azure_factories import Sleeps, static_credentials

from watcher.azure.client import AzureClient
from watcher.errors import MalformedError, UnavailableError
from watcher.transport import open_client

TOKEN = static_credentials().for_scope("s")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n"


@asynccontextmanager
async def serving(talk, host="127.0.0.1", **options):
    """A server whose every connection is handled by `talk(reader, writer)`."""
    seen = []

    async def on_connection(reader, writer):
        seen.append(writer)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(on_connection, host, 0, **options)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        for writer in seen:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def request_of(reader):
    return await reader.readuntil(b"\r\n\r\n")


async def ask(port, *, host="127.0.0.1", scheme="http", timeout_s=0.4, http=None, **options):
    http = http or open_client(trust_env=False, **options)
    client = AzureClient(http, timeout_s=timeout_s, sleep=Sleeps(), rand=lambda: 0.0)
    try:
        return await client.get(f"{scheme}://{host}:{port}/x?a=%2B%26", api="t", auth=TOKEN)
    finally:
        await http.aclose()


async def good(reader, writer):
    asked_to_close = False
    while not asked_to_close:
        asked_to_close = b"connection: close" in (await request_of(reader)).lower()
        writer.write(HEAD + b'{"a": 123}')
        await writer.drain()


async def drip(reader, writer):
    await request_of(reader)
    writer.write(HEAD)
    for _ in range(9):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def hang(reader, writer):
    await request_of(reader)
    await asyncio.sleep(30)


async def reset(reader, writer):
    await request_of(reader)
    writer.transport.abort()


async def truncate(reader, writer):
    await request_of(reader)
    writer.write(HEAD + b'{"a"')
    await writer.drain()


async def babble(reader, writer):
    await request_of(reader)
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await writer.drain()


async def test_reads_an_answer_over_a_kept_connection():
    async with serving(good) as (port, seen):
        http = open_client(trust_env=False)
        client = AzureClient(http, timeout_s=2)
        for _ in range(5):
            assert (await client.get(f"http://127.0.0.1:{port}/x", api="t", auth=TOKEN)).body == b'{"a": 123}'
        assert len(seen) == 1
        await http.aclose()


@pytest.mark.parametrize(
    ("talk", "words", "connections"),
    [
        (drip, "no whole answer within", 1),
        (hang, "no whole answer within", 1),
        (reset, "reset|connection failed", 6),  # aiohttp tries once more by itself, lest a kept connection was stale
        (truncate, "connection", 3),
        (babble, "connection|SSH|status", 3),
    ],
)
async def test_every_mischief_of_the_wire_is_unavailable(talk, words, connections):
    async with serving(talk) as (port, seen):
        with pytest.raises(UnavailableError, match=words):
            await ask(port)
        assert len(seen) == connections


async def test_a_refused_connection_is_unavailable():
    async with serving(good) as (port, _):
        pass
    with pytest.raises(UnavailableError, match="refused"):
        await ask(port)


async def test_an_unknown_name_is_unavailable():
    with pytest.raises(UnavailableError, match="DNS"):
        await ask(443, host="nobody.invalid", scheme="https", timeout_s=5)


async def test_a_port_that_is_none_is_malformed():
    with pytest.raises(MalformedError, match="not an address"):
        await ask(99999)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


async def test_trusts_whom_it_is_told_to(authority, server_context):
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with serving(good, ssl=server_context) as (port, _):
        answer = await ask(port, host="localhost", scheme="https", timeout_s=5, http=open_client(trust=trust))
        assert answer.status == 200


async def test_distrusts_everybody_else(server_context):
    async with serving(good, ssl=server_context) as (port, _):
        with pytest.raises(UnavailableError, match="TLS"):
            await ask(port, host="localhost", scheme="https", timeout_s=5)


async def test_keeps_connections_to_few_hosts_and_closes_the_others():
    async with serving(good, host="0.0.0.0") as (port, seen):
        http = open_client(trust_env=False, kept_hosts=2)
        client = AzureClient(http, timeout_s=2)
        for _ in range(3):
            for last in (1, 2, 3):
                await client.get(f"http://127.0.0.{last}:{port}/x", api="t", auth=TOKEN)
        await http.aclose()
        by_host = Counter(writer.get_extra_info("sockname")[0] for writer in seen)
        assert by_host == {"127.0.0.1": 1, "127.0.0.2": 1, "127.0.0.3": 3}


async def test_goes_through_the_proxy_of_the_environment(monkeypatch):
    lines = []

    async def proxy(reader, writer):
        lines.append((await request_of(reader)).split(b"\r\n")[0])
        writer.write(HEAD + b'{"a": 123}')
        await writer.drain()

    async with serving(proxy) as (port, _):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "127.0.0.2")
        assert (await ask(80, host="azure.example.com", http=open_client())).status == 200
        assert lines == [b"GET http://azure.example.com/x?a=%2B%26 HTTP/1.1"]
        with pytest.raises(UnavailableError, match="refused"):
            await ask(1, host="127.0.0.2", http=open_client())


def test_opens_nothing_before_the_first_request():
    open_client()
