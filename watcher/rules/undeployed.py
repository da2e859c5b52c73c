"""The rule about custom models that nobody deployed: what one account lacks may stand in another.

A model is most likely deployed within its subscription, so nothing is said of it while an account there is unread. One
that is unread elsewhere only adds a doubt to what is said: in a large fleet some account always is.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.resources.deployment import Deployment
from watcher.resources.lineage import Holding, Inventory, Lineage, Model
from watcher.resources.model import is_checkpoint_id, suffix_of
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.holdings import as_of, model_labels, model_owner, unread, unread_deployments
from watcher.rules.labels import portal_link
from watcher.rules.sight import Unread
from watcher.rules.text import ago, counted, duration, moment, rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUndeployed:
    """Finds custom models that, after some time, are deployed nowhere."""

    name: ClassVar[str] = "model_undeployed"

    #: From when the model was made.
    after: timedelta = timedelta(days=14)

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        lineage, basis = inventory.lineage, _basis(inventory)
        unseen = unread_deployments(inventory.holdings)
        for holding, model, answer in self.judged(inventory):
            if isinstance(answer, _Why):
                yield self._cleared(lineage, holding, model, answer)
            elif answer is None:
                yield self._finding(inventory.now, lineage, holding, model, basis, unseen)
            else:
                subject = _model_subject(holding, model)
                yield Undecided(rule=self.name, subject=subject, because=answer.because, since=answer.since)

    def judged(self, inventory: Inventory) -> Iterator[tuple[Holding, Model, "_Why | Unread | None"]]:
        """Models with why each is surely no such one, or why nobody can tell; `None`: it is one."""
        lineage = inventory.lineage
        unplaced, blind = _unplaced(lineage), _unread_by_subscription(inventory)
        served = {each.model.lower() for holding in inventory.holdings for each in holding.deployments or ()}
        for holding in inventory.holdings:
            unseen = blind.get(holding.account.subscription.lower())
            strange, unlisted = unplaced.get(holding.account.key), unread(holding, Section.MODELS)
            for model in holding.models:
                if why := _why_cleared(lineage, holding, model, served):
                    yield holding, model, why
                elif model.created_at is None or inventory.now - model.created_at >= self.after:
                    # A strange checkpoint is another's where it is known by what ids those of this one go.
                    may_be_its = strange is not None and not any(map(is_checkpoint_id, model.checkpoints))
                    doubt = unseen or (strange if may_be_its else None) or unlisted
                    if model.created_at is None:
                        doubt = doubt or Unread(because="when the model was made is not known")
                    yield holding, model, doubt

    def _cleared(self, lineage: Lineage, holding: Holding, model: Model, why: "_Why") -> Cleared:
        because = why.value
        if why is _Why.DEPLOYED:
            places = sorted({f"{each.name} in {_label(lineage, each)}" for each in lineage.deployments(model)})
            because = f"{because}: {', '.join(places)}"
        return Cleared(rule=self.name, subject=_model_subject(holding, model), because=because)

    def _finding(
        self, now: datetime, lineage: Lineage, holding: Holding, model: Model, basis: str, unseen: Unread | None
    ) -> Finding:
        assert model.created_at is not None
        account = holding.account
        parent, base = lineage.parent(model), lineage.base(model)
        origin = parent.id if parent else base or model.base
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=_model_subject(holding, model),
            labels=model_labels(holding, lineage, model),
            summary=f"Custom model {model.id} in {account.label} is deployed nowhere"
            f"{' that watcher can see' if unseen else ''}, {duration(now - model.created_at)} after it was made",
            description=(f"It was trained from {origin}" if origin else "What it was trained from is not known")
            + (f" by job {model.job}. " if model.job else ". ")
            + "No deployment that watcher can see serves it or a checkpoint of it. It has no hosting fee while it is "
            "not deployed, and it stays until somebody deletes it.",
            action="If it is wanted, deploy it:\n"
            f"{commands.deploy_custom_model(account, model.id, model.suffix or suffix_of(model.id))}\n"
            "Mind that hosting costs by the hour from then on. If nobody wants it"
            f"{', and no account that could not be read serves it' if unseen else ''}, delete it in the portal.",
            evidence=f"made {moment(model.created_at)}; {as_of(holding, Section.MODELS, now)}; {basis}"
            + (f"; it may be deployed in another subscription unseen: {unseen.because}" if unseen else ""),
            values={
                "fine_tuned_model": model.id,
                "base": base,
                "job": model.job,
                "created_at": rfc3339(model.created_at),
                "training_file": model.training_file,
                "owner_source": model_owner(holding, lineage, model).source,
            },
            links=portal_link(account),
            occurred_at=model.created_at,
        )


class _Why(Enum):
    """Why a model is surely none that this rule looks for."""

    DEPLOYED = "the model is deployed"
    NAMESAKE_DEPLOYED = "a model of this name is deployed"  # where two accounts have one, a deployment counts for both
    UNLISTED = "the model is no longer listed"


def _why_cleared(lineage: Lineage, holding: Holding, model: Model, served: set[str]) -> _Why | None:
    if lineage.is_deployed(model):
        return _Why.DEPLOYED
    if model.id.lower() in served:
        return _Why.NAMESAKE_DEPLOYED
    if holding.models_at is not None and not model.is_listed:
        return _Why.UNLISTED
    return None


def _model_subject(holding: Holding, model: Model) -> Subject:
    return Subject(id=holding.account.key, kind=ResourceKind.MODEL, incarnation=model.id)


def _label(lineage: Lineage, deployment: Deployment) -> str:
    holding = lineage.holding(deployment.account)
    return holding.account.label if holding else deployment.account


def _unplaced(lineage: Lineage) -> dict[str, Unread]:
    """By account, that a deployment serves a checkpoint by an id of which it is not known whose it is."""
    return {
        place: Unread(
            because=f"{deployment.name} in {_label(lineage, deployment)} serves the checkpoint {deployment.model}, and "
            "which model that belongs to is not known"
        )
        for deployment in lineage.unplaced
        if is_checkpoint_id(deployment.model)
        for place in (deployment.account, deployment.model_source.lower())
    }


def _unread_by_subscription(inventory: Inventory) -> dict[str, Unread]:
    """Where a model may be deployed unseen: by subscription in lower case, why."""
    holdings: defaultdict[str, list[Holding]] = defaultdict(list)
    for holding in inventory.holdings:
        holdings[holding.account.subscription.lower()].append(holding)
    return {name: doubt for name, some in holdings.items() if (doubt := unread_deployments(some))}


def _basis(inventory: Inventory) -> str:
    """What was looked through, and how old the oldest part of it is."""
    times = [
        holding.deployments_at
        for holding in inventory.holdings
        if holding.deployments_at and not unread(holding, Section.DEPLOYMENTS)
    ]
    oldest = ago(min(times), inventory.now) if times else "unknown"
    return f"deployments of {counted(len(times), 'account')} read, the oldest reading {oldest}"
