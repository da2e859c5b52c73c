"""Listings: they fit, their documents are stable, and nothing in a name is obeyed."""

import json
import re
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.world import CANARY, ENVIRON, GOOD, SEEN_AT, World, good
from tests.factories import DAY, MINUTE, NOW, make_account, make_deployment, make_job, make_snapshot, make_usage

LISTINGS = ["accounts", "jobs", "deployments", "transitions", "alerts"]
HOSTILE = "[red]\x1b[31mx\ny\u202e[bold]"

KEYS = {
    "accounts": "id name label kind cloud location subscription resource_group endpoint owner labels tags status "
    "first_seen_at polled_at jobs_at deployments_at metrics_at jobs_under_way deployments gaps owner_source "
    "files_at models_at",
    "jobs": "id account account_id status raw_status status_since model fine_tuned_model owner method training_type "
    "suffix created_at finished_at estimated_finish_at trained_tokens training_file validation_file result_files "
    "hyperparameters metadata error first_seen_at is_listed as_of owner_source is_status_dated",
    "deployments": "id name account account_id model model_version sku capacity provisioning_state deployment_state "
    "owner tags created_at created_by modified_at first_seen_at ended_at outcome risk is_fine_tuned idle_since "
    "deletion_earliest deletion_latest seconds_until_deletion unknown_because unknown_since last_success_at "
    "last_failure_at usage_from usage_to alert as_of owner_source keep_tag_unreadable",
    "transitions": "id account account_id kind resource name change attribute before after observed_at occurred_at "
    "source is_history",
    "alerts": "id fingerprint status kind rule severity step starts_at ends_at ended_because updated_at raised_at "
    "occurred_at labels annotations values links unverified_since unverified_because is_first_sight acked_at acked_by "
    "silenced_by",
}


def times(value: Any) -> list[str]:
    """Every text in a document that looks like a time."""
    if isinstance(value, dict):
        return [found for each in value.values() for found in times(each)]
    if isinstance(value, list):
        return [found for each in value for found in times(each)]
    return [value] if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else []


@pytest.mark.parametrize("name", LISTINGS)
def test_documents_are_stable(world: World, name: str) -> None:
    """Other people's scripts rest on these keys: add to them, rename none."""
    document = world.watcher(name, "--json").json
    assert document["version"] == 1
    assert document["as_of"] == "2026-11-22T08:00:00Z"
    assert [list(record) for record in document[name]] == [KEYS[name].split()] * len(document[name])
    assert document[name]


@pytest.mark.parametrize("name", [*LISTINGS, "status"])
def test_times_are_rfc_3339_in_utc(world: World, name: str) -> None:
    found = times(world.watcher(name, "--json").json)
    assert found
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each) for each in found)


@pytest.mark.parametrize("columns", ["60", "80", "132"])
@pytest.mark.parametrize("args", [*([name] for name in LISTINGS), ["status", "--since", "12h"], ["outbox", "list"]])
def test_tables_fit(world: World, args: list[str], columns: str) -> None:
    world.environ["COLUMNS"] = columns
    out = world.watcher(*args).out
    assert out
    assert max(cell_len(line) for line in out.splitlines()) <= int(columns)


@pytest.mark.parametrize("name", LISTINGS)
def test_tables_have_eighty_columns_where_nobody_says_otherwise(world: World, name: str) -> None:
    del world.environ["COLUMNS"]
    assert max(cell_len(line) for line in world.watcher(name).out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        pytest.param(["--status", "running"], {"ftjob-under-way"}, id="status"),
        pytest.param(["--status", "running", "--status", "FAILED"], {"ftjob-under-way", "ftjob-that-ends"}, id="two"),
        pytest.param(["--account", "contoso-*"], {"ftjob-under-way", "ftjob-that-ends"}, id="account"),
        pytest.param(["--account", "fabrikam*"], set(), id="other account"),
        pytest.param(["--owner", "search-team"], {"ftjob-under-way", "ftjob-that-ends"}, id="owner"),
        pytest.param(["--owner", "nobody"], set(), id="other owner"),
        pytest.param(["--since", "30m"], {"ftjob-that-ends"}, id="changed since"),
        pytest.param(["--since", "2026-11-22"], {"ftjob-under-way", "ftjob-that-ends"}, id="date"),
        pytest.param(["--since", "2026-11-22T07:30:00Z"], {"ftjob-that-ends"}, id="time"),
    ],
)
def test_jobs_are_filtered(world: World, args: list[str], ids: set[str]) -> None:
    assert {job["id"] for job in world.watcher("jobs", "--json", *args).json["jobs"]} == ids


