from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_gap, make_holding, make_model
from tests.factories import make_inventory as inventory_of
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding
from watcher.resources.deployment import ProvisioningState
from watcher.resources.model import Certainty, Retirement
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.retirement import ModelRetiring

ACCOUNT = make_account()
BASE = "gpt-4o-mini-2024-07-18"
RULE = ModelRetiring(documented=())


def retirement(left=20 * DAY, **changes):
    at = None if left is None else NOW + left
    return Retirement(**{"model": BASE, "location": "swedencentral", "inference_until": at, **changes})


def inventory(*retirements, deployments=None, models=(), gaps=()):
    held = [make_deployment()] if deployments is None else deployments
    return inventory_of(make_holding(deployments=held, models=models, gaps=gaps), retirements=retirements)


def test_a_deployment_whose_base_model_retires():
    finding = the_finding(RULE, inventory(retirement(certainty=Certainty.PLANNED, lifecycle="Deprecating")))

    assert (finding.kind, finding.severity, finding.step) == (FindingKind.CONDITION, Severity.WARNING, "30d")
    assert finding.summary == f"support-bot in contoso-ft: its base model {BASE} retires in 20 d (2026-12-12)"
    assert "Azure calls the date planned" in finding.description
    assert "ARM's model catalogue of swedencentral, which calls the model Deprecating" in finding.evidence
    assert finding.values["inference_until"] == "2026-12-12T08:00:00Z"
    assert finding.labels["deployment"] == "support-bot"


@pytest.mark.parametrize(
    ("left", "step"),
    [
        (90 * DAY + HOUR, None),
        (90 * DAY, "90d"),
        (31 * DAY, "90d"),
        (30 * DAY, "30d"),
        (7 * DAY, "7d"),
        (timedelta(), "7d"),
        (-HOUR, "overdue"),
        (-400 * DAY, "overdue"),
    ],
)
def test_it_is_told_in_steps(left, step):
    steps = [finding.step for finding in found(RULE, inventory(retirement(left)))]

    assert steps == ([step] if step else [])


@pytest.mark.parametrize("left", [None, -DAY, 50 * DAY, 400 * DAY])
def test_what_arm_calls_retired_is_past_all_steps(left):
    assert the_finding(RULE, inventory(retirement(left, lifecycle="Deprecated"))).step == "overdue"


@pytest.mark.parametrize(
    ("row", "ending"),
    [
        pytest.param(retirement(-40 * DAY), "is retired since 2026-10-13", id="the date has passed"),
        pytest.param(retirement(None, lifecycle="Deprecated"), "is retired", id="ARM's word without a date"),
        pytest.param(retirement(-DAY, lifecycle="deprecated"), "is retired since 2026-11-21", id="both"),
        pytest.param(retirement(50 * DAY, lifecycle="Deprecated"), "is retired", id="a word against a date"),
        pytest.param(
            retirement(certainty=Certainty.TENTATIVE), "retires in 20 d (2026-12-12, tentative)", id="tentative"
        ),
        pytest.param(
            retirement(certainty=Certainty.TABLE), "may retire in 20 d (2026-12-12 or later)", id="from the table"
        ),
        pytest.param(
            retirement(-DAY, certainty=Certainty.TABLE), "may be retired since 2026-11-21", id="past in the table"
        ),
    ],
)
def test_the_summary_says_no_more_than_is_known(row, ending):
    assert the_finding(RULE, inventory(row)).summary.endswith(f"{BASE} {ending}")


@pytest.mark.parametrize(
    ("certainty", "said"),
    [
        (Certainty.PLANNED, "Azure calls the date planned."),
        (Certainty.TENTATIVE, "Azure calls the date tentative: it may move."),
        (Certainty.UNSTATED, "does not say how firm it is"),
        (Certainty.TABLE, "The date comes from Azure's documentation, which says no earlier than that"),
    ],
)
def test_how_firm_the_date_is(certainty, said):
    finding = the_finding(RULE, inventory(retirement(certainty=certainty)))

    assert said in finding.description
    assert finding.values["certainty"] == certainty.value


