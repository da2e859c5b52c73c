"""The daemon as a service: systemd's socket, the heartbeat, health, readiness and metrics."""

import asyncio
import os
import signal
import socket
import time
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

from tests.flows.conftest import ft, running_job, until
from watcher.simulator import Account, Fault

METRICS = {
    "watcher_poll_duration_seconds",
    "watcher_polls_total",
    "watcher_azure_requests_total",
    "watcher_accounts",
    "watcher_jobs",
    "watcher_deployments",
    "watcher_deployment_seconds_until_deletion",
    "watcher_hosting_cost_per_hour",
    "watcher_idle_cost_total",
    "watcher_alerts",
    "watcher_notifications_total",
    "watcher_outbox_pending",
    "watcher_outbox_dead",
    "watcher_last_complete_cycle_timestamp_seconds",
}


async def test_serves_health_readiness_and_metrics(build):
    job = running_job("job")
    flow = await build(Account(name="ft", jobs=(job,), deployments=(ft("idle", timedelta(days=13)),)))
    flow.configure(web='token_env = "WEB_TOKEN"', more='[heartbeat]\nurl_env = "HEARTBEAT_URL"')
    slow = Fault(plane="arm", delay=1.0, times=2)
    flow.world.faults.add(slow)
    daemon = await flow.start_daemon(WEB_TOKEN="page-token", HEARTBEAT_URL=f"{flow.sink.url}/ping")
    answer = await daemon.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"]
    assert flow.sink.pings == 0
    await daemon.ready()
    await until(lambda: flow.sink.pings >= 2, "a ping after each complete cycle")
    assert (await daemon.get("/healthz")).status_code == 200

    assert (await daemon.get("/metrics")).status_code == 401
    assert (await daemon.get("/metrics", authorization="Bearer wrong")).status_code == 401
    await until(lambda: flow.sink.hooks)
    answer = await daemon.get("/metrics", authorization="Bearer page-token")
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    names = {line.split("{")[0].split(" ")[0].removesuffix("_bucket") for line in lines if not line.startswith("#")}
    assert names >= METRICS
    for line in (
        'watcher_polls_total{outcome="complete"}',
        'watcher_azure_requests_total{api="arm",status="200"}',
        'watcher_notifications_total{outcome="delivered",receiver="hook"} 1.0',
        'watcher_jobs{status="running"} 1.0',
        'watcher_alerts{rule="deployment_idle",severity="warning",state="firing"} 1.0',
        'watcher_deployment_seconds_until_deletion{account="ft",deployment="idle"}',
        "watcher_outbox_pending 0.0",
    ):
        assert any(found.startswith(line) for found in lines), line
    assert (await daemon.get("/metrics", host="evil.example")).status_code == 400
    assert await daemon.stop() == 0


async def test_tells_systemd_how_it_does(build):
    flow = await build(Account(name="ft"))
    flow.configure()
    said: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
        name = f"watcher-flow-{os.getpid()}-{time.monotonic_ns()}"
        notify.bind(f"\0{name}")
        loop = asyncio.get_running_loop()
        loop.add_reader(notify, lambda: said.extend(notify.recv(4096).decode().splitlines()))
        try:
            daemon = await flow.daemon(NOTIFY_SOCKET=f"@{name}", WATCHDOG_USEC="1000000")
            await until(lambda: "READY=1" in said)
            await until(lambda: said.count("WATCHDOG=1") >= 2)
            daemon.send(signal.SIGHUP)
            await until(lambda: said.count("READY=1") == 2, "the end of the reload")
            reloading = said.index("RELOADING=1")
            assert said[reloading + 1].startswith("MONOTONIC_USEC=")
            assert said.index("READY=1") < reloading
            assert "STOPPING=1" not in said
            assert await daemon.stop() == 0
            await until(lambda: "STOPPING=1" in said)
        finally:
            loop.remove_reader(notify)


async def test_is_ready_where_there_is_nothing_to_watch(build):
    flow = await build()
    flow.configure(more='[heartbeat]\nurl_env = "HEARTBEAT_URL"')
    daemon = await flow.daemon(HEARTBEAT_URL=f"{flow.sink.url}/ping")
    await until(lambda: flow.sink.pings)
    assert await daemon.stop() == 0


async def test_looks_for_accounts_again_soon_when_that_failed(build):
    """The next regular discovery is a quarter of an hour away."""
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=13)),)))
    flow.configure()
    outage = Fault(plane="arm", status=403)
    flow.world.faults.add(outage)
    daemon = await flow.start_daemon()
    await until(lambda: daemon.log("discovery.completed") or daemon.log("discovery.failed"))
    assert (await daemon.get("/readyz")).status_code == 503
    flow.world.faults.clear()
    await until(lambda: flow.sink.of("deployment_idle"))
    await daemon.ready()
    assert await daemon.stop() == 0


async def test_a_heartbeat_that_hangs_holds_up_nothing(build):
    flow = await build(Account(name="ft"))
    flow.configure(more='[heartbeat]\nurl_env = "HEARTBEAT_URL"')
    flow.sink.hang()
    daemon = await flow.daemon(HEARTBEAT_URL=f"{flow.sink.url}/ping")
    await until(lambda: flow.sink.pings)
    await flow.polls("ft")
    assert flow.sink.pings == 1, "the next one waits for the one that hangs"
    flow.sink.recover()
    await until(lambda: flow.sink.pings == 2)
    assert await daemon.stop() == 0


async def test_each_line_of_the_log_names_the_work_that_it_tells_of(build):
    """What a poll sets off is not that poll: the inventory and the heartbeat come of the last one of a cycle."""
    flow = await build(Account(name="ft"))
    flow.configure(more='[heartbeat]\nurl_env = "HEARTBEAT_URL"')
    daemon = await flow.daemon(HEARTBEAT_URL="http://127.0.0.1:1/ping")
    told = {}
    for event in ("discovery.completed", "poll.completed", "inventory.completed", "heartbeat.failed"):
        told[event] = await until(partial(daemon.log, event))
    whose = {event: {(line.get("cycle"), line.get("account")) for line in lines} for event, lines in told.items()}
    assert whose == {
        "discovery.completed": {("discover", None)},
        "poll.completed": {("poll", "ft")},
        "inventory.completed": {("inventory", None)},
        "heartbeat.failed": {("heartbeat", None)},
    }
    assert await daemon.stop() == 0


async def test_polls_as_often_as_the_shortest_interval_says(build):
    """Once a second, not at every second tick."""
    flow = await build(Account(name="ft", jobs=(running_job("job"),)))
    daemon = await flow.daemon()
    await until(lambda: len(daemon.log("poll.completed")) >= 6)
    times = [datetime.fromisoformat(line["timestamp"]) for line in daemon.log("poll.completed")]
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    assert gaps[len(gaps) // 2] < timedelta(seconds=1.5), gaps
    assert await daemon.stop() == 0
