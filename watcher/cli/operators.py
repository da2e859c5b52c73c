"""`silence` and `ack`: what operators say of alerts. All of it is audited."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import (
    AuthorOption,
    CommentOption,
    ConfigOption,
    JsonOption,
    WhyOption,
    author_or_user,
    said,
    span_of,
)
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.alerts.alert import Alert

#: Alerts that a new silence shows; the rest is counted.
_MOST = 12
#: A longer silence outlasts the memory of who made it.
_LONG = timedelta(days=30)
_LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def silence_add(
    ctx: typer.Context,
    matchers: Annotated[
        list[str], typer.Argument(metavar="MATCHER…", help='rule=deployment_idle, account=~"dev-.*", owner!=""')
    ],
    for_: Annotated[str, typer.Option("--for", metavar="SPAN", help='How long: "2h", "3d".')],
    comment: CommentOption,
    force: Annotated[
        bool, typer.Option("--force", help="Also hide the last 24 h before a deletion, which come through otherwise.")
    ] = False,
    author: AuthorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep quiet what all the matchers match.

    The alerts go on firing, and are told when the silence ends. A deletion less than 24 h away comes through, unless
    forced.
    """
    from watcher.answers import acts
    from watcher.report.records import document, silence_record
    from watcher.rules.text import moment
    from watcher.settings import known_of

    desk: Desk = ctx.obj
    ends_in = span_of(for_, option="--for")
    why, who = said(comment, "--comment"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        done = store.write_now(
            acts.silence,
            matchers,
            ends_at=now + ends_in,
            author=who,
            comment=why,
            is_forced=force,
            known=known_of(settings),
            now=now,
        )
    silence, quiet, through = done.silence, done.quiets, done.comes_through
    if as_json:
        record = silence_record(silence, now=now)
        ids = {"quiets": [one.id for one in quiet], "comes_through": [one.id for one in through]}
        desk.document(document("silence", {**record, **ids, "warnings": list(done.warnings)}, now=now))
    else:
        fires = "1 alert that fires" if len(quiet) == 1 else f"{len(quiet) or 'no'} alerts that fire"
        desk.say(f"{silence.id} until {moment(silence.ends_at)}: quiets {fires} now")
        _show(desk, quiet, now)
        if through:
            desk.say("These come through all the same: their deletion is less than 24 h away, or overdue.")
            _show(desk, through, now)
    for warning in done.warnings:
        desk.complain(f"warning: {warning}")


def _show(desk: Desk, found: "Sequence[Alert]", now: datetime) -> None:
    from watcher.alerts.summary import summary_at
    from watcher.cli.wording import severity

    if not found:
        return
    columns = [Column("ID", 12, keeps_end=False), Column("SEVERITY", 8), Column("SUMMARY", 20, keeps_end=False)]
    rows: list[list[Any]] = [
        [alert.id[:12], severity(alert.severity), summary_at(alert, now)] for alert in found[:_MOST]
    ]
    desk.lines(table(columns, rows, desk.width, indent=2))
    if len(found) > _MOST:
        desk.say(f"  … and {len(found) - _MOST} more: watcher alerts --status silenced", "dim")


def silence_list(
    ctx: typer.Context,
    config: ConfigOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The silences, the next to end first."""
    from watcher.cli.wording import ahead, past
    from watcher.report.records import document, silence_record
    from watcher.store import operators

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        found = store.read_now(operators.silences, since=_LONG_AGO if all_ else now)
    if as_json:
        desk.document(document("silences", [silence_record(silence, now=now) for silence in found], now=now))
        return
    columns = [
        Column("ID", 16, is_id=True),
        Column("ENDS", 9, is_whole=True),
        Column("HIDES", 5),
        Column("MATCHERS", 14, keeps_end=False),
        Column("AUTHOR", 6),
        Column("COMMENT", 10, keeps_end=False),
    ]
    rows: list[list[Any]] = [
        [
            silence.id,
            ahead(silence.ends_at, now) if silence.is_active(now) else (past(silence.ends_at, now), "dim"),
            ("none", "red") if silence.unread_because else ("all", "yellow") if silence.is_forced else "",
            " ".join(str(matcher) for matcher in silence.matchers),
            silence.author,
            silence.comment,
        ]
        for silence in found
    ]
    desk.lines(table(columns, rows, desk.width))
    for silence in found:
        if silence.unread_because:
            desk.say(f"{silence.id} hides nothing, since it cannot be read: {silence.unread_because}", "red")
    if any(silence.unread_because for silence in found):
        desk.say("end it (watcher silence expire ID), and add it anew if it is still wanted", "dim")
    if any(silence.is_forced for silence in found):
        desk.say('HIDES "all": forced, so that the last 24 h before a deletion are hidden too', "dim")


def silence_expire(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Of silences, or the beginning of each.")],
    comment: WhyOption = "",
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """End silences now. What they kept quiet and still fires is told."""
    from watcher.answers import acts

    desk: Desk = ctx.obj
    who = author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        for silence in store.write_now(acts.expire, ids, author=who, comment=comment.strip(), now=now):
            desk.say(f"{silence.id} has ended")


def ack(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Of alerts, or the beginning of each.")],
    comment: CommentOption,
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Say that somebody looks after alerts.

    Their reminders and their escalation stop; the steps of a countdown, a raised severity and the resolve still
    come."""
    from watcher.answers import acts
    from watcher.rules.text import ago

    desk: Desk = ctx.obj
    why, who = said(comment, "--comment"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        done = store.write_now(acts.acknowledge, ids, author=who, comment=why, now=now)
    for one in done:
        alert = one.alert
        desk.say(f"{alert.id} acknowledged by {who}: {alert.finding.summary}")
        if alert.acked_at is not None:
            words = f": {one.earlier.comment}" if one.earlier is not None and one.earlier.comment else ""
            desk.say(f"  in place of {alert.acked_by}, who did so {ago(alert.acked_at, now)}{words}")
