from decimal import Decimal

import pytest

from tests.costs.factories import make_row
from tests.factories import (
    DAY,
    HOUR,
    NOW,
    make_account,
    make_deployment,
    make_gap,
    make_holding,
    make_inventory,
    make_model,
    make_usage,
)
from tests.rules.ask import ask, found, the_doubt, the_finding
from watcher.alerts.lifecycle import advance
from watcher.costs.prices import OwnPrice, Terms
from watcher.resources.deployment import ProvisioningState
from watcher.resources.price import RetailList
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.rule import deployment_subject, evaluate_inventory
from watcher.rules.superseded import DeploymentSuperseded

EAST, WEST = make_account("contoso-east"), make_account("contoso-west", subscription="sub-2", location="westus3")
BASE = "gpt-4o-mini-2024-07-18"
SUPERSEDED = DeploymentSuperseded()


def name(number, suffix="support"):
    return f"{BASE}.ft-{number:032x}-{suffix}"


OLD = make_model(name(1), account=EAST.key, created_at=NOW - 60 * DAY)
HEIR = make_model(name(2), account=EAST.key, created_at=NOW - 3 * DAY, base=name(1), suffix="")
NAMESAKE = make_model(name(3), account=EAST.key, created_at=NOW - 2 * DAY)


def serving(model, deployment="support-bot", account=EAST, **changes):
    return make_deployment(deployment, account=account, model=model.id, **changes)


def east(*deployments, models=(OLD, HEIR), **changes):
    return make_holding(account=EAST, deployments=deployments, models=models, **changes)


def west(*deployments, **changes):
    return make_holding(account=WEST, deployments=deployments, **changes)


UNREAD_WEST = west(serving(HEIR, "v2", WEST), gaps=[make_gap(Section.DEPLOYMENTS)])
NEVER_READ = make_holding(account=WEST, deployments=None)


def test_a_deployment_whose_models_heir_is_deployed_elsewhere():
    usage = make_usage("v2", last_success_at=NOW - HOUR)
    heir = serving(HEIR, "v2", WEST, created_at=NOW - 2 * DAY)
    finding = the_finding(SUPERSEDED, make_inventory(east(serving(OLD)), west(heir, usage=[usage])))

    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.INFO)
    assert finding.subject == deployment_subject(serving(OLD))
    assert (finding.labels["deployment"], finding.labels["account"]) == ("support-bot", "contoso-east")
    assert finding.summary == (
        "support-bot in contoso-east serves an older model: a newer one of its lineage "
        "is deployed as v2 in contoso-west"
    )
    assert "was trained from this one" in finding.description
    assert "az cognitiveservices account deployment delete -g rg-ml -n contoso-east" in finding.action
    assert "watcher keep contoso-east/support-bot" in finding.action
    assert "calls unknown" in finding.evidence
    assert "last successful call in the hour from 2026-11-22 07:00 UTC" in finding.evidence
    assert finding.values["newer_model"] == HEIR.id
    assert finding.values["relation"] == "descent"
    assert finding.values["monthly_cost"] == 1224.0


def test_the_command_to_keep_it_survives_a_shell():
    odd = make_account("contoso-east", label="contoso-east@rg (ml)")
    held = make_holding(account=odd, deployments=(serving(OLD), serving(HEIR, "v2")), models=(OLD, HEIR))

    action = the_finding(SUPERSEDED, make_inventory(held)).action
    assert "\nwatcher keep 'contoso-east@rg (ml)/support-bot' --until DATE --reason TEXT" in action


def test_a_namesake_is_said_to_be_an_assumption():
    inventory = make_inventory(east(serving(OLD), serving(NAMESAKE, "v3"), models=[OLD, NAMESAKE]))
    finding = the_finding(SUPERSEDED, inventory)

    assert finding.values["relation"] == "suffix"
    assert 'under the suffix "support" and are owned by search-team' in finding.description
    assert "is an assumption from these names; Azure does not say so" in finding.description


