"""How many inference calls a deployment got, and when. Pure, in whole numbers, so that buckets always add up."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from watcher.simulator.scenario import Calls

_MICROSECOND = timedelta(microseconds=1)
_HOUR = 3_600_000_000  # microseconds


def microseconds(length: timedelta) -> int:
    return length // _MICROSECOND


def calls_before(calls: Calls, moment: timedelta) -> int:
    """How many of the calls come before `moment`."""
    if calls.until is not None:
        moment = min(moment, calls.until)
    elapsed = microseconds(moment - calls.from_)
    if elapsed <= 0:
        return 0
    rate = _rate(calls.per_hour)
    number = -(-elapsed * rate.numerator // (rate.denominator * _HOUR))  # rounded up: the first is at `from_` itself
    return number if calls.count is None else min(number, calls.count)


def calls_in_buckets(calls: Calls, edges: Sequence[int], *, since: timedelta, until: timedelta) -> list[int]:
    """How many of the calls within [since, until) fall between each edge and the next.

    `edges` are moments in microseconds, since a fortnight of hours is a lot of arithmetic for timedeltas.
    """
    if calls.until is not None:
        until = min(until, calls.until)
    origin = microseconds(calls.from_)
    first, last = max(0, microseconds(since) - origin), max(0, microseconds(until) - origin)
    rate = _rate(calls.per_hour)
    up, down = rate.numerator, rate.denominator * _HOUR
    if last <= first:
        return [0] * (len(edges) - 1)
    # Only edges between the first and the last call have anything of their own to say.
    begin, end = bisect_left(edges, origin + first), bisect_right(edges, origin + last)
    before = [-(-first * up // down)] * begin
    before += [-(-(edge - origin) * up // down) for edge in edges[begin:end]]
    before += [-(-last * up // down)] * (len(edges) - end)
    if calls.count is not None:
        before = [min(number, calls.count) for number in before]
    return [after - earlier for earlier, after in pairwise(before)]


def calls_between(calls: Calls, begin: timedelta, end: timedelta) -> int:
    """How many of the calls fall into [begin, end)."""
    return max(0, calls_before(calls, end) - calls_before(calls, begin))


def calls_counted(calls: Calls) -> bool:
    """Whether there is any call at all."""
    return calls.count != 0 and (calls.until is None or calls.until > calls.from_)


def next_call(calls: Calls, *, not_before: timedelta) -> timedelta | None:
    """The first call at or after `not_before`; None: there is none."""
    return _call(calls, calls_before(calls, not_before))


def previous_call(calls: Calls, *, not_after: timedelta) -> timedelta | None:
    """The last call at or before `not_after`; None: there is none."""
    number = calls_before(calls, not_after + _MICROSECOND)
    return _call(calls, number - 1) if number else None


def last_call(calls: Calls, *, gap: timedelta, after: timedelta) -> timedelta | None:
    """The last of the calls from `after` on that follow one another in less than `gap`; None: they never cease."""
    if _HOUR / _rate(calls.per_hour) >= microseconds(gap):
        return after
    if calls.until is None:
        return None if calls.count is None else _call(calls, calls.count - 1)
    return _call(calls, calls_before(calls, calls.until) - 1)


def _call(calls: Calls, index: int) -> timedelta | None:
    if calls.count is not None and index >= calls.count:
        return None
    rate = _rate(calls.per_hour)
    at = calls.from_ + (index * rate.denominator * _HOUR // rate.numerator) * _MICROSECOND
    return None if calls.until is not None and at >= calls.until else at


@lru_cache
def _rate(per_hour: float) -> Fraction:
    """Calls an hour, exact, so that no rounding adds up over weeks."""
    return Fraction(per_hour).limit_denominator(1_000_000)
