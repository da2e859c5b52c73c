from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.interval import WHOLE_DAY, MuteInterval, TimeRange, muted_until
from watcher.rules.finding import Severity

MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = frozenset(range(5))


def hours(text: str) -> TimeRange:
    start, end = (timedelta(hours=int(part[:2]), minutes=int(part[3:])) for part in text.split("-"))
    return TimeRange(start=start, end=end)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHTS = MuteInterval(name="nights", times=(hours("22:00-07:00"),), weekdays=WEEKDAYS, timezone=BERLIN)


@pytest.mark.parametrize(
    ("at", "until"),
    [  # 2026-11-18 is a Wednesday; Berlin is one hour ahead of UTC
        pytest.param("2026-11-18T12:00", None, id="noon"),
        pytest.param("2026-11-18T20:59:59", None, id="just before it starts"),
        pytest.param("2026-11-18T21:00", "2026-11-19T06:00", id="as it starts"),
        pytest.param("2026-11-19T03:00", "2026-11-19T06:00", id="after midnight"),
        pytest.param("2026-11-19T06:00", None, id="as it ends"),
        pytest.param("2026-11-20T22:00", "2026-11-21T06:00", id="Friday night"),
        pytest.param("2026-11-21T03:00", "2026-11-21T06:00", id="Saturday morning is still Friday's"),
        pytest.param("2026-11-21T22:00", None, id="Saturday night"),
        pytest.param("2026-11-22T03:00", None, id="Sunday morning is Saturday's"),
        pytest.param("2026-11-22T23:30", None, id="Monday before dawn is Sunday's"),
        pytest.param("2026-11-23T21:00", "2026-11-24T06:00", id="Monday night"),
    ],
)
def test_an_interval_belongs_to_the_day_on_which_it_starts(at: str, until: str | None) -> None:
    expected = None if until is None else utc(until)
    assert NIGHTS.ends_at(utc(at)) == expected
    assert NIGHTS.is_muted(utc(at)) is (expected is not None)


@pytest.mark.parametrize(
    ("times", "at", "until"),
    [  # forward on 2026-03-29 at 01:00 UTC (02:00 → 03:00), back on 2026-10-25 at 01:00 UTC (03:00 → 02:00)
        pytest.param("22:00-07:00", "2026-03-29T00:30", "2026-03-29T05:00", id="forward: a night is an hour shorter"),
        pytest.param("22:00-07:00", "2026-10-25T00:30", "2026-10-25T06:00", id="back: a night is an hour longer"),
        pytest.param(
            "22:00-02:30", "2026-03-29T00:59:59", "2026-03-29T01:00", id="forward: ends in the gap, at the jump"
        ),
        pytest.param("22:00-02:30", "2026-03-29T01:00", None, id="forward: over after the jump"),
        pytest.param("02:30-04:00", "2026-03-29T00:59", None, id="forward: starts in the gap, not before the jump"),
        pytest.param(
            "02:30-04:00", "2026-03-29T01:00", "2026-03-29T02:00", id="forward: starts in the gap, at the jump"
        ),
        pytest.param("02:15-02:45", "2026-03-29T01:00", None, id="forward: inside the gap, never"),
        pytest.param("22:00-02:30", "2026-10-25T00:29", "2026-10-25T00:30", id="back: till the first end"),
        pytest.param("22:00-02:30", "2026-10-25T00:45", None, id="back: the clock shows 02:45"),
        pytest.param("22:00-02:30", "2026-10-25T01:00", "2026-10-25T01:30", id="back: the clock shows 02:00 again"),
        pytest.param("22:00-02:30", "2026-10-25T01:30", None, id="back: over after the second end"),
        pytest.param("02:30-04:00", "2026-10-25T00:29", None, id="back: before the first start"),
        pytest.param("02:30-04:00", "2026-10-25T00:30", "2026-10-25T01:00", id="back: from the first start"),
        pytest.param("02:30-04:00", "2026-10-25T01:10", None, id="back: the clock shows 02:10 again"),
        pytest.param("02:30-04:00", "2026-10-25T01:30", "2026-10-25T03:00", id="back: from the second start"),
        pytest.param("01:30-04:00", "2026-10-25T00:10", "2026-10-25T03:00", id="back: both readings lie in it"),
    ],
)
def test_both_changes_of_the_clock(times: str, at: str, until: str | None) -> None:
    mute = MuteInterval(name="m", times=(hours(times),), timezone=BERLIN)
    assert mute.ends_at(utc(at)) == (None if until is None else utc(until))


@pytest.mark.parametrize(
    ("severity", "muted"),
    [
        pytest.param(Severity.INFO, True, id="below"),
        pytest.param(Severity.WARNING, False, id="equal"),
        pytest.param(Severity.CRITICAL, False, id="above"),
    ],
)
def test_alerts_of_the_excepted_severity_and_above_pass(severity: Severity, muted: bool) -> None:
    mute = MuteInterval(name="m", except_severity=Severity.WARNING)
    assert (muted_until([mute], utc("2026-11-18T12:00"), severity) is not None) is muted


