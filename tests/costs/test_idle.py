from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.costs.factories import make_book
from tests.factories import DAY, HOUR, MODEL, NOW, SECOND, make_deployment
from watcher.costs.idle import (
    ASSUMED_END,
    NO_END,
    OPEN_END,
    OVERDUE,
    FoundTrickle,
    Trickle,
    calls_within,
    cost_per_call,
    idle_money,
    last_window,
    trickle_of,
    unclear_within,
    whole_hour,
)
from watcher.costs.money import Unknown, money, together
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


SINCE = NOW - 16 * DAY, NOW - 16 * DAY
AT = NOW + 5 * DAY, NOW + 5 * DAY
FREE = make_book().hosting(model=MODEL, sku="Developer")


@pytest.mark.parametrize(
    ("deletion", "more", "rest", "why"),
    [
        pytest.param(AT, {}, "204.00 USD", [], id="Azure ends it"),
        pytest.param((AT[0], None), {}, "at least 204.00 USD", [OPEN_END], id="some day"),
        pytest.param(AT, {"is_assumed": True}, "at least 204.00 USD", [ASSUMED_END], id="or never"),
        pytest.param((AT[0], None), {"is_assumed": True}, "at least 204.00 USD", [ASSUMED_END], id="both"),
        pytest.param((NOW - DAY, NOW - HOUR), {}, "unknown", [OVERDUE], id="overdue"),
        pytest.param((NOW - DAY, NOW), {}, "unknown", [OVERDUE], id="due this very moment"),
        pytest.param((NOW - DAY, NOW + DAY), {}, "0.00 to 40.80 USD", [], id="due, and not overdue"),
        pytest.param((NOW - DAY, None), {}, "unknown", [OPEN_END], id="due, and never overdue"),
        pytest.param((NOW - DAY, NOW - HOUR), {"is_assumed": True}, "unknown", [OVERDUE], id="overdue, if at all"),
        pytest.param((NOW - DAY, NOW - HOUR), {"price": FREE}, "0.00 USD", [], id="overdue, and free"),
        pytest.param((AT[0], None), {"price": FREE, "is_assumed": True}, "0.00 USD", [], id="free in any case"),
    ],
)
def test_the_rest_is_no_more_than_is_known(deletion, more, rest, why):
    found = idle_money(**{"price": PRICE, "now": NOW, "since": SINCE, "deletion": deletion, **more})
    assert (found.rest.text, found.is_bounded) == (rest, not why)
    assert found.part == found.rest
    assert [(reason, 1) for reason in why] == [*together([found.part], "USD").reasons]
    assert together([found.part], "USD").parts == 1


@pytest.mark.parametrize(("price", "part"), [(PRICE, Unknown(because=NO_END)), (FREE, money(0, "USD"))])
def test_what_nothing_ends_has_no_rest(price, part):
    found = idle_money(price, now=NOW, since=SINCE, deletion=None)
    assert (found.rest, found.part, found.is_bounded) == (None, part, False)


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


# At the edges


def test_the_last_time_is_never_before_the_soonest():
    """A rule may be configured so that the deletion can come before what was read last."""
    found = idle((NOW - DAY, NOW - DAY), (NOW + 2 * DAY, NOW + DAY))
    assert found.until_deletion.text == "81.60 USD"


def test_it_costs_up_to_where_its_calls_were_read():
    found = idle_money(
        PRICE, now=NOW, known_to=NOW - DAY, since=(NOW - 3 * DAY, NOW - 2 * DAY), deletion=(NOW + DAY, NOW + DAY)
    )
    assert (found.so_far.text, found.until_deletion.text) == ("40.80 to 81.60 USD", "40.80 USD")


def test_no_end_and_no_latest_end_are_two_things():
    open_ = idle((NOW - DAY, NOW - DAY), (NOW + DAY, None))
    none = idle((NOW - DAY, NOW - DAY), None)
    assert (open_.is_open, open_.rest.text, open_.rest.unknown) == (True, "at least 40.80 USD", 1)
    assert (none.is_open, none.rest, none.until_deletion) == (False, None, None)


@pytest.mark.parametrize(("calls", "counts"), [(0, False), (0.5, True), (20, True), (20.5, False)])
def test_a_trickle_is_some_calls_and_at_most_so_many(calls, counts):
    assert Trickle().counts(calls) is counts


WINDOW = 15 * DAY


@pytest.mark.parametrize(
    ("read", "created", "end"),
    [
        pytest.param(((NOW - 40 * DAY, NOW),), NOW - 30 * DAY, NOW, id="read to the present"),
        pytest.param(((NOW - 40 * DAY, NOW - DAY),), NOW - 30 * DAY, NOW - DAY, id="read to a day ago"),
        pytest.param(((NOW - 40 * DAY, NOW - DAY - HOUR),), NOW - 30 * DAY, None, id="read to longer ago"),
        pytest.param(((NOW - 40 * DAY, NOW),), NOW - WINDOW, NOW, id="as old as the window"),
        pytest.param(((NOW - 40 * DAY, NOW),), NOW - WINDOW + SECOND, None, id="younger"),
        pytest.param(((NOW - WINDOW, NOW),), NOW - 30 * DAY, NOW, id="read for as long as the window"),
        pytest.param(((NOW - WINDOW + HOUR, NOW),), NOW - 30 * DAY, None, id="read for less"),
        pytest.param(((NOW - 40 * DAY, NOW + HOUR),), NOW - 30 * DAY, NOW, id="said to be read beyond"),
        pytest.param(((NOW - 40 * DAY, NOW - HOUR), (NOW, NOW + HOUR)), NOW - 30 * DAY, None, id="with a hole"),
        pytest.param(((NOW - 40 * DAY, NOW),), None, None, id="of unknown age"),
        pytest.param((), NOW - 30 * DAY, None, id="never read"),
    ],
)
def test_the_window_of_a_trickle(read, created, end):
    assert last_window(make_deployment(created_at=created), Coverage(spans=read), NOW, WINDOW) == end


def test_calls_that_may_be_its_own_count_only_where_they_would_change_the_answer():
    one, read = make_deployment(), Coverage(spans=((NOW - 40 * DAY, NOW),))

    def asked(answered, unclear):
        return trickle_of(
            one, read, NOW, Trickle(), answered=lambda begin, end: answered, unclear=lambda begin, end: unclear
        )

    assert asked(5.0, 15.0) == FoundTrickle(calls=5.0, end=NOW)
    assert "16 more calls may be its own" in asked(5.0, 16.0).because
    assert asked(21.0, 5.0) is None
    assert asked(0.0, 5.0) is None


def test_every_call_without_a_name_may_be_its_own():
    own = Calls(deployment="a", hours={NOW - HOUR: HourOfCalls(ok=1, other=3, unclear=2)})
    nameless = Calls(deployment="", hours={NOW - HOUR: HourOfCalls(ok=4, other=3, unclear=1)})
    assert unclear_within(own, nameless, NOW - DAY, NOW) == 2 + 4 + 3
    assert unclear_within(own, None, NOW - DAY, NOW) == 2
    assert unclear_within(own, nameless, NOW - DAY, NOW - HOUR) == 0


def test_an_hour_begins_by_the_clock_of_utc():
    """In India it begins at half past."""
    local = datetime(2026, 11, 22, 13, 10, 5, 7, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert whole_hour(local) == datetime(2026, 11, 22, 7, tzinfo=UTC)
