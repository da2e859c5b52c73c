"""The use that was made of a deployment, by the statement's states, held against the calls that really came.

All from the hour of the last answered call on is idle, if a whole hour without any was read after it; else what was of
the day of that call goes on. Before that a local day without a call is idle, one with at most one is a trickle, and one
with more is used. What was not read is unknown, and so is each hour in which calls came that the metrics book under no
deployment's name, but where the day is one of use: these hours, and no others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount
from watcher.costs.uses import State
from watcher.report.statement import HostedLine, Statement
from watcher.simulator.ledger import LifeTruth
from watcher.simulator.traffic import calls_between
from watcher.simulator.traffic_shapes import EMPTY

from . import days
from .record import Record, stands
from .tariffs import Worth

_HOUR = timedelta(hours=1)
#: A reading is claimed to be whole up to the hour in which this long ago lies.
_DELAY = timedelta(minutes=15)
#: So much is always read again, but for the hour that is cut.
_OVERLAP = timedelta(hours=23)
#: Hours that were not read at the end do not make the number of calls unknown, if they are fewer.
_LATE = timedelta(hours=12)
_SLACK = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
Times = dict[State, timedelta]


def check(
    record: Record,
    statement: Statement,
    life: LifeTruth,
    line: HostedLine,
    worth: Worth | None,
    *,
    may_be_later: bool = False,
) -> Iterator[str]:
    """What a line says of its deployment's use.

    Args:
        may_be_later: The statement was compiled later, and may know what was read only then of the time before.
    """
    if worth is None or worth.is_guess or not worth.low or line.stood[0] != line.stood[1]:
        return
    name = f"{line.name} in {line.place.account}"
    told = {state: _time(cost.low, worth) for state, cost in line.by_state.items() if isinstance(cost, Amount)}
    begin = max(statement.period.begin, life.appears)
    end = statement.period.end if life.ended is None else min(statement.period.end, life.ended)
    read_at = read_whole(record, life, begin, statement.as_of)
    if read_at is None:
        yield from _inside(record, life, told, begin, end, name)
        return
    views = [_view(record, life, begin, end, read_at)]
    if may_be_later:
        # Of hours that nothing was read of later, nobody can tell that they had not been read.
        views += [_view(record, life, begin, end, at, claimed_at=statement.as_of) for at in (read_at, statement.as_of)]
    for state in State:
        times = [each.get(state, timedelta()) for view in views for each in view.found]
        claimed = told.get(state, timedelta())
        if not min(times) - _SLACK <= claimed <= max(times) + _SLACK:
            by = views[-1].read_to
            yield f"{name}: {state.value} for {claimed}, and it was {min(times)} to {max(times)}, as read to {by}"
    yield from _calls(record, life, line, name, begin, end, views)
    # By what was surely read: a later reading need not have reached as far as it may.
    latest = max(view.read_to for view in views)
    yield from _idle_money(record, statement, life, line, worth, views[0].read_to, latest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What a reading of all calls shows."""

    read_to: datetime  #: absence of calls is claimed up to here
    calls_until: datetime  #: and so far the service had counted them: it may be later than is allowed for
    found: tuple[Times, ...]  #: the use, by whose the calls of the first and the last hour are
    unclear: tuple[timedelta, ...]  #: so much of it is unknown for calls that go by no name
    is_clear: bool  #: there are no such calls that matter


def _view(
    record: Record,
    life: LifeTruth,
    begin: datetime,
    end: datetime,
    read_at: datetime,
    *,
    claimed_at: datetime | None = None,
) -> _View:
    read_to = min(max(newest(claimed_at or read_at), begin), end)
    calls_until = read_at - record.world.scenario.metrics_delay
    doubtful = nameless_hours(record, life.account, begin, min(_next_hour(end), calls_until))
    found = tuple(
        spent(record, life, begin, end, calls_until=calls_until, is_all=is_all, read_to=read_to, doubtful=doubtful)
        for is_all in (False, True)
    )
    unclear = tuple(each.get(State.UNKNOWN, timedelta()) - (end - read_to) for each in found)
    is_clear = not max(unclear) and not any(hour >= read_to for hour in doubtful)
    return _View(read_to=read_to, calls_until=calls_until, found=found, unclear=unclear, is_clear=is_clear)


