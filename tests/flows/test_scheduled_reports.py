"""Scheduled reports by the real program: rehearsed, sent once by two at once, and after a kill under the same id."""

import asyncio
from datetime import timedelta

from tests.flows.conftest import ft, now, until
from watcher.simulator import Account

REPORTS = """
[[reports]]
name = "weekly"
schedule = "mon 08:00"
receivers = ["hook"]
[[owners]]
match = ['owner="search"']
name = "Search"
receivers = ["hook"]
"""


def reports(hooks):
    return [hook for hook in hooks if hook.reason == "report"]


def forget(flow):
    """As if the program had been down since the schedule's last time but one."""
    at = (now() - timedelta(days=8)).strftime("%Y-%m-%d %H:%M:%S.%f")
    flow.sql("UPDATE state SET at = ? WHERE name = 'report weekly'", at)


async def test_two_runs_at_once_send_what_is_due_once(build):
    flow = await build(Account(name="ft", deployments=(ft("bot"),)))
    flow.configure(more=REPORTS)
    first_started = f"{now():%Y-%m-%dT%H:%M:%SZ}"
    code, first = await flow.once()
    assert (code, reports(flow.sink.hooks)) == (0, []), first.stdout + first.stderr
    assert flow.sql("SELECT name FROM state WHERE name LIKE 'report %'") == [("report weekly",)]
    forget(flow)
    code, rehearsal = await flow.once("--dry-run")
    assert code == 0
    assert "would report  weekly (all) to hook\nwould report  weekly (owner Search) to hook\n" in rehearsal.stdout
    assert reports(flow.sink.tried) == []
    runs = [await flow.start("run", "--once", "--config", str(flow.config)) for _ in range(2)]
    codes = await asyncio.gather(*(run.wait() for run in runs))
    assert codes == [0, 0], [run.stdout + run.stderr for run in runs]
    everyone, search = sorted(reports(flow.sink.tried), key=lambda hook: hook.json["report"]["edition"]["audience"])
    assert everyone.json["report"]["edition"]["audience"] == "all"
    assert everyone.json["report"]["as_of"] < first_started  # as it was known then: not at all
    assert search.json["report"]["edition"] == {"audience": "owner", "owner": "Search"}
    assert everyone.id != search.id
    assert sum(run.stdout.count("report        weekly") for run in runs) == 2
    await flow.once()
    assert len(reports(flow.sink.tried)) == 2


async def test_a_daemon_that_is_killed_while_it_sends_leaves_it_to_the_next(build):
    flow = await build(Account(name="ft", deployments=(ft("bot"),)))
    flow.configure(more=REPORTS.partition("[[owners]]")[0])
    await flow.once()
    forget(flow)
    flow.sink.hang()
    daemon = await flow.daemon()
    [tried] = await until(lambda: reports(flow.sink.tried), "a report under way")
    await daemon.kill()
    flow.sink.recover()
    assert flow.sql("SELECT state, attempts, fence FROM reports") == [("pending", 0, 1)]
    flow.sql("UPDATE reports SET lease_until = ?", (now() - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f"))
    again = await flow.daemon()
    [taken] = await until(lambda: reports(flow.sink.hooks), "the report")
    assert taken.id == tried.id
    await until(lambda: flow.sql("SELECT state FROM reports") == [("delivered",)])
    metrics = (await again.get("/metrics")).text
    assert 'watcher_notifications_total{outcome="delivered",receiver="hook"}' in metrics
    assert await again.stop() == 0
