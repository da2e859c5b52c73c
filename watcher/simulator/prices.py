"""The Retail Prices API: the public list, a hundred rows a page, to whoever asks.

Source: learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices. What it answers to a currency
that it does not know is not documented; here that is refused.
"""

from collections.abc import Mapping
from datetime import UTC

from watcher.simulator.arm import link
from watcher.simulator.ids import guid
from watcher.simulator.odata import FilterError, parse_filter
from watcher.simulator.scenario import Price
from watcher.simulator.serving import Context, Refusal

# What a dollar is; one rate for all time, since a world tells the same whenever it is asked.
RATES = {"USD": 1.0, "EUR": 0.9, "GBP": 0.8, "JPY": 150.0}


def prices(context: Context) -> Mapping[str, object]:
    """One page of the list; asks for no authorization."""
    currency = (context.query("currencyCode") or "'USD'").strip("'").upper()
    if currency not in RATES:
        raise Refusal(400, "BadRequest", f"The currency {currency} is not supported.")
    items = [price_payload(row, currency) for row in context.world.prices()]
    text = context.query("$filter")
    if text is not None:
        try:
            test = parse_filter(text).test
        except FilterError as exc:
            raise Refusal(400, "BadRequest", str(exc)) from exc
        items = [item for item in items if test(_fields(item).get)]
    skipped = context.query("$skip") or "0"
    if not skipped.isdecimal():
        raise Refusal(400, "BadRequest", "$skip is not a number.")
    size, offset = context.world.scenario.price_page_size, int(skipped)
    page = items[offset : offset + size]
    is_last = context.paging != "endless" and (context.paging == "short" or offset + size >= len(items))
    return {
        "BillingCurrency": currency,
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
        "Items": page,
        "NextPageLink": None if is_last else link(context, {"$skip": str(offset + size)}),
        "Count": len(page),
    }


def price_payload(price: Price, currency: str = "USD") -> dict[str, object]:
    """One item of the list."""
    figure = round(price.price * RATES[currency], 6)
    return {
        "currencyCode": currency,
        "tierMinimumUnits": price.tier_minimum_units,
        "retailPrice": figure,
        "unitPrice": figure,
        "armRegionName": price.region,
        "location": price.region,
        "effectiveStartDate": price.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "meterId": guid("meter", price.region, price.meter),
        "meterName": price.meter,
        "productId": "DZH318Z0BQ4L",
        "skuId": f"DZH318Z0BQ4L/{guid('sku', price.region, price.meter)[:4].upper()}",
        "productName": price.product,
        "skuName": price.sku or price.meter,
        "serviceName": price.service,
        "serviceId": "DZH317F1HKN0",
        "serviceFamily": "AI + Machine Learning",
        "unitOfMeasure": price.unit,
        "type": price.type,
        "isPrimaryMeterRegion": True,
        "armSkuName": price.sku or price.meter,
    }


def _fields(item: Mapping[str, object]) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in item.items()}
