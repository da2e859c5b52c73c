"""What time costs at the price of a deployment. Many deployments cost the same, and most of their days are alike: what
is worked out once is shared by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from watcher.costs import hosting
from watcher.costs.hosting import Tenancy
from watcher.costs.money import Cost, Unknown
from watcher.costs.prices import Price
from watcher.costs.uses import Spent, State, Use
from watcher.report.statement import DayOfUse
from watcher.report.terms import ReportTerms
from watcher.resources.model import family

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """What some days came to."""

    cost: Cost
    by_state: Mapping[State, Cost]
    by_day: tuple[Mapping[State, Cost], ...]
    spent: tuple[Spent, ...]  #: by day: what it was worked out of


class Worth:
    """What time costs at one price."""

    def __init__(self, price: Price | Unknown) -> None:
        self.price = price
        self._amounts: dict[tuple[int, int], Cost] = {}
        #: By identity of what was spent, which is kept along with it: most days share it.
        self._stood: dict[tuple[int, ...], Stood] = {}
        self._days: dict[int, Mapping[State, Cost]] = {}

    def of(self, least: int, most: int) -> Cost:
        """Between two times in microseconds."""
        found = self._amounts.get((least, most))
        if found is None:
            found = self._amounts[least, most] = hosting.worth(self.price, least * _MICROSECOND, most * _MICROSECOND)
        return found

    def stood(self, uses: Sequence[Use]) -> Stood:
        key = tuple([id(use.spent) for use in uses])
        found = self._stood.get(key)
        if found is None:
            found = self._stood[key] = self._worked_out([use.spent for use in uses])
        return found

    def _worked_out(self, days: Sequence[Spent]) -> Stood:
        lows: dict[State, int] = {}
        highs: dict[State, int] = {}
        for spent in days:
            for state, least, most in spent:
                lows[state] = lows.get(state, 0) + least
                highs[state] = highs.get(state, 0) + most
        return Stood(
            cost=self.of(sum(lows.values()), sum(highs.values())),
            by_state={state: self.of(lows[state], highs[state]) for state in State if state in lows},
            by_day=tuple([self._day(spent) for spent in days]),
            spent=tuple(days),
        )

    def _day(self, spent: Spent) -> Mapping[State, Cost]:
        found = self._days.get(id(spent))
        if found is None:
            found = self._days[id(spent)] = {state: self.of(least, most) for state, least, most in spent}
        return found


def days(uses: Sequence[Use], stood: Stood) -> tuple[DayOfUse, ...]:
    """The days with what each came to."""
    return tuple([DayOfUse(use.day, use.calls, costs) for use, costs in zip(uses, stood.by_day, strict=True)])


class Pricing:
    """The prices of deployments; those that cost the same share one."""

    def __init__(self, terms: ReportTerms) -> None:
        self._book = terms.book
        self._found: dict[tuple[str, str, int | None, str], Worth] = {}
        self._known: dict[object, Worth] = {}

    def of(self, tenancy: Tenancy) -> Worth:
        # Only the operator's table looks at the whole name of a model.
        model = tenancy.model if self._book.terms.table else family(tenancy.model)
        asked = model, tenancy.sku, tenancy.capacity, tenancy.location
        found = self._found.get(asked)
        if found is None:
            found = self._found[asked] = self._shared(hosting.price(tenancy, self._book))
        return found

    def _shared(self, price: Price | Unknown) -> Worth:
        key: object
        if isinstance(price, Unknown):
            key = price.because
        else:
            key = (price.rate.low, price.rate.high, price.source, price.note, price.is_estimate)
        return self._known.setdefault(key, Worth(price))
