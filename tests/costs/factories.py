"""Prices and tenancies with sane defaults."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.factories import DAY, MODEL, NOW
from watcher.costs.hosting import Tenancy
from watcher.costs.prices import OwnPrice, PriceBook, Terms
from watcher.resources.price import RetailList, RetailPrice


def make_row(
    meter: str = "gpt-4o-mini-FTuned Deployment Hosting Unit", price: str = "1.90", **changes: Any
) -> RetailPrice:
    """A row of the list, of the region in which `make_tenancy` stands."""
    defaults: dict[str, Any] = {
        "meter_name": meter,
        "product_name": "Azure OpenAI",
        "sku_name": meter.split(" Deployment")[0],
        "region": "swedencentral",
        "unit": "1 Hour",
        "price": Decimal(price),
        "currency": "USD",
        "service_name": "Foundry Models",
    }
    return RetailPrice(**{**defaults, **changes})


def make_book(*rows: RetailPrice, read_at: datetime = NOW - DAY, **terms: Any) -> PriceBook:
    """`table`, `currency` and `discount_percent` are terms; with rows there is a list."""
    return PriceBook(terms=Terms(**terms), retail=RetailList(prices=rows, read_at=read_at) if rows else None)


def own(**changes: Any) -> OwnPrice:
    figures = ("hosting_per_hour", "ptu_per_hour", "training_per_million", "training_per_hour")
    return OwnPrice(**{key: Decimal(str(value)) if key in figures else value for key, value in changes.items()})


def make_tenancy(**changes: Any) -> Tenancy:
    """Standard, in Sweden, since thirty days."""
    defaults: dict[str, Any] = {
        "key": "/…/deployments/support-bot",
        "incarnation": "1",
        "account": "contoso-ft",
        "name": "support-bot",
        "model": MODEL,
        "sku": "Standard",
        "capacity": 50,
        "location": "swedencentral",
        "begin": NOW - 30 * DAY,
    }
    return Tenancy(**{**defaults, **changes})
