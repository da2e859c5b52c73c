"""Figures are checked against another way of counting: whole seconds, and prices in millionths of a unit."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.costs.factories import make_book, make_tenancy, own
from tests.factories import DAY, HOUR, MINUTE, NOW, SECOND, make_deployment
from watcher.costs.hosting import Answered, Period, State, cost, price, remarks, tenancy_of, unseen, use_by_day, worth
from watcher.costs.money import Amount, Unknown, nothing, total
from watcher.resources.calls import Calls, Coverage, HourOfCalls

UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
BOOK = make_book()
WEEK = Period(begin=NOW - 7 * DAY, end=NOW)
UNREAD, READ = Coverage(), Coverage(spans=((NOW - 90 * DAY, NOW),))


def cents(seconds, micros_per_hour):
    """Whole seconds at so many millionths an hour, in cents, half even: integers alone."""
    whole, rest = divmod(seconds * micros_per_hour, 3600 * 10_000)
    half = 3600 * 10_000 // 2
    return whole + (rest > half or (rest == half and whole % 2))


@pytest.mark.parametrize(
    ("changes", "period", "text"),
    [
        pytest.param({}, WEEK, "285.60 USD", id="a week"),
        pytest.param({}, Period(begin=NOW - 14 * DAY, end=NOW), "571.20 USD", id="fourteen days"),
        pytest.param({}, Period(begin=NOW - 90 * DAY, end=NOW), "1224.00 USD", id="from its creation on"),
        pytest.param({"begin": NOW - 3 * MINUTE}, WEEK, "0.08 USD", id="8.5 cents"),
        pytest.param({"begin": NOW - 9 * MINUTE}, WEEK, "0.26 USD", id="25.5 cents"),
        pytest.param({"end": (NOW - 6 * DAY, NOW - 6 * DAY)}, WEEK, "40.80 USD", id="its end is known"),
        pytest.param({"end": (NOW - 6 * DAY, NOW - 5 * DAY)}, WEEK, "40.80 to 81.60 USD", id="its end lies between"),
        pytest.param(
            {"end": (NOW - 8 * DAY, NOW - 6 * DAY)}, WEEK, "0.00 to 40.80 USD", id="perhaps before the period"
        ),
        pytest.param({"end": (NOW - 9 * DAY, NOW - 8 * DAY)}, WEEK, "0.00 USD", id="before the period"),
        pytest.param({"begin": NOW + DAY}, WEEK, "0.00 USD", id="after it"),
        pytest.param({"sku": "GlobalStandard"}, WEEK, "285.60 USD", id="global"),
        pytest.param({"sku": "DataZoneStandard"}, WEEK, "285.60 USD", id="data zone"),
        pytest.param({"sku": "developer"}, WEEK, "0.00 USD", id="developer"),
        pytest.param({"paused": ((NOW - 3 * DAY, None),)}, WEEK, "285.60 USD", id="paused: charged, as assumed"),
    ],
)
def test_what_a_deployment_costs_over_a_period(changes, period, text):
    assert cost(make_tenancy(**changes), BOOK, period).text == text


def test_provisioned_ones_cost_their_capacity():
    book = make_book(table=(own(sku="provisioned*", ptu_per_hour="0.5"),), discount_percent=Decimal(20))
    tenancy = make_tenancy(sku="ProvisionedManaged", capacity=50)

    assert cost(tenancy, book, WEEK).text == "3360.00 USD"  # 168 h × 50 × 0.50 less a fifth
    assert "50 PTUs at 0.40 USD a PTU hour" in price(tenancy, book).origin(NOW)
    assert cost(make_tenancy(sku="ProvisionedManaged", capacity=None), book, WEEK) == Unknown(
        because="how many PTUs a provisioned deployment has is not known"
    )


def test_what_has_no_price_is_unknown_and_not_nothing():
    assert isinstance(cost(make_tenancy(sku="Quantum"), BOOK, WEEK), Unknown)
    gone = make_tenancy(sku="Quantum", end=(NOW - 9 * DAY, NOW - 8 * DAY))
    assert cost(gone, BOOK, WEEK) == nothing("USD")  # it surely did not stand then, whatever its price


def test_what_was_before_first_sight_is_missing_and_said_to_be():
    seen = make_tenancy(begin=NOW - 2 * DAY, is_created=False)
    found = total([cost(seen, BOOK, WEEK), unseen(seen, BOOK, WEEK)], "USD")

    assert found.text == "at least 81.60 USD"
    assert "its creation is not known" in found.why
    assert list(remarks(seen, WEEK)) == [
        "Its creation is not known: its cost is counted from 2026-11-20, when it was first seen."
    ]
    for tenancy, period in (
        (make_tenancy(begin=NOW - 2 * DAY), WEEK),
        (seen, Period(begin=NOW - DAY, end=NOW)),
        (make_tenancy(begin=NOW - 2 * DAY, is_created=False, sku="developer"), WEEK),
    ):
        assert unseen(tenancy, BOOK, period) is None


def test_what_is_assumed_is_said():
    told = " ".join(remarks(make_tenancy(paused=((NOW - 2 * DAY, NOW - DAY),), end=(NOW - 2 * HOUR, NOW - HOUR)), WEEK))
    assert "assumed that its fee was charged all the same" in told
    assert "so its cost is an interval" in told
    assert list(remarks(make_tenancy(paused=((NOW - 9 * DAY, NOW - 8 * DAY),)), WEEK)) == []


def test_a_tenancy_begins_with_creation_else_with_first_sight():
    where = {"account": "contoso-ft", "location": "swedencentral", "first_seen": NOW - 9 * DAY}
    known = tenancy_of(make_deployment(created_at=NOW - 30 * DAY), **where)
    blind = tenancy_of(make_deployment(created_at=None), **where)

    assert (known.begin, known.is_created) == (NOW - 30 * DAY, True)
    assert (blind.begin, blind.is_created) == (NOW - 9 * DAY, False)
    assert (known.key, known.sku, known.capacity, known.labels) == (make_deployment().key, "Standard", 1, {})


def test_a_period_cannot_run_backwards():
    with pytest.raises(ValueError, match="is none"):
        Period(begin=NOW, end=NOW - SECOND)


seconds = st.integers(0, 60 * 86_400)
at = seconds.map(lambda number: NOW - 60 * DAY + number * SECOND)


@st.composite
def periods(draw):
    begin, end = sorted((draw(at), draw(at)))
    return Period(begin=begin, end=end)


@st.composite
def tenancies(draw):
    begin, first, second = sorted((draw(at), draw(at), draw(at)))
    end = draw(st.sampled_from([None, (first, first), (first, second)]))
    return make_tenancy(begin=begin, end=end)


@given(begin=seconds, length=seconds, micros=st.integers(1, 20_000_000))
def test_the_cost_of_a_span_is_that_of_another_way_of_counting(begin, length, micros):
    book = make_book(table=(own(hosting_per_hour=Decimal(micros).scaleb(-6)),))
    start = NOW + begin * SECOND
    amount = cost(make_tenancy(begin=NOW), book, Period(begin=start, end=start + length * SECOND))
    assert amount.most * 100 == amount.least * 100 == cents(length, micros)


@given(tenancies(), periods(), at)
def test_splitting_a_period_adds_up_exactly(tenancy, period, cut):
    cut = min(max(cut, period.begin), period.end)
    parts = [
        cost(tenancy, BOOK, Period(begin=period.begin, end=cut)),
        cost(tenancy, BOOK, Period(begin=cut, end=period.end)),
    ]
    if tenancy.end is None or tenancy.end[0] == tenancy.end[1]:
        assert total(parts, "USD").known == cost(tenancy, BOOK, period)
    assert total(parts, "USD").known.high == cost(tenancy, BOOK, period).high


@given(tenancies(), periods(), at)
def test_shorter_is_never_dearer(tenancy, period, cut):
    shorter = Period(begin=period.begin, end=min(max(cut, period.begin), period.end))
    part, whole = cost(tenancy, BOOK, shorter), cost(tenancy, BOOK, period)
    assert part.low <= whole.low
    assert part.high <= whole.high


@given(tenancies(), periods(), st.fractions(0, 1))
def test_the_interval_holds_the_truth(tenancy, period, where):
    if tenancy.end is None:
        return
    first, second = tenancy.end
    truth = first + timedelta(microseconds=int((second - first) / timedelta(microseconds=1) * where))
    exact = cost(make_tenancy(begin=tenancy.begin, end=(truth, truth)), BOOK, period)
    found = cost(tenancy, BOOK, period)
    assert found.low <= exact.low == exact.high <= found.high


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


def test_an_unknown_price_is_unknown_in_every_share():
    days = split_by_day(make_tenancy(sku="Quantum"), None, READ, BOOK, THREE_DAYS, UTC_ZONE)
    assert all(isinstance(share.cost, Unknown) for day in days for share in day.shares)
    assert isinstance(cost(make_tenancy(), BOOK, THREE_DAYS), Amount)
