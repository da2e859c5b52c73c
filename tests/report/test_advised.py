"""What is advised of what stands, and how sure that is: as a reader of the report finds it."""

import pytest

from tests.costs.factories import make_book, own
from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_usage
from tests.report.recorded import BEGAN, every, make_life, make_recorded, make_records, make_terms, stated
from watcher.costs.advice import Move
from watcher.costs.idle import ASSUMED_END, OVERDUE
from watcher.costs.uses import State
from watcher.resources.calls import Coverage
from watcher.rules.lifetimes import Lifetimes

PTU = "ProvisionedManaged"
DOUBT = f"Rule uncertain: Azure does not say whether it covers deployments of SKU {PTU}."


def terms(**changes):
    return make_terms(book=make_book(table=(own(hosting_per_hour="1.70", ptu_per_hour="1.00"),)), **changes)


def uncalled(*, days, **deployment):
    """Since its creation."""
    return make_recorded(make_life(make_deployment(created_at=NOW - days * DAY, **deployment)))


def test_what_is_overdue_saves_from_nothing_to_a_month():
    statement = stated(uncalled(days=16), terms=terms())
    (line,), (advice,) = statement.hosted, statement.advice
    assert line.idle.until_deletion.is_zero and line.idle.is_overdue
    assert advice.saving_per_month.text == "0.00 to 1224.00 USD"
    assert statement.saving_per_month.text == "0.00 to 1224.00 USD"
    assert statement.idle_until_deletion.text == "unknown"
    assert statement.idle_until_deletion.reasons == ((OVERDUE, 1),)
    assert (
        "Its deletion is overdue since 2026-11-21 08:00 UTC: it may come at any moment, or the fee goes on, 40.80 USD "
        "each day."
    ) in line.remarks


def test_beside_what_is_overdue_the_rest_of_others_is_the_least():
    lives = (make_life(make_deployment(name, created_at=NOW - age * DAY)) for name, age in (("old", 16), ("new", 10)))
    statement = stated(make_recorded(*lives), terms=terms())
    assert statement.idle_until_deletion.text == "at least 204.00 USD"
    assert statement.saving_per_month.text == "204.00 to 1428.00 USD"
    assert [advice.name for advice in statement.advice] == ["new", "old"]


def test_what_is_overdue_by_a_rule_in_doubt_is_so_only_if_the_rule_holds():
    (line,) = stated(uncalled(days=16, sku=PTU, capacity=2), terms=terms()).hosted
    assert any(said.startswith("If the rule covers it, its deletion is overdue since") for said in line.remarks)


def test_what_is_in_time_is_not_called_overdue():
    (line,) = stated(uncalled(days=14), terms=terms()).hosted
    assert not line.idle.is_overdue and not any("overdue" in said for said in line.remarks)


def test_a_deletion_that_nobody_promised_caps_no_saving():
    statement = stated(uncalled(days=10, sku=PTU, capacity=2), terms=terms())
    (line,), (advice,) = statement.hosted, statement.advice
    assert line.deletion == (NOW + 5 * DAY, NOW + 5 * DAY)
    assert line.deletion_why == "15 d without a call, if Azure's rule covers its SKU, which is assumed"
    assert DOUBT in line.remarks
    assert advice.saving_per_month.text == "240.00 to 1440.00 USD"
    assert advice.saving_until_deletion.text == "at least 240.00 USD"
    assert statement.idle_until_deletion.reasons == ((ASSUMED_END, 1),)


@pytest.mark.parametrize("pattern", ["provisioned*", "ProvisionedManaged"])
def test_where_the_operator_knows_nothing_is_assumed(pattern):
    own_rule = Lifetimes(idle_by_sku={pattern: 20 * DAY})
    (line,) = stated(uncalled(days=10, sku=PTU, capacity=2), terms=terms(lifetimes=own_rule)).hosted
    assert line.deletion_why == "20 d without a call" and DOUBT not in line.remarks
    assert line.idle.rest.text == "480.00 USD"


def test_another_skus_lifetime_settles_nothing():
    own_rule = Lifetimes(idle_by_sku={"global*": 20 * DAY})
    (line,) = stated(uncalled(days=10, sku=PTU, capacity=2), terms=terms(lifetimes=own_rule)).hosted
    assert DOUBT in line.remarks


