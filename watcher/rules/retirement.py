"""The rule about base models that Azure retires: first for training, then altogether, and what was made from it too.

The nearer end counts; that of training only where somebody trained on the base lately. Where the dates come from, and
how firm each is, is part of the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.deployment import Deployment, ProvisioningState
from watcher.resources.ends import End, Ends
from watcher.resources.lineage import Holding, Inventory, Lineage
from watcher.resources.model import Certainty, Retirement, base_of
from watcher.resources.retirements import DOCUMENTED
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.countdown import step_crossed
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.holdings import as_of, unread_item
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.rule import deployment_subject
from watcher.rules.text import duration, rfc3339

_DAY = timedelta(days=1)

#: A base counts as trained on, and the end of training on it is told, for this long after a model was made from it.
_TRAINED_LATELY = 90 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class EndsOfBase:
    """The base model of one deployment, and its ends."""

    name: str
    serving: tuple[End, ...]  #: by each source, the one that counts first
    training: End | None  #: `None`: nobody says, or nobody trained on it lately

    def nearest(self, now: datetime) -> End | None:
        """The end that comes first; training that has ended already is no longer waited for."""
        ahead = self.training if self.training and _left(self.training, now) >= timedelta() else None
        return min(filter(None, (*self.serving[:1], ahead)), key=lambda end: _left(end, now), default=None)


def _left(end: End, now: datetime) -> timedelta:
    return -_DAY if end.is_retired or end.at is None else end.at - now


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRetiring:
    """Finds fine-tuned deployments whose base model comes within `warn_before` of an end, or is retired."""

    name: ClassVar[str] = "model_retiring"

    warn_before: tuple[timedelta, ...] = (90 * _DAY, 30 * _DAY, 7 * _DAY)
    #: What Azure's documentation says, for where the service says nothing.
    documented: tuple[Retirement, ...] = DOCUMENTED

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        lineage, ends = inventory.lineage, Ends(inventory.retirements, self.documented)
        trained = trained_lately(inventory, lineage)
        for holding in inventory.holdings:
            location = holding.account.location
            for deployment in holding.deployments or ():
                name, model = base_behind(lineage, deployment), lineage.model_behind(deployment)
                if not name:
                    continue
                base = EndsOfBase(
                    name=name,
                    serving=tuple(ends.of_serving(name, location, own=model.inference_until if model else None)),
                    training=ends.of_training(name, location) if name.lower() in trained else None,
                )
                if (end := base.nearest(inventory.now)) is not None:
                    yield from self._judge(inventory, holding, deployment, base, end)

    def _judge(
        self, inventory: Inventory, holding: Holding, deployment: Deployment, base: EndsOfBase, end: End
    ) -> Iterator[Answer]:
        subject = deployment_subject(deployment)
        if deployment.provisioning_state is ProvisioningState.DELETING:
            yield Cleared(rule=self.name, subject=subject, because="the deployment is being deleted")
            return
        step = step_crossed(_left(end, inventory.now), self.warn_before)
        if step is None:
            return
        found = self._finding(inventory, holding, deployment, base, end, step)
        doubt = unread_item(holding, deployment)
        if doubt is None:
            yield found
        else:
            yield Undecided(
                rule=self.name, subject=subject, because=doubt.because, since=doubt.since, on_last_evidence=found
            )

    def _finding(
        self, inventory: Inventory, holding: Holding, deployment: Deployment, base: EndsOfBase, end: End, step: str
    ) -> Finding:
        now, account = inventory.now, holding.account
        is_training = end is base.training
        summary = f"training on its base model {base.name}" if is_training else f"its base model {base.name}"
        told = _end_of_training(deployment, base, end) if is_training else _end_of_serving(deployment, base, end, now)
        advice = (
            "Train what is still wanted from this base before then, and choose one that stays for what comes later."
            if is_training
            else "Train anew on a base model that stays, deploy the result beside this one, move the calls over, and "
            "delete this one."
        )
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=deployment_subject(deployment),
            labels=deployment_labels(account, deployment, inventory.owner_tag),
            summary=f"{deployment.name} in {account.label}: {summary} {_when(end, now, is_training)}",
            description=" ".join(filter(None, told)),
            action=f"{advice} The portal lists what a region offers, and until when.\n"
            f"See this deployment:\n{commands.show_deployment(account, deployment)}",
            evidence=f"{end.source}; {as_of(holding, Section.DEPLOYMENTS, now)}",
            values={
                "base": base.name,
                "ends": "training" if is_training else "inference",
                "inference_until": rfc3339(base.serving[0].at) if base.serving else None,
                "fine_tune_until": rfc3339(base.training.at) if base.training else None,
                "certainty": end.certainty.value,
                "fine_tuned_model": deployment.model,
                "owner_source": owner_of(account, deployment=deployment, owner_tag=inventory.owner_tag).source,
            },
            links=portal_link(account, deployment.id),
            step=step,
        )


def _end_of_serving(deployment: Deployment, base: EndsOfBase, end: End, now: datetime) -> Iterator[str]:
    yield (
        f"The model {deployment.model} was made from {base.name}, and ends with it: calls to a retired model are "
        "answered with 410."
    )
    yield _firmness(end)
    for other in base.serving[1:]:
        yield _another(other, end)
    if base.training is not None and base.training.at is not None:
        yield _training_too(base.training, base.training.at, now)


def _end_of_training(deployment: Deployment, base: EndsOfBase, end: End) -> Iterator[str]:
    yield (
        f"The model {deployment.model} was made from {base.name}, on which somebody trained lately. Once that has "
        "ended, new jobs on this base can be expected to be refused."
    )
    yield _firmness(end)
    if not base.serving or base.serving[0].at is None:
        yield "Until when the base model is served, and this deployment with it, is not known."
        return
    serving, at = base.serving[0], base.serving[0].at
    least = "no earlier than " if serving.certainty is Certainty.TABLE else ""
    yield f"The base model is retired, and this deployment ends with it, {least}{at:%Y-%m-%d}, by {serving.source}."


def base_behind(lineage: Lineage, deployment: Deployment) -> str:
    """Full name of the base model at the root; "" where neither a job nor the deployment's name tells it."""
    model = lineage.model_behind(deployment)
    if model is not None and (base := lineage.base(model)):
        return base
    base = base_of(deployment.model)
    return "" if base == deployment.model else base


