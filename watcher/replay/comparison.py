"""What a replay told, held against what was really sent. Pure.

Messages are compared alert by alert: how they were grouped, and the very minute, say nothing of who was told what.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.alerts.alert import Alert
from watcher.alerts.notification import Notification, NotifyReason

#: Rules that rest on what is not kept: how deliveries went, what configuration stood, clocks, what discovery asked.
NOT_REPLAYED = frozenset({"delivery_failing", "configuration_rejected", "clock_skewed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One receiver is told of one alert."""

    at: datetime
    receiver: str
    reason: NotifyReason
    alert: Alert

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Equal for the same word to the same receiver, in whatever life of the alert. Each step is another word."""
        finding = self.alert.finding
        step = "" if self.reason is NotifyReason.RESOLVED else finding.step
        return self.receiver, finding.rule, finding.subject.id.lower(), self.reason.value, step


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Where the two differ."""

    both: int = 0
    only_now: tuple[Entry, ...] = ()
    only_then: tuple[Entry, ...] = ()


def entries(notifications: Iterable[Notification]) -> tuple[Entry, ...]:
    """Every word in some messages, oldest first."""
    found = (
        Entry(at=one.created_at, receiver=one.receiver, reason=told.reason, alert=told.alert)
        for one in notifications
        for told in one.alerts
    )
    return tuple(sorted(found, key=lambda entry: (entry.at, entry.receiver, entry.alert.finding.rule)))


def compare(now: Sequence[Entry], then: Sequence[Entry]) -> Comparison:
    """Which words are in one of them alone; of a word that comes more often in one, the later ones."""
    left = Counter(entry.key for entry in then if entry.alert.finding.rule not in NOT_REPLAYED)
    only_now, both = [], 0
    for entry in now:
        if left[entry.key]:
            left[entry.key] -= 1
            both += 1
        else:
            only_now.append(entry)
    mine = Counter(entry.key for entry in now)
    only_then = []
    for entry in then:
        if mine[entry.key]:
            mine[entry.key] -= 1
        else:
            only_then.append(entry)
    return Comparison(both=both, only_now=tuple(only_now), only_then=tuple(only_then))
