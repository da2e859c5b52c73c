"""Times in SQLite's text: as SQLAlchemy itself writes it, and the same instant again, whatever zone it came in."""

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from tests.factories import NOW
from watcher.store.types import UtcDateTime

DIALECT = sqlite.dialect()
WRITE = UtcDateTime().bind_processor(DIALECT)
READ = UtcDateTime().result_processor(DIALECT, None)
NAIVE = NOW.replace(tzinfo=None)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(NAIVE.replace(year=2), NAIVE.replace(year=9998), timezones=st.just(UTC) | zones)


@given(times)
def test_a_time_is_written_as_ever_and_read_as_the_same_instant_in_utc(at):
    text = WRITE(at)
    assert text == sqlite.DATETIME().bind_processor(DIALECT)(at.astimezone(UTC))
    assert READ(text) == at
    assert READ(text).tzinfo is UTC


def test_no_time_is_none_both_ways():
    assert WRITE(None) is None
    assert READ(None) is None


def test_a_time_without_a_zone_is_refused():
    for _ in range(2):
        with pytest.raises(ValueError, match="naive"):
            WRITE(NAIVE)