def _when(end: End, now: datetime, is_training: bool) -> str:
    """How the summary ends."""
    if end.is_retired or end.at is None:
        since = f" since {end.at:%Y-%m-%d}" if end.at is not None and end.at <= now else ""
        return f"is retired{since}"
    date, left = f"{end.at:%Y-%m-%d}", end.at - now
    verb = "end" if is_training else "retire"
    if end.certainty is Certainty.TABLE:
        is_ahead = left >= timedelta()
        return f"may {verb} in {duration(left)} ({date} or later)" if is_ahead else f"may be retired since {date}"
    if left < timedelta():
        return f"is retired since {date}"
    tentative = ", tentative" if end.certainty is Certainty.TENTATIVE else ""
    return f"{verb}s in {duration(left)} ({date}{tentative})"


def _firmness(end: End) -> str:
    """How much the date is worth."""
    match end.certainty:
        case Certainty.PLANNED:
            return "Azure calls the date planned."
        case Certainty.TENTATIVE:
            return "Azure calls the date tentative: it may move."
        case Certainty.UNSTATED:
            return "" if end.at is None else "The service gives the date and does not say how firm it is."
        case Certainty.TABLE:
            return (
                "The date comes from Azure's documentation, which says no earlier than that, and not from the service: "
                "the present page may name another."
            )


def _another(other: End, end: End) -> str:
    """What another source says, where it says something else."""
    if other.at is None or (end.at is not None and abs(other.at - end.at) <= _DAY):
        return ""
    least = "no earlier than " if other.certainty is Certainty.TABLE else ""
    return f"Another date stands in {other.source}: {least}{other.at:%Y-%m-%d}."


def _training_too(end: End, at: datetime, now: datetime) -> str:
    """Until when one can train on the base, beside the end of serving."""
    date = f"{at:%Y-%m-%d}"
    if end.certainty is Certainty.TABLE:
        return f"Training on it ends no earlier than {date}, by Azure's documentation."
    return f"It can no longer be trained on since {date}." if at <= now else f"Training ends {date}."


def trained_lately(inventory: Inventory, lineage: Lineage) -> set[str]:
    return {
        lineage.base(model).lower()
        for holding in inventory.holdings
        for model in holding.models
        if model.created_at is not None and inventory.now - model.created_at <= _TRAINED_LATELY
    }
