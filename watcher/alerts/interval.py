"""Named intervals of the week in which routes keep quiet, by the wall clock of a time zone.

An interval belongs to the day on which it starts: with `mon-fri` and `22:00-07:00`, Saturday at 03:00 is still
Friday's. Where the clock is put back, an interval starts at the first and ends at the last of two equal readings;
where it is put forward, a reading that does not exist means the moment of the jump.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

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
        return max((end for start, end in self._spans(at) if start <= at < end), default=None)

    def _spans(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Those that may hold `at`: of its own day and the day before, in UTC."""
        today = at.astimezone(self.timezone).date()
        for day in (today - _DAY, today):
            if day.weekday() in self.weekdays:
                for part in self.times:
                    yield (
                        _instant(day, part.start, self.timezone, fold=0),
                        _instant(day, part.length_end, self.timezone, fold=1),
                    )


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


def _instant(day: date, distance: timedelta, zone: tzinfo, *, fold: int) -> datetime:
    """The moment, in UTC, when the clock on the wall shows midnight of `day` plus `distance`."""
    wall = datetime.combine(day, time()) + distance  # wall clock arithmetic: no time zone yet
    before, after = (wall.replace(tzinfo=zone, fold=side) for side in (0, 1))
    if _exists(before):
        return (after if fold else before).astimezone(UTC)
    # In a gap the two sides give moments after and before the jump: the jump is the first with the new offset.
    low, high = after.astimezone(UTC), before.astimezone(UTC)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def _exists(local: datetime) -> bool:
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)
