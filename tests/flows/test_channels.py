"""The channels themselves through the running daemon: one that died, one that forgets, one that has left."""

import contextlib
import json
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.flows.conftest import ft, now, running_job, until
from tests.flows.sink import serve_sink
from watcher.simulator import Account
from watcher.simulator.server import LOOPBACK, bind, serving

OTHER = """
[[receivers]]
name = "other"
type = "webhook"
url = "{url}/alerts"
signing_secret_env = "HOOK_SECRET"
"""
TO_OTHER = """
[[route.routes]]
match = ['rule="{rule}"']
receiver = "other"
"""


async def test_a_dead_channel_is_told_to_the_others_until_it_has_taken_what_it_refused(build):
    lost, good = running_job("lost"), running_job("good")
    flow = await build(Account(name="ft", jobs=(lost, good)))
    async with serve_sink() as other:
        flow.configure(receivers=OTHER.format(url=other.url), routes=TO_OTHER.format(rule="job_cancelled"))
        flow.expected_errors = {"delivery.died"}
        daemon = await flow.daemon()
        flow.sink.status = 400  # for good at once
        flow.end("ft", lost, "failed", outcome="failed")
        await until(lambda: other.hooks, "the news that it is dead")
        [alert] = other.hooks[0].alerts
        assert (alert["rule"], alert["severity"], alert["labels"]["receiver"]) == (
            "delivery_failing",
            "critical",
            "hook",
        )
        assert flow.sink.rules() == []
        flow.sink.recover()
        retry = await flow.start("outbox", "retry", "--config", str(flow.config))
        assert await retry.wait() == 0, retry.stderr
        flow.end("ft", good, "succeeded", outcome="succeeded")  # and the daemon looks for what is due
        await until(lambda: len(other.hooks) == 2, "the resolve")
        assert [(one["rule"], one["status"]) for one in other.hooks[1].alerts] == [("delivery_failing", "resolved")]
        await until(lambda: flow.sink.rules() == ["job_failed", "job_succeeded"], "both")
        assert await daemon.stop() == 0


@contextlib.asynccontextmanager
async def alertmanager() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and all that was posted."""
    posted: list[dict[str, Any]] = []

    async def take(request: Request) -> Response:
        posted.extend(json.loads(await request.body()))
        return Response(status_code=200)

    sockets = bind([LOOPBACK], 0)
    app = Starlette(routes=[Route("/api/v2/alerts", take, methods=["POST"])])
    async with serving(app, sockets):
        yield f"http://{LOOPBACK}:{sockets[0].getsockname()[1]}", posted


async def test_a_channel_that_forgets_is_told_again_and_again_what_fires(build):
    """Each minute, and so at once when the daemon starts again; nothing of it is in the outbox."""
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=13)),)))
    async with alertmanager() as (url, posted):
        receiver = f'[[receivers]]\nname = "other"\ntype = "alertmanager"\nurl = "{url}"\n'
        flow.configure(receivers=receiver, routes=TO_OTHER.format(rule="deployment_idle"))
        daemon = await flow.daemon()
        await until(lambda: len(flow.outbox("delivered")) == 1, "the message")
        assert await daemon.stop() == 0
        told = len(posted)
        daemon = await flow.daemon()
        again = (await until(lambda: posted[told:], "the refresh"))[0]
        assert again["labels"] == posted[0]["labels"] and again["endsAt"] >= posted[0]["endsAt"]
        assert again["endsAt"] > f"{now():%Y-%m-%dT%H:%M:%S}"
        assert await daemon.stop() == 0
    assert len(flow.outbox("delivered")) == 1


async def test_a_receiver_that_left_is_named_with_what_nobody_will_tell_it(build):
    """What waits for it is given up and told by the routes of now; the end of what it was told reaches it no more."""
    job = running_job("late")
    flow = await build(Account(name="ft", jobs=(job,), deployments=(ft("idle", timedelta(days=14)),)))
    flow.expected_errors = {"delivery.died"}
    async with serve_sink() as other:
        routes = TO_OTHER.format(rule="deployment_idle") + TO_OTHER.format(rule="job_failed")
        flow.configure(receivers=OTHER.format(url=other.url), routes=routes)
        daemon = await flow.daemon()
        await until(lambda: other.hooks, "the countdown")
        other.status = 503
        flow.end("ft", job, "failed", outcome="failed")
        await until(lambda: len(other.tried) == 2, "the failure")
        flow.configure()
        daemon.send(signal.SIGHUP)
        await until(lambda: "job_failed" in flow.sink.rules(), "the failure, elsewhere")
        [left] = daemon.log("receiver.left")
        assert (left["receiver"], left["firing"]) == ("other", 1)
        [vanished] = daemon.log("receiver.vanished")
        assert (vanished["receiver"], vanished["given_up"]) == ("other", 1)
        flow.world.call("ft", "idle", at=now() - timedelta(minutes=2))
        await until(lambda: flow.sql("SELECT 1 FROM alerts WHERE ends_at IS NOT NULL"), "the end")
        assert await daemon.stop() == 0
        assert len(other.hooks) == 1
