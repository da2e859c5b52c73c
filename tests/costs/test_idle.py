from decimal import Decimal

import pytest

from tests.costs.factories import make_book
from tests.factories import DAY, HOUR, MODEL, NOW, make_deployment
from watcher.costs.idle import Trickle, calls_within, cost_per_call, idle_money, last_window
from watcher.costs.money import Unknown, money
from watcher.resources.calls import Calls, Coverage, HourOfCalls

PRICE = make_book().hosting(model=MODEL, sku="Standard")
NO_PRICE = Unknown(because="no price")


def idle(since, deletion, price=PRICE):
    return idle_money(price, now=NOW, since=since, deletion=deletion)


def test_idle_money_since_a_call_and_until_azure_acts():
    found = idle((NOW - 14 * DAY, NOW - 14 * DAY), (NOW + DAY, NOW + DAY))
    assert (found.so_far.text, found.per_day.text, found.until_deletion.text) == (
        "571.20 USD",
        "40.80 USD",
        "40.80 USD",
    )
    assert found.outlook == "40.80 USD more if nobody acts"


@pytest.mark.parametrize(
    ("since", "deletion", "so_far", "outlook"),
    [
        pytest.param(
            (NOW, NOW),
            (NOW + 15 * DAY, NOW + 15 * DAY),
            "0.00 USD",
            "612.00 USD more if nobody acts",
            id="just called",
        ),
        pytest.param(
            (NOW - 3 * DAY, NOW - 2 * DAY),
            (NOW + 12 * DAY, NOW + 13 * DAY),
            "81.60 to 122.40 USD",
            "489.60 to 530.40 USD more if nobody acts",
            id="bounds",
        ),
        pytest.param(
            (NOW - 3 * DAY, NOW - 3 * DAY),
            (NOW + 12 * DAY, None),
            "122.40 USD",
            "at least 489.60 USD more if nobody acts",
            id="no latest time can be named",
        ),
        pytest.param(
            (NOW - 3 * DAY, NOW - 3 * DAY),
            None,
            "122.40 USD",
            "40.80 USD more each day until somebody acts",
            id="never deleted",
        ),
        pytest.param(
            (NOW - 16 * DAY, NOW - 16 * DAY),
            (NOW - DAY, NOW - HOUR),
            "652.80 USD",
            "40.80 USD more each day until Azure deletes it, which is overdue, or somebody acts",
            id="overdue",
        ),
    ],
)
def test_bounds_of_idle_money(since, deletion, so_far, outlook):
    found = idle(since, deletion)
    assert (found.so_far.text, found.outlook) == (so_far, outlook)


def test_without_a_price_no_idle_money():
    assert idle((NOW, NOW), None, NO_PRICE) == NO_PRICE


def test_cost_per_call():
    assert cost_per_call(money(612, "USD"), 20.0).text == "30.60 USD"
    assert cost_per_call(money(1, "USD"), 3.0).text == "0.33 USD"
    assert cost_per_call(NO_PRICE, 3.0) == NO_PRICE
    assert isinstance(cost_per_call(money(1, "USD"), 0.0), Unknown)


@pytest.mark.parametrize(("calls", "counts"), [(0, False), (0.5, True), (1, True), (20, True), (20.5, False)])
def test_from_when_on_it_is_a_trickle(calls, counts):
    assert Trickle().counts(calls) is counts


def test_the_promise_of_the_threshold():
    """What the docstring says a call at the threshold costs."""
    trickle = Trickle()
    assert cost_per_call(PRICE.over(trickle.window), trickle.max_calls).least == Decimal("30.60")


CALLS = Calls(deployment="x", hours={NOW - n * HOUR: HourOfCalls(ok=float(n), other=9.0) for n in (1, 2, 48)})


@pytest.mark.parametrize(
    ("calls", "spans", "count"),
    [
        pytest.param(CALLS, [(NOW - 2 * DAY, NOW)], 51, id="all read"),
        pytest.param(CALLS, [(NOW - 2 * DAY, NOW - HOUR)], None, id="not to the end"),
        pytest.param(CALLS, [(NOW - 2 * DAY, NOW - DAY), (NOW - 23 * HOUR, NOW)], None, id="with a hole"),
        pytest.param(None, [(NOW - 2 * DAY, NOW)], 0, id="no call in what was read"),
        pytest.param(None, [], None, id="nothing read is not nothing called"),
    ],
)
def test_calls_are_counted_only_where_all_was_read(calls, spans, count):
    assert calls_within(calls, Coverage(spans=tuple(spans)), NOW - 2 * DAY, NOW) == count


@pytest.mark.parametrize(
    ("created_at", "spans", "end"),
    [
        pytest.param(NOW - 30 * DAY, [(NOW - 30 * DAY, NOW)], NOW, id="read to now"),
        pytest.param(NOW - 30 * DAY, [(NOW - 30 * DAY, NOW - HOUR / 2)], NOW - HOUR, id="to whole hours"),
        pytest.param(NOW - 30 * DAY, [(NOW - 30 * DAY, NOW + DAY)], NOW, id="never beyond now"),
        pytest.param(NOW - 30 * DAY, [(NOW - 30 * DAY, NOW - 25 * HOUR)], None, id="too long ago"),
        pytest.param(NOW - 30 * DAY, [(NOW - 7 * DAY + HOUR, NOW)], None, id="not far enough back"),
        pytest.param(NOW - 6 * DAY, [(NOW - 30 * DAY, NOW)], None, id="too young"),
        pytest.param(None, [(NOW - 30 * DAY, NOW)], None, id="of unknown age"),
        pytest.param(NOW - 30 * DAY, [], None, id="never read"),
    ],
)
def test_the_newest_window_that_was_read(created_at, spans, end):
    deployment = make_deployment(created_at=created_at)
    assert last_window(deployment, Coverage(spans=tuple(spans)), NOW, 7 * DAY) == end
