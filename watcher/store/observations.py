"""Accounts, jobs, deployments, usage, gaps and transitions: loaded as nouns, and saved where they changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, delete, insert, select, update

from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind, Source, Transition
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import ENDED, FineTuningJob, JobEvent, JobStatus
from watcher.resources.snapshot import Gap, GapReason, Known, Plane, Reading, Section, Snapshot
from watcher.rules.rule import AccountState
from watcher.store import schema
from watcher.store.turns import take_turns
from watcher.store.upsert import chunks, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAccount:
    """An account with its stored due times; `None` is "at once"."""

    account: Account
    revision: int
    jobs_at: datetime | None
    deployments_at: datetime | None
    metrics_at: datetime | None

    @property
    def at(self) -> datetime | None:
        """When the first of its sections is due."""
        times = (self.jobs_at, self.deployments_at, self.metrics_at)
        return None if None in times else min(at for at in times if at is not None)

    def after(self, due: Mapping[Section, datetime]) -> "DueAccount":
        """With the new times of some sections."""
        return replace(
            self,
            jobs_at=due.get(Section.JOBS, self.jobs_at),
            deployments_at=due.get(Section.DEPLOYMENTS, self.deployments_at),
            metrics_at=due.get(Section.METRICS, self.metrics_at),
        )

    def sections(self, now: datetime) -> frozenset[Section]:
        """What is due at `now`."""
        due = {Section.JOBS: self.jobs_at, Section.DEPLOYMENTS: self.deployments_at, Section.METRICS: self.metrics_at}
        return frozenset(section for section, at in due.items() if at is None or at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a poll needs of an account besides the reading."""

    reading: Reading
    snapshot_at: datetime | None  #: of the newest snapshot recorded
    status_since: Mapping[str, datetime]
    undecided: tuple[Transition, ...]


def save_accounts(tx: Connection, found: Sequence[Account], *, is_complete: bool, now: datetime) -> tuple[str, ...]:
    """Take over what discovery found; writes only what changed. Returns the keys of accounts that left the scope.

    Accounts that it did not find leave the scope only when it was complete: what could not be listed is not gone.
    """
    take_turns(tx, "discovery")
    known = {row.key: row for row in tx.execute(select(schema.accounts))}
    for account in found:
        row = known.get(account.key)
        if row is None:
            tx.execute(
                insert(schema.accounts).values(key=account.key, label=account.label, noun=account, first_seen_at=now)
            )
        elif row.noun != account or row.removed_at is not None:
            tx.execute(
                update(schema.accounts)
                .where(schema.accounts.c.key == account.key)
                .values(
                    label=account.label,
                    noun=account,
                    removed_at=None,
                    revision=schema.accounts.c.revision + 1,
                )
            )
    present = {account.key for account in found}
    left = [key for key, row in known.items() if key not in present and row.removed_at is None] if is_complete else []
    for key in left:
        tx.execute(update(schema.accounts).where(schema.accounts.c.key == key).values(removed_at=now))
    return tuple(left)


def due_accounts(tx: Connection) -> tuple[DueAccount, ...]:
    """All accounts in scope with their due times, in the order of their labels."""
    return tuple(_due_account(row) for row in tx.execute(_DUE.order_by(schema.accounts.c.label)))


def due(tx: Connection, keys: Sequence[str]) -> dict[str, DueAccount]:
    """Those of some accounts that are in scope."""
    found = {}
    for some in chunks(keys):
        for row in tx.execute(_DUE_OF, {"keys": some}):
            found[row.key] = _due_account(row)
    return found


def due_account(tx: Connection, account: str) -> DueAccount | None:
    """One account with its stored due times; `None` if it is not in scope."""
    return due(tx, [account]).get(account)


_DUE = select(
    schema.accounts.c.key,
    schema.accounts.c.noun,
    schema.accounts.c.revision,
    schema.accounts.c.next_jobs_at,
    schema.accounts.c.next_deployments_at,
    schema.accounts.c.next_metrics_at,
).where(schema.accounts.c.removed_at.is_(None))
_DUE_OF = _DUE.where(schema.accounts.c.key.in_(bindparam("keys", expanding=True)))


