"""What is said where a command cannot make a deployment again as it stands."""

import pytest

from tests.factories import ACCOUNT, make_deployment
from watcher.costs.obstacles import account_gone

OTHER = "/subscriptions/far/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/source"


@pytest.mark.parametrize("source", ["", ACCOUNT.id, f"{ACCOUNT.id.upper()}/"])
def test_a_model_of_the_account_itself_is_gone_with_it(source):
    said = account_gone(make_deployment(model="m.ft-1", model_source=source), "ft", is_custom=True)
    assert "The account ft is gone" in said
    assert "its model m.ft-1: if the account was deleted, the model is gone with it unless" in said
    assert "another account" not in said, "there is none that could reach it"


def test_a_model_of_another_account_can_be_reached_from_a_third():
    said = account_gone(make_deployment(model_source=OTHER), "ft", is_custom=True)
    assert "Its model comes from the account source; whether it is still there is not known." in said
    assert "Put another account that can reach that one in place of this one" in said
    assert "the model is gone" not in said


def test_a_base_model_is_in_no_account():
    said = account_gone(make_deployment(model="gpt-4.1"), "ft", is_custom=False)
    assert "gpt-4.1 is a base model" in said and "can deploy that model" in said
    assert "trained" not in said


def test_an_account_of_the_same_id_has_not_the_models_of_the_former():
    said = account_gone(make_deployment(), "ft", is_custom=True, is_there_again=True)
    assert "one of its id is there again" in said and "the model is gone with it" in said
    assert "leads nowhere" not in said


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
    said = account_gone(one, "ft", is_custom=True)
    assert said.endswith(needs) and ("First" in said) == bool(needs)
