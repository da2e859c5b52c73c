"""Pages of a listing: all of them together are the whole, whatever comes and goes meanwhile."""

import base64
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.answers.query import BadCursor, Query, decode_cursor, encode_cursor, fits, moment_at, newest_first, paged

keys = st.lists(st.tuples(st.integers(), st.text(max_size=5)), unique=True).map(sorted)


def key(item):
    return item


@given(items=keys, limit=st.integers(min_value=1, max_value=5))
def test_the_pages_together_are_the_whole(items, limit):
    found, cursor = [], ""
    while True:
        page = paged(items, key, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        if page.cursor is None:
            break
        cursor = page.cursor
    assert found == items


@given(items=keys, gone=st.data(), limit=st.integers(min_value=1, max_value=5))
def test_what_stays_is_on_exactly_one_page_though_other_items_come_and_go(items, gone, limit):
    first = paged(items, key, limit=limit)
    if first.cursor is None:
        return
    left = [item for item in items if gone.draw(st.booleans())]
    rest = paged(left, key, cursor=first.cursor)
    assert [*first.items, *rest.items] == [item for item in items if item in first.items or item in left]


@given(st.lists(st.one_of(st.integers(), st.text()), min_size=1).map(tuple))
def test_a_cursor_can_stand_in_an_address_and_is_read_back(key):
    word = encode_cursor(key)
    assert word.isascii() and not set(word) & set("+/=&?#% ")
    assert decode_cursor(word) == key


@pytest.mark.parametrize("word", ["x", "!!!", "bnVsbA", "W10", "W3RydWVd", "WzEuNV0", "W251bGxd", "é"])
def test_what_is_no_cursor_is_refused(word):
    with pytest.raises(BadCursor):
        decode_cursor(word)


def test_the_cursor_of_another_listing_is_refused():
    with pytest.raises(BadCursor):
        paged([(1, "a")], key, cursor=encode_cursor(("a", 1)))


@given(st.lists(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(UTC)), min_size=2, unique=True))  # noqa: DTZ001 - hypothesis takes the bound without its zone
def test_later_times_come_first_and_none_last(times):
    ordered = sorted([None, *times], key=newest_first)
    assert ordered == [*sorted(times, reverse=True), None]


def test_globs_heed_no_case_and_none_at_all_mean_all():
    assert fits((), "any")
    assert fits(("CONTOSO-*", "x"), "contoso-ft", "other")
    assert not Query(accounts=("dev-*",)).fits_account("prod-1")


def test_a_cursor_of_any_depth_is_refused():
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    with pytest.raises(BadCursor):
        decode_cursor(deep)


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "is_end", "at"),
    [
        ("2026-12-31", False, datetime(2026, 12, 30, 23, tzinfo=UTC)),
        ("2026-12-31", True, datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2026-10-25", True, datetime(2026, 10, 25, 23, tzinfo=UTC)),
        ("2026-12-31T18:00", True, datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("2026-12-31T18:00:00Z", False, datetime(2026, 12, 31, 18, tzinfo=UTC)),
    ],
    ids=["a date", "its end", "a day of 25 hours", "by the zone", "with an offset"],
)
def test_a_date_or_time_is_read_by_the_zone(text, is_end, at):
    assert moment_at(text, BERLIN, is_end=is_end) == at


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "9999-12-31", "0001-01-01T00:00:00+23:59"])
def test_what_is_no_time_or_beyond_the_calendar_is_refused(text):
    with pytest.raises(ValueError):
        moment_at(text, BERLIN, is_end=True)
