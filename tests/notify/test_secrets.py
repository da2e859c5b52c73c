"""Every type of receiver against servers that quote all they were given, that drop and that refuse: no secret of its
configuration turns up in an error, a receipt, a `repr` or a log at any level, nor in the message itself.

The log's own masking by the secrets' texts is left off: nothing here may need it.
"""

import asyncio
import base64
import contextlib
import io
import logging
import urllib.parse

import pytest
from aiosmtpd.smtp import AuthResult

from watcher import logs
from watcher.assembly.telling import receiver_options
from watcher.config import parse
from watcher.errors import DeliveryError
from watcher.notify.registry import NOTIFIERS, Context, build_notifiers
from watcher.notify.registry import ReceiverSpec as Spec

from .factories import BERLIN, NOW, make_flood, make_notification, make_resolved
from .servers import mail_server, quoting_server, raw_server

# Apprise imports imghdr; aiosmtpd dislikes logins in clear, on loopback too.
pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]

CANARY = "CANARY0f3a9c"
SIGNING = "whsec_" + base64.b64encode(f"{CANARY} signs".encode()).decode()
BEFORE = "whsec_" + base64.b64encode(f"{CANARY} signed before".encode()).decode()
RECEIVERS = """
[[receivers]]
name = "slack"
type = "slack"
url_env = "SLACK_URL"
[[receivers]]
name = "bot"
type = "slack"
bot_token_env = "BOT_TOKEN"
channel = "#x"
api_url = "{url}/api"
[[receivers]]
name = "teams"
type = "teams"
url_env = "TEAMS_URL"
[[receivers]]
name = "pager"
type = "pagerduty"
routing_key_env = "ROUTING_KEY"
events = true
url = "{url}"
[[receivers]]
name = "hook"
type = "webhook"
url_env = "HOOK_URL"
signing_secret_env = "HOOK_SECRET"
signing_secret_previous_env = "HOOK_SECRET_BEFORE"
[[receivers]]
name = "mail"
type = "email"
smtp_host = "127.0.0.1"
smtp_port = {smtp_port}
security = "none"
username = "watcher"
password_env = "SMTP_PASSWORD"
from = "watcher@example.com"
to = ["a@example.com"]
[[receivers]]
name = "apprise"
type = "apprise"
url_env = "APPRISE_URL"
[[receivers]]
name = "am"
type = "alertmanager"
url = "{url}"
[[receivers]]
name = "screen"
type = "console"
[route]
receiver = "screen"
"""


def environ(url):
    host = url.partition("://")[2]
    return {
        "SLACK_URL": f"{url}/services/{CANARY}/slack",
        "BOT_TOKEN": f"xoxb-{CANARY}-token",
        "TEAMS_URL": f"{url}/workflows/{CANARY}?sig={CANARY}-sig",
        "ROUTING_KEY": f"{CANARY}-routing-key",
        "HOOK_URL": f"{url}/hook/{CANARY}?key={CANARY}",
        "HOOK_SECRET": SIGNING,
        "HOOK_SECRET_BEFORE": BEFORE,
        "SMTP_PASSWORD": f"{CANARY}-password",
        "APPRISE_URL": f"json://user:{CANARY}-pass@{host}/{CANARY}?+X-Tok={CANARY}-tok",
    }


def spellings():
    """The canary as it stands, as in a URL, and as it would stand inside base64, wherever it begins."""
    yield CANARY
    yield urllib.parse.quote(CANARY[0]) + CANARY[1:]
    for before in range(3):
        whole = base64.b64encode(b"x" * before + CANARY.encode()).decode()
        yield whole[4 if before else 0 : -4]


def assert_clean(where, text):
    assert not [spelling for spelling in spellings() if spelling in text], f"a secret stands in {where}: {text}"


def build(url, client, stream, smtp_port=1):
    config = parse(RECEIVERS.format(url=url, smtp_port=smtp_port), environ=environ(url))
    specs = [
        Spec(path=f"receivers[{n}]", name=one.name, type=one.type, options=receiver_options(one))
        for n, one in enumerate(config.receivers)
    ]
    assert {spec.type for spec in specs} == set(NOTIFIERS), "every type there is"
    for spec in specs:
        assert_clean("a specification's repr", repr(spec))
    context = Context(watcher_name="prod", zone=BERLIN, client=client, stream=stream)
    return build_notifiers(specs, context)


