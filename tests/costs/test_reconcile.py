"""Estimates against what Azure billed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.costs.hosting import Period
from watcher.costs.money import Unknown, money, total
from watcher.costs.reconcile import reconcile, whole_days
from watcher.resources.price import Actual, Actuals, BilledSpan

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
KEY = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.cognitiveservices/accounts/a"
HOSTING = "gpt-4o-FTuned Deployment Hosting Unit"
ONE_DAY = timedelta(days=1)
WEEK = Period(begin=datetime(2026, 11, 9, tzinfo=UTC), end=datetime(2026, 11, 16, tzinfo=UTC))


def line(cost, day=date(2026, 11, 10), meter=HOSTING, currency="USD", account=KEY):
    return Actual(account=account, meter=meter, day=day, cost=Decimal(str(cost)), currency=currency)


def bill(*lines, since=date(2026, 10, 1), until=date(2026, 11, 22)):
    span = BilledSpan(since=since, until=until, read_at=WEEK.end)
    return Actuals(lines=lines, spans={SUBSCRIPTION: span})


def estimate(low=100, high=None, currency="USD"):
    return total([money(low, currency, high=high)], currency)


def one(*lines, of=None, period=WEEK, **span):
    (found,) = reconcile({KEY: of or estimate()}, bill(*lines, **span), period)
    return found


@pytest.mark.parametrize(
    ("billed", "of", "drift", "percent"),
    [
        pytest.param(["60", "40"], estimate(), "0.00 USD", "0", id="as estimated"),
        pytest.param(["110"], estimate(), "10.00 USD", "10.0", id="more"),
        pytest.param(["95.5"], estimate(), "-4.50 USD", "-4.5", id="less"),
        pytest.param(["105"], estimate(100, 120), "-15.00 to 5.00 USD", "0", id="within the estimate's bounds"),
        pytest.param(["126"], estimate(100, 120), "6.00 to 26.00 USD", "5.0", id="above the upper bound"),
        pytest.param([], estimate(), "-100.00 USD", "-100.0", id="nothing was billed"),
        pytest.param(["5"], estimate(0), "5.00 USD", None, id="nothing was estimated to cost anything"),
        pytest.param(["100", "-20"], estimate(), "-20.00 USD", "-20.0", id="a correction"),
        pytest.param(["100.05"], estimate(), "0.05 USD", "0.0", id="half to even"),
    ],
)
def test_the_drift_is_what_was_billed_less_the_estimate(billed, of, drift, percent):
    found = one(*map(line, billed), of=of)
    assert (found.drift.text, found.why) == (drift, "")
    assert found.drift_percent == (None if percent is None else Decimal(percent))
    assert (found.days, found.of_days, found.estimate) == (7, 7, of)


def test_what_is_neither_hosting_nor_training_stands_apart():
    tokens = line(30, meter="gpt-4o Inp regnl Tokens")
    found = one(line(80), line(20, meter="gpt-4o-FTuned Training Unit"), tokens)
    assert [amount.text for amount in found.actual] == ["100.00 USD"]
    assert [amount.text for amount in found.other] == ["30.00 USD"]
    assert found.drift.is_zero


def test_days_outside_the_period_do_not_count():
    inside = [line(50, day=day) for day in (date(2026, 11, 9), date(2026, 11, 15))]
    outside = [line(50, day=day) for day in (date(2026, 11, 8), date(2026, 11, 16))]
    assert one(*inside, *outside).actual[0].text == "100.00 USD"


@pytest.mark.parametrize(
    ("lines", "of", "span", "why"),
    [
        ([], None, {"until": date(2026, 11, 9)}, "no bill of these days is known"),
        ([line(10)], None, {"until": date(2026, 11, 12)}, "the bill is known for 3 of 7 days"),
        ([line(10)], None, {"since": date(2026, 11, 14)}, "the bill is known for 2 of 7 days"),
        ([line(90, currency="EUR")], None, {}, "the bill is in EUR, the estimate in USD"),
        ([line(9, currency="EUR"), line(9)], None, {}, "the bill is in EUR and USD, the estimate in USD"),
        ([line(9, meter="Tokens", currency="EUR")], None, {}, "the bill is in EUR, the estimate in USD"),
        (
            [line(10)],
            total([money(1, "USD"), Unknown(because="its price is not known")], "USD"),
            {},
            "the estimate is not whole: 1 of 2 parts unknown: its price is not known",
        ),
    ],
    ids=["no bill", "its end is missing", "its start is missing", "other", "mixed", "other tokens", "not whole"],
)
def test_what_cannot_be_compared_says_why(lines, of, span, why):
    found = one(*lines, of=of, **span)
    assert (found.why, found.drift, found.drift_percent) == (why, None, None)


def test_a_bill_that_is_not_known_is_not_nothing():
    assert one(until=date(2026, 11, 9)).actual == ()
    (found,) = reconcile({KEY: estimate()}, Actuals(), WEEK)
    assert (found.actual, found.days, found.why) == ((), 0, "no bill of these days is known")


def test_an_account_that_was_not_estimated_is_shown_all_the_same():
    other = f"{KEY}-b"
    first, second = reconcile({KEY: estimate()}, bill(line(100), line(7, account=other)), WEEK)
    assert (first.account, second.account) == (KEY, other)
    assert (second.estimate, second.actual[0].text, second.why) == (None, "7.00 USD", "nothing was estimated")


@pytest.mark.parametrize("off", [timedelta(hours=8), timedelta(microseconds=1)])
def test_a_bill_knows_whole_days_alone(off):
    shifted = Period(begin=WEEK.begin + off, end=WEEK.end + off)
    with pytest.raises(ValueError, match="whole days in UTC"):
        reconcile({}, bill(), shifted)
    assert whole_days(shifted) == Period(begin=WEEK.begin + ONE_DAY, end=WEEK.end)
    assert whole_days(WEEK) == WEEK
    assert whole_days(Period(begin=WEEK.begin + off, end=WEEK.begin + off + ONE_DAY)) is None


@given(
    costs=st.lists(st.decimals(-1000, 1000, places=4), max_size=8),
    low=st.decimals(0, 1000, places=2),
    width=st.decimals(0, 100, places=2),
)
def test_estimate_and_drift_make_up_the_bill_exactly(costs, low, width):
    days = [WEEK.begin.date() + ONE_DAY * (number % 7) for number in range(len(costs))]
    found = one(*(line(cost, day=day) for cost, day in zip(costs, days, strict=True)), of=estimate(low, low + width))
    (billed,) = found.actual
    assert billed.low == billed.high == sum(map(money(0, "USD").low.__class__, costs))
    known = found.estimate.known
    assert (known.high + found.drift.low, known.low + found.drift.high) == (billed.low, billed.low)
    assert (found.drift_percent == 0) or not known.low <= billed.low <= known.high


def test_the_bill_of_an_account_is_found_whatever_the_case_of_its_subscription():
    key = "/Subscriptions/ABCD-1/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/a"
    span = BilledSpan(since=date(2026, 10, 1), until=date(2026, 11, 22), read_at=WEEK.end)
    (found,) = reconcile({key: total([money(5, "USD")], "USD")}, Actuals(spans={"abcd-1": span}), WEEK)
    assert (found.days, found.of_days) == (7, 7)
