"""The rule about base models that Azure retires: a fine-tuned deployment ends with the model it was made from.

A date may come from three places, the firmest first: ARM's catalogue of the region, the account's own listing of its
models, and the table in Azure's documentation. What each of them says, and how firmly, is part of the text.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.deployment import Deployment, ProvisioningState
from watcher.resources.lineage import Holding, Inventory, Lineage, base_of, lineage_of
from watcher.resources.model import Certainty, Retirement
from watcher.resources.retirements import DOCUMENTED
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.countdown import step_crossed
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.holdings import as_of, unread_item
from watcher.rules.labels import deployment_labels, portal_link
from watcher.rules.rule import deployment_subject
from watcher.rules.text import duration, rfc3339

_DAY = timedelta(days=1)

#: ARM's word for a retired model; what its documentation calls deprecated is `Deprecating` there.
_RETIRED = "deprecated"

#: A base counts as trained on, and the end of training on it is told, for this long after a model was made from it.
_TRAINED_LATELY = 90 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """When a base model is no longer served, by one source."""

    at: datetime | None  #: `None`: it is said to be retired, and not since when
    certainty: Certainty
    source: str
    is_retired: bool = False  #: by the source's own word, whatever the date


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRetiring:
    """Finds fine-tuned deployments whose base model comes within `warn_before` of its retirement, or is past it."""

    name: ClassVar[str] = "model_retiring"

    warn_before: tuple[timedelta, ...] = (90 * _DAY, 30 * _DAY, 7 * _DAY)
    #: What Azure's documentation says, for where the service says nothing.
    documented: tuple[Retirement, ...] = DOCUMENTED

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        lineage, known = lineage_of(inventory), _by_model(inventory.retirements)
        documented = _by_model(self.documented)
        trained = _trained_lately(inventory, lineage)
        for holding in inventory.holdings:
            for deployment in holding.deployments or ():
                base = _base(lineage, deployment)
                ends = tuple(_ends(holding, lineage, deployment, base, known, documented)) if base else ()
                if ends:
                    rows = (*_fitting(known, base, holding), *_fitting(documented, base, holding))
                    training = _training_ends(rows, inventory.now) if base.lower() in trained else ""
                    yield from self._judge(inventory, holding, deployment, base, ends, training)

    def _judge(
        self,
        inventory: Inventory,
        holding: Holding,
        deployment: Deployment,
        base: str,
        ends: tuple[_End, ...],
        training: str,
    ) -> Iterator[Answer]:
        subject = deployment_subject(deployment)
        if deployment.provisioning_state is ProvisioningState.DELETING:
            yield Cleared(rule=self.name, subject=subject, because="the deployment is being deleted")
            return
        end = ends[0]
        left = -_DAY if end.is_retired or end.at is None else end.at - inventory.now
        step = step_crossed(left, self.warn_before)
        if step is None:
            return
        found = self._finding(inventory, holding, deployment, base, ends, training, step)
        doubt = unread_item(holding, deployment)
        if doubt is None:
            yield found
        else:
            yield Undecided(
                rule=self.name, subject=subject, because=doubt.because, since=doubt.since, on_last_evidence=found
            )

    def _finding(
        self,
        inventory: Inventory,
        holding: Holding,
        deployment: Deployment,
        base: str,
        ends: tuple[_End, ...],
        training: str,
        step: str,
    ) -> Finding:
        now, end, account = inventory.now, ends[0], holding.account
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=deployment_subject(deployment),
            labels=deployment_labels(account, deployment, inventory.owner_tag),
            summary=f"{deployment.name} in {account.label}: its base model {base} {_when(end, now)}",
            description=" ".join(
                part
                for part in (
                    f"The model {deployment.model} was made from {base}, and ends with it: calls to a retired model "
                    "are answered with 410.",
                    _firmness(end),
                    *(_another(other, end) for other in ends[1:]),
                    training,
                )
                if part
            ),
            action="Train anew on a base model that stays, deploy the result beside this one, move the calls over, and "
            "delete this one. The portal lists what a region offers, and until when.\n"
            f"See this deployment:\n{commands.show_deployment(account, deployment)}",
            evidence=f"{end.source}; {as_of(holding, Section.DEPLOYMENTS, now)}",
            values={
                "base": base,
                "inference_until": rfc3339(end.at),
                "certainty": end.certainty.value,
                "fine_tuned_model": deployment.model,
            },
            links=portal_link(account, deployment.id),
            step=step,
        )


def _base(lineage: Lineage, deployment: Deployment) -> str:
    """Full name of the base model at the root; "" where neither a job nor the deployment's name tells it."""
    model = lineage.model_behind(deployment)
    if model is not None and (base := lineage.base(model)):
        return base
    base = base_of(deployment.model)
    return "" if base == deployment.model else base


