"""`transitions` and `alerts`: what changed, and what came of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import (
    AccountOption,
    ConfigOption,
    JsonOption,
    OwnerOption,
    SinceOption,
    query_of,
)
from watcher.cli.options import (
    since as since_of,
)
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from watcher.resources.changes import Transition


def transitions(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="WORD",
            help="Only to this value (succeeded, Failed), or of this change (gone, replaced, discovered).",
        ),
    ] = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """What changed, the newest first, by when watcher saw it."""
    from watcher.answers import happenings as answers
    from watcher.cli.wording import past
    from watcher.report.records import document, transition_record
    from watcher.settings import frame_of

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    query = query_of(account=account, status=status, owner=owner, since=since_at)
    with desk.store(settings) as store:
        page = store.read_now(answers.transitions, frame_of(settings, now), query, limit=limit)
    shown, is_cut = page.items, page.cursor is not None
    if as_json:
        records = [transition_record(row.label, row.one) for row in shown]
        desk.document(document("transitions", records, now=now, truncated=is_cut))
        return
    columns = [
        Column("SEEN", 10, is_whole=True),
        Column("HAPPENED", 10, is_whole=True),
        Column("ACCOUNT", 8),
        Column("KIND", 3, keeps_end=False),
        Column("NAME", 12),
        Column("CHANGE", 16),
    ]
    rows = [
        [
            past((one := row.one).observed_at, now),
            _happened(one, now),
            row.label,
            one.kind.value,
            one.name,
            _change(one),
        ]
        for row in shown
    ]
    desk.lines(table(columns, rows, desk.width))
    if is_cut:
        desk.say(f"only the newest {limit} are shown; --limit shows more", "yellow")


def _cells(label: str, one: "Transition", now: datetime) -> list[Any]:
    from watcher.cli.wording import past

    return [past(one.observed_at, now), _happened(one, now), label, one.kind.value, one.name, _change(one)]


def _happened(one: "Transition", now: datetime) -> str:
    """When, by the service's word; "" where that is as long ago as it was seen."""
    from watcher.cli.wording import past

    if one.occurred_at is None or past(one.occurred_at, now) == past(one.observed_at, now):
        return ""
    return past(one.occurred_at, now)


def _change(one: Any) -> str:
    if not one.attribute:
        return str(one.change.value)
    before = "" if one.before is None else f"{one.before} "
    return f"{one.attribute} {before}→ {one.after if one.after is not None else '(none)'}"


def alerts(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="WORD",
            help="Only firing, resolved, event, acked or silenced, or of this severity or rule; may be repeated.",
        ),
    ] = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """What fires, and what lately happened or was resolved. Lately: in the last 7 days, or --since."""
    from watcher.alerts.alert import AlertStatus
    from watcher.alerts.summary import summary_at
    from watcher.answers import happenings as answers
    from watcher.cli.wording import past, severity
    from watcher.report.records import document
    from watcher.settings import frame_of
    from watcher.store import known_calls

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    query = query_of(account=account, status=status, owner=owner, since=since_at)
    with desk.store(settings) as store:
        found = store.read_now(answers.alerts, frame_of(settings, now), query).items
        known_to = store.read_now(known_calls.known_to, [row.alert for row in found])

    def rank(row: answers.AlertRow) -> tuple[bool, int]:
        """What stands first, the loudest first."""
        is_over = row.alert.is_event or row.alert.status is AlertStatus.RESOLVED
        return is_over, 0 if is_over else -row.alert.severity.rank

    shown = sorted(found, key=rank)
    if as_json:
        desk.document(document("alerts", [row.record() for row in shown], now=now))
        return
    columns = [
        Column("ID", 12, keeps_end=False),
        Column("STATUS", 8),
        Column("SEVERITY", 8),
        Column("SINCE", 11, is_whole=True),
        Column("SUMMARY", 20, keeps_end=False),
    ]
    rows: list[list[Any]] = []
    for row in shown:
        alert = row.alert
        state: Any = ("event", "dim") if alert.is_event else alert.status.value
        if alert.status is AlertStatus.RESOLVED:
            state = ("resolved", "green")
        elif not alert.is_event and row.silences:
            state = ("silenced", "dim")
        elif alert.acked_at is not None:
            state = ("acked", "cyan")
        about = alert.finding.summary
        if alert.ends_at is None:
            about = summary_at(alert, now, calls_known_to=known_to.get(alert.id))
        rows.append([alert.id[:12], state, severity(alert.severity), past(alert.starts_at, now), about])
    desk.lines(table(columns, rows, desk.width))
