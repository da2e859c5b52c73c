"""What a statement says when it is compiled anew from the history, held against what it said at its time.

It is the same. But when metrics were read is not kept, and of an hour that was read again the last count alone. So
where the newest hours had not been read, or not whole, it may tell of these what is known since, and of no others. And
of a listing that could not be read then it is kept when that was noticed, not when it had been read last.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from watcher.costs.money import Amount, Unknown
from watcher.costs.uses import State
from watcher.report.statement import HostedLine, Statement

from . import money, uses
from .record import Record, Violation

#: Of a line, what rests on the lists of deployments, and what on the metrics.
_KEPT = ("cost", "stood", "end", "is_paused")
_BY_CALLS = ("state", "idle_since", "idle", "deletion", "calls", "by_state")


def check(record: Record) -> Iterator[Violation]:
    for booked in record.booked:
        if booked.again is not None:
            at = booked.statement.as_of
            for what in _differences(record, booked.statement, booked.again):
                yield record.violation(at, f"the statement of {at:%m-%d %H:%M} has {what}")


def _differences(record: Record, then: Statement, again: Statement) -> Iterator[str]:
    before, after = ({(line.id, line.begin): line for line in one.hosted} for one in (then, again))
    for key in sorted({*before, *after}):
        one, two = before.get(key), after.get(key)
        if one is None or two is None:
            yield f"{key[0]} from {key[1]} {'then' if one else 'again'} alone"
            continue
        account, name = one.place.account_id.lower(), f"{one.name} in {one.place.account}"
        begin, slack = uses.settled(record, account, then.as_of), _unseen(record, account, then.as_of)
        # Nothing on record tells whether the first hours of a life had been read by then.
        is_late = begin < uses.newest(then.as_of) or one.begin >= uses.newest(then.as_of) - timedelta(hours=1)
        for what in _KEPT if is_late or slack else (*_KEPT, *_BY_CALLS):
            old, new = getattr(one, what), getattr(two, what)
            if old != new and not _has_stood(one, old, new, slack):
                yield f"{name}: {what} {old}, and again {new}"
        if not _may_have_come(record, one, two, begin, then.as_of):
            yield f"{name}: calls {one.calls}, and again {two.calls}"
        if not _may_have_settled(record, one, two, begin, then.as_of, slack):
            yield f"{name}: by_state {one.by_state}, and again {two.by_state}"
    yield from (f"again {what}" for what in money.hosting(record, again, may_be_later=True))
    # By the account's id: its label is that of now, which namesakes that come and go change.
    jobs, again_jobs = ({(line.place.account_id, line.job): line.cost for line in s.trained} for s in (then, again))
    for job in sorted({*jobs, *again_jobs}):
        if jobs.get(job) != again_jobs.get(job):
            yield f"training {job}: {jobs.get(job)}, and again {again_jobs.get(job)}"
    yield from (f"again {what}" for what in money.sums(again))
    for name in ("accounts", "saved"):
        if (old := getattr(then, name)) != (new := getattr(again, name)):
            yield f"{name} {getattr(old, 'text', old)}, and again {getattr(new, 'text', new)}"


def _unseen(record: Record, account: str, at: datetime) -> timedelta:
    """The most that may lie between the last sight of an account's deployments and when it was noticed to be the last.

    Zero where they were seen at the end.
    """
    seen = max((step.at for step in record.clear_steps(account, "arm") if step.at <= at), default=record.ledger.start)
    since = [step.at for step in record.polled_steps(account) if seen < step.at <= at]
    return max((two - one for one, two in pairwise((seen, *since))), default=timedelta())


def _has_stood(line: HostedLine, then: object, again: object, slack: timedelta) -> bool:
    """Whether nothing differs but how long it stood at the least, and that by no more than `slack`."""
    match then, again:
        case (timedelta() as old, timedelta() as old_most), (timedelta() as new, timedelta() as new_most):
            return old_most == new_most and timedelta() <= new - old <= slack
        case Amount() as old_cost, Amount() as new_cost:
            return old_cost.high == new_cost.high and 0 <= new_cost.low - old_cost.low <= _worth(line, slack)
    return False


def _worth(line: HostedLine, span: timedelta) -> Fraction:
    """The most that a time costs."""
    most = Fraction(0) if isinstance(line.price, Unknown) else line.price.rate.high
    return most * Fraction(span // timedelta(microseconds=1), 3_600_000_000)


def _may_have_come(record: Record, then: HostedLine, again: HostedLine, begin: datetime, end: datetime) -> bool:
    """Whether all calls that make the difference may have come within [begin, end)."""
    if then.calls is None or again.calls is None:
        return True  # that all were read is held against the truth elsewhere
    return abs(again.calls - then.calls) <= _came(record, then, begin, end)


def _came(record: Record, line: HostedLine, begin: datetime, end: datetime) -> int:
    return sum(life.answered(begin, end) for life in record.lives[line.id.lower()])


def _may_have_settled(
    record: Record, then: HostedLine, again: HostedLine, begin: datetime, end: datetime, slack: timedelta
) -> bool:
    """Whether nothing differs but the use of [begin, end), or that of a whole day where calls came then."""
    if then.by_state == again.by_state:
        return True
    if isinstance(then.price, Unknown):
        return True  # how long it was in each state cannot be told from what is unknown
    zero = Amount(low=Fraction(0), high=Fraction(0), currency=then.price.currency)
    more: dict[State, tuple[Fraction, Fraction]] = {}
    for state in State:
        old, new = (line.by_state.get(state, zero) for line in (then, again))
        if isinstance(old, Unknown) or isinstance(new, Unknown):
            return False
        more[state] = (new.low - old.low, new.high - old.high)
    # With the hour before: the first of a time without calls is what makes that of the last call one of idleness.
    most = _worth(then, end - begin + timedelta(hours=1))
    has_come = _came(record, then, begin, end) > 0
    stood = [sum(each[bound] for each in more.values()) for bound in (0, 1)]
    return (0 <= stood[0] <= _worth(then, slack) and stood[1] == 0) and all(
        abs(more[State.UNKNOWN][bound]) <= most
        and abs(more[State.IDLE][bound]) <= most
        and (has_come or all(abs(more[state][bound]) <= most for state in (State.USED, State.TRICKLE)))
        for bound in (0, 1)
    )
