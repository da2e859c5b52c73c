"""Silences: an operator keeps alerts quiet until a time. The alerts go on firing, and are told when it ends.

A deletion that is less than a day away comes through, unless the silence is forced: whoever silenced the countdown a
week before may have forgotten it by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.alerts.alert import Alert
from watcher.alerts.keep import COUNTDOWN_RULES, LAST_STEPS
from watcher.alerts.matcher import Matcher, UnreadMatcher, matches
from watcher.alerts.step import OVERDUE, time_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts that all `matchers` match are not told of from `starts_at` until just before `ends_at`."""

    id: str
    matchers: tuple[Matcher | UnreadMatcher, ...]  #: one at least: a silence without any silences nothing
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    is_forced: bool = False  #: also hides the last day before a deletion

    @property
    def unread_because(self) -> str:
        """Why it hides nothing: the first of its matchers that cannot be read, and why; "" where all can be."""
        return next((one.because for one in self.matchers if isinstance(one, UnreadMatcher)), "")

    def is_active(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.matchers) and matches(self.matchers, labels)


def silenced_by(alert: Alert, silences: Sequence[Silence], now: datetime) -> tuple[Silence, ...]:
    """Those that keep the alert quiet now, the longest first; in its last day a countdown heeds only forced ones."""
    found = _matching(alert, silences, now)
    return tuple(silence for silence in found if silence.is_forced) if _is_last_day(alert, now) else found


def _matching(alert: Alert, silences: Sequence[Silence], now: datetime) -> tuple[Silence, ...]:
    """The active silences that match the alert, the longest first."""
    if not silences:
        return ()
    labels = alert.labels
    found = (silence for silence in silences if silence.is_active(now) and silence.matches(labels))
    return tuple(sorted(found, key=lambda silence: (silence.ends_at, silence.id), reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """What the silences that match an alert mean for it now."""

    by: Silence | None = None  #: the longest that keeps it quiet; `None`: it may be told
    until: datetime | None = None  #: when it may be told, if nothing changes
    note: str = ""  #: what to say of an alert that comes through a silence


def hushed(alert: Alert, silences: Sequence[Silence], now: datetime) -> Hush:
    """Whether silences keep the alert quiet now, until when, and what to say if it comes through them."""
    found = _matching(alert, silences, now)
    if not found:
        return Hush()
    forced = [silence for silence in found if silence.is_forced]
    if _is_last_day(alert, now):
        return (
            Hush(by=forced[0], until=forced[0].ends_at) if forced else Hush(note=_comes_through(alert, found[0], now))
        )
    until, ends_at = found[0].ends_at, _ends_at(alert)
    if ends_at is not None:
        until = min(until, max([ends_at - LAST_STEPS, *(silence.ends_at for silence in forced)]))
    return Hush(by=found[0], until=until)


def _is_last_day(alert: Alert, now: datetime) -> bool:
    if alert.finding.rule not in COUNTDOWN_RULES:
        return False
    step, ends_at = alert.finding.step, _ends_at(alert)
    return (bool(step) and time_before(step) <= LAST_STEPS) or (ends_at is not None and ends_at - now <= LAST_STEPS)


def _comes_through(alert: Alert, silence: Silence, now: datetime) -> str:
    ends_at = _ends_at(alert)
    if alert.finding.step == OVERDUE:
        why = "deletion is overdue"
    elif ends_at is not None and ends_at <= now:
        why = "deletion may come at any moment"
    else:
        why = "deletion is less than 24 h away"
    return f"comes through silence {silence.id} (by {silence.author}: {silence.comment}), since {why}"


def _ends_at(alert: Alert) -> datetime | None:
    value = alert.finding.values.get("deletion_earliest") if alert.finding.rule in COUNTDOWN_RULES else None
    return datetime.fromisoformat(value) if isinstance(value, str) else None