@pytest.mark.parametrize(
    ("args", "names"),
    [
        pytest.param([], {"support-bot", "busy-bot", "chat", "night-bot"}, id="all"),
        pytest.param(["--status", "at_risk"], {"support-bot"}, id="at risk"),
        pytest.param(["--status", "unknown"], {"night-bot"}, id="unknown"),
        pytest.param(["--status", "exempt"], {"chat"}, id="exempt"),
        pytest.param(["--owner", "support"], {"support-bot"}, id="owner of the deployment goes first"),
        pytest.param(["--owner", "search-team"], {"busy-bot", "chat"}, id="owner of the account"),
    ],
)
def test_deployments_are_filtered(world: World, args: list[str], names: set[str]) -> None:
    assert {each["name"] for each in world.watcher("deployments", "--json", *args).json["deployments"]} == names


@pytest.mark.parametrize(
    ("args", "rules"),
    [
        pytest.param([], {"deployment_idle", "account_forbidden", "job_failed"}, id="all"),
        pytest.param(["--status", "event"], {"job_failed"}, id="events"),
        pytest.param(["--status", "deployment_*"], {"deployment_idle"}, id="rule"),
        pytest.param(["--account", "contoso-ft"], {"deployment_idle", "job_failed"}, id="account"),
        pytest.param(["--owner", "support"], {"deployment_idle"}, id="owner"),
    ],
)
def test_alerts_are_filtered(world: World, args: list[str], rules: set[str]) -> None:
    assert {alert["rule"] for alert in world.watcher("alerts", "--json", *args).json["alerts"]} == rules


def test_transitions_are_filtered(world: World) -> None:
    found = world.watcher("transitions", "--json", "--status", "failed").json["transitions"]
    assert [(each["name"], each["before"], each["after"]) for each in found] == [
        ("ftjob-that-ends", "running", "failed")
    ]
    some = world.watcher("transitions", "--json", "--limit", "2").json
    assert (len(some["transitions"]), some["truncated"]) == (2, True)
    assert "only the newest 2" in world.watcher("transitions", "--limit", "2").out


def test_what_was_not_read_is_unknown_and_never_idle(world: World) -> None:
    (night,) = world.watcher("deployments", "--json", "--status", "unknown").json["deployments"]
    assert (night["name"], night["idle_since"], night["deletion_earliest"]) == ("night-bot", None, None)
    assert night["unknown_because"] == "the metrics could not be read: a role is missing"
    (account,) = world.watcher("accounts", "--json", "--status", "unread").json["accounts"]
    assert (account["name"], account["deployments"], account["jobs_under_way"]) == ("tailspin", None, None)


def test_gone_deployments_are_listed_since_a_time(world: World) -> None:
    gone = frozenset({make_deployment("support-bot").key})
    left = [make_deployment("busy-bot"), make_deployment("chat", model="gpt-4o-mini")]
    world.record(good(at=NOW - MINUTE, job_status="failed", deployments=left, absent=gone))
    found = world.watcher("deployments", "--json", "--since", "1h", "--status", "gone").json["deployments"]
    assert [(each["name"], each["outcome"], each["risk"]) for each in found] == [("support-bot", "gone", None)]
    assert "support-bot" not in world.watcher("deployments").out