def test_the_cost_is_told_where_the_price_is_known():
    finding = the_finding(SUPERSEDED, make_inventory(east(serving(OLD), serving(HEIR, "v2"))))

    assert finding.values["monthly_cost"] == 1224.0
    assert (
        "about 1224.00 USD in 30 days, at 1.70 USD an hour (an estimate from the example price on Azure's pages; not "
        "an invoice)."
    ) in finding.description


def test_without_a_price_no_cost_is_told():
    rule = DeploymentSuperseded(pricing=Terms(currency="EUR"))
    finding = the_finding(rule, make_inventory(east(serving(OLD), serving(HEIR, "v2"))))

    assert finding.values["monthly_cost"] is finding.values["hosting_per_hour"] is None
    assert "EUR" not in finding.description


def test_the_operators_own_prices_go_first_for_any_sku():
    table = (OwnPrice(sku="provisioned*", hosting_per_hour=Decimal(10)), OwnPrice(hosting_per_hour=Decimal(2)))
    rule = DeploymentSuperseded(pricing=Terms(table=table, discount_percent=Decimal(10)))
    for sku, fee in (("ProvisionedManaged", 9.0), ("Standard", 1.8)):
        finding = the_finding(rule, make_inventory(east(serving(OLD, sku=sku), serving(HEIR, "v2"))))
        assert finding.values["hosting_per_hour"] == fee
        assert "(the configured list price; not an invoice; less 10 %)" in finding.description


def test_who_is_asked_is_told_with_what_names_them():
    finding = the_finding(
        SUPERSEDED, make_inventory(east(serving(OLD, tags={"Owner": "ann"}), serving(HEIR, "v2")), owner_tag="owner")
    )
    assert (finding.labels["owner"], finding.values["owner_source"]) == ("ann", "tag owner of the deployment")


@pytest.mark.parametrize(
    ("sku", "said"),
    [
        ("GlobalStandard", "hosting is charged by the hour"),
        ("ProvisionedManaged", "provisioned units are charged by the hour"),
        ("Novel", "SKU Novel costs while it stands is not known"),
    ],
)
def test_what_it_costs_depends_on_the_sku(sku, said):
    rule = DeploymentSuperseded()
    finding = the_finding(rule, make_inventory(east(serving(OLD, sku=sku), serving(HEIR, "v2"))))

    assert said in finding.description
    assert (finding.values["monthly_cost"] is None) is (sku != "GlobalStandard")


@pytest.mark.parametrize(
    "deployments",
    [
        pytest.param([serving(OLD)], id="the newer model is not deployed"),
        pytest.param([serving(HEIR)], id="the older one is not"),
        pytest.param([serving(OLD, sku="DeveloperTier"), serving(HEIR, "v2")], id="this one has no fee"),
        pytest.param(
            [serving(OLD, provisioning_state=ProvisioningState.DELETING), serving(HEIR, "v2")], id="this one is going"
        ),
        pytest.param(
            [serving(OLD), serving(HEIR, "v2", provisioning_state=ProvisioningState.CREATING)], id="the newer is coming"
        ),
        pytest.param(
            [serving(OLD), serving(HEIR, "v2", provisioning_state=ProvisioningState.FAILED)], id="the newer failed"
        ),
        pytest.param([serving(OLD), serving(OLD, "again")], id="the same model twice"),
        pytest.param([serving(OLD), make_deployment("x", account=EAST, model=name(9))], id="a model nobody knows"),
    ],
)
def test_nothing_is_superseded_without_a_newer_model_in_service(deployments):
    assert ask(SUPERSEDED, make_inventory(east(*deployments))) == []


def test_a_checkpoint_of_the_old_model_is_superseded_too():
    old = make_deployment(account=EAST, model=f"{OLD.id}:ckpt-step-40")

    assert the_finding(SUPERSEDED, make_inventory(east(old, serving(HEIR, "v2")))).labels["model"].endswith("step-40")


NEWEST = make_model(name(4), account=EAST.key, created_at=NOW - DAY, base=name(2), suffix="")


