"""How many inference calls a deployment got, and when. Pure, in whole microseconds, so that buckets always add up."""

from datetime import timedelta

from watcher.simulator.scenario import Calls

_MICROSECOND = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)


def calls_before(calls: Calls, moment: timedelta) -> int:
    """How many of the calls come before `moment`."""
    if calls.until is not None:
        moment = min(moment, calls.until)
    if moment <= calls.from_:
        return 0
    number = -((calls.from_ - moment) // _spacing(calls))  # rounded up: the first call is at `from_` itself
    return number if calls.count is None else min(number, calls.count)


def calls_between(calls: Calls, begin: timedelta, end: timedelta) -> int:
    """How many of the calls fall into [begin, end)."""
    return max(0, calls_before(calls, end) - calls_before(calls, begin))


def calls_counted(calls: Calls) -> bool:
    """Whether there is any call at all."""
    return calls.count != 0 and (calls.until is None or calls.until > calls.from_)


def next_call(calls: Calls, *, not_before: timedelta) -> timedelta | None:
    """The first call at or after `not_before`; None: there is none."""
    return _call(calls, calls_before(calls, not_before))


def last_call(calls: Calls, *, gap: timedelta, after: timedelta) -> timedelta | None:
    """The last of the calls from `after` on that follow one another in less than `gap`; None: they never cease."""
    if _spacing(calls) >= gap:
        return after
    if calls.until is None:
        return None if calls.count is None else _call(calls, calls.count - 1)
    return _call(calls, calls_before(calls, calls.until) - 1)


def _call(calls: Calls, index: int) -> timedelta | None:
    if calls.count is not None and index >= calls.count:
        return None
    at = calls.from_ + index * _spacing(calls)
    return None if calls.until is not None and at >= calls.until else at


def _spacing(calls: Calls) -> timedelta:
    return max(_MICROSECOND, _HOUR / calls.per_hour)
