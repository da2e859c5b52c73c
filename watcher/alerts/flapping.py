"""What comes and goes: a condition that fires again and again is told only once it has stood for a while.

Resting on when its lives began alone, so that a restart decides the same. What is critical is told at once all the
same, and so is a countdown, which tells by its steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.alerts.notification import Told
from watcher.rules.finding import Severity
from watcher.rules.text import duration, moment

#: From the third time within six hours on, a condition has to stand for ten minutes.
WITHIN = timedelta(hours=6)
TIMES = 3
STANDS = timedelta(minutes=10)

#: When each life of a condition began, by fingerprint.
Lives = Mapping[str, Sequence[datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """A condition that has come and gone before."""

    times: int  #: with this one
    since: datetime  #: when the first of them began
    stands_at: datetime  #: when it has stood for so long that it is told

    def __str__(self) -> str:
        return f"comes and goes: {_ordinal(self.times)} time since {moment(self.since)}"


def can_flap(alert: Alert) -> bool:
    """Whether this one would have to stand for a while, had it come and gone before."""
    is_countdown = alert.finding.rule in COUNTDOWN_RULES or bool(alert.finding.step)
    return not (alert.is_event or is_countdown or alert.severity is Severity.CRITICAL)


def flapping(alert: Alert, lives: Lives) -> Flapping | None:
    """How often the condition came and went; `None`: not so often, or it is told at once anyway."""
    if not can_flap(alert):
        return None
    began = {at for at in lives.get(alert.fingerprint, ()) if alert.starts_at - WITHIN < at < alert.starts_at}
    if len(began) + 1 < TIMES:
        return None
    return Flapping(times=len(began) + 1, since=min(began), stands_at=alert.starts_at + STANDS)


def damped_because(alert: Alert, told: Sequence[Told]) -> str:
    """Why nobody was ever told of a condition that is over; "" where somebody was, or it still fires."""
    if alert.is_event or alert.ends_at is None or told:
        return ""
    return f"ended {duration(alert.ends_at - alert.starts_at)} after it fired, before anyone was told"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
