"""The summary of what is stored: what `status` and the overview show."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from watcher.answers.query import Frame
from watcher.report.summary import Happened, Summary, Undelivered, summarize
from watcher.resources.fine_tuning import ENDED, JobStatus
from watcher.store import alerts, listings, outbox, pauses, reports, state
from watcher.store.listings import WatchedAccount

_UNDER_WAY = [status.value for status in JobStatus if status not in ENDED]
_DONE = {"ack": "acknowledged", "silence.add": "silenced", "keep": "kept"}


def load(tx: Connection, frame: Frame, since: datetime | None = None) -> Summary:
    """The summary; with `since` also what happened since then."""
    return summary_of(tx, listings.accounts(tx), frame, since)


def summary_of(
    tx: Connection, watched: Sequence[WatchedAccount], frame: Frame, since: datetime | None = None
) -> Summary:
    """The same of accounts that were loaded."""
    under_way = {job.id for account in watched for job in account.reading.jobs or ()}
    recorded = listings.jobs(tx, statuses=_UNDER_WAY) if under_way else ()
    return summarize(
        [account.reading for account in watched],
        alerts.listed(tx, firing_only=True),
        now=frame.now,
        custom_models=listings.custom_models(tx),
        status_since={(one.job.account, one.job.id): one.status_since for one in recorded},
        silences=alerts.silences(tx, since=frame.now),
        undelivered=[
            Undelivered(
                id=delivery.notification.id,
                receiver=delivery.notification.receiver,
                reason=delivery.notification.reason.value,
                alerts=len(delivery.notification.alerts),
                state=delivery.state,
                created_at=delivery.notification.created_at,
                due_at=delivery.due_at,
                attempts=delivery.attempts,
                last_error=delivery.last_error,
            )
            for delivery in outbox.listed(tx)
        ]
        + [
            Undelivered(
                id=issue.id,
                receiver=issue.receiver,
                reason="report",
                alerts=0,
                state=issue.state,
                created_at=issue.as_of,
                due_at=issue.due_at,
                attempts=issue.attempts,
                last_error=issue.last_error,
            )
            for issue in reports.listed(tx)
        ],
        happened=list(_happened(tx, since)) if since is not None else (),
        last_complete_cycle_at=state.at(tx, state.CYCLE_COMPLETED),
        is_discovery_complete=not state.value(tx, state.DISCOVERED),
        clock=max(state.clocks(tx), key=lambda clock: abs(clock.skew), default=None),
        lifetimes=frame.lifetimes,
        running_since=pauses.running_since(tx),
        owner_tag=frame.owner_tag,
    )


def _happened(tx: Connection, since: datetime) -> Iterator[Happened]:
    """What fired, was resolved, or was done by an operator since a time."""
    for alert in alerts.listed(tx, since=since):
        if alert.starts_at >= since:
            what = "happened" if alert.is_event else "fired"
            yield Happened(at=alert.starts_at, what=what, summary=alert.finding.summary, alert=alert.id)
        if alert.ends_at is not None and alert.ends_at >= since:
            because = f" ({alert.ended_because})" if alert.ended_because else ""
            summary = f"{alert.finding.rule} {_about(alert.labels)}{because}"
            yield Happened(at=alert.ends_at, what="resolved", summary=summary, alert=alert.id)
    for entry in alerts.audit(tx, since=since):
        what = _DONE.get(entry.action, entry.action)
        summary = f"{entry.subject} by {entry.author}: {entry.comment}".removesuffix(": ")
        yield Happened(at=entry.at, what=what, summary=summary, alert=entry.subject if entry.action == "ack" else "")


def _about(labels: Mapping[str, str]) -> str:
    subject = labels.get("deployment") or labels.get("job") or ""
    account = labels.get("account", "")
    return f"{account}/{subject}" if subject and account else subject or account or labels.get("location", "")
