"""What a deployment's hosting costs by the hour, and where that figure comes from, which is told with every amount."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from watcher.resources.deployment import Deployment

#: The example price on Azure's pages, in dollars; in another currency nothing is known without a price list.
EXAMPLE_PER_HOUR = 1.70
EXAMPLE = "an estimate from the example price on Azure's pages; not an invoice"
_CONFIGURED = "the configured list price; not an invoice"

#: The operator's own prices: globs of model and SKU in lower case, and the fee an hour; the first that fits counts.
Prices = tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """The prices in force."""

    per_hour: float | None  #: of what no own price fits; `None`: unknown
    prices: Prices = ()
    discount_percent: float = 0.0  #: negotiated, off every price
    source: str = EXAMPLE  #: of `per_hour`

    def own_price(self, deployment: Deployment) -> float | None:
        """By the operator's own list, before any discount."""
        model, sku = deployment.model.lower(), deployment.sku.lower()
        fits = (price for models, skus, price in self.prices if fnmatchcase(model, models) and fnmatchcase(sku, skus))
        return next(fits, None)

    def price(self, deployment: Deployment, *, is_by_the_hour: bool) -> float | None:
        """By the hour, called or not; `None` where it is not known.

        Args:
            is_by_the_hour: Whether what no own price fits is taken to cost `per_hour`.
        """
        price = self.own_price(deployment)
        if price is None and is_by_the_hour:
            price = self.per_hour
        return None if price is None else round(price * (1 - self.discount_percent / 100), 6)

    def source_of(self, deployment: Deployment) -> str:
        """Where its price comes from, in words."""
        source = self.source if self.own_price(deployment) is None else _CONFIGURED
        return f"{source}; less {self.discount_percent:g} %" if self.discount_percent else source
