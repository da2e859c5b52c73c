"""What the listings, `status` and `explain` read: everything at once, in few queries, and nothing locked."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, bindparam, func, or_, select

from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind
from watcher.resources.deployment import Deployment, Usage, is_fine_tuned
from watcher.resources.fine_tuning import ENDED, FineTuningJob
from watcher.resources.snapshot import Gap, Reading, Section
from watcher.store import listed, schema
from watcher.store.gaps import gap_of
from watcher.store.types import UtcDateTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account, and as of when its jobs are known."""

    account: Account
    jobs_at: datetime | None
    is_watched: bool  #: false: it has left the scope of discovery


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
    is_status_dated: bool = True  #: false: its status was only first seen at `status_since`, and may have begun before


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDeployment:
    """One life of a deployment."""

    deployment: Deployment
    first_seen_at: datetime
    ended_at: datetime | None
    outcome: str  #: "gone" or "replaced"; "" while it lives


def places(tx: Connection, *, with_removed: bool = False, keys: Collection[str] | None = None) -> dict[str, Place]:
    """Accounts in scope alone, by key.

    Args:
        with_removed: With those that have left the scope of discovery.
        keys: These accounts alone.
    """
    c = schema.accounts.c
    query = _among(select(c.key, c.noun, c.jobs_at, c.removed_at), c.key, keys)
    rows = tx.execute(query if with_removed else query.where(c.removed_at.is_(None)))
    return {
        key: Place(account=noun, jobs_at=jobs_at, is_watched=removed_at is None)
        for key, noun, jobs_at, removed_at in rows
    }


def revisions(tx: Connection) -> dict[str, int]:
    """Of each account in scope, by key, a number that is another once something of it has changed."""
    c = schema.accounts.c
    return {key: revision for key, revision in tx.execute(select(c.key, c.revision).where(c.removed_at.is_(None)))}


def named(tx: Connection, name: str) -> frozenset[str]:
    """Keys of the accounts of this label, name or ARM id, in any case, whether or not they are in scope."""
    c, wanted = schema.accounts.c, name.lower()
    found = (c.label == name) | (func.lower(c.label) == wanted)
    found |= c.key == wanted if "/" in wanted else c.key.like(f"%/{_like(wanted)}", escape="\\")
    return frozenset(tx.execute(select(c.key).where(found)).scalars())


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
    return tuple(_job(row) for row in rows)


_JOBS: Select[Any] = select(
    schema.jobs.c.noun,
    schema.jobs.c.status_since,
    schema.jobs.c.first_seen_at,
    schema.jobs.c.is_listed,
    schema.jobs.c.is_status_dated,
)


def _job(row: Row[Any]) -> RecordedJob:
    return RecordedJob(
        job=row.noun,
        status_since=row.status_since,
        first_seen_at=row.first_seen_at,
        is_listed=row.is_listed,
        is_status_dated=row.is_status_dated,
    )


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
                yield _job(row)


def deployments(
    tx: Connection,
    *,
    ended_since: datetime | None = None,
    name: str | None = None,
    account_keys: Collection[str] | None = None,
) -> tuple[RecordedDeployment, ...]:
    """Lives of deployments by account and name: those that go on, and those that ended at or after `ended_since`.

    Args:
        account_keys: Only those of these accounts.
        name: Only this name, in any case, and then every life of it.
    """
    c = schema.deployments.c
    query = _among(select(c.noun, c.first_seen_at, c.ended_at, c.outcome), c.account, account_keys)
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


def custom_models(tx: Connection, served: Iterable[Deployment]) -> frozenset[str]:
    """The models of some deployments that are customised, though their names do not tell: made by recorded jobs, or
    listed by accounts, or known as checkpoints."""
    untold = {one.model for one in served if not is_fine_tuned(one.model)}
    found = listed.custom_models(tx, untold)
    if untold == found:
        return found
    checkpoints = schema.training.c.checkpoints
    texts = tx.execute(select(checkpoints).where(checkpoints != "")).scalars()
    return found | (untold & {name for text in texts for name in text.split("\n")})


def serving(tx: Connection, names: Collection[str]) -> tuple[tuple[str, Deployment], ...]:
    """Living deployments of the models, or checkpoints, of these names, or of their checkpoints, in any case; each with
    the label of its account, which is in scope."""
    a, d = schema.accounts.c, schema.deployments.c
    model = func.lower(d.model)
    wanted = sorted({name.lower() for name in names})
    fits = or_(model.in_(wanted), *(model.like(f"{_like(name)}:%", escape="\\") for name in wanted))
    query = select(a.label, d.noun).join(schema.accounts, a.key == d.account)
    query = query.where(d.ended_at.is_(None), a.removed_at.is_(None), fits)
    return tuple((label, noun) for label, noun in tx.execute(query.order_by(a.label, d.key)))


def deployments_seen(tx: Connection) -> tuple[tuple[str, ...], datetime | None]:
    """Labels of the accounts in scope whose deployments were not all read, and the oldest of the other's readings."""
    a, g = schema.accounts.c, schema.gaps.c
    gap = select(g.account).where(g.account == a.key, g.section == Section.DEPLOYMENTS.value).exists()
    unread = select(a.label).where(a.removed_at.is_(None), a.deployments_at.is_(None) | gap).order_by(a.label)
    oldest = select(func.min(a.deployments_at)).where(a.removed_at.is_(None))
    return tuple(tx.execute(unread).scalars()), tx.execute(oldest).scalar()


def owners(tx: Connection, owner_tag: str) -> dict[tuple[str, str, str], str]:
    """The owner of every recorded deployment that names one itself, by account's key, kind and name in lower case."""
    c = schema.deployments.c
    found: dict[tuple[str, str, str], str] = {}
    for account, noun in tx.execute(select(c.account, c.noun).order_by(c.first_seen_at)):
        owner = next((value for tag, value in noun.tags.items() if tag.lower() == owner_tag.lower()), "")
        if owner.strip():
            found[account, ResourceKind.DEPLOYMENT.value, noun.name.lower()] = owner
    return found