def deployed(**changes):
    return [make_deployment(**changes)]


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(inventory(), id="no date at all"),
        pytest.param(inventory(retirement(location="westus3")), id="of another region"),
        pytest.param(inventory(retirement(model="gpt-4o-2024-08-06")), id="of another model"),
        pytest.param(inventory(retirement(None, lifecycle="Deprecating")), id="deprecated, in the page's sense"),
        pytest.param(inventory(retirement(), deployments=deployed(model=BASE)), id="a base model's deployment"),
        pytest.param(inventory(retirement(), deployments=deployed(model="ftchkpt-1")), id="a base nobody knows"),
        pytest.param(inventory(retirement(), deployments=[]), id="no deployment"),
        pytest.param(inventory_of(make_holding(deployments=None), retirements=[retirement()]), id="never read"),
    ],
)
def test_what_is_not_known_is_not_told(whole):
    assert ask(RULE, whole) == []


def test_a_region_is_compared_as_arm_spells_it():
    assert found(RULE, inventory(retirement(location="Sweden Central", model=BASE.upper())))
    assert found(RULE, inventory(retirement(location="")))


def test_the_base_of_a_model_with_a_name_of_its_own_comes_from_its_job():
    mid = make_model("mid-model", base=BASE)
    own = make_model("our-bot", base="mid-model", checkpoints=frozenset({"ftchkpt-1"}))
    for name in ("our-bot", "our-bot:ckpt-step-4", "ftchkpt-1"):
        whole = inventory(retirement(), deployments=[make_deployment(model=name)], models=[mid, own])
        assert the_finding(RULE, whole).values["base"] == BASE


def own_date(left):
    return make_model(inference_until=NOW + left)


TABLE = ModelRetiring(documented=(retirement(60 * DAY, location="", certainty=Certainty.TABLE),))


@pytest.mark.parametrize(
    ("rows", "models", "expected", "certainty"),
    [
        ([retirement(20 * DAY)], [own_date(5 * DAY)], 20 * DAY, "unstated"),
        ([retirement(None)], [own_date(5 * DAY)], 5 * DAY, "unstated"),
        ([retirement(20 * DAY), retirement(10 * DAY, location="")], [], 20 * DAY, "unstated"),
        ([retirement(20 * DAY), retirement(10 * DAY)], [], 10 * DAY, "unstated"),
        ([], [own_date(5 * DAY)], 5 * DAY, "unstated"),
        ([], [make_model()], 60 * DAY, "table"),
    ],
    ids=["region first", "a region without a date", "region before everywhere", "the earliest", "its own", "the table"],
)
def test_the_firmest_source_counts(rows, models, expected, certainty):
    finding = the_finding(TABLE, inventory(*rows, models=models))

    assert finding.values["inference_until"] == f"{NOW + expected:%Y-%m-%dT%H:%M:%SZ}"
    assert finding.values["certainty"] == certainty


def test_another_date_of_another_source_is_told():
    finding = the_finding(TABLE, inventory(retirement(20 * DAY)))

    assert "Another date stands in the table in Azure's documentation" in finding.description
    assert "no earlier than 2027-01-21." in finding.description
    assert "Another date" not in the_finding(TABLE, inventory(retirement(60 * DAY))).description


def test_the_table_that_is_shipped_is_used():
    in_time = datetime(2027, 9, 1, tzinfo=UTC)
    whole = inventory_of(make_holding(deployments=[make_deployment()]), now=in_time)

    assert the_finding(ModelRetiring(), whole).summary.endswith("may retire in 30 d (2027-10-01 or later)")


