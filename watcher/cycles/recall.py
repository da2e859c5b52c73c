"""What dispatch read last, kept by one process between its runs: thousands of alerts may stand open, and few change.

Nothing here is needed for correctness: an empty memory costs time, and what changed since is known by stamps and by the
places of what was told. Even so all is read anew from time to time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.keep import Keep
from watcher.alerts.notification import Told
from watcher.alerts.routing import Routing
from watcher.alerts.silence import Silence
from watcher.store import alerts

#: All is read anew, and all is decided anew, after so long.
TRUSTED_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a decision rests on, beside the time and the routing; equal where all of it is the same."""

    unsettled: tuple[int, int]
    last_told: int
    silences: tuple[Silence, ...]
    keeps: tuple[Keep, ...]


def mark(tx: Connection, now: datetime) -> Mark:
    """The mark of what is stored."""
    return Mark(
        unsettled=alerts.stamp_of_all(tx),
        last_told=alerts.last_told(tx),
        silences=alerts.silences(tx, since=now),
        keeps=alerts.keeps(tx, since=now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A decision by which nobody was told anything: it stands until something changes, or its time comes."""

    mark: Mark
    routing: Routing
    at: datetime
    next_at: datetime | None

    def holds(self, routing: Routing, now: datetime) -> bool:
        """Whether it still stands, if the mark is the same."""
        ends_at = self.at + TRUSTED_FOR if self.next_at is None else min(self.next_at, self.at + TRUSTED_FOR)
        return routing is self.routing and self.at <= now < ends_at


@dataclass(slots=True)
class Recall:
    """One for each process and store. Not for two runs at once."""

    quiet: Quiet | None = None  #: the last decision, where it was such a one
    _read_at: datetime | None = None  #: when all was read
    _alerts: dict[str, tuple[int, Alert]] = field(default_factory=dict)  #: by id, with the stamp
    _told: dict[str, tuple[Told, ...]] = field(default_factory=dict)
    _last_told: int = 0

    def forget(self) -> None:
        """Read all anew next time: what was read may never have been committed."""
        self.quiet, self._read_at = None, None

    def read(self, tx: Connection, now: datetime) -> tuple[Sequence[Alert], Sequence[Told]]:
        """The alerts of which somebody may have to be told, and what planning needs of who was told of them."""
        if self._read_at is None or not timedelta() <= now - self._read_at < TRUSTED_FOR:
            self._alerts, self._told, self._read_at = {}, {}, now
        # What comes between two of these reads is read twice, or again next time; nothing is missed.
        last_told, stamps = alerts.last_told(tx), alerts.stamps(tx)
        new = [id_ for id_, stamp in stamps.items() if self._alerts.get(id_, (None,))[0] != stamp]
        fresh = {alert.id: (stamps[alert.id], alert) for alert in alerts.of_ids(tx, new)}
        self._alerts = {id_: known for id_ in stamps if (known := fresh.get(id_) or self._alerts.get(id_)) is not None}
        told = {id_: rows for id_ in self._alerts if (rows := self._told.get(id_)) is not None and id_ not in fresh}
        for row in alerts.told_after(tx, self._last_told) if told else ():
            if row.alert_id in told:
                told[row.alert_id] = (*told[row.alert_id], row)
        for row in alerts.told_rows(tx, self._alerts.keys() - told.keys()):
            told[row.alert_id] = (*told.get(row.alert_id, ()), row)
        self._told, self._last_told = told, last_told
        known_alerts = sorted((alert for _, alert in self._alerts.values()), key=lambda a: (a.starts_at, a.id))
        return known_alerts, [row for alert in known_alerts for row in told.get(alert.id, ())]
