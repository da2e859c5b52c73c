"""`keep`: deployments that somebody wants to stay; audited. A tag of the deployment itself is stored as such a word."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk, Refused
from watcher.cli.options import AuthorOption, ConfigOption, JsonOption, author_or_user, said
from watcher.cli.options import until as until_of
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from watcher.alerts.keep import Keep
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
    from watcher.alerts.keep import Keep
    from watcher.cli.dossier import find
    from watcher.cli.lifetimes import lifetimes_of
    from watcher.cli.wording import remaining
    from watcher.rules.text import moment
    from watcher.store import alerts

    now = desk.now()
    dossier = store.read_now(find, wanted, routing=None, now=now, lifetimes=lifetimes_of(settings))
    found = dossier.deployment
    if found is None or found.ended_at is not None:
        raise Refused(f"{wanted} is no living deployment: see `watcher deployments`")
    name, account = found.deployment.name, found.deployment.account
    kept = Keep(account=account, deployment=name, until=until_at, author=who, reason=why)
    store.write_now(alerts.save_keep, kept, now=now)
    label = dossier.account.label if dossier.account else account
    desk.say(f"{label}/{name} is kept until {moment(until_at)}")
    if dossier.keep is not None and dossier.keep.author:
        earlier = dossier.keep
        desk.say(f"  in place of {earlier.author}'s word: until {moment(earlier.until)}, {earlier.reason}")
    standing = dossier.standing
    earliest = standing.deletion_earliest if standing else None
    if standing is not None and earliest is not None and earliest < until_at:
        text = f"Azure may delete {name} before that, {remaining(standing, now)[0]} ({moment(earliest)})"
        desk.complain(f"warning: {text}, unless it is called: keep does not stop it")
    elif standing is not None and standing.is_fine_tuned and earliest is None:
        desk.complain(f"warning: when Azure may delete {name} is unknown: {standing.unknown_because}")


def _drop(desk: Desk, store: "Store", wanted: str, who: str, why: str) -> None:
    """End an exception, also one of a deployment that is gone: it would carry over to a new life of the name."""
    from watcher.resources.deployment import KEEP_TAG
    from watcher.rules.text import moment
    from watcher.store import alerts

    now = desk.now()
    place, _, name = wanted.rpartition("/")
    shown = store.read_now(_shown, now)
    found = [one for one in shown if one.name.lower() == name.lower() and place.lower() in ("", *one.places)]
    if not found:
        raise Refused(f"{wanted} is not kept: see `watcher keep --list`")
    if len(found) > 1:
        raise Refused(f"{wanted} is ambiguous: {', '.join(f'{one.label}/{one.name}' for one in found)}", code=2)
    one = found[0]

    def apply(tx: "Connection") -> None:
        alerts.drop_keep(tx, one.keep.account, one.keep.deployment)
        subject = f"{one.keep.account}/{one.name}"
        alerts.record(tx, author=who, action="keep.drop", subject=subject, comment=why, now=now)

    store.write_now(apply)
    desk.say(f"{one.label}/{one.name} is kept no longer; it was until {moment(one.keep.until)}, by {one.keep.author}")
    if KEEP_TAG in one.keep.author:
        desk.complain(f"warning: its tag {KEEP_TAG} still stands in Azure, and counts again once it is changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A keep, with the names of what it keeps."""

    keep: "Keep"
    label: str  #: of the account
    places: tuple[str, ...]  #: what else the account is called, in lower case
    name: str  #: of the deployment, as Azure writes it where it stands


def _shown(tx: "Connection", now: datetime) -> "list[Shown]":
    """What is kept, the next to end first."""
    from watcher.store import alerts, listings

    watched = {one.account.key: one for one in listings.accounts(tx, with_removed=True)}
    names = {d.key: d.name for one in watched.values() for d in one.reading.deployments or ()}
    shown = []
    for each in alerts.keeps(tx, since=now):
        found = watched.get(each.account)
        label = found.account.label if found else each.account
        places = (label.lower(), each.account.lower(), *((found.account.name.lower(),) if found else ()))
        name = names.get(f"{each.account}/deployments/{each.deployment}".lower(), each.deployment)
        shown.append(Shown(keep=each, label=label, places=places, name=name))
    return shown


def _list(desk: Desk, settings: "Config", *, as_json: bool) -> None:
    from watcher.cli.wording import ahead
    from watcher.report.records import document, keep_record

    now = desk.now()
    with desk.store(settings) as store:
        shown = store.read_now(_shown, now)
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
