"""The one HTTP client, and the only module that imports httpx: a move to its successor is a change to this file.

httpx gives the interface, aiohttp the connection pool: httpx's own pool rescans every connection at each request and
collapses over a thousand hosts. One TLS context for all (the system's trust store), few kept connections, proxies from
the environment. What to ask and how to judge an answer is for the rooms that use it.
"""

import re
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import getproxies, proxy_bypass

import truststore
from httpx import (
    URL,
    ASGITransport,
    AsyncBaseTransport,
    AsyncByteStream,
    AsyncClient,
    ConnectError,
    ConnectTimeout,
    DecodingError,
    Headers,
    HTTPError,
    InvalidURL,
    MockTransport,
    Proxy,
    ReadTimeout,
    RemoteProtocolError,
    Request,
    Response,
    TimeoutException,
    TransportError,
    UnsupportedProtocol,
)

if TYPE_CHECKING:  # for the annotation alone: aiohttp costs a quarter of a second, and most commands send nothing
    import yarl
    from aiohttp import ClientSession, ClientTimeout

__all__ = [
    "URL",
    "ASGITransport",
    "AsyncBaseTransport",
    "AsyncByteStream",
    "AsyncClient",
    "Client",
    "ConnectError",
    "ConnectTimeout",
    "DecodingError",
    "Fetched",
    "HTTPError",
    "Headers",
    "InvalidURL",
    "MockTransport",
    "ReadTimeout",
    "RemoteProtocolError",
    "Request",
    "Response",
    "TimeoutException",
    "TooLargeError",
    "TransportError",
    "UnsupportedProtocol",
    "client_over",
    "is_hang_up",
    "is_plain",
    "open_client",
    "system_trust",
]

#: How long an idle connection is kept; a little more than the shortest poll interval that is usual.
KEEPALIVE_S = 75.0
#: To how many hosts connections are kept, of those that are asked again so soon; a TLS connection costs 60 to 310 KB.
KEPT_HOSTS = 1500
#: Those that were asked last; each takes more than a kilobyte.
_PARSED_ADDRESSES = 256


def system_trust() -> ssl.SSLContext:
    """A context that trusts what the operating system trusts, the authorities of a corporate proxy included."""
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def open_client(
    *,
    trust: ssl.SSLContext | None = None,
    connections: int = 512,
    kept_hosts: int = KEPT_HOSTS,
    keepalive_s: float = KEEPALIVE_S,
    trust_env: bool = True,
) -> "Client":
    """The shared client. It opens nothing before its first request, and is closed with `aclose`.

    Args:
        trust: Whom to trust; `None`: `system_trust()`.
        connections: Connections in use at once, at most; callers bound their own concurrency below it.
        kept_hosts: Hosts to which idle connections are kept, of those that were asked before within `keepalive_s`.
        keepalive_s: How long an idle one is kept, in seconds.
        trust_env: Take proxies from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. `.netrc` is never read.
    """
    proxies = getproxies() if trust_env else {}
    return client_over(_Wire(trust or system_trust(), connections, kept_hosts, keepalive_s, proxies))


def is_plain(url: str) -> bool:
    """Whether httpx would spell an address just like that: it need not be asked, which takes ten times as long."""
    return _PLAIN.fullmatch(url) is not None and "/." not in url and "xn--" not in url


_PLAIN = re.compile(
    r"https?://[a-z0-9-]+(\.[a-z0-9-]+)+(:[1-9][0-9]{3}|:[1-5][0-9]{4})?/[A-Za-z0-9/._-]*(\?[A-Za-z0-9=&._-]+)?"
)


class Fetched(NamedTuple):
    """A whole answer; the body is unpacked."""

    status: int
    headers: Mapping[str, str]  #: names compare without case
    body: bytes


class TooLargeError(Exception):
    """An answer is larger than its reader allows."""


