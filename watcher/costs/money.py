"""Money as it is known: an interval where a bound is uncertain, a sum that says what is missing from it.

Amounts are held as exact fractions, since a third of a cent has no Decimal, and are read as `Decimal`, rounded half
even to cents: so parts add up to their whole exactly, and rounding happens once, at the end. Two currencies never mix,
and what is unknown never counts as nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm

import msgspec

_MICROSECOND = timedelta(microseconds=1)
_AN_HOUR = timedelta(hours=1) // _MICROSECOND
_CENTS = 100
#: How many reasons for what is unknown a text gives before it only counts them.
_MOST_REASONS = 3


class CurrencyMismatch(TypeError):
    """Amounts in two currencies were added or compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A cost that cannot be told. It is not nothing."""

    because: str  #: as the end of a sentence: "its price is not known"


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Some money, no less than `low` and no more than `high`."""

    low: Fraction
    high: Fraction
    currency: str

    def __post_init__(self) -> None:
        if self.low is not self.high and self.low > self.high:
            raise ValueError(f"an amount from {self.low} to {self.high} is none")

    def __add__(self, other: "Amount") -> "Amount":
        same_currency(self, other)
        return Amount(low=self.low + other.low, high=self.high + other.high, currency=self.currency)

    def __mul__(self, factor: "Number") -> "Amount":
        exact = factor if isinstance(factor, Fraction) else fraction(factor)
        if exact < 0:
            raise ValueError("an amount is multiplied by nothing less than 0")
        low = self.low * exact
        high = low if self.high is self.low or self.high == self.low else self.high * exact
        return Amount(low=low, high=high, currency=self.currency)

    def per_hour(self, span: timedelta) -> "Amount":
        """What `span` comes to at this amount an hour, exactly, down to microseconds; a negative span is none."""
        time = max(span // _MICROSECOND, 0)
        low = Fraction(self.low.numerator * time, self.low.denominator * _AN_HOUR)
        high = low
        if self.high is not self.low and self.high != self.low:
            high = Fraction(self.high.numerator * time, self.high.denominator * _AN_HOUR)
        return Amount(low=low, high=high, currency=self.currency)

    def __truediv__(self, divisor: "Number") -> "Amount":
        return self * (1 / fraction(divisor))

    def at_most(self, limit: "Amount") -> "Amount":
        """This amount, cut at `limit`: what a cap leaves of it."""
        same_currency(self, limit)
        return Amount(low=min(self.low, limit.low), high=min(self.high, limit.high), currency=self.currency)

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    @property
    def is_zero(self) -> bool:
        """Whether it is surely nothing."""
        return not self.high

    @property
    def least(self) -> Decimal:
        """In cents."""
        return rounded(self.low)

    @property
    def most(self) -> Decimal:
        """In cents."""
        return rounded(self.high)

    @property
    def text(self) -> str:
        """`571.20 USD`, `120.00 to 140.80 USD`."""
        if self.least == self.most:
            return f"{self.least} {self.currency}"
        return f"{self.least} to {self.most} {self.currency}"


Number = int | float | Decimal | Fraction
#: What something costs, or that nobody can say.
Cost = Amount | Unknown


def fraction(number: Number) -> Fraction:
    """Exactly that number; of a float, the one that it is written as."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def rounded(value: Fraction) -> Decimal:
    """To cents, half even."""
    return Decimal(round(value * _CENTS)).scaleb(-2)


def money(low: Number, currency: str, *, high: Number | None = None) -> Amount:
    """An amount of exactly `low`, or between that and `high`."""
    least = fraction(low)
    return Amount(low=least, high=least if high is None else fraction(high), currency=currency)


@lru_cache
def nothing(currency: str) -> Amount:
    """What surely costs nothing."""
    return money(0, currency)


@lru_cache(maxsize=4096)
def hours(span: timedelta) -> Fraction:
    """Exactly, down to microseconds; a negative span is none."""
    return Fraction(max(span // _MICROSECOND, 0), _AN_HOUR)


def same_currency(*amounts: "Amount | Total") -> None:
    """Refuse amounts of two currencies."""
    if len({each.currency for each in amounts}) > 1:
        raise CurrencyMismatch(" and ".join(sorted({each.currency for each in amounts})) + " do not mix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The sum of some parts: what is known of it, and why the rest is not."""

    known: Amount
    parts: int = 0  #: all, known or not
    reasons: tuple[tuple[str, int], ...] = ()  #: why a part is unknown, and of how many; the most frequent first
    least_known: int = 0  #: of how many of these unknown parts the least is known, and in `known`

    @property
    def currency(self) -> str:
        return self.known.currency

    @property
    def unknown(self) -> int:
        """How many parts are unknown."""
        return sum(count for _, count in self.reasons)

    @property
    def is_known(self) -> bool:
        """Whether no part is missing."""
        return not self.reasons

    @property
    def is_unknown(self) -> bool:
        """Whether nothing at all is known: of what may come to anything, at least nothing says no more."""
        return bool(self.reasons) and not self.known.least

    def __add__(self, other: "Total") -> "Total":
        reasons = self.reasons or other.reasons
        if self.reasons and other.reasons:
            reasons = _ordered(Counter(dict(self.reasons)) + Counter(dict(other.reasons)))
        return Total(
            known=self.known + other.known,
            parts=self.parts + other.parts,
            reasons=reasons,
            least_known=self.least_known + other.least_known,
        )

    @property
    def text(self) -> str:
        """`571.20 USD`, `at least 571.20 USD`, `unknown`."""
        if self.is_unknown:
            return "unknown"
        if self.is_known:
            return self.known.text
        return f"at least {self.known.least} {self.currency}"

    @property
    def why(self) -> str:
        """`2 of 5 parts unknown: its price is not known`; "" where nothing is."""
        if self.is_known:
            return ""
        shown = [f"{reason} ({count})" if count > 1 else reason for reason, count in self.reasons[:_MOST_REASONS]]
        more = len(self.reasons) - len(shown)
        if more:
            shown.append(f"and for {more} more {'reason' if more == 1 else 'reasons'}")
        least = f" (of {self.least_known} the least is known)" if self.least_known else ""
        parts = f"{self.unknown} of {self.parts} {'part' if self.parts == 1 else 'parts'}"
        return f"{parts} unknown{least}: {'; '.join(shown)}"


def total(costs: Iterable[Cost], currency: str) -> Total:
    """The sum of `costs`, which may be none at all.

    Raises:
        CurrencyMismatch: One is in another currency.
    """
    # Thousands are summed: those that are one and the same are counted, and of the others, most over one denominator,
    # whole numbers are added, which is cheap where fractions are not.
    parts = list(costs)
    if not parts:
        return Total(known=nothing(currency))
    different = {id(part): part for part in parts}
    alike = Counter(map(id, parts)) if len(different) < len(parts) else None
    reasons: dict[str, int] = {}
    lows: dict[int, int] = {}
    highs: dict[int, int] = {}
    for key, each in different.items():
        count = 1 if alike is None else alike[key]
        if isinstance(each, Unknown):
            reasons[each.because] = reasons.get(each.because, 0) + count
            continue
        if each.currency != currency:
            raise CurrencyMismatch(f"{each.currency} and {currency} do not mix")
        top, bottom = each.low.as_integer_ratio()
        lows[bottom] = lows.get(bottom, 0) + count * top
        if each.high is not each.low:
            top, bottom = each.high.as_integer_ratio()
        highs[bottom] = highs.get(bottom, 0) + count * top
    low = _joined(lows)
    known = Amount(low=low, high=low if lows == highs else _joined(highs), currency=currency)
    return Total(known=known, parts=len(parts), reasons=_ordered(Counter(reasons)) if reasons else ())


def at_least(least: Amount, because: str) -> Total:
    """One part, of which only the least is known."""
    return Total(known=least, parts=1, reasons=((because, 1),), least_known=1 if least.least else 0)


def together(several: Iterable["Cost | Total | None"], currency: str) -> Total:
    """The sum of costs and of sums; what there is none of is left out.

    Raises:
        CurrencyMismatch: One is in another currency.
    """
    costs: list[Cost] = []
    sums: list[Total] = []
    reasons: Counter[str] = Counter()
    for each in several:
        if isinstance(each, Total):
            sums.append(each)
            reasons.update(dict(each.reasons))
        elif each is not None:
            costs.append(each)
    return total(costs, currency) + Total(
        known=total((each.known for each in sums), currency).known,
        parts=sum(each.parts for each in sums),
        reasons=_ordered(reasons),
        least_known=sum(each.least_known for each in sums),
    )


def _joined(numerators: Mapping[int, int]) -> Fraction:
    """The sum of fractions, by denominator."""
    bottom = lcm(*numerators)
    return Fraction(sum(top * (bottom // denominator) for denominator, top in numerators.items()), bottom)


def _ordered(reasons: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(reasons.items(), key=lambda one: (-one[1], one[0])))
