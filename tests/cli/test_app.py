"""How the program starts, and what errors look like: one line on standard error, and the right exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cli.world import World
from watcher import __version__
from watcher.cli import main
from watcher.cli.desk import Desk
from watcher.store.engine import connect, upgrade


def program(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", "from watcher.cli import main; main()", *args]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WATCHER_")}
    return subprocess.run(command, capture_output=True, text=True, env={**clean, **environ}, timeout=60)


def test_version_needs_nothing_but_the_interpreter() -> None:
    script = "import sys; from watcher.cli import main; main(['--version']); print('typer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [f"watcher {__version__}", "False"]


def test_help_loads_neither_the_database_nor_the_configuration() -> None:
    script = (
        "import sys; from watcher.cli.app import run; run(['--help']);"
        "print([name for name in ('sqlalchemy', 'pydantic', 'alembic', 'httpx', 'apprise') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        pytest.param(["nonsense"], 2, "No such command 'nonsense'", id="unknown command"),
        pytest.param(["jobs", "--nonsense"], 2, "No such option: --nonsense", id="unknown option"),
        pytest.param(["silence", "add"], 2, "Missing argument", id="missing argument"),
        pytest.param(["status", "--config", "/nowhere.toml"], 2, "/nowhere.toml: no such file", id="no configuration"),
    ],
)
def test_errors_are_one_line_on_standard_error(args: list[str], code: int, said: str) -> None:
    done = program(*args)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("args", [("--help",), ("schema",), ("jobs", "--json"), ("status",)], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_failure(world: World, args: tuple[str, ...]) -> None:
    """As in `watcher jobs | head -1`: quiet, and no failure of a script that minds pipes."""
    for unbuffered in ("", "1"):
        reads, writes = os.pipe()
        os.close(reads)
        command = [sys.executable, "-c", "from watcher.cli import main; main()", *args]
        environ = {**os.environ, **world.environ, "WATCHER_CONFIG": str(world.config), "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, env=environ, timeout=60)
        os.close(writes)
        assert (done.returncode, done.stderr) == (0, "")


def test_without_a_command_the_help_is_shown_and_the_usage_was_wrong() -> None:
    done = program()
    assert done.returncode == 2
    assert "Commands:" in done.stderr


def test_main_exits_with_the_code(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "nothing-of-the-kind", "--config", str(world.config)])
    assert stopped.value.code != 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "jobs", "deployments", "accounts", "transitions", "alerts"])
def test_the_configuration_may_stand_before_and_after_the_command(world: World, command: str) -> None:
    after = world.watcher(command)
    before = world.watcher("--config", str(world.config), command, with_config=False)
    assert after == before
    assert after.code == 0


def test_several_mistakes_are_told_by_the_first_and_the_way_to_the_others(empty_world: World) -> None:
    empty_world.config.write_text("[pol]\n[wather]\n")
    done = empty_world.watcher("jobs")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "and 1 more: run `watcher check-config`" in done.err


def test_listings_create_no_database(empty_world: World) -> None:
    done = empty_world.watcher("status")
    assert done.code == 2
    assert "start `watcher run`" in done.err
    assert not empty_world.database.exists()


@pytest.mark.parametrize(
    ("revision", "said"), [("0000", "watcher db upgrade"), ("9999", "install the newer watcher again")]
)
def test_a_database_of_another_version_is_left_alone(world: World, revision: str, said: str) -> None:
    engine = connect(f"sqlite:///{world.database}")
    with engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    engine.dispose()
    done = world.watcher("status")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_an_empty_database_shows_that_nothing_is_known(empty_world: World) -> None:
    engine = connect(f"sqlite:///{empty_world.database}")
    upgrade(engine)
    engine.dispose()
    for command in ("status", "jobs", "deployments", "accounts", "transitions", "alerts"):
        done = empty_world.watcher(command)
        assert (done.code, done.err) == (0, "")
    assert "no account is known yet" in empty_world.watcher("status").out


def test_a_damaged_database_is_told_in_one_line(empty_world: World) -> None:
    empty_world.database.write_bytes(b"this is no database, but long enough to be looked at" * 40)
    done = empty_world.watcher("status")
    assert done.code == 1
    assert done.err.count("\n") == 1


def test_secrets_of_the_configuration_are_cut_out_of_complaints(world: World) -> None:
    import io

    err = io.StringIO()
    desk = Desk(environ=world.environ, err=err)
    desk.config(world.config)
    desk.complain(f"Azure says: {world.environ['CANARY_TOKEN']} is refused")
    assert err.getvalue() == "Azure says: *** is refused\n"


def test_colours_are_for_terminals(world: World, tmp_path: Path) -> None:
    assert "\x1b" not in world.watcher("status").out
