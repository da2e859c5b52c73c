"""Local days, counted by the calendar alone: some have 23 hours, some 25."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

_A_DAY = timedelta(days=1)


def begin_of(end: datetime, length: timedelta | Literal["month"], zone: ZoneInfo) -> datetime:
    """When a period began that ends at `end`: at the same time of day, or with the month."""
    local = end.astimezone(zone)
    if length == "month":
        return datetime(local.year, local.month, 1, tzinfo=zone).astimezone(UTC)
    return datetime.combine(local.date() - length, local.time(), zone).astimezone(UTC)


def local_days(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[date, datetime, datetime]]:
    """The local days of a time, each with when it begins and ends within it."""
    day = begin.astimezone(zone).date()
    while (low := datetime.combine(day, time(), zone).astimezone(UTC)) < end:
        high = datetime.combine(day + _A_DAY, time(), zone).astimezone(UTC)
        if max(low, begin) < min(high, end):
            yield day, max(low, begin), min(high, end)
        day += _A_DAY
