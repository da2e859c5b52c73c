"""What stands before every address: the Host that was asked for, how many ask at once, and what browsers are told.

Pure ASGI, so that streams stay streams.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Requests that are worked on at once; one that waits for its client is not.
MOST_AT_WORK = 64
#: Event streams that are open at once.
MOST_STREAMS = 200
#: Where events are streamed.
STREAM = "/events"
#: Of the two probes; they are answered however many ask.
PROBES = frozenset({"/healthz", "/readyz"})

_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # with none at all browsers hide the origin of our own forms, too
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
#: Only where browsers come over TLS: elsewhere they must ignore it, and a test host would be locked in.
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Adds what a browser should hold us to, where an answer does not say it itself."""

    def __init__(self, app: ASGIApp, *, is_tls: bool = False) -> None:
        self._app = app
        self._headers = (*_HEADERS, _HSTS) if is_tls else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in self._headers if one[0] not in own)]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class KnownHosts:
    """Refuses a Host that is not ours, so that no page elsewhere can reach us under its own name."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        """`hosts`: names and addresses, IPv6 ones in brackets; "*": any."""
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_known(Headers(scope=scope).getlist("host")):
            await self._app(scope, receive, send)
            return
        text = "This is not a name of this watcher: ask for it by its own, or set public_url.\n"
        await PlainTextResponse(text, 400)(scope, receive, send)

    def _is_known(self, given: list[str]) -> bool:
        if "*" in self._hosts:
            return True
        if len(given) != 1:
            return False
        host, colon, port = given[0].lower().rpartition(":")
        name = host if colon and port.isascii() and port.isdigit() else given[0].lower()
        return name.rstrip(".") in self._hosts


class OwnSite:
    """Refuses what another site's page fetches or frames with what a browser sends along by itself.

    That page could read nothing of it, and yet have us work. A link that somebody follows passes; so does whoever sends
    a token, which no other site's page can.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES or _is_ours(scope["method"], Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        text = "This was asked for by another site's page: open it by itself.\n"
        await PlainTextResponse(text, 403)(scope, receive, send)


def _is_ours(method: str, headers: Headers) -> bool:
    if method not in ("GET", "HEAD") or headers.get("sec-fetch-site", "none") in ("same-origin", "same-site", "none"):
        return True  # what changes something asks for more than this (`access`)
    is_followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return is_followed or headers.get("authorization", "").lower().startswith("bearer ")


class Crowd:
    """Answers 503 to those who are too many at once, so that the others are served; event streams count apart."""

    def __init__(self, app: ASGIApp, *, at_work: int = MOST_AT_WORK, streams: int = MOST_STREAMS) -> None:
        self._app = app
        self._most, self._most_streams = at_work, streams
        self.at_work = self.streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
        elif scope["path"] == STREAM:
            await self._stream(scope, receive, send)
        else:
            await self._work(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.streams >= self._most_streams:
            await _too_many(scope, receive, send)
            return
        self.streams += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.streams -= 1

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.at_work >= self._most:
            await _too_many(scope, receive, send)
            return
        is_body_here = False

        async def receive_apart() -> Message:
            nonlocal is_body_here
            if is_body_here:
                return await receive()
            self.at_work -= 1  # whoever sends slowly costs no place
            try:
                message = await receive()
            finally:
                self.at_work += 1
            is_body_here = not message.get("more_body", False)
            return message

        async def send_apart(message: Message) -> None:
            self.at_work -= 1  # nor does whoever reads slowly
            try:
                await send(message)
            finally:
                self.at_work += 1

        self.at_work += 1
        try:
            await self._app(scope, receive_apart, send_apart)
        finally:
            self.at_work -= 1


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"retry-after": "2", "connection": "close"}
    await PlainTextResponse("Too many ask at once: try again soon.\n", 503, headers)(scope, receive, send)


def host_of(url: str) -> str:
    """Host and port as a browser sends them in `Host`; "": there is none."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()
