import json
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from azure_factories import ACCOUNT_ID, KEY, SUBSCRIPTION, body_of, raw_account, raw_deployment
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.clouds import CHINA, PUBLIC, custom_cloud
from watcher.azure.decode_arm import (
    KINDS,
    decode_account,
    decode_accounts,
    decode_deployment,
    decode_deployments,
    decode_resource_groups,
    decode_subscriptions,
    endpoint_of,
    split_id,
)
from watcher.errors import MalformedError
from watcher.resources.deployment import Deployment, ProvisioningState

LOOPBACK = custom_cloud(management_url="http://127.0.0.1:8000")
EXAMPLE = (
    "/subscriptions/subscriptionId/resourceGroups/resourceGroupName/providers/Microsoft.CognitiveServices"
    "/accounts/accountName"
)
ADA = Deployment(
    id=f"{EXAMPLE}/deployments/deploymentName",
    name="deploymentName",
    account=EXAMPLE.lower(),
    model="ada",
    model_version="1",
    sku="Standard",
    capacity=1,
)


def listing(*items, **more):
    return json.dumps({"value": list(items), **more}).encode()


def test_decodes_the_official_accounts_of_which_none_can_fine_tune():
    page = decode_accounts(body_of("arm-2024-10-01-ListAccountsBySubscription.json"), cloud=PUBLIC)
    assert page.bad == ()
    assert [account.name for account in page.items][:2] == ["bingSearch", "CrisProd"]
    assert not any(account.kind.lower() in KINDS for account in page.items)
    assert page.items[1].tags == {"can't delete it successfully": "v-yunjin"}
    assert page.items[1].resource_group == "bvttest"


def test_decodes_the_official_deployments():
    page = decode_deployments(body_of("arm-2024-10-01-ListDeployments.json"), account=EXAMPLE.lower())
    assert (page.items, page.bad, page.next_link) == ((ADA,), (), "")
    assert decode_deployment(body_of("arm-2024-10-01-GetDeployment.json"), account=EXAMPLE.lower()) == ADA


def test_decodes_the_official_paused_deployment():
    paused = decode_deployment(body_of("arm-2025-10-01-preview-PauseDeployment.json"), account=EXAMPLE.lower())
    assert paused.is_paused
    assert (paused.model, paused.model_version) == ("gpt-4", "0613")


def test_decodes_all_that_is_read_of_a_deployment():
    raw = raw_deployment(
        "Bot",
        tags={"owner": "a", "n": 1, "none": None},
        systemData={
            "createdAt": "2026-01-02T03:04:05.1234567Z",
            "createdBy": "x@y",
            "lastModifiedAt": "2026-01-03T00:00:00+02:00",
        },
        properties={
            "provisioningState": "failed",
            "deploymentState": "Running",
            "raiPolicyName": "Microsoft.DefaultV2",
            "versionUpgradeOption": "NoAutoUpgrade",
            "error": {"message": "no quota"},
            "model": {"format": "OpenAI", "name": "m.ft-1", "version": 1, "sourceAccount": "/subscriptions/other"},
            "capabilities": {"chatCompletion": "true"},
        },
    )
    bot = decode_deployments(listing(raw), account=KEY).items[0]
    assert bot.key == f"{ACCOUNT_ID}/deployments/Bot".lower()
    assert bot.created_at == datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)
    assert bot.modified_at == datetime(2026, 1, 2, 22, 0, tzinfo=UTC)
    assert (bot.provisioning_state, bot.raw_provisioning_state) == (ProvisioningState.FAILED, "failed")
    assert (bot.failure, bot.model_source, bot.model_version) == ("no quota", "/subscriptions/other", "1")
    assert bot.tags == {"owner": "a", "n": "1"}
    assert (bot.rai_policy, bot.upgrade_option) == ("Microsoft.DefaultV2", "NoAutoUpgrade")
    assert bot.model_source_account == "/subscriptions/other"


