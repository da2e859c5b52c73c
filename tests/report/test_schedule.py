"""When a report is due, over both changes of the clock, downtimes, and clocks that jump."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.report.schedule import Timetable, due, remembered

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def weekly(weekday=0, hour=8, minute=0, zone=BERLIN):
    return Timetable(weekday=weekday, at=time(hour, minute), zone=zone)


def monthly(day=1, hour=8, minute=0, zone=BERLIN):
    return Timetable(day=day, at=time(hour, minute), zone=zone)


@pytest.mark.parametrize(
    ("timetable", "now", "newest"),
    [
        (weekly(), "2026-11-23T08:00:00+01:00", "2026-11-23T08:00:00+01:00"),
        (weekly(), "2026-11-23T07:59:59+01:00", "2026-11-16T08:00:00+01:00"),
        (weekly(), "2026-11-29T23:00:00+01:00", "2026-11-23T08:00:00+01:00"),
        (monthly(), "2026-11-23T08:00:00+01:00", "2026-11-01T08:00:00+01:00"),
        (monthly(), "2026-11-01T07:00:00+01:00", "2026-10-01T08:00:00+02:00"),
        (monthly(28), "2027-02-28T08:00:00+01:00", "2027-02-28T08:00:00+01:00"),
        # The clock goes back on Sunday, 25 October 2026: 02:30 comes twice, and the first counts.
        (weekly(6, 2, 30), "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+02:00"),
        (weekly(6, 2, 30), "2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+02:00"),
        (weekly(), "2026-10-26T08:00:00+01:00", "2026-10-26T08:00:00+01:00"),
        # It goes on on Sunday, 29 March 2026: 02:30 never comes, and is 03:30.
        (weekly(6, 2, 30), "2026-03-29T03:29:00+02:00", "2026-03-22T02:30:00+01:00"),
        (weekly(6, 2, 30), "2026-03-29T03:30:00+02:00", "2026-03-29T03:30:00+02:00"),
        (weekly(), "2026-03-30T08:00:00+02:00", "2026-03-30T08:00:00+02:00"),
        # The clock goes back over midnight: it is Sunday, and a minute later Saturday again.
        (weekly(6, 0, 0, ZoneInfo("America/St_Johns")), "2010-11-07T03:00:00+00:00", "2010-11-07T02:30:00+00:00"),
        # Far from Greenwich it is Monday long before, or after.
        (weekly(0, 0, 5, ZoneInfo("Pacific/Kiritimati")), "2026-11-22T10:05:00+00:00", "2026-11-22T10:05:00+00:00"),
        (weekly(0, 23, 55, ZoneInfo("Pacific/Pago_Pago")), "2026-11-24T10:55:00+00:00", "2026-11-24T10:55:00+00:00"),
    ],
)
def test_the_newest_time_of_a_timetable(timetable, now, newest):
    assert timetable.newest(at(now)) == at(newest)


def test_what_was_missed_is_due_once_and_only_the_newest():
    until = at("2026-11-02T08:00:00+01:00")
    now = at("2026-11-25T12:00:00+01:00")
    newest = due(weekly(), since=until, now=now)
    assert newest == at("2026-11-23T08:00:00+01:00")
    assert due(weekly(), since=newest, now=now) is None


def test_what_was_never_heard_of_begins_with_the_next_time():
    assert due(weekly(), since=None, now=at("2026-11-25T12:00:00+01:00")) is None


moments = st.integers(0, 10 * 366 * 24 * 60).map(lambda count: at("2020-01-01T00:00:00Z") + timedelta(minutes=count))
timetables = st.builds(
    lambda is_weekly, weekday, day, hour, minute, zone: (
        weekly(weekday, hour, minute, ZoneInfo(zone)) if is_weekly else monthly(day, hour, minute, ZoneInfo(zone))
    ),
    st.booleans(),
    st.integers(0, 6),
    st.integers(1, 28),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)


@settings(max_examples=60, deadline=None)
@given(timetables, moments, st.lists(st.integers(1, 30 * 24 * 60), max_size=60))
def test_each_time_is_due_once_however_the_looks_fall(timetable, start, steps):
    """Looks at random moments make the newest of what lies between two looks, and nothing twice."""
    now, until, made = start, start, []
    for step in steps:
        now += timedelta(minutes=step)
        newest = due(timetable, since=until, now=now)
        if newest is not None:
            assert until < newest <= now
            made.append(newest)
            until = newest
    assert made == sorted(set(made))
    local = [one.astimezone(timetable.zone).date() for one in made]
    assert len(set(local)) == len(local)  # none twice a day, whatever the clocks do


@settings(max_examples=30, deadline=None)
@given(timetables, moments)
def test_a_look_a_day_misses_nothing(timetable, start):
    """Looks at the same local time every day make as many as the calendar has such days."""
    until, made, now = start, 0, start
    for _ in range(400):
        now += DAY
        newest = due(timetable, since=until, now=now)
        if newest is not None:
            made, until = made + 1, newest
    first, last = (moment.astimezone(timetable.zone).replace(tzinfo=None) for moment in (start, now))
    days = [first.date() + number * DAY for number in range(402)]
    wanted = [day for day in days if (day.day == timetable.day or day.weekday() == timetable.weekday)]
    # Local times without their offsets; an hour or so is lost or won by the change of the clock.
    inside = [day for day in wanted if first < datetime.combine(day, timetable.at) <= last]
    times = [datetime.combine(day, timetable.at) for day in wanted]
    is_at_edge = any(abs(edge - one) <= timedelta(hours=1) for edge in (first, last) for one in times)
    assert abs(made - len(inside)) <= is_at_edge


@given(st.integers(0, 6) | st.integers(-28, -1), st.times(), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_it_is_remembered_as_its_text(day, hour, zone):
    on = {"weekday": day} if day >= 0 else {"day": -day}
    timetable = Timetable(at=time(hour.hour, hour.minute), zone=ZoneInfo(zone), **on)
    assert remembered(str(timetable)) == timetable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mon",
        "mon 08:00",
        "mon 8 UTC",
        "day 08:00 UTC",
        "on 08:00 UTC",
        "mon 08:00 Nowhere/Land",
        "a b c d",
        "mon 08 UTC",
        "day mon 08:00 UTC",
    ],
)
def test_what_is_no_timetable_is_remembered_as_none(text):
    assert remembered(text) is None
