"""`silence` and `ack`: done, audited, and with a warning where a deletion comes first."""

from typing import Any

import pytest

from tests.cli.world import World, good
from tests.factories import DAY, HOUR, MINUTE, NOW, make_usage
from watcher.store import operators, schema


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


def test_a_silence_that_outlasts_a_deletion_says_what_comes_through(world: World) -> None:
    done = world.watcher("silence", "add", "rule=deployment_idle", "--for", "3d", "--comment", "known")
    assert done.code == 0
    assert "the deletion may come at 2026-11-24 08:00 UTC, before the silence ends: of alr_" in done.err
    assert "the last 24 h are told all the same, earlier steps are not" in done.err
    assert alert(world, "deployment_idle")["silenced_by"]
    short = world.watcher("silence", "add", "rule=deployment_idle", "--for", "1d", "--comment", "known")
    assert short.err == ""


def test_a_forced_silence_says_that_nothing_comes_through(world: World) -> None:
    done = world.watcher("silence", "add", "rule=deployment_idle", "--for", "3d", "--comment", "known", "--force")
    assert "nobody is warned any more of alr_" in done.err
    assert "watcher silence expire sil_" in done.err
    (silence,) = world.watcher("silence", "list", "--json").json["silences"]
    assert silence["is_forced"] is True
    shown = world.watcher("silence", "list").out.splitlines()
    assert shown[0].split()[:3] == ["ID", "ENDS", "HIDES"]
    assert shown[1].split()[:5] == [silence["id"], "in", "3", "d", "all"]
    with_others = ["rule=job_failed", "--for", "1h", "--comment", "x", "--json"]
    assert world.watcher("silence", "add", *with_others).json["silence"]["is_forced"] is False


def test_a_new_silence_shows_what_it_quiets_and_what_comes_through(world: World) -> None:
    at_once = world.watcher("silence", "add", "rule=deployment_idle", "--for", "1d", "--comment", "x").out.splitlines()
    assert at_once[0].endswith("quiets 1 alert that fires now")
    assert "support-bot" in at_once[2]
    world.now = NOW + DAY + HOUR  # the step of one day is reached
    world.record(good(at=world.now, job_status="failed"))
    text = world.watcher("silence", "add", "rule=deployment_idle", "--for", "1d", "--comment", "x").out
    assert "quiets no alerts that fire now" in text
    assert "These come through all the same: their deletion is less than 24 h away, or overdue." in text
    given = ["rule=deployment_idle", "--for", "1d", "--json"]
    silence = world.watcher("silence", "add", *given, "--comment", "y").json["silence"]
    assert (silence["quiets"], len(silence["comes_through"])) == ([], 1)
    forced = world.watcher("silence", "add", *given, "--comment", "z", "--force").json["silence"]
    assert (len(forced["quiets"]), forced["comes_through"]) == (1, [])


@pytest.mark.parametrize(
    ("matcher", "warning"),
    [
        ("rule=deployment_idl", "names a rule that does not exist: deployment_idl; did you mean deployment_idle?"),
        ("acount=contoso-ft", "names a label that no alert bears; did you mean account?"),
        ("severity=fatal", "names a severity that does not exist: fatal; the severities are info, warning, critical"),
        ("rule=job_failed", ""),
        ('account=~"nobody-.*"', ""),
    ],
)
def test_a_silence_of_what_no_alert_can_be_warns_with_the_nearest(world: World, matcher: str, warning: str) -> None:
    done = world.watcher("silence", "add", matcher, "--for", "1d", "--comment", "x")
    assert done.code == 0
    assert done.err.startswith("warning: " if warning else "") and warning in done.err
    assert bool(done.err) == bool(warning)
    again = world.watcher("silence", "add", matcher, "--for", "2d", "--comment", "y", "--json").json["silence"]
    assert len(again["warnings"]) == bool(warning)


def test_a_long_silence_warns(world: World) -> None:
    done = world.watcher("silence", "add", "rule=job_failed", "--for", "31d", "--comment", "x")
    assert "warning: it lasts 31 d" in done.err
    assert world.watcher("silence", "add", "rule=job_failed", "--for", "30d", "--comment", "x").err == ""


