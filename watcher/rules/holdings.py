"""What could not be read of an account's holdings, in words, and the labels of a custom model."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from watcher.resources.deployment import Deployment, Usage
from watcher.resources.lineage import Holding, Lineage, Model
from watcher.resources.snapshot import Section
from watcher.rules.labels import Owner, account_labels, owner_of
from watcher.rules.sight import REASONS, Unread
from watcher.rules.text import ago, counted, moment


def unread(holding: Holding, section: Section) -> Unread | None:
    """Why what is known of a section does not count as present, or `None`."""
    read_at = _read_at(holding, section)
    if read_at is not None and not holding.gaps:  # as nearly always
        return None
    what = f"the {section.value} of {holding.account.label}"
    gap = next((gap for gap in holding.gaps if gap.section is section and not gap.subject), None)
    if gap is not None:
        return Unread(because=f"{what} could not be read: {REASONS[gap.reason]}", since=read_at)
    if read_at is None:
        return Unread(because=f"{what} have not been read yet")
    return None


def unread_item(holding: Holding, deployment: Deployment) -> Unread | None:
    """The same for one deployment."""
    if whole := unread(holding, Section.DEPLOYMENTS):
        return whole
    for gap in holding.gaps:
        if gap.section is Section.DEPLOYMENTS and gap.is_about(deployment):
            because = f"{deployment.name} in {holding.account.label} could not be read: {REASONS[gap.reason]}"
            return Unread(because=because, since=gap.at)
    return None


def unread_deployments(holdings: Iterable[Holding]) -> Unread | None:
    """Why there may be deployments here that nobody saw, or `None`: an account, or an item, was not read."""
    found = [each for holding in holdings if (each := _unread_or_not_whole(holding))]
    if len(found) < 2:
        return found[0] if found else None
    since = min((each.since for each in found if each.since), default=None)
    return Unread(because=f"the deployments of {counted(len(found), 'account')} could not be read", since=since)


def _unread_or_not_whole(holding: Holding) -> Unread | None:
    if whole := unread(holding, Section.DEPLOYMENTS):
        return whole
    for gap in holding.gaps:
        if gap.section is Section.DEPLOYMENTS:
            because = f"a deployment in {holding.account.label} could not be read: {REASONS[gap.reason]}"
            return Unread(because=because, since=gap.at)
    return None


def _read_at(holding: Holding, section: Section) -> datetime | None:
    match section:
        case Section.JOBS:
            return holding.jobs_at
        case Section.DEPLOYMENTS:
            return holding.deployments_at if holding.deployments is not None else None
        case Section.FILES:
            return holding.files_at if holding.files is not None else None
        case Section.MODELS:
            return holding.models_at
    return None


def as_of(holding: Holding, section: Section, now: datetime) -> str:
    """`deployments of contoso-ft read 5 min ago`."""
    read_at = _read_at(holding, section)
    what = f"{section.value} of {holding.account.label}"
    return f"{what} read {ago(read_at, now)}" if read_at else f"{what} not read"


def calls(holding: Holding, deployment: Deployment) -> str:
    """What is known of a deployment's calls in its present life: `last successful call in the hour from …`."""
    usage = holding.usage.get(deployment.name.lower())
    if usage is None:
        return "calls unknown"
    known = f"in the metrics read, {moment(usage.read_from)} to {moment(usage.read_to)}"
    called = last_call(usage, deployment)
    if called is not None:
        return f"last successful call in the hour from {moment(called)}"
    doubt = "; calls that may be its own were seen" if usage.is_ambiguous else ""
    return f"no successful call {known}{doubt}"


def last_call(usage: Usage | None, deployment: Deployment) -> datetime | None:
    """The last answered call of this life: metrics know a deployment by its name alone, and so its former lives too."""
    called = usage.last_success_at if usage else None
    created = deployment.created_at
    if called is None or created is None or called >= created:
        return called
    return called if called >= _hour(created) else None


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def model_owner(holding: Holding, lineage: Lineage, model: Model) -> Owner:
    """Whose a model is: by its job, else by its account."""
    if model.owner:
        return Owner(name=lineage.owner(model), source="metadata of the job that made it")
    return owner_of(holding.account)


def model_labels(holding: Holding, lineage: Lineage, model: Model) -> Mapping[str, str]:
    """Those of its account, with the model, the job that made it and its own owner."""
    labels = {**account_labels(holding.account), "model": model.id}
    if model.job:
        labels["job"] = model.job
    owner = lineage.owner(model)
    return {**labels, "owner": owner} if owner else labels
