"""Azure's public price list from the wire to what is said of an idle deployment."""

from datetime import timedelta

import pytest

from tests.flows.conftest import ft, until
from tests.flows.machine import stepped
from watcher import rounds
from watcher.simulator import Account, Fault
from watcher.store import alerts, prices

DAY = timedelta(days=1)
#: No alert at first sight, and one two days later.
IDLE = Account(name="ft", location="eastus2", deployments=(ft("bot", 7 * DAY),))


async def idle(flow):
    found = await flow.machine.store.read(alerts.listed)
    return next(one.finding for one in found if one.finding.rule == "deployment_idle")


async def test_an_idle_deployment_is_told_with_the_price_of_the_list_and_its_date(tmp_path):
    async with stepped(tmp_path, IDLE, prices=True) as flow:
        flow.clock.advance(2 * DAY)
        done = await rounds.once(flow.machine)
        assert not done.gaps
        finding = await idle(flow)
        assert f"Azure's public price list as of {flow.clock():%Y-%m-%d}" in finding.description
        assert finding.values["hosting_per_hour"] == 1.7
        await rounds.once(flow.machine)
        asked = len(flow.azure.requests.matching(plane="prices"))
        flow.clock.advance(DAY)
        await rounds.once(flow.machine)
        assert len(flow.azure.requests.matching(plane="prices")) == 2 * asked
        assert {one.status for one in flow.azure.requests.matching(plane="prices")} == {200}
        assert flow.machine.judgement.tariff.latest.read_at == flow.clock()


@pytest.mark.parametrize("fault", [{"status": 503}, {"body": "garbage"}, {"status": 429, "retry_after": 7200}], ids=str)
async def test_a_list_that_cannot_be_read_is_no_gap_and_no_alert(tmp_path, fault):
    async with stepped(tmp_path, IDLE, prices=True) as flow:
        flow.clock.advance(2 * DAY)
        flow.world.faults.add(Fault(plane="prices", **fault))
        done = await rounds.once(flow.machine)
        assert done.gaps == ()
        assert {alert.finding.rule for alert in done.alerts} <= {"deployment_idle", "deployment_wasting"}
        assert "an estimate from the example price on Azure's pages" in (await idle(flow)).description
        tries = len(flow.azure.requests.matching(plane="prices"))
        await rounds.once(flow.machine)
        assert len(flow.azure.requests.matching(plane="prices")) == tries  # not again within the hour


@pytest.mark.parametrize(
    ("url", "more"),
    [(True, '[pricing]\nsource = "table"'), (False, "")],
    ids=["the table alone", "a cloud without a list"],
)
async def test_where_none_is_wanted_or_known_none_is_asked_for(tmp_path, url, more):
    async with stepped(tmp_path, IDLE, prices=url, more=more) as flow:
        flow.clock.advance(2 * DAY)
        await rounds.once(flow.machine)
        assert flow.azure.requests.matching(plane="prices") == []
        assert "an estimate from the example price" in (await idle(flow)).description


async def test_a_rehearsal_shows_prices_and_stores_none(tmp_path):
    async with stepped(tmp_path, IDLE, prices=True) as flow:
        flow.clock.advance(2 * DAY)
        summary = await rounds.rehearse(flow.machine)
        texts = [one.finding.description for one in summary.alerts if one.finding.rule == "deployment_idle"]
        assert all("Azure's public price list" in text for text in texts)
        assert await flow.machine.store.read(prices.times, "USD") == prices.Times()


@pytest.mark.parametrize(
    ("hangs", "words"),
    [(False, "Azure's public price list as of"), (True, "an estimate from the example price")],
    ids=["read", "no answer"],
)
async def test_the_daemon_s_first_message_waits_for_the_list_and_not_for_long(build, hangs, words):
    flow = await build(Account(name="ft", deployments=(ft("idle", 9 * DAY),)))
    if hangs:
        flow.world.faults.add(Fault(plane="prices", hang=True))
    flow.configure(azure_more=f'prices_url = "{flow.azure.url}"', timeout="30s")
    daemon = await flow.start_daemon()
    await until(lambda: flow.sink.hooks)
    (alert,) = flow.sink.hooks[0].alerts
    assert words in alert["annotations"]["description"]
    assert await daemon.stop() == 0
