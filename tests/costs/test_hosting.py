"""Figures are checked against another way of counting: whole seconds, and prices in millionths of a unit."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.costs.factories import make_book, make_row, make_tenancy, own
from tests.factories import DAY, HOUR, MINUTE, NOW, SECOND, make_deployment
from watcher.costs.hosting import Period, cost, price, remarks, tenancy_of, unseen, worth
from watcher.costs.money import Unknown, nothing, total

BOOK = make_book()
WEEK = Period(begin=NOW - 7 * DAY, end=NOW)


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


# What one may forget


@pytest.mark.parametrize(
    ("pause", "is_told"),
    [
        pytest.param((NOW - 2 * DAY, None), True, id="since two days"),
        pytest.param((NOW - 30 * DAY, None), True, id="since before the period"),
        pytest.param((NOW - 30 * DAY, NOW - 7 * DAY + SECOND), True, id="into the period"),
        pytest.param((NOW - 30 * DAY, NOW - 7 * DAY), False, id="up to the period"),
        pytest.param((NOW, None), False, id="from its end on"),
    ],
)
def test_a_pause_is_told_of_the_period_in_which_it_was(pause, is_told):
    said = list(remarks(make_tenancy(paused=(pause,)), WEEK))
    assert any(one.startswith("It was paused") for one in said) is is_told


def test_no_units_cost_nothing_and_unknown_units_an_unknown_sum():
    book = make_book(table=(own(ptu_per_hour="0.5"),), discount_percent=Decimal(20))
    assert price(make_tenancy(sku="ProvisionedManaged", capacity=0), book).rate.is_zero
    fee = price(make_tenancy(sku="ProvisionedManaged", capacity=2), book)
    assert (fee.text(), fee.discount_percent) == ("0.80 USD an hour", Decimal(20))
    assert "less 20 %" in fee.origin(NOW)


def test_what_began_with_the_period_has_nothing_missing_from_it():
    """That it stood before is another period's matter."""
    for begin, is_missing in ((WEEK.begin - SECOND, False), (WEEK.begin, False), (WEEK.begin + SECOND, True)):
        tenancy = make_tenancy(begin=begin, is_created=False)
        assert (unseen(tenancy, BOOK, WEEK) is not None) is is_missing
        assert unseen(make_tenancy(begin=begin), BOOK, WEEK) is None
        assert unseen(make_tenancy(begin=begin, is_created=False, sku="DeveloperTier"), BOOK, WEEK) is None


def test_the_least_is_the_shorter_time_at_the_lower_price_and_the_most_the_longer_at_the_higher():
    rate = price(make_tenancy(), make_book(make_row(price="1.90"), make_row(price="2.10", sku_name="another")))
    assert rate.text() == "1.90 to 2.10 USD an hour"
    assert worth(rate, DAY, 2 * DAY).text == "45.60 to 100.80 USD"
    assert worth(rate, DAY, DAY).text == "45.60 to 50.40 USD"


def test_the_price_is_that_of_the_region():
    book = make_book(make_row(price="1.90"), make_row(price="2.60", region="West US 3"))
    asked = {place: price(make_tenancy(location=place), book).text() for place in ("swedencentral", "westus3", "")}
    assert asked == {
        "swedencentral": "1.90 USD an hour",
        "westus3": "2.60 USD an hour",
        "": "1.70 USD an hour",  # Azure's example
    }


def test_the_life_of_a_deployment_counts_from_its_creation_even_before_first_sight():
    one = make_deployment(created_at=NOW - 9 * DAY)
    seen = tenancy_of(one, account="a", location="", first_seen=NOW - DAY)
    assert (seen.begin, seen.is_created) == (NOW - 9 * DAY, True)
    undated = tenancy_of(replace(one, created_at=None), account="a", location="", first_seen=NOW - DAY)
    assert (undated.begin, undated.is_created) == (NOW - DAY, False)
