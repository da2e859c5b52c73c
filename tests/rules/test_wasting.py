from decimal import Decimal

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    make_account,
    make_deployment,
    make_end,
    make_gap,
    make_usage,
    make_view,
)
from tests.rules.ask import cleared, found, the_doubt, the_finding, verdict
from watcher.costs.prices import OwnPrice, Terms
from watcher.resources.deployment import ProvisioningState
from watcher.resources.price import RetailList, RetailPrice
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.rule import deployment_subject
from watcher.rules.wasting import DeploymentWasting

RULE = DeploymentWasting()


def view(*, called=NOW - 5 * DAY, created=NOW - 30 * DAY, usage=True, gaps=(), more=None, **changes):
    """One deployment, last called at `called`."""
    deployment = make_deployment(created_at=created, **changes)
    calls = [make_usage(last_success_at=called, **(usage if isinstance(usage, dict) else {}))] if usage else None
    return make_view(deployments=[deployment], usage=calls, gaps=gaps, **(more or {}))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(), "found", id="five days without a call"),
        pytest.param(view(called=NOW - 2 * DAY), "none", id="exactly as long as allowed"),
        pytest.param(view(called=NOW - 2 * DAY - HOUR), "found", id="an hour longer"),
        pytest.param(view(called=None, created=NOW - 2 * DAY), "none", id="new"),
        pytest.param(view(called=None, created=NOW - 3 * DAY), "found", id="never called"),
        pytest.param(view(called=None, created=NOW - 90 * DAY), "found", id="not called as far back as is known"),
        pytest.param(
            view(called=None, created=NOW - 90 * DAY, usage={"read_from": NOW - DAY}),
            "undecided",
            id="known for a day only",
        ),
        pytest.param(view(created=None), "found", id="of unknown age, but called"),
        pytest.param(view(called=None, created=None), "undecided", id="nothing dates it"),
        pytest.param(view(usage=None), "undecided", id="its calls are not known"),
        pytest.param(view(usage={"last_failure_at": NOW - HOUR}), "undecided", id="refused an hour ago"),
        pytest.param(view(usage={"last_unclear_at": NOW - HOUR}), "undecided", id="a nameless call an hour ago"),
        pytest.param(view(usage={"last_failure_at": NOW - 2 * DAY}), "undecided", id="refused just within the time"),
        pytest.param(view(usage={"last_failure_at": NOW - 3 * DAY}), "found", id="refused long ago"),
        pytest.param(view(usage={"last_unclear_at": NOW - 3 * DAY}), "found", id="a nameless call long ago"),
        pytest.param(
            view(called=NOW - DAY, usage={"last_unclear_at": NOW - 30 * HOUR}),
            "none",
            id="called since a nameless call",
        ),
        pytest.param(
            view(called=None, created=NOW - DAY, usage={"last_unclear_at": NOW - 30 * HOUR}),
            "none",
            id="created since a nameless call",
        ),
        pytest.param(
            view(usage={"last_unclear_at": NOW - 2 * DAY}), "undecided", id="a nameless call just within the time"
        ),
        pytest.param(view(usage={"last_unclear_at": NOW - 2 * DAY - HOUR}), "found", id="and an hour before that"),
        pytest.param(view(usage={"read_to": NOW - DAY}), "undecided", id="its calls are known up to yesterday"),
        pytest.param(view(gaps=[make_gap(Section.METRICS)]), "undecided", id="metrics unread"),
        pytest.param(view(gaps=[make_gap(Section.DEPLOYMENTS)]), "undecided", id="deployments unread"),
        pytest.param(view(gaps=[make_gap(Section.JOBS)]), "found", id="jobs unread"),
        pytest.param(make_view(deployments=None), "undecided", id="never read"),
        pytest.param(view(sku="developertier"), "none", id="no fee"),
        pytest.param(view(sku="ProvisionedManaged"), "found", id="provisioned: a fee of unknown height"),
        pytest.param(view(sku="Quantum"), "none", id="nobody knows of any fee"),
        pytest.param(view(model="gpt-4o"), "none", id="a base model"),
        pytest.param(view(provisioning_state=ProvisioningState.FAILED), "none", id="failed"),
        pytest.param(view(provisioning_state=ProvisioningState.DELETING), "none", id="on its way out"),
    ],
)
def test_verdicts(seen, expected):
    assert verdict(RULE, seen) == expected


def test_a_finding_tells_what_it_costs_and_what_to_do():
    finding = the_finding(RULE, view())

    assert (finding.kind, finding.severity, finding.step) == (FindingKind.CONDITION, Severity.INFO, "")
    assert finding.subject == deployment_subject(make_deployment())
    assert finding.summary == "support-bot in contoso-ft has had no call since 2026-11-17 08:00 UTC, and its fee runs"
    assert (
        "That has cost 204.00 USD so far and costs 40.80 USD a day, 408.00 to 409.70 USD more if nobody acts: at "
        "1.70 USD an hour (an estimate from the example price on Azure's pages; not an invoice)."
    ) in finding.description
    assert "az cognitiveservices account deployment delete -g rg-ml" in finding.action
    assert "watcher keep contoso-ft/support-bot" in finding.action
    assert finding.values == {
        "idle_since": "2026-11-17T08:00:00Z",
        "deletion_earliest": "2026-12-02T08:00:00Z",
        "deletion_latest": "2026-12-02T09:00:00Z",
        "hosting_per_hour": 1.7,
        "idle_cost": 204.0,
        "cost_until_deletion": 408.0,
        "cost_per_day": 40.8,
        "currency": "USD",
        "owner_source": "the account",
    }


