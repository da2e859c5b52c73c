"""For how long a deployment has been idle: only as far as its calls are known."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import DAY, HOUR, MINUTE, NOW, make_usage
from watcher.rules.idle_words import idle_span
from watcher.rules.text import duration


@pytest.mark.parametrize(
    ("read_to", "said"),
    [
        (NOW, "for 10 d"),
        (NOW - 30 * timedelta(seconds=1), "for 9 d 23 h"),
        (NOW - 30 * HOUR, "for 8 d 18 h, to 2026-11-21 02:00 UTC; its calls since then are not known"),
        (NOW - 11 * DAY, "its calls since then are not known"),
    ],
    ids=["read to now", "to just before", "until the watcher stopped", "not since its last call"],
)
def test_what_was_not_read_is_no_idleness(read_to, said):
    assert idle_span(NOW - 10 * DAY, make_usage(read_to=read_to), NOW) == said


def test_what_was_called_before_the_metrics_begin_is_idle_at_least_so_long():
    assert idle_span(NOW - 10 * DAY, make_usage(), NOW, is_bounded=True) == "for at least 10 d"


@given(st.integers(0, 60 * 24 * 40), st.integers(0, 60 * 24 * 40))
def test_it_never_counts_a_minute_that_was_not_read(idle, unread):
    text = idle_span(NOW - idle * MINUTE, make_usage(read_to=NOW - unread * MINUTE), NOW)
    known = max(idle - unread, 0)
    assert (f"for {duration(known * MINUTE)}" in text) == (known > 0 or not unread)
    assert ("not known" in text) == (unread > 0)
