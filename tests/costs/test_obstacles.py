"""What is said where a command cannot make a deployment again as it stands."""

import pytest

from tests.factories import ACCOUNT, make_deployment
from watcher.costs.obstacles import account_gone, account_there_again, in_the_way

OTHER = "/subscriptions/far/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/source"


@pytest.mark.parametrize("source", ["", ACCOUNT.id, f"{ACCOUNT.id.upper()}/"])
def test_a_model_of_the_account_itself_is_gone_with_it(source):
    said = account_gone(make_deployment(model="m.ft-1", model_source=source), "ft", is_custom=True, is_deleted=False)
    assert "The account ft is gone" in said
    assert "its model m.ft-1: if the account was deleted, the model is gone with it unless" in said
    assert "another account" not in said, "there is none that could reach it"


def test_a_model_of_another_account_can_be_reached_from_a_third():
    said = account_gone(make_deployment(model_source=OTHER), "ft", is_custom=True, is_deleted=False)
    assert "Its model comes from the account source; whether it is still there is not known." in said
    assert "Put another account that can reach that one in place of this one" in said
    assert "the model is gone" not in said


def test_a_base_model_is_in_no_account():
    said = account_gone(make_deployment(model="gpt-4.1"), "ft", is_custom=False, is_deleted=False)
    assert "gpt-4.1 is a base model" in said and "can deploy that model" in said
    assert "trained" not in said


def test_of_an_account_that_was_surely_deleted_nothing_is_put_in_doubt():
    said = account_gone(make_deployment(model="m.ft-1"), "ft", is_custom=True, is_deleted=True)
    assert "its model m.ft-1: the model is gone with the account unless the account can be recovered" in said
    assert "if the account was deleted" not in said


def test_an_account_of_the_same_name_may_not_have_the_models_of_the_former():
    said = account_there_again(make_deployment(model="m.ft-1"), "ft", is_custom=True)
    assert said == (
        "The account ft was deleted, and one of the same name is there now, recovered or made anew. Azure named no "
        "other account as the source of its model m.ft-1: the model went with the account and is there only if that "
        "was recovered, else it must be trained again."
    )
    assert "gpt-4.1 is a base model" in account_there_again(make_deployment(model="gpt-4.1"), "ft", is_custom=False)


@pytest.mark.parametrize(
    ("filter_", "further", "needs"),
    [
        ("", {}, ""),
        ("Microsoft.DefaultV2", {}, ""),
        ("Strict", {}, "First the other account needs the content filter Strict."),
        (
            "Strict",
            {"properties": {"spilloverDeploymentName": "overflow"}},
            "First the other account needs the content filter Strict and the deployment overflow for its spillover.",
        ),
    ],
)
def test_what_the_account_had_of_its_own_is_needed_first(filter_, further, needs):
    one = make_deployment(model_source=OTHER, rai_policy=filter_, further=further)
    said = account_gone(one, "ft", is_custom=True, is_deleted=False)
    assert said.endswith(needs) and ("First" in said) == bool(needs)


def test_what_is_known_of_an_account_that_went_is_said_of_its_deployments():
    def said(**known):
        usual = {"is_custom": True, "stands": False, "is_account_gone": False, "is_watched": True, "is_taken": False}
        return in_the_way(make_deployment(), "ft", **{**usual, **known})

    assert "if the account was deleted" in said(is_account_gone=True)
    assert "if the account was deleted" not in said(is_account_gone=True, went_with_account=True)
    assert "recovered or made anew" in said(went_with_account=True)
    assert said() == ""
