import json
import shlex
import subprocess
from dataclasses import replace

import pytest

from tests.factories import make_deployment
from watcher.costs.recipe import as_developer, recipe

BOT = make_deployment(
    sku="GlobalStandard",
    capacity=50,
    rai_policy="Contoso.Strict",
    upgrade_option="NoAutoUpgrade",
    model_source="/subscriptions/other/accounts/a",
    tags={"team": "it's", "a": "1"},
)


def body_of(made):
    words = shlex.split(made.command)
    assert words[:5] == ["az", "rest", "--method", "put", "--url"]
    return words[5], json.loads(words[words.index("--body") + 1])


def test_all_that_arm_needs_is_in_one_command():
    url, body = body_of(recipe(BOT))
    assert url == f"{BOT.id}?api-version=2024-10-01"
    assert body == {
        "sku": {"name": "GlobalStandard", "capacity": 50},
        "properties": {
            "model": {
                "format": "OpenAI",
                "name": BOT.model,
                "version": "1",
                "source": "/subscriptions/other/accounts/a",
            },
            "raiPolicyName": "Contoso.Strict",
            "versionUpgradeOption": "NoAutoUpgrade",
        },
        "tags": {"a": "1", "team": "it's"},
    }
    assert recipe(BOT).missing == ()


def test_a_model_of_another_tenant_is_named_as_azure_names_it():
    account = "/subscriptions/far/accounts/b"
    _, body = body_of(recipe(make_deployment(model_source=account, model_source_account=account)))
    assert body["properties"]["model"]["sourceAccount"] == account
    assert "source" not in body["properties"]["model"]


FURTHER = {
    "properties": {"dynamicThrottlingEnabled": True, "spilloverDeploymentName": "overflow"},
    "model": {"publisher": "contoso"},
    "sku": {"tier": "Standard"},
}


def test_whatever_else_can_be_set_is_in_its_place():
    _, plain = body_of(recipe(BOT))
    _, body = body_of(recipe(replace(BOT, further=FURTHER)))
    assert body == {
        "sku": {**plain["sku"], "tier": "Standard"},
        "properties": {
            **plain["properties"],
            "model": {**plain["properties"]["model"], "publisher": "contoso"},
            "dynamicThrottlingEnabled": True,
            "spilloverDeploymentName": "overflow",
        },
        "tags": plain["tags"],
    }


def test_what_may_be_for_its_own_sku_alone_is_left_out_under_another():
    _, body = body_of(as_developer(replace(BOT, further=FURTHER)))
    assert body["sku"] == {"name": "DeveloperTier", "capacity": 50}
    assert body["properties"].keys() == {"model", "raiPolicyName", "versionUpgradeOption"}
    assert body["properties"]["model"]["publisher"] == "contoso"


def test_what_the_deployment_did_not_tell_is_named():
    made = recipe(make_deployment(sku="", capacity=None))
    assert made.missing == ("its SKU, taken to be Standard", "its capacity", "its content filter")
    assert made.body["sku"] == {"name": "Standard"}
    assert "tags" not in made.body and "raiPolicyName" not in made.body["properties"]


def test_as_a_developer_deployment():
    url, body = body_of(as_developer(BOT))
    assert url.endswith("?api-version=2025-07-01-preview")
    assert body == {**recipe(BOT).body, "sku": {"name": "DeveloperTier", "capacity": 50}}
    assert recipe(make_deployment(sku="developertier")).api_version == "2025-07-01-preview"


@pytest.mark.parametrize("name", ["bot", "it's", 'a "b"', "$(id)", "a b;c", "`id`", "-x", "ü\\n"])
def test_a_shell_hands_the_command_over_word_by_word(tmp_path, name):
    az = tmp_path / "az"
    az.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    az.chmod(0o755)
    deployment = make_deployment(name=name, rai_policy=name, tags={name: name})
    made = recipe(deployment)
    said = subprocess.run(
        ["/bin/sh", "-c", made.command], env={"PATH": str(tmp_path)}, capture_output=True, check=True, text=True
    )
    words = said.stdout.split("\0")
    assert words[:3] == ["rest", "--method", "put"]
    assert words[4] == f"{deployment.id}?api-version=2024-10-01"
    assert json.loads(words[6]) == made.body


def test_a_capacity_of_nothing_is_one():
    found = recipe(make_deployment(capacity=0))
    assert found.body["sku"]["capacity"] == 0
    assert "its capacity" not in found.missing
    assert "its capacity" in recipe(make_deployment(capacity=None)).missing
