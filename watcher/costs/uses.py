"""The use that was made of a deployment each local day of a period: how long it was used, idle, or nobody knows.

Hours of calls are whole numbers since 1970 here, and spans of time are microseconds: thousands of deployments have
hundreds of hours each.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from watcher.costs.hosting import Period, Tenancy
from watcher.resources.calls import HOUR, Calls, Coverage

_MICROSECOND = timedelta(microseconds=1)
_A_DAY = timedelta(days=1)


class State(StrEnum):
    """What use was made of a deployment."""

    USED = "used"
    TRICKLE = "trickle"
    IDLE = "idle"
    UNKNOWN = "unknown"  #: its calls were not read


#: A day with at most so many answered calls is one of a trickle.
TRICKLE_A_DAY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answered calls of one name by the hour: thousands of deployments have hundreds of hours each, so plain
    figures in place of an object for each hour."""

    hours: Sequence[int] = ()  #: since 1970, in order; only those with a call
    counts: Sequence[float] = ()

    @classmethod
    def of(cls, calls: Calls | None) -> "Answered":
        found = sorted((micros(hour) // _HOUR, one.ok) for hour, one in calls.hours.items() if one.ok) if calls else ()
        return cls(hours=tuple(hour for hour, _ in found), counts=tuple(count for _, count in found))

    def within(self, begin: datetime, end: datetime) -> float:
        """How many came in the hours that begin in [begin, end)."""
        low, high = _hours_before(self.hours, micros(begin)), _hours_before(self.hours, micros(end))
        return sum(self.counts[low:high], 0.0)

    def last_within(self, begin: datetime, end: datetime) -> datetime | None:
        """The start of the last of these hours; `None`: there is none."""
        high = _hours_before(self.hours, micros(end))
        if not high or (found := self.hours[high - 1] * _HOUR) < micros(begin):
            return None
        return _EPOCH + found * _MICROSECOND


#: Time in each state, at least and at most, in microseconds.
Spent = tuple[tuple[State, int, int], ...]


class Use(msgspec.Struct, frozen=True):
    """One local day of a tenancy."""

    day: date
    calls: float  #: that went well, as far as they were read
    spent: Spent
    is_clear: bool = True  #: `False`: more may have gone well, as some were of unknown status, or of no name


def use_by_day(
    tenancy: Tenancy,
    answered: Answered,
    coverage: Coverage,
    period: Period,
    zone: ZoneInfo,
    *,
    trickle: float = TRICKLE_A_DAY,
    unclear: Sequence[int] = (),
) -> tuple[Use, ...]:
    """Divide the time in which it stood in `period` by local day and by use.

    The time is `unknown` where its metrics were not read. Of what was read, all from the start of the hour of the last
    answered call of the period on is `idle` (from its beginning, where there was none), as Azure's own clock counts it:
    but only if a whole hour after that one was read in which no call can have been answered. Otherwise nothing shows
    that use has ended, and what is called around the clock is idle at no time. Before that, a local day decides for
    itself: without a call it is `idle`, with at most `trickle` calls it is `trickle`, with more it is `used`. Only
    answered calls count, and only of this life. An hour of calls belongs to the day in which it begins. What would not
    be `used` is `unknown` in the hours of calls that may be answered ones.

    Args:
        coverage: What was read whole of the account's metrics.
        zone: Whose midnights part the days; such a day may have 23 or 25 hours.
        unclear: Hours since 1970, in order, with calls that may be answered ones of it.
    """
    begin, end = _ends(period)
    begin = max(begin, micros(tenancy.begin))
    sure = end
    if tenancy.end is not None:
        sure, end = min(end, micros(tenancy.end[0])), min(end, micros(tenancy.end[1]))
    if begin >= end:
        return ()
    hours, counts = answered.hours, answered.counts
    # Of the hour in which it was created it cannot be told whose calls they are; those before are another life's.
    done, last = bisect_left(hours, begin // _HOUR), _hours_before(hours, end)
    read = _spans(coverage)
    spans = [(max(low, begin), min(high, end)) for low, high in read if low < end and begin < high]
    read_from, read_to = spans[0] if len(spans) == 1 else (end, begin)
    read_to = min(read_to, sure)
    unclear = _doubtful(unclear, begin, end) if unclear else ()
    idle_from = doubts_from = begin
    if last > done:
        called_to = (hours[last - 1] + 1) * _HOUR
        idle_from = max(called_to - _HOUR, begin) if _has_rested(spans, unclear, called_to) else end
        doubts_from = min(idle_from, called_to)
    grid = _grid(period, zone)
    if last <= done and (read_from, read_to) == (begin, end) and not unclear:  # as very often
        return _idle_days(grid, begin, end)
    # Hours beyond what was read may still grow, or never be read again: some calls came, and nobody knows how many.
    whole = [high for low, high in read if low < end]
    counted = bisect_left(hours, whole[-1] // _HOUR) if whole else len(hours)
    midnights, hours_before, dates = grid
    number = bisect_right(midnights, begin)
    days, low, before = [], begin, _IDLE
    while low < end:
        if number < len(midnights) and midnights[number] < end:
            high, bound = midnights[number], hours_before[number]
        else:
            high, bound = end, -(-end // _HOUR)
        after = bisect_left(hours, bound, done)
        came = sum(counts[done:after], 0.0)
        within = came if after <= counted else sum(counts[done:counted], 0.0)
        done = after
        if came:
            before = _TRICKLE if came <= trickle else _USED
        elif done < last or idle_from < end:  # else what began before this day's midnight goes on
            before = _IDLE
        doubts = _doubtful(unclear, max(low, doubts_from) if before is _USED else low, high) if unclear else ()
        if doubts:
            spent = _spent(low, high, before, idle_from, _without(spans, doubts), sure)
        elif read_from <= low and high <= read_to:  # as nearly always
            spent = _parted(before, min(max(idle_from - low, 0), high - low), high - low)
        else:
            spent = _spent(low, high, before, idle_from, spans, sure)
        days.append(Use(dates[number], within, spent, not doubts))
        low, number = high, number + 1
    return tuple(days)


# A member of an enum is found slowly, and these are asked for by the hundred thousand.
_USED, _TRICKLE, _IDLE = State.USED, State.TRICKLE, State.IDLE


#: The local midnights within a period, how many hours begin before each, and the dates around them.
_Grid = tuple[tuple[int, ...], tuple[int, ...], tuple[date, ...]]


@lru_cache(maxsize=4096)
def _parted(before: State, idle_from: int, length: int) -> Spent:
    """A day that was read whole, idle from some time of it on: one and the same for all that are alike."""
    if before is _IDLE or not idle_from:
        return ((_IDLE, length, length),)
    used = (before, idle_from, idle_from)
    return (used,) if idle_from == length else (used, (_IDLE, length - idle_from, length - idle_from))


@lru_cache(maxsize=64)
def _idle_days(grid: _Grid, begin: int, end: int) -> tuple[Use, ...]:
    """The days of what was idle all the time, which was read whole."""
    midnights, _, dates = grid
    first, last = bisect_right(midnights, begin), bisect_left(midnights, end)
    bounds = (begin, *midnights[first:last], end)
    lengths = [high - low for low, high in pairwise(bounds)]
    return tuple(Use(dates[first + n], 0.0, _parted(_IDLE, 0, length)) for n, length in enumerate(lengths))


@lru_cache(maxsize=64)
def _ends(period: Period) -> tuple[int, int]:
    return micros(period.begin), micros(period.end)


@lru_cache(maxsize=64)
def _spans(coverage: Coverage) -> tuple[tuple[int, int], ...]:
    return tuple((micros(low), micros(high)) for low, high in coverage.spans)


#: In microseconds.
_HOUR = HOUR // _MICROSECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Since 1970: sums of whole microseconds are exact, and cheap."""
    return (at - _EPOCH) // _MICROSECOND


def _hours_before(hours: Sequence[int], at: int) -> int:
    """How many of `hours` begin before `at`."""
    return bisect_left(hours, -(-at // _HOUR))


def doubtful(unclear: Sequence[int], begin: datetime, end: datetime) -> bool:
    """Whether any of these hours has a part in [begin, end)."""
    return bool(unclear) and bool(_doubtful(unclear, micros(begin), micros(end)))


def _doubtful(unclear: Sequence[int], low: int, high: int) -> Sequence[int]:
    """Those of the hours that have a part in [low, high)."""
    return unclear[bisect_left(unclear, low // _HOUR) : _hours_before(unclear, high)]


_Spans = list[tuple[int, int]]


def _has_rested(spans: _Spans, unclear: Sequence[int], since: int) -> bool:
    """Whether an hour after `since` was read whole, and holds no call that may be an answered one.

    Args:
        since: Where the hour of the last answered call ends.
    """
    for low, high in spans:
        first, last = -(-max(low, since) // _HOUR), high // _HOUR
        if first < last and (not unclear or bisect_left(unclear, last) - bisect_left(unclear, first) < last - first):
            return True
    return False


def _without(spans: _Spans, hours: Sequence[int]) -> _Spans:
    """The spans less some hours, in order."""
    found: _Spans = []
    for low, high in spans:
        for hour in hours:
            begin, end = hour * _HOUR, (hour + 1) * _HOUR
            if low < end and begin < high:
                if low < begin:
                    found.append((low, begin))
                low = end
        if low < high:
            found.append((low, high))
    return found


def _spent(low: int, high: int, before: State, idle_from: int, covered: _Spans, sure: int) -> Spent:
    """The time in each state within one day, in the order of the states.

    A span's part after `sure`, the last sight of what is gone by now, counts for the most, and not for the least.
    """
    least, most = dict.fromkeys(State, 0), dict.fromkeys(State, 0)

    def spend(state: State, begin: int, end: int) -> None:
        if begin < end:
            most[state] += end - begin
            least[state] += max(min(end, sure) - begin, 0)

    at = low
    for begin, end in covered:
        begin, end = max(begin, low), min(end, high)
        if begin < end:
            spend(State.UNKNOWN, at, begin)
            spend(before, begin, min(max(idle_from, begin), end))
            spend(State.IDLE, max(min(idle_from, end), begin), end)
            at = end
    spend(State.UNKNOWN, at, high)
    return tuple((state, least[state], most[state]) for state in State if most[state])


@lru_cache(maxsize=64)
def _grid(period: Period, zone: ZoneInfo) -> _Grid:
    bounds: list[int] = []
    dates = [period.begin.astimezone(zone).date()]
    day, begin = dates[0] + _A_DAY, micros(period.begin)
    while (at := micros(datetime.combine(day, time(), zone).astimezone(UTC))) < micros(period.end):
        if at > (bounds[-1] if bounds else begin):  # a zone may jump over a whole day
            bounds.append(at)
            dates.append(day)
        elif bounds and at == bounds[-1]:
            dates[-1] = day
        day += _A_DAY
    return tuple(bounds), tuple(-(-at // _HOUR) for at in bounds), tuple(dates)
