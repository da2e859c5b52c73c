"""What time costs at the price of a deployment. Many deployments cost the same, and most of their days are alike: what
is worked out once is shared by them.
"""

from collections.abc import Mapping
from datetime import timedelta

from watcher.costs import hosting
from watcher.costs.hosting import Spent, State, Tenancy, Use
from watcher.costs.money import Cost, Unknown
from watcher.costs.prices import Price
from watcher.report.statement import DayOfUse
from watcher.report.terms import ReportTerms
from watcher.resources.model import family

_MICROSECOND = timedelta(microseconds=1)


class Worth:
    """What time costs at one price; most days are alike, and share what is worked out once."""

    def __init__(self, price: Price | Unknown) -> None:
        self.price = price
        self._amounts: dict[tuple[int, int], Cost] = {}
        #: By identity of what was spent, which is kept along with it: most days share it.
        self._days: dict[int, tuple[Spent, Mapping[State, Cost]]] = {}

    def of(self, least: int, most: int) -> Cost:
        """Between two times in microseconds."""
        found = self._amounts.get((least, most))
        if found is None:
            found = self._amounts[least, most] = hosting.worth(self.price, least * _MICROSECOND, most * _MICROSECOND)
        return found

    def day(self, use: Use) -> DayOfUse:
        day, calls, spent, _ = use
        known = self._days.get(id(spent))
        if known is None:
            known = spent, {state: self.of(least, most) for state, least, most in spent}
            self._days[id(spent)] = known
        return DayOfUse(day=day, calls=calls, costs=known[1])


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
