"""When a replay looks at what: whenever something was recorded, and by the hour where time alone may change the word.

A poll without news leaves no trace, so it is not known when each was. What rules say of a change may rest on when the
poll before it was, so there is a look just before each.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.resources.calls import HOUR
from watcher.resources.changes import Change
from watcher.resources.deployment import SkuKind, is_fine_tuned
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.model import CustomModel
from watcher.store.past import Past
from watcher.store.recording import Judged
from watcher.store.then import Life

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One look."""

    at: datetime
    accounts: frozenset[str]  #: keys of those to be polled


def steps(
    pasts: Sequence[Past],
    judged: Iterable[Judged],
    wakes: Iterable[datetime],
    *,
    begin: datetime,
    end: datetime,
    before: timedelta,
) -> tuple[Step, ...]:
    """The looks from `begin` to `end`, both included, in order; at both and once a day at every account.

    Args:
        judged: The alerts that were recorded: when something became of one, somebody had looked.
        wakes: When operators did something: nothing is polled for it.
        before: How long before a change the poll before it was.
    """
    found: dict[datetime, set[str]] = {at: set() for at in wakes}
    looked: dict[str, set[datetime]] = {}
    for one in judged:
        if one.account:
            looked.setdefault(one.account, set()).update(one.moments)
        else:
            for at in one.moments:
                found.setdefault(at, set())
    for past in pasts:
        known = {past.first_seen_at, *past.metered, *past.moments, *looked.get(past.account.key, ())}
        for at in known | _guesses(past, begin, end, before):
            if at >= past.first_seen_at:
                found.setdefault(at, set()).add(past.account.key)
    for at in (begin, end):
        found[at] = {past.account.key for past in pasts}
    return tuple(Step(at=at, accounts=frozenset(found[at])) for at in sorted(found) if begin <= at <= end)


def _guesses(past: Past, begin: datetime, end: datetime, before: timedelta) -> set[datetime]:
    """When somebody may have looked, and nobody did for sure: by the hour or the day, and around changes."""
    movements = _Movements(past)
    found = {gap.at - _SECOND for gap, _ in past.gaps}  # until then it was read
    for transition in past.transitions:
        if transition.change is not Change.DISCOVERED:
            found.add(transition.observed_at - before)
        if transition.change is Change.GONE:
            found.add(transition.observed_at + before)  # the activity log is asked once more
    at, day = begin.replace(minute=0, second=0, microsecond=0) + HOUR, begin
    while at < end:
        if at - day >= DAY or movements.may_be_under_way(at):
            found.add(at)
            day = max(day, at - (at - day) % DAY)
        at += HOUR
    for begins, ends in _unseen(past):
        found = {at for at in found if not begins < at < ends} | {begins}
    return found


def _unseen(past: Past) -> Iterator[tuple[datetime, datetime]]:
    """From when a deployment was last listed until it was seen to be gone: nobody saw it in between."""
    for life in past.lives:
        if life.departure is not None and life.departure.stood_at is not None and life.ended_at is not None:
            yield life.departure.stood_at, life.ended_at


class _Movements:
    """When countdowns may be under way: of a job, or of a deployment that has not been called for a day."""

    def __init__(self, past: Past) -> None:
        custom = _custom_models(past)
        ends: dict[str, datetime] = {}
        for t in past.transitions:
            if t.is_job_status:
                ends[t.resource] = t.observed_at
        self._jobs = [
            (seen.first_seen_at, ends.get(seen.noun.id, seen.first_seen_at) if seen.noun.status.has_ended else None)
            for seen in past.jobs
            if isinstance(seen.noun, FineTuningJob)
        ]
        self._lives = [life for life in past.lives if is_fine_tuned(life.noun.model, custom)]
        self._hours = {
            name: sorted(hour for hour, one in calls.hours.items() if one.ok) for name, calls in past.calls.items()
        }

    def may_be_under_way(self, at: datetime) -> bool:
        if any(begins <= at and (ends is None or at < ends) for begins, ends in self._jobs):
            return True
        return any(self._is_quiet(life, at) for life in self._lives)

    def _is_quiet(self, life: Life, at: datetime) -> bool:
        if at < life.first_seen_at or (life.ended_at is not None and life.ended_at <= at):
            return False
        hours = self._hours.get(life.noun.name.lower(), [])
        place = bisect_left(hours, at)
        return life.noun.sku_kind is SkuKind.DEVELOPER or not place or at - hours[place - 1] > DAY


def _custom_models(past: Past) -> Mapping[str, None]:
    jobs = (seen.noun.fine_tuned_model for seen in past.jobs if isinstance(seen.noun, FineTuningJob))
    models = (seen.noun.id for seen in past.models if isinstance(seen.noun, CustomModel))
    checkpoints = (one for training in past.training.values() for one in training.checkpoints)
    named = (name for one in checkpoints for name in (one.id, one.model))
    return dict.fromkeys(name for name in (*jobs, *models, *named) if name)
