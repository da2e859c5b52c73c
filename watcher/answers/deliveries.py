"""The outbox, as it is listed and acted upon: notifications, issues of scheduled reports, and the channels to both."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from watcher.answers.query import ALL, Frame, Page, Query, paged
from watcher.errors import Refused
from watcher.report.records import Record
from watcher.rules.text import rfc3339
from watcher.store import alerts, channels, outbox, redelivery, reports
from watcher.store.channels import Channel
from watcher.store.outbox import Attempt, Delivery
from watcher.store.reports import Issue

#: Of a notification; the first two are those that somebody may have to look at.
STATES = ("pending", "dead", "delivered", "dropped", "merged")
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


def notifications(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[DeliveryRow]:
    """Notifications of the states that are asked for, by default those that wait or are dead, in their order."""
    states = (
        [state for state in STATES if query.statuses and query.fits_status(state)] if query.statuses else STATES[:2]
    )
    found = (DeliveryRow(one, ()) for one in outbox.listed(tx, states=states))
    page = paged(found, lambda row: row.key, limit=limit, cursor=cursor)
    rows = (DeliveryRow(row.one, outbox.attempts(tx, row.one.notification.id)) for row in page.items)
    return Page(tuple(rows), page.cursor)


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
        "tries": [
            {
                "at": rfc3339(attempt.at),
                "duration_seconds": attempt.duration_s,
                "outcome": attempt.outcome,
                "kind": attempt.kind or None,
                "detail": attempt.detail,
            }
            for attempt in attempts
        ],
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


def find(tx: Connection, wanted: str) -> DeliveryRow | Issue:
    """A notification or an issue of a report, by its id.

    Raises:
        Refused: There is none.
    """
    if wanted.startswith(REPORT_PREFIX):
        for issue in reports.listed(tx, ids=[wanted]):
            return issue
    for one in outbox.listed(tx, ids=[wanted]):
        return DeliveryRow(one, outbox.attempts(tx, wanted))
    raise Refused(f"no notification and no report has the id {wanted}; what ended long ago is kept no longer")


def retry(tx: Connection, wanted: Sequence[str], *, author: str, comment: str, now: datetime) -> int:
    """Make notifications and reports that wait or are dead due at once; returns how many are.

    Raises:
        Refused: One neither waits nor is dead.
    """
    ids, issues = _parted(tx, wanted)
    _note(tx, (*ids, *issues), "outbox.retry", author=author, comment=comment, now=now)
    return redelivery.retry(tx, ids, now=now) + reports.retry(tx, issues, now=now)


def drop(tx: Connection, wanted: Sequence[str], *, author: str, comment: str, now: datetime) -> int:
    """Give notifications and reports up that wait or are dead: they are never sent; returns how many are.

    Raises:
        Refused: One neither waits nor is dead.
    """
    ids, issues = _parted(tx, wanted)
    _note(tx, (*ids, *issues), "outbox.drop", author=author, comment=comment, now=now)
    return redelivery.drop(tx, ids, now=now) + reports.drop(tx, issues, now=now)


def _note(tx: Connection, ids: Sequence[str], action: str, *, author: str, comment: str, now: datetime) -> None:
    for id_ in ids:
        alerts.record(tx, author=author, action=action, subject=id_, comment=comment, now=now)


def _parted(tx: Connection, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Ids of notifications, and of reports."""
    issues = [text for text in wanted if text.startswith(REPORT_PREFIX)]
    others = [text for text in wanted if not text.startswith(REPORT_PREFIX)]
    known = [one.id for one in reports.listed(tx)] if issues else []
    return _meant(others, outbox.ids_like(tx, others, states=STATES[:2])), _meant(issues, known)


def _meant(wanted: Sequence[str], undelivered: Sequence[str]) -> list[str]:
    meant: list[str] = []
    for text in wanted:
        found = [id_ for id_ in undelivered if id_ == text] or [id_ for id_ in undelivered if id_.startswith(text)]
        if not found:
            raise Refused(f"{text} neither waits nor is dead: see `watcher outbox list`")
        if len(found) > 1:
            raise Refused(f"{text} is the beginning of {' and '.join(found[:3])}: write more of it", code=2)
        meant += found
    return list(dict.fromkeys(meant))
