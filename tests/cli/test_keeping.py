"""`keep`: said, listed, taken back, audited, and with a warning where a deletion comes first."""

import pytest

from tests.cli.world import World, good
from tests.factories import NOW, make_deployment
from watcher.store import operators
from watcher.store.operators import AuditEntry

KEEP = ("--until", "2d", "--reason", "launch", "--author", "ops")


def audit(world: World) -> list[AuditEntry]:
    store = world.open()
    try:
        return list(store.read_now(operators.audit))
    finally:
        store.close()


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
        pytest.param(["support-bot", "--reason", "x"], 2, id="no end"),
        pytest.param(["--until", "2d", "--reason", "x"], 2, id="no deployment"),
        pytest.param(["support-bot", "--drop"], 2, id="dropped without a reason"),
        pytest.param(["support-bot", "--drop", "--reason", "x"], 1, id="dropped and not kept"),
        pytest.param(["support-bot", "--drop", "--until", "2d", "--reason", "x"], 2, id="dropped until"),
        pytest.param(["support-bot", "--list"], 2, id="listed by name"),
        pytest.param(["support-bot", *KEEP, "--json"], 2, id="kept as JSON"),
    ],
)
def test_a_bad_keep_is_refused(world: World, args: list[str], code: int) -> None:
    assert world.watcher("keep", *args).code == code


def test_what_is_kept_is_listed_and_taken_back(world: World) -> None:
    assert world.watcher("keep", "--list").out == "no deployment is kept\n"
    world.watcher("keep", "support-bot", *KEEP)
    world.watcher("keep", "busy-bot", "--until", "1d", "--reason", "demo", "--author", "ops")
    listed = world.watcher("keep", "--list", "--json").json["keeps"]
    assert [(each["account"], each["deployment"], each["until"], each["reason"]) for each in listed] == [
        ("contoso-ft", "busy-bot", "2026-11-23T08:00:00Z", "demo"),
        ("contoso-ft", "support-bot", "2026-11-24T08:00:00Z", "launch"),
    ]
    assert world.watcher("keep", "--list").out.splitlines()[2].split() == [
        *("contoso-ft", "support-bot", "in", "2", "d", "ops", "launch")
    ]
    elsewhere = world.watcher("keep", "tailspin/support-bot", "--drop", "--reason", "x")
    assert (elsewhere.code, "tailspin/support-bot is not kept" in elsewhere.err) == (1, True)
    done = world.watcher("keep", "contoso-ft/SUPPORT-BOT", "--drop", "--reason", "not needed", "--author", "night")
    assert done.out == "contoso-ft/support-bot is kept no longer; it was until 2026-11-24 08:00 UTC, by ops\n"
    assert [each["deployment"] for each in world.watcher("keep", "--list", "--json").json["keeps"]] == ["busy-bot"]
    entry = audit(world)[0]
    assert (entry.action, entry.author, entry.comment) == ("keep.drop", "night", "not needed")
    told = world.watcher("explain", "support-bot", "--json").json["explanation"]
    assert [each["action"] for each in told["audit"]] == ["keep.drop", "keep"]


def test_a_later_word_names_the_one_that_it_replaces(world: World) -> None:
    world.watcher("keep", "support-bot", *KEEP)
    done = world.watcher("keep", "support-bot", "--until", "1d", "--reason", "shorter", "--author", "day")
    assert done.out.splitlines()[1] == "  in place of ops's word: until 2026-11-24 08:00 UTC, launch"


def test_a_keep_by_tag_is_listed_and_taking_it_back_says_that_the_tag_stands(world: World) -> None:
    tagged = [make_deployment("busy-bot", tags={"watcher-keep-until": "2026-12-01"})]
    world.record(good(at=NOW, job_status="failed", deployments=tagged))
    (listed,) = world.watcher("keep", "--list", "--json").json["keeps"]
    assert (listed["author"], listed["until"]) == ("tag watcher-keep-until", "2026-12-02T00:00:00Z")
    done = world.watcher("keep", "busy-bot", "--drop", "--reason", "x")
    assert "its tag watcher-keep-until still stands in Azure" in done.err
    assert world.watcher("keep", "--list", "--json").json["keeps"] == []
