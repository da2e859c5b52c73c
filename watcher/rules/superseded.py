"""The rule about deployments that a newer model has replaced, wherever that is deployed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from watcher.costs.hosting import hourly
from watcher.costs.idle import MONTH
from watcher.costs.money import Unknown
from watcher.costs.prices import LIST_PRICES, Price, Terms, book_of
from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind
from watcher.resources.lineage import Holding, Inventory, Kinship, Lineage, Model
from watcher.resources.model import family, suffix_of
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.finding import Answer, Finding, FindingKind, Severity, Undecided
from watcher.rules.holdings import as_of, calls, last_call, unread_deployments, unread_item
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.rule import deployment_subject
from watcher.rules.sight import Unread
from watcher.rules.text import counted, moment, rfc3339

#: On their way out, or never come to be: `deployment_failed` and the listing tell of these.
NOT_STANDING = frozenset({ProvisioningState.DELETING, ProvisioningState.FAILED, ProvisioningState.CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A newer model, and one deployment that serves it."""

    model: Model
    kinship: Kinship
    deployment: Deployment
    holding: Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSuperseded:
    """Finds deployments that still cost money although a newer model of the same lineage is deployed.

    Developer deployments are left out: they have no hosting fee and end by themselves.
    """

    name: ClassVar[str] = "deployment_superseded"

    pricing: Terms = LIST_PRICES

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        lineage = inventory.lineage
        blind = unread_deployments(inventory.holdings)
        for holding in inventory.holdings:
            if holding.deployments is None:
                continue  # no deployment of it is known, and so no alert about one
            for deployment in holding.deployments:
                if deployment.sku_kind is not SkuKind.DEVELOPER and deployment.provisioning_state not in NOT_STANDING:
                    yield from self._judge(inventory, lineage, holding, deployment, blind)

    def _judge(
        self, inventory: Inventory, lineage: Lineage, holding: Holding, deployment: Deployment, blind: Unread | None
    ) -> Iterator[Answer]:
        model = lineage.model_behind(deployment)
        if model is None:
            return
        successor, doubt = successor_of(lineage, model), unread_item(holding, deployment)
        if successor is None:
            # A newer model exists and may be deployed where nobody could look.
            doubt = (doubt or blind) if next(lineage.newer(model), None) else None
        else:
            doubt = doubt or unread_item(successor.holding, successor.deployment)
        found = self._finding(inventory, lineage, holding, deployment, model, successor) if successor else None
        if doubt is not None:
            yield Undecided(
                rule=self.name,
                subject=deployment_subject(deployment),
                because=doubt.because,
                since=doubt.since,
                on_last_evidence=found,
            )
        elif found is not None:
            yield found

    def _finding(
        self,
        inventory: Inventory,
        lineage: Lineage,
        holding: Holding,
        deployment: Deployment,
        model: Model,
        successor: Successor,
    ) -> Finding:
        now, other = inventory.now, successor.deployment
        price = hourly(
            book_of(self.pricing, inventory.retail),
            model=deployment.model,
            sku=deployment.sku,
            capacity=deployment.capacity,
            location=holding.account.location,
        )
        where = f"{other.name} in {successor.holding.account.label}"
        trial = " It runs on a Developer deployment, which is for trials and ends after 24 h."
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=deployment_subject(deployment),
            labels=deployment_labels(holding.account, deployment, inventory.owner_tag),
            summary=f"{deployment.name} in {holding.account.label} serves an older model: a newer one of its lineage "
            f"is deployed as {where}",
            description=f"{_relation(lineage, model, successor)} {_fee(deployment, price, now)}"
            + (trial if other.sku_kind is SkuKind.DEVELOPER else ""),
            action="If the newer one has taken over, delete this one; its model stays and can be deployed again:\n"
            f"{commands.delete_deployment(holding.account, deployment)}\n"
            f"If both are wanted, keep it:\n{commands.keep(holding.account, deployment)}",
            evidence="; ".join(
                [
                    f"this one: {model.id}, made {_when(model.created_at)}, {calls(holding, deployment)}",
                    f"the newer: {successor.model.id}, made {_when(successor.model.created_at)}, deployed as {where}"
                    f"{_since(other)}, {calls(successor.holding, other)}",
                    as_of(holding, Section.DEPLOYMENTS, now),
                    *(
                        [as_of(successor.holding, Section.DEPLOYMENTS, now)]
                        if successor.holding.account.key != holding.account.key
                        else []
                    ),
                ]
            ),
            values={
                "fine_tuned_model": model.id,
                "model_created_at": rfc3339(model.created_at),
                "newer_model": successor.model.id,
                "newer_created_at": rfc3339(successor.model.created_at),
                "newer_deployment": other.name,
                "newer_account": successor.holding.account.label,
                "relation": successor.kinship.value,
                "last_success_at": rfc3339(last_call(holding.usage.get(deployment.name.lower()), deployment)),
                "hosting_per_hour": None if isinstance(price, Unknown) else price.amount,
                "monthly_cost": None if isinstance(price, Unknown) else float(price.over(MONTH).most),
                "currency": self.pricing.currency,
                "owner_source": owner_of(holding.account, deployment=deployment, owner_tag=inventory.owner_tag).source,
            },
            links=portal_link(holding.account, deployment.id),
            occurred_at=other.created_at,
        )


def successor_of(lineage: Lineage, model: Model) -> Successor | None:
    """The newest model of the line that is served: one that lasts before one on trial, which nobody can move to, and
    that before one that was not read in good order.
    """
    trial = doubtful = None
    for newer, kinship in lineage.newer(model):
        for deployment in lineage.deployments(newer):
            holding = lineage.holding(deployment.account)
            if holding is None or deployment.provisioning_state is not ProvisioningState.SUCCEEDED:
                continue
            found = Successor(model=newer, kinship=kinship, deployment=deployment, holding=holding)
            if unread_item(holding, deployment) is not None:
                doubtful = doubtful or found
            elif deployment.sku_kind is SkuKind.DEVELOPER:
                trial = trial or found
            else:
                return found
    return trial or doubtful


def _relation(lineage: Lineage, model: Model, successor: Successor) -> str:
    if successor.kinship is Kinship.DESCENT:
        steps = list(lineage.ancestors(successor.model))
        between = steps.index(model)
        through = f", through {counted(between, 'model')} between them" if between else ""
        return f"The newer model was trained from this one{through}: the service names it as its base."
    whose = lineage.owner(model)
    scope = f"owned by {whose}" if whose else "made in the same account"
    suffix = successor.model.suffix or suffix_of(successor.model.id)
    return (
        f'Both models were trained from {family(lineage.base(model))} under the suffix "{suffix}" and are {scope}. '
        "That the newer one replaces this one is an assumption from these names; Azure does not say so."
    )


def _fee(deployment: Deployment, price: Price | Unknown, now: datetime) -> str:
    if isinstance(price, Price):
        much = f"about {price.over(MONTH).text} in 30 days, at {price.text()} ({price.origin(now)})"
        return f"While this one stands, its hosting is charged by the hour, called or not: {much}."
    match deployment.sku_kind:
        case SkuKind.STANDARD:
            return "While this one stands, its hosting is charged by the hour, called or not."
        case SkuKind.PROVISIONED:
            return "While this one stands, its provisioned units are charged by the hour, called or not."
        case _:
            return f"What a deployment of SKU {deployment.sku or 'unknown'} costs while it stands is not known."


def _when(at: datetime | None) -> str:
    return moment(at) if at else "at an unknown time"


def _since(deployment: Deployment) -> str:
    return f" since {moment(deployment.created_at)}" if deployment.created_at else ""
