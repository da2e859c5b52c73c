"""`notify test`, `routes test` and `outbox`."""

import pytest

from tests.cli.world import World


def test_a_sample_is_really_sent(world: World) -> None:
    done = world.watcher("notify", "test", "screen", "--rule", "job_failed")
    assert done.code == 0
    assert "job_failed" in done.out
    assert done.out.splitlines()[-1] == "screen (console): delivered: written"


def test_a_channel_that_fails_has_its_line_and_the_others_are_sent(world: World) -> None:
    text = world.config.read_text().replace("https://hooks.example.com/x", "http://127.0.0.1:9/x")
    world.config.write_text(text)
    done = world.watcher("notify", "test")
    assert done.code == 3
    assert done.err.startswith("hook (webhook): not delivered (")
    assert done.err.count("\n") == 1
    assert "screen (console): delivered" in done.out


@pytest.mark.parametrize("args", [["nobody"], ["screen", "--rule", "no_such_rule"]])
def test_unknown_receivers_and_rules_are_wrong_usage(world: World, args: list[str]) -> None:
    done = world.watcher("notify", "test", *args)
    assert (done.code, done.out) == (2, "")


def test_a_type_of_a_later_version_is_told(world: World) -> None:
    world.environ["TEAMS"] = "https://teams.example.com/hook"
    world.config.write_text(world.config.read_text() + '[[receivers]]\nname="t"\ntype="teams"\nurl_env="TEAMS"\n')
    done = world.watcher("notify", "test", "t")
    assert (done.code, "not available in this version" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        pytest.param(["rule=deployment_idle", "severity=info"], ["hook"], id="child"),
        pytest.param(["rule=job_failed"], ["screen"], id="root"),
        pytest.param(["rule=deployment_wasting"], [], id="for reports only"),
    ],
)
def test_routes_are_tried(world: World, labels: list[str], receivers: list[str]) -> None:
    routes = world.watcher("routes", "test", *labels, "--json").json["routes"]
    assert [route["receiver"] for route in routes] == receivers
    assert world.watcher("routes", "test", *labels).code == 0


def test_a_label_without_a_value_is_wrong_usage(world: World) -> None:
    assert world.watcher("routes", "test", "rule").code == 2


def test_dead_notifications_are_tried_again(world: World) -> None:
    (dead,) = world.watcher("outbox", "list", "--json").json["notifications"]
    assert (dead["state"], dead["attempts"], dead["due_at"]) == ("dead", 1, None)
    assert world.watcher("outbox", "retry", dead["id"], "--author", "ops").code == 0
    (waiting,) = world.watcher("outbox", "list", "--json").json["notifications"]
    assert (waiting["state"], waiting["due_at"]) == ("pending", "2026-11-22T08:00:00Z")
    assert len(world.watcher("outbox", "list", "--all", "--json").json["notifications"]) > 1


def test_what_is_dropped_is_named(world: World) -> None:
    assert world.watcher("outbox", "drop").code == 2
    assert world.watcher("outbox", "drop", "ntf_nothing").code == 1
    assert world.watcher("outbox", "drop", "--all").code == 0
    assert world.watcher("outbox", "list", "--json").json["notifications"] == []
    assert world.watcher("outbox", "retry").out == "0 notifications made due at once\n"
