"""Secrets planted everywhere, and errors in all that uses them: they turn up nowhere."""

import base64
import secrets
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from tests.flows.conftest import ft, running_job, until
from tests.notify.servers import mail_server
from watcher.simulator import Account, Fault

CANARY = "CANARY" + secrets.token_hex(8)

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
name = "screen"
type = "console"
"""
ROUTES = "\n".join(
    f'[[route.routes]]\nreceiver = "{name}"\ncontinue = true' for name in ("mail", "slack", "screen", "hook")
)
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


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # of aiosmtpd, on loopback
async def test_no_secret_turns_up_anywhere(build):
    idle, job = ft("idle", timedelta(days=13)), running_job("job")
    flow = await build(
        Account(name="by-token", deployments=(idle,), jobs=(job,)),
        Account(name="by-key", location="westus", api_keys=("another key",)),
    )
    flow.expected_errors = {"delivery.died", "configuration.rejected"}
    flow.sink.secret = "whsec_" + base64.b64encode(f"{CANARY} signs".encode()).decode()
    token, api_key = f"{CANARY}-token", f"{CANARY}-api-key"
    flow.world.tokens = {token}
    flow.environ |= {
        "AZURE_TOKEN": token,
        "API_KEY": api_key,
        "HOOK_SECRET": flow.sink.secret,
        "SMTP_PASSWORD": f"{CANARY}-password",
        "SLACK_URL": f"{flow.sink.url}/services/{CANARY}/slack",  # the sink has no such address: 404
        "HEARTBEAT_URL": f"{flow.sink.url}/nowhere/{CANARY}?key={CANARY}",
        "WEB_TOKEN": f"{CANARY}-page",
    }
    by_key = flow.world.account_id(next(one for one in flow.world.scenario.accounts if one.name == "by-key"))
    async with mail_server(auth=True) as mailbox:
        mailbox.password = "another password"
        flow.configure(
            level="debug",
            azure_more=BY_KEY.format(id=by_key),
            receivers=RECEIVERS.format(port=mailbox.port),
            routes=ROUTES,
            web='token_env = "WEB_TOKEN"',
            more=MORE,
        )
        daemon = await flow.daemon()
        await until(lambda: {"deployment_idle", "account_forbidden"} <= set(flow.sink.rules()))
        await until(lambda: len(daemon.log("delivery.died")) >= 2, "Slack's address and the mail's password are wrong")
        assert mailbox.logins, "the password was tried"

        # Servers that quote what they were given.
        quoting = Fault(plane="data", account="by-token", status=401, message=f"Incorrect token provided: {token}.")
        flow.world.faults.add(quoting, Fault(plane="data", account="by-key", status=401, message=f"Bad key {api_key}!"))
        flow.sink.status = 500
        flow.end("by-token", job, "failed", outcome="failed", error_message="unrelated")
        await until(lambda: flow.world.faults.strikes(quoting) >= 2)
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
        _assert_clean("the command line", Path(f"/proc/{daemon.pid}/cmdline").read_bytes())
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
