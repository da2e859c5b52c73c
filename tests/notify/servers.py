"""Real servers on loopback, in the test's own loop: those that take hooks, one that takes mail, a raw one."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field

import uvicorn
from aiosmtpd.smtp import SMTP, AuthResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watcher.simulator.server import LOOPBACK, bind, serving


@dataclass
class Hook:
    """Answers as told and keeps what it was sent."""

    url: str = ""
    status: int = 200
    statuses: list = field(default_factory=list)  # of the next answers, before `status`
    headers: dict = field(default_factory=dict)
    body: str = "ok"
    requests: list = field(default_factory=list)  # (method, path, headers, body)

    async def __call__(self, request: Request) -> Response:
        self.requests.append((request.method, request.url.path, dict(request.headers), await request.body()))
        return Response(self.body, self.statuses.pop(0) if self.statuses else self.status, headers=self.headers)


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


@contextlib.asynccontextmanager
async def hook_server(**tls):
    hook = Hook()
    app = Starlette(routes=[Route("/{path:path}", hook.__call__, methods=["POST", "GET"])])
    async with app_server(app, **tls) as port:
        hook.url = f"{'https' if tls else 'http'}://localhost:{port}/hooks/CANARY-path"
        yield hook


@contextlib.asynccontextmanager
async def app_server(app, **tls):
    """Serves `app`; gives the port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, lifespan="off", ws="none", log_config=None, access_log=False, **tls
    )
    server = _Embedded(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@dataclass
class Mailbox:
    """A mail server's handler: refuses as told and keeps what it accepts."""

    port: int = 0
    mails: list = field(default_factory=list)  # envelopes
    refusals: dict = field(default_factory=dict)  # recipient → reply
    refuse_data: str = ""
    logins: list = field(default_factory=list)
    password: str = ""

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuse_data:
            return self.refuse_data
        self.mails.append(envelope)
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, auth_data):
        self.logins.append((auth_data.login.decode(), auth_data.password.decode(), session.ssl is not None))
        return AuthResult(success=auth_data.password.decode() == self.password, handled=False)


@contextlib.asynccontextmanager
async def mail_server(*, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, auth=False):
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()

    def protocol():
        return SMTP(
            mailbox,
            hostname="localhost",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=mailbox.authenticate if auth else None,
            auth_required=auth,
            auth_require_tls=starttls is not None,
            loop=loop,
        )

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def raw_server(greeting: bytes | None):
    """Says `greeting` to whoever connects and hangs up; `None`: says nothing until the other side hangs up."""
    talks = set()

    async def talk(reader, writer):
        talks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            if greeting is None:
                await reader.read()
            else:
                writer.write(greeting)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*talks)


@dataclass
class Quoting:
    """Answers with all that it was given: address, headers and body."""

    status: int = 200
    as_json: bool = False
    bodies: list = field(default_factory=list)

    async def __call__(self, request: Request) -> Response:
        body = (await request.body()).decode(errors="replace")
        self.bodies.append(body)
        quoted = f"{request.url} {dict(request.headers)} {body}"
        headers = {"retry-after": quoted[:100], "x-request": quoted[:100]}
        if self.as_json:
            answer = {"ok": False, "message": quoted, "errors": [quoted], "error": quoted, "code": quoted}
            return JSONResponse(answer, self.status, headers=headers)
        return Response(quoted, self.status, headers=headers)


@contextlib.asynccontextmanager
async def quoting_server():
    quoting = Quoting()
    sockets = bind([LOOPBACK], 0)
    app = Starlette(routes=[Route("/{path:path}", quoting.__call__, methods=["POST", "GET"])])
    async with serving(app, sockets):
        yield quoting, f"http://{LOOPBACK}:{sockets[0].getsockname()[1]}"
