"""Which options the rules share."""

from decimal import Decimal

from watcher import config
from watcher.assembly.judgement import judgement_of
from watcher.costs.prices import OwnPrice, Terms

MINIMAL = """
[database]
url = "sqlite:///watcher.db"
"""
PRICES = """
[pricing]
currency = "{currency}"
discount_percent = 10
[[pricing.table]]
model = "gpt-4o*"
sku = "Standard"
hosting_per_hour = 3.0
"""


def rule_of(text: str, name: str) -> object:
    judgement = judgement_of(config.parse(MINIMAL + text, environ={}))
    found = next(rule for rule in (*judgement.rules, *judgement.inventory_rules) if rule.name == name)
    return getattr(found, "rule", found)


def test_rules_that_tell_of_money_go_by_the_same_prices() -> None:
    expected = Terms(
        table=(OwnPrice(model="gpt-4o*", sku="Standard", hosting_per_hour=Decimal("3.0")),),
        currency="EUR",
        discount_percent=Decimal(10),
    )
    text = PRICES.format(currency="EUR")
    for name in ("deployment_idle", "deployment_wasting", "deployment_superseded", "deployment_trickle", "job_cost"):
        assert rule_of(text, name).pricing == expected  # type: ignore[attr-defined]


def test_what_counts_as_idle_is_the_same_for_risk_and_for_waste() -> None:
    text = '[rules.deployment_idle]\nlifetime = "20d"\nlifetimes = { "provisioned*" = "never" }'
    idle, wasting = rule_of(text, "deployment_idle"), rule_of(text, "deployment_wasting")
    for option in ("lifetime", "lifetimes", "stale_after"):
        assert getattr(idle, option) == getattr(wasting, option)
