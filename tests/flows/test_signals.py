"""SIGHUP and SIGTERM, as systemd and operators send them."""

import signal
import time
from datetime import timedelta

from tests.flows.conftest import ft, running_job, until
from watcher.simulator import Account, Fault


async def test_refuses_a_broken_configuration_and_takes_a_good_one(build):
    job = running_job("later")
    flow = await build(Account(name="ft", jobs=(job,)))
    flow.expected_errors = {"configuration.rejected"}
    daemon = await flow.daemon()

    flow.configure(interval="often", more="[pol]\nquiet = 1")
    daemon.send(signal.SIGHUP)
    await until(lambda: flow.sink.hooks, "the alert about the configuration")
    daemon.send(signal.SIGHUP)
    await until(lambda: len(daemon.log("configuration.rejected")) == 2)
    await flow.polls("ft")
    assert flow.sink.rules() == ["configuration_rejected"], "once, however often it is refused"
    assert "poll.quiet" in flow.sink.hooks[0].alerts[0]["annotations"]["description"]
    assert flow.sink.hooks[0].alerts[0]["severity"] == "warning"

    flow.configure(more="")
    flow.config.write_text(flow.config.read_text().replace('name = "flow"', 'name = "renamed"'))
    sent = time.monotonic()
    daemon.send(signal.SIGHUP)
    await until(lambda: daemon.log("configuration.reloaded"), "the reload", within=2)
    assert time.monotonic() - sent < 2
    await until(lambda: len(flow.sink.hooks) == 2, "the resolve")
    assert (flow.sink.hooks[1].reason, flow.sink.rules()) == ("resolved", ["configuration_rejected"] * 2)

    flow.end("ft", job, "failed", outcome="failed")
    await until(lambda: flow.sink.of("job_failed"))
    assert [hook.json["watcher"] for hook in flow.sink.hooks] == ["flow", "renamed", "renamed"]
    assert await daemon.stop() == 0


async def test_takes_over_rules_receivers_and_intervals_at_once(build):
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=9)),)))
    flow.configure(more='[rules.deployment_idle]\nwarn_before = ["1d"]')
    daemon = await flow.daemon()
    assert flow.sink.hooks == []
    flow.configure(more='[rules.deployment_idle]\nwarn_before = ["7d", "1d"]')
    daemon.send(signal.SIGHUP)
    await until(lambda: flow.sink.of("deployment_idle"))
    assert await daemon.stop() == 0


async def test_a_stop_lets_a_delivery_that_is_under_way_end(build):
    """Cut off it would be sent a second time, half a minute later."""
    job = running_job("last")
    flow = await build(Account(name="ft", jobs=(job,)))
    daemon = await flow.daemon()
    flow.sink.hang()
    flow.end("ft", job, "failed", outcome="failed")
    await until(lambda: flow.sink.tried)
    daemon.send(signal.SIGTERM)
    await until(lambda: daemon.log("daemon.stopping"))
    flow.sink.recover(accept=True)
    assert await daemon.wait(within=10) == 0
    assert (len(flow.sink.hooks), flow.outbox("pending")) == (1, [])


async def test_stops_in_time_while_azure_and_the_sink_hang(build):
    job = running_job("last")
    flow = await build(Account(name="ft", jobs=(job,)), Account(name="other", location="westus"))
    flow.configure(timeout="30s")
    daemon = await flow.daemon()
    flow.sink.hang()
    flow.end("ft", job, "failed", outcome="failed")
    await until(lambda: flow.sink.tried)
    stuck = Fault(hang=True)
    flow.world.faults.add(stuck)
    await until(lambda: flow.world.faults.strikes(stuck) >= 2)
    assert await daemon.stop() == 0
    assert daemon.log("daemon.stopped")
    assert flow.outbox("pending") == [flow.sink.tried[0].id], "kept for the next start"


async def test_a_restart_with_a_good_configuration_ends_what_was_said_of_a_bad_one(build):
    flow = await build(Account(name="ft"))
    flow.expected_errors = {"configuration.rejected"}
    daemon = await flow.daemon()
    flow.configure(interval="often")
    daemon.send(signal.SIGHUP)
    await until(lambda: flow.sink.hooks, "the alert about the configuration")
    assert await daemon.stop() == 0
    flow.configure()
    daemon = await flow.daemon()
    await until(lambda: len(flow.sink.hooks) == 2, "the resolve")
    assert (flow.sink.rules("resolved"), await daemon.stop()) == (["configuration_rejected"], 0)
