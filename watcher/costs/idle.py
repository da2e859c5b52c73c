"""What it costs that nobody calls a deployment: since the last call, by the day, and until Azure deletes it itself.

And the costliest case, which no rule about idleness sees: one kept alive by so few calls that each costs a fortune.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watcher.costs.money import Amount, Cost, Total, Unknown, at_least, fraction, hours, nothing
from watcher.costs.prices import Price
from watcher.resources.calls import Calls, Coverage
from watcher.resources.deployment import Deployment

DAY = timedelta(days=1)
#: What a month is, where a fee by the hour is told by the month.
MONTH = timedelta(days=30)

#: Why only the least is known of what something idle costs yet, or nothing.
OPEN_END = "when Azure deletes it at the latest is not known"
NO_END = "when Azure deletes it, if ever, is not known"
ASSUMED_END = "whether Azure deletes it at all is assumed, and not known"
OVERDUE = "Azure was to delete it by now, and whether it still does is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleMoney:
    """The money side of an idle deployment."""

    so_far: Amount  #: since the last call, up to where its calls were read
    per_day: Amount
    #: From now on, if nobody acts; `None`: no rule is known to end it.
    until_deletion: Amount | None
    is_open: bool = False  #: no latest time of the deletion can be named: `until_deletion` is its least
    is_assumed: bool = False  #: that Azure deletes it is assumed: as before
    #: It should be gone: nothing more comes, or the fee of each day that it stands, and `until_deletion` tells neither.
    is_overdue: bool = False

    @property
    def is_bounded(self) -> bool:
        """Whether it surely costs no more than `until_deletion` yet."""
        if self.until_deletion is None:
            return False
        return self.per_day.is_zero or not (self.is_open or self.is_assumed or self.is_overdue)

    @property
    def rest(self) -> Amount | Total | None:
        """`until_deletion`, with what is missing from it where that is only its least."""
        if self.until_deletion is None or self.is_bounded:
            return self.until_deletion
        if self.is_overdue:
            return at_least(nothing(self.until_deletion.currency), OVERDUE)
        return at_least(self.until_deletion, ASSUMED_END if self.is_assumed else OPEN_END)

    @property
    def part(self) -> Cost | Total:
        """The same as one part of a sum, to which one without an end belongs too."""
        if self.rest is not None:
            return self.rest
        return self.per_day if self.per_day.is_zero else Unknown(because=NO_END)

    @property
    def outlook(self) -> str:
        """`402.90 to 612.00 USD more if nobody acts`."""
        if self.rest is None:
            return f"{self.per_day.text} more each day until somebody acts"
        if self.is_overdue:
            return f"{self.per_day.text} more each day until Azure deletes it, which is overdue, or somebody acts"
        return f"{self.rest.text} more if nobody acts"


def idle_money(
    price: Price | Unknown,
    *,
    now: datetime,
    known_to: datetime | None = None,
    since: tuple[datetime, datetime],
    deletion: tuple[datetime, datetime | None] | None,
    is_assumed: bool = False,
) -> IdleMoney | Unknown:
    """What idleness has cost, costs and will cost.

    Args:
        known_to: Until when its calls were read; `None`: to the present.
        since: When it began, at the earliest and at the latest.
        deletion: When Azure deletes it, at the earliest and at the latest (`None`: no such time can be named); `None`:
            Azure lets it stand.
        is_assumed: Azure does not say that it deletes the like of it.
    """
    if isinstance(price, Unknown):
        return price
    earliest, latest = since
    until = now if known_to is None else known_to
    so_far = _between(price, until - latest, until - earliest)
    rest = None
    if deletion is not None:
        soonest, last = deletion
        rest = _between(price, soonest - now, max(last or soonest, soonest) - now)
    return IdleMoney(
        so_far=so_far,
        per_day=price.over(DAY),
        until_deletion=rest,
        is_open=deletion is not None and deletion[1] is None,
        is_assumed=deletion is not None and is_assumed,
        is_overdue=deletion is not None and deletion[1] is not None and max(deletion[0], deletion[1]) <= now,
    )


def _between(price: Price, least: timedelta, most: timedelta) -> Amount:
    if least == most:  # as nearly always
        return price.over(least)
    return Amount(low=price.rate.low * hours(least), high=price.rate.high * hours(most), currency=price.currency)


def cost_per_call(cost: Cost, calls: float) -> Cost:
    """What one answered call came to."""
    if isinstance(cost, Unknown):
        return cost
    return cost / fraction(calls) if calls > 0 else Unknown(because="there was no call to divide the cost by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trickle:
    """From when on a fee is kept running by too few calls.

    Azure deletes what is not called for 15 days, so over a window of 15 days whatever stays alive has a call: nothing
    slips through between this and idleness. Twenty calls in that time take in a daily probe, and at 1.70 USD an hour
    each of them costs 30.60 USD or more.
    """

    max_calls: float = 20
    window: timedelta = timedelta(days=15)

    def counts(self, calls: float) -> bool:
        """Whether so many answered calls within the window are a trickle; none at all is idleness, not this."""
        return 0 < calls <= self.max_calls


def calls_within(calls: Calls | None, coverage: Coverage, begin: datetime, end: datetime) -> float | None:
    """The answered calls of the hours that begin in [begin, end); `None` unless all of it was read."""
    if not coverage.holds(begin, end):
        return None
    return sum((one.ok for one in calls.within(begin, end).hours.values()), 0.0) if calls else 0.0


#: How many calls came in the hours that begin in [begin, end).
Count = Callable[[datetime, datetime], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrickle:
    """The window in which too few calls kept a deployment alive."""

    calls: float  #: answered ones
    end: datetime


def trickle_of(
    deployment: Deployment, coverage: Coverage, now: datetime, trickle: Trickle, *, answered: Count, unclear: Count
) -> FoundTrickle | Unknown | None:
    """What keeps it alive where that is a trickle, `None` where it is none, or that nobody can tell.

    Only a window of which all calls are known is judged, and only of a deployment that stood through it.

    Args:
        unclear: Those that may be answered ones of the deployment.
    """
    end = last_window(deployment, coverage, now, trickle.window)
    if end is None:
        return Unknown(because=f"not all of its calls in the last {trickle.window / DAY:g} d are known")
    begin = end - trickle.window
    count = answered(begin, end)
    if not trickle.counts(count):
        return None
    more = unclear(begin, end)
    if more and not trickle.counts(count + more):
        return Unknown(because=f"{more:g} more calls may be its own: they bear no deployment's name, or no status")
    return FoundTrickle(calls=count, end=end)


def unclear_within(calls: Calls | None, nameless: Calls | None, begin: datetime, end: datetime) -> float:
    """Calls of the same hours that may be answered ones of the deployment: of unknown status, or of no name at all."""
    own = sum((one.unclear for one in calls.within(begin, end).hours.values()), 0.0) if calls else 0.0
    return own + (sum((one.all for one in nameless.within(begin, end).hours.values()), 0.0) if nameless else 0.0)


def last_window(deployment: Deployment, coverage: Coverage, now: datetime, window: timedelta) -> datetime | None:
    """The end of the newest window that was read whole and in which the deployment stood; `None`: there is none.

    It ends where the metrics end, as their newest minutes are always missing; but not before `now` less a day.
    """
    newest = max((end for begin, end in coverage.spans if begin <= now), default=None)
    if newest is None or deployment.created_at is None:
        return None
    end = whole_hour(min(newest, now))
    is_fit = now - end <= DAY and end - window >= deployment.created_at and coverage.holds(end - window, end)
    return end if is_fit else None


def whole_hour(at: datetime) -> datetime:
    """The start of the hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
