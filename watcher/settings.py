"""What answers go by, from the configuration: light to import, for commands that only read."""

from datetime import datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from watcher.alerts.lint import CRITICAL_RULES, LABELS, Known
from watcher.answers.query import Frame
from watcher.rules import registry
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.metrics_pace import stale_after

if TYPE_CHECKING:  # pydantic costs a third of a second, and whoever calls has loaded it
    from watcher.config import Config


def frame_of(config: "Config", now: datetime) -> Frame:
    """What an answer given at `now` goes by."""
    return Frame(
        now=now,
        owner_tag=config.azure.discovery.owner_tag,
        lifetimes=lifetimes_of(config),
        stale_after=stale_after(config.poll.metrics),
    )


def lifetimes_of(config: "Config") -> Lifetimes:
    """How long deployments live, as `deployment_idle` and `deployment_expiring` have it."""
    idle, expiring = config.rules.deployment_idle, config.rules.deployment_expiring
    return Lifetimes(
        idle=idle.lifetime,
        idle_by_sku=idle.lifetimes,
        expiry=expiring.lifetime,
        expiry_by_sku=expiring.lifetimes,
    )


def known_of(config: "Config") -> Known:
    """What alerts can be like under the configuration, for `lint.odd_matchers` and the like."""
    plugins = entry_points(group=registry.ENTRY_POINTS).names
    options = config.rules.builtin
    added = [*config.azure.discovery.tag_labels]
    added += [label for given in config.azure.accounts for label in given.labels]
    added += [label for rule in options.values() for label in rule.labels]
    raised = {name for name, rule in options.items() if rule.severity == "critical"}
    lowered = {name for name, rule in options.items() if rule.severity not in (None, "critical")}
    return Known(
        rules=sorted({*registry.BUILTIN, *plugins}),
        critical_rules=sorted((CRITICAL_RULES | raised | plugins) - lowered),
        labels=None if plugins else frozenset({*LABELS, *added}),
    )
