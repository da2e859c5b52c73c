"""`db`: upgrade, an online copy that overwrites nothing, and retention that lets go of nothing that is needed."""

import sqlite3
import stat
from datetime import timedelta

from tests.cli.world import World, good
from tests.factories import DAY, HOUR, NOW, make_usage


def count(world: World, table: str) -> int:
    connection = sqlite3.connect(world.database)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def test_upgrade_creates_and_can_be_repeated(empty_world: World) -> None:
    first, second = empty_world.watcher("db", "upgrade"), empty_world.watcher("db", "upgrade")
    assert (first.code, second.code) == (0, 0)
    assert "already" in second.out
    assert empty_world.watcher("status").code == 0


def test_a_backup_is_whole_private_and_overwrites_nothing(world: World) -> None:
    copy = world.folder / "copy.db"
    assert world.watcher("db", "backup", str(copy)).code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    other = World(world.folder / "other") if (world.folder / "other").mkdir() is None else world
    copy.rename(other.database)
    assert other.watcher("alerts", "--json").json == world.watcher("alerts", "--json").json
    again = world.watcher("db", "backup", str(other.database))
    assert (again.code, "exists already" in again.err) == (2, True)
    assert world.watcher("db", "backup", "/nowhere/at/all.db").code == 2


def test_a_backup_of_nothing_leaves_nothing(empty_world: World) -> None:
    assert empty_world.watcher("db", "backup", str(empty_world.folder / "copy.db")).code == 2
    assert not (empty_world.folder / "copy.db").exists()
    assert not empty_world.database.exists()


def test_postgresql_has_its_own_tools(world: World) -> None:
    world.config.write_text(world.config.read_text().replace(f"sqlite:///{world.database}", "postgresql+psycopg://h/d"))
    done = world.watcher("db", "backup", str(world.folder / "copy.db"))
    assert (done.code, "pg_dump" in done.err) == (2, True)


def test_pruning_keeps_what_is_young(world: World) -> None:
    assert set(world.watcher("db", "prune", "--json").json["pruned"].values()) == {0}


def test_pruning_lets_go_of_what_ended_and_was_told(world: World) -> None:
    """The failed job was told of, so its alert goes with all its rows; what fires stays, however old."""
    world.now = NOW + timedelta(days=500)
    before = {table: count(world, table) for table in ("alerts", "told", "notifications", "attempts", "transitions")}
    rehearsed = world.watcher("db", "prune", "--dry-run", "--json").json
    assert rehearsed["dry_run"] is True
    assert {table: count(world, table) for table in before} == before
    pruned = world.watcher("db", "prune", "--json").json["pruned"]
    assert pruned == rehearsed["pruned"]
    assert (pruned["alerts"], pruned["transitions"]) == (1, before["transitions"])
    left = {alert["rule"] for alert in world.watcher("alerts", "--json", "--since", "600d").json["alerts"]}
    assert left == {"deployment_idle", "account_forbidden"}, "what fires stays, however old"
    assert count(world, "told") == before["told"] - 1
    assert set(world.watcher("db", "prune", "--json").json["pruned"].values()) == {0}


def test_pruning_waits_until_everyone_was_told(world: World) -> None:
    """A condition that ended long ago, of whose end the receiver has not heard yet, stays."""
    usage = [make_usage("support-bot", last_success_at=NOW), make_usage("busy-bot", last_success_at=NOW)]
    world.record(good(at=NOW + HOUR, job_status="failed", usage=usage))
    world.now = NOW + 500 * DAY
    world.watcher("db", "prune")
    left = {alert["rule"] for alert in world.watcher("alerts", "--json", "--since", "600d").json["alerts"]}
    assert "deployment_idle" in left
