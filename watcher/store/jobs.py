"""Jobs of an account, and since when each has its status."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from watcher.resources.changes import Transition, started_at
from watcher.resources.fine_tuning import ENDED, FineTuningJob, JobStatus
from watcher.resources.snapshot import Reading, Snapshot
from watcher.store import schema

_ENDED = [status.value for status in ENDED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Jobs in the order of their ids, with what only the history knows of them."""

    nouns: tuple[FineTuningJob, ...]
    status_since: Mapping[str, datetime]
    undated: frozenset[str]  #: ids of those whose status was only first seen then
    first_seen_at: Mapping[str, datetime]


def load(tx: Connection, account: str, *, ended: Collection[str] | None) -> Jobs:
    """Jobs under way, with those of `ended` (`None`: all)."""
    if ended is None:
        rows = tx.execute(_ALL, {"of": account}).all()
    else:
        rows = tx.execute(_UNDER_WAY_OR, {"of": account, "ended": sorted(ended)}).all()
    return Jobs(
        nouns=tuple(row.noun for row in rows),
        status_since={row.noun.id: row.status_since for row in rows},
        undated=frozenset(row.noun.id for row in rows if not row.is_status_dated),
        first_seen_at={row.noun.id: row.first_seen_at for row in rows},
    )


_ALL = (
    select(schema.jobs.c.noun, schema.jobs.c.status_since, schema.jobs.c.is_status_dated, schema.jobs.c.first_seen_at)
    .where(schema.jobs.c.account == bindparam("of"))
    .order_by(schema.jobs.c.id)
)
_UNDER_WAY_OR = _ALL.where(
    (schema.jobs.c.status.not_in(_ENDED) & schema.jobs.c.is_listed)
    | schema.jobs.c.id.in_(bindparam("ended", expanding=True))
)


def statuses(tx: Connection, account: str) -> dict[str, JobStatus]:
    """The status of each recorded job, but of those that were under way when the list lost them: nobody knows it."""
    return {id_: JobStatus(status) for id_, status in tx.execute(_STATUSES, {"of": account})}


_STATUSES = select(schema.jobs.c.id, schema.jobs.c.status).where(
    schema.jobs.c.account == bindparam("of"), schema.jobs.c.is_listed | schema.jobs.c.status.in_(_ENDED)
)


def save(
    tx: Connection, previous: Reading, current: Reading, snapshot: Snapshot, transitions: Sequence[Transition]
) -> int:
    """Save the jobs that are new or changed, or that no list names any more; returns how many."""
    if snapshot.jobs is None or snapshot.jobs.items is None:
        return _date(tx, snapshot)
    before = {job.id: job for job in previous.jobs or ()}
    last = {t.name: t for t in transitions if t.is_job_status}
    listed = {job.id for job in current.jobs or ()}  # with those that may be listed, but could not be read
    changed = [job for job in current.jobs or () if before.get(job.id) != job]
    moved = _list(tx, snapshot.account.key, before.keys() - listed, left_at=snapshot.at)
    moved += _list(tx, snapshot.account.key, before.keys() & {job.id for job in snapshot.jobs.items}, left_at=None)
    new = []
    for job in changed:
        values: dict[str, Any] = {
            "status": job.status.value,
            "fine_tuned_model": job.fine_tuned_model,
            "created_at": job.created_at,
            "is_listed": True,
            "noun": job,
        }
        if (change := last.get(job.id)) is not None:
            values["status_since"] = change.occurred_at or change.observed_at
            values["is_status_dated"] = change.occurred_at is not None
        if job.id in before:
            where = (schema.jobs.c.account == snapshot.account.key) & (schema.jobs.c.id == job.id)
            tx.execute(update(schema.jobs).where(where).values(values))
        else:
            key = {"account": snapshot.account.key, "id": job.id}
            seen = {"status_since": snapshot.at, "is_status_dated": False, "first_seen_at": snapshot.at}
            new.append(key | seen | values)
    if new:  # all at once: at first sight there may be a hundred
        tx.execute(insert(schema.jobs), new)
    return len(changed) + moved + _date(tx, snapshot)


def _date(tx: Connection, snapshot: Snapshot) -> int:
    """Note when jobs began to run that were first seen running, where their own logs now say so; returns of how many.

    Of one that was seen to run again after a pause the log tells when it ran first, and not since when it runs now.
    """
    began = {job: at for job, log in snapshot.events.items() if (at := started_at(log)) is not None}
    return sum(
        tx.execute(_DATE, {"of": snapshot.account.key, "job": job, "at": at}).rowcount for job, at in began.items()
    )


_DATE = (
    update(schema.jobs)
    .where(
        schema.jobs.c.account == bindparam("of"),
        schema.jobs.c.id == bindparam("job"),
        schema.jobs.c.status == JobStatus.RUNNING.value,
        schema.jobs.c.is_status_dated.is_(False),
        schema.jobs.c.status_since == schema.jobs.c.first_seen_at,
    )
    .values(status_since=bindparam("at"), is_status_dated=True)
)


def _list(tx: Connection, account: str, ids: Collection[str], *, left_at: datetime | None) -> int:
    """Note whether the newest listing has these jobs; returns for how many that is new."""
    if not ids:
        return 0
    values = {"of": account, "ids": sorted(ids), "listed": left_at is None, "left": left_at}
    return tx.execute(_LIST, values).rowcount


_LIST = (
    update(schema.jobs)
    .where(
        schema.jobs.c.account == bindparam("of"),
        schema.jobs.c.is_listed != bindparam("listed"),
        schema.jobs.c.id.in_(bindparam("ids", expanding=True)),
    )
    .values(is_listed=bindparam("listed"), left_at=bindparam("left"))
)
