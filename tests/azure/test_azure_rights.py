"""Which rights the credential has: by ARM's word where there is one, else by trying; unknown where neither tells."""

import asyncio
import json
from typing import Any

import pytest
from azure_factories import (
    ACCOUNT_ID,
    KEY,
    NOW,
    SUBSCRIPTION,
    FakeAzure,
    answer,
    make_account,
    make_client,
    static_credentials,
)

from watcher.azure import permissions
from watcher.azure.clouds import PUBLIC
from watcher.azure.permissions import NEEDS, Need, needs
from watcher.azure.rights import Has, Holder, How, Surveyor
from watcher.resources.snapshot import GapReason

PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
OF_SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION}{PERMISSIONS}"
OF_ACCOUNT = f"{ACCOUNT_ID}{PERMISSIONS}"
EMPTY = answer({"value": [], "data": []})

#: Every read answers, by either dialect.
READABLE: dict[str, Any] = {
    "/subscriptions": EMPTY,
    "/resourcegroups": EMPTY,
    "/locations/eastus2/models": EMPTY,
    "/management/values": EMPTY,
    "/accounts/ft": answer({"id": ACCOUNT_ID}),
    "/deployments": EMPTY,
    "/metrics": EMPTY,
    "/openai/v1/fine_tuning/jobs": answer({"data": [{"result_files": None}, {"result_files": ["file-1"]}]}),
    "/openai/v1/files": EMPTY,
    "/openai/v1/files/file-1/content": answer("step,train_loss\n"),
    "/openai/models": EMPTY,
}
NO_ROLE = answer({"error": {"code": "AuthorizationFailed", "message": "does not have authorization"}}, 403)
NO_DATA_ROLE = answer({"error": {"code": "PermissionDenied", "message": "lacks the required data action"}}, 401)
FIREWALL = answer({"error": {"code": "403", "message": "Public access is disabled. Use a private endpoint."}}, 403)


def granted(*grants: dict[str, Any]) -> Any:
    return answer({"value": list(grants)})


def survey(azure: FakeAzure, *, only_try: bool = False, account: Any = None, **options: Any) -> tuple[Holder, ...]:
    surveyor = Surveyor(
        make_client(azure), PUBLIC, static_credentials(), **{"needs": needs(read_results=True), **options}
    )
    accounts = [make_account() if account is None else account]
    return asyncio.run(surveyor.survey([], accounts, at=NOW, only_try=only_try))


def has(holders: tuple[Holder, ...]) -> dict[Need, Has]:
    return {right.need: right.has for holder in holders for right in holder.rights}


def test_arm_s_word_is_enough() -> None:
    azure = FakeAzure({OF_SUBSCRIPTION: granted({"actions": ["*/read"], "dataActions": ["*"]})})
    holders = survey(azure)
    assert has(holders) == dict.fromkeys(NEEDS, Has.YES)
    assert {right.how for holder in holders for right in holder.rights} == {How.PERMISSIONS}
    assert [holder.label for holder in holders] == [SUBSCRIPTION, "ft"]
    assert len(azure.requests) == 1  # what is granted above holds below


def test_roles_on_the_account_count_too() -> None:
    azure = FakeAzure(
        {
            OF_SUBSCRIPTION: granted({"actions": ["*/read"]}),
            OF_ACCOUNT: granted({"actions": ["*/read"]}, {"dataActions": [permissions.ANY_OPENAI_READ]}),
        }
    )
    assert has(survey(azure)) == dict.fromkeys(NEEDS, Has.YES)


def test_what_no_role_grants_is_a_no() -> None:
    azure = FakeAzure({OF_SUBSCRIPTION: granted({"actions": ["*/read"]}), OF_ACCOUNT: granted({"actions": ["*/read"]})})
    found = has(survey(azure))
    assert {need for need, one in found.items() if one is Has.NO} == {need for need in NEEDS if need.is_data}


