"""What `explain` says of an alert: what the rule found and on what grounds, who is told, and what came of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watcher.cli.table import Line
from watcher.cli.told import listed, paragraph, title
from watcher.cli.wording import SEVERITY_STYLES
from watcher.rules.text import ago, moment

if TYPE_CHECKING:
    from watcher.cli.dossier import AlertFile
    from watcher.store.alerts import AuditEntry


def alert_text(file: "AlertFile", now: datetime, width: int) -> Iterator[Line]:
    """One alert."""
    alert, finding = file.alert, file.alert.finding
    yield (
        (f"Alert {alert.id}: {finding.rule}, ", "bold"),
        (alert.severity.value, SEVERITY_STYLES[alert.severity]),
    )
    yield from paragraph(f"{finding.summary}. {_life(file, now)}", width)
    yield from paragraph(finding.description, width)
    yield from paragraph(finding.action, width)
    if finding.evidence:
        yield from paragraph(f"The grounds: {finding.evidence}.", width)
    yield from paragraph(_figures(finding.values), width)
    yield from _telling(file, now, width)
    yield from audit_text(file.audit, width)


def _life(file: "AlertFile", now: datetime) -> str:
    alert = file.alert
    start = f"{moment(alert.starts_at)} ({ago(alert.starts_at, now)})"
    said = [f"That happened on {start}." if alert.is_event else f"It fires since {start}."]
    if alert.ends_at is not None:
        why = f": {alert.ended_because}" if alert.ended_because else ""
        said = [f"It fired from {moment(alert.starts_at)} and ended {moment(alert.ends_at)}{why}."]
    if alert.finding.step:
        said.append(f"The step reached is {alert.finding.step}.")
    if alert.unverified_since is not None or alert.unverified_because:
        since = f" since {ago(alert.unverified_since, now)}" if alert.unverified_since else ""
        said.append(f"Not verified{since}: {alert.unverified_because}.")
    if alert.acked_at is not None:
        said.append(f"{alert.acked_by} acknowledged it {ago(alert.acked_at, now)}.")
    return " ".join(said)


def _figures(values: Any) -> str:
    known = [f"{name} = {'unknown' if value is None else value}" for name, value in values.items() if value != ""]
    return f"In figures: {', '.join(known)}." if known else ""


def _telling(file: "AlertFile", now: datetime, width: int) -> Iterator[Line]:
    """Who is told, who was, and what came of each attempt."""
    if not file.routes:
        yield from paragraph("No route takes it, so nobody is told.", width)
    else:
        said = []
        for path, receiver, group in file.routes:
            labels = ", ".join(f"{name}={value}" for name, value in group.items())
            said.append(f"{path} → {receiver}, grouped by {labels or 'nothing'}")
        yield from paragraph(f"It takes {'; '.join(said)}.", width)
    for silence in file.silences:
        yield from paragraph(
            f"{silence.author} silenced it until {moment(silence.ends_at)}: {silence.comment} ({silence.id})", width
        )
    for held in file.held:
        yield from paragraph(f"Not told now to {held.receiver or 'anybody'}: {held}.", width)
    if not file.told and not file.deliveries:
        yield from paragraph("Nobody was told yet.", width)
        return
    yield from title("Who was told", width)
    yield from listed(_tellings(file), width)
    for delivery, attempts in file.deliveries:
        notification = delivery.notification
        yield from listed(
            [(notification.id, f"{notification.reason.value} to {notification.receiver}: {delivery.state}")], width
        )
        rows = []
        for attempt in attempts:
            kind = "" if attempt.detail.startswith(attempt.kind) else attempt.kind
            text = ": ".join(filter(None, (attempt.outcome, kind, attempt.detail)))
            rows.append((f"  {moment(attempt.at)}", f"after {attempt.duration_s:.1f} s, {text}"))
        yield from listed(rows, width)
    yield ()


def _tellings(file: "AlertFile") -> Iterator[tuple[str, str]]:
    for told in file.told:
        step = f" {told.step}" if told.step else ""
        yield moment(told.at), f"{told.receiver}: {told.status}, {told.severity}{step}"


def audit_text(entries: "Sequence[AuditEntry]", width: int) -> Iterator[Line]:
    """What operators did."""
    if entries:
        rows = [(moment(entry.at), f"{entry.action} by {entry.author}: {entry.comment}") for entry in entries]
        yield from title("What was done by hand", width)
        yield from listed(rows, width)
        yield ()
