"""What was agreed upon for the prices of a month: Azure's list, the operator's own table, or nothing but documentation.

Each month has one of these, and a time zone, by its seed. What things then cost is said here a second time, from the
ledger and in plain words; the engine's own look-up is not asked.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from watcher.simulator import Scenario
from watcher.simulator.catalogue import prices_of
from watcher.simulator.ledger import JobTruth, LifeTruth

Source = Literal["retail", "table", "documentation"]

_SOURCES: tuple[Source, ...] = ("retail", "table", "documentation")
#: One without, and three with a change of the clocks, of which one lies south.
_ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Australia/Sydney")
_DISCOUNTS = ("0", "0", "12.5", "10", "0")

_DEVELOPER = frozenset({"developer", "developertier"})
_STANDARD = frozenset({"standard", "globalstandard", "datazonestandard"})

_TABLE = """
[[pricing.table]]
model = "*gpt-4o*"
sku = "Standard"
hosting_per_hour = 2.13
[[pricing.table]]
model = "*"
sku = "GlobalStandard"
hosting_per_hour = 1.57
training_per_million = 1.9
[[pricing.table]]
model = "*"
sku = "*Provisioned*"
ptu_per_hour = 0.333
[[pricing.table]]
model = "*"
hosting_per_hour = 1.91
training_per_million = 2.7
training_per_hour = 90.5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a month's prices are."""

    source: Source
    discount: str  #: percent
    zone: ZoneInfo

    @property
    def keep(self) -> Fraction:
        return 1 - Fraction(self.discount) / 100


def agreed(seed: int) -> Agreed:
    return Agreed(
        source=_SOURCES[seed % len(_SOURCES)],
        discount=_DISCOUNTS[seed % len(_DISCOUNTS)],
        zone=ZoneInfo(_ZONES[seed // len(_SOURCES) % len(_ZONES)]),
    )


def configuration(terms: Agreed) -> str:
    """For the end of the configuration file."""
    source = "retail" if terms.source == "retail" else "table"
    table = _TABLE if terms.source == "table" else ""
    return f'[pricing]\nsource = "{source}"\ndiscount_percent = {terms.discount}\n{table}'


def listed(scenario: Scenario) -> Scenario:
    """With a list in which no two meters cost the same, so that none can be taken for another one unseen."""
    prices = prices_of(account.location for account in scenario.accounts)
    varied = (replace(row, price=round(row.price * (1 + number / 500), 6)) for number, row in enumerate(prices))
    return replace(scenario, prices=tuple(varied))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A price as far as anybody could know it."""

    low: Fraction
    high: Fraction
    is_guess: bool = False  #: no source has it: whatever is taken for it must be called an estimate

    @classmethod
    def of(cls, low: "Fraction | str", high: "Fraction | str | None" = None, *, keep: Fraction) -> "Worth":
        return cls(low=Fraction(low) * keep, high=Fraction(low if high is None else high) * keep)


def hosting(terms: Agreed, life: LifeTruth) -> Worth | None:
    """What an hour costs; `None`: no source has a price, and none may be claimed."""
    sku = life.sku.lower()
    if sku in _DEVELOPER:
        return Worth.of("0", keep=terms.keep)
    if "provisioned" in sku:
        return Worth.of(Fraction("0.333") * life.capacity, keep=terms.keep) if terms.source == "table" else None
    if sku not in _STANDARD:
        return None
    if terms.source == "table":
        own = "1.57" if sku == "globalstandard" else "1.91"
        return Worth.of("2.13" if sku == "standard" and "gpt-4o" in life.base else own, keep=terms.keep)
    if terms.source == "documentation":
        return Worth.of("1.70", keep=terms.keep)
    if life.rate is None:
        return Worth(low=Fraction(0), high=Fraction(10**6), is_guess=True)
    return Worth.of(life.rate, keep=terms.keep)


def training(terms: Agreed, job: JobTruth) -> Worth | None:
    """What a million tokens cost, or an hour of reinforcement; `None`: no source has a price."""
    kind = job.training_type.lower()
    if terms.source == "table":
        if job.is_reinforcement:
            return Worth.of("90.5", keep=terms.keep)
        return Worth.of("1.9" if kind == "globalstandard" else "2.7", keep=terms.keep)
    if job.is_reinforcement:  # the list's meter of it is not documented
        return Worth.of("100", keep=terms.keep)
    if terms.source == "retail":
        return None if job.rate is None else Worth.of(job.rate, keep=terms.keep)
    if not job.base.startswith("gpt-4.1-2"):
        return None
    if kind == "globalstandard":
        return Worth.of("2", keep=terms.keep)
    if kind.startswith("developer"):
        return Worth.of("1", keep=terms.keep)
    return Worth.of(Fraction(20, 9), Fraction(20, 7), keep=terms.keep)
