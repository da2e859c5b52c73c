from datetime import timedelta
from decimal import Decimal

import pytest

from tests.costs.factories import make_book, make_row, own
from tests.factories import DAY, HOUR, MODEL, NOW
from watcher.costs.meters import model_words
from watcher.costs.money import Unknown
from watcher.costs.prices import Per, Price, Source, Terms, book_of, list_price_words

LLAMA = make_row("3.3 70b FT Deployment Hosting Unit", "2.40", product_name="Azure Llama Models", unit="1/Hour")


def hosting(book, sku="Standard", model=MODEL, location="swedencentral"):
    return book.hosting(model=model, sku=sku, location=location)


def told(price):
    return price.because if isinstance(price, Unknown) else (price.text(), price.source.value, price.is_estimate)


@pytest.mark.parametrize(
    ("book", "sku", "expected"),
    [
        pytest.param(make_book(), "Standard", ("1.70 USD an hour", "documentation", True), id="documented"),
        pytest.param(make_book(), "globalstandard", ("1.70 USD an hour", "documentation", True), id="global"),
        pytest.param(make_book(), "DataZoneStandard", ("1.70 USD an hour", "documentation", True), id="data zone"),
        pytest.param(make_book(), "DeveloperTier", ("0.00 USD an hour", "documentation", False), id="developer"),
        pytest.param(
            make_book(currency="EUR"),
            "Standard",
            "no price in EUR is known, and Azure's pages give dollars only",
            id="euro",
        ),
        pytest.param(
            make_book(),
            "Quantum",
            "what a deployment of SKU Quantum costs while it stands is not known",
            id="a new SKU",
        ),
        pytest.param(
            make_book(), "", "what a deployment of SKU unknown costs while it stands is not known", id="no SKU"
        ),
        pytest.param(
            make_book(),
            "ProvisionedManaged",
            "the price of a PTU-hour is not known; set ptu_per_hour in [[pricing.table]]",
            id="provisioned",
        ),
        pytest.param(
            make_book(table=(own(sku="Prov*", ptu_per_hour=2),)),
            "ProvisionedManaged",
            ("2.00 USD a PTU hour", "table", False),
            id="provisioned by PTU",
        ),
        pytest.param(
            make_book(table=(own(sku="prov*", hosting_per_hour=9), own(ptu_per_hour=2))),
            "ProvisionedManaged",
            ("9.00 USD an hour", "table", False),
            id="provisioned as a whole",
        ),
        pytest.param(
            make_book(table=(own(hosting_per_hour=9), own(ptu_per_hour=2))),
            "ProvisionedManaged",
            ("2.00 USD a PTU hour", "table", False),
            id="a fee for anything is not meant for provisioned ones",
        ),
        pytest.param(
            make_book(table=(own(hosting_per_hour=9),)),
            "developer",
            ("0.00 USD an hour", "documentation", False),
            id="nor for Developer ones",
        ),
        pytest.param(
            make_book(table=(own(sku="developertier", hosting_per_hour=1),)),
            "developer",
            ("1.00 USD an hour", "table", False),
            id="unless it names them, in whatever spelling",
        ),
        pytest.param(
            make_book(
                make_row(),
                table=(
                    own(model="o4*", hosting_per_hour=8),
                    own(model="GPT-4o*", sku="standard", hosting_per_hour=3),
                    own(hosting_per_hour=4),
                ),
            ),
            "Standard",
            ("3.00 USD an hour", "table", False),
            id="the first line that fits, before the list",
        ),
        pytest.param(
            make_book(table=(own(training_per_million=8), own(hosting_per_hour=4))),
            "Standard",
            ("4.00 USD an hour", "table", False),
            id="a line without the figure is passed over",
        ),
        pytest.param(
            make_book(table=(own(hosting_per_hour=4),), discount_percent=Decimal("12.5")),
            "Standard",
            ("3.50 USD an hour", "table", False),
            id="discount off the table",
        ),
        pytest.param(
            make_book(discount_percent=Decimal(50)),
            "Standard",
            ("0.85 USD an hour", "documentation", True),
            id="off the estimate",
        ),
        pytest.param(
            make_book(make_row(), discount_percent=Decimal(10)),
            "Standard",
            ("1.71 USD an hour", "retail", False),
            id="off the list",
        ),
        pytest.param(
            make_book(currency="EUR", table=(own(hosting_per_hour=4),)),
            "Standard",
            ("4.00 EUR an hour", "table", False),
            id="the table is in the currency that is configured",
        ),
    ],
)
def test_what_an_hour_costs_and_who_says_so(book, sku, expected):
    assert told(hosting(book, sku)) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([make_row()], 1.90, id="named in full"),
        pytest.param([make_row("4o mini FT Deployment Hosting Unit")], 1.90, id="named in short"),
        pytest.param([make_row("gpt-4o-mini-0718-FTuned Deployment Hosting Unit")], 1.90, id="with its version"),
        pytest.param(
            [make_row(unit="1/Hour", region="Sweden Central")], 1.90, id="the other spelling of unit and region"
        ),
        pytest.param(
            [make_row("FT Deployment Hosting Unit", sku_name="")], 1.90, id="names no model: for all of the region"
        ),
        pytest.param(
            [make_row("FT Deployment Hosting Unit", sku_name="gpt-4o-FTuned")], None, id="its SKU names another model"
        ),
        pytest.param(
            [make_row("gpt-4o-FTuned Deployment Hosting Unit")], None, id="another model, a part of whose name is ours"
        ),
        pytest.param([make_row("gpt-4.1-mini-FTuned Deployment Hosting Unit")], None, id="another model"),
        pytest.param([LLAMA], None, id="a model of another maker"),
        pytest.param(
            [make_row("FT Deployment Hosting Unit", sku_name="", product_name="Azure Llama Models")],
            None,
            id="another maker's",
        ),
        pytest.param([make_row(region="eastus2")], None, id="another region"),
        pytest.param([make_row(currency="EUR")], None, id="another currency"),
        pytest.param([make_row(unit="1K")], None, id="not by the hour"),
        pytest.param([make_row("gpt-4o-mini-FTuned Training Unit")], None, id="not of hosting"),
        pytest.param([make_row(price="0")], None, id="a row at nothing is no price"),
        pytest.param([make_row("4o mini FT Glbl Deployment Hosting Unit")], None, id="of another tier"),
        pytest.param(
            [make_row("4o mini FT Regnl Deployment Hosting Unit"), make_row(price="3")],
            1.90,
            id="the tier, before none",
        ),
        pytest.param(
            [make_row("FT Regnl Deployment Hosting Unit", price="3", sku_name=""), make_row()],
            1.90,
            id="the model, before the tier",
        ),
        pytest.param(
            [make_row(price="3", effective_from=NOW - 9 * DAY), make_row(effective_from=NOW - 2 * DAY)],
            1.90,
            id="the newest",
        ),
        pytest.param([make_row(), make_row(price="3", effective_from=NOW + DAY)], 1.90, id="not yet in force"),
    ],
)
def test_which_meter_of_the_list_fits(rows, expected):
    price = hosting(make_book(*rows))
    assert isinstance(price, Price)
    if expected is None:
        assert (price.source, price.amount, price.is_estimate) == (Source.DOCUMENTATION, 1.70, True)
    else:
        assert (price.source, price.amount, price.is_estimate) == (Source.RETAIL, expected, False)


