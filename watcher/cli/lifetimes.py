"""How long deployments live, by the configuration: listings and `explain` then reckon as the rules do."""

from typing import TYPE_CHECKING

from watcher.rules.lifetimes import Lifetimes

if TYPE_CHECKING:
    from watcher.config import Config


def lifetimes_of(config: "Config") -> Lifetimes:
    """As `deployment_idle` and `deployment_expiring` have them."""
    idle, expiring = config.rules.deployment_idle, config.rules.deployment_expiring
    return Lifetimes(
        idle=idle.lifetime,
        idle_by_sku=idle.lifetimes,
        expiry=expiring.lifetime,
        expiry_by_sku=expiring.lifetimes,
    )
