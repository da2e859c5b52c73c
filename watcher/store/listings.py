"""What the listings, `status` and `explain` read: everything at once, in few queries, and nothing locked."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, func, or_, select

from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.fine_tuning import ENDED, FineTuningJob
from watcher.resources.snapshot import Gap, Reading
from watcher.store import schema
from watcher.store.gaps import gap_of
from watcher.store.types import UtcDateTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account, and as of when its jobs are known."""

    account: Account
    jobs_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedAccount:
    """An account in scope, with its newest reading; `reading.jobs` holds those that were asked for."""

    reading: Reading
    first_seen_at: datetime
    polled_at: datetime | None  #: last tried, gaps included

    @property
    def account(self) -> Account:
        return self.reading.account


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJob:
    """A job with what only the history knows of it."""

    job: FineTuningJob
    status_since: datetime
    first_seen_at: datetime
    is_listed: bool  #: false: the newest complete listing lacks it


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDeployment:
    """One life of a deployment."""

    deployment: Deployment
    first_seen_at: datetime
    ended_at: datetime | None
    outcome: str  #: "gone" or "replaced"; "" while it lives


def places(tx: Connection, *, with_removed: bool = False) -> dict[str, Place]:
    """Accounts in scope alone, by key.

    Args:
        with_removed: With those that have left the scope of discovery.
    """
    c = schema.accounts.c
    query = select(c.key, c.noun, c.jobs_at)
    rows = tx.execute(query if with_removed else query.where(c.removed_at.is_(None)))
    return {key: Place(account=noun, jobs_at=jobs_at) for key, noun, jobs_at in rows}


def accounts(
    tx: Connection, *, with_removed: bool = False, keys: Collection[str] | None = None
) -> tuple[WatchedAccount, ...]:
    """Accounts in scope by label, with deployments, usage and gaps, and of the jobs those under way.

    Args:
        with_removed: With those that have left the scope of discovery.
        keys: These accounts alone.
    """
    c = schema.accounts.c
    query = _among(select(schema.accounts).order_by(c.label), c.key, keys)
    rows = tx.execute(query if with_removed else query.where(c.removed_at.is_(None))).all()
    gaps = _gaps(tx, keys)
    under_way = _jobs_under_way(tx, keys)
    deployments = _living(tx, keys)
    usage = _usage(tx, keys)
    return tuple(
        WatchedAccount(
            reading=Reading(
                account=row.noun,
                jobs=None if row.jobs_at is None else tuple(under_way.get(row.key, ())),
                jobs_at=row.jobs_at,
                deployments=None if row.deployments_at is None else tuple(deployments.get(row.key, ())),
                deployments_at=row.deployments_at,
                usage=None if row.usage_at is None else usage.get(row.key, {}),
                usage_at=row.usage_at,
                files_at=row.files_at,
                models_at=row.models_at,
                gaps=tuple(gaps.get(row.key, ())),
                revision=row.revision,
            ),
            first_seen_at=row.first_seen_at,
            polled_at=row.polled_at,
        )
        for row in rows
    )


def _among(query: Select[Any], column: Column[Any], keys: Collection[str] | None) -> Select[Any]:
    return query if keys is None else query.where(column.in_(sorted(keys)))


def _gaps(tx: Connection, keys: Collection[str] | None) -> dict[str, list[Gap]]:
    c = schema.gaps.c
    found: dict[str, list[Gap]] = {}
    for row in tx.execute(_among(select(schema.gaps).order_by(c.section, c.subject, c.reason), c.account, keys)):
        found.setdefault(row.account, []).append(gap_of(row))
    return found


def _jobs_under_way(tx: Connection, keys: Collection[str] | None) -> dict[str, list[FineTuningJob]]:
    c = schema.jobs.c
    query = select(c.account, c.noun).where(c.is_listed, c.status.not_in([status.value for status in ENDED]))
    found: dict[str, list[FineTuningJob]] = {}
    for account, noun in tx.execute(_among(query.order_by(c.created_at, c.id), c.account, keys)):
        found.setdefault(account, []).append(noun)
    return found


def _living(tx: Connection, keys: Collection[str] | None) -> dict[str, list[Deployment]]:
    c = schema.deployments.c
    found: dict[str, list[Deployment]] = {}
    query = select(c.account, c.noun).where(c.ended_at.is_(None)).order_by(c.key)
    for account, noun in tx.execute(_among(query, c.account, keys)):
        found.setdefault(account, []).append(noun)
    return found


def _usage(tx: Connection, keys: Collection[str] | None) -> dict[str, dict[str, Usage]]:
    c = schema.usage.c
    found: dict[str, dict[str, Usage]] = {}
    for account, deployment, noun in tx.execute(_among(select(c.account, c.deployment, c.noun), c.account, keys)):
        found.setdefault(account, {})[deployment] = noun
    return found


