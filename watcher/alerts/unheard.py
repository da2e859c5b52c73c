"""What began and ended while a mute held: the mute defers and does not drop it, so it is told, as over, when that ends.

What would have been kept quiet all the same is not: what did not last for as long as its group waits, or was silenced,
inhibited or kept at its end, or came and went. All of it from stored times, so that a restart tells the same.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.alerts.flapping import Lives, flapping
from watcher.alerts.inhibition import Inhibitor, InhibitRule, lingers_until
from watcher.alerts.interval import MuteInterval, muted_until
from watcher.alerts.keep import Keep, kept_by
from watcher.alerts.silence import Silence, hushed

#: An alert ends at a time; what held just before, held to its end.
_MOMENT = timedelta(microseconds=1)


def was_muted_away(alert: Alert, group_wait: timedelta, mutes: Sequence[MuteInterval]) -> bool:
    """Whether a condition that has ended, and of which a receiver never heard, ended while that one was muted."""
    if alert.ends_at is None or alert.is_event or not mutes:
        return False
    at = alert.ends_at - _MOMENT
    return alert.ends_at - alert.starts_at > group_wait and muted_until(mutes, at, alert.severity) is not None


def unheard_note(alert: Alert, mutes: Sequence[MuteInterval]) -> str:
    """Why it is told only now that it is over."""
    until = muted_until(mutes, alert.starts_at, alert.severity)
    if until is not None and alert.ends_at is not None and alert.ends_at <= until:
        return "began and ended while this receiver was muted"
    return "ended while this receiver was muted, before it was told"


class AtTheEnd:
    """What was in force when alerts ended: each is asked of its own last moment."""

    def __init__(
        self,
        *,
        inhibitions: Sequence[InhibitRule],
        sources: Sequence[Alert],
        silences: Sequence[Silence],
        keeps: Sequence[Keep],
        lives: Lives,
    ) -> None:
        self._inhibitions, self._sources = inhibitions, tuple({one.id: one for one in sources}.values())
        self._silences, self._keeps, self._lives = silences, keeps, lives
        self._inhibitors: dict[datetime, Inhibitor] = {}

    def hid(self, alert: Alert) -> bool:
        """Whether something other than a mute kept it quiet at its end."""
        if alert.ends_at is None:
            return False
        at = alert.ends_at - _MOMENT
        found = flapping(alert, self._lives)
        return (
            (found is not None and found.stands_at > alert.ends_at)
            or hushed(alert, self._silences, at).by is not None
            or kept_by(alert, self._keeps, at) is not None
            or self._inhibitor(at).inhibited_by(alert) is not None
        )

    def _inhibitor(self, at: datetime) -> Inhibitor:
        if at not in self._inhibitors:  # those that end in one poll end at one time
            live = [one for one in self._sources if _kept_quiet(one, at)]
            self._inhibitors[at] = Inhibitor(self._inhibitions, (), live)
        return self._inhibitors[at]


def _kept_quiet(source: Alert, at: datetime) -> bool:
    """Whether a condition fired at that time, or still kept others quiet."""
    if source.starts_at > at:
        return False
    return source.ends_at is None or at < source.ends_at or lingers_until(source, at) is not None
