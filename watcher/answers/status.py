"""The summary of what is stored: what `status` and the overview show."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.inhibition import InhibitRule
from watcher.alerts.route import REPORT_ONLY_RULES
from watcher.alerts.routing import Routing, receivers
from watcher.answers.query import Frame
from watcher.report.coverage import SECTIONS, read_at
from watcher.report.summary import Happened, Summary, Undelivered, summarize
from watcher.resources.fine_tuning import ENDED, JobStatus
from watcher.rules.finding import Severity
from watcher.store import alerts, listings, operators, outbox, pauses, reports, state
from watcher.store.listings import WatchedAccount

_UNDER_WAY = [status.value for status in JobStatus if status not in ENDED]
_DONE = {"ack": "acknowledged", "silence.add": "silenced", "keep": "kept"}


def load(tx: Connection, frame: Frame, since: datetime | None = None, *, routing: Routing | None = None) -> Summary:
    """The summary; with `since` also what happened since then.

    Args:
        routing: Who is told of what. Alerts for reports alone are counted, and left out.
    """
    return summary_of(tx, listings.accounts(tx), frame, since, routing=routing)


#: So many of the longest interval of polls without any reading, and the watcher may stand still, or see nothing.
_MISSED = 3


def stopped_at(newest_at: datetime | None, now: datetime, *, every: timedelta) -> datetime | None:
    """As of when everything is that is shown, where nothing has been read of late; `None`: something has, or never was.

    Args:
        newest_at: The newest reading of anything.
        every: The longest interval of polls.
    """
    return newest_at if newest_at is not None and now - newest_at > _MISSED * every else None


def newest_of(watched: Sequence[WatchedAccount]) -> datetime | None:
    """The newest reading of anything in some accounts; `None`: there is none."""
    times = (read_at(one.reading, section) for one in watched for section in SECTIONS)
    return max((at for at in times if at), default=None)


def unrouted(routing: Routing | None) -> frozenset[str]:
    """The rules for reports alone that no route asks for: nobody is told of their alerts, whatever their labels."""
    routes = () if routing is None else (*routing.root.walk(), *routing.owners)
    return frozenset(rule for rule in REPORT_ONLY_RULES if not any(route.names_rule(rule) for route in routes))


def is_for_reports(alert: Alert, routing: Routing | None) -> bool:
    """Whether it is one that no receiver gets, unless a route asks for it by its rule."""
    if alert.finding.rule not in REPORT_ONLY_RULES:
        return False
    return routing is None or not receivers(routing, alert.labels)


def summary_of(
    tx: Connection,
    watched: Sequence[WatchedAccount],
    frame: Frame,
    since: datetime | None = None,
    *,
    routing: Routing | None = None,
    inhibitions: Sequence[InhibitRule] = (),
    but_raised: bool = False,
) -> Summary:
    """The same of accounts that were loaded.

    Args:
        inhibitions: What explains what, where `routing` does not say so.
        but_raised: Alerts for reports alone that are more severe than info are not left out.
    """
    firing, for_reports = _firing(tx, routing, but_raised)
    under_way = {job.id for account in watched for job in account.reading.jobs or ()}
    recorded = listings.jobs(tx, statuses=_UNDER_WAY) if under_way else ()
    return summarize(
        [account.reading for account in watched],
        firing,
        now=frame.now,
        custom_models=listings.custom_models(
            tx, (one for account in watched for one in account.reading.deployments or ())
        ),
        status_since={(one.job.account, one.job.id): one.status_since for one in recorded},
        undated={(one.job.account, one.job.id) for one in recorded if not one.is_status_dated},
        silences=operators.silences(tx, since=frame.now),
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
        happened=list(_happened(tx, since, routing)) if since is not None else (),
        last_complete_cycle_at=state.at(tx, state.CYCLE_COMPLETED),
        is_discovery_complete=not state.value(tx, state.DISCOVERED),
        clock=max(state.clocks(tx), key=lambda clock: abs(clock.skew), default=None),
        lifetimes=frame.lifetimes,
        stale_after=frame.stale_after,
        running_since=pauses.running_since(tx),
        owner_tag=frame.owner_tag,
        for_reports=for_reports,
        inhibitions=inhibitions if routing is None else routing.inhibitions,
    )


def _firing(tx: Connection, routing: Routing | None, but_raised: bool) -> tuple[list[Alert], Counter[str]]:
    """What fires, and by rule how much more for reports alone: that may be thousands, and most is not even read."""
    quiet, info = unrouted(routing), Severity.INFO.value
    counted: Counter[str] = Counter()
    for (rule, severity), count in alerts.counts(tx).items():
        if rule in quiet and not (but_raised and severity != info):
            counted[rule] += count
    firing = []
    for alert in alerts.listed(tx, firing_only=True, without_rules=quiet, but_raised=but_raised):
        if is_for_reports(alert, routing) and not (but_raised and alert.severity is not Severity.INFO):
            counted[alert.finding.rule] += 1
        else:
            firing.append(alert)
    return firing, counted


def _happened(tx: Connection, since: datetime, routing: Routing | None) -> Iterator[Happened]:
    """What fired, was resolved, or was done by an operator since a time."""
    for alert in alerts.listed(tx, since=since, without_rules=unrouted(routing)):
        if is_for_reports(alert, routing):
            continue
        if alert.starts_at >= since:
            what = "happened" if alert.is_event else "fired"
            yield Happened(at=alert.starts_at, what=what, summary=alert.finding.summary, alert=alert.id)
        if alert.ends_at is not None and alert.ends_at >= since:
            because = f" ({alert.ended_because})" if alert.ended_because else ""
            summary = f"{alert.finding.rule} {_about(alert.labels)}{because}"
            yield Happened(at=alert.ends_at, what="resolved", summary=summary, alert=alert.id)
    for entry in operators.audit(tx, since=since):
        what = _DONE.get(entry.action, entry.action)
        summary = f"{entry.subject} by {entry.author}: {entry.comment}".removesuffix(": ")
        yield Happened(at=entry.at, what=what, summary=summary, alert=entry.subject if entry.action == "ack" else "")


def _about(labels: Mapping[str, str]) -> str:
    subject = labels.get("deployment") or labels.get("job") or ""
    account = labels.get("account", "")
    return f"{account}/{subject}" if subject and account else subject or account or labels.get("location", "")
