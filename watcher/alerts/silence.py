"""Silences: an operator keeps alerts quiet until a time. The alerts go on firing, and are told when it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.alerts.alert import Alert
from watcher.alerts.matcher import Matcher, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts that all `matchers` match are not told of from `starts_at` until just before `ends_at`."""

    id: str
    matchers: tuple[Matcher, ...]  #: one at least: a silence without any silences nothing
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    is_forced: bool = False  #: also hides the last day before a deletion

    def is_active(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.matchers) and matches(self.matchers, labels)


def silenced_by(alert: Alert, silences: Sequence[Silence], now: datetime) -> tuple[Silence, ...]:
    """The active silences that match the alert, the longest first."""
    labels = alert.labels
    found = (silence for silence in silences if silence.is_active(now) and silence.matches(labels))
    return tuple(sorted(found, key=lambda silence: (silence.ends_at, silence.id), reverse=True))
