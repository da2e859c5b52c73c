"""Azure's public price list, a page at a time → prices of meters. Pure.

Source: learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices: names of the fields, and a page
that ends with a `NextPageLink`, which is null, absent or empty on the last.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from watcher.azure.lenient import BadItem, Page, parse_object, shape, when
from watcher.errors import MalformedError
from watcher.resources.price import RetailPrice

#: Beyond these no figure is a price; a figure in between is cheap to reckon with exactly.
_LEAST, _MOST = Decimal("1e-12"), Decimal("1e9")


class _Item(msgspec.Struct, rename="camel"):
    meter_name: str
    retail_price: Any = None
    unit_price: Any = None
    tier_minimum_units: Any = None
    currency_code: str | None = None
    arm_region_name: str | None = None
    product_name: str | None = None
    sku_name: str | None = None
    service_name: str | None = None
    unit_of_measure: str | None = None
    type: str | None = None
    effective_start_date: Any = None
    effective_end_date: Any = None


class _Items(msgspec.Struct, rename="pascal"):
    items: list[Any]
    next_page_link: Any = None
    billing_currency: str | None = None


def decode_prices(body: bytes, *, at: datetime) -> Page[RetailPrice]:
    """A page of the list, without rows that are no price for whoever pays as he goes: reservations, prices for more
    than the first unit, prices that are over by `at`.

    Raises:
        MalformedError: this is no list of anything.
    """
    page = shape(parse_object(body), _Items)
    if not (page.next_page_link is None or isinstance(page.next_page_link, str)):
        raise MalformedError("`NextPageLink` is not an address")
    found: list[RetailPrice] = []
    bad: list[BadItem] = []
    for raw in page.items:
        try:
            price = _price(shape(raw, _Item), page.billing_currency or "", at)
        except MalformedError as exc:
            bad.append(BadItem(id="", problem=str(exc)))
            continue
        if price is not None:
            found.append(price)
    return Page(tuple(found), tuple(bad), next_link=page.next_page_link or "")


def _price(raw: _Item, billing_currency: str, at: datetime) -> RetailPrice | None:
    """The price of one row; `None`: it is none for us."""
    if not raw.meter_name:
        raise MalformedError("a meter without a name")
    ended_at = when(raw.effective_end_date)
    is_other = (raw.type or "Consumption").lower() != "consumption" or bool(_decimal(raw.tier_minimum_units))
    if is_other or (ended_at is not None and ended_at <= at):
        return None
    figure = _decimal(raw.retail_price)
    figure = _decimal(raw.unit_price) if figure is None else figure
    if figure is None:
        raise MalformedError(f"the meter {raw.meter_name} has no price")
    currency = (raw.currency_code or billing_currency).strip().upper()
    if not currency:
        raise MalformedError(f"the price of {raw.meter_name} has no currency")
    return RetailPrice(
        meter_name=raw.meter_name,
        product_name=raw.product_name or "",
        sku_name=raw.sku_name or "",
        region=(raw.arm_region_name or "").lower(),
        unit=raw.unit_of_measure or "",
        price=figure,
        currency=currency,
        effective_from=when(raw.effective_start_date),
        service_name=raw.service_name or "",
    )


def _decimal(value: Any) -> Decimal | None:
    """A number that can be a price, exactly as it was written; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MOST:  # nan too
        return None
    number = Decimal(repr(value))
    return number if not number or number >= _LEAST else None
