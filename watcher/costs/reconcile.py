"""Estimates held against what Azure billed, account by account. The two are shown beside each other and never mixed.

A bill goes down to account and meter, not to the deployment, and counts whole days in UTC. Compared are the meters that
are named after hosting or training; what else an account costs, such as tokens of inference, stands apart.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from watcher.costs.hosting import Period
from watcher.costs.money import Amount, Total, money
from watcher.resources.price import Actual, Actuals

#: The meters of hosting by the hour, those of training, and both.
HOSTING = re.compile(r"hosting unit", re.IGNORECASE)
TRAINING = re.compile(r"training", re.IGNORECASE)
_BOTH = re.compile(f"{HOSTING.pattern}|{TRAINING.pattern}", re.IGNORECASE)
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One account."""

    account: str  #: its key
    estimate: Total | None  #: `None`: none was made, as of an account that is not watched
    actual: tuple[Amount, ...]  #: billed by the meters that are compared, by currency; empty: no day's bill is known
    other: tuple[Amount, ...]  #: billed for anything else
    days: int  #: of which the bill is known
    of_days: int
    drift: Amount | None  #: what was billed less the estimate; `None`: see `why`
    drift_percent: Decimal | None  #: of the estimate; 0 where what was billed lies within it; `None` also of nothing
    why: str  #: why there is no drift; "" where there is


def whole_days(period: Period) -> Period | None:
    """The days in UTC that lie wholly in `period`, since a bill knows no part of a day; `None`: there is none."""
    begin, end = _midnight(period.begin + _A_DAY - timedelta(microseconds=1)), _midnight(period.end)
    return Period(begin=begin, end=end) if begin < end else None


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def reconcile(
    estimates: Mapping[str, Total], actuals: Actuals, period: Period, *, meters: re.Pattern[str] = _BOTH
) -> tuple[Reconciled, ...]:
    """Each account that was estimated or billed, by key.

    Args:
        estimates: By the account's key, over `period`, of what `meters` count.
        period: Of whole days in UTC.
        meters: Which are compared: those of hosting by the hour and of training, or of one of the two.

    Raises:
        ValueError: it is not.
    """
    if whole_days(period) != period:
        raise ValueError(f"a bill counts whole days in UTC, not from {period.begin} to {period.end}")
    first, end = period.begin.astimezone(UTC).date(), period.end.astimezone(UTC).date()
    lines: dict[str, list[Actual]] = defaultdict(list)
    for line in actuals.lines:
        if first <= line.day < end:
            lines[line.account].append(line)
    return tuple(
        _reconciled(account, estimates.get(account), lines.get(account, []), actuals, first, end, meters)
        for account in sorted({*estimates, *lines})
    )


def _reconciled(
    account: str,
    estimate: Total | None,
    lines: list[Actual],
    actuals: Actuals,
    first: date,
    end: date,
    meters: re.Pattern[str],
) -> Reconciled:
    days = _days_known(actuals, account, first, end)
    of_days = (end - first).days
    compared = _sums(line for line in lines if meters.search(line.meter))
    other = _sums(line for line in lines if not meters.search(line.meter))
    if not compared and days:
        # Nothing was billed for it, in the currency of whatever else was.
        currency = other[0].currency if other else estimate.currency if estimate is not None else ""
        compared = (money(0, currency),) if currency else ()
    why = _why_not(estimate, compared, days, of_days)
    drift = percent = None
    if not why and estimate is not None:
        known = estimate.known
        (billed,) = compared
        drift = Amount(low=billed.low - known.high, high=billed.low - known.low, currency=known.currency)
        percent = _percent(billed.low, known)
    return Reconciled(
        account=account,
        estimate=estimate,
        actual=compared,
        other=other,
        days=days,
        of_days=of_days,
        drift=drift,
        drift_percent=percent,
        why=why,
    )


def _why_not(estimate: Total | None, compared: tuple[Amount, ...], days: int, of_days: int) -> str:
    """Why the two cannot be compared; "" where they can."""
    if not days:
        return "no bill of these days is known"
    if days < of_days:
        return f"the bill is known for {days} of {of_days} days"
    if estimate is None:
        return "nothing was estimated"
    if not estimate.is_known:
        return f"the estimate is not whole: {estimate.why}"
    currencies = sorted({amount.currency for amount in compared})
    if currencies != [estimate.currency]:
        return f"the bill is in {' and '.join(currencies)}, the estimate in {estimate.currency}"
    return ""


def _days_known(actuals: Actuals, account: str, first: date, end: date) -> int:
    """How many days of the period the bill of the account's subscription covers."""
    parts = account.lower().strip("/").split("/")
    subscription = parts[1] if parts[0] == "subscriptions" and len(parts) > 1 else ""
    span = actuals.spans.get(subscription)
    return 0 if span is None else max((min(span.until, end) - max(span.since, first)).days, 0)


def _sums(lines: Iterable[Actual]) -> tuple[Amount, ...]:
    """The sum of each currency."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.currency] += line.cost
    return tuple(money(cost, currency) for currency, cost in sorted(sums.items()))


def _percent(billed: Fraction, estimate: Amount) -> Decimal | None:
    """How far what was billed lies outside the estimate, from its nearer end; `None`: that end is nothing."""
    nearest = min(max(billed, estimate.low), estimate.high)
    if billed == nearest:
        return Decimal(0)
    if not nearest:
        return None
    off = (billed - nearest) * 100 / nearest
    return (Decimal(off.numerator) / Decimal(off.denominator)).quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)
