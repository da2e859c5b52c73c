"""What the listings of models and files say: models with jobs, deployments and retirement; files with their users.

Pure. A model counts as deployed nowhere only where the deployments of every account were read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from watcher.report.records import Record
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.ends import End, Ends
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.lineage import Holding, Inventory, Model
from watcher.resources.model import Retirement
from watcher.resources.retirements import DOCUMENTED
from watcher.rules.holdings import unread_deployments
from watcher.rules.labels import owner_of
from watcher.rules.text import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One custom model."""

    account: Account
    model: Model
    base: str  #: full name of the base model at the root of its line; "" where nothing names it
    owner: str
    deployments: tuple[tuple[str, Deployment], ...]  #: with the label of each one's account
    unread_because: str  #: why there may be more of them; "": there are none
    retires: End | None  #: `None`: no source names a date
    as_of: datetime | None  #: when its account's listing of models was read; `None`: known from its job alone


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One file."""

    account: Account
    file: File
    owner: str
    used_by: tuple[str, ...] | None  #: ids of recorded jobs that name it; `None`: the jobs were never read
    as_of: datetime | None


def model_rows(inventory: Inventory, *, documented: Iterable[Retirement] = DOCUMENTED) -> tuple[ModelRow, ...]:
    """The custom models of all accounts, by account, the newest first."""
    lineage, doubt = inventory.lineage, unread_deployments(inventory.holdings)
    ends = Ends(inventory.retirements, documented)
    rows = [
        ModelRow(
            account=holding.account,
            model=model,
            base=(base := lineage.base(model)),
            owner=model.owner or owner_of(holding.account).name,
            deployments=tuple(
                (_label(lineage.holding(deployment.account), deployment), deployment)
                for deployment in lineage.deployments(model)
            ),
            unread_because=doubt.because if doubt else "",
            retires=next(ends.of_serving(base, holding.account.location, own=model.inference_until), None),
            as_of=holding.models_at,
        )
        for holding in inventory.holdings
        for model in holding.models
        if model.is_listed
    ]
    return tuple(sorted(rows, key=_newest_first))


def _newest_first(row: ModelRow) -> tuple[str, float, str]:
    at = row.model.created_at
    return row.account.label, -at.timestamp() if at else 0.0, row.model.id


def _label(holding: Holding | None, deployment: Deployment) -> str:
    return holding.account.label if holding else deployment.account


def file_rows(
    inventory: Inventory, jobs: Mapping[str, Iterable[FineTuningJob]], *, owner_tag: str = "owner"
) -> tuple[FileRow, ...]:
    """The files of all accounts, by account, the newest first.

    Args:
        jobs: Those that are recorded, by the account's key.
    """
    rows: list[FileRow] = []
    for holding in inventory.holdings:
        users: dict[str, list[FineTuningJob]] = {}
        for job in jobs.get(holding.account.key, ()):
            for id_ in dict.fromkeys((job.training_file, job.validation_file, *job.result_files)):
                users.setdefault(id_, []).append(job)
        for file in holding.files or ():
            using = users.get(file.id, [])
            owners = {owner_of(holding.account, job=job, owner_tag=owner_tag).name for job in using}
            rows.append(
                FileRow(
                    account=holding.account,
                    file=file,
                    owner=owners.pop() if len(owners) == 1 else owner_of(holding.account).name,
                    used_by=None if holding.jobs_at is None else tuple(job.id for job in using),
                    as_of=holding.files_at,
                )
            )
    return tuple(sorted(rows, key=_newest_file_first))


def _newest_file_first(row: FileRow) -> tuple[str, float, str]:
    at = row.file.created_at
    return row.account.label, -at.timestamp() if at else 0.0, row.file.id


def model_record(row: ModelRow) -> Record:
    """A custom model."""
    model = row.model
    return {
        "id": model.id,
        "account": row.account.label,
        "account_id": row.account.id,
        "base": row.base or None,
        "trained_from": model.base or None,
        "suffix": model.suffix or None,
        "job": model.job or None,
        "owner": row.owner,
        "created_at": rfc3339(model.created_at),
        "training_file": model.training_file or None,
        "validation_file": model.validation_file or None,
        "deployments": [
            {"id": one.id, "name": one.name, "account": label, "sku": one.sku, "model": one.model}
            for label, one in row.deployments
        ],
        "unread_because": row.unread_because or None,
        "retires_at": rfc3339(row.retires.at) if row.retires else None,
        "is_retired": bool(row.retires and row.retires.is_retired),
        "retirement_certainty": row.retires.certainty.value if row.retires else None,
        "as_of": rfc3339(row.as_of),
    }


def file_record(row: FileRow) -> Record:
    """A file."""
    file = row.file
    return {
        "id": file.id,
        "account": row.account.label,
        "account_id": row.account.id,
        "filename": file.filename or None,
        "purpose": file.purpose or None,
        "bytes": file.bytes,
        "status": file.status.value,
        "raw_status": file.raw_status,
        "reason": file.reason or None,
        "owner": row.owner,
        "created_at": rfc3339(file.created_at),
        "expires_at": rfc3339(file.expires_at),
        "used_by": None if row.used_by is None else list(row.used_by),
        "as_of": rfc3339(row.as_of),
    }