def test_all_that_can_be_set_is_kept_and_what_only_tells_of_it_is_not():
    raw = raw_deployment(
        sku={"name": "GlobalProvisionedManaged", "capacity": 50, "tier": "Standard", "family": None},
        properties={
            "provisioningState": "Succeeded",
            "deploymentState": "Running",
            "model": {
                "format": "OpenAI",
                "name": "m.ft-1",
                "version": "1",
                "source": "/subscriptions/other",
                "publisher": "contoso",
                "callRateLimit": {"count": 1},
            },
            "raiPolicyName": "Contoso.Strict",
            "versionUpgradeOption": "NoAutoUpgrade",
            "capabilities": {"chatCompletion": "true"},
            "rateLimits": [{"key": "request", "count": 50, "renewalPeriod": 10}],
            "callRateLimit": {"count": 50, "renewalPeriod": 10},
            "currentCapacity": 50,
            "scaleSettings": {"scaleType": "Standard", "activeCapacity": 50},
            "error": {"message": "no quota"},
            "dynamicThrottlingEnabled": False,
            "spilloverDeploymentName": "overflow",
            "parentDeploymentName": None,
            "routing": {"mode": "cost", "models": [{"name": "gpt-4.1"}]},
        },
    )
    assert decode_deployments(listing(raw), account=KEY).items[0].further == {
        "properties": {
            "dynamicThrottlingEnabled": False,
            "spilloverDeploymentName": "overflow",
            "routing": {"mode": "cost", "models": [{"name": "gpt-4.1"}]},
        },
        "model": {"publisher": "contoso"},
        "sku": {"tier": "Standard"},
    }
    assert decode_deployment(body_of("arm-2024-10-01-GetDeployment.json"), account=KEY).further == {}


_JSON = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_MORE = st.dictionaries(st.text(min_size=1).map("x-{}".format), _JSON, max_size=3)


@settings(deadline=None)
@given(_MORE, _MORE, _MORE)
def test_what_a_later_version_adds_is_kept_to_the_letter_also_where_it_is_stored(properties, model, sku):
    raw = raw_deployment()
    raw["sku"] |= sku
    raw["properties"] |= properties
    raw["properties"]["model"] |= model
    (one,) = decode_deployments(listing(raw), account=KEY).items
    told = {"properties": properties, "model": model, "sku": sku}
    assert one.further == {place: more for place, more in told.items() if more}
    assert msgspec.json.decode(msgspec.json.encode(one), type=Deployment) == one


@pytest.mark.parametrize("sku", [None, 7, "Standard", [], {}])
def test_without_a_readable_sku_none_is_guessed(sku):
    page = decode_deployments(listing(raw_deployment(sku=sku)), account=KEY)
    assert [(one.sku, one.capacity, one.further) for one in page.items] == [("", None, {})]


def test_age_is_not_guessed_without_system_data():
    assert decode_deployments(listing(raw_deployment()), account=KEY).items[0].created_at is None


@pytest.mark.parametrize(
    ("endpoint", "endpoints", "cloud", "expected"),
    [
        ("https://a.openai.azure.com/", None, PUBLIC, "https://a.openai.azure.com"),
        (
            "https://a.cognitiveservices.azure.com/",
            {"k": "https://a.openai.azure.com/"},
            PUBLIC,
            "https://a.openai.azure.com",
        ),
        (
            "https://a.cognitiveservices.azure.com/",
            {"x": "https://a.services.ai.azure.com/"},
            PUBLIC,
            "https://a.cognitiveservices.azure.com",
        ),
        ("", {"x": "https://a.services.ai.azure.com/", "y": 7}, PUBLIC, "https://a.services.ai.azure.com"),
        ("https://eastus.api.cognitive.microsoft.com/", [], PUBLIC, "https://eastus.api.cognitive.microsoft.com"),
        ("https://a.openai.azure.cn/", {}, CHINA, "https://a.openai.azure.cn"),
        ("http://127.0.0.1:8000/account/a/", {}, LOOPBACK, "http://127.0.0.1:8000/account/a"),
        ("http://127.7.0.9:8000/", {}, LOOPBACK, "http://127.7.0.9:8000"),
        ("http://example.com/", {}, LOOPBACK, ""),
        ("https://user:word@a.openai.azure.com/", {}, PUBLIC, ""),
        ("https://[broken", {}, PUBLIC, ""),
        ("", "text", PUBLIC, ""),
    ],
)
def test_chooses_the_endpoint_by_its_host(endpoint, endpoints, cloud, expected):
    assert endpoint_of(endpoint, endpoints, cloud) == expected


