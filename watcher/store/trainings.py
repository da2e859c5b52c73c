"""The inside of jobs as last read, and how long jobs of each kind have waited and run."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from watcher.resources.changes import STATUS, Change, ResourceKind
from watcher.resources.fine_tuning import ENDED
from watcher.resources.snapshot import Snapshot
from watcher.resources.training import Duration, Pace, PaceKey, Training
from watcher.store import schema
from watcher.store.upsert import upsert

#: A job's inside is asked for until this long after its end was seen; whoever reads it gives up an hour before.
UNREAD_FOR = timedelta(hours=25)
#: How long after a job's end its inside may still be worth a rule's look.
KEPT_FOR = timedelta(days=31)
#: As many of the newest jobs of a kind tell its pace.
PACE_JOBS = 50


def load(tx: Connection, account: str, jobs: Collection[str]) -> dict[str, Training]:
    """What was last read of the inside of some jobs."""
    if not jobs:
        return {}
    c = schema.training.c
    query = select(c.job, c.noun).where(c.account == account, c.job.in_(sorted(jobs)))
    return {job: noun for job, noun in tx.execute(query)}


def read_times(tx: Connection, account: str) -> dict[str, tuple[datetime, bool]]:
    """By job, where its inside was read: when last, and whether that was for good."""
    c = schema.training.c
    rows = tx.execute(select(c.job, c.read_at, c.is_final).where(c.account == account))
    return {job: (read_at, is_final) for job, read_at, is_final in rows}


def lately_ended(tx: Connection, account: str, *, since: datetime) -> frozenset[str]:
    """Ids of jobs that ended at or after `since`, and whose inside was read."""
    j, t = schema.jobs.c, schema.training.c
    query = (
        select(j.id)
        .join(schema.training, (t.account == j.account) & (t.job == j.id))
        .where(j.account == account, j.is_listed, j.status_since >= since, j.status.in_([s.value for s in ENDED]))
    )
    return frozenset(tx.execute(query).scalars())


def unread(
    tx: Connection, account: str, times: Mapping[str, tuple[datetime, bool]], *, now: datetime
) -> frozenset[str]:
    """Ids of jobs whose end was seen lately, and whose inside is still to be read."""
    c = schema.transitions.c
    query = select(c.resource).where(
        c.account == account,
        c.observed_at > now - UNREAD_FOR,
        c.kind == ResourceKind.JOB.value,
        c.attribute == STATUS,
        c.change != Change.GONE.value,
        c.after.in_([status.value for status in ENDED]),
        c.is_history.is_(False),
    )
    return frozenset(job for job in tx.execute(query).scalars() if not times.get(job, (now, False))[1])


def save(tx: Connection, snapshot: Snapshot) -> int:
    """Keep what was read of jobs this time; returns of how many."""
    for job, noun in snapshot.training.items():
        upsert(
            tx,
            schema.training,
            {"account": snapshot.account.key, "job": job},
            {
                "read_at": noun.read_at,
                "is_final": noun.is_final,
                "checkpoints": "\n".join(sorted({name for c in noun.checkpoints for name in (c.id, c.model) if name})),
                "noun": noun,
            },
        )
    return len(snapshot.training)


# Paces


def durations(tx: Connection, account: str, jobs: Collection[str]) -> dict[str, Duration]:
    """What is known of how long some jobs have waited and run."""
    if not jobs:
        return {}
    c = schema.durations.c
    rows = tx.execute(select(schema.durations).where(c.account == account, c.job.in_(sorted(jobs))))
    return {
        row.job: Duration(
            job=row.job,
            key=PaceKey(model=row.model, location=row.location, training_type=row.training_type),
            queued=row.queued,
            ran=row.ran,
            at=row.at,
        )
        for row in rows
    }


def save_durations(tx: Connection, account: str, found: Iterable[Duration]) -> None:
    """Record how long jobs have waited and run; a later word on a job replaces an earlier one."""
    for one in found:
        upsert(
            tx,
            schema.durations,
            {"account": account, "job": one.job},
            {
                "model": one.key.model,
                "location": one.key.location,
                "training_type": one.key.training_type,
                "queued": one.queued,
                "ran": one.ran,
                "at": one.at,
            },
        )


def paces(tx: Connection, keys: Iterable[PaceKey]) -> dict[PaceKey, Pace]:
    """How long the newest jobs of some kinds have waited and run, in whatever account; kinds without any left out."""
    c = schema.durations.c
    found = {}
    for key in set(keys):
        of_kind = (c.model == key.model) & (c.location == key.location) & (c.training_type == key.training_type)
        seconds = {
            column.name: tuple(
                sorted(
                    tx.execute(
                        select(column)
                        .where(of_kind, column.is_not(None))
                        .order_by(c.at.desc(), c.account, c.job)
                        .limit(PACE_JOBS)
                    ).scalars()
                )
            )
            for column in (c.queued, c.ran)
        }
        if any(seconds.values()):
            found[key] = Pace(queued=seconds["queued"], ran=seconds["ran"])
    return found
