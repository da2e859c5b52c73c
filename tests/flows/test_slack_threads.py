"""A bot in Slack through the running daemon and its outbox: one thread for each first message, green at the end."""

from datetime import timedelta

from tests.flows.conftest import ft, now, until
from tests.notify.slack_fake import TOKEN, slack_server
from watcher.simulator import Account

RECEIVERS = """
[[receivers]]
name = "bot"
type = "slack"
bot_token_env = "SLACK_BOT_TOKEN"
channel = "#ml"
api_url = "{url}"
"""
ROUTES = """
[[route.routes]]
receiver = "bot"
"""


async def test_threads_a_resolve_and_marks_the_first_message(build):
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=14.5)),)))
    flow.environ["SLACK_BOT_TOKEN"] = TOKEN
    async with slack_server() as slack:
        flow.configure(receivers=RECEIVERS.format(url=slack.url), routes=ROUTES)
        daemon = await flow.daemon()
        await until(lambda: slack.posts, "the first message")
        assert await daemon.stop() == 0

        daemon = await flow.daemon()  # what it told is known to the next one, from the database alone
        flow.world.call("ft", "idle", at=now() - timedelta(minutes=2))
        await until(lambda: slack.named("chat.update"), "the edit")
        await until(lambda: len(flow.outbox("delivered")) == 2, "the outbox")
        assert await daemon.stop() == 0
    head, reply = slack.posts
    assert reply["thread_ts"] == head["ts"]
    assert head["text"].startswith("🟢 [RESOLVED]") and "called again" in head["text"]
    assert TOKEN.encode() not in flow.raw_database()
    assert TOKEN not in "".join(program.stdout + program.stderr for program in flow.programs)
    details = {detail for (detail,) in flow.sql("SELECT detail FROM attempts")}
    assert "posted in #ml, in the thread of the first message; the first message marked resolved" in details
