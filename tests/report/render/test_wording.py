"""How amounts, periods and foreign names are written."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.factories import UNKNOWN, sum_of, usd
from watcher.costs.hosting import Period
from watcher.report.render.markdown import escaped
from watcher.report.wording import interval, money, one_line, period_words, short_period, within_words

BERLIN = ZoneInfo("Europe/Berlin")


def period(begin: str, end: str, zone: ZoneInfo = BERLIN) -> Period:
    return Period(
        begin=datetime.fromisoformat(begin).replace(tzinfo=zone).astimezone(UTC),
        end=datetime.fromisoformat(end).replace(tzinfo=zone).astimezone(UTC),
    )


@pytest.mark.parametrize(
    ("begin", "end", "words", "span"),
    [
        ("2026-11-16", "2026-11-23", "16 to 22 November 2026", "In these 7 days"),
        ("2026-11-01", "2026-12-01", "November 2026", "In this month"),
        ("2026-10-26", "2026-11-02", "26 October to 1 November 2026", "In these 7 days"),
        ("2026-12-28", "2027-01-04", "28 December 2026 to 3 January 2027", "In these 7 days"),
        ("2026-11-16", "2026-11-17", "16 November 2026", "On this day"),
        # Whole days stay whole over both changes of the clock.
        ("2026-03-23", "2026-03-30", "23 to 29 March 2026", "In these 7 days"),
        ("2026-10-19", "2026-10-26", "19 to 25 October 2026", "In these 7 days"),
        ("2026-11-15T09:30", "2026-11-22T09:30", "2026-11-15 09:30 CET to 2026-11-22 09:30 CET", "In these 7 days"),
        ("2026-11-15T09:30", "2026-11-15T12:00", "2026-11-15 09:30 CET to 2026-11-15 12:00 CET", "In these 2 h 30 min"),
    ],
)
def test_period_is_named_as_people_would(begin: str, end: str, words: str, span: str) -> None:
    assert period_words(period(begin, end), BERLIN) == words
    assert within_words(period(begin, end), BERLIN) == span


@pytest.mark.parametrize(
    ("begin", "end", "span"),
    [
        ("2026-11-15T09:30", "2026-11-16T09:30", "In these 24 h"),
        ("2026-10-24T09:30", "2026-10-25T09:30", "In these 25 h"),
        ("2026-11-15T09:30", "2026-11-15T10:30", "In this hour"),
        ("2026-11-15T09:30", "2026-11-22T09:30", "In these 7 days"),
        ("2026-11-15T09:30", "2026-11-15T12:00", "In these 2 h 30 min"),
    ],
)
def test_a_span_that_is_no_whole_day_is_none(begin: str, end: str, span: str) -> None:
    assert within_words(period(begin, end), BERLIN) == span


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        ("2026-11-16", "2026-11-23", "16 to 22 Nov 2026"),
        ("2026-11-01", "2026-12-01", "Nov 2026"),
        ("2026-10-26", "2026-11-02", "26 Oct to 1 Nov 2026"),
        ("2026-12-28", "2027-01-04", "28 Dec 2026 to 3 Jan 2027"),
        ("2026-11-16", "2026-11-17", "16 Nov 2026"),
        ("2026-11-15T09:30", "2026-11-22T09:30", "15 to 22 Nov 2026"),
        ("2026-11-15T09:30", "2026-11-15T12:00", "15 Nov 2026"),
    ],
)
def test_period_in_short_has_its_days_alone(begin: str, end: str, words: str) -> None:
    assert short_period(period(begin, end), BERLIN) == words


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (usd(1234.5), "1,234.50 USD"),
        (usd(1, 2), "1.00 to 2.00 USD"),
        (usd(1, 1.001), "1.00 USD"),
        (UNKNOWN, "unknown"),
        (None, ""),
        (sum_of(usd(1000), UNKNOWN), "at least 1,000.00 USD"),
        (sum_of(UNKNOWN), "unknown"),
        (sum_of(), "0.00 USD"),
    ],
)
def test_money_says_what_it_does_not_know(cost: object, words: str) -> None:
    assert money(cost) == words  # type: ignore[arg-type]


def test_interval_has_both_bounds_where_they_differ() -> None:
    at = datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert interval((at, at), BERLIN) == "2026-11-22 09:00 CET"
    assert interval((at, at + timedelta(hours=2)), BERLIN) == "2026-11-22 09:00 CET to 2026-11-22 11:00 CET"
    assert interval((at, None), BERLIN) == "2026-11-22 09:00 CET or later"


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line_of_what_can_be_seen(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit and len(line.splitlines()) <= 1
    assert not [char for char in line if ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2066\u200f"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("285.60", "285.60"),
        ("-2.0 %", "-2.0 %"),
        ("1. first", "1\\. first"),
        ("# head", "\\# head"),
        ("---", "\\---"),
        ("a_b", "a\\_b"),
        ("x < y", "x &lt; y"),
        ("a|b", "a\\|b"),
    ],
)
def test_markdown_escapes_what_would_be_read(text: str, shown: str) -> None:
    assert escaped(text) == shown
