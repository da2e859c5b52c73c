"""Over real sockets: what a wire can do to an answer, and what the pool does with many hosts."""

import asyncio
import json
import ssl
from collections import Counter
from contextlib import asynccontextmanager

import hypothesis.strategies as st
import pytest
import trustme
from azure_factories import (
    NOW,
    SUBSCRIPTION,
    Sleeps,
    raw_account,
    raw_deployment,
    raw_job,
    raw_metrics,
    raw_series,
    static_credentials,
)
from hypothesis import example, given

from watcher.azure.auth import open_credentials
from watcher.azure.client import AzureClient
from watcher.azure.clouds import CHINA, PUBLIC, USGOVERNMENT
from watcher.azure.collector import Collector
from watcher.azure.discovery import DiscoverySettings, discover
from watcher.errors import MalformedError, UnavailableError
from watcher.resources.snapshot import Known
from watcher.transport import URL, InvalidURL, is_plain, open_client

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
        assert len(seen) == 2  # the first request does not tell that more will follow
        await http.aclose()


@pytest.mark.parametrize(
    ("talk", "words", "connections", "timeout_s"),
    [
        (drip, "no whole answer within", 1, 0.4),
        (hang, "no whole answer within", 1, 0.4),
        # These fail at once, and are tried again as long as time allows: the two waits alone count for 0.75 s.
        (reset, "reset|connection failed", 6, 30),  # aiohttp tries once more by itself, lest a kept one was stale
        (truncate, "connection", 3, 30),
        (babble, "connection|SSH|status", 3, 30),
    ],
)
async def test_every_mischief_of_the_wire_is_unavailable(talk, words, connections, timeout_s):
    async with serving(talk) as (port, seen):
        with pytest.raises(UnavailableError, match=words):
            await ask(port, timeout_s=timeout_s)
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
        for _ in range(4):
            for last in (1, 2, 3):
                await client.get(f"http://127.0.0.{last}:{port}/x", api="t", auth=TOKEN)
        await http.aclose()
        by_host = Counter(writer.get_extra_info("sockname")[0] for writer in seen)
        # Each is first asked once without it being known that it will be asked again.
        assert by_host == {"127.0.0.1": 2, "127.0.0.2": 2, "127.0.0.3": 4}


async def test_keeps_no_connection_to_whom_it_asks_seldom():
    """However many are asked once, there is room for one that is asked often."""
    async with serving(good, host="0.0.0.0") as (port, seen):
        http = open_client(trust_env=False, kept_hosts=1)
        client = AzureClient(http, timeout_s=2)
        for seldom in range(2, 8):
            for last in (seldom, 1):
                await client.get(f"http://127.0.0.{last}:{port}/x", api="t", auth=TOKEN)
        await http.aclose()
        by_host = Counter(writer.get_extra_info("sockname")[0] for writer in seen)
        assert by_host == {"127.0.0.1": 2, **{f"127.0.0.{seldom}": 1 for seldom in range(2, 8)}}


async def test_forgets_whom_it_has_not_asked_for_long(monkeypatch):
    async with serving(good, host="0.0.0.0") as (port, seen):
        http = open_client(trust_env=False, kept_hosts=1, keepalive_s=60)
        client = AzureClient(http, timeout_s=2)
        clock = [1000.0]
        monkeypatch.setattr("watcher.transport.monotonic", lambda: clock[0])
        for at, last in ((0, 1), (1, 1), (100, 2), (101, 2), (102, 2)):
            clock[0] = 1000.0 + at
            await client.get(f"http://127.0.0.{last}:{port}/x", api="t", auth=TOKEN)
        await http.aclose()
        by_host = Counter(writer.get_extra_info("sockname")[0] for writer in seen)
        assert by_host == {"127.0.0.1": 2, "127.0.0.2": 2}


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


async def echo(reader, writer):
    """Answers with the first line of the request and its body."""
    head = await request_of(reader)
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    body = await reader.readexactly(length)
    told = json.dumps([head.split(b"\r\n")[0].decode(), body.decode(), b"content-type: application/json" in lines])
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(told), told.encode()))
    await writer.drain()


