"""`silence` and `ack`: what operators say of alerts. All of it is audited."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk, Refused
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

    from sqlalchemy import Connection

    from watcher.alerts.alert import Alert
    from watcher.alerts.silence import Silence
    from watcher.store.engine import Store

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
    from watcher.alerts.lint import odd_matchers
    from watcher.alerts.matcher import parse_matchers
    from watcher.alerts.silence import hushed
    from watcher.cli.checks import known_of
    from watcher.report.records import document, silence_record
    from watcher.rules.text import duration, moment
    from watcher.store import alerts

    desk: Desk = ctx.obj
    try:
        parsed = parse_matchers(matchers)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="MATCHER") from None
    if all(matcher.matches({}) for matcher in parsed):
        message = "these match every alert, also those without labels; name what is to be quiet"
        raise typer.BadParameter(message, param_hint="MATCHER")
    ends_in = span_of(for_, option="--for")
    why, who = said(comment, "--comment"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        texts = [str(matcher) for matcher in parsed]
        silence = store.write_now(
            alerts.add_silence, texts, ends_at=now + ends_in, author=who, comment=why, is_forced=force, now=now
        )
        matched = store.read_now(_matched, silence)
    warnings = [str(problem) for problem in odd_matchers(parsed, known_of(settings), path="")]
    warnings += [warning for alert in matched if (warning := _deadline_warning(alert, silence))]
    if ends_in > _LONG:
        warnings.append(f"it lasts {duration(ends_in)}: whatever it matches is quiet so long, also what is new")
    through = [alert for alert in matched if hushed(alert, [silence], now).by is None]
    quiet = [alert for alert in matched if alert not in through]
    if as_json:
        record = silence_record(silence, now=now)
        ids = {"quiets": [one.id for one in quiet], "comes_through": [one.id for one in through]}
        desk.document(document("silence", {**record, **ids, "warnings": warnings}, now=now))
    else:
        fires = "1 alert that fires" if len(quiet) == 1 else f"{len(quiet) or 'no'} alerts that fire"
        desk.say(f"{silence.id} until {moment(silence.ends_at)}: quiets {fires} now")
        _show(desk, quiet, now)
        if through:
            desk.say("These come through all the same: their deletion is less than 24 h away, or overdue.")
            _show(desk, through, now)
    for warning in warnings:
        desk.complain(f"warning: {warning}")


def _matched(tx: "Connection", silence: "Silence") -> "list[Alert]":
    """What fires and is matched, the loudest first."""
    from watcher.store import alerts

    found = [alert for alert in alerts.listed(tx, firing_only=True) if silence.matches(alert.labels)]
    return sorted(found, key=lambda alert: (-alert.severity.rank, alert.starts_at, alert.id))


def _deadline_warning(alert: "Alert", silence: "Silence") -> str:
    """That a deletion may come while the silence lasts, and what of its countdown is hidden; "": it does not."""
    from watcher.rules.text import moment

    deadline = _deadline(alert.finding.values.get("deletion_earliest"))
    if deadline is None or deadline >= silence.ends_at:
        return ""
    about = f"{alert.id} ({alert.finding.summary})"
    if silence.is_forced:
        cure = f"to be told after all: watcher silence expire {silence.id}"
        return f"the deletion may come at {moment(deadline)}, and nobody is warned any more of {about}; {cure}"
    return (
        f"the deletion may come at {moment(deadline)}, before the silence ends: of {about} the last 24 h are told all "
        "the same, earlier steps are not"
    )


def _deadline(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _show(desk: Desk, found: "Sequence[Alert]", now: datetime) -> None:
    from watcher.alerts.summary import summary_at
    from watcher.cli.wording import severity

    if not found:
        return
    columns = [Column("ID", 12, keeps_end=False), Column("SEVERITY", 8), Column("SUMMARY", 20, keeps_end=False)]
    rows: list[list[Any]] = [
        [alert.id[:12], severity(alert.severity), summary_at(alert.finding, now)] for alert in found[:_MOST]
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
    from watcher.store import alerts

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        found = store.read_now(alerts.silences, since=_LONG_AGO if all_ else now)
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
            ("all", "yellow") if silence.is_forced else "",
            " ".join(str(matcher) for matcher in silence.matchers),
            silence.author,
            silence.comment,
        ]
        for silence in found
    ]
    desk.lines(table(columns, rows, desk.width))
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
    from watcher.store import alerts

    desk: Desk = ctx.obj
    who = author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        active = [silence.id for silence in store.read_now(alerts.silences, since=now)]
        wanted = list(dict.fromkeys(_one_of(active, id_) for id_ in ids))

        def end(tx: "Connection") -> list[str]:
            ended = (alerts.expire_silence(tx, id_, author=who, comment=comment.strip(), now=now) for id_ in wanted)
            return [silence.id for silence in ended if silence is not None]

        for id_ in store.write_now(end):
            desk.say(f"{id_} has ended")


def _one_of(active: list[str], wanted: str) -> str:
    """The silence that is meant by its id or the beginning of it."""
    found = [id_ for id_ in active if id_ == wanted] or [id_ for id_ in active if wanted and id_.startswith(wanted)]
    if not found:
        raise Refused(f"no silence {wanted} is active: see `watcher silence list`")
    if len(found) > 1:
        raise Refused(f"{wanted} is the beginning of {' and '.join(found[:3])}: write more of it", code=2)
    return found[0]


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
    from watcher.rules.text import ago
    from watcher.store import alerts

    desk: Desk = ctx.obj
    why, who = said(comment, "--comment"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        found = {alert.id: alert for alert in (_to_acknowledge(store, id_) for id_ in ids)}
        before = {
            alert.id: next((one for one in store.read_now(alerts.audit, subject=alert.id) if one.action == "ack"), None)
            for alert in found.values()
        }

        def acknowledge(tx: "Connection") -> None:
            for alert in found.values():
                alerts.acknowledge(tx, alert, author=who, comment=why, now=now)

        store.write_now(acknowledge)
    for alert in found.values():
        desk.say(f"{alert.id} acknowledged by {who}: {alert.finding.summary}")
        if alert.acked_at is not None:
            earlier = before[alert.id]
            words = f": {earlier.comment}" if earlier is not None and earlier.comment else ""
            desk.say(f"  in place of {alert.acked_by}, who did so {ago(alert.acked_at, now)}{words}")


def _to_acknowledge(store: "Store", wanted: str) -> "Alert":
    """The alert that is meant: of several that begin so, the one that is not over."""
    from watcher.alerts.alert import AlertStatus
    from watcher.store import alerts

    alert = store.read_now(alerts.find, wanted) if wanted else None
    if alert is None:
        every = store.read_now(alerts.listed) if wanted else ()
        like = [one for one in every if one.id.startswith(wanted) or one.fingerprint.startswith(wanted)]
        standing = [one for one in like if one.status is AlertStatus.FIRING]
        if len(standing) == 1:
            return standing[0]
        if not like:
            raise Refused(f"no alert has an id that begins with {wanted or 'nothing'}: see `watcher alerts`")
        names = ", ".join(one.id for one in (standing or like)[:3]) + (", …" if len(standing or like) > 3 else "")
        raise Refused(f"{wanted} is the beginning of {names}: write more of it", code=2)
    if alert.status is AlertStatus.RESOLVED:
        raise Refused(f"{alert.id} is resolved: there is nothing to acknowledge")
    return alert
