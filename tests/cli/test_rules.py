"""`rules test`: the spans it takes, what it prints, and that it only reads."""

import pytest

from tests.cli.world import World


def test_what_would_have_been_sent_is_printed_in_eighty_columns(world: World) -> None:
    before = world.database.read_bytes()
    done = world.watcher("rules", "test", "--since", "7d")
    assert (done.code, done.err) == (0, "")
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert done.out.splitlines()[0].startswith("From 2026-11-15 ")
    assert "Not replayed, or not as it was:" in done.out
    assert world.database.read_bytes() == before


def test_one_document_with_stable_keys(world: World) -> None:
    document = world.watcher("rules", "test", "--since", "7d", "--json").json
    assert document.keys() == {
        *("version", "as_of", "since", "until", "messages", "standing", "totals"),
        *("sent", "same", "only_now", "only_then", "not_replayed"),
    }
    assert document["totals"]["messages"] == len(document["messages"]) > 0
    assert {"at", "receiver", "reason", "group", "alerts"} == document["messages"][0].keys()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["--since", "soon"], "'soon' is no time", id="no time"),
        pytest.param(["--since", "2027-01-01"], "'2027-01-01' is not past", id="since ahead"),
        pytest.param(["--until", "2027-01-01"], "'2027-01-01' is still to come", id="until ahead"),
        pytest.param(["--since", "2d", "--until", "3d"], "'3d' is not after --since '2d'", id="backwards"),
    ],
)
def test_a_bad_span_is_refused(world: World, args: list[str], said: str) -> None:
    done = world.watcher("rules", "test", *args)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_time_of_which_nothing_is_recorded_is_refused(world: World) -> None:
    done = world.watcher("rules", "test", "--since", "400d", "--until", "300d")
    assert (done.code, done.out) == (1, "")
    assert "nothing is recorded of that time: start `watcher run`" in done.err


def test_without_a_database_there_is_nothing_to_replay(empty_world: World) -> None:
    done = empty_world.watcher("rules", "test")
    assert (done.code, done.out) == (2, "")
    assert "there is no database" in done.err