@pytest.mark.parametrize("question", [None, b'{"resourceids":["/a"]}', b""])
async def test_a_question_goes_along_as_a_body(question):
    async with serving(echo) as (port, _):
        http = open_client(trust_env=False)
        got = await AzureClient(http).get(f"http://127.0.0.1:{port}/x?a=%2B", api="t", auth=TOKEN, question=question)
        await http.aclose()
    verb = "GET" if question is None else "POST"
    assert json.loads(got.body) == [f"{verb} /x?a=%2B HTTP/1.1", (question or b"").decode(), question is not None]


async def test_a_body_is_read_no_further_than_was_asked_for():
    async with serving(good) as (port, _):
        http = open_client(trust_env=False)
        client, url = AzureClient(http), f"http://127.0.0.1:{port}/x"
        assert (await client.get(url, api="t", auth=TOKEN, most=10)).body == b'{"a": 123}'
        with pytest.raises(MalformedError, match="larger than 9 bytes"):
            await client.get(url, api="t", auth=TOKEN, most=9)
        await http.aclose()


class Cloudy:
    """A cloud behind a proxy: whatever host is asked for, its TLS server is here, with a certificate for that name."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.paths = []
        self.tunnels = []
        self.tls_port = 0

    async def tunnel(self, reader, writer):
        line = (await request_of(reader)).split(b"\r\n")[0].decode()
        self.tunnels.append(line.split()[1])
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.tls_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))

    async def serve(self, reader, writer):
        while True:
            head = (await request_of(reader)).decode()
            host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
            length = next(
                (int(line[16:]) for line in head.lower().split("\r\n") if line.startswith("content-length: ")), 0
            )
            await reader.readexactly(length)
            path = head.split()[1].partition("?")[0]
            self.paths.append((host, path))
            body = json.dumps(self.answer(path)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()

    def answer(self, path):
        account = raw_account()
        account["properties"]["endpoint"] = f"{self.endpoint}/"
        if path.endswith("/accounts"):
            return {"value": [account]}
        if path.endswith("/deployments"):
            return {"value": [raw_deployment()]}
        if path.endswith("getBatch"):
            metrics = raw_metrics(raw_series("d", "200", ("2026-11-22T05:00:00Z", 1)), resourceid=account["id"])
            return {"values": [metrics]}
        if path.endswith("/jobs"):
            return {"data": [raw_job("j", "succeeded")], "has_more": False}
        return {"data": [], "value": [], "has_more": False}


async def _pump(reader, writer):
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("cloud", "hosts"),
    [
        (PUBLIC, ("management.azure.com", "ft.openai.azure.com", "eastus2.metrics.monitor.azure.com")),
        (USGOVERNMENT, ("management.usgovcloudapi.net", "ft.openai.azure.us", "eastus2.metrics.monitor.azure.us")),
        (CHINA, ("management.chinacloudapi.cn", "ft.openai.azure.cn", "eastus2.metrics.monitor.azure.cn")),
    ],
    ids=["public", "usgovernment", "china"],
)
async def test_each_cloud_is_read_through_a_proxy_by_whom_a_private_authority_vouches_for(
    cloud, hosts, authority, monkeypatch, tmp_path
):
    """Discovery and a whole collect, with the system's trust and the environment's proxy; only `hosts` are met."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "corporate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corporate.pem"))
    cloudy = Cloudy(f"https://{hosts[1]}")
    async with (
        serving(cloudy.serve, ssl=context) as (cloudy.tls_port, _),
        serving(cloudy.tunnel) as (port, _),
    ):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        http = open_client()
        client = AzureClient(http, timeout_s=5, sleep=Sleeps())
        collector = Collector(client, cloud, static_credentials(), batch=True)
        settings = DiscoverySettings(subscriptions=(SUBSCRIPTION,))
        found = await discover(collector.management, settings, at=NOW)
        assert (found.gaps, [account.endpoint for account in found.accounts]) == ((), [f"https://{hosts[1]}"])
        snapshot = await collector.collect(found.accounts[0], Known(), at=NOW)
        await http.aclose()
    assert snapshot.gaps == ()
    assert ([job.id for job in snapshot.jobs.items], list(snapshot.usage)) == (["j"], ["d"])
    assert {host for host, _ in cloudy.paths} == set(hosts)
    assert set(cloudy.tunnels) == {f"{host}:443" for host in hosts}


