"""Reports and the calendar, as the page serves them: compiled in a thread, one at a time.

A statement of a large estate takes seconds. They are taken from nobody but whoever asks: the loop goes on meanwhile,
and so do other readers of the store.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from watcher.assembly.judgement import tariff_of, terms_of
from watcher.assembly.machine import Machine
from watcher.assembly.reports import edition_of, report_terms_of, statement_of
from watcher.costs.hosting import Period
from watcher.errors import Refused
from watcher.report.calendar import calendar_of
from watcher.report.periods import Length, period_before, period_until
from watcher.report.render import FORMATS
from watcher.report.statement import Statement
from watcher.web.asking import BadQuestion, moment_of, span_of
from watcher.web.problem import ProblemError
from watcher.web.site import ReportAsked

#: What the calendar looks back on: the dates to come rest on what there is, and not on the period.
_CALENDAR = timedelta(days=1)
#: Of a period: nothing is kept for longer by default.
_LONGEST = timedelta(days=400)
#: Before this there was no Azure; arithmetic ends at a calendar's beginning.
_EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
#: So many may wait for their turn.
_MOST_WAITING = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Which time a report speaks of, and what of it is known."""

    period: Period
    name: str
    as_of: datetime
    is_past: bool


class Reports:
    """Makes them for whoever asks."""

    def __init__(self, machine: Callable[[], Machine]) -> None:
        """`machine`: the one in force."""
        self._machine = machine
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._seated: set[str] = set()

    async def report(self, asked: ReportAsked) -> str:
        """The text of a report.

        Raises:
            Refused: It cannot be made as asked.
            ProblemError: Too many are being made.
        """
        if asked.format not in FORMATS:
            raise Refused(f"format is one of {', '.join(FORMATS)}", code=2)
        zone = self._machine().config.watcher.timezone
        try:
            span = _span(asked, self._machine().clock(), zone)
        except BadQuestion as exc:
            raise Refused(str(exc), code=2) from None
        except (OverflowError, ValueError):
            raise Refused("this is no time that a report can speak of", code=2) from None
        async with self._seat(asked.person):
            statement = await self._statement(span, asked.owner)
            return await asyncio.to_thread(FORMATS[asked.format], statement)

    async def calendar(self, owner: str) -> bytes:
        """The dates to come of one owner ("": of all) as iCalendar."""
        config, now = self._machine().config, self._machine().clock()
        period = Period(begin=now - _CALENDAR, end=now)
        async with self._seat(""):
            statement = await self._statement(_Span(period=period, name="1d", as_of=now, is_past=False), owner)
            return await asyncio.to_thread(calendar_of, statement, link=config.watcher.public_url or "")

    @asynccontextmanager
    async def _seat(self, person: str) -> AsyncIterator[None]:
        """A place in the queue, and then the turn.

        Raises:
            ProblemError: Too many wait, or this person does.
        """
        later = {"retry-after": "10"}
        if person and person in self._seated:
            raise ProblemError(503, "A report is being made for you: wait for it, or try again soon.", headers=later)
        if self._waiting >= _MOST_WAITING:
            raise ProblemError(503, "Too many reports are being made: try again soon.", headers=later)
        self._waiting += 1
        self._seated.add(person)
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
            self._seated.discard(person)

    async def _statement(self, span: _Span, owner: str) -> Statement:
        machine = self._machine()
        config = machine.config
        return await machine.store.read(
            statement_of,
            edition_of(config, owner or None),
            period=span.period,
            period_name=span.name,
            as_of=span.as_of,
            is_past=span.is_past,
            terms=report_terms_of(config, terms_of(config)),
            tariff=tariff_of(config),
            owners=[one.name for one in config.owners],
        )


def _span(asked: ReportAsked, now: datetime, zone: ZoneInfo) -> _Span:
    """The period that is asked for.

    Raises:
        BadQuestion: A time or a span cannot be read.
        Refused: It is none, or still to come.
    """
    as_of = moment_of(asked.as_of, name="as_of", zone=zone) if asked.as_of else now
    if as_of > now:
        raise Refused("as_of is still to come", code=2)
    is_past = bool(asked.as_of)
    if asked.begin or asked.end:
        period = _between(asked, as_of, zone)
        return _Span(period=period, name=_dates(period, zone), as_of=as_of, is_past=is_past)
    if asked.period == "last-month":
        return _Span(period=period_before(as_of, "month", zone), name="month", as_of=as_of, is_past=is_past)
    length: Length = "month" if asked.period == "month" else span_of(asked.period, name="period")
    if isinstance(length, timedelta) and length > _LONGEST:
        raise Refused(f"period is at most {_LONGEST.days}d", code=2)
    return _Span(period=period_until(as_of, length, zone), name=asked.period, as_of=as_of, is_past=is_past)


def _between(asked: ReportAsked, as_of: datetime, zone: ZoneInfo) -> Period:
    """From the beginning of one day to the end of another, as far as it is past."""
    if not asked.begin:
        raise Refused("say from when: from=2026-11-01", code=2)
    begin = moment_of(asked.begin, name="from", zone=zone)
    end = min(moment_of(asked.end, name="to", zone=zone, is_end=True) if asked.end else as_of, as_of)
    if begin < _EARLIEST:
        raise Refused("from is before 2010", code=2)
    if begin >= end:
        raise Refused("from is not before to, or still to come", code=2)
    if end - begin > _LONGEST:
        raise Refused(f"from and to are at most {_LONGEST.days} days apart", code=2)
    return Period(begin=begin, end=end)


def _dates(period: Period, zone: ZoneInfo) -> str:
    first = period.begin.astimezone(zone).date()
    last = (period.end - timedelta(microseconds=1)).astimezone(zone).date()
    return f"{first} to {last}"