NAMED = {"actions": ["*/read"], "dataActions": [need.action for need in NEEDS if need.is_data]}
ALL_BUT_CONTENT = {"actions": ["*/read"], "dataActions": ["*"], "notDataActions": [permissions.RESULTS.action]}


@pytest.mark.parametrize(
    "grant",
    [
        {"actions": ["*/read"], "dataActions": ["Microsoft.CognitiveServices/accounts/OpenAI/fine-tuning/jobs/read"]},
        NAMED,
    ],
    ids=["names that we do not know", "the names that we inferred"],
)
def test_data_actions_whose_names_are_inferred_are_tried(grant: dict[str, Any]) -> None:
    """Azure may call them otherwise: neither a yes nor a no rests on our guess."""
    azure = FakeAzure({PERMISSIONS: granted(grant), **READABLE})
    rights = {right.need: right for holder in survey(azure) for right in holder.rights}
    assert {right.has for right in rights.values()} == {Has.YES}
    assert {need for need, right in rights.items() if right.how is How.TRIED} == {n for n in NEEDS if n.is_data}
    refused = FakeAzure({PERMISSIONS: granted(grant), **READABLE, "/openai/v1/files": NO_DATA_ROLE})
    assert has(survey(refused))[permissions.FILES] is Has.NO


def test_an_exception_by_an_inferred_name_is_no_no() -> None:
    azure = FakeAzure({PERMISSIONS: granted(ALL_BUT_CONTENT), **READABLE})
    found = {right.need: right for holder in survey(azure) for right in holder.rights}
    assert (found[permissions.RESULTS].has, found[permissions.RESULTS].how) == (Has.YES, How.TRIED)
    assert found[permissions.JOBS].how is How.PERMISSIONS


def test_grants_are_read_over_all_pages() -> None:
    second = f"https://management.azure.com{OF_SUBSCRIPTION}/2"
    azure = FakeAzure(
        {
            OF_SUBSCRIPTION: answer({"value": [{"actions": ["*/read"]}], "nextLink": second}),
            f"{OF_SUBSCRIPTION}/2": granted({"dataActions": ["*"]}),
        }
    )
    assert has(survey(azure)) == dict.fromkeys(NEEDS, Has.YES)


def test_without_arm_s_word_each_read_is_tried() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE})
    holders = survey(azure)
    assert has(holders) == dict.fromkeys(NEEDS, Has.YES)
    assert {right.how for holder in holders for right in holder.rights} == {How.TRIED}


@pytest.mark.parametrize("permitted", [answer("<html>"), answer({"value": 3}), answer({}, 404), answer({}, 500)])
def test_an_answer_that_says_nothing_is_no_word(permitted: Any) -> None:
    azure = FakeAzure({PERMISSIONS: permitted, **READABLE})
    assert has(survey(azure)) == dict.fromkeys(NEEDS, Has.YES)


