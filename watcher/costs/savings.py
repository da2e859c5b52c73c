"""What was saved: deployments that somebody deleted after an alert of ours, before Azure would have done so itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.costs.money import Amount, Cost, Total, Unknown, hours, total
from watcher.costs.prices import Price

#: Told with every figure of savings.
METHOD = (
    "Counted are deployments that were deleted after watcher had told somebody of them and before Azure's own deletion "
    "for idleness was due: the hours from the end of each to that deletion, times its hourly price. What would have "
    "happened without the alert nobody knows."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A deployment that is gone, of which somebody had been told."""

    account: str
    name: str
    told_at: datetime  #: when the first alert about its idleness, or its waste, was delivered
    end: tuple[datetime, datetime]  #: when it was last seen alive, and when gone; twice the same where that is exact
    deadline: tuple[datetime, datetime | None] | None  #: of Azure's own deletion, as the rule had it; `None`: none
    price: Price | Unknown
    by: str = ""  #: who deleted it; "" where nobody is named


def is_ours(deletion: Deletion) -> bool:
    """Whether it counts: it came after the alert, and before Azure would have deleted it at the earliest."""
    if deletion.deadline is None:
        return False
    last_alive, seen_gone = deletion.end
    return deletion.told_at <= last_alive and seen_gone < deletion.deadline[0]


def saving(deletion: Deletion) -> Cost | None:
    """What it saved; `None` where it does not count."""
    if not is_ours(deletion) or deletion.deadline is None:
        return None
    if isinstance(deletion.price, Unknown):
        return deletion.price
    earliest, latest = deletion.deadline
    last_alive, seen_gone = deletion.end
    # Without a latest time only what the earliest promises is claimed.
    most = max((latest or earliest) - last_alive, timedelta())
    least = max(earliest - seen_gone, timedelta())
    rate = deletion.price.rate
    return Amount(low=rate.low * hours(least), high=rate.high * hours(most), currency=rate.currency)


def saved(deletions: Iterable[Deletion], currency: str) -> Total:
    """What all of them saved together; those that do not count are no part of it."""
    return total((found for each in deletions if (found := saving(each)) is not None), currency)
