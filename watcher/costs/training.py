"""What a job's training costs.

Azure bills tokens times epochs, and of reinforcement the hours of training. Its own count in a job's log goes first.
Queue time, pauses, the safety evaluation and jobs that fail are free; of one that is cancelled, work done is billed.

Source: Azure's page on the cost of fine-tuning.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise

from watcher.costs.money import Amount, Cost, Unknown, fraction, hours, nothing
from watcher.costs.prices import REINFORCEMENT_PER_HOUR, Price, PriceBook
from watcher.resources.changes import Transition
from watcher.resources.fine_tuning import WAITING, FineTuningJob, JobEvent, JobStatus
from watcher.resources.model import base_of, family

_BILLED = re.compile(r"training tokens billed:\s*(\d[\d,._ ]*)", re.IGNORECASE)
_MILLION = 1_000_000

#: What a reinforcement job may cost, in dollars, before it is paused; after a resume there is no further cap.
REINFORCEMENT_CAP = Decimal(5000)
#: And so many hours of training, at the documented price.
_CAP_HOURS = fraction(REINFORCEMENT_CAP / REINFORCEMENT_PER_HOUR)
#: What is trained by reinforcement alone. Source: Azure's table of the models that can be fine-tuned, by method.
_REINFORCED = frozenset({"o4-mini"})
#: Training goes on in these; whether the time in the last two is billed is not documented.
_TRAINS = frozenset({"running"})
_MAY_TRAIN = frozenset({"running", "pausing", "resuming"})

#: From when, and to when.
_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one job has cost so far."""

    cost: Cost
    basis: str  #: what it is counted from, in words
    price: Price | Unknown | None = None  #: `None`: none was needed


_TRAINED = re.compile(r"^(job succeeded|completed results file)", re.IGNORECASE)


def evaluated_from(events: Iterable[JobEvent]) -> datetime | None:
    """When training was over, and the evaluation began, which is free; `None`: the job's log does not say."""
    return max((event.created_at for event in events if _TRAINED.match(event.message)), default=None)


def billed_tokens(events: Iterable[JobEvent]) -> int | None:
    """Azure's own count in the job's log, the newest; `None`: the log does not say."""
    found = [(event.created_at, said[1]) for event in events if (said := _BILLED.search(event.message))]
    if not found:
        return None
    _, digits = max(found, key=lambda one: one[0])
    return int(re.sub(r"\D", "", digits))


def epochs(job: FineTuningJob) -> int | None:
    """How often the training data is gone through; `None`: not yet settled, or not told."""
    text = job.hyperparameters.get("n_epochs", "").strip()
    return int(text) if text.isdigit() and int(text) > 0 else None


def is_reinforcement(job: FineTuningJob) -> bool:
    """By its method; where the API tells none, as in its stable dated version, by its model."""
    return job.method.lower() == "reinforcement" if job.method else family(job.model) in _REINFORCED


def spent(
    job: FineTuningJob,
    book: PriceBook,
    *,
    location: str = "",
    billed: int | None = None,
    trained: tuple[timedelta, timedelta] | None = None,
    has_begun: bool | None = None,
    is_refused: bool = False,
    is_uncapped: bool = False,
) -> Spent:
    """What a job's training has cost.

    Args:
        location: The account's region.
        billed: Azure's own count of tokens, from the job's log.
        trained: How long it has trained, at least and at most: what reinforcement is billed by.
        has_begun: Whether it ever trained; `None`: nobody can tell.
        is_refused: Its model was refused by the RAI evaluation, whatever the status says.
        is_uncapped: It was resumed after it had been paused at the cap.
    """
    free = _free(job, has_begun=has_begun, is_refused=is_refused, billed=billed)
    if free:
        return Spent(cost=nothing(book.currency), basis=free)
    if is_reinforcement(job):
        return _by_hours(job, book, trained, is_uncapped=is_uncapped)
    return _by_tokens(job, book, location, billed)


def _free(job: FineTuningJob, *, has_begun: bool | None, is_refused: bool, billed: int | None) -> str:
    """Why it costs nothing; "" where it may cost something."""
    if job.status is JobStatus.FAILED or is_refused:
        return "jobs that fail, and those that the RAI checks refuse, are not billed"
    if job.status.is_waiting:
        return "it has not begun to train, and waiting is not billed"
    if job.status is JobStatus.CANCELLED and has_begun is False and not billed:
        return "it was cancelled before training, which is not billed"
    return ""


def _by_tokens(job: FineTuningJob, book: PriceBook, location: str, billed: int | None) -> Spent:
    price = book.training(model=base_of(job.model), training_type=job.training_type, location=location)
    tokens = _tokens(job, billed)
    if isinstance(tokens, Unknown):
        return Spent(cost=tokens, basis=tokens.because, price=price)
    (least, most), basis = tokens
    if isinstance(price, Unknown):
        return Spent(cost=price, basis=basis, price=price)
    low, high = price.rate.low * least / _MILLION, price.rate.high * most / _MILLION
    return Spent(cost=Amount(low=low, high=high, currency=book.currency), basis=basis, price=price)


