"""When a replay looks at what: whenever something was recorded, and by the hour where time alone may change the word.

A poll without news leaves no trace, so it is not known when each was. What rules say of a change may rest on when the
poll before it was, so there is a look just before each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.resources.calls import HOUR
from watcher.resources.changes import Change
from watcher.resources.deployment import SkuKind, is_fine_tuned
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.model import CustomModel
from watcher.store.as_of import Past
from watcher.store.recording import Judged

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
    everyone = {past.account.key for past in pasts}
    looked: dict[str, set[datetime]] = {}
    for one in judged:
        if one.account:
            looked.setdefault(one.account, set()).update(one.moments)
        else:
            for at in one.moments:
                found.setdefault(at, set())
    for past in pasts:
        key = past.account.key
        for at in _moments(past, looked.get(key, ()), before):
            found.setdefault(at, set()).add(key)
        for at in _hours(begin, end):
            if _may_move(past, at):
                found.setdefault(at, set()).add(key)
    at = begin
    while at < end:
        found[at] = found.get(at, set()) | everyone
        at += DAY
    found[end] = set(everyone)
    return tuple(Step(at=at, accounts=frozenset(found[at])) for at in sorted(found) if begin <= at <= end)


def _moments(past: Past, looked: Iterable[datetime], before: timedelta) -> set[datetime]:
    found = {past.first_seen_at, *past.metered, *past.moments, *looked}
    if past.removed_at is not None:
        found.add(past.removed_at)
    for transition in past.transitions:
        if transition.change is not Change.DISCOVERED:
            found.add(transition.observed_at - before)
        if transition.change is Change.GONE:
            found.add(transition.observed_at + before)  # the activity log is asked once more
    found |= {gap.at - _SECOND for gap, _ in past.gaps}  # until then it was read
    stood = (life.departure.stood_at for life in past.lives if life.departure is not None)
    return {at for at in found | {at for at in stood if at is not None} if at >= past.first_seen_at}


def _hours(begin: datetime, end: datetime) -> Iterable[datetime]:
    at = begin.replace(minute=0, second=0, microsecond=0) + HOUR
    while at < end:
        yield at
        at += HOUR


def _may_move(past: Past, at: datetime) -> bool:
    """Whether a countdown may be under way: of a job, or of a deployment that has not been called for a day."""
    if any(_is_under_way(past, seen.noun, at) for seen in past.jobs if seen.is_listed(at)):
        return True
    custom = _custom_models(past)
    for life in past.lives:
        if not life.first_seen_at <= at or (life.ended_at is not None and life.ended_at <= at):
            continue
        if not is_fine_tuned(life.noun.model, custom):
            continue
        calls = past.calls.get(life.noun.name.lower())
        last = calls.last_ok_before(at) if calls is not None else None
        if life.noun.sku_kind is SkuKind.DEVELOPER or last is None or at - last > DAY:
            return True
    return False


def _is_under_way(past: Past, noun: object, at: datetime) -> bool:
    if not isinstance(noun, FineTuningJob):
        return False
    ends = [t.observed_at for t in past.transitions if t.resource == noun.id and t.after == noun.raw_status]
    return not noun.status.has_ended or at < max(ends, default=at)


def _custom_models(past: Past) -> Mapping[str, None]:
    jobs = (seen.noun.fine_tuned_model for seen in past.jobs if isinstance(seen.noun, FineTuningJob))
    models = (seen.noun.id for seen in past.models if isinstance(seen.noun, CustomModel))
    return dict.fromkeys(name for name in (*jobs, *models) if name)