@pytest.fixture
def logged():
    """All that is logged at every level, but by the servers of the test."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    servers = [logging.getLogger(name) for name in ("mail", "mail.log", "aiosmtpd", "uvicorn", "uvicorn.error")]
    spread = [one.propagate for one in servers]
    for one in servers:
        one.propagate = False
    logs.configure(format="json", level="debug", stream=stream)
    yield stream
    for one, was in zip(servers, spread, strict=True):
        one.propagate = was
    root.handlers[:], root.level = before


async def try_all(notifiers, names=None):
    """Send three messages by each, and probe; returns the errors by receiver."""
    failures = {}
    for name, notifier in notifiers.items():
        if names is not None and name not in names:
            continue
        assert_clean("a repr", repr(notifier))
        for notification in (make_notification(), make_flood(3), make_resolved()):
            try:
                receipt = await notifier.send(notification, now=NOW)
                assert_clean(f"a receipt of {name}", repr(receipt))
            except DeliveryError as error:
                failures.setdefault(name, []).append(error)
        try:
            assert_clean(f"a probe of {name}", repr(await notifier.probe()))
        except DeliveryError as error:
            failures.setdefault(name, []).append(error)
        refresh = getattr(notifier, "refresh", None)
        if refresh is not None:
            with contextlib.suppress(DeliveryError):
                await refresh([told.alert for told in make_flood(2).alerts], now=NOW)
    for name, errors in failures.items():
        for error in errors:
            told = [str(error), repr(error), repr(error.__cause__), repr(vars(error))]
            if not error.__suppress_context__:  # else no traceback shows it
                told.append(repr(error.__context__))
            assert_clean(f"an error of {name}", " ".join(told))
    return failures


OVER_HTTP = {"slack", "bot", "teams", "pager", "hook", "apprise", "am"}


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500])
async def test_a_server_that_quotes_all_it_was_given(client, logged, status, as_json):
    screen = io.StringIO()
    async with quoting_server() as (quoting, url):
        quoting.status, quoting.as_json = status, as_json
        failures = await try_all(build(url, client, screen), OVER_HTTP | {"screen"})
        if status >= 300:
            assert set(failures) >= OVER_HTTP - {"apprise"} | ({"apprise"} if status >= 400 else set())
    assert len(quoting.bodies) >= len(OVER_HTTP) * 3
    for body in quoting.bodies:  # PagerDuty's key belongs into its body, and nowhere else
        assert_clean("a message", body.replace(f"{CANARY}-routing-key", ""))
    assert_clean("the console", screen.getvalue())
    assert_clean("the log", logged.getvalue())


@pytest.mark.parametrize("greeting", [b"", CANARY.encode() * 10, b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"])
async def test_a_server_that_drops_the_connection(client, logged, greeting):
    async with raw_server(greeting) as port:
        failures = await try_all(build(f"http://127.0.0.1:{port}", client, io.StringIO(), smtp_port=port))
    assert set(failures) >= {"mail"}
    assert_clean("the log", logged.getvalue())


async def test_nobody_there(client, logged, unused_port):
    failures = await try_all(build(f"http://127.0.0.1:{unused_port}", client, io.StringIO(), smtp_port=unused_port))
    assert set(failures) == OVER_HTTP | {"mail"}
    assert_clean("the log", logged.getvalue())


async def test_a_certificate_that_nobody_trusts(client, logged, server_tls):
    async def talk(reader, writer):
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=server_tls) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # the server's own handshakes
        failures = await try_all(build(url, client, io.StringIO()), OVER_HTTP)
    assert {error.kind for name in OVER_HTTP - {"apprise"} for error in failures[name]} == {"tls"}
    assert_clean("the log", logged.getvalue())


@pytest.mark.parametrize("where", ["login", "recipient", "mail", "nowhere"])
async def test_a_mail_server_that_quotes_the_password(client, logged, where):
    reply = f"550 no {CANARY}-password here"
    async with mail_server(auth=True) as mailbox:
        mailbox.password = f"{CANARY}-password"
        if where == "login":
            mailbox.authenticate = lambda *_: AuthResult(success=False, handled=False, message=f"535 not {reply}")
        mailbox.refusals = {"a@example.com": reply} if where == "recipient" else {}
        mailbox.refuse_data = reply if where == "mail" else ""
        url = "http://127.0.0.1:1"
        failures = await try_all(build(url, client, io.StringIO(), smtp_port=mailbox.port), {"mail"})
        for envelope in mailbox.mails:
            assert_clean("a mail", envelope.content.decode())
    assert bool(failures) == (where != "nowhere")
    assert_clean("the log", logged.getvalue())