def _by_model(retirements: Iterable[Retirement]) -> Mapping[str, tuple[Retirement, ...]]:
    sorted_: dict[str, tuple[Retirement, ...]] = {}
    for each in retirements:
        sorted_[each.model.lower()] = (*sorted_.get(each.model.lower(), ()), each)
    return sorted_


def _fitting(known: Mapping[str, tuple[Retirement, ...]], base: str, holding: Holding) -> tuple[Retirement, ...]:
    """What is said of the base model: of the account's region before what holds everywhere, the earliest end first."""
    here = holding.account.location.lower().replace(" ", "")
    rows = [each for each in known.get(base.lower(), ()) if each.location.lower().replace(" ", "") in (here, "")]
    return tuple(sorted(rows, key=lambda each: (not each.location, each.inference_until is None, _at(each))))


def _at(retirement: Retirement) -> float:
    return retirement.inference_until.timestamp() if retirement.inference_until else 0.0


def _ends(
    holding: Holding,
    lineage: Lineage,
    deployment: Deployment,
    base: str,
    known: Mapping[str, tuple[Retirement, ...]],
    documented: Mapping[str, tuple[Retirement, ...]],
) -> Iterator[_End]:
    """What each source says, the one that counts first."""
    for row in _fitting(known, base, holding):
        is_retired = row.lifecycle.lower() == _RETIRED
        if row.inference_until is not None or is_retired:
            where = f" of {row.location}" if row.location else ""
            said = f", which calls the model {row.lifecycle}" if row.lifecycle else ""
            source = f"ARM's model catalogue{where}{said}"
            yield _End(at=row.inference_until, certainty=row.certainty, source=source, is_retired=is_retired)
            break
    model = lineage.model_behind(deployment)
    if model is not None and model.inference_until is not None:
        source = "the account's own listing of its models"
        yield _End(at=model.inference_until, certainty=Certainty.UNSTATED, source=source)
    for row in _fitting(documented, base, holding):
        if row.inference_until is not None:
            source = "the table in Azure's documentation that this version of watcher ships"
            yield _End(at=row.inference_until, certainty=row.certainty, source=source)
            break


def _when(end: _End, now: datetime) -> str:
    """How the summary ends."""
    if end.is_retired or end.at is None:
        since = f" since {end.at:%Y-%m-%d}" if end.at is not None and end.at <= now else ""
        return f"is retired{since}"
    date, left = f"{end.at:%Y-%m-%d}", end.at - now
    if end.certainty is Certainty.TABLE:
        is_ahead = left >= timedelta()
        return f"may retire in {duration(left)} ({date} or later)" if is_ahead else f"may be retired since {date}"
    if left < timedelta():
        return f"is retired since {date}"
    tentative = ", tentative" if end.certainty is Certainty.TENTATIVE else ""
    return f"retires in {duration(left)} ({date}{tentative})"


def _firmness(end: _End) -> str:
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


def _another(other: _End, end: _End) -> str:
    """What another source says, where it says something else."""
    if other.at is None or (end.at is not None and abs(other.at - end.at) <= _DAY):
        return ""
    least = "no earlier than " if other.certainty is Certainty.TABLE else ""
    return f"Another date stands in {other.source}: {least}{other.at:%Y-%m-%d}."


def _training_ends(rows: Iterable[Retirement], now: datetime) -> str:
    """Until when one can train on the base; told where somebody did so lately."""
    row = next((row for row in rows if row.fine_tune_until is not None), None)
    if row is None or row.fine_tune_until is None:
        return ""
    date = f"{row.fine_tune_until:%Y-%m-%d}"
    if row.certainty is Certainty.TABLE:
        return f"Training on it ends no earlier than {date}, by Azure's documentation."
    return f"It can no longer be trained on since {date}." if row.fine_tune_until <= now else f"Training ends {date}."


def _trained_lately(inventory: Inventory, lineage: Lineage) -> set[str]:
    return {
        lineage.base(model).lower()
        for holding in inventory.holdings
        for model in holding.models
        if model.created_at is not None and inventory.now - model.created_at <= _TRAINED_LATELY
    }
