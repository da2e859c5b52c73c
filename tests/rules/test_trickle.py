import pytest

from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_gap, make_holding, make_inventory
from tests.rules.ask import the_doubt, the_finding, verdict
from watcher.costs.prices import Terms
from watcher.resources.calls import Calls, Coverage, HourOfCalls
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.rule import deployment_subject
from watcher.rules.trickle import DeploymentTrickle

RULE = DeploymentTrickle()
READ = Coverage(spans=((NOW - 40 * DAY, NOW),))
A_FORTNIGHT = {10: 1.0}  # a probe, ten days ago


def seen(calls, *, coverage=READ, gaps=(), account=None, **changes):
    """One deployment, with answered calls by how many days ago they came."""
    account = account or make_account()
    deployment = make_deployment(account=account, **changes)
    hours = {NOW - days * DAY: HourOfCalls(ok=count, other=50.0) for days, count in calls.items()}
    return make_inventory(
        make_holding(
            account=account,
            deployments=[deployment],
            gaps=gaps,
            coverage=coverage,
            calls={"support-bot": Calls(deployment="support-bot", hours=hours)} if calls else {},
        )
    )


@pytest.mark.parametrize(
    ("inventory", "expected"),
    [
        pytest.param(seen(A_FORTNIGHT), "found", id="a call a fortnight"),
        pytest.param(seen({day: 1.0 for day in range(1, 16)}), "found", id="a probe a day"),
        pytest.param(seen({1: 20.0}), "found", id="as many as the threshold"),
        pytest.param(seen({1: 20.0, 2: 1.0}), "none", id="one more"),
        pytest.param(seen({1: 5.0, 16: 500.0}), "found", id="what came before the window does not count"),
        pytest.param(seen({}), "none", id="never called: that is idleness"),
        pytest.param(seen({16: 1.0}), "none", id="not called in the window"),
        pytest.param(seen(A_FORTNIGHT, created_at=NOW - 14 * DAY), "none", id="younger than the window"),
        pytest.param(seen(A_FORTNIGHT, created_at=None), "undecided", id="of unknown age"),
        pytest.param(seen(A_FORTNIGHT, coverage=Coverage()), "undecided", id="metrics never read"),
        pytest.param(
            seen(A_FORTNIGHT, coverage=Coverage(spans=((NOW - 40 * DAY, NOW - 5 * DAY), (NOW - 4 * DAY, NOW)))),
            "undecided",
            id="metrics with a hole",
        ),
        pytest.param(seen(A_FORTNIGHT, gaps=[make_gap(Section.DEPLOYMENTS)]), "undecided", id="deployments unread"),
        pytest.param(seen(A_FORTNIGHT, sku="developer"), "none", id="no fee"),
        pytest.param(seen(A_FORTNIGHT, sku="Quantum"), "none", id="nobody knows of a fee"),
        pytest.param(seen(A_FORTNIGHT, sku="ProvisionedManaged"), "found", id="provisioned"),
        pytest.param(seen(A_FORTNIGHT, provisioning_state=ProvisioningState.DELETING), "none", id="on its way out"),
        pytest.param(make_inventory(make_holding(deployments=None)), "none", id="no deployment is known"),
    ],
)
def test_verdicts(inventory, expected):
    assert verdict(RULE, inventory) == expected


def test_a_finding_tells_what_a_call_costs():
    finding = the_finding(RULE, seen({1: 2.0, 9: 1.0}))

    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.INFO)
    assert finding.subject == deployment_subject(make_deployment())
    assert finding.summary == "support-bot in contoso-ft is kept alive by 3 calls in 15 d, at 204.00 USD a call"
    assert "Its fee was 612.00 USD in these 15 d, at 1.70 USD an hour" in finding.description
    assert "deployment delete" in finding.action and "watcher keep contoso-ft/support-bot" in finding.action
    assert (
        "3 calls answered between 2026-11-07 08:00 UTC and 2026-11-22 08:00 UTC, all of which was read"
        in finding.evidence
    )
    assert (finding.values["calls"], finding.values["cost_per_call"], finding.values["monthly_cost"]) == (
        3,
        204.0,
        1224.0,
    )


def test_one_call_is_one():
    assert "by 1 call in 15 d, at 612.00 USD a call" in the_finding(RULE, seen(A_FORTNIGHT)).summary


def test_the_threshold_is_configured():
    rule = DeploymentTrickle(max_calls=2, window=7 * DAY)
    assert verdict(rule, seen({1: 2.0, 9: 500.0})) == "found"
    assert verdict(rule, seen({1: 3.0})) == "none"


def test_without_a_price_no_figure_is_told():
    finding = the_finding(DeploymentTrickle(pricing=Terms(currency="EUR")), seen(A_FORTNIGHT))
    assert finding.summary.endswith("by 1 call in 15 d")
    assert "no price in EUR is known" in finding.description
    assert finding.values["cost_per_call"] is finding.values["monthly_cost"] is None


@pytest.mark.parametrize(
    ("own", "nameless", "expected"),
    [(0, 0, "found"), (19, 0, "found"), (20, 0, "undecided"), (0, 20, "undecided"), (10, 9, "found")],
)
def test_calls_that_may_be_its_own_may_be_too_many(own, nameless, expected):
    hours = {NOW - DAY: HourOfCalls(ok=1.0, other=own + 50.0, unclear=own)}
    calls = {
        "support-bot": Calls(deployment="support-bot", hours=hours),
        "": Calls(deployment="", hours={NOW - DAY: HourOfCalls(ok=nameless), NOW - 16 * DAY: HourOfCalls(ok=99.0)}),
    }
    held = make_holding(deployments=[make_deployment()], coverage=READ, calls=calls)
    assert verdict(RULE, make_inventory(held)) == expected


def test_what_is_not_known_is_said():
    doubt = the_doubt(RULE, seen(A_FORTNIGHT, coverage=Coverage(spans=((NOW - HOUR, NOW),))))
    assert doubt.because == "not all of its calls in the last 15 d are known"
