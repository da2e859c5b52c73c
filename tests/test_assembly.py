"""What the configuration's values become: the options that rules share."""

from datetime import timedelta

from watcher import assembly, config
from watcher.rules.superseded import DeploymentSuperseded

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
    judgement = assembly.judgement_of(config.parse(MINIMAL + text, environ={}))
    found = next(rule for rule in (*judgement.rules, *judgement.inventory_rules) if rule.name == name)
    return getattr(found, "rule", found)


def test_rules_that_tell_of_fees_go_by_the_same_prices() -> None:
    for currency, fee in (("USD", 1.70), ("EUR", None)):
        text = PRICES.format(currency=currency)
        idle, superseded = rule_of(text, "deployment_idle"), rule_of(text, "deployment_superseded")
        for option in ("hosting_per_hour", "currency", "prices", "discount_percent"):
            assert getattr(idle, option) == getattr(superseded, option)
        assert isinstance(superseded, DeploymentSuperseded)
        assert (superseded.hosting_per_hour, superseded.currency) == (fee, currency)
        assert superseded.prices == (("gpt-4o*", "standard", 3.0),)


def test_calls_are_read_back_beyond_the_longest_lifetime_of_any_sku() -> None:
    text = (
        MINIMAL
        + """
[rules.deployment_idle]
lifetime = "30d"
lifetimes = { "provisioned*" = "never", "globalstandard" = "60d" }
"""
    )
    assert assembly.first_span_of(config.parse(text, environ={})) == timedelta(days=61)
