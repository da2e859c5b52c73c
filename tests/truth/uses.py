"""The use that was made of a deployment, by the statement's states, held against the calls that really came.

All from the hour of the last answered call on is idle; before that a local day without a call is, one with at most one
is a trickle, and one with more is used. Calls are known by the hour, so that at the edges of what was read two answers
may both be right: what is claimed must lie between those.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction

from watcher.costs.hosting import State
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount
from watcher.report.statement import HostedLine, Statement
from watcher.simulator.ledger import LifeTruth

from . import days
from .record import Record
from .tariffs import Worth

_HOUR = timedelta(hours=1)
#: Metrics are asked for every hour or at every look, whichever is rarer, and claimed to be whole up to this long ago.
_DELAY = timedelta(minutes=15)
_SLACK = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
Times = dict[State, timedelta]


def check(
    record: Record, statement: Statement, life: LifeTruth, line: HostedLine, worth: Worth | None
) -> Iterator[str]:
    if worth is None or worth.is_guess or not worth.low or line.stood[0] != line.stood[1]:
        return
    name = f"{line.name} in {line.place.account}"
    told = {state: _time(cost.low, worth) for state, cost in line.by_state.items() if isinstance(cost, Amount)}
    begin = max(statement.period.begin, life.appears)
    end = statement.period.end if life.ended is None else min(statement.period.end, life.ended)
    read_to = whole_until(record, life, begin, statement.as_of)
    if read_to is None:
        yield from _inside(record, life, told, begin, end, name)
        return
    unread = told.get(State.UNKNOWN, timedelta())
    if unread > max(end - read_to, timedelta()) + _SLACK:
        yield f"{name}: the use of {unread} is unknown, and its calls were read to {read_to}"
        return
    known_to = end - unread
    found = [
        spent(record, life, begin, known_to, calls_until=until, is_all=is_all)
        for until in (end, known_to, known_to - 2 * _HOUR)
        for is_all in (False, True)
    ]
    for state in (State.USED, State.TRICKLE, State.IDLE):
        times = [each.get(state, timedelta()) for each in found]
        claimed = told.get(state, timedelta())
        if not min(times) - _SLACK <= claimed <= max(times) + _SLACK:
            yield f"{name}: {state.value} for {claimed}, and it was {min(times)} to {max(times)}"
    yield from _idle_money(record, statement, life, line, worth, known_to)


def _time(cost: Fraction, worth: Worth) -> timedelta:
    return round(cost / worth.low * 3_600_000_000) * _MICROSECOND


def whole_until(record: Record, life: LifeTruth, begin: datetime, at: datetime) -> datetime | None:
    """Up to when all its calls from `begin` on must be known by `at`; `None`: some may have been hidden."""
    if any(True for _ in record.blinds("metrics", life.account, record.ledger.start, at)):
        return None
    if any(True for _ in record.blinds("arm", life.account, record.ledger.start, at)):
        return None
    if any(
        blind.fault.gap is not None or blind.fault.metrics_delay is not None
        for blind in record.ledger.blinds
        if life.account in blind.accounts
    ):
        return None
    read = [s.at for s in record.steps if life.account in s.metered and life.appears <= s.at <= at]
    return (
        None
        if not read or begin < record.ledger.start
        else read[-1] - max(_DELAY, record.world.scenario.metrics_delay) - _HOUR
    )


def spent(
    record: Record, life: LifeTruth, begin: datetime, end: datetime, *, calls_until: datetime, is_all: bool
) -> Times:
    """How long it was in each state within [begin, end).

    Args:
        calls_until: Later calls are not counted.
        is_all: Calls of the hour before `begin`, and of another life of the name in it, are.
    """
    since = _hour(begin) if is_all else begin
    lives = record.lives[life.deployment] if is_all else (life,)
    last = max(
        (at for one in lives if (at := one.last_answered(calls_until)) is not None and at >= since),
        default=None,
    )
    idle_from = begin if last is None else max(_hour(last), begin)
    found: Times = {}
    for _, low, high in days.local_days(begin, end, record.agreed.zone):
        first = since if low == begin else low
        calls = sum(one.answered(first, min(high, calls_until)) for one in lives if first < calls_until)
        before = State.IDLE if not calls else State.TRICKLE if calls <= 1 else State.USED
        split = min(max(idle_from, low), high)
        for state, time in ((before, split - low), (State.IDLE, high - split)):
            found[state] = found.get(state, timedelta()) + time
    return found


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _inside(record: Record, life: LifeTruth, told: Times, begin: datetime, end: datetime, name: str) -> Iterator[str]:
    """Where calls were hidden, what is not claimed to be unknown may only err by those that nobody can ever know of."""
    found = [spent(record, life, begin, end, calls_until=end, is_all=is_all) for is_all in (False, True)]
    unread = told.get(State.UNKNOWN, timedelta())
    # A call that was read is a call: no day is used, and no fee a trickle's, without one.
    for state in (State.USED, State.TRICKLE):
        both = max(truth.get(State.USED, timedelta()) + truth.get(State.TRICKLE, timedelta()) for truth in found)
        if told.get(state, timedelta()) > both + _HOUR + _SLACK:
            yield f"{name}: {state.value} for {told[state]}, and it was called in {both} (unknown {unread})"
    idle = min(truth.get(State.IDLE, timedelta()) for truth in found)
    if idle > told.get(State.IDLE, timedelta()) + unread + _HOUR + _SLACK:
        yield f"{name}: idle for {told.get(State.IDLE)}, unknown for {unread}, and it was idle for {idle}"


def _idle_money(
    record: Record, statement: Statement, life: LifeTruth, line: HostedLine, worth: Worth, known_to: datetime
) -> Iterator[str]:
    """What idleness has cost since the last call, and will cost until Azure deletes it."""
    if (
        not isinstance(line.idle, IdleMoney)
        or line.idle_since is None
        or (life.ended is not None and life.ended <= known_to)
    ):
        return
    name, now = f"{line.name} in {line.place.account}", statement.as_of
    since = max(filter(None, (life.created, life.last_answered(known_to))))
    so_far = Fraction((now - since) // _MICROSECOND, 3_600_000_000)
    low, high = line.idle.so_far.low / worth.low, line.idle.so_far.high / worth.high
    if not low - 1 <= so_far <= high + Fraction(1, 3600) and life.last_answered(now) == life.last_answered(
        known_to - 2 * _HOUR
    ):
        yield f"{name}: {line.idle.so_far.text} since the last call, and that was {since}"
    deadline = life.deadline(now)
    if line.idle.until_deletion is None or deadline is None or life.idle_after != timedelta(days=15):
        return
    if life.last_call(now) != life.last_call(known_to - 2 * _HOUR) or life.lifetime is not None:
        return
    rest = Fraction(max(deadline - now, timedelta()) // _MICROSECOND, 3_600_000_000)
    least, most = line.idle.until_deletion.low / worth.low, line.idle.until_deletion.high / worth.high
    if rest < least - Fraction(1, 3600) or (rest > most + Fraction(1, 3600) and not line.idle.is_open):
        yield f"{name}: {line.idle.until_deletion.text} until its deletion, and that comes at {deadline}"
