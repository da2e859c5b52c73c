"""The tag by which a deployment says itself until when it is wanted."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_deployment
from watcher.resources.deployment import keep_until, unreadable_keep_tag

FAR = datetime(9999, 12, 30, tzinfo=UTC)


def tagged(text: str):
    return make_deployment(tags={"Watcher-Keep-Until": text})


@pytest.mark.parametrize(
    ("text", "until"),
    [
        pytest.param("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC), id="a date counts to its end"),
        pytest.param(" 2026-12-31T12:00:00Z ", datetime(2026, 12, 31, 12, tzinfo=UTC), id="a time"),
        pytest.param("2026-12-31T12:00:00+02:00", datetime(2026, 12, 31, 10, tzinfo=UTC), id="with an offset"),
        pytest.param("2026-12-31T12:00", datetime(2026, 12, 31, 12, tzinfo=UTC), id="no zone"),
        pytest.param("9999-12-31", FAR, id="for ever"),
        pytest.param("9999-12-31T23:59:59-12:00", FAR, id="beyond the end of all times"),
        pytest.param("0001-01-01T00:00:00+12:00", datetime(1, 1, 2, tzinfo=UTC), id="before their beginning"),
    ],
)
def test_until_when(text, until):
    assert keep_until(tagged(text)) == until
    assert unreadable_keep_tag(tagged(text)) == ""


@pytest.mark.parametrize("text", ["next week", "31.12.2026", "2026-13-01", "yes", "2026-02-30"])
def test_what_is_no_time_keeps_nothing_and_is_named(text):
    assert keep_until(tagged(text)) is None
    assert unreadable_keep_tag(tagged(text)) == text


@pytest.mark.parametrize("tags", [{}, {"watcher-keep-until": " "}, {"owner": "next week"}])
def test_without_a_word_there_is_nothing_to_name(tags):
    deployment = make_deployment(tags=tags)
    assert (keep_until(deployment), unreadable_keep_tag(deployment)) == (None, "")


@given(st.text(max_size=30) | st.datetimes().map(str) | st.dates().map(str))
def test_no_text_stops_a_poll(text):
    until = keep_until(tagged(text))
    assert until is None or until.tzinfo is UTC
