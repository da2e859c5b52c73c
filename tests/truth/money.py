"""What a statement says of money, held against what everything truly cost.

Where nothing was hidden the estimate is the truth, to the fraction of a cent; where something was, the truth lies
within what is claimed. What has no price, and what was not seen, is never counted as nothing without a word.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from watcher.costs.money import Amount, Cost, Total, Unknown
from watcher.costs.uses import State
from watcher.report.statement import HostedLine, Statement, TrainingLine
from watcher.simulator.jobs import EVALUATION
from watcher.simulator.ledger import JobTruth, LifeTruth

from . import days, tariffs, uses
from .record import Booked, Record, Step, Violation, first
from .tariffs import Worth

#: Azure writes times in whole seconds.
_SECOND = timedelta(seconds=1)


def check(record: Record) -> Iterator[Violation]:
    for booked in record.booked:
        at = booked.statement.as_of
        for what in _mistakes(record, booked):
            yield record.violation(at, f"the statement of {at:%m-%d %H:%M} has {what}")


def _mistakes(record: Record, booked: Booked) -> Iterator[str]:
    statement = booked.statement
    yield from _period(record, booked)
    yield from sums(statement)
    yield from hosting(record, statement)
    yield from _training(record, statement)


# The period, and its sums


def _period(record: Record, booked: Booked) -> Iterator[str]:
    """Whole local days back, or the calendar month so far, whatever the clocks do."""
    statement, zone = booked.statement, record.agreed.zone
    begin = days.begin_of(statement.as_of, booked.length, zone)
    if (statement.period.begin, statement.period.end) != (begin, statement.as_of):
        yield f"the period {statement.period}, not from {begin} on"


def sums(statement: Statement) -> Iterator[str]:
    """The totals are those of the lines, and count what is unknown."""
    lines, never = (
        statement.hosted,
        [one for one in statement.unseen if "never been read" in one or "never read" in one],
    )
    costs = [line.cost for line in lines]
    unknown = sum(isinstance(cost, Unknown) for cost in costs) + sum(line.missing is not None for line in lines)
    yield from _sum("hosting", statement.hosting, costs, unknown, is_more=bool(never))
    trained = [line.cost for line in statement.trained]
    yield from _sum(
        "training", statement.training, trained, sum(isinstance(cost, Unknown) for cost in trained), is_more=bool(never)
    )
    for state, said in (
        (State.IDLE, statement.idle),
        (State.TRICKLE, statement.trickle),
        (State.UNKNOWN, statement.unread),
    ):
        parts = [line.by_state[state] for line in lines if state in line.by_state]
        yield from _sum(state.value, said, parts, sum(isinstance(part, Unknown) for part in parts))
    for line in lines:
        if not isinstance(line.cost, Unknown):
            yield from _parts(line, "states", list(line.by_state.values()))
            yield from _parts(line, "days", [cost for day in line.days for cost in day.costs.values()])


def _sum(name: str, said: Total, costs: Sequence[Cost], unknown: int, *, is_more: bool = False) -> Iterator[str]:
    low = sum((cost.low for cost in costs if isinstance(cost, Amount)), Fraction(0))
    high = sum((cost.high for cost in costs if isinstance(cost, Amount)), Fraction(0))
    if (said.known.low, said.known.high) != (low, high):
        yield f"{said.text} of {name}, and its lines come to {float(low):.4f} to {float(high):.4f}"
    if said.unknown < unknown or (said.unknown > unknown and not is_more):
        yield f"{said.unknown} unknown parts of {name}, and {unknown} of its lines are"


def _parts(line: HostedLine, name: str, parts: Sequence[Cost]) -> Iterator[str]:
    assert isinstance(line.cost, Amount)
    known = [part for part in parts if isinstance(part, Amount)]
    sums = sum((part.low for part in known), Fraction(0)), sum((part.high for part in known), Fraction(0))
    if sums != (line.cost.low, line.cost.high):
        yield f"{line.name}: {line.cost.text}, and its {name} come to {float(sums[0]):.4f} to {float(sums[1]):.4f}"


# Hosting


def hosting(record: Record, statement: Statement, *, may_be_later: bool = False) -> Iterator[str]:
    """Each life that stood in the period is a line, and each line is a life.

    Args:
        may_be_later: The statement was compiled later, and may know what was read only then of the time before.
    """
    begin, end = statement.period.begin, statement.period.end
    stood: dict[str, list[LifeTruth]] = {}
    for life in record.ledger.lives:
        if life.is_fine_tuned and life.stood(begin, end):
            stood.setdefault(life.deployment, []).append(life)
    lines: dict[str, list[HostedLine]] = {}
    for line in statement.hosted:
        lines.setdefault(line.id.lower(), []).append(line)
    for id_ in sorted({*stood, *lines}):
        lives, own = stood.get(id_, []), lines.get(id_, [])
        if all(life.shows_created for life in record.lives.get(id_, ())):
            yield from _told_apart(record, statement, lives, own, may_be_later=may_be_later)
        else:
            yield from _blurred(record, statement, lives, own)


def _told_apart(
    record: Record,
    statement: Statement,
    lives: Sequence[LifeTruth],
    lines: Sequence[HostedLine],
    *,
    may_be_later: bool,
) -> Iterator[str]:
    by_begin = {line.begin: line for line in lines}
    if len(by_begin) < len(lines):
        yield f"two lines of one life of {lines[0].name} in {lines[0].place.account}"
    for life in lives:
        line = by_begin.pop(life.appears, None)
        if line is not None:
            yield from _line(record, statement, life, line, may_be_later=may_be_later)
        elif was_seen(record, life, statement.as_of):
            yield f"no line of {life.name} in {life.label}, which stood from {life.created} to {life.ended}"
    ended = {life.appears for life in record.lives.get(lines[0].id.lower(), ())} if lines else set()
    for line in by_begin.values():
        if line.begin in ended and not line.stood[0]:
            continue  # it ended before the period, which was not seen at once
        yield f"a line of {line.name} in {line.place.account} from {line.begin}, which did not stand then"


def was_seen(record: Record, life: LifeTruth, at: datetime) -> bool:
    return any(
        life.appears <= step.at <= at and (life.ended is None or step.at < life.ended)
        for step in record.clear_steps(life.account, "arm")
    )


def _line(
    record: Record, statement: Statement, life: LifeTruth, line: HostedLine, *, may_be_later: bool
) -> Iterator[str]:
    """One life whose creation is known."""
    name = f"{line.name} ({line.sku}) in {line.place.account}"
    begin, end = statement.period.begin, statement.period.end
    worth = tariffs.hosting(record.agreed, life)
    if not line.is_created or line.missing is not None:
        yield f"{name}: its creation is unknown, and it was told"
    least, most = line.stood
    stood = life.stood(begin, end)
    if not least - _SECOND <= stood <= most + _SECOND:
        yield f"{name}: stood for {least} to {most}, and it was {stood} (till {life.ended}, {life.cause})"
    if is_plain(record, life, statement.as_of):
        if least != most:
            yield f"{name}: stood for {least} to {most}, and nothing hid that it was {stood}"
    elif most - least > _unsure(record, life, statement) + _SECOND:
        yield f"{name}: stood for {least} to {most}, and more was seen of it (till {life.ended}, {life.cause})"
    yield from _priced(name, worth, line)
    if worth is not None and not worth.is_guess and isinstance(line.cost, Amount):
        low, high = (life.cost(begin, end, rate) for rate in (worth.low, worth.high))
        assert low is not None and high is not None
        slack = worth.high / 3600
        if not line.cost.low - slack <= low <= high <= line.cost.high + slack:
            yield f"{name}: {line.cost.text}, and it cost {float(low):.4f}"
    yield from _days(record, statement, life, line, worth)
    yield from uses.check(record, statement, life, line, worth, may_be_later=may_be_later)


def _priced(name: str, worth: Worth | None, line: HostedLine) -> Iterator[str]:
    """What no source has a price for costs nobody knows what; what is only supposed says so."""
    if worth is None:
        if isinstance(line.cost, Amount) or isinstance(line.price, Amount):
            yield f"{name}: {line.cost.text}, and nobody knows its price"
        return
    if isinstance(line.price, Unknown) or isinstance(line.cost, Unknown):
        yield f"{name}: no price, and it is {float(worth.low):.4f} an hour"
    elif worth.is_guess:
        if not line.price.is_estimate:
            yield f"{name}: {line.price.text()}, which no list has, and it is not called an estimate"
    elif (line.price.rate.low, line.price.rate.high) != (worth.low, worth.high):
        yield f"{name}: {line.price.text()} ({line.price.source}), and it is {float(worth.low):.4f}"


def is_plain(record: Record, life: LifeTruth, at: datetime) -> bool:
    """Whether nothing hid how long it stood."""
    clear = record.clear_steps(life.account, "arm")
    if life.ended is None or life.ended > at:
        return any(step.at == at for step in clear)
    seen = first(step for step in clear if step.at >= life.ended)
    if seen is None or seen.at > at or life.logged_at is None or life.logged_at > seen.at:
        return False
    again = any(one.appears <= seen.at and one.appears > life.appears for one in record.lives[life.deployment])
    has_gone = not record.exists(life.account, seen.at) or life.cause == "account"
    # Why it ended is asked at the step that sees it, or at the next.
    hidden = any(True for _ in record.blinds("arm", life.account, life.ended, seen.at))
    return not (again or has_gone or hidden) and was_seen(record, life, at)


def _unsure(record: Record, life: LifeTruth, statement: Statement) -> timedelta:
    """For how long it may at most have stood unseen: from the last clear sight of it to the first without it."""
    at, end = statement.as_of, statement.as_of
    clear = [step.at for step in record.clear_steps(life.account, "arm") if step.at <= at]
    alive = [step for step in clear if life.appears <= step and (life.ended is None or step < life.ended)]
    gone = [] if life.ended is None else [step for step in clear if step >= life.ended]
    begin = max(max(alive, default=life.created), statement.period.begin)
    return max(min(min(gone, default=end), end) - begin, timedelta())


def _blurred(
    record: Record,
    statement: Statement,
    lives: Sequence[LifeTruth],
    lines: Sequence[HostedLine],
) -> Iterator[str]:
    """Lives that nothing tells apart: together they stood as long as is claimed, or something is said to be missing."""
    begin, end = statement.period.begin, statement.period.end
    name = (lives[0].name, lives[0].label) if lives else (lines[0].name, lines[0].place.account)
    stood = sum((life.stood(begin, end) for life in lives), timedelta())
    least = sum((line.stood[0] for line in lines), timedelta())
    most = sum((line.stood[1] for line in lines), timedelta())
    # With those that ended before the period: nothing tells that the next one did not follow at once.
    all_of_it = {life.appears: life for one in lives for life in record.lives[one.deployment] if life.appears < end}
    gaps = pairwise(all_of_it[at] for at in sorted(all_of_it))
    between = sum(
        (max(later.appears - max(one.ended or later.appears, begin), timedelta()) for one, later in gaps), timedelta()
    )
    if least - between - _SECOND > stood:
        yield f"{name}: stood for at least {least}, and it was {stood}"
    is_missing = any(line.missing is not None for line in lines)
    is_free = all((worth := tariffs.hosting(record.agreed, life)) is not None and not worth.high for life in lives)
    # What is seen first at this very time has cost nothing yet since.
    is_unseen = not all(was_seen(record, life, statement.as_of - _SECOND) for life in lives)
    if most + _SECOND < stood and not (is_missing or is_free or is_unseen):
        yield f"{name}: stood for at most {most}, and it was {stood}"
    for line in lines:
        worths = [tariffs.hosting(record.agreed, life) for life in lives if life.sku.lower() == line.sku.lower()]
        if len(set(worths)) == 1:
            yield from _priced(f"{line.name} ({line.sku}) in {line.place.account}", worths[0], line)


def _days(
    record: Record, statement: Statement, life: LifeTruth, line: HostedLine, worth: Worth | None
) -> Iterator[str]:
    """Each local day costs the hours of that day, be it one of 23 or of 25."""
    begin, end = statement.period.begin, statement.period.end
    if worth is None or worth.is_guess or line.stood[0] != line.stood[1]:
        return
    told: Mapping[date, Fraction] = {
        day.day: sum((cost.low for cost in day.costs.values() if isinstance(cost, Amount)), Fraction(0))
        for day in line.days
    }
    for day, low, high in days.local_days(begin, end, record.agreed.zone):
        cost = life.cost(low, high, worth.low) or Fraction(0)
        if abs(told.get(day, Fraction(0)) - cost) > worth.high / 3600:
            said = float(told.get(day, Fraction(0)))
            yield f"{line.name} in {line.place.account}: {said:.4f} on {day}, and it was {float(cost):.4f}"


# Training


def _training(record: Record, statement: Statement) -> Iterator[str]:
    """Each job that ended in the period has its cost; what trains on costs nothing yet, what vanished is unknown."""
    begin, end = statement.period.begin, statement.period.end
    lines = {(line.place.account_id.lower(), line.job): line for line in statement.trained}
    if len(lines) < len(statement.trained):
        yield "two lines of one job"
    for (account, id_), line in lines.items():
        job = record.jobs.get((account, id_))
        if job is None:
            yield f"a line of {id_}, and there is no such job"
        elif job.ended is not None and job.ended < job.appears and line.finished_at is not None:
            yield f"a line of {id_} in {job.label}, which was charged under another id"
        elif job.ended is not None and begin <= job.ended < end and line.finished_at is not None:
            yield from _job(record, statement, job, line)
        elif line.finished_at is not None:
            continue
        elif isinstance(line.cost, Unknown):
            if job.vanished is None or job.vanished > statement.as_of:
                yield f"unknown ({line.cost.because}) of {id_}, which has not ended, and is still there"
        elif not line.cost.is_zero:
            yield f"{line.cost.text} of {id_}, which has not ended"
    for job in record.ledger.jobs:
        if job.ended is None or not max(begin, job.appears) <= job.ended < end or (job.account, job.job) in lines:
            continue
        if _seen_ended(record, job, statement.as_of) is not None:
            yield f"no line of {job.job} in {job.label}, which {job.outcome} at {job.ended}"


def _seen_ended(record: Record, job: JobTruth, at: datetime) -> Step | None:
    """The first step that surely saw its end."""
    assert job.ended is not None
    since = max(job.ended, job.appears)
    return first(
        step
        for step in record.clear_steps(job.account, "data")
        if since <= step.at <= at and (job.vanished is None or step.at < job.vanished)
    )


def _job(record: Record, statement: Statement, job: JobTruth, line: TrainingLine) -> Iterator[str]:
    name = f"{job.job} ({job.outcome}, {job.base}, {job.training_type or 'no type'}) in {job.label}"
    worth = tariffs.training(record.agreed, job)
    if job.ended is not None and line.finished_at is not None and abs(line.finished_at - job.ended) > _SECOND:
        return  # it is not known when it ended, and so not what it was by then
    is_free = job.cost(Fraction(1)) == 0
    if isinstance(line.cost, Unknown):
        if worth is not None and job.outcome != "cancelled" and _was_read(record, job, statement.as_of):
            yield f"{name}: unknown ({line.cost.because}), and nothing hid it"
        if is_free and _was_seen_waiting(record, job, statement.as_of):
            yield f"{name}: unknown ({line.cost.because}), and it never trained"
        return
    if is_free:
        # What was refused, and not read to have been, may be charged for what is known: it says at most so much.
        if line.cost.low > 0 and _was_read(record, job, statement.as_of):
            yield f"{name}: {line.cost.text}, and it is free"
        return
    if worth is None:
        yield f"{name}: {line.cost.text}, and nobody knows its price"
        return
    low, high = job.cost(worth.low), job.cost(worth.high)
    assert low is not None and high is not None
    was_read = _was_read(record, job, statement.as_of)
    # Of what was read in time, two bounds in whole seconds; else when the evaluation began may be unknown as well.
    seconds = 2 if was_read else 2 + EVALUATION // _SECOND
    slack = worth.high * seconds / 3600 if job.is_reinforcement else Fraction(0)
    if line.cost.low > low + slack or line.cost.high < high - slack:
        yield f"{name}: {line.cost.text} ({line.basis}), and it cost {float(low):.4f} to {float(high):.4f}"
    is_whole = not job.is_reinforcement and job.outcome == "succeeded" and was_read
    if is_whole and (line.cost.low, line.cost.high) != (low, high):
        yield f"{name}: {line.cost.text} ({line.basis}), and it cost {float(low):.4f} to {float(high):.4f} exactly"


def _was_seen_waiting(record: Record, job: JobTruth, at: datetime) -> bool:
    """Whether it was seen to wait, and all that its log said of its end was read."""
    steps = record.clear_steps(job.account, "data")
    return _was_read(record, job, at) and any(
        job.appears <= step.at and job.ended is not None and step.at < job.ended for step in steps
    )


def _was_read(record: Record, job: JobTruth, at: datetime) -> bool:
    """Whether its end, and its log, could be read without doubt; of one that ended before first sight, nobody asks."""
    seen = _seen_ended(record, job, at)
    sight = first(step for step in record.steps if job.account in step.polled)
    return (
        seen is not None
        and sight is not None
        and job.ended is not None
        and sight.at < job.ended
        and not any(True for _ in record.blinds("data", job.account, seen.at, at))
    )