def _time(cost: Fraction, worth: Worth) -> timedelta:
    return round(cost / worth.low * 3_600_000_000) * _MICROSECOND


def read_whole(record: Record, life: LifeTruth, begin: datetime, at: datetime) -> datetime | None:
    """When its calls were last read by `at`, all from `begin` on; `None`: some may have been hidden."""
    if begin < record.ledger.start or is_hidden(record, life.account, at):
        return None
    # Metrics go with their account: another one of the same id tells nothing of what was before.
    account = next(
        one
        for one in record.accounts[life.account]
        if one.created <= life.appears and (one.deleted is None or life.appears < one.deleted)
    )
    read = [
        one
        for one in readings(record, life.account, at)
        if life.appears <= one and (account.deleted is None or one < account.deleted)
    ]
    if not read or any(not _adjoins(record, life.account, *two) for two in pairwise(read)):
        return None
    return read[-1]


def _adjoins(record: Record, account: str, before: datetime, after: datetime) -> bool:
    """Whether the later reading goes back to the one before: for a day, and as far as needed for what stands on."""
    return after - before < _OVERLAP or any(
        life.account == account and stands(life, before) and stands(life, after) for life in record.ledger.lives
    )


def is_hidden(record: Record, account: str, at: datetime) -> bool:
    """Whether any call may have been hidden from the readings by `at`."""
    return any(
        True for plane in ("metrics", "arm") for _ in record.blinds(plane, account, record.ledger.start, at)
    ) or any(
        blind.fault.gap is not None or blind.fault.metrics_delay is not None
        for blind in record.ledger.blinds
        if account in blind.accounts
    )


def readings(record: Record, account: str, at: datetime) -> Iterator[datetime]:
    """When the account's metrics were read without doubt; of one without custom deployments nobody asks for them."""
    own = [life for life in record.ledger.lives if life.account == account and life.is_fine_tuned]
    for step in record.clear_steps(account, "metrics", "arm"):
        if step.at <= at and account in step.metered and any(stands(life, step.at) for life in own):
            yield step.at


def settled(record: Record, account: str, at: datetime) -> datetime:
    """The start of the first hour whose calls may have been read otherwise since `at`, or for the first time."""
    late = (b.fault.gap or b.fault.metrics_delay for b in record.ledger.blinds if account in b.accounts)
    read_at = None if any(late) else max(readings(record, account, at), default=None)
    if read_at is None:
        return record.ledger.start
    return _hour(read_at - max(_DELAY, record.world.scenario.metrics_delay))


def newest(at: datetime) -> datetime:
    """Up to when a reading claims to be whole."""
    return _hour(at - _DELAY)


def nameless_hours(record: Record, account: str, begin: datetime, end: datetime) -> Sequence[datetime]:
    """The hours of [begin, end), by their start, in which calls came that go by no deployment's name, in order."""
    found: set[datetime] = set()
    for life in record.ledger.lives:
        since = max(_hour(begin), life.created)
        until = end if life.ended is None else min(end, life.ended)
        for calls in life.traffic if life.account == account else ():
            if calls.dimension != EMPTY:
                continue
            hour = _hour(since)
            while hour < until:
                low, high = (max(hour, since) - life.start, min(hour + _HOUR, until) - life.start)
                if calls_between(calls, low, high):
                    found.add(hour)
                hour += _HOUR
    return sorted(found)