@pytest.mark.parametrize(
    ("ends", "certainty", "said"),
    [
        (21 * DAY, Certainty.PLANNED, "Training ends 2026-12-13."),
        (-10 * DAY, Certainty.PLANNED, "It can no longer be trained on since 2026-11-12."),
        (21 * DAY, Certainty.TABLE, "Training on it ends no earlier than 2026-12-13, by Azure's documentation."),
    ],
)
def test_the_end_of_training_is_told_beside_that_of_serving_where_somebody_trained_lately(ends, certainty, said):
    row = retirement(fine_tune_until=NOW + ends, certainty=certainty)
    lately, once = make_model(created_at=NOW - 89 * DAY), make_model(created_at=NOW - 91 * DAY)

    assert said in the_finding(RULE, inventory(row, models=[lately])).description
    assert said not in the_finding(RULE, inventory(row, models=[once])).description


LATELY, ONCE = make_model(created_at=NOW - 89 * DAY), make_model(created_at=NOW - 91 * DAY)


def test_the_end_of_training_fires_where_it_is_nearer():
    row = retirement(200 * DAY, fine_tune_until=NOW + 20 * DAY, certainty=Certainty.PLANNED)
    finding = the_finding(RULE, inventory(row, models=[LATELY]))

    assert finding.step == "30d"
    assert finding.summary == f"support-bot in contoso-ft: training on its base model {BASE} ends in 20 d (2026-12-12)"
    assert "Azure calls the date planned." in finding.description
    assert "is retired, and this deployment ends with it, 2027-06-10, by ARM's model" in finding.description
    assert "410" not in finding.description
    assert "move the calls over" not in finding.action
    assert finding.values["ends"] == "training"
    assert finding.values["fine_tune_until"] == "2026-12-12T08:00:00Z"
    assert finding.values["inference_until"] == "2027-06-10T08:00:00Z"


@pytest.mark.parametrize(
    ("serving", "training", "models", "ends"),
    [
        pytest.param(200 * DAY, 20 * DAY, [ONCE], [], id="nobody trained on it lately"),
        pytest.param(20 * DAY, 10 * DAY, [ONCE], ["inference"], id="nor where its serving ends"),
        pytest.param(20 * DAY, 10 * DAY, [LATELY], ["training"], id="training first"),
        pytest.param(10 * DAY, 20 * DAY, [LATELY], ["inference"], id="serving first"),
        pytest.param(20 * DAY, -HOUR, [LATELY], ["inference"], id="training is over"),
        pytest.param(200 * DAY, -HOUR, [LATELY], [], id="training is over, and serving far away"),
        pytest.param(None, 20 * DAY, [LATELY], ["training"], id="no end of serving is named"),
        pytest.param(-DAY, 20 * DAY, [LATELY], ["inference"], id="retired already"),
    ],
)
def test_the_nearer_end_counts(serving, training, models, ends):
    whole = inventory(retirement(serving, fine_tune_until=NOW + training), models=models)

    assert [finding.values["ends"] for finding in found(RULE, whole)] == ends


def test_an_end_of_training_by_the_table_is_no_promise():
    row = retirement(None, location="", fine_tune_until=NOW + 20 * DAY, certainty=Certainty.TABLE)
    finding = the_finding(ModelRetiring(documented=(row,)), inventory(models=[LATELY]))

    assert finding.summary.endswith(f"training on its base model {BASE} may end in 20 d (2026-12-12 or later)")
    assert "Until when the base model is served, and this deployment with it, is not known." in finding.description


def test_one_alert_a_deployment():
    deployments = [make_deployment("a"), make_deployment("b"), make_deployment("c", sku="DeveloperTier")]
    findings = found(RULE, inventory(retirement(), deployments=deployments))

    assert len({finding.subject for finding in findings}) == 3


def test_a_deployment_that_was_not_read_counts_down_on_its_last_evidence():
    doubt = the_doubt(RULE, inventory(retirement(), gaps=[make_gap(Section.DEPLOYMENTS)]))

    assert doubt.on_last_evidence.step == "30d"


def test_one_that_is_being_deleted_is_let_go():
    going = make_deployment(provisioning_state=ProvisioningState.DELETING)

    assert [each.because for each in cleared(RULE, inventory(retirement(), deployments=[going]))] == [
        "the deployment is being deleted"
    ]
