import pytest
from msgspec import structs

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
)
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import FindingKind, Severity, Undecided
from watcher.rules.undeployed import ModelUndeployed

EAST, WEST = make_account("contoso-east"), make_account("contoso-west", subscription="sub-2", location="westus3")
NEAR = make_account("contoso-near", subscription="SUB-1")
BASE = "gpt-4o-mini-2024-07-18"
UNDEPLOYED = ModelUndeployed()


def name(number, suffix="support"):
    return f"{BASE}.ft-{number:032x}-{suffix}"


OLD = make_model(name(1), account=EAST.key, created_at=NOW - 60 * DAY)


def serving(model, deployment="support-bot", account=EAST, **changes):
    return make_deployment(deployment, account=account, model=model.id, **changes)


def east(*deployments, models=(OLD,), **changes):
    return make_holding(account=EAST, deployments=deployments, models=models, **changes)


def west(*deployments, **changes):
    return make_holding(account=WEST, deployments=deployments, **changes)


def near(*deployments, **changes):
    return make_holding(account=NEAR, deployments=deployments, **changes)


UNREAD_WEST = west(serving(OLD, "v2", WEST), gaps=[make_gap(Section.DEPLOYMENTS)])
NEVER_READ = make_holding(account=NEAR, deployments=None)


def test_an_old_model_that_is_deployed_nowhere():
    finding = the_finding(UNDEPLOYED, make_inventory(east(models=[OLD]), west()))

    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.INFO)
    assert (finding.subject.id, finding.subject.kind) == (EAST.key, ResourceKind.MODEL)
    assert finding.subject.incarnation == OLD.id
    assert finding.summary == f"Custom model {OLD.id} in contoso-east is deployed nowhere, 60 d after it was made"
    assert f"trained from {BASE} by job ftjob-1" in finding.description
    assert f"--deployment-name support --model-name {OLD.id} " in finding.action
    assert "deployments of 2 accounts read, the oldest reading just now" in finding.evidence
    assert finding.labels["model"] == OLD.id
    assert finding.labels["owner"] == "search-team"


def test_its_own_owner_is_told_of_it():
    inventory = make_inventory(east(models=[structs.replace(OLD, owner="me")]))
    assert the_finding(UNDEPLOYED, inventory).labels["owner"] == "me"


@pytest.mark.parametrize(
    ("age", "expected"), [(14 * DAY, 1), (14 * DAY - HOUR, 0)], ids=["old enough", "an hour too young"]
)
def test_a_new_model_has_time(age, expected):
    young = structs.replace(OLD, created_at=NOW - age)

    assert len(found(UNDEPLOYED, make_inventory(east(models=[young])))) == expected


@pytest.mark.parametrize(
    ("inventory", "because"),
    [
        pytest.param(
            make_inventory(east(models=[OLD]), west(serving(OLD, "v1", WEST))),
            "the model is deployed: v1 in contoso-west",
            id="in another account",
        ),
        pytest.param(
            make_inventory(east(make_deployment(account=EAST, model=f"{OLD.id}:ckpt-step-7"), models=[OLD])),
            "the model is deployed: support-bot in contoso-east",
            id="by a checkpoint",
        ),
        pytest.param(
            make_inventory(
                east(
                    make_deployment(account=EAST, model="ftchkpt-1"),
                    models=[structs.replace(OLD, checkpoints=frozenset({"ftchkpt-1"}))],
                )
            ),
            "the model is deployed: support-bot in contoso-east",
            id="by a checkpoint's id",
        ),
        pytest.param(
            make_inventory(east(models=[structs.replace(OLD, is_listed=False)])),
            "the model is no longer listed",
            id="deleted",
        ),
        pytest.param(
            make_inventory(east(models=[OLD]), UNREAD_WEST),
            "the model is deployed: v2 in contoso-west",
            id="by the last reading of an account that is not read now",
        ),
    ],
)
def test_what_clears_it_is_said(inventory, because):
    assert [answer.because for answer in cleared(UNDEPLOYED, inventory)] == [because]
    assert found(UNDEPLOYED, inventory) == []


def test_a_name_in_two_accounts_is_deployed_for_both():
    inventory = make_inventory(east(serving(OLD), models=[OLD]), west(models=[structs.replace(OLD, account=WEST.key)]))

    assert len(cleared(UNDEPLOYED, inventory)) == 2
    spelt = make_inventory(
        east(make_deployment(account=EAST, model=OLD.id.upper()), models=[OLD]),
        west(models=[structs.replace(OLD, account=WEST.key)]),
    )
    assert len(cleared(UNDEPLOYED, spelt)) == 2


def test_nobody_looked_in_a_subscription_whatever_its_case():
    inventory = make_inventory(
        make_holding(account=NEAR, models=[structs.replace(OLD, account=NEAR.key)]),
        east(gaps=[make_gap(Section.DEPLOYMENTS)], models=()),
    )
    assert "contoso-east could not be read" in the_doubt(UNDEPLOYED, inventory).because
    assert found(UNDEPLOYED, inventory) == []