@pytest.mark.parametrize("tried", [HEIR, NEWEST], ids=["the same model", "a newer one"])
def test_what_lasts_stands_in_its_place_before_what_is_on_trial(tried):
    deployments = serving(OLD), serving(tried, "a-trial", sku="DeveloperTier"), serving(HEIR, "v2")
    answers = ask(SUPERSEDED, make_inventory(east(*deployments, models=(OLD, HEIR, NEWEST))))

    (summary,) = (one.summary for one in answers if one.labels["deployment"] == "support-bot")
    assert summary.endswith("is deployed as v2 in contoso-east")


def test_a_developer_deployment_of_the_newer_is_said_to_be_a_trial():
    finding = the_finding(SUPERSEDED, make_inventory(east(serving(OLD), serving(HEIR, "v2", sku="DeveloperTier"))))

    assert "is for trials and ends after 24 h" in finding.description


@pytest.mark.parametrize(
    ("inventory", "because"),
    [
        pytest.param(
            make_inventory(east(serving(OLD), gaps=[make_gap(Section.DEPLOYMENTS)]), west(serving(HEIR, "v2", WEST))),
            "the deployments of contoso-east could not be read",
            id="its own account",
        ),
        pytest.param(
            make_inventory(
                east(serving(OLD), gaps=[make_gap(Section.DEPLOYMENTS, subject=serving(OLD).key)]),
                west(serving(HEIR, "v2", WEST)),
            ),
            "support-bot in contoso-east could not be read",
            id="itself",
        ),
        pytest.param(
            make_inventory(east(serving(OLD)), UNREAD_WEST), "the deployments of contoso-west", id="the newer's account"
        ),
    ],
)
def test_what_was_not_read_decides_nothing_and_shows_the_last_evidence(inventory, because):
    doubt = the_doubt(SUPERSEDED, inventory)

    assert doubt.subject == deployment_subject(serving(OLD))
    assert because in doubt.because
    assert doubt.on_last_evidence.values["newer_deployment"] == "v2"


def test_a_newer_model_may_be_deployed_where_nobody_looked():
    doubt = the_doubt(SUPERSEDED, make_inventory(east(serving(OLD)), NEVER_READ))

    assert doubt.because == "the deployments of contoso-west have not been read yet"
    assert doubt.on_last_evidence is None


def test_without_a_newer_model_nothing_needs_to_be_looked_at():
    assert ask(SUPERSEDED, make_inventory(east(serving(HEIR)), NEVER_READ)) == []


def test_a_newer_one_that_was_read_decides_whatever_else_was_not():
    inventory = make_inventory(east(serving(OLD), serving(NAMESAKE, "v3"), models=[OLD, NAMESAKE, HEIR]), UNREAD_WEST)

    assert the_finding(SUPERSEDED, inventory).values["newer_deployment"] == "v3"


def test_calls_of_a_former_life_are_not_told_as_its_own():
    usage = make_usage("support-bot", last_success_at=NOW - 5 * DAY)
    old = serving(OLD, created_at=NOW - DAY)
    finding = the_finding(SUPERSEDED, make_inventory(east(old, serving(HEIR, "v2"), usage=[usage])))

    assert "no successful call in the metrics read" in finding.evidence
    assert finding.values["last_success_at"] is None


def test_its_alert_lasts_while_an_account_is_unread_and_ends_with_the_successor():
    def after(active, inventory):
        evaluation = evaluate_inventory([SUPERSEDED], inventory)
        changed = advance(
            active, evaluation.findings, evaluation.undecided, rules=evaluation.rules, account="", now=inventory.now
        )
        return {**{alert.id: alert for alert in active}, **{alert.id: alert for alert in changed}}.values()

    def seen(*in_west, **changes):
        return make_inventory(east(serving(OLD)), west(*in_west, **changes))

    heir = serving(HEIR, "v2", WEST)
    (fired,) = alerts = after([], seen(heir))
    (doubted,) = alerts = after(alerts, seen(heir, gaps=[make_gap(Section.DEPLOYMENTS)]))
    (ended,) = after(alerts, seen())

    assert (fired.ends_at, fired.unverified_because) == (None, "")
    assert doubted.ends_at is None
    assert "the deployments of contoso-west could not be read" in doubted.unverified_because
    assert ended.ends_at == NOW


