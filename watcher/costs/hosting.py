"""What a deployment costs while it stands: one life of it, over a period, and by the use that was made of it each day.

A fee runs from creation (where that is unknown from first sight, which is told) to the end. Where the end is known only
to lie between two sights, the cost is an interval. Whether a pause ends the fee is not documented: assumed that not.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from watcher.costs.money import Amount, Cost, Unknown, hours, nothing
from watcher.costs.prices import Per, Price, PriceBook
from watcher.resources.calls import HOUR, Calls, Coverage
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """One life of a deployment, as far as its cost goes."""

    key: str  #: the ARM id in lower case
    incarnation: str
    account: str  #: the account's label
    name: str
    model: str
    sku: str
    capacity: int | None = None
    location: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)  #: by which a bill is divided: owner, tags
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
        return period.clipped(self.begin, least), period.clipped(self.begin, most)

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
    return _worth(price(tenancy, book), least, most)


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
    if tenancy.was_paused(period):
        yield "It was paused: assumed that its fee was charged all the same, as Azure does not say otherwise."


def _worth(rate: Price | Unknown, least: timedelta, most: timedelta) -> Cost:
    """Between `least` at the lower price and `most` at the higher."""
    if isinstance(rate, Unknown):
        return rate
    low, high = hours(least), hours(most)
    return Amount(low=rate.rate.low * low, high=rate.rate.high * high, currency=rate.currency)


class State(StrEnum):
    """What use was made of a deployment."""

    USED = "used"
    TRICKLE = "trickle"
    IDLE = "idle"
    UNKNOWN = "unknown"  #: its calls were not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How long a deployment was in one state within one day, and at what price: money is made of the sum of many."""

    state: State
    least: timedelta
    most: timedelta
    price: Price | Unknown

    @property
    def cost(self) -> Cost:
        return _worth(self.price, self.least, self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day of a tenancy; the states in which it spent no time are left out."""

    day: date
    calls: float  #: that went well, as far as they were read
    shares: tuple[Share, ...]


#: A day with at most so many answered calls is one of a trickle.
TRICKLE_A_DAY = 1.0


def split_by_day(
    tenancy: Tenancy,
    calls: Calls | None,
    coverage: Coverage,
    book: PriceBook,
    period: Period,
    zone: ZoneInfo,
    *,
    trickle: float = TRICKLE_A_DAY,
) -> tuple[Day, ...]:
    """Divide the cost in `period` by local day and by use; all shares together are the cost, exactly.

    The time that a deployment stood is `unknown` where its metrics were not read. Of what was read, all from the start
    of the hour of the last answered call of the period on is `idle` (from its beginning, where there was none), as
    Azure's own clock counts it. Before that, a local day decides for itself: without a call it is `idle`, with at most
    `trickle` calls it is `trickle`, with more it is `used`. Only answered calls count, and only of this life. An hour
    of calls belongs to the day in which it begins.

    Args:
        calls: By hour; `None`: none were recorded, which within `coverage` means that none came.
        coverage: What was read whole of the account's metrics.
        zone: Whose midnights part the days; such a day may have 23 or 25 hours.
    """
    rate = price(tenancy, book)
    end = min(period.end, tenancy.end[1]) if tenancy.end else period.end
    begin = max(period.begin, tenancy.begin)
    if begin >= end:
        return ()
    # Of the hour in which it was created it cannot be told whose calls they are; those before are another life's.
    recorded = calls.hours.items() if calls else ()
    answered = sorted((hour, one.ok) for hour, one in recorded if begin - HOUR < hour < end and one.ok)
    idle_from = max(answered[-1][0], begin) if answered else begin
    days, done = [], 0
    for low, high in pairwise(_midnights(begin, end, zone)):
        after = bisect_left(answered, (high,), lo=done)
        within, done = sum((count for _, count in answered[done:after]), 0.0), after
        spans = _spans(low, high, within, idle_from, coverage, trickle)
        shares = [_share(state, parts, tenancy, rate) for state, parts in spans.items() if parts]
        days.append(Day(day=low.astimezone(zone).date(), calls=within, shares=tuple(shares)))
    return tuple(days)


_Spans = list[tuple[datetime, datetime]]


def _spans(
    low: datetime, high: datetime, calls: float, idle_from: datetime, coverage: Coverage, trickle: float
) -> dict[State, _Spans]:
    """The parts of one day by state, in the order of the states."""
    spans: dict[State, _Spans] = {state: [] for state in State}
    before = State.IDLE if not calls else State.TRICKLE if calls <= trickle else State.USED
    at = low
    for begin, end in coverage.clipped(low, high):
        spans[State.UNKNOWN].append((at, begin))
        spans[before].append((begin, min(max(idle_from, begin), end)))
        spans[State.IDLE].append((max(min(idle_from, end), begin), end))
        at = end
    spans[State.UNKNOWN].append((at, high))
    return {state: [(a, b) for a, b in parts if a < b] for state, parts in spans.items()}


def _share(state: State, parts: _Spans, tenancy: Tenancy, rate: Price | Unknown) -> Share:
    """A span's part after the last sight of what is gone by now counts for the most, and not for the least."""
    sure = tenancy.end[0] if tenancy.end else None
    most = sum((end - begin for begin, end in parts), _NONE)
    least = most if sure is None else sum((max(min(end, sure) - begin, _NONE) for begin, end in parts), _NONE)
    return Share(state=state, least=least, most=most, price=rate)


def _midnights(begin: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """`begin`, every local midnight after it, and `end`."""
    bounds, day = [begin], begin.astimezone(zone).date() + timedelta(days=1)
    while (midnight := datetime.combine(day, time(), zone).astimezone(UTC)) < end:
        if midnight > bounds[-1]:  # a zone may jump over a whole day
            bounds.append(midnight)
        day += timedelta(days=1)
    return [*bounds, end]


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