def test_meters_that_fit_alike_give_an_interval():
    rows = [make_row(sku_name="a"), make_row("4o mini FT Deployment Hosting Unit", "2.10")]
    price = hosting(make_book(*rows))
    assert (told(price), price.note) == (("1.90 to 2.10 USD an hour", "retail", True), "2 meters of the list fit")


@pytest.mark.parametrize(
    "name", ["gpt-4.1-mini", "41 mini", "4.1-mini-FTuned", "GPT 4.1 Mini 2025-04-14 Glbl", "41-mini-0414-ft"]
)
def test_names_of_one_model_are_one(name):
    assert model_words(name) == {"41", "mini"}


@pytest.mark.parametrize(
    ("sku", "tier"), [("GlobalStandard", "Glbl"), ("datazonestandard", "Data Zone"), ("DataZoneStandard", "Dz")]
)
def test_the_tier_of_the_sku_is_looked_for(sku, tier):
    rows = [make_row(f"4o mini ft {tier} Deployment Hosting Unit", "5"), make_row(price="3")]
    assert hosting(make_book(*rows), sku).amount == 5


def test_every_price_says_where_it_comes_from_and_how_old_it_is():
    def origin(book):
        return hosting(book).origin(NOW)

    assert origin(make_book()) == "an estimate from the example price on Azure's pages; not an invoice"
    assert origin(make_book(table=(own(hosting_per_hour=4),), discount_percent=Decimal("12.50"))) == (
        "the configured list price; not an invoice; less 12.5 %"
    )
    assert origin(make_book(make_row())) == "Azure's public price list as of 2026-11-21; not an invoice"
    assert (
        origin(make_book(make_row(), read_at=NOW - 7 * DAY))
        == "Azure's public price list as of 2026-11-15; not an invoice"
    )
    assert origin(make_book(make_row(), read_at=NOW - 7 * DAY - HOUR)) == (
        "Azure's public price list as of 2026-11-15; stale, read over 7 d ago; not an invoice"
    )
    assert "that of Standard is taken" in hosting(make_book(), "DataZoneStandard").origin(NOW)


