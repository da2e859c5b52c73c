"""What happened, the newest first: transitions, alerts and silences, filtered and by pages.

Rows are in the order of keys that never change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.silence import Silence, silenced_by
from watcher.answers.query import ALL, BadCursor, Frame, Page, Query, decode_cursor, newest_first, paged
from watcher.answers.reach import seen_by
from watcher.report.records import Record, alert_record
from watcher.resources.changes import Transition
from watcher.store import alert_pages, history, listings, operators

#: How long what is over is listed, where nobody says since when.
RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """A transition, with the label of its account."""

    label: str
    one: Transition
    number: int

    @property
    def key(self) -> tuple[int, int]:
        return newest_first(self.one.observed_at), -self.number


def transitions(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[TransitionRow]:
    """What changed, the newest first, by when it was seen; with `since` what was seen since then."""
    watched = {key: one.account for key, one in listings.places(tx, with_removed=True).items()}
    owners = listings.owners(tx, frame.owner_tag) if query.owners else {}

    def rows() -> Iterator[TransitionRow]:
        for number, one in history.newest(tx, since=query.since, until=seen_by(cursor)):
            place = watched.get(one.account)
            names = (place.label, place.name) if place else (one.account,)
            owner = owners.get((one.account, one.kind.value, one.name.lower()), place.owner if place else "")
            if (
                query.fits_account(*names)
                and query.fits_status(one.after or "", one.change.value)
                and query.fits_owner(owner)
            ):
                yield TransitionRow(names[0], one, number)

    return paged(rows(), lambda row: row.key, limit=limit, cursor=cursor)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert, and what keeps it quiet now."""

    alert: Alert
    silences: tuple[Silence, ...]

    @property
    def key(self) -> tuple[int, str]:
        return newest_first(self.alert.starts_at), self.alert.id

    @property
    def words(self) -> list[str]:
        """What `status` may name it by."""
        alert = self.alert
        words = ["event" if alert.is_event else alert.status.value, alert.severity.value, alert.finding.rule]
        if alert.acked_at is not None:
            words.append("acked")
        if self.silences:
            words.append("silenced")
        return words

    def record(self) -> Record:
        return alert_record(self.alert, silenced_by=self.silences)


def alerts(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[AlertRow]:
    """What fires, and what happened or ended lately (`RECENT`), or since `since`; the newest first."""
    names = {key: one.account.name for key, one in listings.places(tx, with_removed=True).items()}
    found = alert_pages.newest(tx, since=query.since or frame.now - RECENT, behind=_behind(cursor))
    silences = operators.silences(tx, since=frame.now)
    rows = (
        row
        for alert in found  # in the order of their keys
        for row in (AlertRow(alert, silenced_by(alert, silences, frame.now)),)
        if query.fits_account(alert.labels.get("account", ""), names.get(alert.account, ""))
        and query.fits_status(*row.words)
        and query.fits_owner(alert.labels.get("owner", ""))
    )
    return paged(rows, lambda row: row.key, limit=limit, cursor=cursor)


def _behind(cursor: str) -> tuple[datetime, str] | None:
    """When the last alert of the page before began, and its id."""
    at, id_ = seen_by(cursor), decode_cursor(cursor)[1:] if cursor else ()
    if at is None:
        return None
    if len(id_) != 1 or not isinstance(id_[0], str):
        raise BadCursor("the cursor belongs to another listing")
    return at, id_[0]


def silences(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[Silence]:
    """Silences that have not ended, or have since `since`; the newest first."""
    found = operators.silences(tx, since=query.since or frame.now)
    return paged(sorted(found, key=_silence_key), _silence_key, limit=limit, cursor=cursor)


def _silence_key(silence: Silence) -> tuple[int, str]:
    return newest_first(silence.starts_at), silence.id
