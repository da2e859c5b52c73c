"""Jobs, deployments, usage, gaps and transitions of an account: loaded as nouns, and saved where they changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from watcher.resources.changes import Change, ResourceKind, Source, Transition
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import ENDED, FineTuningJob, JobEvent, JobStatus
from watcher.resources.snapshot import Known, Reading, Section, Snapshot
from watcher.store import schema
from watcher.store.gaps import gap_values
from watcher.store.gaps import gaps as open_gaps
from watcher.store.scope import NEXT_COLUMNS
from watcher.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a poll needs of an account besides the reading."""

    reading: Reading
    snapshot_at: datetime | None  #: of the newest snapshot recorded
    status_since: Mapping[str, datetime]
    undecided: tuple[Transition, ...]


def known(tx: Connection, account: str) -> Known:
    """What `collect` may take for granted of an account."""
    c = schema.accounts.c
    row = tx.execute(
        select(c.jobs_digest, c.deployments_digest, c.dialect, c.jobs_at).where(c.key == account)
    ).one_or_none()
    if row is None:
        return Known()
    jobs, undecided = schema.jobs.c, schema.transitions.c
    statuses = tx.execute(select(jobs.id, jobs.status).where(jobs.account == account)).all()
    unexplained = tx.execute(
        select(undecided.resource).where(
            undecided.account == account, undecided.is_undecided, undecided.kind == ResourceKind.JOB
        )
    ).scalars()
    return Known(
        jobs_digest=row.jobs_digest,
        deployments_digest=row.deployments_digest,
        dialect=row.dialect,
        statuses=None if row.jobs_at is None else {id_: JobStatus(status) for id_, status in statuses},
        deployments=living(tx, account),
        usage=usage(tx, account),
        unexplained=frozenset(unexplained),
    )


def stored(tx: Connection, account: str, *, all_jobs: bool) -> Stored | None:
    """Lock an account's row and load its reading; `None` if the account is not recorded.

    Args:
        all_jobs: With the jobs that have ended; without them, only those under way and those that are undecided.
    """
    row = tx.execute(select(schema.accounts).where(schema.accounts.c.key == account).with_for_update()).one_or_none()
    if row is None:
        return None
    undecided = tuple(
        _transition(found)
        for found in tx.execute(
            select(schema.transitions)
            .where(schema.transitions.c.account == account, schema.transitions.c.is_undecided)
            .order_by(schema.transitions.c.id)
        )
    )
    jobs, status_since = _jobs(tx, account, None if all_jobs else {transition.name for transition in undecided})
    reading = Reading(
        account=row.noun,
        jobs=None if row.jobs_at is None else jobs,
        jobs_at=row.jobs_at,
        deployments=None if row.deployments_at is None else living(tx, account),
        deployments_at=row.deployments_at,
        usage=None if row.usage_at is None else usage(tx, account),
        usage_at=row.usage_at,
        gaps=open_gaps(tx, account),
        revision=row.revision,
    )
    return Stored(reading=reading, snapshot_at=row.snapshot_at, status_since=status_since, undecided=undecided)


def _jobs(
    tx: Connection, account: str, ended: Collection[str] | None
) -> tuple[tuple[FineTuningJob, ...], dict[str, datetime]]:
    """Jobs under way, with those of `ended` (`None`: all), and since when each has its status."""
    c = schema.jobs.c
    query = select(c.noun, c.status_since).where(c.account == account)
    if ended is not None:
        under_way = c.status.not_in([status.value for status in ENDED]) & c.is_listed
        query = query.where(under_way | c.id.in_(sorted(ended)) if ended else under_way)
    rows = tx.execute(query.order_by(c.id)).all()
    return tuple(noun for noun, _ in rows), {noun.id: since for noun, since in rows}


def living(tx: Connection, account: str) -> tuple[Deployment, ...]:
    """The deployments that live, each in its present life, in the order of their ids."""
    c = schema.deployments.c
    query = select(c.noun).where(c.account == account, c.ended_at.is_(None)).order_by(c.key)
    return tuple(tx.execute(query).scalars())


def usage(tx: Connection, account: str) -> dict[str, Any]:
    """What is known of calls, by deployment's name in lower case."""
    c = schema.usage.c
    return {name: noun for name, noun in tx.execute(select(c.deployment, c.noun).where(c.account == account))}


