"""Deployments at first sight, in trouble and gone, through the running daemon to the sink."""

from datetime import timedelta

from tests.flows.conftest import ft, now, until
from watcher.simulator import Account, Calls, Deployment, Fault


async def test_tells_first_sight_in_one_message_and_a_recovery_by_traffic(build):
    days, hours = (lambda n: timedelta(days=n)), (lambda n: timedelta(hours=n))
    flow = await build(
        Account(
            name="ft",
            deployments=(
                ft("young", hours(7 * 24)),
                ft("week", days(13)),
                ft("last-day", days(14.5)),
                ft("overdue", days(17), idle_deletion=False),
                ft("busy", days(40), calls=(Calls(from_=days(-39), per_hour=1),)),
                Deployment(name="base", created=-days(60), model="gpt-4.1"),
                ft("trial", hours(22), sku="DeveloperTier"),
                ft("fresh-trial", hours(2), sku="DeveloperTier"),
            ),
        )
    )
    daemon = await flow.daemon()
    await until(lambda: flow.sink.hooks, "the message of first sight")
    await flow.polls("ft")
    assert len(flow.sink.hooks) == 1, "one message for all that holds at first sight"
    told = {alert["labels"]["deployment"]: alert for alert in flow.sink.alerts}
    assert {name: (alert["rule"], alert["severity"]) for name, alert in told.items()} == {
        "week": ("deployment_idle", "warning"),
        "last-day": ("deployment_idle", "critical"),
        "overdue": ("deployment_idle", "critical"),
        "trial": ("deployment_expiring", "info"),
    }
    assert "overdue" in told["overdue"]["annotations"]["summary"]
    values = told["week"]["values"]
    assert values.keys() >= {
        "idle_since", "deletion_earliest", "deletion_latest", "hosting_per_hour", "idle_cost", "cost_until_deletion",
        "currency",
    }  # fmt: skip
    assert abs(values["idle_cost"] - 13 * 24 * values["hosting_per_hour"]) < 2
    assert "/chat/completions" in told["week"]["annotations"]["action"]

    flow.world.call("ft", "week", at=now() - timedelta(minutes=2))  # metrics are read to the last full minute
    await until(lambda: len(flow.sink.hooks) == 2, "the resolve")
    await flow.polls("ft")
    (resolved,) = flow.sink.hooks[1].alerts
    assert flow.sink.hooks[1].reason == "resolved"
    assert (resolved["status"], resolved["labels"]["deployment"]) == ("resolved", "week")
    assert "called again" in resolved["ended_because"]
    assert resolved["fingerprint"] == told["week"]["fingerprint"]
    assert len(flow.sink.hooks) == 2
    assert await daemon.stop() == 0


async def test_tells_gone_from_unreadable_and_hidden(build):
    idle, calm = timedelta(days=13), timedelta(days=1)
    flow = await build(
        Account(name="losing", location="eastus2", deployments=(ft("lost", calm), ft("kept", calm))),
        Account(name="dark", location="westus", deployments=(ft("unseen", idle),)),
        Account(name="veiled", location="northcentralus", deployments=(ft("hidden", calm),)),
        Account(name="pale", location="swedencentral", deployments=(ft("omitted", calm),)),
    )
    daemon = await flow.daemon()
    await until(lambda: flow.sink.about("unseen"))

    flow.world.delete_deployment("losing", "lost", at=now(), by="someone@contoso.example")
    outage = (Fault(plane="arm", account="dark", status=503), Fault(plane="data", account="dark", status=503))
    flow.world.faults.add(
        *outage,
        Fault(account="veiled", hide=("hidden",), hidden_status=403),
        Fault(account="pale", hide=("omitted",), hidden_status=200),
    )
    await until(lambda: flow.sink.of("deployment_gone"))
    await until(lambda: len(flow.sink.of("account_unreachable")) >= 2)
    await until(lambda: flow.azure.requests.matching(api="deployment", account="veiled", status=403))
    await until(lambda: len(flow.azure.requests.matching(api="deployment", account="pale", status=200)) >= 2)
    await flow.polls("losing")

    (gone,) = flow.sink.of("deployment_gone")
    assert gone["labels"]["deployment"] == "lost"
    assert flow.azure.requests.matching(api="deployment", account="losing", status=404), "the second sign was asked for"
    assert {
        alert["labels"]["plane"] for alert in flow.sink.about("dark") if alert["rule"] == "account_unreachable"
    } == {
        "arm",
        "data",
    }
    assert [alert["status"] for alert in flow.sink.about("unseen")] == ["firing"], "what cannot be read is not resolved"
    assert flow.sink.about("omitted") == [], "a list that leaves out what answers by itself says nothing"

    flow.world.faults.remove(outage[0])
    flow.world.faults.remove(outage[1])
    await until(lambda: len([a for a in flow.sink.of("account_unreachable") if a["status"] == "resolved"]) == 2)
    assert [alert["status"] for alert in flow.sink.about("unseen")] == ["firing"]
    assert len(flow.sink.of("deployment_gone")) == 1
    await until(lambda: flow.sink.of("account_forbidden"), "a hidden deployment is told as forbidden")
    assert {alert["labels"]["account"] for alert in flow.sink.of("account_forbidden")} == {"veiled"}
    assert await daemon.stop() == 0