class Client(AsyncClient):
    """httpx's client, with a way around what a poller has no use for."""

    def __init__(self, wire: AsyncBaseTransport) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        super().__init__(transport=wire, cookies=no_cookies, trust_env=False, follow_redirects=False)
        self._wire = wire

    async def fetch(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        connect_s: float,
        most: int,
        question: bytes | None = None,
        is_cut: bool = False,
    ) -> Fetched:
        """GET `url` and read the answer: no cookies, redirects, hooks or defaults, just `headers`.

        Args:
            connect_s: Time to connect; the whole is bounded by the caller.
            most: Bytes that the answer's body may have.
            question: Sent along as a body, and then by POST: for what is read so, as Azure Monitor's batches are.
            is_cut: Of a longer answer, or one that breaks off, the beginning is enough.

        Raises:
            TooLargeError: it has more.
            HTTPError, InvalidURL, OSError: as `send`.
        """
        if isinstance(self._wire, _Wire):
            fetched = await self._wire.fetch(url, headers, connect_s, most, question, is_cut=is_cut)
            if fetched is not None:
                return fetched
        timeout = {"connect": connect_s, "read": None, "write": None, "pool": None}
        method = "GET" if question is None else "POST"
        request = Request(method, URL(url), headers=headers, content=question, extensions={"timeout": timeout})
        response = await self._wire.handle_async_request(request)
        response.request = request
        try:
            chunks = response.aiter_bytes()
            body = await (_beginning(chunks, most, HTTPError) if is_cut else _read(chunks, most))
        finally:
            await response.aclose()
        return Fetched(response.status_code, response.headers, body)


async def _read(chunks: AsyncIterator[bytes], most: int) -> bytes:
    parts, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise TooLargeError
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _beginning(
    chunks: AsyncIterator[bytes], most: int, broken: type[Exception] | tuple[type[Exception], ...]
) -> bytes:
    """What comes until there are `most` bytes, or until it breaks off."""
    parts, size = [], 0
    try:
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= most:
                break
    except broken:
        pass
    return b"".join(parts)[:most]


def is_hang_up(exc: BaseException) -> bool:
    """Whether the other side closed the connection without an answer. Such an error stands behind a `TimeoutException`:
    httpx-aiohttp takes it for one."""
    return type(exc).__name__ == "ServerDisconnectedError"  # by name, as aiohttp is loaded with the first request only


def client_over(wire: AsyncBaseTransport) -> Client:
    """A client over any wire: `ASGITransport` and `MockTransport` in tests, the simulator, or the real one."""
    return Client(wire)


