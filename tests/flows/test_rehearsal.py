"""A rehearsal looks at everything that a pass looks at, and leaves nothing behind."""

from datetime import timedelta

from tests.flows.conftest import ft
from tests.flows.machine import stepped
from watcher import rounds
from watcher.simulator import Account, Job
from watcher.store import alerts, state


async def test_a_rehearsal_takes_inventory_too(tmp_path):
    account = Account(name="ft", jobs=(Job(name="old", created=-timedelta(days=40)),))
    async with stepped(tmp_path, account) as flow:
        summary = await rounds.rehearse(flow.machine)
        assert [alert.finding.rule for alert in summary.alerts] == ["model_undeployed"]
        store = flow.machine.store
        assert await store.read(state.at, state.INVENTORY) is None
        assert await store.read(alerts.listed) == ()
        done = await rounds.once(flow.machine)
        assert [alert.finding.rule for alert in done.alerts] == ["model_undeployed"]


async def test_a_rehearsal_names_who_deleted_an_account(tmp_path):
    hour = timedelta(hours=1)
    account = Account(name="ft", deployments=(ft("bot", 2 * hour),), deleted=hour, deleted_by="ann@contoso.example")
    async with stepped(tmp_path, account) as flow:
        flow.clock.advance(2 * hour)
        (alert,) = (await rounds.rehearse(flow.machine)).alerts
        assert "its account was deleted by ann@contoso.example" in alert.finding.summary
        assert await flow.machine.store.read(alerts.listed) == ()
