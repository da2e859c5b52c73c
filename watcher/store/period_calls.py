"""The calls that a period's statement needs: a month of thousands of deployments, kept as plain figures by name.

Of each stored day only the figures in question are decoded, and few rows at a time are in memory.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Select, Text, cast, column, func, select, type_coerce

from watcher.costs.idle import Trickle
from watcher.costs.uses import Answered, micros
from watcher.report.recorded import RecordedLife
from watcher.resources.calls import DELAY, HOUR, Coverage
from watcher.resources.deployment import Usage
from watcher.store import calls, schema
from watcher.store.period_rows import plain_rows
from watcher.store.upsert import chunks

#: How far back calls are wanted of a name that had a life before; and of all where some were read after the time in
#: question.
CALLS_BACK = timedelta(days=31)
#: Beyond the window in which a trickle is looked for, which ends where the metrics do: a day ago at the most.
_BEYOND = timedelta(days=2)
_DAY = timedelta(days=1)
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


class Tally(msgspec.Struct, kw_only=True):
    """What is known of the calls under one name; hours since 1970."""

    hours: "array[int]" = msgspec.field(default_factory=lambda: array("I"))
    counts: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    unclear_hours: "array[int]" = msgspec.field(default_factory=lambda: array("I"))
    unclear_counts: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    failed: int | None = None  #: the last with calls that were not answered

    @property
    def answered(self) -> Answered:
        return Answered(hours=self.hours, counts=self.counts)

    @property
    def unclear(self) -> Answered:
        return Answered(hours=self.unclear_hours, counts=self.unclear_counts)

    def add(self, first: int, hours: Iterable["_Hour"], *, is_named: bool) -> None:
        """Add hours of one day, which come after all that are known; of calls without a name none is surely answered.

        Args:
            first: The day's first hour.
        """
        for one in hours:  # by the million: a loop over all at once is what takes least
            if one.ok:
                self.hours.append(first + one.number)
                self.counts.append(one.ok)
            if one.other or not is_named:
                self.failed = first + one.number
                if unclear := one.unclear if is_named else one.ok + one.other:
                    self.unclear_hours.append(first + one.number)
                    self.unclear_counts.append(unclear)

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

    #: Calls of the time before are not among them; of what stands, by newest readings, not even those of the time
    #: before a trickle's window.
    begin: datetime
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
    usage: Mapping[tuple[str, str], Usage],
    accounts: Collection[str],
    past: Collection[str],
    trickle: Trickle,
) -> Tallies:
    """The calls of the days from that of `begin` on that had been read by `as_of`, of custom deployments.

    Of what may be kept alive by a trickle those of its window too, and those of the last month of a name that lived on
    after a life of it had ended. Of what is called more, they would take longest to read, and say nothing that the
    period does not.

    Args:
        lives: By account's key: whose calls are wanted.
        usage: By account's key and deployment's name, as it is stored now.
        past: Those of `accounts` of which something was read after `as_of`: of these all calls tell what was known.
        trickle: What was answered more often in the period is none.
    """
    succeeded = _succeeded(lives, usage)
    names = {key: {"", *(one.deployment.name.lower() for one in lives.get(key, ()))} for key in accounts}
    near, until = _midnight(begin), _midnight(as_of) + _DAY
    month, window = _midnight(as_of - CALLS_BACK), _midnight(as_of - trickle.window - _BEYOND)
    late: dict[str, int] = {}
    found = _gathered(_of_days(tx, near, until), names, as_of=as_of, past=past, late=late)
    far = min(near, month, window) if past else min(near, window)
    if far < near:
        # Those of the last day count for nobody: no window in which a trickle is looked for need hold them.
        newest = micros(as_of) // _HOUR - 25
        quiet = {
            key: {name for name in some if not name or _count(found[key].get(name), newest) <= trickle.max_calls}
            for key, some in names.items()
        }
        for key, name in succeeded:
            quiet[key].add(name)
        rows = _of_days(tx, far, near) if past else _of_names(tx, _places(quiet), far, near)
        _put_before(found, _gathered(rows, quiet, as_of=as_of, past=past, late=late))
    if month < far:
        _put_before(found, _gathered(_of_names(tx, succeeded, month, far), names, as_of=as_of, past=past, late=late))
    return Tallies(begin=min(far, month), as_of=as_of, of=found, late=late)


def _succeeded(
    lives: Mapping[str, Sequence[RecordedLife]], usage: Mapping[tuple[str, str], Usage]
) -> set[tuple[str, str]]:
    """The names that were called after a life of them had ended: when that one was called last, usage does not say."""
    return {
        (key, name)
        for key, some in lives.items()
        for one in some
        if one.end is not None
        and (its := usage.get((key, name := one.deployment.name.lower()))) is not None
        and its.last_success_at is not None
        and its.last_success_at >= one.end[1]
    }


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def _count(tally: Tally | None, until: int) -> float:
    """Answered calls of the hours before one."""
    return 0.0 if tally is None else sum(tally.counts[: bisect_left(tally.hours, until)])


#: Account's key, deployment's name, day, and the hours as they are stored.
_Rows = Iterable[Sequence[Any]]


def _of_days(tx: Connection, begin: datetime, end: datetime) -> _Rows:
    """By day alone, as the index has them: to sort a month of them by name would take as long as to read them."""
    return plain_rows(tx, _between(begin, end).order_by(schema.calls.c.day))


def _of_names(tx: Connection, places: Collection[tuple[str, str]], begin: datetime, end: datetime) -> _Rows:
    """Those of some names: by their own rows, as what is called most is not among them."""
    c = schema.calls.c
    texts = sorted(places)
    if tx.dialect.name == "sqlite":
        asked = func.json_each(msgspec.json.encode(texts).decode()).table_valued("value", name="asked")
        account, name = func.json_extract(asked.c.value, "$[0]"), func.json_extract(asked.c.value, "$[1]")
    else:
        asked = func.json_array_elements(cast(texts, JSON)).table_valued(column("value", JSON), name="asked")
        account, name = asked.c.value[0].as_string(), asked.c.value[1].as_string()
    its = _between(begin, end).where(c.account == account, c.deployment == name)
    yield from plain_rows(tx, its.order_by(c.account, c.deployment, c.day))


def _places(names: Mapping[str, Collection[str]]) -> list[tuple[str, str]]:
    return [(key, name) for key, some in names.items() for name in some]


def _between(begin: datetime, end: datetime) -> Select[Any]:
    c = schema.calls.c
    days = (c.day >= begin.date().isoformat()) & (c.day < end.date().isoformat())
    return select(c.account, c.deployment, c.day, type_coerce(c.hours, Text)).where(days)


def _gathered(
    rows: _Rows,
    names: Mapping[str, Collection[str]],
    *,
    as_of: datetime,
    past: Collection[str],
    late: dict[str, int],
) -> dict[str, dict[str, Tally]]:
    """The calls by account and name; notes in `late` what was read late."""
    decode, decode_seen = msgspec.json.Decoder(list[_Hour]).decode, msgspec.json.Decoder(list[_SeenHour]).decode
    found: dict[str, dict[str, Tally]] = {key: {} for key in names}
    for key, name, day, text in rows:
        wanted = names.get(key)
        if wanted is None or (name not in wanted and key not in past):
            continue
        tally = found[key].get(name)
        if tally is None:
            tally = found[key][name] = Tally()
        first = _first_hour(day)
        hours = _known(decode_seen(text), first, as_of, key, late) if key in past else decode(text)
        tally.add(first, hours, is_named=bool(name))
    return found


def _put_before(found: Mapping[str, dict[str, Tally]], earlier: Mapping[str, Mapping[str, Tally]]) -> None:
    for key, some in earlier.items():
        for name, tally in some.items():
            found[key][name] = tally.followed_by(found[key].get(name))


@lru_cache(maxsize=64)
def _first_hour(day: str) -> int:
    return (date.fromisoformat(day).toordinal() - _FIRST_DAY) * 24


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
