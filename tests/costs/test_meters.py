"""The list's rows: of each meter the one in force, told apart by all that makes it another."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.costs.factories import make_book, make_row
from tests.factories import DAY, HOUR, MODEL, NOW, SECOND
from watcher.costs import meters
from watcher.costs.meters import Tier, best, by_region, in_force


def prices(*rows, at=NOW):
    return sorted(str(row.price) for row in in_force(rows, at))


@pytest.mark.parametrize(
    ("since", "price"),
    [
        pytest.param(NOW - SECOND, "2", id="just before"),
        pytest.param(NOW, "2", id="now"),
        pytest.param(NOW + SECOND, "1", id="from later on"),
        pytest.param(None, "1", id="undated, after one that is dated"),
    ],
)
def test_a_row_is_in_force_from_the_moment_it_names(since, price):
    old = make_row(price="1", effective_from=NOW - DAY)
    assert prices(old, make_row(price="2", effective_from=since)) == [price]


def test_of_two_rows_of_one_time_the_later_in_the_list_counts():
    assert prices(*(make_row(price=price, effective_from=NOW - DAY) for price in ("1", "2"))) == ["2"]
    assert prices(*(make_row(price=price, effective_from=None) for price in ("1", "2"))) == ["2"]


@pytest.mark.parametrize(
    "other",
    [
        {"region": "westus3"},
        {"meter_name": "gpt-4o-mini-FTuned Glbl Deployment Hosting Unit"},
        {"sku_name": "another"},
        {"product_name": "Azure OpenAI Media"},
        {"unit": "1/Hour"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_meter_replaces_none(other):
    one = make_row(price="1", effective_from=NOW - DAY)
    assert prices(one, replace(one, price=Decimal(2), effective_from=NOW, **other)) == ["1", "2"]


def test_a_region_is_one_however_it_is_spelled():
    one = make_row(price="1", effective_from=NOW - DAY)
    assert prices(one, replace(one, price=Decimal(2), region="Sweden Central", effective_from=NOW)) == ["2"]
    rows = [make_row(region="Sweden Central"), make_row(region="SwedenCentral")]
    assert set(by_region(rows, meters.hosting)) == {"swedencentral"}


def test_a_meter_of_another_tier_never_fits():
    rows = [make_row("gpt-4o-mini-FTuned Regnl Deployment Hosting Unit", "1"), make_row(price="2")]
    some = by_region(rows, meters.hosting)["swedencentral"]
    assert [meter.price for meter in best(some, "gpt-4o-mini", Tier.STANDARD)] == [Decimal(1)]
    assert [meter.price for meter in best(some, "gpt-4o-mini", Tier.GLOBAL)] == [Decimal(2)]
    assert best(some[:1], "gpt-4o-mini", Tier.GLOBAL) == ()
    assert best(some, "", Tier.STANDARD) == ()


def test_where_the_meter_names_no_model_its_sku_does():
    row = make_row("Glbl Deployment Hosting Unit", sku_name="gpt-4o-mini Regnl")
    meter = meters.hosting(row)
    assert (meter.model, meter.tier) == (frozenset({"4o", "mini"}), Tier.GLOBAL)
    untiered = meters.hosting(replace(row, meter_name="Deployment Hosting Unit"))
    assert untiered.tier is Tier.STANDARD
    assert meters.hosting(replace(row, product_name="Azure Llama Models")) is None


@pytest.mark.parametrize(
    ("unit", "million"), [("1K", "3000"), ("1K Tokens", "3000"), ("1M", "3"), ("1M Tokens", "3"), ("1000", "3000")]
)
def test_tokens_are_priced_by_the_million(unit, million):
    meter = meters.training(make_row("gpt-4o-mini-FTuned Training Unit", "3", unit=unit))
    assert meter.price == Decimal(million)
    assert meters.training(make_row("gpt-4o-mini-FTuned Training Unit", "3", unit="1 Hour")) is None
    assert meters.training(make_row("gpt-4o-mini-FTuned Training Unit", "0", unit=unit)) is None


def test_only_rows_of_the_books_currency_count_and_their_date_is_told():
    rows = (make_row(price="1.90"), make_row(price="9.90", currency="EUR", sku_name="another"))
    found = {
        currency: make_book(*rows, read_at=NOW - 3 * HOUR, currency=currency).hosting(
            model=MODEL, sku="Standard", location="swedencentral"
        )
        for currency in ("USD", "EUR", "usd")
    }
    assert [one.rate.text for one in found.values()] == ["1.90 USD", "9.90 EUR", "1.90 usd"]
    assert {one.as_of for one in found.values()} == {NOW - 3 * HOUR}
