"""The use of each local day; its hours are checked against the time in which a deployment stood, to the microsecond."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.costs.factories import make_tenancy
from tests.costs.test_hosting import BOOK, at, periods, tenancies
from tests.factories import DAY, HOUR, MINUTE, NOW
from watcher.costs.hosting import Period, cost, price, worth
from watcher.costs.money import Amount, Unknown, total
from watcher.costs.uses import Answered, State, use_by_day
from watcher.resources.calls import Calls, Coverage, HourOfCalls

UNREAD, READ = Coverage(), Coverage(spans=((NOW - 90 * DAY, NOW),))
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")


def calls_at(**hours):
    """Answered calls by hour, `d22h07=3`: of November, UTC."""
    return Calls(
        deployment="support-bot",
        hours={
            datetime(2026, 11, int(key[1:3]), int(key[4:6]), tzinfo=UTC): HourOfCalls(ok=count)
            for key, count in hours.items()
        },
    )


def split_by_day(tenancy, calls, coverage, book, period, zone, **more):
    """The days of use with their money; calls of unknown status may be answered ones."""
    hours = sorted(calls.hours.items()) if calls else ()
    unclear = [int(hour.timestamp()) // 3600 for hour, one in hours if one.unclear]
    uses = use_by_day(tenancy, Answered.of(calls), coverage, period, zone, unclear=unclear, **more)
    rate, unit = price(tenancy, book), timedelta(microseconds=1)
    return [
        SimpleNamespace(
            day=use.day,
            calls=use.calls,
            shares=[
                SimpleNamespace(
                    state=state,
                    least=least * unit,
                    most=most * unit,
                    cost=worth(rate, least * unit, most * unit),
                )
                for state, least, most in use.spent
            ],
        )
        for use in uses
    ]


def states(days):
    return {day.day.day: {share.state.value: share.most / HOUR for share in day.shares} for day in days}


THREE_DAYS = Period(begin=datetime(2026, 11, 19, tzinfo=UTC), end=datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("calls", "coverage", "expected"),
    [
        pytest.param(None, READ, {19: {"idle": 24}, 20: {"idle": 24}, 21: {"idle": 24}}, id="never called"),
        pytest.param(None, UNREAD, {19: {"unknown": 24}, 20: {"unknown": 24}, 21: {"unknown": 24}}, id="never read"),
        pytest.param(
            calls_at(d21h06=5),
            READ,
            {19: {"idle": 24}, 20: {"idle": 24}, 21: {"used": 6, "idle": 18}},
            id="used until the last call, idle from its hour on",
        ),
        pytest.param(
            calls_at(d20h10=1, d21h06=5),
            READ,
            {19: {"idle": 24}, 20: {"trickle": 24}, 21: {"used": 6, "idle": 18}},
            id="a day of one call is a trickle",
        ),
        pytest.param(
            calls_at(d19h10=2, d19h11=1),
            READ,
            {19: {"used": 11, "idle": 13}, 20: {"idle": 24}, 21: {"idle": 24}},
            id="idle since the first day",
        ),
        pytest.param(
            calls_at(d10h10=9),
            READ,
            {19: {"idle": 24}, 20: {"idle": 24}, 21: {"idle": 24}},
            id="called before the period alone",
        ),
        pytest.param(
            calls_at(d20h10=9),
            Coverage(spans=((NOW - 90 * DAY, datetime(2026, 11, 20, 18, tzinfo=UTC)),)),
            {19: {"idle": 24}, 20: {"used": 10, "idle": 8, "unknown": 6}, 21: {"unknown": 24}},
            id="unread at the end",
        ),
    ],
)
def test_each_hour_has_its_state(calls, coverage, expected):
    assert states(split_by_day(make_tenancy(), calls, coverage, BOOK, THREE_DAYS, UTC_ZONE)) == expected


def at_hour(hours):
    return datetime(2026, 11, 21, tzinfo=UTC) + hours * HOUR


@pytest.mark.parametrize(
    ("calls", "spans", "end", "unclear", "expected"),
    [
        pytest.param([22], [(0, 24)], 24, [], {"used": 22, "idle": 2}, id="a whole hour follows"),
        pytest.param([23], [(0, 24)], 24, [], {"used": 24}, id="the last hour of all"),
        pytest.param([22], [(0, 24)], 23.75, [], {"used": 23.75}, id="less than an hour follows"),
        pytest.param([22], [(0, 23)], 24, [], {"used": 23, "unknown": 1}, id="the hour that follows was not read"),
        pytest.param([22], [(0, 23.75)], 24, [], {"used": 23.75, "unknown": 0.25}, id="nor was it read whole"),
        pytest.param(
            [20], [(0, 21), (22.5, 24)], 24, [], {"used": 20, "idle": 2.5, "unknown": 1.5}, id="a whole hour at last"
        ),
        pytest.param(
            [20], [(0, 21), (22.5, 23.5)], 24, [], {"used": 22, "unknown": 2}, id="no whole hour in any of the parts"
        ),
        pytest.param([22], [(0, 24)], 24, [23], {"used": 23, "unknown": 1}, id="it may have been called in that one"),
        pytest.param(
            [20], [(0, 24)], 24, [21, 22], {"used": 20, "idle": 2, "unknown": 2}, id="and surely not in the next"
        ),
        pytest.param([23], [(0, 48)], 24, [], {"used": 24}, id="what was read of the time after changes nothing"),
    ],
)
def test_the_hour_of_the_last_call_is_idle_only_if_it_rested_then(calls, spans, end, unclear, expected):
    hours = {at_hour(number): HourOfCalls(ok=2.0) for number in calls}
    hours |= {at_hour(number): HourOfCalls(other=1.0, unclear=1.0) for number in unclear}
    known = Coverage(spans=tuple((at_hour(low), at_hour(high)) for low, high in spans))
    period = Period(begin=at_hour(0), end=at_hour(end))
    days = split_by_day(make_tenancy(), Calls(deployment="x", hours=hours), known, BOOK, period, UTC_ZONE)
    assert states(days) == {21: expected}


def test_use_goes_on_over_a_midnight_until_it_is_known_to_have_ended():
    """Deleted half an hour after the hour of its last call."""
    end = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
    calls = calls_at(**{f"d20h{number:02}": 9 for number in range(24)})
    days = split_by_day(make_tenancy(end=(end, end)), calls, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert states(days) == {19: {"idle": 24}, 20: {"used": 24}, 21: {"used": 0.5}}
    days = split_by_day(make_tenancy(end=(end + HOUR, end + HOUR)), calls, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert states(days) == {19: {"idle": 24}, 20: {"used": 23, "idle": 1}, 21: {"idle": 1.5}}


def test_what_was_never_called_is_idle_while_it_stands():
    begin, end = datetime(2026, 11, 20, 6, tzinfo=UTC), datetime(2026, 11, 21, 12, tzinfo=UTC)
    days = split_by_day(make_tenancy(begin=begin, end=(end, end)), None, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert states(days) == {20: {"idle": 18}, 21: {"idle": 12}}


def test_failed_calls_are_no_use():
    failed = Calls(deployment="support-bot", hours={NOW - DAY: HourOfCalls(other=9)})
    assert states(split_by_day(make_tenancy(), failed, READ, BOOK, THREE_DAYS, UTC_ZONE))[21] == {"idle": 24}


@pytest.mark.parametrize(
    ("answered", "unclear", "expected"),
    [
        pytest.param({}, {7, 8}, {"unknown": 2, "idle": 22}, id="never answered"),
        pytest.param({3: 1, 27: 9}, {7}, {"unknown": 1, "trickle": 23}, id="a trickle"),
        pytest.param({3: 9, 27: 9}, {7}, {"used": 24}, id="used"),
        pytest.param({3: 9}, {1, 7}, {"used": 3, "unknown": 1, "idle": 20}, id="after the last answered call"),
        pytest.param({}, {-1, 24}, {"idle": 24}, id="of other days"),
        pytest.param({}, set(range(-30, 50)), {"unknown": 24}, id="all the time"),
    ],
)
def test_hours_of_calls_that_may_be_its_own_are_unknown_unless_it_was_used(answered, unclear, expected):
    day = datetime(2026, 11, 20, tzinfo=UTC)
    hours = {day + hour * HOUR: HourOfCalls(ok=count) for hour, count in answered.items()}
    for hour in unclear:
        hours[day + hour * HOUR] = HourOfCalls(ok=answered.get(hour, 0), other=2, unclear=2)
    calls = Calls(deployment="support-bot", hours=hours)
    assert states(split_by_day(make_tenancy(), calls, READ, BOOK, THREE_DAYS, UTC_ZONE))[20] == expected


def test_an_hour_that_may_be_used_is_unknown_on_both_sides_of_a_midnight():
    """In India days begin at half past."""
    calls = Calls(deployment="", hours={datetime(2026, 11, 20, 18, tzinfo=UTC): HourOfCalls(other=1, unclear=1)})
    days = split_by_day(make_tenancy(), calls, READ, BOOK, THREE_DAYS, ZoneInfo("Asia/Kolkata"))
    found = states(days)
    assert (found[20], found[21]) == ({"unknown": 0.5, "idle": 23.5}, {"unknown": 0.5, "idle": 23.5})


def test_the_threshold_of_a_trickle_is_given():
    calls = calls_at(d20h10=3, d21h06=5)
    days = split_by_day(make_tenancy(), calls, READ, BOOK, THREE_DAYS, UTC_ZONE, trickle=3)
    assert states(days)[20] == {"trickle": 24}
    assert [day.calls for day in days] == [0, 3, 5]


def test_idle_money_of_the_days_is_that_since_the_last_call():
    called = datetime(2026, 11, 15, 9, tzinfo=UTC)
    days = split_by_day(
        make_tenancy(), calls_at(d15h09=4), READ, BOOK, Period(begin=called - 3 * HOUR, end=NOW), BERLIN
    )
    idle = total((share.cost for day in days for share in day.shares if share.state is State.IDLE), "USD")
    assert idle.known == price(make_tenancy(), BOOK).over(NOW - called)


def test_a_life_has_only_its_own_calls():
    """A name's calls before this life are an earlier life's."""
    tenancy = make_tenancy(begin=datetime(2026, 11, 21, 6, 30, tzinfo=UTC))
    calls = calls_at(d21h05=9, d21h06=1, d21h08=1)
    (day,) = split_by_day(tenancy, calls, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert (day.calls, {share.state.value: share.most / HOUR for share in day.shares}) == (2, {"used": 1.5, "idle": 16})


def test_calls_of_an_hour_that_was_never_read_whole_are_not_counted():
    """It ended in the next hour, and what was read since is of the time after."""
    ended = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    tenancy = make_tenancy(end=(ended, ended))
    spans = ((NOW - 90 * DAY, ended - 75 * MINUTE), (ended + DAY, NOW))
    calls = calls_at(d20h08=90, d20h09=71)
    days = split_by_day(tenancy, calls, Coverage(spans=spans), BOOK, THREE_DAYS, UTC_ZONE)
    assert [day.calls for day in days] == [0, 90]
    assert [day.calls for day in split_by_day(tenancy, calls, READ, BOOK, THREE_DAYS, UTC_ZONE)] == [0, 161]


@pytest.mark.parametrize(
    ("month", "day", "hours"),
    [pytest.param(10, 25, 25, id="the clock goes back"), pytest.param(3, 29, 23, id="the clock goes forward")],
)
def test_a_local_day_may_be_longer_or_shorter(month, day, hours):
    noon = datetime(2026, month, day, 12, tzinfo=UTC)
    tenancy = make_tenancy(begin=noon - 9 * DAY)
    days = split_by_day(tenancy, None, UNREAD, BOOK, Period(begin=noon - 2 * DAY, end=noon + 2 * DAY), BERLIN)
    assert {day.day: sum((share.most for share in day.shares), timedelta()) / HOUR for day in days}[
        date(2026, month, day)
    ] == hours


def test_a_day_that_a_zone_left_out_is_left_out():
    """Samoa went from the 29th of December 2011 to the 31st."""
    noon = datetime(2011, 12, 29, 12, tzinfo=UTC)
    days = split_by_day(
        make_tenancy(begin=noon), None, UNREAD, BOOK, Period(begin=noon, end=noon + 2 * DAY), ZoneInfo("Pacific/Apia")
    )
    assert [(day.day.day, day.shares[0].most / HOUR) for day in days] == [(29, 22), (31, 24), (1, 2)]


def test_a_gone_deployment_may_have_cost_less_in_its_last_day():
    tenancy = make_tenancy(end=(datetime(2026, 11, 20, 6, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC)))
    days = split_by_day(tenancy, None, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert [day.day.day for day in days] == [19, 20]
    assert days[1].shares[0].cost.text == "10.20 to 20.40 USD"


hours_of_calls = st.dictionaries(
    st.integers(0, 60 * 24).map(lambda number: NOW - 60 * DAY + number * HOUR),
    st.builds(HourOfCalls, ok=st.integers(0, 4).map(float), other=st.just(0.0)),
    max_size=12,
)
coverages = st.lists(st.tuples(at, at).map(sorted), max_size=4)


@given(
    tenancies(),
    periods(),
    hours_of_calls,
    coverages,
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Pacific/Apia"]),
)
def test_the_shares_of_all_days_are_the_cost_exactly(tenancy, period, hours, spans, zone):
    coverage = Coverage()
    for begin, end in spans:
        coverage = coverage.with_span(begin, end)
    calls = Calls(deployment="support-bot", hours=hours)
    days = split_by_day(tenancy, calls, coverage, BOOK, period, ZoneInfo(zone))

    assert total((share.cost for day in days for share in day.shares), "USD").known == cost(tenancy, BOOK, period)
    assert len({day.day for day in days}) == len(days)
    for day in days:
        assert all(share.least <= share.most for share in day.shares)
        assert sum((share.most for share in day.shares), timedelta()) <= 25 * HOUR
    unread = sum((share.most for day in days for share in day.shares if share.state is State.UNKNOWN), timedelta())
    stood = tenancy.stood(period)[1]
    low = max(period.begin, tenancy.begin)
    read = sum((end - begin for begin, end in coverage.clipped(low, low + stood)), timedelta())
    assert unread == stood - read


@given(tenancies(), periods(), coverages, st.sampled_from(["UTC", "Asia/Kolkata", "America/Havana"]), st.integers(1, 9))
def test_what_is_called_around_the_clock_is_never_idle(tenancy, period, spans, zone, count):
    coverage = Coverage()
    for begin, end in spans:
        coverage = coverage.with_span(begin, end)
    first = period.begin.replace(minute=0, second=0, microsecond=0)
    hours = {first + number * HOUR: HourOfCalls(ok=count) for number in range((period.end - first) // HOUR + 1)}
    calls = Calls(deployment="support-bot", hours=hours)
    days = split_by_day(tenancy, calls, coverage, BOOK, period, ZoneInfo(zone))
    assert {share.state for day in days for share in day.shares} <= {State.USED, State.TRICKLE, State.UNKNOWN}


def test_an_unknown_price_is_unknown_in_every_share():
    days = split_by_day(make_tenancy(sku="Quantum"), None, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert all(isinstance(share.cost, Unknown) for day in days for share in day.shares)
    assert isinstance(cost(make_tenancy(), BOOK, THREE_DAYS), Amount)


@pytest.mark.parametrize("calls", [None, calls_at(d21h06=5)], ids=["never called", "called"])
def test_one_that_is_made_or_ends_at_midnight_has_no_day_without_time(calls):
    begin, end = (datetime(2026, 11, day, tzinfo=UTC) for day in (20, 22))
    tenancy = make_tenancy(begin=begin, end=(end, end))
    period = Period(begin=begin - 3 * DAY, end=end + 3 * DAY)
    days = split_by_day(tenancy, calls, READ, BOOK, period, UTC_ZONE)
    assert {day: sum(states.values()) for day, states in states(days).items()} == {20: 24, 21: 24}
    assert len(days) == 2
