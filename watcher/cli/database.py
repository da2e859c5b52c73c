"""`db upgrade`, `db backup` and `db prune`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.errors import Refused


def upgrade(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Create the database, or bring its schema up to date. `watcher run` does so at its start."""
    from watcher.store import engine, schema

    desk: Desk = ctx.obj
    settings = desk.config(config)
    desk.quieten()
    database = engine.connect(settings.database.address.reveal())
    try:
        was_behind = engine.upgrade(database)
    finally:
        database.dispose()
    desk.say(f"the database is at schema {schema.HEAD}" + ("" if was_behind else " already"))


def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; an existing one is never overwritten.")],
    config: ConfigOption = None,
) -> None:
    """Copy the database, whole and consistent, while the daemon goes on."""
    from watcher.store import engine

    desk: Desk = ctx.obj
    settings = desk.config(config)
    database = engine.connect(settings.database.address.reveal())
    try:
        if database.dialect.name != "sqlite":
            raise Refused("this copies SQLite databases only: for PostgreSQL use pg_dump", code=2)
        source = database.url.database
        if not source or not Path(source).exists():
            raise Refused(f"there is no database at {source} to copy", code=2)
        with engine.translated():
            _copy(database, file)
    finally:
        database.dispose()
    desk.say(f"{source} copied to {file} ({file.stat().st_size} bytes)")


def _copy(database: Any, file: Path) -> None:
    """SQLite's own online backup, into a file that only this user may read."""
    import contextlib
    import sqlite3

    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise Refused(f"{file} exists already: name a new file", code=2) from None
    except OSError as exc:
        raise Refused(f"{file} cannot be written ({exc.strerror}): name another place", code=2) from None
    try:
        with (
            contextlib.closing(sqlite3.connect(file)) as copy,
            contextlib.closing(database.raw_connection()) as connection,
        ):
            connection.driver_connection.backup(copy)
            if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise Refused("the copy is damaged and was removed: check the database's disk")
    except BaseException as exc:
        file.unlink(missing_ok=True)  # half a copy is worse than none
        if isinstance(exc, sqlite3.Error):
            raise Refused(f"the database could not be copied: {exc}") from exc
        raise


def prune(
    ctx: typer.Context,
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let go of what ended longer ago than `[database] retention`; alerts that fire and their history stay."""
    import asyncio
    from dataclasses import asdict

    from watcher.config import format_duration
    from watcher.report.records import document
    from watcher.store import retention

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    kept = settings.database.retention
    with desk.store(settings) as store:
        if dry_run:
            pruned = asyncio.run(store.rehearse(retention.prune, before=now - kept))
        else:
            pruned = retention.prune_stepwise(store, before=now - kept)
    counts = asdict(pruned)
    if as_json:
        desk.document(document("pruned", counts, now=now, dry_run=dry_run))
        return
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing"
    desk.say(f"{'would remove' if dry_run else 'removed'} what ended over {format_duration(kept)} ago: {told}")
