"""The program: its commands, each from the module that holds it, and how errors become exit codes."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from watcher import __version__
from watcher.cli import (
    calendar,
    checks,
    database,
    deliveries,
    deployments,
    explain,
    history,
    holdings,
    init,
    keeping,
    listings,
    operators,
    permissions,
    report,
    rules,
    status,
    trying,
)
from watcher.cli import run as running
from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption
from watcher.errors import ConfigurationError, NewerSchemaError, OutdatedSchemaError, Refused, WatcherError

_PACKAGE = Path(__file__).parent.parent

#: What a shell reports for a process that Ctrl-C ended.
_INTERRUPTED = 130


def build() -> typer.Typer:
    """The commands, in the order in which `--help` shows them."""
    app = _group("Watches Azure OpenAI fine-tuning jobs and deployments, and tells their owners in time.")
    app.callback(invoke_without_command=True)(_root)
    for command in (running.run, running.demo, running.simulate):
        app.command()(command)
    app.command()(init.init)
    app.command("check-config")(checks.check_config)
    app.command()(permissions.permissions)
    app.command()(status.status)
    for listing in (
        listings.jobs,
        deployments.deployments,
        holdings.models,
        holdings.files,
        listings.accounts,
        history.transitions,
        history.alerts,
    ):
        app.command()(listing)
    app.command()(explain.explain)
    app.command()(report.report)
    app.command()(calendar.calendar)
    app.add_typer(_silence(), name="silence")
    app.command()(operators.ack)
    app.command()(keeping.keep)
    app.add_typer(_notify(), name="notify")
    app.add_typer(_routes(), name="routes")
    app.add_typer(_rules(), name="rules")
    app.add_typer(_outbox(), name="outbox")
    app.add_typer(_db(), name="db")
    app.command()(checks.schema)
    app.command()(checks.health)
    return app


def _group(help_: str) -> typer.Typer:
    return typer.Typer(
        help=help_,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _silence() -> typer.Typer:
    group = _group("Keep alerts quiet for a while.")
    group.command("add")(operators.silence_add)
    group.command("list")(operators.silence_list)
    group.command("expire")(operators.silence_expire)
    return group


def _notify() -> typer.Typer:
    group = _group("Try the receivers.")
    group.callback()(lambda: None)  # so that the only command keeps its name
    group.command("test")(trying.notify_test)
    return group


def _routes() -> typer.Typer:
    group = _group("Try the routes.")
    group.callback()(lambda: None)
    group.command("test")(trying.routes_test)
    return group


def _rules() -> typer.Typer:
    group = _group("Try the rules.")
    group.callback()(lambda: None)
    group.command("test")(rules.rules_test)
    return group


def _outbox() -> typer.Typer:
    group = _group("Undelivered and dead notifications.")
    group.command("list")(deliveries.outbox_list)
    group.command("retry")(deliveries.outbox_retry)
    group.command("drop")(deliveries.outbox_drop)
    return group


def _db() -> typer.Typer:
    group = _group("Migrations, backup and retention.")
    group.command("upgrade")(database.upgrade)
    group.command("backup")(database.backup)
    group.command("prune")(database.prune)
    return group


def _root(
    ctx: typer.Context,
    config: ConfigOption = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    desk: Desk = ctx.obj
    desk.config_path = config
    if version:
        desk.out.write(f"watcher {__version__}\n")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        desk.err.write(ctx.get_help() + "\n")
        raise typer.Exit(2)


def run(args: Sequence[str], desk: Desk | None = None) -> int:
    """Run one command and return its exit code. An error is one line on standard error that says what to do."""
    desk = desk or Desk()
    try:
        code = build()(args=list(args), prog_name="watcher", standalone_mode=False, obj=desk)
        desk.out.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        return _unread()
    except SystemExit as exc:  # of typer, which ends the program itself where a pipe breaks, and calls that a failure
        if isinstance(exc.__context__, BrokenPipeError):
            return _unread()
        raise
    except (KeyboardInterrupt, typer.Abort):
        desk.complain("watcher: interrupted")
        return _INTERRUPTED
    except typer.TyperException as exc:
        desk.complain(f"watcher: {_usage(exc)}")
        return 2
    except WatcherError as exc:
        desk.complain(f"watcher: {_message(exc)}")
        return _code(exc)
    except Exception as exc:
        desk.complain(f"watcher: {_defect(exc)}")
        return 1


def _unread() -> int:
    """The reader has seen enough, as in `watcher alerts | head`: what is still to be written goes nowhere."""
    sys.stdout, sys.stderr = sys.__stdout__ or sys.stdout, sys.__stderr__ or sys.stderr
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _usage(exc: typer.TyperException) -> str:
    formatted = getattr(exc, "format_message", None)
    message = str(formatted() if formatted else exc).rstrip(".")
    context = getattr(exc, "ctx", None)
    return f"{message}; see `{context.command_path} --help`" if context is not None else message


def _message(exc: WatcherError) -> str:
    if isinstance(exc, ConfigurationError) and len(exc.problems) > 1:
        return f"{exc.problems[0]} (and {len(exc.problems) - 1} more: run `watcher check-config`)"
    return exc.message


def _code(exc: WatcherError) -> int:
    if isinstance(exc, Refused):
        return exc.code
    return 2 if isinstance(exc, ConfigurationError | OutdatedSchemaError | NewerSchemaError) else 1


def _defect(exc: Exception) -> str:
    """A fault of ours, in one line: what, and where in our own code."""
    ours = [frame for frame in traceback.extract_tb(exc.__traceback__) if Path(frame.filename).is_relative_to(_PACKAGE)]
    where = f" at {Path(ours[-1].filename).relative_to(_PACKAGE)}:{ours[-1].lineno}" if ours else ""
    return f"a defect in watcher, please report it: {type(exc).__name__}{where}: {exc}"