@pytest.mark.parametrize(
    ("path", "need"),
    [
        pytest.param("/subscriptions", permissions.SUBSCRIPTIONS, id="subscriptions"),
        pytest.param("/resourcegroups", permissions.GROUPS, id="groups"),
        pytest.param("/locations/eastus2/models", permissions.LOCATION_MODELS, id="models of a region"),
        pytest.param("/management/values", permissions.ACTIVITY_LOG, id="activity log"),
        pytest.param("/accounts/ft", permissions.ACCOUNTS, id="account"),
        pytest.param("/deployments", permissions.DEPLOYMENTS, id="deployments"),
        pytest.param("/metrics", permissions.METRICS, id="metrics"),
        pytest.param("/openai/v1/files", permissions.FILES, id="files"),
        pytest.param("/openai/models", permissions.MODELS, id="custom models"),
        pytest.param("/openai/v1/files/file-1/content", permissions.RESULTS, id="results"),
    ],
)
@pytest.mark.parametrize(
    ("reply", "said", "reason"),
    [
        pytest.param(NO_ROLE, Has.NO, GapReason.ROLE, id="role"),
        pytest.param(NO_DATA_ROLE, Has.NO, GapReason.ROLE, id="role, by 401"),
        pytest.param(FIREWALL, Has.UNKNOWN, GapReason.NETWORK, id="firewall"),
        pytest.param(answer({}, 403), Has.UNKNOWN, GapReason.FORBIDDEN, id="403 without a word"),
        pytest.param(answer({}, 401), Has.UNKNOWN, GapReason.CREDENTIAL, id="credential"),
        pytest.param(answer({}, 503), Has.UNKNOWN, GapReason.BROKEN, id="5xx"),
    ],
)
def test_a_refusal_is_a_no_only_for_want_of_a_role(
    path: str, need: Need, reply: Any, said: Has, reason: GapReason
) -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE, path: reply})
    rights = {right.need: right for holder in survey(azure) for right in holder.rights}
    assert (rights[need].has, rights[need].reason) == (said, reason)
    assert {one.need for one in rights.values() if one.has is not Has.YES} == {need}


def test_jobs_that_are_refused_leave_the_results_refused_too() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE, "/openai/v1/fine_tuning/jobs": NO_DATA_ROLE})
    found = has(survey(azure))
    assert (found[permissions.JOBS], found[permissions.RESULTS]) == (Has.NO, Has.NO)


def test_without_a_result_file_there_is_nothing_to_try() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE, "/openai/v1/fine_tuning/jobs": EMPTY})
    (right,) = [one for holder in survey(azure) for one in holder.rights if one.need is permissions.RESULTS]
    assert (right.has, right.because) == (Has.UNKNOWN, "none of the newest jobs has a result file to try it on")


def test_no_file_s_content_is_asked_for_where_results_are_not_to_be_read() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE})
    found = has(survey(azure, needs=needs(read_results=False)))
    assert permissions.RESULTS not in found
    assert not azure.asked("/content")


def test_with_a_key_no_role_is_needed_and_the_read_is_tried() -> None:
    azure = FakeAzure({OF_SUBSCRIPTION: granted({"actions": ["*/read"]}), PERMISSIONS: NO_ROLE, **READABLE})
    azure.replies[OF_ACCOUNT] = [granted({"actions": ["*/read"]})]
    rights = {right.need: right for holder in survey(azure, keys={KEY: "k3y"}) for right in holder.rights}
    assert rights[permissions.JOBS].has is Has.YES
    assert rights[permissions.JOBS].because == "by the account's own key"
    assert azure.asked("/fine_tuning/jobs")[0].headers["api-key"] == "k3y"


def test_a_refused_key_is_told_as_such() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE, "/openai/v1/files": answer({}, 401)})
    rights = {right.need: right for holder in survey(azure, keys={KEY: "k3y"}) for right in holder.rights}
    assert rights[permissions.FILES].reason is GapReason.KEY


def test_an_account_without_an_address_is_unknown_on_its_data_plane() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE, **READABLE})
    rights = {right.need: right for one in survey(azure, account=make_account(endpoint="")) for right in one.rights}
    assert (rights[permissions.JOBS].has, rights[permissions.JOBS].reason) == (Has.UNKNOWN, GapReason.NO_ENDPOINT)


def test_only_trying_asks_for_no_word() -> None:
    azure = FakeAzure({PERMISSIONS: granted({"actions": ["*"], "dataActions": ["*"]}), **READABLE})
    azure.replies["/metrics"] = [FIREWALL]
    assert has(survey(azure, only_try=True))[permissions.METRICS] is Has.UNKNOWN
    assert not azure.asked(PERMISSIONS)


def test_a_right_is_told_by_words_that_are_json() -> None:
    azure = FakeAzure({PERMISSIONS: NO_ROLE})
    for holder in survey(azure):
        json.dumps([(right.need.action, right.has, right.how, right.reason) for right in holder.rights])