class _Wire(AsyncBaseTransport):
    """aiohttp's pool as an httpx transport: routes by proxy, closes what is beyond the hosts to keep.

    aiohttp itself would look for proxies and for `.netrc` in a thread at each request; here a host is looked up once.
    """

    def __init__(
        self,
        trust: ssl.SSLContext,
        connections: int,
        kept_hosts: int,
        keepalive_s: float,
        proxies: Mapping[str, str],
    ) -> None:
        self._trust = trust
        self._connections = connections
        self._kept_hosts = kept_hosts
        self._keepalive_s = keepalive_s
        self._proxies = {scheme: proxies[scheme] for scheme in ("http", "https") if scheme in proxies}
        self._session: ClientSession | None = None
        self._routes: dict[str | None, AsyncBaseTransport] = {}
        self._proxy_of: dict[tuple[str, str], str | None] = {}
        self._lately: OrderedDict[str, float] = OrderedDict()  #: when each host was asked last, the eldest first
        self._kept: set[str] = set()  #: those of them to which connections are kept
        self._foreign_errors: tuple[type[Exception], ...] = ()
        self._timeouts: dict[float, ClientTimeout] = {}
        self._mapped: Callable[[], AbstractContextManager[None]] = nullcontext
        self._address: Callable[[str], tuple[str, yarl.URL]]

    async def handle_async_request(self, request: Request) -> Response:
        url = request.url
        if not self._keeps(url.host):
            request.headers["connection"] = "close"
        proxy = self._proxy(url.scheme, url.host) if self._proxies else None
        route = self._routes.get(proxy) or self._open_route(proxy)
        try:
            return await route.handle_async_request(request)
        except self._foreign_errors as exc:  # those that httpx-aiohttp lets through, such as a broken status line
            raise RemoteProtocolError(f"{type(exc).__name__}: {exc}", request=request) from exc

    async def fetch(
        self,
        url: str,
        headers: Mapping[str, str],
        connect_s: float,
        most: int,
        question: bytes | None,
        *,
        is_cut: bool,
    ) -> Fetched | None:
        """`Client.fetch` on aiohttp itself, which saves httpx's own request and response; `None` behind a proxy."""
        if self._proxies:
            return None
        session = self._open_session()
        host, address = self._address(url)
        if not self._keeps(host):
            headers = {**headers, "connection": "close"}
        timeout = self._timeouts.get(connect_s) or self._timeout(connect_s)
        try:
            try:
                async with session.request(
                    "GET" if question is None else "POST",
                    address,
                    headers=headers,
                    data=question,
                    allow_redirects=False,
                    timeout=timeout,
                ) as answer:
                    chunks = answer.content.iter_any()
                    if is_cut:
                        body = await _beginning(chunks, most, self._foreign_errors)
                    else:
                        body = await _read(chunks, most)
                    return Fetched(answer.status, answer.headers, body)
            except Exception:
                with self._mapped():  # into httpx's errors
                    raise
        except self._foreign_errors as exc:
            raise RemoteProtocolError(f"{type(exc).__name__}: {exc}") from exc
        except ValueError as exc:  # a port that is none
            raise InvalidURL(str(exc)) from exc

    def _timeout(self, connect_s: float) -> "ClientTimeout":
        import aiohttp  # only when a first request is sent

        self._timeouts[connect_s] = timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s)
        return timeout

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._routes.clear()

    def _keeps(self, host: str) -> bool:
        """Whether the connection to `host` stays open after this request: it was asked lately, so it will be again.

        Most of many accounts are asked too seldom for that: what was kept for them would only crowd out the others.
        """
        now, lately = monotonic(), self._lately
        while lately and now - lately[eldest := next(iter(lately))] > self._keepalive_s:
            del lately[eldest]
            self._kept.discard(eldest)
        is_asked_again = host in lately
        lately[host] = now
        lately.move_to_end(host)
        if is_asked_again and len(self._kept) < self._kept_hosts:
            self._kept.add(host)
        return host in self._kept

    def _proxy(self, scheme: str, host: str) -> str | None:
        key = (scheme, host)
        if key not in self._proxy_of:
            proxy = self._proxies.get(scheme)
            self._proxy_of[key] = None if proxy is None or proxy_bypass(host) else proxy
        return self._proxy_of[key]

    def _open_route(self, proxy: str | None) -> AsyncBaseTransport:
        import aiohttp  # only when a first request is sent
        from httpx_aiohttp import AiohttpTransport  # loads aiohttp

        self._foreign_errors = (aiohttp.ClientError, OSError)
        route = AiohttpTransport(
            verify=self._trust,
            proxy=None if proxy is None else Proxy(proxy if "://" in proxy else f"http://{proxy}"),
            client=self._open_session(),
        )
        self._routes[proxy] = route
        return route

    def _open_session(self) -> "ClientSession":
        if self._session is None:
            import aiohttp  # only when a first request is sent
            import yarl  # comes with aiohttp
            from httpx_aiohttp.transport import map_aiohttp_exceptions  # loads aiohttp

            self._foreign_errors = (aiohttp.ClientError,)
            self._mapped = map_aiohttp_exceptions

            def address(url: str) -> tuple[str, yarl.URL]:
                if is_plain(url):
                    plain = yarl.URL(url, encoded=True)
                    return plain.raw_host or "", plain
                parsed = URL(url)
                if parsed.scheme not in ("http", "https") or not parsed.host:
                    raise UnsupportedProtocol(f"{parsed.scheme or 'no'} address")
                # As httpx spells it, and not once more encoded: a `nextLink` is to be followed unchanged.
                return parsed.host, yarl.URL(str(parsed), encoded=True)

            # Of few accounts all are asked again at each poll; one that is not plain takes long to parse.
            self._address = lru_cache(maxsize=_PARSED_ADDRESSES)(address)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._trust, limit=self._connections, keepalive_timeout=self._keepalive_s, ttl_dns_cache=60
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            )
        return self._session
