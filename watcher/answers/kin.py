"""What made a deployment's model, and where a model is deployed: for `explain`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from watcher.resources.deployment import Deployment
from watcher.resources.model import is_checkpoint_id, model_of
from watcher.resources.training import Training
from watcher.store import listings, makers, trainings
from watcher.store.listings import RecordedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A deployment of a model, or of a checkpoint of it."""

    label: str  #: of its account
    deployment: Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where a model is deployed, as far as that could be seen."""

    places: tuple[Served, ...] = ()
    unread_in: tuple[str, ...] = ()  #: labels of accounts in which it may be deployed too, unseen
    as_of: datetime | None = None  #: the oldest of the readings


def served(tx: Connection, model: str, inside: Training | None) -> Serving:
    """Where a model, or one of the checkpoints that were read, is deployed."""
    checkpoints = inside.checkpoints if inside else ()
    names = {name for one in checkpoints for name in (one.id, one.model) if name}
    if not model and not names:
        return Serving()
    found = listings.serving(tx, {*names, *([model] if model else [])})
    unread_in, as_of = listings.deployments_seen(tx)
    mine = {name.lower() for name in names}
    return Serving(
        places=tuple(
            Served(label=label, deployment=one)
            for label, one in found
            if one.model.lower() in mine or (model and model_of(one.model.lower()) == model.lower())
        ),
        unread_in=unread_in,
        as_of=as_of,
    )


def maker_of(tx: Connection, deployment: Deployment) -> tuple[RecordedJob | None, Training | None]:
    """The job that made what a deployment serves, of its own account first; of a checkpoint's id with its inside."""
    if not is_checkpoint_id(deployment.model):
        return _nearest(listings.jobs(tx, model=model_of(deployment.model)), deployment), None
    found = [
        job
        for account, id_ in makers.of_checkpoint(tx, deployment.model)
        for job in listings.jobs(tx, account_keys=[account], job_id=id_)
    ]
    maker = _nearest(found, deployment)
    if maker is None:
        return None, None
    return maker, trainings.load(tx, maker.job.account, {maker.job.id}).get(maker.job.id)


def _nearest(found: Sequence[RecordedJob], deployment: Deployment) -> RecordedJob | None:
    places = (deployment.account, deployment.model_source.lower())
    return min(found, key=lambda one: places.index(one.job.account) if one.job.account in places else 2, default=None)