def test_an_account_may_leave_almost_everything_out():
    account = decode_account(json.dumps({"id": ACCOUNT_ID}).encode(), cloud=PUBLIC)
    assert (account.name, account.label, account.subscription, account.resource_group) == (
        "ft",
        "ft",
        SUBSCRIPTION,
        "rg-ml",
    )
    assert (account.endpoint, account.tags, account.created_at, account.local_auth_disabled) == ("", {}, None, False)


def test_dates_an_account_by_either_field():
    raw = raw_account()
    raw["properties"] |= {"dateCreated": "2025-01-01T00:00:00Z", "disableLocalAuth": True}
    account = decode_accounts(listing(raw), cloud=PUBLIC).items[0]
    assert account.created_at == datetime(2025, 1, 1, tzinfo=UTC)
    assert account.local_auth_disabled


def test_a_wrong_type_deep_inside_costs_its_field_only():
    raw = raw_deployment(sku={"name": 7, "capacity": "many"}, systemData="yesterday")
    raw["properties"]["deploymentState"] = ["Running"]
    page = decode_deployments(listing(raw, raw_deployment("e")), account=KEY)
    assert [d.name for d in page.items] == ["d", "e"]
    assert (page.items[0].sku, page.items[0].capacity, page.items[0].deployment_state) == ("", None, "")
    assert page.items[0].model == "gpt.ft-1"


def test_a_bad_item_is_named_by_its_id():
    page = decode_deployments(
        listing({"id": "/x/deployments/y", "name": "y"}, raw_deployment("e"), {"name": "z"}, 5), account=KEY
    )
    assert [d.name for d in page.items] == ["e"]
    assert [bad.id for bad in page.bad] == ["/x/deployments/y", "", ""]


@pytest.mark.parametrize("body", [b"{}", b'{"value": null}', b'{"value": [], "nextLink": 7}', b"[]", b"x"])
def test_what_is_no_list_is_malformed(body):
    with pytest.raises(MalformedError):
        decode_deployments(body, account=KEY)


def test_reads_groups_and_subscriptions():
    groups = decode_resource_groups(listing({"name": "RG", "tags": {"Owner": "a"}}, {"name": "x", "tags": None}))
    assert [(group.name, group.tags) for group in groups.items] == [("RG", {"Owner": "a"}), ("x", {})]
    found = decode_subscriptions(listing({"subscriptionId": "s", "displayName": "S", "state": "Disabled"}))
    assert [(one.id, one.name, one.state) for one in found.items] == [("s", "S", "Disabled")]


def test_splits_ids_without_case():
    assert split_id(ACCOUNT_ID.upper())["resourcegroups"] == "RG-ML"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    top=st.dictionaries(st.sampled_from(["id", "name", "sku", "properties", "systemData", "tags"]), json_values),
    deep=st.dictionaries(st.sampled_from(["model", "provisioningState", "deploymentState", "error"]), json_values),
)
def test_no_mutation_of_one_deployment_touches_the_others(top, deep):
    odd = raw_deployment("odd")
    odd["properties"] |= deep
    odd |= top
    page = decode_deployments(listing(raw_deployment("a"), odd, raw_deployment("z")), account=KEY)
    assert (page.items[0].name, page.items[-1].name) == ("a", "z")
    assert len(page.items) + len(page.bad) == 3


@settings(max_examples=60, deadline=None)
@given(value=json_values)
def test_no_json_raises_anything_but_malformed(value):
    decoders = (
        lambda b: decode_accounts(b, cloud=PUBLIC),
        lambda b: decode_deployments(b, account=KEY),
        decode_resource_groups,
        decode_subscriptions,
    )
    for decode in decoders:
        for body in (value, {"value": value}, {"value": [value], "nextLink": value}):
            with suppress(MalformedError):
                decode(json.dumps(body).encode())
