"""`transitions` and `alerts`: what changed, and what came of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import (
    AccountOption,
    ConfigOption,
    JsonOption,
    OwnerOption,
    SinceOption,
    fits,
)
from watcher.cli.options import (
    since as since_of,
)
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from watcher.alerts.alert import Alert
    from watcher.alerts.silence import Silence
    from watcher.resources.changes import Transition

#: Without `--since`: how long events and what has ended are shown.
_RECENT = timedelta(days=7)


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
    from watcher.cli.wording import past
    from watcher.report.records import document, transition_record
    from watcher.store import history, listings

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    filtered = bool(account or status or owner)
    with desk.store(settings) as store:
        watched = {one.account.key: one.account for one in store.read_now(listings.accounts, with_removed=True)}
        owners = store.read_now(listings.owners, settings.azure.discovery.owner_tag) if owner else {}
        most = _ALL if filtered else limit + 1
        found = store.read_now(history.transitions, since=since_at, limit=most)
    shown = []
    for one in found:
        place = watched.get(one.account)
        names = (place.label, place.name) if place else (one.account,)
        its_owner = owners.get((one.account, one.kind.value, one.name.lower()), place.owner if place else "")
        if fits(account, *names) and fits(status, one.after or "", one.change.value) and fits(owner, its_owner):
            shown.append((names[0], one))
    is_cut = len(shown) > limit
    shown = shown[:limit]
    if as_json:
        records = [transition_record(label, one) for label, one in shown]
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
        [past(one.observed_at, now), _happened(one, now), label, one.kind.value, one.name, _change(one)]
        for label, one in shown
    ]
    desk.lines(table(columns, rows, desk.width))
    if is_cut:
        desk.say(f"only the newest {limit} are shown; --limit shows more", "yellow")


#: More rows than a database holds.
_ALL = 2**31 - 1


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
    from watcher.alerts.silence import silenced_by
    from watcher.alerts.summary import summary_at
    from watcher.cli.wording import past, severity
    from watcher.report.records import alert_record, document
    from watcher.store import alerts as stored
    from watcher.store import listings

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    with desk.store(settings) as store:
        names = {one.account.key: one.account.name for one in store.read_now(listings.accounts, with_removed=True)}
        found = store.read_now(stored.listed, since=since_at or now - _RECENT)
        silences = store.read_now(stored.silences, since=now)
    shown = [
        alert
        for alert in found
        if fits(account, alert.labels.get("account", ""), names.get(alert.account, ""))
        and fits(status, *_words(alert, silences, now))
        and fits(owner, alert.labels.get("owner", ""))
    ]
    is_over = {alert.id: alert.is_event or alert.status is AlertStatus.RESOLVED for alert in shown}
    shown.sort(key=lambda alert: alert.starts_at, reverse=True)
    shown.sort(key=lambda alert: (is_over[alert.id], 0 if is_over[alert.id] else -alert.severity.rank))
    if as_json:
        records = [alert_record(alert, silenced_by=silenced_by(alert, silences, now)) for alert in shown]
        desk.document(document("alerts", records, now=now))
        return
    columns = [
        Column("ID", 12, keeps_end=False),
        Column("STATUS", 8),
        Column("SEVERITY", 8),
        Column("SINCE", 11, is_whole=True),
        Column("SUMMARY", 20, keeps_end=False),
    ]
    rows: list[list[Any]] = []
    for alert in shown:
        state: Any = ("event", "dim") if alert.is_event else alert.status.value
        if alert.status is AlertStatus.RESOLVED:
            state = ("resolved", "green")
        elif not alert.is_event and silenced_by(alert, silences, now):
            state = ("silenced", "dim")
        elif alert.acked_at is not None:
            state = ("acked", "cyan")
        about = alert.finding.summary if alert.ends_at else summary_at(alert.finding, now)
        rows.append([alert.id[:12], state, severity(alert.severity), past(alert.starts_at, now), about])
    desk.lines(table(columns, rows, desk.width))


def _words(alert: "Alert", silences: "Sequence[Silence]", now: datetime) -> list[str]:
    """What `--status` may name it by."""
    from watcher.alerts.silence import silenced_by

    words = ["event" if alert.is_event else alert.status.value, alert.severity.value, alert.finding.rule]
    if alert.acked_at is not None:
        words.append("acked")
    if silenced_by(alert, silences, now):
        words.append("silenced")
    return words