def test_what_stands_beside_every_total():
    assert list_price_words() == make_book().words == "list price, not an invoice"
    assert make_book(discount_percent=Decimal("12.0")).words == "list price less 12 %, not an invoice"


@pytest.mark.parametrize(
    ("book", "model", "training_type", "expected"),
    [
        (make_book(), "gpt-4.1-2025-04-14", "globalStandard", ("2.00 USD a million tokens", "documentation", True)),
        (make_book(), "gpt-4.1-2025-04-14", "developerTier", ("1.00 USD a million tokens", "documentation", True)),
        (make_book(), "gpt-4.1-2025-04-14", "", ("2.22 to 2.86 USD a million tokens", "documentation", True)),
        (make_book(), "gpt-4.1-2025-04-14", "lunar", "the price of lunar training is not known"),
        (make_book(), "gpt-4o-mini-2024-07-18", "", "the price of training gpt-4o-mini is not known"),
        (make_book(), "", "", "the price of training an unknown model is not known"),
        (
            make_book(table=(own(model="gpt-4o*", sku="global*", training_per_million=3), own(training_per_million=5))),
            "gpt-4o-mini",
            "globalStandard",
            ("3.00 USD a million tokens", "table", False),
        ),
        (
            make_book(
                table=(
                    own(model="gpt-4o*", sku="global*", training_per_million=3),
                    own(sku="standard", training_per_million=5),
                )
            ),
            "gpt-4o-mini",
            "",
            ("5.00 USD a million tokens", "table", False),
        ),
        (
            make_book(make_row("gpt-4o-mini-FTuned Training Unit", "0.0033", unit="1K")),
            "gpt-4o-mini-2024-07-18",
            "",
            ("3.30 USD a million tokens", "retail", False),
        ),
        (
            make_book(make_row("4o mini ft Training Tokens Glbl", "3.3", unit="1M")),
            "gpt-4o-mini-2024-07-18",
            "globalStandard",
            ("3.30 USD a million tokens", "retail", False),
        ),
        (
            make_book(make_row("4o mini ft Training Tokens Glbl", "3.3", unit="1M")),
            "gpt-4o-mini-2024-07-18",
            "",
            "the price of training gpt-4o-mini is not known",
        ),
    ],
)
def test_what_training_costs(book, model, training_type, expected):
    assert told(book.training(model=model, training_type=training_type, location="swedencentral")) == expected


def test_what_an_hour_of_reinforcement_costs():
    assert told(make_book().reinforcement(model="o4-mini-2025-04-16")) == (
        "100.00 USD a training hour",
        "documentation",
        True,
    )
    assert make_book().reinforcement(model="gpt-5").note == "Azure states it for o4-mini alone"
    assert told(make_book(table=(own(training_per_hour=80),)).reinforcement(model="o4-mini")) == (
        "80.00 USD a training hour",
        "table",
        False,
    )
    assert isinstance(make_book(currency="EUR").reinforcement(model="o4-mini"), Unknown)


def test_a_price_by_the_hour_is_multiplied_by_exact_time():
    price = hosting(make_book())
    assert (price.per, price.currency) == (Per.HOUR, "USD")
    assert price.over(14 * DAY).text == "571.20 USD"
    assert price.over(timedelta(minutes=3)).text == "0.08 USD"  # 8.5 cents, half even


def test_one_book_is_made_of_the_same_terms_and_list():
    retail = make_book(make_row()).retail
    assert book_of(Terms(), retail) is book_of(Terms(), retail) is not book_of(Terms(), None)


def test_an_own_price_of_nothing_is_a_price():
    """Who pays for it otherwise says so, and no estimate takes its place."""
    book = make_book(make_row(), table=(own(hosting_per_hour=0, training_per_million=0, training_per_hour=0),))
    assert told(hosting(book)) == ("0.00 USD an hour", "table", False)
    assert book.training(model="gpt-4.1").source is Source.TABLE
    assert book.reinforcement(model="o4-mini").rate.is_zero


def test_a_version_of_the_model_that_azure_names_is_that_model():
    assert make_book().reinforcement(model="o4-mini-2025-04-16").note == ""