def _due_account(row: Any) -> DueAccount:
    _, noun, revision, jobs, deployments, metrics = row
    return DueAccount(account=noun, revision=revision, jobs_at=jobs, deployments_at=deployments, metrics_at=metrics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """All that an unchanged snapshot leaves behind: when it was taken, and when the next ones are due."""

    account: str
    revision: int  #: of the stored account that it was held against
    at: datetime
    asked: frozenset[Section]
    due: tuple[tuple[Section, datetime], ...]


def is_overtaken(newest: datetime | None, at: datetime) -> bool:
    """Whether a snapshot taken `at` is no newer than the newest recorded.

    One that lies far behind was not overtaken, for no poll takes so long: the clock was ahead, and was set back.
    """
    return newest is not None and timedelta() <= newest - at < _LONGEST_POLL


#: Far longer than any poll may take; see `is_overtaken`.
_LONGEST_POLL = timedelta(minutes=15)


def touch(tx: Connection, touches: Sequence[Touch]) -> dict[Touch, bool]:
    """Note unchanged snapshots; `False` for those whose account has changed, or has a newer snapshot, meanwhile."""
    done: dict[Touch, bool] = {}
    for some in chunks(touches):
        query = _TOUCHED.with_for_update() if tx.dialect.name == "postgresql" else _TOUCHED
        held = {row.key: row for row in tx.execute(query, {"keys": [one.account for one in some]})}
        for one in some:
            row = held.get(one.account)
            done[one] = row is not None and row.revision == one.revision and not is_overtaken(row.snapshot_at, one.at)
    by_sections: dict[frozenset[Section], list[dict[str, Any]]] = {}
    for one in (one for one, was_done in done.items() if was_done):
        values = {"account": one.account, "at": one.at} | {f"next_{section}": at for section, at in one.due}
        by_sections.setdefault(one.asked, []).append(values)
    for asked, rows in by_sections.items():
        tx.execute(_touching(asked), rows)
    return done


_TOUCHED = (
    select(schema.accounts.c.key, schema.accounts.c.revision, schema.accounts.c.snapshot_at)
    .where(schema.accounts.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(schema.accounts.c.key)  # two processes lock in the same order
)


@cache
def _touching(asked: frozenset[Section]) -> Update:
    columns: dict[str, Any] = {"snapshot_at": bindparam("at"), "polled_at": bindparam("at")}
    for section in asked & _NEXT_COLUMNS.keys():
        columns[_NEXT_COLUMNS[section]] = bindparam(f"next_{section}")
        columns[_READ_COLUMNS[section]] = bindparam("at")
    return update(schema.accounts).where(schema.accounts.c.key == bindparam("account")).values(columns)


_NEXT_COLUMNS = {
    Section.JOBS: "next_jobs_at",
    Section.DEPLOYMENTS: "next_deployments_at",
    Section.METRICS: "next_metrics_at",
}
_READ_COLUMNS = {Section.JOBS: "jobs_at", Section.DEPLOYMENTS: "deployments_at", Section.METRICS: "usage_at"}


def bring_forward(tx: Connection, latest: Mapping[Section, datetime]) -> None:
    """Let no section be due later than `latest` says: intervals may have been made shorter since the last poll."""
    for section, at in latest.items():
        column = schema.accounts.c[_NEXT_COLUMNS[section]]
        tx.execute(update(schema.accounts).where(column > at).values({column.name: at}))


def account_states(tx: Connection) -> tuple[AccountState, ...]:
    """Each account in scope with its open gaps and when it was last tried."""
    c = schema.accounts.c
    gaps_of: dict[str, list[Gap]] = {}
    for row in tx.execute(select(schema.gaps)):
        gaps_of.setdefault(row.account, []).append(gap_of(row))
    rows = tx.execute(select(c.key, c.noun, c.polled_at).where(c.removed_at.is_(None)).order_by(c.label))
    return tuple(
        AccountState(account=noun, gaps=tuple(gaps_of.get(key, ())), polled_at=polled_at)
        for key, noun, polled_at in rows
    )


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
        gaps=gaps(tx, account),
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


def gaps(tx: Connection, account: str | None = None) -> tuple[Gap, ...]:
    """The gaps that are open, of one account or of all."""
    query = select(schema.gaps)
    if account is not None:
        query = query.where(schema.gaps.c.account == account)
    found = map(gap_of, tx.execute(query.order_by(schema.gaps.c.account)))
    # In the order of `open_gaps`, which a database's collation may not know: another order would look like a change.
    return tuple(sorted(found, key=lambda gap: (gap.section, gap.subject, gap.reason)))


def gap_of(row: Row[Any]) -> Gap:
    return Gap(
        section=Section(row.section),
        plane=Plane(row.plane),
        reason=GapReason(row.reason),
        message=row.message,
        at=row.at,
        status=row.status,
        request_id=row.request_id,
        subject=row.subject,
    )


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
            tx.execute(insert(schema.gaps).values(account=key, **_gap_values(gap)))
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
        values[_NEXT_COLUMNS[section]] = at
    return values


def bump(tx: Connection, account: str) -> None:
    """Say that something of an account changed, so that nobody goes on with what was remembered of it."""
    c = schema.accounts.c
    tx.execute(update(schema.accounts).where(c.key == account).values(revision=c.revision + 1))


def _gap_values(gap: Gap) -> dict[str, Any]:
    return {
        "section": gap.section.value,
        "subject": gap.subject,
        "reason": gap.reason.value,
        "plane": gap.plane.value,
        "message": gap.message,
        "at": gap.at,
        "status": gap.status,
        "request_id": gap.request_id,
    }


def _save_jobs(
    tx: Connection, previous: Reading, current: Reading, snapshot: Snapshot, transitions: Sequence[Transition]
) -> int:
    if snapshot.jobs is None or snapshot.jobs.items is None:
        return 0
    before = {job.id: job for job in previous.jobs or ()}
    since = {t.name: t.occurred_at or t.observed_at for t in transitions if t.kind is ResourceKind.JOB}
    listed = {job.id for job in current.jobs or ()}
    changed = [job for job in current.jobs or () if before.get(job.id) != job]
    moved = _list(tx, snapshot.account.key, before.keys() - listed, is_listed=False)
    moved += _list(tx, snapshot.account.key, before.keys() & listed, is_listed=True)
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
