from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alerts.factories import HOUR, NOW, SECOND
from watcher.alerts.pace import Rate

RATE = Rate(messages=10, per=10 * SECOND)


@pytest.mark.parametrize(
    ("left", "after", "tokens"),
    [
        (None, 0 * SECOND, 10),  # nothing was sent yet
        (0.0, 0 * SECOND, 0),
        (0.0, 3 * SECOND, 3),
        (9.0, HOUR, 10),  # no more than the bucket holds
        (2.0, -5 * SECOND, 2),  # a clock that was set back a little gives nothing, and takes nothing
        (0.0, -HOUR, 10),  # and further back than a bucket takes to fill, it is as if nothing had been sent
    ],
)
def test_a_bucket_fills_steadily(left, after, tokens):
    assert RATE.tokens(left, None if left is None else NOW, NOW + after) == tokens


@given(st.integers(1, 1000), st.integers(1, 100_000), st.floats(0, 0.999))
def test_at_the_time_that_it_names_there_is_a_token_and_not_long_before(messages, seconds, left):
    rate = Rate(messages=messages, per=timedelta(seconds=seconds))
    at = rate.ready_at(left, NOW)
    assert rate.tokens(left, NOW, at) >= 1
    assert rate.tokens(left, NOW, at - timedelta(milliseconds=3)) < 1 or at - NOW <= timedelta(milliseconds=3)


def test_what_is_left_goes_at_once():
    assert RATE.ready_at(1.0, NOW) is None
    assert RATE.ready_at(None, None) is None
