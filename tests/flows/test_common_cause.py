"""One cause behind many accounts is told once, though they are polled minutes apart."""

import pytest

from tests.flows.conftest import running_job, until
from watcher.simulator import Account, Fault

EAST = ("near-1", "near-2", "near-3")
WEST = ("far-1", "far-2", "far-3")


def account(name: str, **more) -> Account:
    return Account(name=name, location="eastus2" if name in (*EAST, "active") else "westus", **more)


async def staggered(build, *others: str, timeout: str = "3s"):
    """A daemon that polls `active` each second, and the other accounts once in an hour."""
    flow = await build(account("active", jobs=(running_job("job"),)), *map(account, others))
    flow.configure(interval="1h", timeout=timeout)
    daemon = await flow.daemon()
    return flow, daemon


def asked(flow, names) -> dict[str, int]:
    """How often the jobs of these accounts were listed since the first complete cycle, retries included."""
    return {name: len(flow.azure.requests.matching(api="jobs", account=name)) for name in names}


@pytest.mark.parametrize(
    "fault", [Fault(plane="data", hang=True), Fault(plane="data", status=503)], ids=["hang", "503"]
)
async def test_a_region_that_goes_dark_between_two_polls_is_told_as_one(build, fault):
    flow, daemon = await staggered(build, *EAST, timeout="2s")
    before = asked(flow, EAST)
    flow.world.faults.add(fault)
    (alert,) = await until(lambda: flow.sink.alerts)
    assert (alert["rule"], alert["labels"]["location"], alert["labels"]["plane"]) == (
        "azure_unreachable",
        "eastus2",
        "data",
    )
    await flow.polls("active", 2)
    assert flow.sink.rules() == ["azure_unreachable"]
    assert [name for name in EAST if asked(flow, [name])[name] > before[name]] == ["near-1"]
    assert await daemon.stop() == 0


async def test_an_account_that_fails_alone_is_told_as_such_and_costs_one_poll_more(build):
    flow, daemon = await staggered(build, *EAST, *WEST)
    before = asked(flow, (*EAST, *WEST))
    flow.world.faults.add(Fault(plane="data", account="active", status=503))
    (alert,) = await until(lambda: flow.sink.alerts)
    assert (alert["rule"], alert["labels"].get("account")) == ("account_unreachable", "active")
    await flow.polls("active", 3)
    assert {n: c - before[n] for n, c in asked(flow, before).items() if c > before[n]} == {"near-1": 1}
    assert await daemon.stop() == 0


async def test_what_hits_every_region_is_told_as_one(build):
    flow, daemon = await staggered(build, *EAST, *WEST)
    before = asked(flow, (*EAST, *WEST))
    flow.world.faults.add(Fault(plane="data", status=503))
    (alert,) = await until(lambda: flow.sink.alerts)
    assert alert["rule"] == "azure_unreachable"
    assert "location" not in alert["labels"]
    await flow.polls("active", 2)
    assert flow.sink.rules() == ["azure_unreachable"]
    assert {n for n, c in asked(flow, before).items() if c > before[n]} == {"near-1", "far-1", "far-2"}
    assert await daemon.stop() == 0


async def test_a_question_that_stays_unanswered_holds_up_no_stop(build):
    flow, daemon = await staggered(build, *EAST, timeout="30s")
    hangs = Fault(plane="data", account="near-1", hang=True)
    flow.world.faults.add(hangs, Fault(plane="data", account="active", body="garbage"))
    await until(lambda: flow.world.faults.strikes(hangs), "a neighbour is asked")
    assert not flow.sink.alerts
    assert await daemon.stop() == 0
