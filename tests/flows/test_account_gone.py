"""An account that somebody deletes, through discovery and the activity log to the sink."""

from dataclasses import replace
from datetime import timedelta

from tests.flows.conftest import ft, now, until
from tests.flows.machine import stepped
from watcher.simulator import Account

HOURS = timedelta(hours=1)


async def test_who_deleted_an_account_is_told_with_what_was_in_it(tmp_path):
    account = Account(
        name="ft", deployments=(ft("bot", 2 * HOURS),), deleted=3 * HOURS, deleted_by="ann@contoso.example"
    )
    async with stepped(tmp_path, account) as flow:
        await flow.step(2 * HOURS)
        flow.clock.advance(timedelta(hours=1, minutes=1))
        await flow.discover()
        await flow.step()
        (alert,) = flow.sink.alerts
        assert (alert["rule"], alert["severity"], alert["labels"]["cause"]) == (
            "deployment_gone",
            "info",
            "account_gone",
        )
        assert "its account was deleted by ann@contoso.example" in alert["annotations"]["summary"]


async def test_the_daemon_asks_at_once_whether_an_account_whose_listings_are_not_found_is_gone(build):
    """The next regular discovery is a quarter of an hour away."""
    account = Account(name="ft", deployments=(ft("bot", 2 * HOURS),))
    flow = await build(account, Account(name="other"))
    daemon = await flow.daemon()
    scenario = flow.world.scenario
    lost = replace(scenario.accounts[0], deleted=flow.world.moment(now()), deleted_by="ann@contoso.example")
    flow.world.scenario = replace(scenario, accounts=(lost, *scenario.accounts[1:]))
    await until(lambda: flow.sink.of("deployment_gone"))
    (alert,) = flow.sink.of("deployment_gone")
    assert alert["labels"]["cause"] == "account_gone"
    assert await daemon.stop() == 0
