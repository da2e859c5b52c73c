"""Restarts, two processes at once, and processes that are killed: nothing is lost, nothing is told twice."""

import asyncio
import signal
from datetime import timedelta

from tests.flows.conftest import ft, now, running_job, until
from watcher.simulator import Account, Fault


async def test_says_nothing_again_after_a_restart(build):
    job = running_job("first")
    second = running_job("second")
    flow = await build(Account(name="ft", jobs=(job, second), deployments=(ft("idle", timedelta(days=13)), ft("lost"))))
    daemon = await flow.daemon()
    flow.end("ft", job, "failed", outcome="failed")
    flow.world.delete_deployment("ft", "lost", at=now())
    await until(lambda: {"job_failed", "deployment_gone", "deployment_idle"} <= set(flow.sink.rules()))
    assert await daemon.stop() == 0
    told = list(flow.sink.alerts)

    flow.end("ft", second, "succeeded")  # while nobody watches
    again = await flow.daemon()
    await until(lambda: flow.sink.of("job_succeeded"), "what happened meanwhile")
    await flow.polls("ft")
    assert flow.sink.alerts[: len(told)] == told
    assert [alert["rule"] for alert in flow.sink.alerts[len(told) :]] == ["job_succeeded"]
    assert await again.stop() == 0


async def test_two_daemons_announce_once(build, empty_url):
    jobs = [running_job(f"job-{number}") for number in range(6)]
    flow = await build(Account(name="ft", jobs=tuple(jobs), deployments=(ft("idle", timedelta(days=13)), ft("lost"))))
    flow.database = empty_url
    flow.configure()
    pair = await asyncio.gather(flow.start_daemon(), flow.start_daemon())
    for daemon in pair:
        await daemon.ready()
    for job in jobs:
        flow.end("ft", job, "failed", outcome="failed")
    flow.world.delete_deployment("ft", "lost", at=now())
    await until(lambda: len(flow.sink.alerts) >= 8, f"{flow.sink.rules()}")
    await flow.polls("ft", 4)
    assert flow.sink.rules() == ["deployment_gone", "deployment_idle", *["job_failed"] * 6]
    ids = [hook.id for hook in flow.sink.tried]
    assert len(ids) == len(set(ids))
    assert all(daemon.log("poll.completed") for daemon in pair), "both took part"
    assert [await daemon.stop() for daemon in pair] == [0, 0]


async def test_a_delivery_that_was_killed_goes_out_again_under_its_id(build):
    job = running_job("lost")
    flow = await build(Account(name="ft", jobs=(job,)))
    daemon = await flow.daemon()
    flow.sink.hang()
    flow.end("ft", job, "failed", outcome="failed")
    await until(lambda: flow.sink.tried)
    await daemon.kill()
    flow.sink.recover()
    assert flow.sink.hooks == []
    _end_leases(flow, in_s=0)

    await flow.daemon()
    await until(lambda: flow.sink.hooks)
    await flow.polls("ft")
    assert [hook.id for hook in flow.sink.hooks] == [flow.sink.tried[0].id]
    assert [one["rule"] for one in flow.sink.alerts] == ["job_failed"]
    assert flow.sink.hooks[0].alerts == flow.sink.tried[0].alerts


async def test_run_once_waits_for_the_lease_of_a_process_that_was_killed(build):
    """The lease is 30 s; here its end is brought nearer."""
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=13)),)))
    flow.sink.hang()
    flow.configure()
    killed = await flow.start("run", "--once", "--config", str(flow.config))
    await until(lambda: flow.sink.tried)
    await killed.kill()
    flow.sink.recover()
    lease = 6
    _end_leases(flow, in_s=lease)
    began = now()
    code, _ = await flow.once()
    assert code == 0
    assert [hook.id for hook in flow.sink.hooks] == [flow.sink.tried[0].id]
    assert now() - began >= timedelta(seconds=lease - 0.1)


async def test_loses_nothing_when_killed_during_a_poll(build):
    job = running_job("lost")
    flow = await build(Account(name="ft", jobs=(job,), deployments=(ft("gone"),)))
    daemon = await flow.daemon()
    stuck = Fault(plane="arm", hang=True)
    flow.world.faults.add(stuck)
    await until(lambda: flow.world.faults.strikes(stuck))
    flow.end("ft", job, "failed", outcome="failed")
    flow.world.delete_deployment("ft", "gone", at=now())
    await daemon.kill()
    flow.world.faults.clear()

    code, _ = await flow.once()
    assert code == 0
    assert flow.sink.rules() == ["deployment_gone", "job_failed"]
    code, _ = await flow.once()
    assert code == 0
    assert len(flow.sink.alerts) == 2


def _end_leases(flow, *, in_s: float) -> None:
    at = now() + timedelta(seconds=in_s)
    flow.sql("UPDATE notifications SET lease_until = ? WHERE lease_until IS NOT NULL", f"{at:%Y-%m-%d %H:%M:%S.%f}")


async def test_delivers_after_a_stop_what_the_sink_refused_before(build):
    job = running_job("lost")
    flow = await build(Account(name="ft", jobs=(job,)))
    daemon = await flow.daemon()
    flow.sink.status = 500
    flow.end("ft", job, "failed", outcome="failed")
    await until(lambda: flow.outbox("pending") and daemon.log("delivery.failed"))
    assert await daemon.stop() == 0
    flow.sink.recover()
    flow.sql("UPDATE notifications SET due_at = created_at")  # the first wait would be 10 to 12 s
    flow.sql("UPDATE channels SET retry_at = failing_since")
    again = await flow.daemon()
    await until(lambda: flow.sink.hooks)
    assert [hook.id for hook in flow.sink.hooks] == [flow.sink.tried[0].id]
    again.send(signal.SIGINT)
    assert await again.wait(10) == 0