def custom_models(tx: Connection, names: Collection[str]) -> frozenset[str]:
    """Those of `names` that some recorded job has made, in any account."""
    if not names:
        return frozenset()
    c = schema.jobs.c.fine_tuned_model
    return frozenset(tx.execute(select(c).where(c.in_(sorted(names)))).scalars())


def save(
    tx: Connection,
    previous: Reading,
    current: Reading,
    snapshot: Snapshot,
    transitions: Sequence[Transition],
    *,
    due: Mapping[Section, datetime],
) -> None:
    """Record a snapshot: its transitions, and of the nouns those that changed. An unchanged one writes one row."""
    key = snapshot.account.key
    _save_transitions(tx, transitions)
    changed = _save_jobs(tx, previous, current, snapshot, transitions)
    changed += _save_deployments(tx, previous, current, snapshot, transitions)
    changed += _save_events(tx, snapshot)
    if current.usage is not previous.usage:
        for name, noun in (current.usage or {}).items():
            if (previous.usage or {}).get(name) != noun:
                upsert(tx, schema.usage, {"account": key, "deployment": name}, {"noun": noun})
    if current.gaps != previous.gaps:
        changed += 1
        tx.execute(delete(schema.gaps).where(schema.gaps.c.account == key))
        for gap in {(gap.section, gap.subject, gap.reason): gap for gap in current.gaps}.values():
            tx.execute(insert(schema.gaps).values(account=key, **gap_values(gap)))
    tx.execute(
        update(schema.accounts)
        .where(schema.accounts.c.key == key)
        .values(_account_values(current, snapshot, due, was_changed=bool(changed or transitions)))
    )


def _account_values(
    current: Reading, snapshot: Snapshot, due: Mapping[Section, datetime], *, was_changed: bool
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "snapshot_at": snapshot.at,
        "polled_at": snapshot.at,
        "jobs_at": current.jobs_at,
        "deployments_at": current.deployments_at,
        "usage_at": current.usage_at,
    }
    if was_changed:
        values["revision"] = current.revision + 1
    # A digest belongs to the items that are stored: where none came along, what is stored may be another process's.
    if snapshot.jobs is not None and snapshot.jobs.items is not None:
        values["jobs_digest"] = snapshot.jobs.digest
    if snapshot.deployments is not None and snapshot.deployments.items is not None:
        values["deployments_digest"] = snapshot.deployments.digest
    if snapshot.dialect:
        values["dialect"] = snapshot.dialect
    for section, at in due.items():
        values[NEXT_COLUMNS[section]] = at
    return values


def _save_jobs(
    tx: Connection, previous: Reading, current: Reading, snapshot: Snapshot, transitions: Sequence[Transition]
) -> int:
    if snapshot.jobs is None or snapshot.jobs.items is None:
        return 0
    before = {job.id: job for job in previous.jobs or ()}
    since = {t.name: t.occurred_at or t.observed_at for t in transitions if t.kind is ResourceKind.JOB}
    listed = {job.id for job in current.jobs or ()}  # with those that may be listed, but could not be read
    changed = [job for job in current.jobs or () if before.get(job.id) != job]
    moved = _list(tx, snapshot.account.key, before.keys() - listed, is_listed=False)
    moved += _list(tx, snapshot.account.key, before.keys() & {job.id for job in snapshot.jobs.items}, is_listed=True)
    new = []
    for job in changed:
        values: dict[str, Any] = {
            "status": job.status.value,
            "fine_tuned_model": job.fine_tuned_model,
            "created_at": job.created_at,
            "is_listed": True,
            "noun": job,
        }
        if job.id in since:
            values["status_since"] = since[job.id]
        if job.id in before:
            where = (schema.jobs.c.account == snapshot.account.key) & (schema.jobs.c.id == job.id)
            tx.execute(update(schema.jobs).where(where).values(values))
        else:
            key = {"account": snapshot.account.key, "id": job.id}
            new.append(key | {"status_since": snapshot.at, "first_seen_at": snapshot.at} | values)
    if new:  # all at once: at first sight there may be a hundred
        tx.execute(insert(schema.jobs), new)
    return len(changed) + moved


def _list(tx: Connection, account: str, ids: Collection[str], *, is_listed: bool) -> int:
    """Note whether the newest listing has these jobs; returns for how many that is new."""
    if not ids:
        return 0
    c = schema.jobs.c
    where = (c.account == account) & (c.is_listed != is_listed) & c.id.in_(sorted(ids))
    return tx.execute(update(schema.jobs).where(where).values(is_listed=is_listed)).rowcount


