"""What happened: transitions, and the lines of the jobs' own logs. Only ever appended to."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from watcher.resources.changes import Change, ResourceKind, Source, Transition
from watcher.resources.fine_tuning import JobEvent
from watcher.resources.snapshot import Snapshot
from watcher.store import schema
from watcher.store.upsert import chunks


def append(tx: Connection, transitions: Iterable[Transition]) -> None:
    """Record transitions."""
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


def undecided(tx: Connection, account: str) -> tuple[Transition, ...]:
    """Those that some rule could not judge yet, oldest first."""
    return tuple(transition_of(row) for row in tx.execute(_UNDECIDED, {"of": account}))


_UNDECIDED = (
    select(schema.transitions)
    .where(schema.transitions.c.account == bindparam("of"), schema.IS_UNDECIDED)
    .order_by(schema.transitions.c.id)
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
    return tuple(transition_of(row) for row in tx.execute(query))


def newest(
    tx: Connection, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[tuple[int, Transition]]:
    """Recorded transitions with their numbers, newest first, read a few at a time; `until` is included."""
    c = schema.transitions.c
    query = select(schema.transitions).order_by(c.observed_at.desc(), c.id.desc())
    if since is not None:
        query = query.where(c.observed_at >= since)
    if until is not None:
        query = query.where(c.observed_at <= until)
    with tx.execute(query.execution_options(yield_per=200)) as rows:  # closed also where nobody wants the rest
        for row in rows:
            yield row.id, transition_of(row)


def of_attribute(
    tx: Connection, account: str, kind: ResourceKind, attribute: str, names: Collection[str]
) -> tuple[Transition, ...]:
    """How one attribute of some resources of an account changed, oldest first."""
    if not names:
        return ()
    wanted = {"of": account, "kinds": kind.value, "about": attribute, "names": sorted(names)}
    return tuple(transition_of(row) for row in tx.execute(_OF_ATTRIBUTE, wanted))


_OF_ATTRIBUTE = (
    select(schema.transitions)
    .where(
        schema.transitions.c.account == bindparam("of"),
        schema.transitions.c.kind == bindparam("kinds"),
        schema.transitions.c.attribute == bindparam("about"),
        schema.transitions.c.name.in_(bindparam("names", expanding=True)),
    )
    .order_by(schema.transitions.c.id)
)


def last_of_accounts(tx: Connection, accounts: Sequence[str]) -> dict[str, Transition]:
    """The newest transition about each of some accounts themselves."""
    c = schema.transitions.c
    found: dict[str, Transition] = {}
    for some in chunks(accounts):
        query = select(schema.transitions).where(c.account.in_(some), c.kind == ResourceKind.ACCOUNT.value)
        found.update((row.account, transition_of(row)) for row in tx.execute(query.order_by(c.id)))
    return found


def transition_of(row: Row[Any]) -> Transition:
    """One row, with all its columns."""
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


def save_events(tx: Connection, snapshot: Snapshot) -> int:
    """Keep what the jobs' own logs say; their metrics are kept by the service. Returns how many lines are new."""
    kept = {
        (job, event.id): {
            "account": snapshot.account.key,
            "job": job,
            "id": event.id,
            "created_at": event.created_at,
            "level": event.level,
            "type": event.type,
            "message": event.message,
        }
        for job, events in snapshot.events.items()
        for event in events
        if event.type != "metrics"
    }
    c = schema.job_events.c
    for some in chunks(sorted({job for job, _ in kept})):  # a log is told whole each time, and its lines never change
        recorded = tx.execute(select(c.job, c.id).where(c.account == snapshot.account.key, c.job.in_(some)))
        for job, id_ in recorded:
            kept.pop((job, id_), None)
    if kept:
        tx.execute(insert(schema.job_events), list(kept.values()))
    return len(kept)


def events(tx: Connection, account: str, job: str) -> tuple[JobEvent, ...]:
    """The kept lines of a job's own log, oldest first."""
    c = schema.job_events.c
    rows = tx.execute(select(schema.job_events).where(c.account == account, c.job == job).order_by(c.created_at, c.id))
    return tuple(
        JobEvent(id=row.id, created_at=row.created_at, level=row.level, type=row.type, message=row.message)
        for row in rows
    )
