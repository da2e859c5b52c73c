"""Secrets planted everywhere, and errors in all that uses them: they turn up nowhere."""

import asyncio
import base64
import contextlib
import io
import secrets
import signal
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from tests.flows.conftest import ft, running_job, until
from tests.notify.servers import mail_server, quoting_server
from watcher.cli.app import build as build_cli
from watcher.cli.app import run
from watcher.cli.desk import Desk
from watcher.simulator import Account, Fault

CANARY = "CANARY" + secrets.token_hex(8)
TOKEN, API_KEY = f"{CANARY}-token", f"{CANARY}-api-key"
JOB = running_job("job")

RECEIVERS = """
[[receivers]]
name = "mail"
type = "email"
smtp_host = "127.0.0.1"
smtp_port = {port}
security = "none"
username = "watcher"
password_env = "SMTP_PASSWORD"
from = "watcher@contoso.example"
to = ["team@contoso.example"]

[[receivers]]
name = "slack"
type = "slack"
url_env = "SLACK_URL"

[[receivers]]
name = "bot"
type = "slack"
bot_token_env = "BOT_TOKEN"
channel = "#x"
api_url = "{quoting}/api"

[[receivers]]
name = "teams"
type = "teams"
url_env = "TEAMS_URL"

[[receivers]]
name = "pager"
type = "pagerduty"
routing_key_env = "ROUTING_KEY"
url = "{quoting}"
events = true

[[receivers]]
name = "am"
type = "alertmanager"
url = "{quoting}"

[[receivers]]
name = "apprise"
type = "apprise"
url_env = "APPRISE_URL"

[[receivers]]
name = "signed"
type = "webhook"
url_env = "SIGNED_URL"
signing_secret_env = "SIGNED_SECRET"
signing_secret_previous_env = "SIGNED_SECRET_BEFORE"

[[receivers]]
name = "screen"
type = "console"
"""
CHANNELS = ("mail", "slack", "bot", "teams", "pager", "am", "apprise", "signed")
ROUTES = "\n".join(f'[[route.routes]]\nreceiver = "{name}"\ncontinue = true' for name in (*CHANNELS, "screen", "hook"))
BY_KEY = """
[azure.discovery]

[[azure.accounts]]
resource_id = "{id}"
api_key_env = "API_KEY"
"""
MORE = """
[heartbeat]
url_env = "HEARTBEAT_URL"
"""


def _spellings() -> list[bytes]:
    """The canary as it stands, and as it would stand inside base64, wherever it begins."""
    found = [CANARY.encode()]
    for before in range(3):
        whole = base64.b64encode(b"x" * before + CANARY.encode())
        found.append(whole[4 if before else 0 : -4])
    return found


