"""Which meter of Azure's price list a deployment or a job is billed by. The list names no resource, only words.

Names of the present meters are not documented: seen are `gpt-4o-FTuned Deployment Hosting Unit`, `3.3 70b FT Deployment
Hosting Unit`, `41 ft opt Dz`. So a name is taken apart into the model that it names, if any, and the tier; words that
mean neither are taken for a model's, so that a meter of another model never fits by chance.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from watcher.resources.price import RetailPrice

_HOSTING_UNIT = re.compile(r"deployment hosting unit", re.IGNORECASE)
_TRAINING_UNIT = re.compile(r"training unit|\btraining tokens\b", re.IGNORECASE)
_HOURS = frozenset({"1hour", "1/hour"})
#: How many tokens a unit has.
_TOKENS = {"1k": 1_000, "1ktokens": 1_000, "1m": 1_000_000, "1mtokens": 1_000_000, "1000": 1_000, "1000000": 1_000_000}


class Tier(StrEnum):
    """Where work is done, as far as its price depends on it."""

    STANDARD = "standard"
    GLOBAL = "global"
    DATA_ZONE = "data zone"
    DEVELOPER = "developer"
    OTHER = "other"  #: a word of tomorrow


_TIER_WORDS = {
    "regnl": Tier.STANDARD,
    "regional": Tier.STANDARD,
    "standard": Tier.STANDARD,
    "std": Tier.STANDARD,
    "glbl": Tier.GLOBAL,
    "global": Tier.GLOBAL,
    "dz": Tier.DATA_ZONE,
    "dzone": Tier.DATA_ZONE,
    "datazone": Tier.DATA_ZONE,
    "dev": Tier.DEVELOPER,
    "developer": Tier.DEVELOPER,
}
_TIERS = {
    "": Tier.STANDARD,
    "standard": Tier.STANDARD,
    "globalstandard": Tier.GLOBAL,
    "global": Tier.GLOBAL,
    "datazonestandard": Tier.DATA_ZONE,
    "datazone": Tier.DATA_ZONE,
    "developer": Tier.DEVELOPER,
    "developertier": Tier.DEVELOPER,
}
#: Words of a meter that name neither a model nor a tier.
_FILLERS = frozenset(
    {"gpt", "ft", "ftuned", "finetuned", "tuned", "fine", "tuning", "azure", "openai", "aoai", "opt"}
    | {"deployment", "hosting", "unit", "training", "tokens"}
)
_WORD = re.compile(r"[a-z0-9.]+")
#: A model's version in the name of a meter: `0718`, `20240806`, `2024-08-06`.
_VERSION = re.compile(r"(?<![\w.])(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})(?![\w.])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One row of the list, understood."""

    name: str
    model: frozenset[str]  #: the words that name a model; empty: none is named
    tier: Tier | None  #: `None`: none is named
    price: Decimal  #: an hour, or a million tokens


def tier(sku: str) -> Tier:
    """Of a deployment."""
    return _TIERS.get(sku.lower(), Tier.OTHER)


def training_tier(training_type: str) -> Tier:
    """Of a job; without a word for it, it is regional."""
    return tier(training_type)


def region(name: str) -> str:
    """`Sweden Central` and `swedencentral` are one."""
    return name.lower().replace(" ", "")


def hosting(row: RetailPrice) -> Meter | None:
    """A meter of hosting by the hour, or `None`."""
    if not _HOSTING_UNIT.search(row.meter_name) or _unit(row) not in _HOURS:
        return None
    return _meter(row, row.price)


def training(row: RetailPrice) -> Meter | None:
    """A meter of training by tokens, priced by the million; or `None`."""
    tokens = _TOKENS.get(_unit(row))
    if tokens is None or not _TRAINING_UNIT.search(row.meter_name):
        return None
    return _meter(row, row.price * 1_000_000 / tokens)


def _meter(row: RetailPrice, price: Decimal) -> Meter | None:
    if price <= 0:
        return None  # rows of previews stand there at nothing; taken for a price they would hide a cost
    words, found = model_words(row.meter_name), _tier_in(row.meter_name)
    if not words:
        if "openai" not in row.product_name.lower():
            return None  # a hosting fee of other models in the same list
        words, found = model_words(row.sku_name), found or _tier_in(row.sku_name)
    return Meter(name=row.meter_name, model=words, tier=found, price=price)


def _unit(row: RetailPrice) -> str:
    return row.unit.lower().replace(" ", "")


@lru_cache(maxsize=4096)
def model_words(name: str) -> frozenset[str]:
    """The words that tell one model from another: of `gpt-4.1-mini`, `41 mini` and `4.1-mini-FTuned` the same."""
    text = _VERSION.sub(" ", name.lower().replace("data zone", "datazone"))
    words = (word.replace(".", "") for word in _WORD.findall(text))
    return frozenset(word for word in words if word and word not in _FILLERS and word not in _TIER_WORDS)


def _tier_in(name: str) -> Tier | None:
    words = _WORD.findall(name.lower().replace("data zone", "datazone"))
    return next((_TIER_WORDS[word] for word in words if word in _TIER_WORDS), None)


def in_force(rows: Iterable[RetailPrice], at: datetime) -> tuple[RetailPrice, ...]:
    """Of each meter the row that took effect last, by `at`."""
    newest: dict[tuple[str, str, str, str, str], RetailPrice] = {}
    for row in rows:
        if row.effective_from is not None and row.effective_from > at:
            continue
        key = (region(row.region), row.meter_name, row.sku_name, row.product_name, row.unit)
        other = newest.get(key)
        if other is None or _since(other) <= _since(row):
            newest[key] = row
    return tuple(newest.values())


def _since(row: RetailPrice) -> float:
    return row.effective_from.timestamp() if row.effective_from else float("-inf")


def by_region(rows: Iterable[RetailPrice], kind: Callable[[RetailPrice], Meter | None]) -> dict[str, list[Meter]]:
    """The meters of one kind."""
    found: dict[str, list[Meter]] = {}
    for row in rows:
        if (meter := kind(row)) is not None:
            found.setdefault(region(row.region), []).append(meter)
    return found


def best(meters: Sequence[Meter], model: str, wanted: Tier) -> tuple[Meter, ...]:
    """Those that fit best: meters that name the model before those that name none, and so with the tier."""
    words = model_words(model)
    fitting = [
        (meter.model == words, meter.tier is not None, meter)
        for meter in meters
        if meter.model in (frozenset(), words) and meter.tier in (None, wanted)
    ]
    if not fitting or not words:
        return ()
    top = max((named, tiered) for named, tiered, _ in fitting)
    return tuple(meter for named, tiered, meter in fitting if (named, tiered) == top)
