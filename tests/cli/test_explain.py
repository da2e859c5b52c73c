"""`explain`: found by what a person types, and told whole."""

import re

import pytest

from tests.cli.world import GOOD, World, good, lock_out
from tests.factories import HOUR, MINUTE, NOW, make_account, make_deployment, make_event, make_job, make_snapshot
from watcher import cycles
from watcher.azure.discovery import Discovery
from watcher.cycles import Judgement
from watcher.resources.deployment import ProvisioningState


def alert_id(world: World, rule: str) -> str:
    alerts = world.watcher("alerts", "--json", "--status", rule).json["alerts"]
    return str(alerts[0]["id"])


@pytest.mark.parametrize("wanted", ["support-bot", "contoso-ft/support-bot", "CONTOSO-FT/Support-Bot"])
def test_a_deployment_is_told_with_its_clock_and_its_alerts(world: World, wanted: str) -> None:
    told = world.watcher("explain", wanted, "--json").json["explanation"]
    assert told["deployment"]["name"] == "support-bot"
    assert told["deployment"]["basis"].startswith("last successful call in the hour from 2026-11-09 08:00 UTC")
    (alert,) = told["alerts"]
    assert alert["rule"] == "deployment_idle"
    assert alert["routes"] == [{"route": "route.routes[0]", "receiver": "hook", "group": {"rule": "deployment_idle"}}]
    assert [(each["receiver"], each["step"]) for each in alert["told"]] == [("hook", "3d")]
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], [each["outcome"] for each in delivery["attempts"]]) == ("dead", ["dead"])
    assert told["transitions"]


def test_the_text_says_what_the_document_says(world: World) -> None:
    out = world.watcher("explain", "support-bot").out
    for text in (
        "At risk: Azure may delete it in 2 d, from 2026-11-24 08:00 UTC on unless it is\ncalled.",
        "gives   2026-11-24 08:00 UTC at the earliest",
        "read\n5 min ago",
        "cost until deletion ",
        "route.routes[0] → hook",
        "hook: firing, warning, 3d; dead",
        "dead: bad_request: 410: gone",
    ):
        assert text in out


def test_commands_can_be_copied_from_the_text(world: World) -> None:
    lines = world.watcher("explain", "support-bot").out.splitlines()
    delete, again = sorted(line.strip() for line in lines if line.strip().startswith("az "))
    assert delete.endswith("--deployment-name support-bot --subscription sub-1")
    recipe = world.watcher("explain", "support-bot", "--json").json["explanation"]["recipe"]
    assert again == recipe["command"]
    assert recipe["id"].endswith("/deployments/support-bot")
    assert recipe["body"]["sku"]["name"] == "Standard"
    assert "its content filter" in recipe["missing"]


def test_a_job_is_told_with_its_log(world: World) -> None:
    told = world.watcher("explain", "ftjob-that-ends", "--json").json["explanation"]
    assert told["job"]["status"] == "failed"
    assert [each["message"] for each in told["events"]] == ["Job started."]
    assert [alert["rule"] for alert in told["alerts"]] == ["job_failed"]
    assert "The service says: the file is no\nJSON." in world.watcher("explain", "ftjob-that-ends").out


def test_an_alert_is_found_by_its_id_and_by_the_beginning_of_it(world: World) -> None:
    id_ = alert_id(world, "deployment_idle")
    for wanted in (id_, id_[:12]):
        told = world.watcher("explain", wanted, "--json").json["explanation"]
        assert [alert["id"] for alert in told["alerts"]] == [id_]
        assert told["deployment"]["name"] == "support-bot"


@pytest.mark.parametrize("wanted", ["ftjob-that-e", "ftjob-that-e…"])
def test_a_job_is_found_by_the_beginning_of_its_id(world: World, wanted: str) -> None:
    told = world.watcher("explain", wanted, "--json").json["explanation"]
    assert told["job"]["id"] == "ftjob-that-ends"


def test_a_beginning_that_jobs_share_names_them(world: World) -> None:
    world.record(good(at=NOW, jobs=[make_job("ftjob-that-ends"), make_job("ftjob-that-waits")]))
    result = world.watcher("explain", "ftjob-that-")
    assert result.code == 2
    assert "ftjob-that- is ambiguous: say which of contoso-ft/ftjob-that-" in result.err
    assert "contoso-ft/ftjob-that-ends" in result.err
    assert "contoso-ft/ftjob-that-waits" in result.err


def test_a_few_letters_are_no_beginning(world: World) -> None:
    assert "nothing is known of ftjob-t" in world.watcher("explain", "ftjob-t").err


def test_what_is_held_back_says_why(world: World) -> None:
    world.watcher("silence", "add", "rule=account_forbidden", "--for", "1h", "--comment", "known")
    told = world.watcher("explain", alert_id(world, "account_forbidden"), "--json").json["explanation"]
    (alert,) = told["alerts"]
    assert alert["silenced_by"]
    assert told["inputs"]["gaps"]


def test_an_unread_deployment_is_unknown(world: World) -> None:
    out = world.watcher("explain", "night-bot").out
    assert "Risk unknown: the metrics could not be read: a role is missing." in out
    assert "Its calls are unknown: they were not read." in out
    assert "How that is reckoned" not in out