def jobs(
    tx: Connection,
    *,
    account_keys: Collection[str] | None = None,
    statuses: Collection[str] | None = None,
    since: datetime | None = None,
    job_id: str | None = None,
    beginning: str | None = None,
    model: str | None = None,
) -> tuple[RecordedJob, ...]:
    """Recorded jobs, newest first; one whose creation is not known comes last.

    Args:
        since: Only those created, or changed in status, at or after this.
        beginning: Only those whose id begins so.
        model: Only those that made the model of this name.
    """
    c = schema.jobs.c
    query = _JOBS
    if account_keys is not None:
        query = query.where(c.account.in_(sorted(account_keys)))
    if statuses is not None:
        query = query.where(c.status.in_(sorted(statuses)))
    if since is not None:
        query = query.where(or_(c.created_at >= since, c.status_since >= since))
    if job_id is not None:
        query = query.where(c.id == job_id)
    if beginning is not None:
        query = query.where(func.substr(c.id, 1, len(beginning)) == beginning)
    if model is not None:
        query = query.where(c.fine_tuned_model == model)
    rows = tx.execute(query.order_by(c.created_at.is_(None), c.created_at.desc(), c.account, c.id))
    return tuple(_job(*row) for row in rows)


_JOBS = select(schema.jobs.c.noun, schema.jobs.c.status_since, schema.jobs.c.first_seen_at, schema.jobs.c.is_listed)


def _job(noun: FineTuningJob, status_since: datetime, first_seen_at: datetime, is_listed: bool) -> RecordedJob:
    return RecordedJob(job=noun, status_since=status_since, first_seen_at=first_seen_at, is_listed=is_listed)


def newest_jobs(
    tx: Connection, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[RecordedJob]:
    """Recorded jobs, newest first, read a few at a time; those of one time, and those of none at the end, in any order.

    Args:
        since: Only those created, or changed in status, at or after this.
        until: Only those created at this or before, or at no known time.
    """
    c = schema.jobs.c
    query = _JOBS if since is None else _JOBS.where(or_(c.created_at >= since, c.status_since >= since))
    dated = query.where(c.created_at > _EPOCH)
    if until is not None:
        dated = dated.where(c.created_at <= until)
    # Two queries, since databases differ in where they put what has no time, and so in whether an index serves them.
    others = query.where(c.created_at.is_(None) | (c.created_at <= _EPOCH))
    at = func.coalesce(c.created_at, bindparam("unknown", _EPOCH, UtcDateTime))
    for part in (dated.order_by(c.created_at.desc()), others.order_by(at.desc())):
        with tx.execute(part.execution_options(yield_per=100)) as rows:  # closed also where nobody wants the rest
            for row in rows:
                yield _job(*row)


def deployments(
    tx: Connection, *, ended_since: datetime | None = None, name: str | None = None
) -> tuple[RecordedDeployment, ...]:
    """Lives of deployments by account and name: those that go on, and those that ended at or after `ended_since`.

    Args:
        name: Only this name, in any case, and then every life of it.
    """
    c = schema.deployments.c
    query = select(c.noun, c.first_seen_at, c.ended_at, c.outcome)
    if name is not None:
        query = query.where(c.key.like("%/deployments/" + _like(name.lower()), escape="\\"))
    elif ended_since is None:
        query = query.where(c.ended_at.is_(None))
    else:
        query = query.where(or_(c.ended_at.is_(None), c.ended_at >= ended_since))
    rows = tx.execute(query.order_by(c.account, c.key, c.first_seen_at.desc()))
    return tuple(
        RecordedDeployment(deployment=noun, first_seen_at=first_seen_at, ended_at=ended_at, outcome=outcome)
        for noun, first_seen_at, ended_at, outcome in rows
    )


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def custom_models(tx: Connection) -> frozenset[str]:
    """Names of all models that recorded jobs have made or accounts list, and names and ids of known checkpoints."""
    made, checkpoints = schema.jobs.c.fine_tuned_model, schema.training.c.checkpoints
    names = set(tx.execute(select(made).where(made != "").distinct()).scalars())
    names.update(tx.execute(select(schema.models.c.id).distinct()).scalars())
    for text in tx.execute(select(checkpoints).where(checkpoints != "")).scalars():
        names.update(text.split("\n"))
    return frozenset(names)


def owners(tx: Connection, owner_tag: str) -> dict[tuple[str, str, str], str]:
    """The owner of every recorded deployment that names one itself, by account's key, kind and name in lower case."""
    c = schema.deployments.c
    found: dict[tuple[str, str, str], str] = {}
    for account, noun in tx.execute(select(c.account, c.noun).order_by(c.first_seen_at)):
        owner = next((value for tag, value in noun.tags.items() if tag.lower() == owner_tag.lower()), "")
        if owner.strip():
            found[account, ResourceKind.DEPLOYMENT.value, noun.name.lower()] = owner
    return found
