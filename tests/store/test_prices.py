"""The price list as it is kept, and when it may be asked for again."""

from decimal import Decimal

import pytest

from tests.costs.factories import make_row
from tests.factories import DAY, HOUR, MINUTE, NOW
from watcher.resources.price import RetailList
from watcher.store import inventory, prices
from watcher.store.prices import Times


def listed(*rows, at=NOW):
    return RetailList(prices=rows, read_at=at)


def test_a_list_comes_back_as_it_was(store):
    assert store.read_now(prices.load, "USD") is None
    rows = (make_row(price="1.70"), make_row("nul \x00 \N{SNOWMAN}", price="0.000000123456789", effective_from=NOW))
    store.write_now(prices.save, "USD", listed(*rows))
    found = store.read_now(prices.load, "USD")
    assert (found.prices, found.read_at) == (rows, NOW)
    assert found.prices[1].price == Decimal("0.000000123456789")


def test_a_list_is_replaced_whole_and_alone(store):
    store.write_now(prices.save, "USD", listed(make_row("a"), make_row("b")))
    store.write_now(prices.save, "EUR", listed(make_row("c", currency="EUR"), at=NOW - DAY))
    store.write_now(prices.save, "USD", listed(make_row("d"), at=NOW + DAY))
    assert [row.meter_name for row in store.read_now(prices.load, "USD").prices] == ["d"]
    assert [row.meter_name for row in store.read_now(prices.load, "EUR").prices] == ["c"]
    assert store.read_now(prices.newest) == NOW + DAY


@pytest.mark.parametrize(
    ("tried_at", "read_at", "is_due"),
    [
        pytest.param(None, None, True, id="never tried"),
        pytest.param(NOW - HOUR + MINUTE, None, False, id="failed just now"),
        pytest.param(NOW - HOUR, None, True, id="failed an hour ago"),
        pytest.param(NOW - DAY + MINUTE, NOW - DAY + MINUTE, False, id="read today"),
        pytest.param(NOW - DAY, NOW - DAY, True, id="read a day ago"),
        pytest.param(NOW - MINUTE, NOW - 2 * DAY, False, id="stale, failed just now"),
        pytest.param(NOW + DAY, NOW + DAY, True, id="a clock that was set back"),
    ],
)
def test_when_it_is_due_and_claimed(store, tried_at, read_at, is_due):
    if read_at is not None:
        store.write_now(prices.save, "USD", listed(make_row(), at=read_at))
    if tried_at is not None and tried_at != read_at:
        assert store.write_now(prices.claim, "USD", now=tried_at)
    times = store.read_now(prices.times, "USD")
    assert times == Times(tried_at=tried_at, read_at=read_at)
    assert times.is_due(NOW) is is_due
    assert store.write_now(prices.claim, "USD", now=NOW) is is_due
    assert not store.write_now(prices.claim, "USD", now=NOW)  # another process, at the same moment


def test_a_claim_leaves_the_list_as_it_is(store):
    store.write_now(prices.save, "USD", listed(make_row(), at=NOW - DAY))
    assert store.write_now(prices.claim, "USD", now=NOW)
    assert store.read_now(prices.load, "USD").read_at == NOW - DAY


def test_a_list_that_was_tried_and_never_read_is_none(store):
    store.write_now(prices.claim, "USD", now=NOW)
    assert store.read_now(prices.load, "USD") is None
    assert store.read_now(prices.newest) is None


def test_the_inventory_is_taken_anew_with_a_new_list(store):
    marks = [store.read_now(inventory.mark)]
    for at in (NOW, NOW + DAY):
        store.write_now(prices.save, "USD", listed(make_row(), at=at))
        marks.append(store.read_now(inventory.mark))
    assert len(set(marks)) == 3
    store.write_now(prices.claim, "USD", now=NOW + 2 * DAY)
    assert store.read_now(inventory.mark) == marks[-1]