def test_an_alert_that_ended_before_anyone_was_told_says_so(world: World) -> None:
    failed = make_deployment("broken", provisioning_state=ProvisioningState.FAILED)
    world.record(good(at=NOW - 4 * MINUTE, deployments=[failed]))
    world.record(good(at=NOW - 3 * MINUTE, deployments=[make_deployment("broken")]))
    out = " ".join(world.watcher("explain", "broken").out.split())
    assert "Nobody was told: it ended 1 min after it fired, before anyone was told." in out


def test_an_alert_that_is_over_gives_no_advice(world: World) -> None:
    """A command that keeps a deployment is worth nothing once that is gone."""
    gone = good(
        at=NOW, deployments=[make_deployment("busy-bot")], absent=frozenset({make_deployment("support-bot").key})
    )
    world.record(gone)
    out = " ".join(world.watcher("explain", "support-bot").out.split())
    over = out[out.index("deployment_idle, ") :]
    assert "and ended 2026-11-22 08:00 UTC: " in over
    assert "As last recorded, it said: Deployment support-bot in contoso-ft may be deleted from" in over
    assert "curl" not in over and "az cognitiveservices account deployment delete" not in over


def test_an_event_is_told_by_when_it_happened_and_when_it_was_noticed(world: World) -> None:
    failed = make_job("ftjob-under-way", "failed", finished_at=NOW - 30 * MINUTE, error="x")
    world.record(good(at=NOW, jobs=[failed], events={failed.id: [make_event("Job failed.")]}))
    out = " ".join(world.watcher("explain", "ftjob-under-way").out.split())
    assert "That happened on 2026-11-22 07:30 UTC, and watcher saw it on 2026-11-22 08:00 UTC (just now)." in out
    assert "That was seen on 2026-11-22 07:55 UTC (5 min ago)." in " ".join(
        world.watcher("explain", "ftjob-that-ends").out.split()
    )


def test_of_an_alert_that_alert_comes_first(world: World) -> None:
    id_ = alert_id(world, "deployment_idle")
    assert world.watcher("explain", id_).out.startswith(f"Alert {id_}: deployment_idle")
    assert world.watcher("explain", "support-bot").out.startswith("Deployment support-bot")


def test_an_account_that_was_moved_is_meant_under_its_new_id(world: World) -> None:
    moved = make_account("contoso-ft", resource_group="rg-new")
    found = Discovery(accounts=(moved,), is_complete=False, gone=frozenset({GOOD.key}))
    store = world.open()
    store.write_now(cycles.save_discovery, found, Judgement(rules=()), NOW - MINUTE)
    store.close()
    there = make_deployment("support-bot", account=moved)
    world.record(
        make_snapshot(account=moved, at=NOW, jobs=[make_job("ftjob-under-way", account=moved.key)], deployments=[there])
    )
    for wanted in ("support-bot", "contoso-ft/support-bot", "ftjob-under-way"):
        told = world.watcher("explain", wanted, "--json").json["explanation"]
        assert moved.id in ((told["deployment"] or told["job"])["account_id"])


def test_what_is_ambiguous_is_refused_with_the_choices(world: World) -> None:
    twin = make_account("twin")
    world.record(make_snapshot(account=twin, at=NOW - MINUTE, deployments=[make_deployment("chat", account=twin)]))
    done = world.watcher("explain", "chat")
    assert done.code == 2
    assert "contoso-ft/chat, twin/chat" in done.err
    assert world.watcher("explain", "twin/chat", "--json").json["explanation"]["account"] == "twin"


def test_what_is_not_there_is_told(world: World) -> None:
    done = world.watcher("explain", "nothing-like-this")
    assert (done.code, done.out) == (1, "")
    assert "nothing is known of nothing-like-this: what can be explained is an alert, a job or a deployment" in done.err


def test_whoever_asks_for_an_account_is_told_where_to_look(world: World) -> None:
    done = world.watcher("explain", "Contoso-FT")
    assert (done.code, done.out) == (1, "")
    assert "Contoso-FT is an account, and what can be explained is an alert, a job or a deployment: see " in done.err
    assert (
        "`watcher alerts --account contoso-ft`, `watcher deployments --account contoso-ft`, `watcher jobs" in done.err
    )
    assert "firing" not in done.err
    lock_out(world)
    done = world.watcher("explain", "northwind-ft")
    named = done.err.strip().partition("; firing about the account itself: ")[2]
    ids = re.findall(r"account_forbidden \((alr_\w+)\)", named)
    assert len(set(ids)) == 3, "one of each plane"
    assert {world.watcher("explain", id_).code for id_ in ids} == {0}


def test_figures_that_grow_are_dated_from_the_step_at_which_they_were_told(world: World) -> None:
    """Idle cost grows by the hour, and is stored at each step of the countdown alone."""
    world.now = NOW + 3 * HOUR
    out = " ".join(world.watcher("explain", alert_id(world, "deployment_idle")).out.split())
    assert "The figures are as of 2026-11-22 07:00 UTC (4 h ago)." in out
    assert "In figures, as of 2026-11-22 07:00 UTC: cost until deletion " in out
    assert re.search(r"cost until deletion [0-9.]+ USD[,.]", out)
    assert "figures are as of" not in world.watcher("explain", alert_id(world, "job_failed")).out
    world.now = NOW - HOUR
    assert "as of 2026-11-22 07:00 UTC:" in " ".join(world.watcher("explain", "support-bot").out.split())
    assert "figures are as of" not in world.watcher("explain", "support-bot").out
