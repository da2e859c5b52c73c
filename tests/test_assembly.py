"""What the configuration's values become: the options that rules share."""

from datetime import timedelta
from decimal import Decimal

from watcher import assembly, config
from watcher.alerts.routing import explain_routes
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
    judgement = assembly.judgement_of(config.parse(MINIMAL + text, environ={}))
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


OWNERS = """
[[receivers]]
name = "slack"
type = "console"
[[receivers]]
name = "mail"
type = "console"
[[receivers]]
name = "pager"
type = "console"
[route]
receiver = "slack"
group_by = ["account"]
group_wait = "10s"
escalate_after = "1h"
escalate_to = ["pager"]
[[owners]]
name = "Ads"
match = ['owner="ads"']
receivers = ["mail"]
[[owners]]
name = "Search"
match = ['owner="search"', 'environment!="dev"']
receivers = ["mail", "pager"]
"""


def test_owners_become_routes_beside_the_tree() -> None:
    routing = assembly.routing_of(config.parse(MINIMAL + OWNERS, environ={}))
    assert routing is not None
    assert [(route.path, route.receiver) for route in routing.owners] == [
        ("owners[0]", "mail"),
        ("owners[1]", "mail"),
        ("owners[1]", "pager"),
    ]
    assert {(route.group_by, route.group_wait, route.escalate_to) for route in routing.owners} == {
        (("account",), timedelta(seconds=10), ())
    }
    labels = {"rule": "job_failed", "owner": "search"}
    assert [(path, name) for path, name, _ in explain_routes(labels, routing)] == [
        ("route", "slack"),
        ("owners[1]", "mail"),
        ("owners[1]", "pager"),
    ]
    assert explain_routes({**labels, "environment": "dev"}, routing) == [("route", "slack", {})]