async def test_behind_a_proxy_nobody_is_trusted_unasked(server_context, monkeypatch):
    cloudy = Cloudy("")
    async with (
        serving(cloudy.serve, ssl=server_context) as (cloudy.tls_port, _),
        serving(cloudy.tunnel) as (port, _),
    ):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(UnavailableError, match="TLS"):
            await ask(443, host="localhost", scheme="https", timeout_s=5, http=open_client())
    assert (cloudy.tunnels[0], cloudy.paths) == ("localhost:443", [])


async def test_a_host_that_needs_no_proxy_is_met_directly(authority, server_context, monkeypatch, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "corporate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corporate.pem"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost,.azure.us")
    async with serving(good, ssl=server_context) as (port, _):
        answer = await ask(port, host="localhost", scheme="https", timeout_s=5, http=open_client())
        assert answer.status == 200
        with pytest.raises(UnavailableError, match="the connection was refused"):
            await ask(port, host="ft.openai.azure.com", scheme="https", timeout_s=5, http=open_client())


class Authority(Cloudy):
    """A cloud's login address behind the proxy."""

    def answer(self, path):
        if path.endswith("/openid-configuration"):
            tenant = f"{self.endpoint}/tenant"
            return {
                "issuer": f"{tenant}/v2.0",
                "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            }
        return {"access_token": "t0ken-of-the-authority", "token_type": "Bearer", "expires_in": 3600}


@pytest.mark.parametrize("cloud", [PUBLIC, USGOVERNMENT, CHINA], ids=lambda cloud: cloud.name)
async def test_a_token_comes_from_the_cloud_s_own_authority_by_the_same_way(cloud, authority, monkeypatch, tmp_path):
    """azure-identity brings an HTTP client of its own, which must trust and go round what ours does."""
    host = cloud.authority_url.removeprefix("https://")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "corporate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corporate.pem"))
    login = Authority(cloud.authority_url)
    async with (
        serving(login.serve, ssl=context) as (login.tls_port, _),
        serving(login.tunnel) as (port, _),
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        credentials = open_credentials(
            "client_secret",
            authority_url=cloud.authority_url,
            tenant_id="tenant",
            client_id="client",
            client_secret="s3cret",
        )
        header = await credentials.for_scope(cloud.management_scope).header()
    assert header == ("authorization", "Bearer t0ken-of-the-authority")
    assert {met for met, _ in login.paths} == {host}
    assert set(login.tunnels) == {f"{host}:443"}


@given(
    st.from_regex(
        r"https?://[a-z0-9-]{1,9}(\.[a-z0-9-]{1,9}){1,3}(:[0-9]{1,5})?/[A-Za-z0-9/._~%-]{0,30}(\?[A-Za-z0-9=&._%-]{0,20})?",
        fullmatch=True,
    )
)
@example("http://127.0.0.1:8080/a/../b")
@example("http://contoso.openai.azure.com/openai/v1/fine_tuning/jobs?limit=100")
@example("http://xn--maana-pta.com/a")
def test_what_is_plain_is_spelled_so_by_httpx_too(url):
    if not is_plain(url):
        return
    try:
        spelled = URL(url)
    except InvalidURL:
        return  # an address like 1.2.3.999: it is refused when it is connected to
    assert (str(spelled), spelled.host) == (url, url.split("/")[2].partition(":")[0])


def test_the_addresses_of_polls_are_plain():
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/contoso"
    assert is_plain("https://contoso.openai.azure.com/openai/v1/fine_tuning/jobs?limit=100")
    assert is_plain(f"https://management.azure.com{group}/deployments?api-version=2024-10-01")
    assert not is_plain("https://management.azure.com/a?$skiptoken=x")
    assert not is_plain("https://Contoso.openai.azure.com/a")
