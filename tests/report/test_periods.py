"""Periods of whole local days and calendar months, over both changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.report.periods import period_before, period_until

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
WEEK = timedelta(days=7)
instants = st.integers(946_684_800, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def local(text, zone=BERLIN):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("at", "length", "begin", "end", "hours"),
    [
        pytest.param("2026-11-23T08:00", WEEK, "2026-11-16", "2026-11-23", 168, id="Monday to Sunday"),
        pytest.param("2026-03-30T08:00", WEEK, "2026-03-23", "2026-03-30", 167, id="the clock goes forward"),
        pytest.param("2026-10-26T08:00", WEEK, "2026-10-19", "2026-10-26", 169, id="the clock goes back"),
        pytest.param("2026-11-23T00:00", WEEK, "2026-11-16", "2026-11-23", 168, id="at midnight"),
        pytest.param("2026-11-01T08:00", "month", "2026-10-01", "2026-11-01", 745, id="the month before"),
        pytest.param("2026-11-22T08:00", "month", "2026-10-01", "2026-11-01", 745, id="asked for later in the month"),
        pytest.param("2026-01-01T00:00", "month", "2025-12-01", "2026-01-01", 744, id="over the year's end"),
        pytest.param("2026-04-01T08:00", "month", "2026-03-01", "2026-04-01", 743, id="a month with 23 h"),
        pytest.param("2026-03-31T08:00", "month", "2026-02-01", "2026-03-01", 672, id="the shortest month"),
    ],
)
def test_the_period_before(at, length, begin, end, hours):
    found = period_before(local(at), length, BERLIN)
    assert (found.begin, found.end) == (local(begin), local(end))
    assert (found.end - found.begin) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("at", "length", "begin"),
    [
        pytest.param("2026-11-22T08:20", WEEK, "2026-11-15T08:20", id="a week to now"),
        pytest.param("2026-03-30T08:20", WEEK, "2026-03-23T08:20", id="the same time of day over a change"),
        pytest.param("2026-11-22T08:20", "month", "2026-11-01", id="the month so far"),
        pytest.param("2026-11-01T00:00", "month", "2026-10-01", id="at its very end: the whole month"),
        pytest.param("2026-11-22T08:20", timedelta(hours=36), "2026-11-20T20:20", id="no whole days"),
    ],
)
def test_the_period_until(at, length, begin):
    found = period_until(local(at), length, BERLIN)
    assert (found.begin, found.end) == (local(begin), local(at))


@given(at=instants, zone=st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]))
def test_one_week_begins_where_the_one_before_ended(at, zone):
    later = period_before(at, WEEK, zone)
    assert period_before(later.begin, WEEK, zone).end == later.begin
    assert later.begin.astimezone(zone).time().isoformat() == "00:00:00"
    assert later.end <= at
    assert period_before(at, "month", zone).end <= at
