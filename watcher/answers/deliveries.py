"""The outbox, as it is listed and acted upon: notifications, issues of scheduled reports, and the channels to both."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from watcher.answers.query import ALL, Frame, Page, Query, paged
from watcher.errors import Refused
from watcher.report.records import Record
from watcher.rules.text import rfc3339
from watcher.store import attempts, channels, operators, outbox, redelivery, reports
from watcher.store.attempts import Attempt
from watcher.store.channels import Channel
from watcher.store.outbox import Delivery
from watcher.store.reports import Issue

#: Of a notification; the first two are those that somebody may have to look at.
STATES = ("pending", "dead", "delivered", "dropped", "merged")
UNDELIVERED = STATES[:2]
#: What the id of a report's issue begins with.
REPORT_PREFIX = "rpt_"


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A notification, and each attempt at it."""

    one: Delivery
    attempts: tuple[Attempt, ...]

    @property
    def key(self) -> tuple[int]:
        return (self.one.sequence,)

    def record(self) -> Record:
        return delivery_record(self.one, self.attempts)


@dataclass(frozen=True, slots=True)
class IssueRow:
    """An issue of a report, and each attempt at it."""

    one: Issue
    attempts: tuple[Attempt, ...]

    def record(self) -> Record:
        return issue_record(self.one, self.attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What was asked for of it, in the order in which it was decided, and all channels."""

    notifications: tuple[DeliveryRow, ...]
    issues: tuple[IssueRow, ...]
    channels: tuple[Channel, ...]


def load(tx: Connection, wanted: Sequence[str] | None, states: Sequence[str] = UNDELIVERED) -> Outbox:
    """What is meant by ids or their beginnings, whatever became of it; without any, what is in some states.

    Raises:
        Refused: An id means none, or several.
    """
    if wanted is not None:
        ids, report_ids = parted(wanted)
        ids = _meant(ids, outbox.ids_like(tx, ids), "{} is the id of no such notification")
        report_ids = _meant(report_ids, reports.ids_like(tx, report_ids), "{} is the id of no report")
        found, issues = outbox.listed(tx, ids=ids), reports.listed(tx, ids=report_ids)
    else:
        found, issues = outbox.listed(tx, states=states), reports.listed(tx, states=states)
    return Outbox(
        notifications=tuple(delivery_rows(tx, found)),
        issues=tuple(issue_rows(tx, issues)),
        channels=channels.listed(tx),
    )


def delivery_rows(tx: Connection, found: Iterable[Delivery]) -> Iterator[DeliveryRow]:
    """Each with its attempts."""
    return (DeliveryRow(one, attempts.of(tx, one.notification.id)) for one in found)


def issue_rows(tx: Connection, found: Iterable[Issue]) -> Iterator[IssueRow]:
    """Each with its attempts."""
    return (IssueRow(one, attempts.of(tx, one.id)) for one in found)


def notifications(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[DeliveryRow]:
    """Notifications of the states that are asked for, by default those that wait or are dead, in their order."""
    states = (
        [state for state in STATES if query.statuses and query.fits_status(state)] if query.statuses else UNDELIVERED
    )
    found = (DeliveryRow(one, ()) for one in outbox.listed(tx, states=states))
    page = paged(found, lambda row: row.key, limit=limit, cursor=cursor)
    return Page(tuple(delivery_rows(tx, (row.one for row in page.items))), page.cursor)


def delivery_record(one: Delivery, attempts: tuple[Attempt, ...]) -> Record:
    """A notification with its attempts."""
    notification = one.notification
    return {
        "id": notification.id,
        "receiver": notification.receiver,
        "route": notification.route,
        "group": dict(notification.group_labels),
        "reason": notification.reason.value,
        "alerts": [told.alert.id for told in notification.alerts],
        "state": one.state,
        "created_at": rfc3339(notification.created_at),
        "due_at": rfc3339(one.due_at) if one.state == "pending" else None,
        "ended_at": rfc3339(one.ended_at),
        "attempts": one.attempts,
        "last_error": one.last_error or None,
        "merged_into": one.merged_into,
        "may_have_arrived": one.is_uncertain,
        "notes": list(notification.notes),
        "contents": [
            {
                "alert": told.alert.id,
                "reason": told.reason.value,
                "rule": told.alert.finding.rule,
                "severity": told.alert.severity.value,
                "summary": told.alert.finding.summary,
                "note": told.note or None,
            }
            for told in notification.alerts
        ],
        "tries": _tries(attempts),
    }


def issue_record(one: Issue, attempts: tuple[Attempt, ...]) -> Record:
    """An issue of a report with its attempts."""
    return {
        "id": one.id,
        "report": one.name,
        "edition": one.edition,
        "receiver": one.receiver,
        "period": one.period_name,
        "period_begin": rfc3339(one.begin),
        "period_end": rfc3339(one.end),
        "scheduled_at": rfc3339(one.as_of),
        "state": one.state,
        "due_at": rfc3339(one.due_at) if one.state == "pending" else None,
        "ended_at": rfc3339(one.ended_at),
        "attempts": one.attempts,
        "last_error": one.last_error or None,
        "may_have_arrived": one.is_uncertain,
        "tries": _tries(attempts),
    }


def _tries(attempts: Iterable[Attempt]) -> list[Record]:
    return [
        {
            "at": rfc3339(attempt.at),
            "duration_seconds": attempt.duration_s,
            "outcome": attempt.outcome,
            "kind": attempt.kind or None,
            "detail": attempt.detail,
        }
        for attempt in attempts
    ]


def channel_record(channel: Channel) -> Record:
    """How a channel does."""
    return {
        "receiver": channel.receiver,
        "status": "failing" if channel.is_failing else "ok" if channel.last_ok_at else "unknown",
        "failing_since": rfc3339(channel.failing_since),
        "failures": channel.failures,
        "next_try_at": rfc3339(channel.retry_at),
        "last_ok_at": rfc3339(channel.last_ok_at),
        "kind": channel.kind or None,
        "detail": channel.detail or None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """How the channel of a receiver does, and what waits or is dead there."""

    receiver: str
    channel: Channel | None  #: `None`: it was never used
    waiting: int
    dead: int
    is_configured: bool = True


def channel_rows(tx: Connection, receivers: Sequence[str]) -> tuple[ChannelRow, ...]:
    """The channels of these receivers in their order, then those of others, which are configured no longer."""
    known = {one.receiver: one for one in channels.listed(tx)}
    backlog = Counter((one.notification.receiver, one.state) for one in outbox.listed(tx))
    backlog.update((one.receiver, one.state) for one in reports.listed(tx))
    strangers = sorted((known.keys() | {receiver for receiver, _ in backlog}) - set(receivers))
    rows = [
        ChannelRow(
            receiver=name,
            channel=known.get(name),
            waiting=backlog[name, "pending"],
            dead=backlog[name, "dead"],
            is_configured=name in receivers,
        )
        for name in (*receivers, *strangers)
    ]
    return tuple(row for row in rows if row.is_configured or row.waiting or row.dead)


def find(tx: Connection, wanted: str) -> DeliveryRow | IssueRow:
    """A notification or an issue of a report, by its id.

    Raises:
        Refused: There is none.
    """
    if is_report(wanted):
        for issue in issue_rows(tx, reports.listed(tx, ids=[wanted])):
            return issue
    for one in delivery_rows(tx, outbox.listed(tx, ids=[wanted])):
        return one
    raise Refused(f"no notification and no report has the id {wanted}; what ended long ago is kept no longer")


# What is done about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of what was to be retried or dropped."""

    notifications: int
    reports: int
    left: int = 0  #: notifications of which nothing is left to send, see `redelivery.LATER_NEWS`

    @property
    def count(self) -> int:
        return self.notifications + self.reports


def retry(tx: Connection, wanted: Sequence[str] | None, *, author: str, comment: str, now: datetime) -> Done:
    """Make notifications and reports that wait or are dead due at once: these, by ids or their beginnings.

    Args:
        wanted: `None`: all of them.

    Raises:
        Refused: One neither waits nor is dead.
    """
    ids, issues = _undelivered(tx, wanted)
    _note(tx, (*ids, *issues), "outbox.retry", author=author, comment=comment, now=now)
    count = redelivery.retry(tx, ids, now=now)
    return Done(notifications=count, reports=reports.retry(tx, issues, now=now), left=len(ids) - count)


def drop(tx: Connection, wanted: Sequence[str] | None, *, author: str, comment: str, now: datetime) -> Done:
    """Give notifications and reports up that wait or are dead: they are never sent. Which ones, as for `retry`.

    Raises:
        Refused: One neither waits nor is dead.
    """
    ids, issues = _undelivered(tx, wanted)
    _note(tx, (*ids, *issues), "outbox.drop", author=author, comment=comment, now=now)
    return Done(notifications=redelivery.drop(tx, ids, now=now), reports=reports.drop(tx, issues, now=now))


def _note(tx: Connection, ids: Sequence[str], action: str, *, author: str, comment: str, now: datetime) -> None:
    for id_ in ids:
        operators.record(tx, author=author, action=action, subject=id_, comment=comment, now=now)


def _undelivered(tx: Connection, wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Ids of notifications, and of reports: of those that are meant, or of all."""
    if wanted is None:
        return [one.notification.id for one in outbox.listed(tx)], [one.id for one in reports.listed(tx)]
    otherwise = "{} neither waits nor is dead"
    ids, issues = parted(wanted)
    known = [one.id for one in reports.listed(tx)] if issues else []
    return _meant(ids, outbox.ids_like(tx, ids, states=UNDELIVERED), otherwise), _meant(issues, known, otherwise)


def parted(wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """Ids, or beginnings of ids, of notifications and of reports."""
    wanted = list(wanted)
    return [text for text in wanted if not is_report(text)], [text for text in wanted if is_report(text)]


def is_report(text: str) -> bool:
    """Whether an id, or the beginning of one, is that of a report's issue."""
    return text.startswith(REPORT_PREFIX) or (bool(text) and REPORT_PREFIX.startswith(text))


def _meant(wanted: Sequence[str], known: Sequence[str], otherwise: str) -> list[str]:
    """The ids that are meant by themselves or by their beginnings.

    Raises:
        Refused: One means none, or several.
    """
    meant: list[str] = []
    for text in wanted:
        found = [id_ for id_ in known if id_ == text] or [id_ for id_ in known if text and id_.startswith(text)]
        if not found:
            raise Refused(f"{otherwise.format(text or 'nothing')}: see `watcher outbox list --all`")
        if len(found) > 1:
            raise Refused(f"{text} is the beginning of {' and '.join(found[:3])}: write more of it", code=2)
        meant += found
    return list(dict.fromkeys(meant))