def _assert_clean(where: str, text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    for spelling in _spellings():
        assert spelling not in content, f"a secret stands in {where}"


#: Every command with what it needs; those without arguments here run as they are.
ARGUMENTS = {
    "explain": ("idle",),
    "ack": ("no-such-alert", "--comment", "x"),
    "keep": ("idle", "--until", "2100-01-01", "--reason", "x"),
    "silence add": ("rule=deployment_idle", "--for", "1h", "--comment", "x"),
    "silence expire": ("no-such-silence",),
    "routes test": ("rule=deployment_idle",),
    "db backup": ("{folder}/backup.db",),
    "calendar": ("--output", "{folder}/calendar.ics"),
}
#: These read no configuration, or are run above as processes.
ELSEWHERE = {"demo", "simulate", "init", "run"}


def _commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        elif name not in ELSEWHERE:
            yield " ".join((*path, name))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # of aiosmtpd, on loopback
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of apprise
async def test_no_command_says_a_secret(build):
    async with planted(build) as (flow, _, quoting):
        assert (await flow.once())[0] == 3
        await asyncio.to_thread(_run_every_command, flow)
        for body in quoting.bodies:  # PagerDuty's key belongs into its body, and nowhere else
            _assert_clean("a message", body.replace(f"{CANARY}-routing", ""))


def _run_every_command(flow):
    """In this process: as configured, with a database that is not there, and with a client secret that is refused."""
    commands = list(_commands(typer.main.get_command(build_cli())))
    assert len(commands) > 20
    said = {(command, more): _run(flow, command, *more) for command in commands for more in ((), ("--json",))}
    assert sum(code == 0 for code, _ in said.values()) > 15
    code, text = said["notify test", ()]
    assert code == 3
    assert all(f"{channel} (" in text for channel in CHANNELS), text
    said["online", ()] = _run(flow, "check-config", "--online")

    flow.environ |= {
        "NO_DATABASE": f"postgresql+psycopg://u:{CANARY}@127.0.0.1:1/w",
        "CLIENT_SECRET": f"{CANARY}-client",
    }
    good = flow.config.read_text()
    flow.config.write_text(good.replace('url_env = "DATABASE_URL"', 'url_env = "NO_DATABASE"'))
    offline = [command for command in commands if command != "notify test"]
    said |= {(command, ("no database",)): _run(flow, command) for command in offline}
    assert said["alerts", ("no database",)][0] == 1
    secret = 'credential = "client_secret"\ntenant_id = "t"\nclient_id = "c"\nclient_secret_env = "CLIENT_SECRET"'
    secret += f'\nauthority_url = "{flow.azure.url}"'
    flow.config.write_text(good.replace('credential = "static"\ntoken_env = "AZURE_TOKEN"', secret))
    said["permissions", ("client secret",)] = _run(flow, "permissions")
    for where, (_, text) in said.items():
        _assert_clean(f"what {where} says", text)


def _run(flow, command, *more):
    out, err = io.StringIO(), io.StringIO()
    arguments = [word.format(folder=flow.folder) for word in ARGUMENTS.get(command, ())]
    words = [*command.split(), *arguments, *more, "--config", str(flow.config)]
    code = run(words, Desk(environ=flow.environ, out=out, err=err))
    return code, out.getvalue() + err.getvalue()


@contextlib.asynccontextmanager
async def planted(build):
    """A flow with secrets of every kind, and every channel but the hook at a server that refuses and quotes them."""
    idle = ft("idle", timedelta(days=13))
    flow = await build(
        Account(name="by-token", deployments=(idle,), jobs=(JOB,)),
        Account(name="by-key", location="westus", api_keys=("another key",)),
    )
    flow.expected_errors = {"delivery.died", "configuration.rejected"}
    flow.sink.secret = "whsec_" + base64.b64encode(f"{CANARY} signs".encode()).decode()
    flow.world.tokens = {TOKEN}
    async with mail_server(auth=True) as mailbox, quoting_server() as (quoting, elsewhere):
        mailbox.password = "another password"
        quoting.status = 400
        flow.environ |= {
            "AZURE_TOKEN": TOKEN,
            "API_KEY": API_KEY,
            "HOOK_SECRET": flow.sink.secret,
            "SMTP_PASSWORD": f"{CANARY}-password",
            "SLACK_URL": f"{elsewhere}/services/{CANARY}/slack",
            "BOT_TOKEN": f"xoxb-{CANARY}-bot",
            "TEAMS_URL": f"{elsewhere}/workflows/{CANARY}?sig={CANARY}",
            "ROUTING_KEY": f"{CANARY}-routing",
            "SIGNED_URL": f"{elsewhere}/hooks/{CANARY}",
            "SIGNED_SECRET": "whsec_" + base64.b64encode(f"{CANARY} now".encode()).decode(),
            "SIGNED_SECRET_BEFORE": f"{CANARY}-before",
            "APPRISE_URL": f"{elsewhere.replace('http://', f'json://u:{CANARY}@')}/{CANARY}?+X-Tok={CANARY}",
            "HEARTBEAT_URL": f"{flow.sink.url}/nowhere/{CANARY}?key={CANARY}",
            "WEB_TOKEN": f"{CANARY}-page",
        }
        by_key = flow.world.account_id(next(one for one in flow.world.scenario.accounts if one.name == "by-key"))
        flow.configure(
            level="debug",
            azure_more=BY_KEY.format(id=by_key),
            receivers=RECEIVERS.format(port=mailbox.port, quoting=elsewhere),
            routes=ROUTES,
            web='token_env = "WEB_TOKEN"',
            more=MORE,
        )
        yield flow, mailbox, quoting


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # of aiosmtpd, on loopback
async def test_no_secret_turns_up_anywhere(build):
    async with planted(build) as (flow, mailbox, quoting):
        flow.is_anew = True  # a fork bears the command line of what it was forked from
        daemon = await flow.daemon()
        flow.is_anew = False
        await until(lambda: {"deployment_idle", "account_forbidden"} <= set(flow.sink.rules()))
        await until(
            lambda: {line["receiver"] for line in daemon.log("delivery.died")} >= set(CHANNELS),
            "every channel but the hook refuses for good, and quotes what it was given",
        )
        assert mailbox.logins, "the password was tried"
        quoting.status = 500

        # Servers that quote what they were given.
        faults = (
            Fault(plane="data", account="by-token", status=401, message=f"Incorrect token provided: {TOKEN}."),
            Fault(plane="data", account="by-key", status=401, message=f"Bad key {API_KEY}!"),
        )
        flow.world.faults.add(*faults)
        flow.sink.status = 500
        flow.end("by-token", JOB, "failed", outcome="failed", error_message="unrelated")
        await until(lambda: flow.world.faults.strikes(faults[0]) >= 2)
        flow.world.tokens = {"revoked"}
        await until(lambda: flow.azure.requests.matching(plane="arm", status=401))
        await until(lambda: daemon.log("delivery.failed"))
        flow.sink.recover()

        good = flow.config.read_text()
        flow.config.write_text(good.replace('"HOOK_SECRET"', f'"{CANARY}"').replace('"API_KEY"', '"API_KEYS"'))
        daemon.send(signal.SIGHUP)
        await until(lambda: daemon.log("configuration.rejected"))
        flow.config.write_text(good.replace("signing_secret_env", "signing_secret") + f'\ntypo = "{CANARY}"\n')
        daemon.send(signal.SIGHUP)
        await until(lambda: len(daemon.log("configuration.rejected")) == 2)

        for path in ("/metrics", "/readyz", "/healthz", "/nowhere"):
            answer = await daemon.get(path, authorization=f"Bearer {CANARY}-page")
            _assert_clean(path, answer.text + str(answer.headers))
        command_line = Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
        assert b"watcher" in command_line
        _assert_clean("the command line", command_line)
        _assert_clean("the database of the running daemon", flow.raw_database())
        assert await daemon.stop() == 0
        flow.config.write_text(good)
        code, _ = await flow.once()
        assert code in (1, 3)

    assert any(line.get("level") == "debug" for line in daemon.log())
    for program in flow.programs:
        _assert_clean("standard output", program.stdout)
        _assert_clean("the log", program.stderr)
    _assert_clean("the database", flow.raw_database())
    assert flow.sink.tried
    for hook in flow.sink.tried:
        _assert_clean("a message", hook.body)