def _save_deployments(
    tx: Connection, previous: Reading, current: Reading, snapshot: Snapshot, transitions: Sequence[Transition]
) -> int:
    c = schema.deployments.c
    ended = {
        t.resource.lower(): t
        for t in transitions
        if t.kind is ResourceKind.DEPLOYMENT and t.change in (Change.GONE, Change.REPLACED)
    }
    before = {deployment.key: deployment for deployment in previous.deployments or ()}
    for key, transition in ended.items():
        where = (c.key == key) & (c.incarnation == before[key].incarnation)
        values = {"ended_at": transition.observed_at, "outcome": transition.change.value}
        tx.execute(update(schema.deployments).where(where).values(values))
    changed = [d for d in current.deployments or () if before.get(d.key) != d]
    for deployment in changed:
        upsert(
            tx,
            schema.deployments,
            {"key": deployment.key, "incarnation": deployment.incarnation},
            {
                "account": deployment.account,
                "name": deployment.name,
                "noun": deployment,
                "ended_at": None,  # Azure may bring back what it had declared gone
                "outcome": "",
            },
            only_new={"first_seen_at": snapshot.at},
        )
    return len(changed) + len(ended)


def _save_events(tx: Connection, snapshot: Snapshot) -> int:
    """Keep what the jobs' own logs say; their metrics are kept by the service."""
    kept = [(job, event) for job, events in snapshot.events.items() for event in events if event.type != "metrics"]
    for job, event in kept:
        upsert(
            tx,
            schema.job_events,
            {"account": snapshot.account.key, "job": job, "id": event.id},
            {
                "created_at": event.created_at,
                "level": event.level,
                "type": event.type,
                "message": event.message,
            },
        )
    return len(kept)


def _save_transitions(tx: Connection, transitions: Iterable[Transition]) -> None:
    rows = [
        {
            "key": t.key,
            "account": t.account,
            "kind": t.kind.value,
            "resource": t.resource,
            "name": t.name,
            "incarnation": t.incarnation,
            "change": t.change.value,
            "attribute": t.attribute,
            "before": t.before,
            "after": t.after,
            "observed_at": t.observed_at,
            "occurred_at": t.occurred_at,
            "source": t.source.value,
            "is_history": t.is_history,
            "is_undecided": False,
        }
        for t in transitions
    ]
    if rows:
        tx.execute(insert(schema.transitions), rows)


def mark_undecided(tx: Connection, account: str, keys: Collection[str], before: Collection[str]) -> None:
    """Keep the transitions of `keys` to be judged again, and let go of those of `before` that were judged."""
    c = schema.transitions.c
    for changed, value in ((set(keys) - set(before), True), (set(before) - set(keys), False)):
        if changed:
            where = (c.account == account) & c.key.in_(sorted(changed))
            tx.execute(update(schema.transitions).where(where).values(is_undecided=value))


def _transition(row: Row[Any]) -> Transition:
    return Transition(
        account=row.account,
        kind=ResourceKind(row.kind),
        resource=row.resource,
        name=row.name,
        incarnation=row.incarnation,
        change=Change(row.change),
        attribute=row.attribute,
        before=row.before,
        after=row.after,
        observed_at=row.observed_at,
        occurred_at=row.occurred_at,
        source=Source(row.source),
        is_history=row.is_history,
    )


def transitions(
    tx: Connection,
    *,
    account: str | None = None,
    since: datetime | None = None,
    name: str | None = None,
    limit: int = 1000,
) -> tuple[Transition, ...]:
    """Recorded transitions, newest first."""
    c = schema.transitions.c
    query = select(schema.transitions).order_by(c.observed_at.desc(), c.id.desc()).limit(limit)
    if account is not None:
        query = query.where(c.account == account)
    if since is not None:
        query = query.where(c.observed_at >= since)
    if name is not None:
        query = query.where(c.name == name)
    return tuple(_transition(row) for row in tx.execute(query))


def events(tx: Connection, account: str, job: str) -> tuple[JobEvent, ...]:
    """The kept lines of a job's own log, oldest first."""
    c = schema.job_events.c
    rows = tx.execute(select(schema.job_events).where(c.account == account, c.job == job).order_by(c.created_at, c.id))
    return tuple(
        JobEvent(id=row.id, created_at=row.created_at, level=row.level, type=row.type, message=row.message)
        for row in rows
    )
