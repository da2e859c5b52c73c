"""What a unit of something costs, and where that figure comes from, which is told with every amount.

The operator's own table goes first, then Azure's public price list, then a figure of Azure's documentation, which calls
its figures examples only and so is an estimate, in dollars alone. What none of them has a price for is unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from watcher.costs import meters
from watcher.costs.money import Amount, Unknown, fraction, money
from watcher.resources.deployment import SkuKind, sku_kind, sku_spellings
from watcher.resources.model import family
from watcher.resources.price import RetailList, RetailPrice

#: Source: Azure's page on the cost of fine-tuning, all of it "examples only".
HOSTING_PER_HOUR = Decimal("1.70")
REINFORCEMENT_PER_HOUR = Decimal(100)
#: Per million tokens, of global training; other models are not named there.
_GLOBAL_TRAINING = {"gpt-4.1": Decimal(2)}
_DOCUMENTED_IN = "USD"

#: A price list older than this is called stale.
STALE_AFTER = timedelta(days=7)


class Per(StrEnum):
    """What a price is for."""

    HOUR = "hour"
    PTU_HOUR = "PTU hour"
    MILLION_TOKENS = "million tokens"
    TRAINING_HOUR = "training hour"


class Source(StrEnum):
    """Who says so."""

    TABLE = "table"  #: the operator
    RETAIL = "retail"  #: Azure's public price list
    DOCUMENTATION = "documentation"


_SOURCES = {
    Source.TABLE: "the configured list price",
    Source.RETAIL: "Azure's public price list",
    Source.DOCUMENTATION: "an estimate from the example price on Azure's pages",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit costs, after any discount."""

    per: Per
    rate: Amount  #: an interval where several figures fit
    source: Source
    as_of: datetime | None = None  #: when the list was read; `None`: it has no date
    is_estimate: bool = False
    note: str = ""  #: what makes it uncertain, in words
    discount_percent: Decimal = Decimal(0)  #: that was taken off

    @property
    def currency(self) -> str:
        return self.rate.currency

    @property
    def amount(self) -> float:
        """By the unit, the higher bound: for machines."""
        return float(self.rate.high)

    def over(self, span: timedelta) -> Amount:
        """What `span` costs, of a price by the hour."""
        return self.rate.per_hour(span)

    def is_stale(self, now: datetime) -> bool:
        return self.as_of is not None and now - self.as_of > STALE_AFTER

    def text(self) -> str:
        """`1.70 USD an hour`."""
        return f"{self.rate.text} {'an' if self.per is Per.HOUR else 'a'} {self.per.value}"

    def origin(self, now: datetime) -> str:
        """`Azure's public price list as of 2026-11-20; less 10 %; not an invoice`."""
        parts = [_SOURCES[self.source]]
        if self.as_of is not None:
            parts[0] += f" as of {self.as_of:%Y-%m-%d}"
        if self.is_stale(now):
            parts.append(f"stale, read over {STALE_AFTER.days} d ago")
        if self.is_estimate and self.source is not Source.DOCUMENTATION:
            parts.append("an estimate")
        if self.note:
            parts.append(self.note)
        parts.append("not an invoice")
        if self.discount_percent:
            parts.append(f"less {percent(self.discount_percent)}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrice:
    """A line of the operator's table; globs without regard to case. What is `None` it says nothing about."""

    model: str = "*"
    sku: str = "*"  #: of training prices: the training type, "standard" where the job names none
    hosting_per_hour: Decimal | None = None  #: of a whole deployment, whatever its capacity
    ptu_per_hour: Decimal | None = None
    training_per_million: Decimal | None = None  #: tokens
    training_per_hour: Decimal | None = None  #: of reinforcement


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the operator says of prices."""

    table: tuple[OwnPrice, ...] = ()  #: the first line that fits, and has the price in question, counts
    currency: str = "USD"
    discount_percent: Decimal = Decimal(0)  #: negotiated, off every price


#: Without a table or a discount, in dollars.
LIST_PRICES = Terms()


def percent(value: Decimal) -> str:
    """`12.5 %`."""
    return f"{value.normalize():f} %"


def list_price_words(discount_percent: Decimal = Decimal(0)) -> str:
    """What stands beside every total."""
    return f"list price{f' less {percent(discount_percent)}' if discount_percent else ''}, not an invoice"


@lru_cache(maxsize=64)
def book_of(terms: Terms, retail: RetailList | None = None) -> "PriceBook":
    """The book of prices; one and the same while nothing changes, so that what it has looked up stays known."""
    return PriceBook(terms=terms, retail=retail)


@dataclass(frozen=True, kw_only=True)  # no slots: the meters are sorted once and kept beside the fields
class PriceBook:
    """All prices that are known, each asked for by what is to be paid."""

    terms: Terms = LIST_PRICES
    retail: RetailList | None = None

    @property
    def currency(self) -> str:
        return self.terms.currency

    @property
    def words(self) -> str:
        """What stands beside every total."""
        return list_price_words(self.terms.discount_percent)

    def hosting(self, *, model: str, sku: str, location: str = "") -> Price | Unknown:
        """What a deployment costs while it stands, by the hour; provisioned ones by the PTU-hour unless the operator's
        table has a fee for the whole. A Developer deployment has none, which is a price too.
        """
        kind = sku_kind(sku)
        if kind is SkuKind.PROVISIONED:
            return self._provisioned(model, sku)
        own = self._own("hosting_per_hour", model, sku_spellings(sku), is_named=kind is not SkuKind.STANDARD)
        if own is not None:
            return self._price(Per.HOUR, own, Source.TABLE)
        if kind is SkuKind.DEVELOPER:
            return self._price(Per.HOUR, Decimal(0), Source.DOCUMENTATION, note="Developer deployments have no fee")
        if kind is not SkuKind.STANDARD:
            return Unknown(because=f"what a deployment of SKU {sku or 'unknown'} costs while it stands is not known")
        found = meters.best(self._hosting_meters.get(meters.region(location), ()), family(model), meters.tier(sku))
        if found:
            return self._listed(Per.HOUR, found)
        zone = sku.lower().startswith("datazone")
        note = "Azure gives no figure for Data Zone, that of Standard is taken" if zone else ""
        return self._documented(Per.HOUR, HOSTING_PER_HOUR, note=note)

    def training(self, *, model: str, training_type: str = "", location: str = "") -> Price | Unknown:
        """By the million tokens, of supervised training and of preference optimisation."""
        types = _training_types(training_type)
        own = self._own("training_per_million", model, types)
        if own is not None:
            return self._price(Per.MILLION_TOKENS, own, Source.TABLE)
        tier = meters.training_tier(training_type)
        found = meters.best(self._training_meters.get(meters.region(location), ()), family(model), tier)
        if found:
            return self._listed(Per.MILLION_TOKENS, found)
        known = _GLOBAL_TRAINING.get(family(model))
        if known is None:
            return Unknown(because=f"the price of training {family(model) or 'an unknown model'} is not known")
        match tier:
            case meters.Tier.GLOBAL:
                return self._documented(Per.MILLION_TOKENS, known)
            case meters.Tier.DEVELOPER:
                return self._documented(Per.MILLION_TOKENS, known / 2, note="half of the price of global training")
            case meters.Tier.STANDARD:
                note = "global training is said to cost 10 to 30 % less than regional"
                return self._documented(Per.MILLION_TOKENS, known, note=note, least=(10, 9), most=(10, 7))
        return Unknown(because=f"the price of {training_type} training is not known")

    def reinforcement(self, *, model: str, training_type: str = "") -> Price | Unknown:
        """By the hour of training; what graders cost comes on top and is not known."""
        own = self._own("training_per_hour", model, _training_types(training_type))
        if own is not None:
            return self._price(Per.TRAINING_HOUR, own, Source.TABLE)
        note = "" if family(model) == "o4-mini" else "Azure states it for o4-mini alone"
        return self._documented(Per.TRAINING_HOUR, REINFORCEMENT_PER_HOUR, note=note)

    def _provisioned(self, model: str, sku: str) -> Price | Unknown:
        spellings = sku_spellings(sku)
        for line in self._fitting(model, spellings):
            if line.ptu_per_hour is not None:
                return self._price(Per.PTU_HOUR, line.ptu_per_hour, Source.TABLE)
            if line.hosting_per_hour is not None and not _is_anything(line.sku):
                return self._price(Per.HOUR, line.hosting_per_hour, Source.TABLE)
        return Unknown(because="the price of a PTU-hour is not known; set ptu_per_hour in [[pricing.table]]")

    def _own(self, what: str, model: str, skus: frozenset[str], *, is_named: bool = False) -> Decimal | None:
        """The operator's own figure.

        Args:
            is_named: The line must name the SKU: a fee for anything is not meant for what has no hosting fee.
        """
        for line in self._fitting(model, skus):
            figure: Decimal | None = getattr(line, what)
            if figure is not None and not (is_named and _is_anything(line.sku)):
                return figure
        return None

    def _fitting(self, model: str, skus: frozenset[str]) -> Iterator[OwnPrice]:
        name = model.lower()
        for line in self.terms.table:
            glob = line.sku.lower()
            if fnmatchcase(name, line.model.lower()) and any(fnmatchcase(sku, glob) for sku in skus):
                yield line

    def _listed(self, per: Per, found: tuple[meters.Meter, ...]) -> Price:
        least, most = min(each.price for each in found), max(each.price for each in found)
        note = "" if least == most else f"{len({each.name for each in found})} meters of the list fit"
        assert self.retail is not None
        return self._price(
            per, least, Source.RETAIL, most=most, as_of=self.retail.read_at, is_estimate=bool(note), note=note
        )

    def _documented(
        self,
        per: Per,
        figure: Decimal,
        *,
        note: str = "",
        least: tuple[int, int] = (1, 1),
        most: tuple[int, int] = (1, 1),
    ) -> Price | Unknown:
        """A figure of the documentation, or from it to that times a ratio."""
        if self.currency != _DOCUMENTED_IN:
            return Unknown(because=f"no price in {self.currency} is known, and Azure's pages give dollars only")
        exact = fraction(figure)
        low, high = exact * least[0] / least[1], exact * most[0] / most[1]
        keep = 1 - fraction(self.terms.discount_percent) / 100
        return Price(
            per=per,
            rate=Amount(low=low, high=high, currency=self.currency) * keep,
            source=Source.DOCUMENTATION,
            is_estimate=bool(figure),
            note=note,
            discount_percent=self.terms.discount_percent,
        )

    def _price(
        self,
        per: Per,
        figure: Decimal,
        source: Source,
        *,
        most: Decimal | None = None,
        as_of: datetime | None = None,
        is_estimate: bool = False,
        note: str = "",
    ) -> Price:
        keep = 1 - fraction(self.terms.discount_percent) / 100
        return Price(
            per=per,
            rate=money(figure, self.currency, high=most) * keep,
            source=source,
            as_of=as_of,
            is_estimate=is_estimate,
            note=note,
            discount_percent=self.terms.discount_percent,
        )

    @cached_property
    def _hosting_meters(self) -> dict[str, list[meters.Meter]]:
        return meters.by_region(self._rows, meters.hosting)

    @cached_property
    def _training_meters(self) -> dict[str, list[meters.Meter]]:
        return meters.by_region(self._rows, meters.training)

    @cached_property
    def _rows(self) -> tuple[RetailPrice, ...]:
        """The list's rows in the currency of the book, each meter once: the newest that is in force."""
        if self.retail is None:
            return ()
        return meters.in_force(
            (row for row in self.retail.prices if row.currency.upper() == self.currency.upper()), self.retail.read_at
        )


def _is_anything(glob: str) -> bool:
    return not glob.strip("*")


def _training_types(training_type: str) -> frozenset[str]:
    """Spellings of a training type as the table may name it."""
    name = training_type.lower()
    return frozenset({"standard"}) if not name else sku_spellings(name)
