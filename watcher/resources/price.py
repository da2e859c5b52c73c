"""Prices as Azure's public price list has them, before anybody's agreement with Azure; and what Azure then billed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """What Azure billed for one meter of one account on one day. It may be less than nothing: a correction."""

    account: str  #: its key
    meter: str
    day: date  #: in UTC
    cost: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledSpan:
    """The days of which a subscription's bill was read: from `since` on, up to but not including `until`."""

    since: date
    until: date
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Actuals:
    """What is known of the bills."""

    lines: tuple[Actual, ...] = ()
    spans: Mapping[str, BilledSpan] = field(default_factory=dict)  #: by subscription, in lower case
