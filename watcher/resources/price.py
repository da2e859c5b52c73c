"""Prices as Azure's public price list has them, before anybody's agreement with Azure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RetailPrice:
    """One meter of the list: what one unit of something costs in one region.

    Source: Azure Retail Prices API; names as it spells them.
    """

    meter_name: str  #: `gpt-4o-FTuned Deployment Hosting Unit`
    product_name: str = ""
    sku_name: str = ""
    region: str = ""  #: `armRegionName`: `swedencentral`
    unit: str = ""  #: `1 Hour` or `1/Hour`, `1K`, `1M`
    price: Decimal
    currency: str
    effective_from: datetime | None = None
    service_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # compared by identity: it is long, and read once a day
class RetailList:
    """The list as it was read last."""

    prices: tuple[RetailPrice, ...]
    read_at: datetime
