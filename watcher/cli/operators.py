"""`silence`, `ack` and `keep`: what operators say of alerts and deployments. All of it is audited."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk, Refused
from watcher.cli.options import (
    AuthorOption,
    CommentOption,
    ConfigOption,
    JsonOption,
    author_or_user,
    span_of,
)
from watcher.cli.options import (
    until as until_of,
)
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from watcher.alerts.silence import Silence


def silence_add(
    ctx: typer.Context,
    matchers: Annotated[
        list[str], typer.Argument(metavar="MATCHER…", help='rule=deployment_idle, account=~"dev-.*", owner!=""')
    ],
    for_: Annotated[str, typer.Option("--for", metavar="SPAN", help='How long: "2h", "3d".')],
    comment: CommentOption,
    author: AuthorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep quiet what all the matchers match. The alerts go on firing, and are told when the silence ends."""
    from watcher.alerts.matcher import parse_matchers
    from watcher.report.records import document, silence_record
    from watcher.rules.text import moment
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
    said, who = _said(comment, "--comment"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        texts = [str(matcher) for matcher in parsed]
        silence = store.write_now(alerts.add_silence, texts, ends_at=now + ends_in, author=who, comment=said, now=now)
        hidden = store.read_now(_hidden_deadlines, silence, now)
        count = store.read_now(_matching, silence)
    if as_json:
        record = {**silence_record(silence, now=now), "warnings": hidden}
        desk.document(document("silence", record, now=now))
    else:
        alerts_now = "1 alert that fires now" if count == 1 else f"{count} alerts that fire now"
        desk.say(f"{silence.id} until {moment(silence.ends_at)}: quiets {alerts_now}")
    for warning in hidden:
        desk.complain(f"warning: {warning}")


def _matching(tx: "Connection", silence: "Silence") -> int:
    from watcher.store import alerts

    return sum(silence.matches(alert.labels) for alert in alerts.listed(tx, firing_only=True))


def _hidden_deadlines(tx: "Connection", silence: "Silence", now: datetime) -> list[str]:
    """The deletions that may come while the silence lasts and hides their countdown."""
    from watcher.store import alerts

    found = []
    for alert in alerts.listed(tx, firing_only=True):
        deadline = _deadline(alert.finding.values.get("deletion_earliest"))
        if deadline is not None and deadline < silence.ends_at and silence.matches(alert.labels):
            cure = f"to be told after all: watcher silence expire {silence.id}"
            found.append(f"it hides {alert.id}: {alert.finding.summary}; {cure}")
    return found


def _deadline(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


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
        Column("ID", 16),
        Column("ENDS", 9),
        Column("MATCHERS", 14, keeps_end=False),
        Column("AUTHOR", 6),
        Column("COMMENT", 10, keeps_end=False),
    ]
    rows: list[list[Any]] = [
        [
            silence.id,
            ahead(silence.ends_at, now) if silence.is_active(now) else (past(silence.ends_at, now), "dim"),
            " ".join(str(matcher) for matcher in silence.matchers),
            silence.author,
            silence.comment,
        ]
        for silence in found
    ]
    desk.lines(table(columns, rows, desk.width))


_LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def silence_expire(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID")],
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """End a silence now."""
    from watcher.store import alerts

    desk: Desk = ctx.obj
    who = author_or_user(author)
    settings = desk.config(config)
    with desk.store(settings) as store:
        silence = store.write_now(alerts.expire_silence, id_, author=who, now=desk.now())
    if silence is None:
        raise Refused(f"no silence {id_} is active: see `watcher silence list`")
    desk.say(f"{silence.id} has ended")


def ack(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of an alert, or the beginning of it.")],
    comment: CommentOption,
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Say that somebody looks after an alert.

    Its reminders stop; the steps of a countdown, a raised severity and the resolve still come."""
    from watcher.alerts.alert import AlertStatus
    from watcher.store import alerts

    desk: Desk = ctx.obj
    said, who = _said(comment, "--comment"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        alert = store.read_now(alerts.find, id_)
        if alert is None:
            raise Refused(f"no alert, or more than one, has an id that begins with {id_}: see `watcher alerts`")
        if alert.status is AlertStatus.RESOLVED:
            raise Refused(f"{alert.id} is resolved: there is nothing to acknowledge")
        store.write_now(alerts.acknowledge, alert, author=who, comment=said, now=now)
    desk.say(f"{alert.id} acknowledged by {who}: {alert.finding.summary}")


def keep(
    ctx: typer.Context,
    deployment: Annotated[str, typer.Argument(metavar="[ACCOUNT/]DEPLOYMENT")],
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help='A date (to its end), an RFC 3339 time, or a span ("30d").')
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")],
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Keep a deployment for a while.

    No waste advice and no early steps until then; the 1 d and 6 h warnings still come. Azure does not know of it: only
    calls keep a deployment from being deleted.
    """
    from watcher.alerts.keep import Keep
    from watcher.cli.dossier import find
    from watcher.cli.wording import remaining
    from watcher.rules.text import moment
    from watcher.store import alerts

    desk: Desk = ctx.obj
    said, who = _said(reason, "--reason"), author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    until_at = until_of(until, now=now, zone=settings.watcher.timezone)
    with desk.store(settings) as store:
        dossier = store.read_now(find, deployment, routing=None, now=now)
        found = dossier.deployment
        if found is None or found.ended_at is not None:
            raise Refused(f"{deployment} is no living deployment: see `watcher deployments`")
        name, account = found.deployment.name, found.deployment.account
        kept = Keep(account=account, deployment=name, until=until_at, author=who, reason=said)
        store.write_now(alerts.save_keep, kept, now=now)
    label = dossier.account.label if dossier.account else account
    desk.say(f"{label}/{name} is kept until {moment(until_at)}")
    standing = dossier.standing
    earliest = standing.deletion_earliest if standing else None
    if standing is not None and earliest is not None and earliest < until_at:
        text = f"Azure may delete {name} before that, {remaining(standing, now)[0]} ({moment(earliest)})"
        desk.complain(f"warning: {text}, unless it is called: keep does not stop it")
    elif standing is not None and standing.is_fine_tuned and earliest is None:
        desk.complain(f"warning: when Azure may delete {name} is unknown: {standing.unknown_because}")


def _said(text: str, option: str) -> str:
    if not text.strip():
        raise typer.BadParameter("is empty; say why", param_hint=option)
    return text.strip()
