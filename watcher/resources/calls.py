"""How often deployments were called, hour by hour, and over which time that is known at all.

An hour without an entry was not called where `Coverage` holds it, and is unknown where it does not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
#: Metrics come minutes late: absence of calls is not claimed for buckets that ended less than this ago.
DELAY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourOfCalls:
    """The calls of one deployment within one hour, as the service counted them."""

    ok: float = 0.0  #: answered with a 2xx status
    other: float = 0.0  #: answered otherwise, or of unknown status
    unclear: float = 0.0  #: of `other`, those of unknown status
    #: When such calls were first read, good ones where there are any; `None`: that is not known.
    seen_at: datetime | None = None

    @property
    def all(self) -> float:
        return self.ok + self.other

    def joined(self, other: "HourOfCalls") -> "HourOfCalls":
        """Of two readings of one hour what both agree on at least: points come late, and none is taken back."""
        telling = [one for one in (self, other) if one.ok] or [self, other]
        return HourOfCalls(
            ok=max(self.ok, other.ok),
            other=max(self.other, other.other),
            unclear=max(self.unclear, other.unclear),
            seen_at=min((one.seen_at for one in telling if one.seen_at is not None), default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The calls of one deployment, by the start of the hour in UTC; hours without any have no entry."""

    deployment: str  #: name, in lower case; "": calls for which the service names none
    hours: Mapping[datetime, HourOfCalls]

    def joined(self, other: "Calls") -> "Calls":
        """All hours of both."""
        hours = dict(self.hours)
        for hour, calls in other.hours.items():
            hours[hour] = calls.joined(hours[hour]) if hour in hours else calls
        return Calls(deployment=self.deployment, hours=hours)

    def within(self, begin: datetime, end: datetime) -> "Calls":
        """Those hours that begin in [begin, end)."""
        hours = {hour: calls for hour, calls in self.hours.items() if begin <= hour < end}
        return Calls(deployment=self.deployment, hours=hours)

    def last_ok_before(self, at: datetime) -> datetime | None:
        """The start of the last hour, begun before `at`, with a call that went well."""
        return max((hour for hour, calls in self.hours.items() if hour < at and calls.ok), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The spans of an account's metrics that were read whole: apart, in order, ends exclusive."""

    spans: tuple[tuple[datetime, datetime], ...] = ()

    def with_span(self, begin: datetime, end: datetime) -> "Coverage":
        """With one span more; spans that meet or overlap become one."""
        if begin >= end:
            return self
        apart = []
        for low, high in self.spans:
            if high < begin or end < low:
                apart.append((low, high))
            else:
                begin, end = min(begin, low), max(end, high)
        return Coverage(spans=tuple(sorted((*apart, (begin, end)))))

    def holds(self, begin: datetime, end: datetime) -> bool:
        """Whether all of [begin, end) was read."""
        # A list: of one span, as nearly always, it takes less than a generator.
        return any([low <= begin and end <= high for low, high in self.spans])

    def clipped(self, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What was read of [begin, end)."""
        for low, high in self.spans:
            if low < end and begin < high:
                yield max(low, begin), min(high, end)