@pytest.mark.parametrize(
    ("inventory", "because"),
    [
        pytest.param(
            make_inventory(east(models=[OLD]), NEVER_READ), "contoso-near have not been read", id="never read"
        ),
        pytest.param(
            make_inventory(east(models=[OLD]), near(gaps=[make_gap(Section.DEPLOYMENTS, GapReason.ROLE)])),
            "the deployments of contoso-near could not be read: a role is missing",
            id="a gap",
        ),
        pytest.param(
            make_inventory(east(models=[OLD]), near(gaps=[make_gap(Section.DEPLOYMENTS, subject="x")])),
            "a deployment in contoso-near could not be read",
            id="one item",
        ),
        pytest.param(
            make_inventory(east(models=[OLD], gaps=[make_gap(Section.DEPLOYMENTS)]), NEVER_READ),
            "the deployments of 2 accounts could not be read",
            id="two accounts",
        ),
    ],
)
def test_a_model_may_be_deployed_where_nobody_looked_in_its_subscription(inventory, because):
    doubt = the_doubt(UNDEPLOYED, inventory)

    assert doubt.subject.incarnation == OLD.id
    assert because in doubt.because
    assert found(UNDEPLOYED, inventory) == []


@pytest.mark.parametrize(
    ("gap", "unseen"),
    [
        (make_gap(Section.DEPLOYMENTS, GapReason.ROLE), "the deployments of contoso-west could not be read: a role is"),
        (make_gap(Section.DEPLOYMENTS, subject="x"), "a deployment in contoso-west could not be read"),
    ],
)
def test_what_is_unread_in_another_subscription_is_told_beside_it(gap, unseen):
    finding = the_finding(UNDEPLOYED, make_inventory(east(models=[OLD]), west(gaps=[gap])))

    assert "is deployed nowhere that watcher can see, 60 d after" in finding.summary
    assert f"it may be deployed in another subscription unseen: {unseen}" in finding.evidence
    assert "If nobody wants it, and no account that could not be read serves it, delete it" in finding.action
    assert ask(UNDEPLOYED, make_inventory(east(models=[OLD]), west(gaps=[gap]))) == [finding]


def test_an_account_that_was_not_read_does_not_count_as_read():
    never_read = make_holding(account=WEST, deployments=None)

    finding = the_finding(UNDEPLOYED, make_inventory(east(models=[OLD]), never_read))
    assert "deployments of 1 account read, the oldest reading just now" in finding.evidence


@pytest.mark.parametrize(
    ("inventory", "because"),
    [
        pytest.param(
            make_inventory(east(models=[OLD], gaps=[make_gap(Section.MODELS)])),
            "the models of contoso-east could not be read",
            id="the models",
        ),
        pytest.param(
            make_inventory(east(models=[OLD], models_at=None)),
            "the models of contoso-east have not been read yet",
            id="known from its job alone",
        ),
        pytest.param(
            make_inventory(east(models=[structs.replace(OLD, created_at=None)])),
            "when the model was made is not known",
            id="its age",
        ),
        pytest.param(
            make_inventory(east(make_deployment(account=EAST, model="ftchkpt-9"), models=[OLD])),
            "serves the checkpoint ftchkpt-9, and which model that belongs to is not known",
            id="whose checkpoint is deployed",
        ),
        pytest.param(
            make_inventory(
                east(models=[OLD]), west(make_deployment(account=WEST, model="ftchkpt-9", model_source=EAST.id))
            ),
            "serves the checkpoint ftchkpt-9",
            id="whose checkpoint is deployed from here",
        ),
    ],
)
def test_what_is_not_known_of_a_model_decides_nothing(inventory, because):
    answers = [answer for answer in ask(UNDEPLOYED, inventory) if isinstance(answer, Undecided)]

    assert [answer.subject.incarnation for answer in answers] == [OLD.id]
    assert because in answers[0].because
    assert found(UNDEPLOYED, inventory) == []


@pytest.mark.parametrize(
    "holdings",
    [
        pytest.param(
            [
                east(
                    make_deployment(account=EAST, model="ftchkpt-9"),
                    models=[structs.replace(OLD, checkpoints=frozenset({"ftchkpt-1"}))],
                )
            ],
            id="its own checkpoints are known",
        ),
        pytest.param(
            [east(models=[OLD]), west(make_deployment(account=WEST, model="ftchkpt-9"))], id="of another account"
        ),
    ],
)
def test_a_strange_checkpoint_does_not_hide_other_models(holdings):
    assert len(found(UNDEPLOYED, make_inventory(*holdings))) == 1


def test_a_listing_that_was_never_read_lacks_no_model():
    """What its job tells of is known from there alone: whether it is listed nobody has looked."""
    unlisted = make_model(name(1), account=EAST.key, created_at=NOW - 60 * DAY, is_listed=False)
    assert cleared(UNDEPLOYED, make_inventory(east(models=(unlisted,), models_at=None))) == []
    assert (
        "models of contoso-east have not been read"
        in the_doubt(UNDEPLOYED, make_inventory(east(models=(unlisted,), models_at=None))).because
    )
    assert [each.because for each in cleared(UNDEPLOYED, make_inventory(east(models=(unlisted,))))] == [
        "the model is no longer listed"
    ]


def test_what_was_looked_through_are_the_accounts_that_could_be_read():
    blind = west(gaps=[make_gap(Section.DEPLOYMENTS)], at=NOW - 3 * DAY)
    finding = the_finding(UNDEPLOYED, make_inventory(east(at=NOW - HOUR), blind))
    assert "deployments of 1 account read, the oldest reading 1 h ago" in finding.evidence
    both = the_finding(UNDEPLOYED, make_inventory(east(at=NOW - HOUR), west(at=NOW - 2 * DAY)))
    assert "deployments of 2 accounts read, the oldest reading 2 d ago" in both.evidence
