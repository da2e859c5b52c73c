"""What discovery could not read reaches the rules: as one cause where it saw nothing, else each on its own."""

from dataclasses import replace

import pytest

from tests.factories import HOUR, MINUTE, NOW, make_gap, make_state
from watcher.errors import ConfigurationError
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.discovery import DiscoveryThrottled
from watcher.rules.finding import Severity
from watcher.rules.registry import build_rules
from watcher.rules.rule import Fleet, evaluate_fleet

RULES = build_rules({}, plugins=()).fleet_rules
SUB = "/subscriptions/s-1"
HAND = "/subscriptions/s-1/resourcegroups/rg/providers/microsoft.cognitiveservices/accounts/by-hand"
READ = replace(make_state("a"), deployments_at=NOW)


def gap(reason, subject="", **changes):
    return make_gap(Section.ACCOUNT, reason, subject=subject, **{"at": NOW - HOUR, **changes})


def blind(*gaps, accounts=(), subscriptions=()):
    return Fleet(now=NOW, accounts=accounts, discovery_gaps=gaps, subscriptions=subscriptions, cloud="china")


def findings(view):
    return evaluate_fleet(RULES, view).findings


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(blind(), [], id="all well"),
        pytest.param(blind(gap(GapReason.CREDENTIAL)), ["credential_failing"], id="no token at all"),
        pytest.param(blind(gap(GapReason.UNREACHABLE)), ["azure_unreachable"], id="no answer at all"),
        pytest.param(
            blind(gap(GapReason.BROKEN, SUB), subscriptions=["S-1"]), ["azure_unreachable"], id="the only subscription"
        ),
        pytest.param(
            blind(gap(GapReason.CREDENTIAL, SUB), subscriptions=["s-1"]), ["credential_failing"], id="refused by it"
        ),
        pytest.param(
            blind(gap(GapReason.CREDENTIAL, SUB), subscriptions=["s-1", "s-2"]),
            ["account_forbidden"],
            id="refused by one of two: perhaps another tenant's",
        ),
        pytest.param(
            blind(gap(GapReason.UNREACHABLE, SUB), subscriptions=["s-1", "s-2"]),
            ["account_unreachable"],
            id="one of two is silent",
        ),
        pytest.param(
            blind(gap(GapReason.CREDENTIAL, SUB), accounts=(READ,), subscriptions=["s-1"]),
            ["account_forbidden"],
            id="refused, but an account was read since",
        ),
        pytest.param(
            blind(gap(GapReason.CREDENTIAL), accounts=(make_state("a"),)),
            ["credential_failing"],
            id="an account whose jobs were read says nothing of the control plane",
        ),
        pytest.param(blind(gap(GapReason.ROLE, SUB), subscriptions=["s-1"]), ["account_forbidden"], id="no role"),
        pytest.param(blind(gap(GapReason.ROLE)), ["account_forbidden"], id="no role for the list"),
        pytest.param(
            blind(gap(GapReason.NOT_FOUND, SUB), subscriptions=["s-1"]), ["account_unreachable"], id="no such one"
        ),
        pytest.param(
            blind(gap(GapReason.THROTTLED, SUB), subscriptions=["s-1"]), ["account_throttled"], id="throttled"
        ),
        pytest.param(blind(gap(GapReason.NOT_FOUND, HAND)), ["account_unreachable"], id="by hand, not found"),
        pytest.param(blind(gap(GapReason.UNREACHABLE, HAND)), ["azure_unreachable"], id="by hand, and nothing else"),
    ],
)
def test_what_discovery_could_not_read_is_told_once(view, expected):
    assert [finding.rule for finding in findings(view)] == expected


def test_one_cause_has_no_region():
    (credential,) = findings(blind(gap(GapReason.CREDENTIAL)))
    (silent,) = findings(blind(gap(GapReason.UNREACHABLE)))

    assert credential.labels == silent.labels == {"cloud": "china", "plane": "arm"}
    assert credential.severity is silent.severity is Severity.CRITICAL
    assert "at discovery" in credential.summary


def test_a_subscription_without_a_role_gets_the_command():
    (finding,) = findings(blind(gap(GapReason.ROLE, SUB), subscriptions=["s-1"]))

    assert finding.action.endswith("--role Reader --scope /subscriptions/s-1")
    assert finding.labels == {"cloud": "china", "plane": "arm", "subscription": "s-1"}
    assert (finding.subject.id, finding.subject.kind, finding.subject.incarnation) == (SUB, ResourceKind.ACCOUNT, "arm")


def test_a_disabled_subscription_is_not_cured_by_a_role():
    (finding,) = findings(blind(gap(GapReason.BLOCKED, SUB), subscriptions=["s-2"]))

    assert (finding.rule, finding.subject.id) == ("account_forbidden", SUB)
    assert finding.action.startswith("Enable it again")


def test_the_list_of_subscriptions_has_a_subject_too():
    (finding,) = findings(blind(gap(GapReason.FORBIDDEN)))

    assert finding.subject.id == "subscriptions"
    assert "the list of subscriptions" in finding.summary


def test_an_account_given_by_hand_is_named():
    (finding,) = findings(blind(gap(GapReason.ROLE, HAND)))

    assert (finding.labels["account"], finding.labels["subscription"]) == ("by-hand", "s-1")
    assert finding.action.endswith(f"--scope {HAND}")


def test_an_account_that_is_polled_tells_for_itself():
    state = make_state("a")
    assert findings(blind(gap(GapReason.ROLE, state.account.key), accounts=(state,))) == ()


def test_waits_as_long_as_configured():
    throttled = blind(gap(GapReason.THROTTLED, SUB, at=NOW - MINUTE), subscriptions=["s-1"])
    assert list(DiscoveryThrottled().evaluate(throttled))
    assert not list(DiscoveryThrottled(after=HOUR).evaluate(throttled))


def test_a_mistake_in_the_options_of_both_is_told_once():
    with pytest.raises(ConfigurationError) as caught:
        build_rules({"account_forbidden": {"aftr": HOUR}}, plugins=())
    assert len(caught.value.problems) == 1
