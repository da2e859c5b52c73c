"""`silence`, `ack` and `keep`: done, audited, and with a warning where a deletion comes first."""

from typing import Any

import pytest

from tests.cli.world import World


def alert(world: World, rule: str) -> Any:
    return world.watcher("alerts", "--json", "--status", rule).json["alerts"][0]


def test_a_silence_is_added_listed_and_ended(world: World) -> None:
    added = world.watcher("silence", "add", "rule=job_failed", 'account=~"c.*"', "--for", "3d", "--comment", "known")
    assert added.code == 0
    (silence,) = world.watcher("silence", "list", "--json").json["silences"]
    assert silence["matchers"] == ['rule="job_failed"', 'account=~"c.*"']
    assert (silence["starts_at"], silence["ends_at"]) == ("2026-11-22T08:00:00Z", "2026-11-25T08:00:00Z")
    assert silence["id"] in world.watcher("silence", "list").out
    assert world.watcher("silence", "expire", silence["id"]).code == 0
    assert world.watcher("silence", "list", "--json").json["silences"] == []
    assert world.watcher("silence", "list", "--all", "--json").json["silences"][0]["status"] == "expired"
    again = world.watcher("silence", "expire", silence["id"])
    assert (again.code, "no silence" in again.err) == (1, True)


def test_a_silence_that_hides_a_deadline_warns(world: World) -> None:
    done = world.watcher("silence", "add", "rule=deployment_idle", "--for", "3d", "--comment", "known")
    assert done.code == 0
    assert "it hides alr_" in done.err
    assert alert(world, "deployment_idle")["silenced_by"]
    short = world.watcher("silence", "add", "rule=deployment_idle", "--for", "1d", "--comment", "known")
    assert short.err == ""


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["rule", "--for", "3d", "--comment", "x"], id="no matcher"),
        pytest.param(['rule=~"["', "--for", "3d", "--comment", "x"], id="bad expression"),
        pytest.param(['rule=~".*"', "--for", "3d", "--comment", "x"], id="matches everything"),
        pytest.param(["rule=x", "--for", "soon", "--comment", "x"], id="bad span"),
        pytest.param(["rule=x", "--for", "0s", "--comment", "x"], id="no length"),
        pytest.param(["rule=x", "--for", "3d", "--comment", " "], id="no reason"),
        pytest.param(["rule=x", "--comment", "x"], id="no span"),
    ],
)
def test_a_bad_silence_is_wrong_usage(world: World, args: list[str]) -> None:
    done = world.watcher("silence", "add", *args)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


def test_an_alert_is_acknowledged(world: World) -> None:
    id_ = alert(world, "deployment_idle")["id"]
    done = world.watcher("ack", id_[:10], "--comment", "on it", "--author", "ops")
    assert (done.code, done.err) == (0, "")
    assert alert(world, "deployment_idle")["acked_by"] == "ops"
    (file,) = world.watcher("explain", id_, "--json").json["explanation"]["alerts"]
    assert [(each["author"], each["comment"]) for each in file["audit"]] == [("ops", "on it")]
    assert "acked" in world.watcher("alerts").out


def test_an_unknown_alert_is_not_acknowledged(world: World) -> None:
    assert world.watcher("ack", "alr_nothing", "--comment", "x").code == 1


def test_keeping_warns_where_deletion_comes_first(world: World) -> None:
    done = world.watcher("keep", "support-bot", "--until", "2026-12-24", "--reason", "launch", "--author", "ops")
    assert done.code == 0
    assert "kept until 2026-12-24 23:00 UTC" in done.out  # the end of that day in Berlin
    assert "Azure may delete support-bot before that, in 2 d (2026-11-24 08:00 UTC)" in done.err
    told = world.watcher("explain", "support-bot", "--json").json["explanation"]
    assert (told["keep"]["until"], told["keep"]["author"]) == ("2026-12-24T23:00:00Z", "ops")
    assert [each["action"] for each in told["audit"]] == ["keep"]


def test_keeping_is_quiet_where_nothing_comes_first(world: World) -> None:
    assert world.watcher("keep", "contoso-ft/busy-bot", "--until", "2d", "--reason", "x").err == ""


def test_keeping_what_cannot_be_seen_says_so(world: World) -> None:
    done = world.watcher("keep", "night-bot", "--until", "2d", "--reason", "x")
    assert (done.code, "is unknown" in done.err) == (0, True)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        pytest.param(["nothing", "--until", "2d", "--reason", "x"], 1, id="no such deployment"),
        pytest.param(["ftjob-under-way", "--until", "2d", "--reason", "x"], 1, id="a job"),
        pytest.param(["support-bot", "--until", "2026-01-01", "--reason", "x"], 2, id="past"),
        pytest.param(["support-bot", "--until", "someday", "--reason", "x"], 2, id="no date"),
        pytest.param(["support-bot", "--until", "2d"], 2, id="no reason"),
    ],
)
def test_a_bad_keep_is_refused(world: World, args: list[str], code: int) -> None:
    assert world.watcher("keep", *args).code == code