def spent(
    record: Record,
    life: LifeTruth,
    begin: datetime,
    end: datetime,
    *,
    calls_until: datetime,
    is_all: bool,
    read_to: datetime | None = None,
    doubtful: Sequence[datetime] = (),
) -> Times:
    """How long it was in each state within [begin, end).

    Args:
        calls_until: Later calls are not counted.
        is_all: Calls of the hour before `begin`, and of another life of the name in it or in the last hour, are.
        read_to: All later time is unknown.
        doubtful: Of these hours that is unknown what is not used.
    """
    since = _hour(begin) if is_all else begin
    lives = record.lives[life.deployment] if is_all else (life,)
    until = min(_next_hour(end) if is_all else end, calls_until)
    last = max(
        (at for one in lives if (at := one.last_answered(until)) is not None and at >= since),
        default=None,
    )
    known_to = end if read_to is None else read_to
    idle_from = begin
    if last is not None:
        # What counts is that nobody may have called in all of an hour, not whether that is much.
        rests = (hour for hour in _hours(_hour(last) + _HOUR, min(end, known_to)) if hour not in doubtful)
        idle_from = max(_hour(last), begin) if any(True for _ in rests) else end
    found: Times = {}

    def spend(state: State, low: datetime, high: datetime) -> None:
        """Divide a time in one state into what is known of it, and what is not."""
        whole_to = min(max(known_to, low), high)
        is_used = state is State.USED and (last is None or low < _hour(last) + _HOUR)
        hours = () if is_used else [hour for hour in doubtful if low < hour + _HOUR and hour < whole_to]
        unknown = sum((min(hour + _HOUR, whole_to) - max(hour, low) for hour in hours), high - whole_to)
        for each, time in ((State.UNKNOWN, unknown), (state, high - low - unknown)):
            found[each] = found.get(each, timedelta()) + time

    state = State.IDLE
    for _, low, high in days.local_days(begin, end, record.agreed.zone):
        first = since if low == begin else low
        bound = until if high == end else min(high, until)
        calls = sum(one.answered(first, bound) for one in lives if first < bound)
        if calls or idle_from < end or last is None or bound <= last:
            state = State.IDLE if not calls else State.TRICKLE if calls <= 1 else State.USED
        # All of one use until the idleness, but for the time after the last call's hour, of which less is sure.
        ends = sorted(min(max(at, low), high) for at in (low, *([] if last is None else [_hour(last) + _HOUR]), high))
        for one, two in pairwise(ends):
            split = min(max(idle_from, one), two)
            if one < split:
                spend(state, one, split)
            if split < two:
                spend(State.IDLE, split, two)
    return found


def _calls(
    record: Record,
    life: LifeTruth,
    line: HostedLine,
    name: str,
    begin: datetime,
    end: datetime,
    views: Sequence[_View],
) -> Iterator[str]:
    """How often it was called, by what was read whole; nobody knows where others may have been its own."""
    if line.calls is None:
        if all(view.is_clear and begin < view.read_to and end - view.read_to < _LATE for view in views):
            yield f"{name}: an unknown number of calls, and all were read to {views[0].read_to}"
        return
    if all(min(view.unclear) for view in views):
        yield f"{name}: {line.calls:g} calls, and others without a name may have been its own"
    least = life.answered(begin, max(begin, min(views[0].read_to, views[0].calls_until)))
    most = sum(one.answered(_hour(begin), _next_hour(views[-1].read_to)) for one in record.lives[life.deployment])
    if not least <= line.calls <= most:
        yield f"{name}: {line.calls:g} calls, and {least} to {most} came by {views[-1].read_to}"


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _hours(begin: datetime, end: datetime) -> Iterator[datetime]:
    """The starts of the whole hours within [begin, end)."""
    while begin + _HOUR <= end:
        yield begin
        begin += _HOUR


def _next_hour(at: datetime) -> datetime:
    """The end of the hour that holds the moment before."""
    return _hour(at - _MICROSECOND) + _HOUR


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
    record: Record,
    statement: Statement,
    life: LifeTruth,
    line: HostedLine,
    worth: Worth,
    known_to: datetime,
    latest: datetime,
) -> Iterator[str]:
    """What idleness has cost since the last call, and will cost until Azure deletes it.

    Args:
        known_to, latest: To where its calls had been read, at least and at most.
    """
    if (
        not isinstance(line.idle, IdleMoney)
        or line.idle_since is None
        or (life.ended is not None and life.ended <= known_to)
    ):
        return
    name, now = f"{line.name} in {line.place.account}", statement.as_of
    since = max(filter(None, (life.created, life.last_answered(known_to))))
    least, most = (Fraction((min(at, now) - since) // _MICROSECOND, 3_600_000_000) for at in (known_to, latest))
    low, high = line.idle.so_far.low / worth.low, line.idle.so_far.high / worth.high
    if (most < low - 1 or least > high + Fraction(1, 3600)) and life.last_answered(now) == life.last_answered(
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
