"""The calls that a period's statement needs: a month of thousands of deployments, kept as plain figures by name.

Of each stored day only the figures in question are decoded, and one row at a time is in memory.
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, Text, func, select, type_coerce

from watcher.costs.hosting import Answered, micros
from watcher.resources.calls import DELAY, HOUR, Coverage
from watcher.resources.deployment import Usage
from watcher.store import calls, schema
from watcher.store.upsert import chunks

#: Rows that are fetched at once.
_BATCH = 5000
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
    tx: Connection, begin: datetime, as_of: datetime, *, accounts: Collection[str], past: Collection[str]
) -> Tallies:
    """The calls of the days from that of `begin` on that had been read by `as_of`.

    Args:
        past: Those of `accounts` of which something was read after `as_of`.
    """
    c = schema.calls.c
    begin = datetime.combine(begin.astimezone(UTC).date(), time(), UTC)
    since, until = begin.date().isoformat(), as_of.astimezone(UTC).date().isoformat()
    query = select(c.account, c.deployment, c.day, type_coerce(c.hours, Text).label("hours"))
    # By day alone, as the index has them: to sort a month of them by name would take as long as to read them.
    rows = tx.execute(query.where(c.day >= since, c.day <= until).order_by(c.day).execution_options(yield_per=_BATCH))
    decode, decode_seen = msgspec.json.Decoder(list[_Hour]).decode, msgspec.json.Decoder(list[_SeenHour]).decode
    found: dict[str, dict[str, Tally]] = {account: {} for account in accounts}
    late: dict[str, int] = {}
    for account, name, day, text in rows:
        names = found.get(account)
        if names is None:
            continue
        tally = names.get(name)
        if tally is None:
            tally = names[name] = Tally()
        first = _first_hour(day)
        if account in past:
            _add(tally, first, list(_known(decode_seen(text), first, as_of, account, late)), is_named=bool(name))
        else:
            _add(tally, first, decode(text), is_named=bool(name))
    return Tallies(begin=begin, as_of=as_of, of=found, late=late)


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
    tx: Connection, usage: Mapping[tuple[str, str], Usage], tallies: Tallies
) -> dict[str, dict[str, Usage]]:
    """What was known of calls by then, by account's key and name.

    What was read later is taken back: of a name that was called since, the last call before is found in its calls.
    """
    found: dict[str, dict[str, Usage]] = {}
    older: dict[tuple[str, str], Usage] = {}
    for place, noun in usage.items():
        account, name = place
        if noun.read_to > tallies.as_of - DELAY:
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
    for (account, name), at in _older(tx, older, tallies.begin).items():
        noun = found[account][name]
        if at >= noun.read_from:
            found[account][name] = replace(noun, last_success_at=at)
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