def test_spans_that_meet_are_one() -> None:
    weekend = MuteInterval(name="weekend", times=(WHOLE_DAY,), weekdays=frozenset({5, 6}), timezone=BERLIN)
    friday_night = utc("2026-11-20T22:00")
    assert muted_until([NIGHTS], friday_night) == utc("2026-11-21T06:00")
    assert muted_until([NIGHTS, weekend], friday_night) == utc("2026-11-22T23:00")
    assert muted_until([], friday_night) is None


def test_what_is_always_muted_is_looked_at_again() -> None:
    at = utc("2026-11-18T12:00")
    until = MuteInterval(name="always").ends_at(at)
    assert until is not None and timedelta(days=14) <= until - at <= timedelta(days=15)


@settings(deadline=None)
@given(
    st.timedeltas(timedelta(), timedelta(days=365)).map(lambda passed: utc("2026-01-01") + passed),
    st.integers(0, 95),
    st.integers(1, 96),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana"]),
)
def test_it_ends_when_it_says(at: datetime, start: int, end: int, zone: str) -> None:
    quarter = timedelta(minutes=15)
    times = TimeRange(start=start * quarter, end=end * quarter)
    mute = MuteInterval(name="m", times=(times,), weekdays=frozenset({1, 3, 6}), timezone=ZoneInfo(zone))
    until = mute.ends_at(at)
    assert mute.is_muted(at) is (until is not None)
    if until is not None:
        assert until > at
        assert mute.is_muted(max(at, until - timedelta(microseconds=1)))
        assert not mute.is_muted(until)


QUARTERS = st.builds(
    lambda start, end: TimeRange(start=start * timedelta(minutes=15), end=end * timedelta(minutes=15)),
    st.integers(0, 95),
    st.integers(1, 96),
)


def shows(mute: MuteInterval, at: datetime) -> bool:
    """Whether what the clock on the wall shows lies in a span, reckoned in whole minutes of the day."""
    local = at.astimezone(mute.timezone)
    minute, weekday = local.hour * 60 + local.minute, local.weekday()
    for part in mute.times:
        start, end = (int(one / timedelta(minutes=1)) for one in (part.start, part.end))
        if start < end:
            found = weekday in mute.weekdays and start <= minute < end
        else:
            found = (weekday in mute.weekdays and minute >= start) or (
                (weekday - 1) % 7 in mute.weekdays and minute < end
            )
        if found:
            return True
    return False


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        pytest.param("Europe/Berlin", ("2026-03-29T01:00", "2026-10-25T01:00"), id="Berlin"),
        pytest.param("America/New_York", ("2026-03-08T07:00", "2026-11-01T06:00"), id="New York"),
        pytest.param("Australia/Lord_Howe", ("2026-04-04T15:00", "2026-10-03T15:30"), id="Lord Howe: half an hour"),
    ],
)
def test_the_changes_are_where_the_next_test_looks_for_them(zone: str, changes: tuple[str, str]) -> None:
    for change in changes:
        before, after = ((utc(change) + beside).astimezone(ZoneInfo(zone)).utcoffset() for beside in (-MINUTE, MINUTE))
        assert before != after


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(
        [
            ("Europe/Berlin", "2026-03-29T01:00"),
            ("Europe/Berlin", "2026-10-25T01:00"),
            ("America/New_York", "2026-03-08T07:00"),
            ("America/New_York", "2026-11-01T06:00"),
            ("Australia/Lord_Howe", "2026-04-04T15:00"),
            ("Australia/Lord_Howe", "2026-10-03T15:30"),
        ]
    ),
    st.integers(-30 * 60, 5 * 60),
    st.lists(QUARTERS, min_size=1, max_size=2),
    st.frozensets(st.integers(0, 6), min_size=1),
)
def test_muted_is_what_the_clock_on_the_wall_shows(
    change: tuple[str, str], minutes: int, times: list[TimeRange], weekdays: frozenset[int]
) -> None:
    """Around both changes of the clock; and what is put off is told at the first minute that is not muted."""
    zone, moment = change
    mute = MuteInterval(name="m", times=tuple(times), weekdays=weekdays, timezone=ZoneInfo(zone))
    at = utc(moment) + minutes * MINUTE
    assert mute.is_muted(at) is shows(mute, at)
    first_free = at
    while shows(mute, first_free) and first_free - at < timedelta(days=3):
        first_free += MINUTE
    until = mute.ends_at(at)
    if first_free == at:
        assert until is None
    elif not shows(mute, first_free):
        assert until == first_free
