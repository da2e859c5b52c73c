"""`permissions` and `check-config --online`, against a simulated Azure over real sockets."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.azure import Azure, serve_azure
from tests.cli.world import World
from watcher.simulator import TOKEN, Account, Fault, Job, Scenario
from watcher.simulator.scenario import SUBSCRIPTION

CONFIG = """
[database]
url = "sqlite:///{database}"
[azure]
cloud = "custom"
management_url = "{url}"
metrics_url = "{url}"
credential = "static"
token_env = "TOKEN"
{more}
[poll]
timeout = "5s"
[[receivers]]
name = "screen"
type = "console"
[[receivers]]
name = "hook"
type = "slack"
url_env = "NEVER_SET"
[route]
receiver = "screen"
"""

SCENARIO = Scenario(
    accounts=(
        Account(name="contoso-ft", jobs=(Job(name="done", created=-5 * Job(name="x").running_for),)),
        Account(name="contoso-west", location="westus3"),
    )
)
NO_ROLE = {"status": 401, "code": "PermissionDenied", "message": "The principal lacks the required data action."}
PLANES = {
    "microsoft.cognitiveservices/accounts/openai/fine-tunes/read": "no",
    "microsoft.cognitiveservices/accounts/deployments/read": "yes",
}


@pytest.fixture
def azure(request: pytest.FixtureRequest) -> Iterator[Azure]:
    faults: tuple[Fault, ...] = getattr(request, "param", ())
    with serve_azure(replace(SCENARIO, faults=faults)) as served:
        yield served


def world_of(world: World, azure: Azure, more: str = "") -> World:
    world.config.write_text(CONFIG.format(database=world.database, url=azure.url, more=more))
    world.environ = {"TOKEN": TOKEN, "COLUMNS": "80"}
    return world


def answers(document: Any) -> dict[tuple[str, str], str]:
    """By the scope's label and the action's last words."""
    return {
        (scope["label"], one["action"].partition("/")[2]): one["has"]
        for scope in document["scopes"]
        for one in scope["actions"]
    }


def test_each_read_is_tried_where_arm_does_not_say(empty_world: World, azure: Azure) -> None:
    world = world_of(empty_world, azure)
    done = world.watcher("permissions", "--json")
    document = json.loads(done.out)["permissions"]
    found = answers(document)
    assert found["contoso-ft", "accounts/OpenAI/fine-tunes/read"] == "yes"
    assert found["contoso-ft", "accounts/OpenAI/files/content/read"] == "yes"
    assert found["contoso-west", "accounts/OpenAI/files/content/read"] == "unknown"  # no job, no result, no trial
    assert {one["how"] for scope in document["scopes"] for one in scope["actions"]} == {"tried"}
    assert done.code == 0
    assert not world.database.exists()


def test_arm_s_word_is_believed(empty_world: World, azure: Azure) -> None:
    world = world_of(empty_world, azure)
    azure.grants[f"/subscriptions/{SUBSCRIPTION}"] = [{"actions": ["*/read"]}]
    for name in ("contoso-ft", "contoso-west"):
        account = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-ml/providers/microsoft.cognitiveservices/accounts"
        azure.grants[f"{account}/{name}"] = [
            {"actions": ["*/read"]},
            *([{"dataActions": ["Microsoft.CognitiveServices/*"]}] if name == "contoso-ft" else []),
        ]
    done = world.watcher("permissions", "--json")
    document = json.loads(done.out)["permissions"]
    found = answers(document)
    assert found[SUBSCRIPTION, "eventtypes/values/read"] == "yes"
    assert found["contoso-ft", "accounts/OpenAI/files/read"] == "yes"
    assert found["contoso-west", "accounts/OpenAI/files/read"] == "no"
    assert {one["how"] for scope in document["scopes"] for one in scope["actions"]} == {"permissions"}
    assert done.code == 3
    assert not [path for path in azure.asked if "/openai/" in path]


@pytest.mark.parametrize("azure", [(Fault(plane="data", account="contoso-ft", **NO_ROLE),)], indirect=True)
def test_what_is_missing_is_told_with_what_is_lost_and_the_command(empty_world: World, azure: Azure) -> None:
    done = world_of(empty_world, azure).watcher("permissions")
    assert done.code == 3
    assert "  no       Microsoft.CognitiveServices/accounts/OpenAI/fine-tunes/read\n" in done.out
    assert "Without it no job is watched, and no safety (RAI) refusal is told." in done.out
    (command,) = {line.strip() for line in done.out.splitlines() if "role assignment create" in line}
    assert "--role 'Cognitive Services OpenAI User'" in command
    assert command.endswith("/accounts/contoso-ft")


@pytest.mark.parametrize("columns", ["60", "80"])
def test_the_text_fits(empty_world: World, azure: Azure, columns: str) -> None:
    world = world_of(empty_world, azure)
    world.environ["COLUMNS"] = columns
    lines = world.watcher("permissions").out.splitlines()
    text = [line for line in lines if not line.lstrip().startswith(('"', "az "))]
    assert max(cell_len(line) for line in text) <= int(columns)
    assert max(cell_len(line) for line in lines) <= 80


@pytest.mark.parametrize(
    ("more", "data"),
    [
        ("", ["Microsoft.CognitiveServices/accounts/OpenAI/*/read"]),
        (
            "read_results = false",
            [f"Microsoft.CognitiveServices/accounts/OpenAI/{what}/read" for what in ("fine-tunes", "files", "models")],
        ),
    ],
)
def test_the_role_can_be_piped_to_a_file(empty_world: World, azure: Azure, more: str, data: list[str]) -> None:
    done = world_of(empty_world, azure, more).watcher("permissions", "--role")
    role = json.loads(done.out)
    assert (done.code, role["DataActions"]) == (0, data)
    assert role["AssignableScopes"] == [f"/subscriptions/{SUBSCRIPTION}"]


def test_without_results_no_file_is_downloaded(empty_world: World, azure: Azure) -> None:
    done = world_of(empty_world, azure, "read_results = false").watcher("permissions", "--json")
    assert "files/content" not in json.dumps(json.loads(done.out)["permissions"]["scopes"])
    assert not [path for path in azure.asked if path.endswith("/content")]


def test_what_was_billed_is_asked_for_only_where_it_is_wanted(empty_world: World, azure: Azure) -> None:
    action = "Microsoft.CostManagement/query/action"
    without = world_of(empty_world, azure).watcher("permissions", "--json").out
    assert action not in without
    wanted = world_of(empty_world, azure, "[pricing]\nreconcile = true")
    document = json.loads(wanted.watcher("permissions", "--json").out)["permissions"]
    # ARM says nothing of rights here, and no query is spent on trying.
    assert answers(document)[(SUBSCRIPTION, "query/action")] == "unknown"
    assert not [path for path in azure.asked if "CostManagement" in path]
    assert action in document["role"]["Actions"]
    assert action in document["role_without_results"]["Actions"]
    assert action in json.loads(wanted.watcher("permissions", "--role").out)["Actions"]
    assert action in wanted.watcher("permissions").out


def test_named_subscriptions_need_no_finding(empty_world: World, azure: Azure) -> None:
    more = f'[azure.discovery]\nsubscriptions = ["{SUBSCRIPTION}"]'
    document = json.loads(world_of(empty_world, azure, more).watcher("permissions", "--json").out)
    assert (SUBSCRIPTION, "subscriptions/read") not in answers(document["permissions"])
    assert (SUBSCRIPTION, "subscriptions/resourceGroups/read") in answers(document["permissions"])


def test_the_credential_s_own_secret_is_needed(empty_world: World, azure: Azure) -> None:
    world = world_of(empty_world, azure)
    del world.environ["TOKEN"]
    done = world.watcher("permissions")
    assert (done.code, done.out) == (2, "")
    assert "azure.token_env: TOKEN is not set" in done.err


def test_a_refused_credential_leaves_everything_unseen(empty_world: World, azure: Azure) -> None:
    world = world_of(empty_world, azure)
    world.environ["TOKEN"] = "another-token"
    done = world.watcher("permissions")
    assert done.code == 3
    assert "No account was found" in done.out


# check-config --online


def online(world: World, azure: Azure, *args: str) -> Any:
    world_of(world, azure)
    world.environ["NEVER_SET"] = "http://127.0.0.1:9/x"
    return world.watcher("check-config", "--online", *args)


@pytest.mark.parametrize(
    ("azure", "said", "cure"),
    [
        pytest.param(
            (Fault(plane="data", account="contoso-ft", **NO_ROLE),),
            "a role is missing",
            "--role 'Cognitive Services OpenAI User'",
            id="role",
        ),
        pytest.param(
            (Fault(plane="data", status=403, message="Public access is disabled. Use a private endpoint."),),
            "a firewall or private endpoint keeps watcher out",
            "run watcher",
            id="network",
        ),
        pytest.param(
            (Fault(plane="data", status=403, message="The resource has been temporarily blocked."),),
            "the service has blocked the resource",
            "open a support request",
            id="blocked",
        ),
        pytest.param(
            (Fault(plane="metrics", status=403, code="AuthorizationFailed", message="no authorization"),),
            "a role is missing",
            "--role 'Monitoring Reader'",
            id="metrics",
        ),
        pytest.param(
            (Fault(plane="activity", status=403, code="AuthorizationFailed", message="no authorization"),),
            "a role is missing",
            "--role Reader --scope /subscriptions/",
            id="activity log",
        ),
        pytest.param((Fault(plane="data", status=503),), "Azure answered with an error", "status page", id="broken"),
    ],
    indirect=["azure"],
)
def test_online_each_refusal_has_its_own_cure(empty_world: World, azure: Azure, said: str, cure: str) -> None:
    done = online(empty_world, azure)
    assert done.code == 3
    text = " ".join(done.out.split())
    assert said in text
    assert cure in text
    assert not empty_world.database.exists()


@pytest.mark.parametrize(
    "azure",
    [
        tuple(
            Fault(plane="data", account=name, status=403, message=f"{how}. Use a private endpoint.")
            for name, how in (("contoso-ft", "Firewall rules"), ("contoso-west", "Public access is disabled"))
        )
    ],
    indirect=True,
)
def test_online_puts_the_words_about_one_account_into_no_other_s_mouth(empty_world: World, azure: Azure) -> None:
    text = " ".join(online(empty_world, azure).out.split())
    assert "Accounts contoso-ft, contoso-west" in text
    assert "for one, contoso-ft: a firewall or private endpoint keeps watcher out: " in text


def test_online_names_every_action_and_asks_every_channel(empty_world: World, azure: Azure) -> None:
    done = online(empty_world, azure, "--json")
    document = json.loads(done.out)
    found = answers(document["online"])
    assert found["contoso-ft", "accounts/deployments/read"] == "yes"
    assert set(found.values()) == {"yes", "unknown"}
    assert [(one["name"], one["takes"]) for one in document["online"]["receivers"]] == [
        ("screen", True),
        ("hook", False),
    ]
    assert done.code == 3  # of the hook


def test_online_tries_whatever_arm_says(empty_world: World, azure: Azure) -> None:
    """A role is no use behind a firewall."""
    azure.grants[f"/subscriptions/{SUBSCRIPTION}"] = [{"actions": ["*"], "dataActions": ["*"]}]
    online(empty_world, azure)
    assert [path for path in azure.asked if path.endswith("/deployments")]
    assert not [path for path in azure.asked if "Authorization" in path]
