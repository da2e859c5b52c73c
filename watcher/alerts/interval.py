"""Named intervals of the week in which routes keep quiet, by the wall clock of a time zone.

An interval belongs to the day on which it starts: with `mon-fri` and `22:00-07:00`, Saturday at 03:00 is still
Friday's. What the clock on the wall shows alone decides, as in Alertmanager: of two equal readings, where it is put
back, both are muted or neither; a span that is left out, where it is put forward, never comes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from watcher.rules.finding import Severity

ALL_DAYS = frozenset(range(7))
_DAY = timedelta(days=1)

#: Intervals that meet are followed no further than this; a route that is always muted is looked at again then.
_HORIZON = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A part of the day, as distances from local midnight. `end` at or before `start` is on the next day."""

    start: timedelta
    end: timedelta

    @property
    def length_end(self) -> timedelta:
        """The end, as a distance from the midnight of the day on which the range starts."""
        return self.end if self.end > self.start else self.end + _DAY


WHOLE_DAY = TimeRange(start=timedelta(), end=_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteInterval:
    """When a route that names it keeps quiet. What it holds back is told when it ends."""

    name: str
    times: tuple[TimeRange, ...] = (WHOLE_DAY,)
    weekdays: frozenset[int] = ALL_DAYS  #: Monday 0, of the day on which a range starts
    timezone: tzinfo = UTC
    except_severity: Severity | None = None  #: alerts at least that severe pass

    def is_muted(self, at: datetime) -> bool:
        return self._end_of_span(at) is not None

    def ends_at(self, at: datetime) -> datetime | None:
        """When quiet that holds at `at` ends, in UTC; spans that meet are one. `None`: not muted at `at`."""
        return muted_until((self,), at)

    def lets_pass(self, severity: Severity) -> bool:
        return self.except_severity is not None and severity.rank >= self.except_severity.rank

    def _end_of_span(self, at: datetime) -> datetime | None:
        """Until when quiet that holds at `at` goes on for sure, in UTC; `None`: not muted at `at`."""
        left = self._left(at.astimezone(self.timezone).replace(tzinfo=None))
        if left is None:
            return None
        start = at.astimezone(UTC)
        return _jump(start, start + left, self.timezone) or start + left

    def _left(self, reading: datetime) -> timedelta | None:
        """How far the hands have to go, from a muted reading of the clock, until the end of a span that holds it."""
        for days_before in (0, 1):
            midnight = datetime.combine(reading.date() - days_before * _DAY, time())
            if midnight.weekday() not in self.weekdays:
                continue
            for part in self.times:
                if midnight + part.start <= reading < midnight + part.length_end:
                    return midnight + part.length_end - reading
        return None


def muted_until(intervals: Collection[MuteInterval], at: datetime, severity: Severity | None = None) -> datetime | None:
    """When all of `intervals` have let go of an alert that severe, in UTC; `None`: it is not muted at `at`."""
    holding = [interval for interval in intervals if severity is None or not interval.lets_pass(severity)]
    until = at
    while until - at < _HORIZON:
        end = max((end for interval in holding if (end := interval._end_of_span(until))), default=None)
        if end is None:
            break
        until = end
    return until if until > at else None


def _jump(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """When the clock is put forward or back between two moments less than two days apart; `None`: it is not."""
    if _offset(start, zone) == _offset(end, zone):
        return None
    low, high = start, end
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if _offset(middle, zone) == _offset(start, zone):
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _offset(at: datetime, zone: tzinfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
