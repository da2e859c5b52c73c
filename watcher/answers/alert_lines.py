"""Alerts as a listing filters, counts and sorts them: a few words of each, as there may be tens of thousands."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.silence import Silence, silenced_by
from watcher.answers.happenings import AlertRow
from watcher.rules.finding import Severity
from watcher.store import alert_pages, operators
from watcher.store import alerts as stored
from watcher.store.gathered import Gathered

#: Alerts leave the store without a word.
_ANEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """One alert."""

    id: str
    severity: Severity
    is_event: bool
    is_acked: bool
    starts_at: datetime
    ends_at: datetime | None
    deletion_at: str  #: of a deployment, at the earliest; "": it names none
    labels: Mapping[str, str]


def line_of(alert: Alert) -> AlertLine:
    """The line of an alert. Words that many share are one in memory."""
    return AlertLine(
        id=alert.id,
        severity=alert.severity,
        is_event=alert.is_event,
        is_acked=alert.acked_at is not None,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        deletion_at=str(alert.finding.values.get("deletion_earliest") or ""),
        labels={sys.intern(name): sys.intern(value) for name, value in alert.labels.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLines:
    """All of them."""

    lines: tuple[AlertLine, ...]
    silenced: Mapping[str, tuple[Silence, ...]]  #: by id of those that are kept quiet
    silences: tuple[tuple[Silence, int], ...]  #: those in force, and how many that fire each of them keeps quiet

    def rows(self, tx: Connection, ids: Collection[str]) -> list[AlertRow]:
        """Some of them whole, in the order of `ids`; one that is gone meanwhile is left out."""
        found = {alert.id: alert for alert in stored.of_ids(tx, ids)}
        return [AlertRow(found[id_], self.silenced.get(id_, ())) for id_ in ids if id_ in found]


class AlertBook:
    """The lines of what fires, and of what began or ended in a span before now."""

    def __init__(self) -> None:
        self._gathered = Gathered(_load, every=_ANEW)

    def read(self, tx: Connection, *, since: datetime, now: datetime) -> AlertLines:
        """As they are now."""
        lines = self._gathered.read(tx, alert_pages.stamps(tx, since=since), now=now, base=None)
        silences = operators.silences(tx, since=now)
        quiet = [line.id for line in lines if any(one.matches(line.labels) for one in silences)]
        silenced = {
            alert.id: found for alert in stored.of_ids(tx, quiet) if (found := silenced_by(alert, silences, now))
        }
        firing = {line.id for line in lines if not line.is_event and line.ends_at is None}
        return AlertLines(
            lines=tuple(lines),
            silenced=silenced,
            silences=tuple((one, sum(one in silenced[id_] for id_ in silenced.keys() & firing)) for one in silences),
        )


def _load(tx: Connection, ids: Collection[str]) -> Mapping[str, AlertLine]:
    return {alert.id: line_of(alert) for alert in stored.of_ids(tx, ids)}
