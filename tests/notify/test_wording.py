from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.notify.wording import clean, fit, localise, one_line, rfc3339, spell_duration, spell_time, without_mentions

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(milliseconds=900), "0 s"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(seconds=61), "1 min 1 s"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=3, seconds=59), "3 h"),
        (timedelta(days=2, hours=23, minutes=59), "2 d 23 h"),
        (timedelta(days=400), "400 d"),
        (-timedelta(hours=1), "1 h"),
    ],
)
def test_durations(duration, text):
    assert spell_duration(duration) == text


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), BERLIN, "2026-11-22 09:00 CET (08:00 UTC)"),
        (datetime(2026, 7, 1, 8, 0, tzinfo=UTC), BERLIN, "2026-07-01 10:00 CEST (08:00 UTC)"),
        (datetime(2026, 11, 22, 23, 30, tzinfo=UTC), BERLIN, "2026-11-23 00:30 CET (2026-11-22 23:30 UTC)"),
        (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), UTC, "2026-11-22 08:00 UTC"),
        (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), ZoneInfo("Europe/London"), "2026-11-22 08:00 UTC"),
    ],
)
def test_times(at, zone, text):
    assert spell_time(at, zone) == text


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("called at 2026-11-22T07:58:00Z.", "called at 2026-11-22 08:58 CET (07:58 UTC)."),
        ("2026-11-22T07:58:00.123456Z", "2026-11-22 08:58 CET (07:58 UTC)"),
        ("read 2026-11-22 07:58 UTC, ok", "read 2026-11-22 08:58 CET (07:58 UTC), ok"),
        ("2026-99-22T07:58:00Z", "2026-99-22T07:58:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("bot-2026-11-22", "bot-2026-11-22"),
        ("2026-11-22T07:58:00Zebra", "2026-11-22T07:58:00Zebra"),
    ],
)
def test_times_in_prose(text, spelt):
    assert localise(text, BERLIN) == spelt


def test_payload_times_are_utc_to_the_second():
    assert rfc3339(datetime(2026, 11, 22, 9, 0, 0, 999, tzinfo=BERLIN)) == "2026-11-22T08:00:00Z"


@settings(deadline=None)
@given(st.text(), st.integers(0, 80), st.sampled_from(["", "https://watcher.example.com/alerts"]))
def test_what_fits_fits(text, limit, more_at):
    assert len(fit(text, limit, more_at=more_at)) <= limit
    assert fit(text, len(text)) == text


def test_cuts_at_a_line_and_says_what_is_missing():
    assert fit("\n".join("line" for _ in range(100)), 30) == "line\nline\nline\n… 97 more lines"
    assert fit("a\n" + "b" * 50, 20) == "a\n… 1 more line"
    assert fit("a\n" + "b" * 90, 60, more_at="https://w.example/x") == "a\n… 1 more line: https://w.example/x"
    assert fit("a" * 50, 10) == "aaaaaaaaa…"


@given(st.text())
def test_clean_text_has_no_control_characters_and_one_line_is_one(text):
    assert not [c for c in clean(text) if ord(c) < 32 and c != "\n"]
    assert len(one_line(text).splitlines()) <= 1
    assert clean(clean(text)) == clean(text)


def test_clean_drops_terminal_escapes_and_reordering():
    assert clean("\x1b[31mred\x9b1m \u202egnp.exe\u202c\u200b\r\nnext\rlast  \n\n") == "[31mred1m gnp.exe\nnext\nlast"


def test_mentions_are_broken():
    assert (
        without_mentions("@here <!channel> <@U1> me@example.com")
        == "@\u200bhere <\u200b!channel> <\u200b@U1> me@example.com"
    )
