"""The inside of jobs as last read, and how long jobs of each kind have waited and run."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, select

from watcher.resources.changes import STATUS, Change, ResourceKind
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import ENDED
from watcher.resources.model import is_checkpoint_id
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
    return {job: noun for job, noun in tx.execute(_OF_JOBS, {"of": account, "jobs": sorted(jobs)})}


_OF_JOBS = select(schema.training.c.job, schema.training.c.noun).where(
    schema.training.c.account == bindparam("of"), schema.training.c.job.in_(bindparam("jobs", expanding=True))
)


def read_times(tx: Connection, account: str) -> dict[str, tuple[datetime, bool]]:
    """By job, where its inside was read: when last, and whether that was for good."""
    rows = tx.execute(_READ_TIMES, {"of": account})
    return {job: (read_at, is_final) for job, read_at, is_final in rows}


_READ_TIMES = select(schema.training.c.job, schema.training.c.read_at, schema.training.c.is_final).where(
    schema.training.c.account == bindparam("of")
)


def lately_ended(tx: Connection, account: str, *, since: datetime) -> frozenset[str]:
    """Ids of jobs that ended at or after `since`, and whose inside was read."""
    return frozenset(tx.execute(_LATELY_ENDED, {"of": account, "since": since}).scalars())


_ENDED = [status.value for status in ENDED]
_LATELY_ENDED = (
    select(schema.jobs.c.id)
    .join(
        schema.training,
        (schema.training.c.account == schema.jobs.c.account) & (schema.training.c.job == schema.jobs.c.id),
    )
    .where(
        schema.jobs.c.account == bindparam("of"),
        schema.jobs.c.is_listed,
        schema.jobs.c.status_since >= bindparam("since"),
        schema.jobs.c.status.in_(_ENDED),
    )
)


def unread(
    tx: Connection, account: str, times: Mapping[str, tuple[datetime, bool]], *, now: datetime
) -> dict[str, datetime]:
    """By id, of jobs whose end was seen lately and whose inside is still to be read: when it was seen."""
    rows = tx.execute(_SEEN_TO_END, {"of": account, "since": now - UNREAD_FOR})
    return {job: at for job, at in rows if not times.get(job, (now, False))[1]}


_SEEN_TO_END = (
    select(schema.transitions.c.resource, schema.transitions.c.observed_at)
    .where(
        schema.transitions.c.account == bindparam("of"),
        schema.transitions.c.observed_at > bindparam("since"),
        schema.transitions.c.kind == ResourceKind.JOB.value,
        schema.transitions.c.attribute == STATUS,
        schema.transitions.c.change != Change.GONE.value,
        schema.transitions.c.after.in_(_ENDED),
        schema.transitions.c.is_history.is_(False),
    )
    .order_by(schema.transitions.c.observed_at)
)


def checkpoint_names(tx: Connection, accounts: Iterable[str]) -> frozenset[str]:
    """Ids and names of the checkpoints of jobs of some accounts, as far as they were read."""
    texts = tx.execute(_CHECKPOINTS, {"accounts": sorted(accounts)}).scalars()
    return frozenset(name for text in texts for name in text.split("\n"))


_CHECKPOINTS = select(schema.training.c.checkpoints).where(
    schema.training.c.account.in_(bindparam("accounts", expanding=True)), schema.training.c.checkpoints != ""
)


def unplaced(tx: Connection, account: str, deployments: Iterable[Deployment]) -> frozenset[str]:
    """Ids, in lower case, of checkpoints that deployments name and no job of the account is known to have made.

    Those that come from another account are left out: none of this one's jobs made them.
    """
    named = {
        deployment.model.lower()
        for deployment in deployments
        if is_checkpoint_id(deployment.model) and deployment.model_source.lower() in ("", account)
    }
    return frozenset(named - {name.lower() for name in checkpoint_names(tx, [account])}) if named else frozenset()


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
            key=PaceKey(model=row.model, location=row.location, training_type=row.training_type, method=row.method),
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
                "method": one.key.method,
                "queued": one.queued,
                "ran": one.ran,
                "at": one.at,
            },
        )


def paces(tx: Connection, keys: Iterable[PaceKey]) -> dict[PaceKey, Pace]:
    """How long the newest jobs of some kinds have waited and run, in whatever account; kinds without any left out."""
    found = {}
    for key in set(keys):
        kind = {"of": key.model, "place": key.location, "sort": key.training_type, "way": key.method}
        queued = tuple(sorted(tx.execute(_NEWEST_QUEUED, kind).scalars()))
        ran = tuple(sorted(tx.execute(_NEWEST_RAN, kind).scalars()))
        if queued or ran:
            found[key] = Pace(queued=queued, ran=ran)
    return found


def _newest(column: Column[Any]) -> Select[Any]:
    c = schema.durations.c
    return (
        select(column)
        .where(
            c.model == bindparam("of"),
            c.location == bindparam("place"),
            c.training_type == bindparam("sort"),
            c.method == bindparam("way"),
            column.is_not(None),
        )
        .order_by(c.at.desc(), c.account, c.job)
        .limit(PACE_JOBS)
    )


_NEWEST_QUEUED = _newest(schema.durations.c.queued)
_NEWEST_RAN = _newest(schema.durations.c.ran)
