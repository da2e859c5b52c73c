"""The other receivers: mail over a real SMTP conversation, and the console."""

from datetime import timedelta
from email import message_from_bytes, policy

from tests.flows.conftest import ft, now, until
from tests.notify.servers import mail_server
from watcher.simulator import Account

RECEIVERS = """
[[receivers]]
name = "mail"
type = "email"
smtp_host = "127.0.0.1"
smtp_port = {port}
security = "none"
from = "Watcher <watcher@contoso.example>"
to = ["team@contoso.example", "boss@contoso.example"]

[[receivers]]
name = "screen"
type = "console"
"""
ROUTES = """
[[route.routes]]
receiver = "mail"
continue = true
[[route.routes]]
receiver = "screen"
continue = true
[[route.routes]]
receiver = "hook"
"""


async def test_mails_an_alert_and_its_resolve_in_one_thread(build):
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=14.5)),)))
    async with mail_server() as mailbox:
        flow.configure(receivers=RECEIVERS.format(port=mailbox.port), routes=ROUTES)
        daemon = await flow.daemon()
        await until(lambda: mailbox.mails and flow.sink.hooks)
        flow.world.call("ft", "idle", at=now() - timedelta(minutes=2))
        await until(lambda: len(mailbox.mails) == 2 and len(flow.sink.hooks) == 2)
        await flow.polls("ft")
        assert await daemon.stop() == 0
        assert len(mailbox.mails) == 2
    first, second = (message_from_bytes(envelope.content, policy=policy.default) for envelope in mailbox.mails)
    assert mailbox.mails[0].rcpt_tos == ["team@contoso.example", "boss@contoso.example"]
    for mail in (first, second):
        assert mail["From"].addresses[0].addr_spec == "watcher@contoso.example"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert "idle" in mail["Subject"]
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert "idle" in plain.get_content() and "idle in ft" in html.get_content()
    assert "/chat/completions" in first.get_body(("plain",)).get_content()
    assert first["Importance"] == "high"
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] and first["References"] == second["References"]
    assert "called again" in second.get_body(("plain",)).get_content()
    assert "idle in ft" in daemon.stdout and "called again" in daemon.stdout
    ids = {hook.id for hook in flow.sink.hooks}
    assert not any(first["Message-ID"].startswith(f"<{one}@") for one in ids), "each receiver's message has its own id"
