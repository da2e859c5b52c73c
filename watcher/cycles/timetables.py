"""What is due of the scheduled reports: which issues are queued, for whom, and of which period.

How far each schedule was followed is stored with the schedule itself, so that whoever follows another one by now, or
bears another name, still makes what was due before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.matcher import Matcher
from watcher.cycles.editions import concerning
from watcher.cycles.pricing import Tariff
from watcher.report.periods import Length, period_before
from watcher.report.schedule import Timetable, due, remembered
from watcher.report.statement import Audience
from watcher.report.terms import ReportTerms
from watcher.store import reports
from watcher.store.reports import Issue

#: A schedule that was followed further than this ahead was followed by a clock that was put back since.
_CLOCKS_APART = timedelta(hours=1)
#: What the edition of an owner begins with; their name follows.
OWNER = "owner "


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A report as configured."""

    name: str
    timetable: Timetable
    length: Length
    period_name: str  #: "7d", "month"
    audience: Audience = Audience.ALL
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEdition:
    """Somebody who gets what concerns them, of every report that is for all."""

    owner: str
    matchers: tuple[Matcher, ...]
    receivers: tuple[str, ...]

    def concerns(self, labels: Mapping[str, str]) -> bool:
        return concerning(self.owner, [self.matchers])(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """What the configuration says of reports."""

    scheduled: tuple[Scheduled, ...] = ()
    owners: tuple[OwnEdition, ...] = ()
    terms: ReportTerms
    tariff: Tariff
    link: str = ""  #: address of the page that shows the report; "": there is none


def is_any_due(tx: Connection, reporting: Reporting, now: datetime) -> bool:
    """Whether there is anything to plan."""
    return any(_step(tx, one, reporting, now) is not None for one in reporting.scheduled)


def plan_now(
    tx: Connection, reporting: Reporting, takers: Collection[str], *, now: datetime, wall_now: datetime
) -> int:
    """Queue the issues that are due by `now`; returns how many are new.

    Args:
        takers: Receivers that take reports.
        wall_now: From which they are to be sent.
    """
    reports.take_turns_at_planning(tx)
    count = 0
    for one in reporting.scheduled:
        step = _step(tx, one, reporting, now)
        if step is None:
            continue
        reports.note_made(tx, one.name, until=step.until, timetable=str(one.timetable))
        if step.was_called:
            reports.forget(tx, step.was_called)
        if step.due_at is not None:
            count += reports.add(tx, issues_of(one, reporting.owners, takers, at=step.due_at, wall_now=wall_now))
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What planning does for a report."""

    until: datetime  #: its schedule is followed until then
    due_at: datetime | None = None  #: for when it wants an issue
    was_called: str = ""  #: the name under which it was due


def _step(tx: Connection, one: Scheduled, reporting: Reporting, now: datetime) -> _Step | None:
    """What is to be done for a report now; `None`: nothing."""
    until, timetable = reports.made_until(tx, one.name)
    if until is None:
        return _renamed(tx, one, reporting, now) or _Step(until=now)
    if until > now + _CLOCKS_APART:
        return _Step(until=now)
    if timetable != str(one.timetable):
        # What was due before is not lost by it; times of the new one that have passed were promised to nobody.
        before = remembered(timetable)
        return _Step(until=now, due_at=due(before, since=until, now=now) if before else None)
    at = due(one.timetable, since=until, now=now)
    return None if at is None else _Step(until=at, due_at=at)


def _renamed(tx: Connection, one: Scheduled, reporting: Reporting, now: datetime) -> _Step | None:
    """What was due of a report that bears another name by now: one of its schedule is configured no more.

    Only where a single time was missed. What missed more may have been taken out long ago, and has nothing to do with a
    report that gets the same schedule today.
    """
    names = {other.name for other in reporting.scheduled}
    for name, (until, timetable) in sorted(reports.met(tx).items()):
        if name in names or timetable != str(one.timetable):
            continue
        at = due(one.timetable, since=until, now=now)
        if at is not None and due(one.timetable, since=until, now=at - timedelta.resolution) is None:
            return _Step(until=at, due_at=at, was_called=name)
    return None


def issues_of(
    one: Scheduled, owners: Sequence[OwnEdition], takers: Collection[str], *, at: datetime, wall_now: datetime
) -> list[Issue]:
    """The issues of a report due at `at`: to its receivers, and of one for all each owner's edition to theirs."""
    period = period_before(at, one.length, one.timetable.zone)
    for_whom = [(one.audience.value, receiver) for receiver in one.receivers]
    if one.audience is Audience.ALL:
        for_whom += [(OWNER + own.owner, name) for own in owners for name in own.receivers if name in takers]
    return [
        Issue(
            name=one.name,
            edition=edition,
            receiver=receiver,
            period_name=one.period_name,
            begin=period.begin,
            end=period.end,
            as_of=at,
            due_at=wall_now,
            queued_at=wall_now,
        )
        for edition, receiver in dict.fromkeys(for_whom)
    ]
