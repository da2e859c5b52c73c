"""Countdowns: which of the configured steps is the last one crossed, and how loud the time left is."""

from collections.abc import Iterable
from datetime import timedelta

from watcher.rules import text
from watcher.rules.finding import Severity

#: The step past the end.
OVERDUE = "overdue"

_ORDER = tuple(sorted(Severity, key=lambda severity: severity.rank))


def step_crossed(left: timedelta, steps: Iterable[timedelta]) -> str | None:
    """The smallest step that `left` fits within, as configured; `None` while it is longer than all of them.

    A negative `left` is past the end, whatever the steps.
    """
    if left < timedelta():
        return OVERDUE
    crossed = [step for step in steps if left <= step]
    return text.step(min(crossed)) if crossed else None


def is_last_step(left: timedelta, steps: Iterable[timedelta]) -> bool:
    """Whether no step is left to cross before the end."""
    return left <= min(steps, default=timedelta())


def severity_of(left: timedelta) -> Severity:
    """More than 3 d: info; at most 3 d: warning; at most 1 d: critical."""
    if left <= timedelta(days=1):
        return Severity.CRITICAL
    return Severity.WARNING if left <= timedelta(days=3) else Severity.INFO


def capped(severity: Severity, limit: Severity) -> Severity:
    """`severity`, but no louder than `limit`."""
    return _ORDER[min(severity.rank, limit.rank)]
