"""Which time a report speaks of: whole local days, or a calendar month, whatever the clocks do meanwhile."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from watcher.costs.hosting import Period

_DAY = timedelta(days=1)

#: A span, or the calendar month.
Length = timedelta | Literal["month"]


def period_before(at: datetime, length: Length, zone: ZoneInfo) -> Period:
    """The whole local days before the day of `at`, or the calendar month before that of `at`.

    So a report that is due on Monday at 8 speaks of Monday to Sunday, and one due on the 1st, or later in the month, of
    the month before. A day has 23 or 25 hours where the clock changes. What is shorter than a day, or no whole number
    of days, ends at that midnight too.
    """
    today = at.astimezone(zone).date()
    if length == "month":
        first = today.replace(day=1)
        return Period(begin=midnight((first - _DAY).replace(day=1), zone), end=midnight(first, zone))
    end = midnight(today, zone)
    return Period(begin=_back(end, length, zone), end=end)


def period_until(at: datetime, length: Length, zone: ZoneInfo) -> Period:
    """The same, for one that somebody asks for: up to `at` itself, or its calendar month so far.

    It begins at the same local time of day.
    """
    if length == "month":
        # At the very end of a month it is the whole of it.
        last = (at - timedelta(microseconds=1)).astimezone(zone).date()
        return Period(begin=midnight(last.replace(day=1), zone), end=at)
    return Period(begin=_back(at, length, zone), end=at)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins; where a zone skips that hour, when it goes on."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _back(end: datetime, length: timedelta, zone: ZoneInfo) -> datetime:
    """`length` before `end`: its whole days on the calendar, the rest by the clock."""
    days, rest = divmod(length, _DAY)
    local = end.astimezone(zone)
    return (local - days * _DAY).astimezone(UTC) - rest