def test_what_nothing_ends_has_no_rule_to_doubt():
    (line,) = stated(uncalled(days=10, sku=PTU), terms=terms(lifetimes=Lifetimes(idle_by_sku={"*": None}))).hosted
    assert (line.deletion, line.deletion_why, DOUBT in line.remarks) == (None, "", False)


def trickle(account=None, *, read_to=NOW, **deployment):
    calls = every(DAY, NOW - 30 * DAY, read_to, 1.0)
    one = make_deployment(created_at=NOW - 60 * DAY, **deployment)
    life = make_life(one, usage=make_usage(one.name, read_from=BEGAN, read_to=read_to, last_success_at=max(calls)))
    return make_recorded(
        life,
        account=account or make_account(),
        calls={"support-bot": calls},
        coverage=Coverage(spans=((BEGAN, read_to),)),
        usage_at=read_to,
    )


@pytest.mark.parametrize(
    ("account", "deployment", "moves"),
    [
        pytest.param({}, {}, [Move.DEVELOPER], id="where nobody says what it is for"),
        pytest.param({"labels": {"environment": "production"}}, {}, [], id="in production"),
        pytest.param({"labels": {"environment": "eu-1"}}, {}, [], id="where the operator is woken"),
        pytest.param({}, {"tags": {"Environment": "prod"}}, [], id="its own tag says production"),
        pytest.param({}, {"sku": PTU, "capacity": 2}, [Move.ASK], id="provisioned"),
        pytest.param({"labels": {"environment": "prod"}}, {"sku": PTU}, [Move.ASK], id="provisioned in production"),
    ],
)
def test_a_trickle_is_shown_and_a_trial_advised_where_it_may_fit(account, deployment, moves):
    found = trickle(make_account(**account), **deployment)
    statement = stated(found, terms=terms(critical_environments=frozenset({"eu-1"})))
    assert [line.trickle_calls for line in statement.trickle_lines()] == [15.0]
    assert [advice.move for advice in statement.advice] == moves


@pytest.mark.parametrize(
    ("deployment", "move"), [({}, Move.DEVELOPER), ({"sku": PTU}, Move.ASK)], ids=["a trial", "a question"]
)
def test_nothing_is_advised_for_calls_that_were_read_too_long_ago(deployment, move):
    for late, moves in ((HOUR, [move]), (15 * HOUR, [])):
        statement = stated(trickle(read_to=NOW - late, **deployment), terms=terms())
        assert [advice.move for advice in statement.advice] == moves
        assert len(statement.trickle_lines()) == 1  # of the period it is told all the same
        assert statement.saving_per_month.is_unknown is (not moves)


@pytest.mark.parametrize(
    "accounts",
    [
        pytest.param([], id="nothing stands"),
        pytest.param([trickle(read_to=NOW - 15 * HOUR, sku="DeveloperTier")], id="a trial, which ends by itself"),
        pytest.param([trickle(read_to=NOW - 15 * HOUR), uncalled(days=1)], id="some calls were read"),
    ],
)
def test_nothing_is_saved_where_that_can_be_said(accounts):
    assert stated(make_records(*accounts), terms=terms()).saving_per_month.text == "0.00 USD"


def test_a_trial_whose_calls_matter_to_nobody_tells_nothing_of_the_others():
    stale = [trickle(read_to=NOW - 15 * HOUR, sku=sku) for sku in ("Standard", "DeveloperTier")]
    assert stated(make_records(*stale), terms=terms()).saving_per_month.is_unknown


def test_only_what_is_surely_saved_counts_beside_a_trial():
    west = make_account("contoso-west")
    left = make_life(make_deployment("left", account=west, created_at=NOW - 10 * DAY))
    statement = stated(trickle(), make_recorded(left, account=west), terms=terms())
    assert [advice.saving_per_month.text for advice in statement.advice] == ["204.00 USD", "0.00 to 1224.00 USD"]
    assert statement.saving_per_month.text == "204.00 to 1428.00 USD"


def test_of_what_is_paused_it_is_said():
    (advice,) = stated(uncalled(days=10, deployment_state="Paused"), terms=terms()).advice
    assert advice.move is Move.DELETE
    assert "this deployment is paused and refuses calls" in advice.because


def test_what_is_called_around_the_clock_costs_nothing_idle():
    calls = every(HOUR, NOW - 8 * DAY, NOW)
    statement = stated(make_recorded(make_life(called=NOW - HOUR), calls={"support-bot": calls}))
    assert (statement.idle.text, set(statement.hosted[0].by_state)) == ("0.00 USD", {State.USED})