def test_silences_are_ended_by_the_beginnings_of_their_ids_with_who_and_why(world: World) -> None:
    ids = [
        world.watcher("silence", "add", f"rule={rule}", "--for", "1d", "--comment", "x", "--json").json["silence"]["id"]
        for rule in ("job_failed", "job_succeeded")
    ]
    assert world.watcher("silence", "expire", "sil_").err.startswith("watcher: sil_ is the beginning of sil_")
    done = world.watcher("silence", "expire", *(id_[:12] for id_ in ids), "--comment", "mended", "--author", "ops")
    assert done.out.splitlines() == [f"{id_} has ended" for id_ in ids]
    store = world.open()
    try:
        ended = [one for one in store.read_now(operators.audit) if one.action == "silence.expire"]
    finally:
        store.close()
    assert {(one.subject, one.author, one.comment) for one in ended} == {(id_, "ops", "mended") for id_ in ids}


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["rule", "--for", "3d", "--comment", "x"], id="no matcher"),
        pytest.param(['rule=~"["', "--for", "3d", "--comment", "x"], id="bad expression"),
        pytest.param(['rule=~"(.|.)*!"', "--for", "3d", "--comment", "x"], id="endless expression"),
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


def test_several_are_acknowledged_at_once_or_none(world: World) -> None:
    ids = [one["id"] for one in world.watcher("alerts", "--json").json["alerts"]]
    assert len(ids) > 2
    refused = world.watcher("ack", ids[0], "alr_nothing", "--comment", "x")
    assert (refused.code, refused.out) == (1, "")
    assert alert(world, "deployment_idle")["acked_by"] is None
    done = world.watcher("ack", *ids, "--comment", "mine", "--author", "ops")
    assert done.out.count(" acknowledged by ops: ") == len(ids)
    shown = world.watcher("alerts", "--json").json["alerts"]
    assert {(one["kind"], one["acked_by"]) for one in shown} == {("condition", "ops"), ("event", "ops")}


def test_acknowledging_again_names_who_did_so_before_and_replaces_it(world: World) -> None:
    id_ = alert(world, "deployment_idle")["id"]
    world.watcher("ack", id_, "--comment", "on it", "--author", "night")
    world.now += 3 * HOUR
    again = world.watcher("ack", id_, "--comment", "taking over", "--author", "day")
    assert again.out.splitlines()[1] == "  in place of night, who did so 3 h ago: on it"
    assert alert(world, "deployment_idle")["acked_by"] == "day"


def test_of_several_that_begin_so_the_one_that_is_not_over_is_meant(empty_world: World) -> None:
    idle = [make_usage(name, last_success_at=NOW - 13 * DAY) for name in ("support-bot", "busy-bot")]
    empty_world.record(good(jobs=[], usage=idle))
    empty_world.record(good(at=NOW - MINUTE, jobs=[], usage=[idle[0], make_usage("busy-bot", last_success_at=NOW)]))
    statuses = {one["status"] for one in empty_world.watcher("alerts", "--json").json["alerts"]}
    assert statuses == {"firing", "resolved"}
    done = empty_world.watcher("ack", "alr_", "--comment", "on it")
    assert (done.code, "support-bot" in done.out) == (0, True)


def test_an_ambiguous_beginning_is_told_with_what_it_may_mean(world: World) -> None:
    done = world.watcher("ack", "alr_", "--comment", "x")
    assert (done.code, done.err.startswith("watcher: alr_ is the beginning of alr_")) == (2, True)
    assert "…: write more of it" in done.err
    assert world.watcher("ack", "", "--comment", "x").code == 1


def test_an_unknown_alert_is_not_acknowledged(world: World) -> None:
    assert world.watcher("ack", "alr_nothing", "--comment", "x").code == 1


def test_a_silence_that_cannot_be_read_is_shown_with_why_and_hides_nothing(world: World) -> None:
    added = world.watcher("silence", "add", "rule=deployment_idle", "--for", "1d", "--comment", "known", "--json").json
    id_ = added["silence"]["id"]
    assert alert(world, "deployment_idle")["silenced_by"] == [id_]
    store = world.open()
    with store.engine.begin() as tx:  # by an older version, or another hand
        tx.execute(schema.silences.update().values(matchers=['rule=~"(a+)+!"']))
    store.close()
    assert alert(world, "deployment_idle")["silenced_by"] == []
    (silence,) = world.watcher("silence", "list", "--json").json["silences"]
    assert silence["matchers"] == ['rule=~"(a+)+!"']
    assert "could take for ever" in silence["unread_because"]
    head, row, *below = world.watcher("silence", "list").out.splitlines()
    assert (head.split()[2], row.split()[0], row.split()[4]) == ("HIDES", id_, "none")
    assert f"{id_} hides nothing, since it cannot be read:" in " ".join(below)
    for command in (["status"], ["status", "--since", "12h"], ["calendar"], ["report"], ["alerts"]):
        done = world.watcher(*command)
        assert done.code in (0, 3), (command, done.err)
    assert world.watcher("silence", "expire", id_).code == 0
