"""`keep`: deployments that somebody wants to stay; audited. A tag of the deployment itself is stored as such a word."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import AuthorOption, ConfigOption, JsonOption, author_or_user, said
from watcher.cli.options import until as until_of
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.store.engine import Store


def keep(
    ctx: typer.Context,
    deployment: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT/]DEPLOYMENT", show_default=False, help="Which to keep.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help='A date (to its end), an RFC 3339 time, or a span ("30d").'),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show what is kept, by whom and until when.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Keep it no longer.")] = False,
    author: AuthorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a deployment for a while.

    No waste advice and no early steps until then; the 1 d and 6 h warnings still come. Azure does not know of it: only
    calls keep a deployment from being deleted.
    """
    desk: Desk = ctx.obj
    if list_:
        if deployment is not None or until is not None or drop:
            raise typer.BadParameter("stands alone: it shows what is kept, and keeps nothing", param_hint="--list")
        _list(desk, desk.config(config), as_json=as_json)
        return
    if as_json:
        raise typer.BadParameter("goes with --list", param_hint="--json")
    if deployment is None:
        raise typer.BadParameter("which? Or --list what is kept", param_hint="[ACCOUNT/]DEPLOYMENT")
    if drop and until is not None:
        raise typer.BadParameter("does not go with --drop", param_hint="--until")
    if not drop and until is None:
        raise typer.BadParameter("is missing: until when?", param_hint="--until")
    if reason is None:
        raise typer.BadParameter("is missing; say why", param_hint="--reason")
    why, who = said(reason, "--reason"), author_or_user(author)
    settings = desk.config(config)
    with desk.store(settings) as store:
        if until is None:
            _drop(desk, store, deployment, who, why)
        else:
            until_at = until_of(until, now=desk.now(), zone=settings.watcher.timezone)
            _keep(desk, store, settings, deployment, until_at, who, why)


def _keep(desk: Desk, store: "Store", settings: "Config", wanted: str, until_at: datetime, who: str, why: str) -> None:
    from watcher.answers import acts
    from watcher.rules.text import moment
    from watcher.settings import frame_of

    frame = frame_of(settings, desk.now())
    kept = store.write_now(acts.keep, frame, wanted, until=until_at, author=who, reason=why)
    desk.say(f"{kept.row.seen.account.label}/{kept.keep.deployment} is kept until {moment(until_at)}")
    if kept.earlier is not None and kept.earlier.author:
        earlier = kept.earlier
        desk.say(f"  in place of {earlier.author}'s word: until {moment(earlier.until)}, {earlier.reason}")
    for warning in kept.warnings:
        desk.complain(f"warning: {warning}")


def _drop(desk: Desk, store: "Store", wanted: str, who: str, why: str) -> None:
    from watcher.answers import acts
    from watcher.rules.text import moment

    one, warnings = store.write_now(acts.drop, wanted, author=who, reason=why, now=desk.now())
    desk.say(f"{one.label}/{one.name} is kept no longer; it was until {moment(one.keep.until)}, by {one.keep.author}")
    for warning in warnings:
        desk.complain(f"warning: {warning}")


def _list(desk: Desk, settings: "Config", *, as_json: bool) -> None:
    from watcher.answers import acts
    from watcher.cli.wording import ahead
    from watcher.report.records import document, keep_record

    now = desk.now()
    with desk.store(settings) as store:
        shown = store.read_now(acts.keeps, now)
    if as_json:
        records = [keep_record(one.keep, one.label) | {"deployment": one.name} for one in shown]
        desk.document(document("keeps", records, now=now))
        return
    if not shown:
        desk.say("no deployment is kept")
        return
    columns = [
        Column("ACCOUNT", 10),
        Column("DEPLOYMENT", 12, is_id=True),
        Column("ENDS", 9, is_whole=True),
        Column("AUTHOR", 6),
        Column("REASON", 10, keeps_end=False),
    ]
    rows: list[list[Any]] = [
        [one.label, one.name, ahead(one.keep.until, now), one.keep.author, one.keep.reason] for one in shown
    ]
    desk.lines(table(columns, rows, desk.width))
