"""What is judged by: the rules in force, how often what is read, and what the operator says of prices."""

from collections.abc import Mapping
from functools import partial

import structlog

from watcher.azure.clouds import CLOUDS
from watcher.config import Config
from watcher.costs.prices import OwnPrice, Terms
from watcher.cycles import Cadence, Judgement, Tariff
from watcher.rules.finding import Severity
from watcher.rules.metrics_pace import metrics_wait, stale_after
from watcher.rules.registry import build_rules

log = structlog.get_logger()


def judgement_of(config: Config) -> Judgement:
    """The rules in force."""
    options: dict[str, Mapping[str, object]] = {
        name: {
            **{key: getattr(rule, key) for key in type(rule).model_fields},
            "severity": Severity(rule.severity) if rule.severity else None,
        }
        for name, rule in config.rules.builtin.items()
    }
    rules = config.rules
    for name in ("deployment_idle", "deployment_wasting", "deployment_trickle", "deployment_superseded", "job_cost"):
        options[name] = {**options[name], "pricing": terms_of(config)}
    for name in ("deployment_idle", "deployment_wasting"):
        options[name] = {
            **options[name],
            "lifetime": rules.deployment_idle.lifetime,
            "lifetimes": rules.deployment_idle.lifetimes,
            "stale_after": stale_after(config.poll.metrics),
        }
    options["deployment_gone"] = {
        **options["deployment_gone"],
        "idle_lifetime": rules.deployment_idle.lifetime,
        "idle_lifetimes": rules.deployment_idle.lifetimes,
        "developer_lifetime": rules.deployment_expiring.lifetime,
        "expiry_lifetimes": rules.deployment_expiring.lifetimes,
    }
    built = build_rules({**options, **rules.plugins})
    for problem in built.problems:
        log.error("rule.broken", path=problem.path, problem=problem.message, cure=problem.cure)
    return Judgement(
        rules=built.rules,
        fleet_rules=built.fleet_rules,
        inventory_rules=built.inventory_rules,
        cadence=Cadence(
            active=config.poll.active,
            quiet=config.poll.quiet,
            deployments=config.poll.deployments,
            metrics=config.poll.metrics,
            files=config.poll.files,
            models=config.poll.models,
            metrics_pace=partial(
                metrics_wait,
                every=config.poll.metrics,
                warn_before=rules.deployment_idle.warn_before,
                lifetime=rules.deployment_idle.lifetime,
                lifetimes=rules.deployment_idle.lifetimes,
            ),
        ),
        critical_environments=frozenset(config.watcher.critical_environments),
        owner_tag=config.azure.discovery.owner_tag,
        receivers=frozenset(receiver.name for receiver in config.receivers),
        tariff=tariff_of(config),
    )


def terms_of(config: Config) -> Terms:
    """What the operator says of prices."""
    pricing = config.pricing
    return Terms(
        table=tuple(
            OwnPrice(
                model=line.model,
                sku=line.sku,
                hosting_per_hour=line.hosting_per_hour,
                ptu_per_hour=line.ptu_per_hour,
                training_per_million=line.training_per_million,
                training_per_hour=line.training_per_hour,
            )
            for line in pricing.table
        ),
        currency=pricing.currency,
        discount_percent=pricing.discount_percent,
    )


def tariff_of(config: Config) -> Tariff:
    """The public price list that amounts rest on, none where the configuration wants none or its cloud has none."""
    cloud = CLOUDS.get(config.azure.cloud)
    is_published = bool(cloud.prices_url if cloud else config.azure.prices_url)
    return Tariff(config.pricing.currency if config.pricing.source == "retail" and is_published else "")