# What the figures are read from


def test_the_fee_is_that_of_the_deployments_own_region():
    rows = [make_row(price="1.90", region="swedencentral"), make_row(price="2.60", region="westus3")]
    retail = RetailList(prices=tuple(rows), read_at=NOW - DAY)
    holdings = (east(serving(OLD)), west(serving(HEIR, "v2", WEST)))
    (finding,) = found(SUPERSEDED, make_inventory(*holdings, retail=retail))
    assert finding.values["hosting_per_hour"] == 1.9
    assert finding.values["monthly_cost"] == 1368.0  # 30 days

    moved = (west(serving(OLD, account=WEST)), east(serving(HEIR, "v2")))
    (finding,) = found(SUPERSEDED, make_inventory(*moved, retail=retail))
    assert finding.values["hosting_per_hour"] == 2.6


def test_a_new_price_list_is_not_taken_for_the_one_before():
    def fee(price):
        retail = RetailList(prices=(make_row(price=price),), read_at=NOW - DAY)
        return the_finding(SUPERSEDED, make_inventory(east(serving(OLD), serving(HEIR, "v2")), retail=retail)).values

    assert [fee(price)["hosting_per_hour"] for price in ("1.90", "2.20", "1.90")] == [1.9, 2.2, 1.9]


def test_calls_are_found_whatever_the_case_of_the_name():
    usage = make_usage("support-bot", last_success_at=NOW - HOUR)
    holding = east(serving(OLD, "Support-Bot"), serving(HEIR, "v2"), usage=[usage])
    finding = the_finding(SUPERSEDED, make_inventory(holding))
    assert finding.values["last_success_at"] == "2026-11-22T07:00:00Z"
    assert "last successful call in the hour from 2026-11-22 07:00 UTC" in finding.evidence


def test_one_on_trial_that_was_read_goes_before_one_that_was_not():
    """The second stands, as far as anybody knows, and would leave the whole undecided."""
    unread = serving(HEIR, "v2", WEST)
    blind = west(unread, gaps=[make_gap(Section.DEPLOYMENTS, subject=unread.id)])
    trial = serving(NAMESAKE, "trial", sku="DeveloperTier")
    finding = the_finding(SUPERSEDED, make_inventory(east(serving(OLD), trial, models=(OLD, HEIR, NAMESAKE)), blind))
    assert finding.values["newer_deployment"] == "trial"


def test_of_several_that_were_not_read_the_newest_is_named():
    older = make_model(name(4), account=EAST.key, created_at=NOW - 9 * DAY, base=name(1))
    some = [serving(HEIR, "newest", WEST), serving(older, "older", WEST)]
    blind = west(*some, gaps=[make_gap(Section.DEPLOYMENTS, subject=one.id) for one in some])
    answers = ask(SUPERSEDED, make_inventory(east(serving(OLD), models=(OLD, HEIR, older)), blind))
    (doubt,) = [each for each in answers if each.subject.id.endswith("/support-bot")]
    assert doubt.on_last_evidence.values["newer_deployment"] == "newest"
    assert doubt.because.startswith("newest in contoso-west could not be read")


def test_an_unknown_fee_is_no_fee_of_nothing():
    holding = east(serving(OLD, sku="Quantum"), serving(HEIR, "v2"))
    values = the_finding(SUPERSEDED, make_inventory(holding)).values
    assert (values["hosting_per_hour"], values["monthly_cost"]) == (None, None)


def test_readings_of_two_accounts_of_one_label_are_both_told():
    """A label is for people; the account is its key."""
    twin = make_account("contoso-east", resource_group="rg-two")
    heir = make_deployment("v2", account=twin, model=HEIR.id)
    holdings = (east(serving(OLD)), make_holding(account=twin, deployments=[heir], at=NOW - HOUR))
    evidence = the_finding(SUPERSEDED, make_inventory(*holdings)).evidence
    assert evidence.count("deployments of contoso-east read") == 2
