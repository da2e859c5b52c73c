"""What a deployment costs while it stands: one life of it, over a period.

A fee runs from creation (where that is unknown from first sight, which is told) to the end. Where the end is known only
to lie between two sights, the cost is an interval. Whether a pause ends the fee is not documented: assumed that not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from watcher.costs.money import Amount, Cost, Unknown, hours, nothing
from watcher.costs.prices import Per, Price, PriceBook
from watcher.resources.deployment import Deployment, SkuKind, sku_kind

_NONE = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `begin` on, to but without `end`."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.begin > self.end:
            raise ValueError(f"a period from {self.begin} to {self.end} is none")

    def clipped(self, begin: datetime, end: datetime) -> timedelta:
        """How much of [begin, end) lies in it."""
        return max(min(end, self.end) - max(begin, self.begin), _NONE)


class Tenancy(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a deployment, as far as its cost goes."""

    key: str  #: the ARM id in lower case
    incarnation: str
    account: str  #: the account's label
    name: str
    model: str
    sku: str
    capacity: int | None = None
    location: str = ""
    labels: Mapping[str, str] = {}  #: by which a bill is divided: owner, tags
    begin: datetime
    is_created: bool = True  #: `False`: `begin` is its first sight, it was created earlier
    #: When it was last seen alive, and when seen gone; twice the same where the end is exact; `None`: it stands. Of one
    #: that stands but has not been read for a while: its last sight, and now.
    end: tuple[datetime, datetime] | None = None
    paused: tuple[tuple[datetime, datetime | None], ...] = ()

    @property
    def sku_kind(self) -> SkuKind:
        return sku_kind(self.sku)

    def stood(self, period: Period) -> tuple[timedelta, timedelta]:
        """How long it stood in `period`: at least, and at most."""
        least, most = self.end or (period.end, period.end)
        longest = period.clipped(self.begin, most)
        return longest if least is most else period.clipped(self.begin, least), longest

    def was_paused(self, period: Period) -> bool:
        return any(period.clipped(begin, end or period.end) for begin, end in self.paused)


def tenancy_of(
    deployment: Deployment,
    *,
    account: str,
    location: str,
    first_seen: datetime,
    labels: Mapping[str, str] | None = None,
    end: tuple[datetime, datetime] | None = None,
    paused: tuple[tuple[datetime, datetime | None], ...] = (),
) -> Tenancy:
    """The tenancy of a deployment's present life."""
    created = deployment.created_at
    return Tenancy(
        key=deployment.key,
        incarnation=deployment.incarnation,
        account=account,
        name=deployment.name,
        model=deployment.model,
        sku=deployment.sku,
        capacity=deployment.capacity,
        location=location,
        labels=labels or {},
        begin=first_seen if created is None else created,
        is_created=created is not None,
        end=end,
        paused=paused,
    )


def price(tenancy: Tenancy, book: PriceBook) -> Price | Unknown:
    """What an hour of the whole deployment costs."""
    return hourly(book, model=tenancy.model, sku=tenancy.sku, capacity=tenancy.capacity, location=tenancy.location)


def hourly(book: PriceBook, *, model: str, sku: str, capacity: int | None, location: str = "") -> Price | Unknown:
    """The same for a deployment that is known by these alone; the PTU-hours of its capacity are one hour of it."""
    found = book.hosting(model=model, sku=sku, location=location)
    if isinstance(found, Unknown) or found.per is not Per.PTU_HOUR:
        return found
    if capacity is None:
        return Unknown(because="how many PTUs a provisioned deployment has is not known")
    return Price(
        per=Per.HOUR,
        rate=found.rate * capacity,
        source=found.source,
        as_of=found.as_of,
        is_estimate=found.is_estimate,
        note=f"{capacity} PTUs at {found.text()}" + (f"; {found.note}" if found.note else ""),
        discount_percent=found.discount_percent,
    )


def cost(tenancy: Tenancy, book: PriceBook, period: Period) -> Cost:
    """What it cost in `period`; nothing where it did not stand, whatever the price."""
    least, most = tenancy.stood(period)
    if not most:
        return nothing(book.currency)
    return worth(price(tenancy, book), least, most)


def unseen(tenancy: Tenancy, book: PriceBook, period: Period) -> Unknown | None:
    """That something is missing from its cost: it stood before it was first seen, for nobody knows how long."""
    if tenancy.is_created or tenancy.begin <= period.begin:
        return None
    found = price(tenancy, book)
    if isinstance(found, Price) and found.rate.is_zero:
        return None
    return Unknown(because="what a deployment cost before it was first seen, as its creation is not known")


def remarks(tenancy: Tenancy, period: Period) -> Iterator[str]:
    """What is assumed of its cost, in sentences."""
    if not tenancy.is_created:
        yield f"Its creation is not known: its cost is counted from {_day(tenancy.begin)}, when it was first seen."
    if tenancy.end is not None and tenancy.end[0] != tenancy.end[1]:
        yield "When it ended is known only to lie between two sights; so its cost is an interval."
    if tenancy.paused and tenancy.was_paused(period):
        yield "It was paused: assumed that its fee was charged all the same, as Azure does not say otherwise."


def worth(rate: Price | Unknown, least: timedelta, most: timedelta) -> Cost:
    """What the time costs: between `least` at the lower price and `most` at the higher."""
    if isinstance(rate, Unknown):
        return rate
    if least == most:
        return rate.over(least)
    return Amount(low=rate.rate.low * hours(least), high=rate.rate.high * hours(most), currency=rate.currency)


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
