from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.costs.money import (
    Amount,
    CurrencyMismatch,
    Unknown,
    at_least,
    hours,
    money,
    nothing,
    rounded,
    same_currency,
    together,
    total,
)

cents = st.integers(0, 10**9).map(lambda n: Decimal(n).scaleb(-2))
rationals = st.fractions(min_value=0, max_value=10**6)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        pytest.param(money(Decimal("571.2"), "USD"), "571.20 USD", id="exact"),
        pytest.param(money(120, "USD", high=Decimal("140.80")), "120.00 to 140.80 USD", id="an interval"),
        pytest.param(money(Decimal("1.001"), "EUR", high=Decimal("1.002")), "1.00 EUR", id="closer than a cent"),
        pytest.param(nothing("USD"), "0.00 USD", id="nothing"),
        pytest.param(money(1.7, "USD"), "1.70 USD", id="a float is the number that it is written as"),
    ],
)
def test_how_an_amount_is_written(amount, text):
    assert amount.text == text


@pytest.mark.parametrize(
    ("value", "cent"),
    [("0.085", "0.08"), ("0.075", "0.08"), ("0.0850001", "0.09"), ("2.675", "2.68"), ("0.005", "0.00")],
)
def test_cents_are_rounded_half_even(value, cent):
    assert str(rounded(Fraction(value))) == cent


def test_halves_of_parts_round_like_the_whole():
    """Each third of 7.5 cents has no Decimal; only their exact sum is a tie."""
    third = money(Decimal("0.075"), "USD") / 3
    assert (third + third + third).most == Decimal("0.08")


@given(st.lists(rationals, max_size=8), st.randoms())
def test_a_sum_does_not_depend_on_order_and_loses_nothing(values, random):
    amounts = [money(value, "USD") for value in values]
    random.shuffle(amounts)
    assert total(amounts, "USD").known.low == sum(values)


@given(st.tuples(rationals, rationals), st.tuples(rationals, rationals), st.fractions(0, 1), st.fractions(0, 1))
def test_the_sum_of_intervals_holds_the_sum_of_what_they_hold(one, other, here, there):
    a, b = (Amount(low=min(pair), high=max(pair), currency="USD") for pair in (one, other))
    truth = a.low + (a.high - a.low) * here + b.low + (b.high - b.low) * there
    assert (a + b).low <= truth <= (a + b).high


def test_currencies_never_mix():
    dollar, euro = money(1, "USD"), money(1, "EUR")
    for mix in (
        lambda: dollar + euro,
        lambda: total([dollar, euro], "USD"),
        lambda: total([], "USD") + total([], "EUR"),
        lambda: dollar.at_most(euro),
        lambda: same_currency(dollar, euro),
    ):
        with pytest.raises(CurrencyMismatch, match="EUR and USD do not mix"):
            mix()
    assert issubclass(CurrencyMismatch, TypeError)


def test_an_amount_cannot_be_upside_down_or_shrink_below_nothing():
    with pytest.raises(ValueError, match="is none"):
        money(2, "USD", high=1)
    with pytest.raises(ValueError, match="nothing less than 0"):
        money(2, "USD") * -1


@pytest.mark.parametrize(
    ("costs", "text", "why"),
    [
        pytest.param([], "0.00 USD", "", id="no part at all costs nothing"),
        pytest.param([money(1, "USD"), money(2, "USD")], "3.00 USD", "", id="all known"),
        pytest.param(
            [money(1, "USD"), Unknown(because="no price"), Unknown(because="no price"), Unknown(because="unread")],
            "at least 1.00 USD",
            "3 of 4 parts unknown: no price (2); unread",
            id="some unknown",
        ),
        pytest.param([Unknown(because="no price")], "unknown", "1 of 1 part unknown: no price", id="all unknown"),
        pytest.param(
            [nothing("USD"), Unknown(because="no price")],
            "unknown",
            "1 of 2 parts unknown: no price",
            id="at least nothing says no more",
        ),
        pytest.param(
            [money(0, "USD", high=5), Unknown(because="no price")],
            "unknown",
            "1 of 2 parts unknown: no price",
            id="nor does it of an interval",
        ),
    ],
)
def test_what_is_unknown_is_said(costs, text, why):
    found = total(costs, "USD")
    assert (found.text, found.why) == (text, why)


def test_what_is_known_at_least_is_one_part():
    sure, open_end = money(1, "USD"), at_least(money(2, "USD", high=4), "no end")
    assert (open_end.text, open_end.why) == (
        "at least 2.00 USD",
        "1 of 1 part unknown (of 1 the least is known): no end",
    )
    found = together([sure, open_end, at_least(nothing("USD"), "no end"), open_end], "USD")
    assert (found.text, found.parts, found.reasons) == ("at least 5.00 USD", 4, (("no end", 3),))
    assert found.why == "3 of 4 parts unknown (of 2 the least is known): no end (3)"
    assert at_least(nothing("USD"), "no end") == total([Unknown(because="no end")], "USD")


def test_many_reasons_are_counted():
    found = total([Unknown(because=f"reason {n}") for n in range(5)], "USD")
    assert found.why == "5 of 5 parts unknown: reason 0; reason 1; reason 2; and for 2 more reasons"


@given(
    st.lists(st.one_of(cents.map(lambda c: money(c, "USD")), st.sampled_from("ab").map(lambda r: Unknown(because=r))))
)
def test_totals_add_up_like_their_parts(costs):
    half = len(costs) // 2
    assert total(costs[:half], "USD") + total(costs[half:], "USD") == total(costs, "USD")
    assert total(costs, "USD").unknown == sum(isinstance(each, Unknown) for each in costs)
    halves = total(costs[:half], "USD"), total(costs[half:], "USD")
    assert together(halves, "USD") == together([halves[0], *costs[half:], None], "USD") == total(costs, "USD")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)))
def test_hours_are_exact(span):
    seconds = span.days * 86_400 + span.seconds
    assert hours(span) * 3_600_000_000 == seconds * 1_000_000 + span.microseconds
    assert hours(-span) == 0


def test_one_and_the_same_part_counts_as_often_as_it_is_there():
    """Thousands share one amount, and one reason."""
    shared, reason = money(Decimal("0.10"), "USD", high=Decimal("0.30")), Unknown(because="no price")
    found = total([shared, reason, shared, reason, shared, Unknown(because="no price")], "USD")
    assert (found.known.text, found.parts, found.reasons) == ("0.30 to 0.90 USD", 6, (("no price", 3),))
