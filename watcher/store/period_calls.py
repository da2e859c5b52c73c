"""The calls that a period's statement needs: a month of thousands of deployments, kept as plain figures by name.

Of each stored day only the figures in question are decoded, and few rows at a time are in memory.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, Text, func, select, type_coerce

from watcher.costs.hosting import Answered, micros
from watcher.report.recorded import RecordedLife
from watcher.resources.calls import DELAY, HOUR, Coverage
from watcher.resources.deployment import Usage
from watcher.store import calls, schema
from watcher.store.period_rows import plain_rows
from watcher.store.upsert import chunks

#: How far back calls are wanted of what may be idle, or kept alive by a trickle.
CALLS_BACK = timedelta(days=31)
_HOUR = HOUR // timedelta(microseconds=1)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Hour(msgspec.Struct, array_like=True, gc=False):
    """One hour as it is stored, as far as it is needed."""

    number: int
    ok: float
    other: float
    unclear: float


class _SeenHour(_Hour, array_like=True, gc=False):
    """The same, with when it was read first."""

    seen_at: int | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is known of the calls under one name; hours since 1970."""

    hours: "array[int]" = field(default_factory=lambda: array("I"))
    counts: "array[float]" = field(default_factory=lambda: array("d"))
    unclear_hours: "array[int]" = field(default_factory=lambda: array("I"))
    unclear_counts: "array[float]" = field(default_factory=lambda: array("d"))
    failed: int | None = None  #: the last with calls that were not answered

    @property
    def answered(self) -> Answered:
        return Answered(hours=self.hours, counts=self.counts)

    @property
    def unclear(self) -> Answered:
        return Answered(hours=self.unclear_hours, counts=self.unclear_counts)

    def followed_by(self, later: "Tally | None") -> "Tally":
        """With the calls of a later time."""
        if later is None:
            return self
        return Tally(
            hours=self.hours + later.hours,
            counts=self.counts + later.counts,
            unclear_hours=self.unclear_hours + later.unclear_hours,
            unclear_counts=self.unclear_counts + later.unclear_counts,
            failed=self.failed if later.failed is None else later.failed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """All names of all accounts, by account's key and name in lower case."""

    begin: datetime  #: calls of the time before are not among them
    as_of: datetime
    of: Mapping[str, Mapping[str, Tally]]
    #: By account: the first hour whose calls were read later than they could have been.
    late: Mapping[str, int]

    def coverage(self, account: str, coverage: Coverage) -> Coverage:
        """What had been read of its metrics by then: where calls came to light later, they had not been read yet."""
        newest = hour_of(self.as_of - DELAY)
        until = newest if (late := self.late.get(account)) is None else min(newest, _at(late))
        is_cut = account in self.late
        return Coverage(
            spans=tuple(
                (begin, min(end, until) if is_cut or end > self.as_of - DELAY else end)
                for begin, end in coverage.spans
                if begin < until
            )
        )


def load(
    tx: Connection,
    begin: datetime,
    as_of: datetime,
    *,
    lives: Mapping[str, Sequence[RecordedLife]],
    accounts: Collection[str],
    past: Collection[str],
    most_calls: float,
) -> Tallies:
    """The calls of the days from that of `begin` on that had been read by `as_of`, of custom deployments.

    Of what may be idle or a trickle, and of what has ended, those of the last month too. Of what is called more, they
    would take longest to read, and say nothing that the period does not.

    Args:
        lives: By account's key: whose calls are wanted.
        past: Those of `accounts` of which something was read after `as_of`: of these all calls tell what was known.
        most_calls: What was answered more often in the period is no trickle.
    """
    names = {key: {"", *(one.deployment.name.lower() for one in lives.get(key, ()))} for key in accounts}
    near, far, until = _midnight(begin), _midnight(as_of - CALLS_BACK), _midnight(as_of) + timedelta(days=1)
    late: dict[str, int] = {}
    found = _read(tx, near, until, names, as_of=as_of, past=past, late=late)
    if far < near:
        # Those of the last day count for nobody: no window in which a trickle is looked for need hold them.
        newest = micros(as_of) // _HOUR - 25
        ended = {(key, one.deployment.name.lower()) for key, some in lives.items() for one in some if one.end}
        quiet = {
            key: {
                name
                for name in some
                if not name or (key, name) in ended or _count(found[key].get(name), newest) <= most_calls
            }
            for key, some in names.items()
        }
        for key, some in _read(tx, far, near, quiet, as_of=as_of, past=past, late=late).items():
            for name, tally in some.items():
                found[key][name] = tally.followed_by(found[key].get(name))
    return Tallies(begin=min(near, far), as_of=as_of, of=found, late=late)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def _count(tally: Tally | None, until: int) -> float:
    """Answered calls of the hours before one."""
    return 0.0 if tally is None else sum(tally.counts[: bisect_left(tally.hours, until)])


def _read(
    tx: Connection,
    begin: datetime,
    end: datetime,
    names: Mapping[str, Collection[str]],
    *,
    as_of: datetime,
    past: Collection[str],
    late: dict[str, int],
) -> dict[str, dict[str, Tally]]:
    """The calls of some days by account and name; notes in `late` what was read late."""
    decode, decode_seen = msgspec.json.Decoder(list[_Hour]).decode, msgspec.json.Decoder(list[_SeenHour]).decode
    found: dict[str, dict[str, Tally]] = {key: {} for key in names}
    c = schema.calls.c
    days = (c.day >= begin.date().isoformat()) & (c.day < end.date().isoformat())
    # By day alone, as the index has them: to sort a month of them by name would take as long as to read them.
    query = select(c.account, c.deployment, c.day, type_coerce(c.hours, Text)).where(days).order_by(c.day)
    for key, name, day, text in plain_rows(tx, query):
        wanted = names.get(key)
        if wanted is None or (name not in wanted and key not in past):
            continue
        tally = found[key].get(name)
        if tally is None:
            tally = found[key][name] = Tally()
        first = _first_hour(day)
        if key in past:
            _add(tally, first, list(_known(decode_seen(text), first, as_of, key, late)), is_named=bool(name))
        else:
            _add(tally, first, decode(text), is_named=bool(name))
    return found


@lru_cache(maxsize=64)
def _first_hour(day: str) -> int:
    return (date.fromisoformat(day).toordinal() - _FIRST_DAY) * 24


def _add(tally: Tally, first: int, hours: Sequence[_Hour], *, is_named: bool) -> None:
    tally.hours.extend([first + one.number for one in hours if one.ok])
    tally.counts.extend([one.ok for one in hours if one.ok])
    if is_named and not any([one.other for one in hours]):  # a list: a generator takes longer than the day is worth
        return
    for one in hours:
        if one.other or not is_named:
            tally.failed = first + one.number
            unclear = one.unclear if is_named else one.ok + one.other
            if unclear:
                tally.unclear_hours.append(first + one.number)
                tally.unclear_counts.append(unclear)


def _known(
    hours: Iterable[_SeenHour], first: int, as_of: datetime, account: str, late: dict[str, int]
) -> Iterable[_Hour]:
    """Those that had been read by then; of the others notes the first that could have been."""
    at, newest = as_of.timestamp(), micros(as_of - DELAY) // _HOUR
    for one in hours:
        hour = first + one.number
        if (one.seen_at is not None and one.seen_at <= at) or (one.seen_at is None and hour < newest):
            yield one
        elif hour < newest:
            late[account] = min(late.get(account, hour), hour)


def usage_as_of(
    tx: Connection, usage: Mapping[tuple[str, str], Usage], tallies: Tallies, past: Collection[str]
) -> dict[str, dict[str, Usage]]:
    """What was known of calls by then, by account's key and name.

    What was read later is taken back: of a name that was called since, the last call before is found in its calls.
    Where no calls of it are kept by the hour, a call of that time is believed all the same, and of one that is called
    since, nothing is known: it is left out, as nobody can say that it was idle.
    """
    found: dict[str, dict[str, Usage]] = {}
    older: dict[tuple[str, str], Usage] = {}
    for place, noun in usage.items():
        account, name = place
        if account in past and noun.read_to > tallies.as_of - DELAY:
            span = tallies.coverage(account, Coverage(spans=((noun.read_from, noun.read_to),))).spans
            if not span or span[0][0] >= span[0][1]:
                continue
            tally = tallies.of.get(account, {}).get(name) or Tally()
            nameless = tallies.of.get(account, {}).get("") or Tally()
            failed = [] if tally.failed is None else [tally.failed]
            unclear = [_at(each[-1]) for each in (tally.unclear_hours, nameless.unclear_hours) if each]
            success = _last(noun.last_success_at, tally.hours, tallies.begin)
            if success is None and noun.last_success_at is not None:
                older[place] = noun
            noun = replace(
                noun,
                read_to=span[0][1],
                last_success_at=success,
                last_failure_at=_last(noun.last_failure_at, failed, tallies.begin),
                last_unclear_at=max(unclear, default=_before(noun.last_unclear_at, tallies.begin)),
            )
        found.setdefault(account, {})[name] = noun
    known = _older(tx, older, tallies.begin)
    kept = _kept(tx, older.keys() - known.keys())
    for (account, name), noun in older.items():
        now, last = found[account][name], noun.last_success_at
        at = known.get((account, name))
        if at is None and (account, name) not in kept:
            if last is not None and last < now.read_to:
                at = last
            else:
                del found[account][name]
                continue
        if at is not None and at >= noun.read_from:
            found[account][name] = replace(now, last_success_at=at)
    return found


def _kept(tx: Connection, places: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of which any call is kept by the hour."""
    c = schema.calls.c
    found: set[tuple[str, str]] = set()
    for account in sorted({account for account, _ in places}):
        for some in chunks(sorted(name for of, name in places if of == account)):
            names = tx.execute(select(c.deployment).where(c.account == account, c.deployment.in_(some)).distinct())
            found.update((account, name) for name in names.scalars())
    return found


def _last(newest: datetime | None, hours: "array[int] | list[int]", begin: datetime) -> datetime | None:
    """The last of the hours that were known; where none was, the newest of all, if it lies before them."""
    return _at(hours[-1]) if hours else _before(newest, begin)


def _before(newest: datetime | None, begin: datetime) -> datetime | None:
    return newest if newest is not None and newest < begin else None


def _older(tx: Connection, places: Collection[tuple[str, str]], begin: datetime) -> dict[tuple[str, str], datetime]:
    """The last answered calls before a time: seldom asked for, of names that were called for the first time in long."""
    c, day = schema.calls.c, begin.astimezone(UTC).date().isoformat()
    found: dict[tuple[str, str], datetime] = {}
    for account in sorted({account for account, _ in places}):
        for some in chunks(sorted(name for of, name in places if of == account)):
            where = (c.account == account) & c.deployment.in_(some) & (c.day < day)
            newest = select(c.deployment, func.max(c.day)).where(where).group_by(c.deployment)
            for name, last_day in tx.execute(newest):
                low = datetime.combine(date.fromisoformat(last_day), time(), UTC)
                its = calls.load(tx, account, low, low + timedelta(days=1)).get(name)
                if its is not None and (at := its.last_ok_before(begin)) is not None:
                    found[account, name] = at
    return found


def hour_of(at: datetime) -> datetime:
    """The start of the hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def _at(hour: int) -> datetime:
    return _EPOCH + hour * HOUR