def test_what_may_have_been_called_before_the_metrics_is_idle_for_at_least_as_long():
    finding = the_finding(RULE, view(called=None, created=NOW - 90 * DAY))
    assert "no call at least since 2026-11-06 08:00 UTC" in finding.summary
    assert "at least 652.80 USD so far" in finding.description


def test_without_a_price_the_fee_is_told_and_no_figure():
    finding = the_finding(DeploymentWasting(pricing=Terms(currency="EUR")), view())
    assert "how much that is cannot be told: no price in EUR is known" in finding.description
    assert {
        finding.values[key] for key in ("hosting_per_hour", "idle_cost", "cost_until_deletion", "cost_per_day")
    } == {None}


def test_what_azure_never_deletes_costs_on():
    rule = DeploymentWasting(
        lifetimes={"provisioned*": None},
        pricing=Terms(table=(OwnPrice(sku="provisioned*", ptu_per_hour=Decimal(2)),)),
    )
    finding = the_finding(rule, view(sku="ProvisionedManaged", capacity=10))
    assert "480.00 USD more each day until somebody acts" in finding.description
    assert (finding.values["deletion_earliest"], finding.values["cost_until_deletion"]) == (None, None)


@pytest.mark.parametrize(
    ("lifetimes", "outlook"),
    [
        pytest.param({}, "at least 4800.00 USD more if nobody acts", id="Azure does not say so"),
        pytest.param({"provisioned*": 15 * DAY}, " 4800.00 to 4820.00 USD more if nobody acts", id="the operator does"),
    ],
)
def test_a_deletion_that_nobody_promised_ends_no_cost(lifetimes, outlook):
    pricing = Terms(table=(OwnPrice(sku="provisioned*", ptu_per_hour=Decimal(2)),))
    rule = DeploymentWasting(lifetimes=lifetimes, pricing=pricing)
    description = the_finding(rule, view(sku="ProvisionedManaged", capacity=10)).description
    assert outlook in description
    assert description.count("at least") == outlook.count("at least")
    assert ("Rule uncertain" in description) is not bool(lifetimes)


def test_the_public_price_list_is_asked_by_the_accounts_region():
    row = RetailPrice(
        meter_name="4o mini FT Deployment Hosting Unit",
        region="northeurope",
        unit="1/Hour",
        price=Decimal(3),
        currency="USD",
    )
    retail = RetailList(prices=(row,), read_at=NOW)
    for location, fee in (("northeurope", 3.0), ("swedencentral", 1.7)):
        account = make_account(location=location)
        seen = view(account=account, more={"account": account, "retail": retail})
        assert the_finding(RULE, seen).values["hosting_per_hour"] == fee


def test_a_call_clears_it_and_says_so():
    (answer,) = cleared(RULE, view(called=NOW - HOUR))
    assert answer.because == "called again: last successful call in the hour from 2026-11-22 07:00 UTC"


def test_while_blind_the_last_evidence_stays():
    doubt = the_doubt(RULE, view(gaps=[make_gap(Section.METRICS)]))
    assert doubt.on_last_evidence.values["idle_cost"] == 204.0
    assert the_doubt(RULE, view(usage=None)).on_last_evidence is None


def test_metrics_that_rest_as_they_may_leave_it_verified():
    """Far from a deadline they are read every twelve intervals only; that is no blindness."""
    hourly = {"cadence": {Section.METRICS: HOUR}}
    assert verdict(RULE, view(usage={"read_to": NOW - 12 * HOUR}, more=hourly)) == "found"
    assert verdict(RULE, view(usage={"read_to": NOW - 15 * HOUR}, more=hourly)) == "undecided"


def test_what_may_have_been_called_since_the_last_reading_is_not_found():
    """Called once a day and a half: the call of the hours that were not read yet makes all the difference."""
    called, hourly = NOW - 50 * HOUR, {"cadence": {Section.METRICS: HOUR}}
    assert verdict(RULE, view(called=called, usage={"read_to": NOW - 2 * HOUR}, more=hourly)) == "none"
    found = the_finding(RULE, view(called=called - HOUR, usage={"read_to": NOW - 2 * HOUR}, more=hourly))
    assert found.values["idle_cost"] == round(49 * 1.70, 2)


def test_its_end_clears_it():
    gone = make_deployment()
    seen = make_view(transitions=[make_end(gone)], ended=[gone])
    assert [answer.subject for answer in cleared(RULE, seen)] == [deployment_subject(gone)]
    assert found(RULE, seen) == []


def test_paused_ones_are_said_to_be_charged_by_assumption():
    finding = the_finding(RULE, view(deployment_state="Paused"))
    assert "assumed that its idle clock runs on and its fee is charged" in finding.description
    assert "at least 408.00 USD more if nobody acts" in finding.description
    assert ACCOUNT.label in finding.summary


def test_calls_that_were_not_answered_are_the_reason_not_to_decide():
    unclear, failed = (the_doubt(RULE, view(usage={key: NOW - HOUR})) for key in ("last_unclear_at", "last_failure_at"))
    assert "may be its own" in unclear.because
    assert "somebody calls it" in failed.because
    assert (unclear.on_last_evidence, failed.on_last_evidence) == (None, None)