def test_nothing_in_a_name_is_obeyed(empty_world: World) -> None:
    """Rich's markup, terminal escapes, line breaks and overrides of direction are shown as text."""
    account = make_account("plain", label=HOSTILE, owner=HOSTILE, location=HOSTILE)
    empty_world.record(
        make_snapshot(
            account=account,
            at=SEEN_AT,
            jobs=[make_job(HOSTILE, account=account.key, model=HOSTILE, created_at=NOW - DAY)],
            deployments=[make_deployment(HOSTILE, account=account, sku=HOSTILE, tags={"owner": HOSTILE})],
            usage=[make_usage(HOSTILE, last_success_at=NOW - 13 * DAY)],
        )
    )
    empty_world.environ["COLUMNS"] = "300"
    for args in (*([name] for name in LISTINGS), ["status", "--since", "1h"], ["explain", f"{HOSTILE}/{HOSTILE}"]):
        out = empty_world.watcher(*args).out or empty_world.watcher(*args).err
        assert all(line.isprintable() for line in out.splitlines())
        assert "\\x1b" in out
    (job,) = empty_world.watcher("jobs", "--json").json["jobs"]
    assert (job["id"], job["account"]) == (HOSTILE, HOSTILE)
    assert empty_world.watcher("jobs", "--json").out.isascii()


def test_no_secret_is_in_any_output(world: World) -> None:
    commands = [
        *([name] for name in LISTINGS),
        ["status"],
        ["explain", "support-bot"],
        ["check-config"],
        ["outbox", "list"],
    ]
    for args in commands:
        for more in ([], ["--json"]):
            done = world.watcher(*args, *more)
            said = done.out + done.err
            assert CANARY not in said
            assert not any(secret in said for secret in ENVIRON.values())


def test_an_unread_listing_says_so_under_the_table(world: World) -> None:
    assert "2 accounts were not seen whole" in world.watcher("jobs").out
    assert "not seen whole" not in world.watcher("jobs", "--account", GOOD.name).out
    assert json.loads(world.watcher("jobs", "--json", "--account", "none").out)["jobs"] == []


def test_a_tag_that_is_no_time_is_told_under_the_table_and_by_explain(tmp_path) -> None:
    world = World(tmp_path)
    world.record(good(deployments=[make_deployment("odd", tags={"watcher-keep-until": "next week"})], usage=[]))
    assert 'says "next week"' in " ".join(world.watcher("deployments").out.split())
    assert 'Its tag watcher-keep-until says "next week"' in " ".join(world.watcher("explain", "odd").out.split())
    (record,) = world.watcher("deployments", "--json").json["deployments"]
    assert record["keep_tag_unreadable"] == "next week"


def test_transitions_say_when_they_were_seen_and_when_they_happened(tmp_path) -> None:
    world = World(tmp_path)
    old = make_job("ftjob-old", "succeeded", created_at=NOW - 10 * DAY, finished_at=NOW - 9 * DAY)
    world.record(good(at=NOW - 30 * MINUTE, jobs=[old], deployments=[], usage=[]))
    header, *rows = world.watcher("transitions", "--since", "1h").out.splitlines()
    assert header.split()[:2] == ["SEEN", "HAPPENED"]
    (row,) = [row for row in rows if "ftjob-old" in row]
    assert row.startswith("30 min ago")
    assert " d ago" in row
    world.record(good(at=NOW, jobs=[old], deployments=[make_deployment("new", created_at=NOW)], usage=[]))
    assert "HAPPENED" not in world.watcher("transitions", "--since", "1min").out


def test_no_time_is_cut_in_a_table_of_eighty_columns(tmp_path) -> None:
    account = make_account("contoso-finetune-production-sweden")
    name = "customer-support-assistant-blue"
    late = make_deployment(name, account=account, sku="GlobalStandard", created_at=NOW - 40 * DAY)
    calls = make_usage(name, read_from=NOW - 15 * DAY - MINUTE, last_success_at=None)
    world = World(tmp_path)
    world.record(make_snapshot(account=account, at=NOW, jobs=[], deployments=[late], usage=[calls]))
    (_, line) = world.watcher("deployments").out.splitlines()[:2]
    assert line.endswith("at risk  overdue by 1 min  none in 15 d")
    (_, line) = world.watcher("transitions").out.splitlines()
    assert line.startswith("just now  40 d ago  contoso…sweden")
    assert line.endswith("cceeded")
