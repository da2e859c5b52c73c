"""`explain`: found by what a person types, and told whole."""

import pytest

from tests.cli.world import World
from tests.factories import MINUTE, NOW, make_account, make_deployment, make_snapshot


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
        "idle_cost = ",
        "route.routes[0] → hook",
        "hook: firing, warning 3d",
        "dead: bad_request: 410: gone",
    ):
        assert text in out


def test_commands_can_be_copied_from_the_text(world: World) -> None:
    lines = world.watcher("explain", "support-bot").out.splitlines()
    (command,) = [line.strip() for line in lines if line.strip().startswith("az ")]
    assert command.endswith("--deployment-name support-bot --subscription sub-1")


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
    assert "nothing is known of nothing-like-this" in done.err