def _tokens(job: FineTuningJob, billed: int | None) -> tuple[tuple[int, int], str] | Unknown:
    """How many tokens are billed, at least and at most, and how that is known."""
    if billed is not None:
        return (billed, billed), f"{billed:,} tokens billed, by the job's own log"
    if job.status is not JobStatus.SUCCEEDED and job.status is not JobStatus.CANCELLED:
        return Unknown(because="how many tokens a job trains on is told at its end")
    count, times = job.trained_tokens, epochs(job)
    if count is None:
        return Unknown(because="the service does not say how many tokens were trained")
    if times is None:
        return Unknown(because="how many epochs were trained is not known")
    if job.status is JobStatus.CANCELLED:
        return (0, count * times), f"at most {count:,} trained tokens × {times} epochs: it was cancelled on the way"
    # In a recorded answer the count exceeded what was billed by a third, so it may hold the epochs already, and more.
    most = f"all of them in {'1 epoch' if times == 1 else f'each of {times} epochs'}"
    basis = (
        f"{count:,} trained tokens by the job: billed are at least half of them, and at most {most}; what that count "
        "holds is not documented"
    )
    return (count // 2, count * times), basis


def _by_hours(
    job: FineTuningJob, book: PriceBook, trained: tuple[timedelta, timedelta] | None, *, is_uncapped: bool
) -> Spent:
    price = book.reinforcement(model=base_of(job.model), training_type=job.training_type)
    if trained is None:
        unknown = Unknown(because="how long a reinforcement job has trained is not known")
        return Spent(cost=unknown, basis=unknown.because, price=price)
    least, most = (float(hours(each)) for each in trained)
    low, high = f"{least:.2f}", f"{most:.2f}"
    basis = f"{low} h of training" if low == high else f"{low} to {high} h of training"
    basis += "; what its graders cost comes on top, and is not known"
    if isinstance(price, Unknown):
        return Spent(cost=price, basis=basis, price=price)
    amount = Amount(low=price.over(trained[0]).low, high=price.over(trained[1]).high, currency=book.currency)
    if not is_uncapped:
        amount = amount.at_most(price.rate * _CAP_HOURS)
    return Spent(cost=amount, basis=basis, price=price)


def trained_for(
    changes: Sequence[Transition],
    *,
    created_at: datetime | None,
    until: datetime,
    events: Iterable[JobEvent] = (),
) -> tuple[timedelta, timedelta] | None:
    """How long a job trained, at least and at most, by the changes of its status in any order; `None`: nobody knows.

    A change that the service does not date came after the sight of the one before it, and before its own. A pause that
    passed between two sights, and the evaluation of the model, which is free and leaves the status as it is, are told
    by the job's log alone.

    Args:
        created_at: Of the job; before that it cannot have trained.
        until: Of one that trains on: the last sight of it.
        events: Lines of its log.
    """
    events = tuple(events)
    trained = _by_status(changes, created_at=created_at, until=until, halts=_halts(events, until))
    over_at = evaluated_from(events)
    if trained is None or over_at is None:
        return trained
    return max(trained[0] - max(until - over_at, timedelta()), timedelta()), trained[1]


_HALTED = re.compile(r"\bpaused\b", re.IGNORECASE)
_RESUMED = re.compile(r"\bresumed\b", re.IGNORECASE)


def _halts(events: Iterable[JobEvent], until: datetime) -> list[_Span]:
    """From each line of the log that speaks of a pause to the next that speaks of its end, in whatever words."""
    found: list[_Span] = []
    since: datetime | None = None
    for event in sorted(events, key=lambda event: event.created_at):
        if since is not None and _RESUMED.search(event.message):
            found.append((since, event.created_at))
            since = None
        elif since is None and _HALTED.search(event.message):
            since = event.created_at
    return found if since is None else [*found, (since, max(since, until))]


def _without(span: _Span, halts: Iterable[_Span]) -> timedelta:
    """How long a span is, less what of it lies in the halts, which are apart from one another."""
    begin, end = span
    halted = (max(min(end, high) - max(begin, low), timedelta()) for low, high in halts)
    return max(end - begin, timedelta()) - sum(halted, timedelta())


def _by_status(
    changes: Sequence[Transition], *, created_at: datetime | None, until: datetime, halts: Sequence[_Span]
) -> tuple[timedelta, timedelta] | None:
    ordered = sorted(changes, key=lambda change: change.observed_at)
    if not ordered:
        return None
    least = most = timedelta()
    status = (ordered[0].after or "").lower()
    latest = ordered[0].occurred_at or ordered[0].observed_at
    earliest = ordered[0].occurred_at or created_at
    if earliest is None:
        if status not in WAITING:
            return None
        earliest = latest
    if status not in WAITING and status != "running":
        # Whatever it did before, it was not seen to.
        if created_at is None:
            return None
        most += max((earliest if status in _MAY_TRAIN else latest) - created_at, timedelta())
    for before, change in pairwise(ordered):
        if change.occurred_at is not None:
            low = high = max(change.occurred_at, earliest)
        else:
            # At the sight before it had not come yet, unless both were learned at once.
            low = max(before.observed_at, earliest) if before.observed_at < change.observed_at else earliest
            high = max(change.observed_at, latest)
        least += _without((latest, low), halts) if status in _TRAINS else timedelta()
        after = (change.after or "").lower()
        # What succeeded has trained since it waited or was paused, though nobody saw it; what was cancelled may have.
        may_have = status in _MAY_TRAIN or after == "succeeded" or (status in WAITING and after == "cancelled")
        most += max(high - earliest, timedelta()) if may_have else timedelta()
        earliest, latest, status = low, high, after
    least += _without((latest, until), halts) if status in _TRAINS else timedelta()
    most += max(until - earliest, timedelta()) if status in _MAY_TRAIN else timedelta()
    return least, most


#: No job comes to these but by training.
_BEGUN = frozenset({"running", "pausing", "paused", "resuming", "succeeded"})
_CANCELLED = re.compile(r"\bcancel", re.IGNORECASE)
_MAY_BEGIN = re.compile(r"\bstart", re.IGNORECASE)


def has_begun(changes: Sequence[Transition], events: Sequence[JobEvent], *, shows_training: bool) -> bool | None:
    """Whether a job ever trained; `None`: nobody can tell.

    That it did not is known of one that was never seen but waiting until it was cancelled, where its log was read after
    that and tells of no beginning.

    Args:
        changes: Of its status, oldest first.
        events: Lines of its log, at least those that speak of a beginning, of cancelling, or came at its end.
        shows_training: It, or its log, shows a sign of it.
    """
    statuses = [(change.after or "").lower() for change in changes]
    if shows_training or any((t.before or "").lower() in _BEGUN for t in changes) or not _BEGUN.isdisjoint(statuses):
        return True
    waited = len(statuses) > 1 and all(status in WAITING for status in statuses[:-1])
    if not waited or statuses[-1] != JobStatus.CANCELLED or any(_MAY_BEGIN.search(event.message) for event in events):
        return None
    # Of a log that was last read while the job waited, the rest would be missing.
    ended_at = changes[-1].occurred_at
    is_whole = any(
        _CANCELLED.search(event.message) or (ended_at is not None and event.created_at >= ended_at) for event in events
    )
    return False if is_whole else None


class CapStep(IntEnum):
    """How near a reinforcement job has come to the cap, in percent."""

    NONE = 0
    HALF = 50
    NEAR = 80
    REACHED = 100


def hours_left(step: CapStep) -> int:
    """How many hours of training lie between a step and the cap."""
    return int(_CAP_HOURS * (100 - step) / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapWatch:
    """Where a reinforcement job stands between nothing and the cap."""

    step: CapStep  #: the highest that it has surely passed
    percent: float  #: of the cap, at least
    paused_in: timedelta | None  #: if it trains on without a break; `None`: past the cap, or not training
    is_uncapped: bool  #: resumed beyond the cap: nothing stops it now


def cap_watch(job: FineTuningJob, trained: tuple[timedelta, timedelta], *, was_resumed_at_cap: bool) -> CapWatch:
    """How near the cap is, by the documented price of an hour, whatever price was agreed on."""
    least, _ = trained
    share = hours(least) / _CAP_HOURS
    step = max(each for each in CapStep if share * 100 >= each)
    trains = job.status is JobStatus.RUNNING and share < 1 and not was_resumed_at_cap
    left = timedelta(hours=float(_CAP_HOURS)) - least
    return CapWatch(
        step=step,
        percent=float(share * 100),
        paused_in=left if trains else None,
        is_uncapped=was_resumed_at_cap,
    )


def resumed_at_cap(changes: Sequence[Transition], *, created_at: datetime | None) -> bool:
    """Whether a job was resumed after a pause at the cap: after it had trained for nearly as long as that allows."""
    ordered = sorted(changes, key=lambda change: change.observed_at)
    for number, change in enumerate(ordered):
        was_halted = (change.before or "").lower() in ("paused", "pausing")
        goes_on = (change.after or "").lower() in ("resuming", "running")
        if was_halted and goes_on:
            at = change.occurred_at or change.observed_at
            trained = trained_for(ordered[:number], created_at=created_at, until=at)
            if trained is not None and hours(trained[1]) >= _CAP_HOURS * CapStep.NEAR / 100:
                return True
    return False
