"""Custom models and files, as a listing shows them: filtered and by pages, in the order of keys that never change."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from watcher.answers.query import ALL, Frame, Page, Query, newest_first, paged
from watcher.answers.reach import account_of, in_parts
from watcher.report.holdings import FileRow, ModelRow, file_rows, model_rows
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.lineage import Inventory
from watcher.store import inventory, listings


def models(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[ModelRow]:
    """Custom models by account, the newest first; with `since` those made since then."""
    return models_of(inventory.load(tx, now=frame.now, owner_tag=frame.owner_tag), query, limit=limit, cursor=cursor)


def models_of(held: Inventory, query: Query = ALL, *, limit: int | None = None, cursor: str = "") -> Page[ModelRow]:
    """The same of what was loaded."""
    rows = (
        row
        for row in model_rows(held)
        if query.fits_account(row.account.label, row.account.name)
        and query.fits_status(deployed_word(row))
        and query.fits_owner(row.owner)
        and _is_since(row.model.created_at, query.since)
    )
    return paged(rows, _model_key, limit=limit, cursor=cursor)


def _model_key(row: ModelRow) -> tuple[str, int, str]:
    return row.account.label, newest_first(row.model.created_at), row.model.id


def deployed_word(row: ModelRow) -> str:
    """`deployed`, `undeployed`, or `unknown`."""
    if row.deployments:
        return "deployed"
    return "unknown" if row.unread_because else "undeployed"


def files(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[FileRow]:
    """Files by account, the newest first; with `since` those uploaded since then."""
    places = listings.places(tx, keys=inventory.with_files(tx))
    first = account_of(cursor)
    labels = sorted(
        (one.account.label, key)
        for key, one in places.items()
        if query.fits_account(one.account.label, one.account.name) and one.account.label >= first
    )

    def rows() -> Iterator[FileRow]:
        for some in in_parts(labels, limit):  # no further than the page reaches
            keys = [key for _, key in some]
            held = inventory.of_files(tx, now=frame.now, owner_tag=frame.owner_tag, keys=keys)
            recorded = (one.job for one in listings.jobs(tx, account_keys=keys))
            yield from _files(held, recorded, frame, query)

    return paged(rows(), _file_key, limit=limit, cursor=cursor)


def files_of(
    held: Inventory,
    recorded: Iterable[FineTuningJob],
    frame: Frame,
    query: Query = ALL,
    *,
    limit: int | None = None,
    cursor: str = "",
) -> Page[FileRow]:
    """The same of what was loaded."""
    return paged(_files(held, recorded, frame, query), _file_key, limit=limit, cursor=cursor)


def _files(held: Inventory, recorded: Iterable[FineTuningJob], frame: Frame, query: Query) -> Iterator[FileRow]:
    by_account: dict[str, list[FineTuningJob]] = {}
    for job in recorded:
        by_account.setdefault(job.account, []).append(job)
    return (
        row
        for row in file_rows(held, by_account, owner_tag=frame.owner_tag)
        if query.fits_account(row.account.label, row.account.name)
        and query.fits_status(row.file.status.value, row.file.raw_status, *(["unused"] if row.used_by == () else []))
        and query.fits_owner(row.owner)
        and _is_since(row.file.created_at, query.since)
    )


def _file_key(row: FileRow) -> tuple[str, int, str]:
    return row.account.label, newest_first(row.file.created_at), row.file.id


def _is_since(at: datetime | None, since: datetime | None) -> bool:
    return since is None or (at is not None and at >= since)
