"""What takes days: countdowns step by step to the deletion, and clocks that jump."""

from datetime import timedelta

from tests.flows.conftest import ft
from tests.flows.machine import stepped
from watcher.simulator import Account, Calls

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _told(sink, name):
    """What was told of one deployment: rule, reason, severity."""
    return [(alert["rule"], alert["reason"], alert["severity"]) for alert in sink.about(name)]


async def test_counts_an_idle_deployment_down_to_its_deletion(tmp_path):
    async with stepped(tmp_path, Account(name="ft", deployments=(ft("idle", 15 * DAY - 7 * DAY - 3 * HOUR),))) as flow:
        assert flow.sink.hooks == []
        while flow.clock() < flow.world.start + 7 * DAY + 6 * HOUR:
            await flow.step(4 * HOUR)
        assert _told(flow.sink, "idle") == [
            ("deployment_idle", "firing", "info"),
            ("deployment_idle", "severity_raised", "warning"),
            ("deployment_idle", "severity_raised", "critical"),
            ("deployment_idle", "reminder", "critical"),
            ("deployment_gone", "firing", "warning"),
        ]
        gone = flow.sink.of("deployment_gone")[0]
        assert gone["values"]["cause"] == "idle"
        assert "told before: hook at" in gone["annotations"]["evidence"]
        left = [alert["values"]["cost_until_deletion"] for alert in flow.sink.of("deployment_idle")]
        assert left == sorted(left, reverse=True)
        assert {alert["fingerprint"] for alert in flow.sink.of("deployment_idle")} == {
            flow.sink.of("deployment_idle")[0]["fingerprint"]
        }


async def test_the_news_that_a_deployment_is_gone_names_the_alert_that_it_ends(tmp_path):
    async with stepped(tmp_path, Account(name="ft", deployments=(ft("idle", 14 * DAY),))) as flow:
        await flow.step(DAY + HOUR)
        idle, gone = flow.sink.of("deployment_idle")[0], flow.sink.hooks[-1].json
        assert [alert["rule"] for alert in gone["alerts"]] == ["deployment_gone"]
        assert [alert["fingerprint"] for alert in gone["covers"]] == [idle["fingerprint"]]


async def test_counts_a_developer_deployment_down_to_its_expiry(tmp_path):
    async with stepped(tmp_path, Account(name="ft", deployments=(ft("trial", HOUR, sku="DeveloperTier"),))) as flow:
        for _ in range(24):
            await flow.step(HOUR)
        assert _told(flow.sink, "trial") == [
            ("deployment_expiring", "firing", "info"),
            ("deployment_expiring", "severity_raised", "warning"),
            ("deployment_gone", "firing", "info"),
        ]
        assert flow.sink.of("deployment_gone")[0]["values"]["cause"] == "developer_expiry"


async def test_a_clock_that_jumps_ahead_skips_to_the_step_that_holds_then(tmp_path):
    """As after a machine was suspended: one message, of the present step."""
    async with stepped(tmp_path, Account(name="ft", deployments=(ft("idle", 5 * DAY),))) as flow:
        await flow.step(9 * DAY + 12 * HOUR)
        assert _told(flow.sink, "idle") == [("deployment_idle", "firing", "critical")]


async def test_a_clock_that_is_set_back_says_nothing_twice(tmp_path):
    busy = ft("busy", calls=(Calls(from_=-DAY, per_hour=1),))
    async with stepped(tmp_path, Account(name="ft", deployments=(ft("idle", 5 * DAY), busy))) as flow:
        await flow.step(9 * DAY)
        assert len(flow.sink.hooks) == 1
        flow.clock.jump(-3 * HOUR)
        for _ in range(3):
            await flow.step(HOUR)
        assert len(flow.sink.hooks) == 1
        flow.world.delete_deployment("ft", "busy", at=flow.clock())
        await flow.step(HOUR)
        await flow.step(HOUR)
        assert flow.sink.rules() == ["deployment_gone", "deployment_idle"]
