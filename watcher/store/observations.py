"""An account as it is known: loaded for a poll, and saved where a snapshot changed it.

What each table holds is in the files beside this one: jobs, deployments, listed (files and models), trainings, history.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, delete, insert, select, update

from watcher.alerts.alert import Alert
from watcher.resources.changes import ResourceKind, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, Usage, is_fine_tuned
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.merging import closed_gaps
from watcher.resources.snapshot import Gap, Known, Reading, Section, Snapshot
from watcher.resources.training import Training
from watcher.store import alerts, calls, deployments, history, jobs, listed, schema, trainings
from watcher.store.gaps import gap_values, save_past
from watcher.store.gaps import gaps as open_gaps
from watcher.store.scope import NEXT_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a poll needs of an account besides the reading."""

    reading: Reading
    snapshot_at: datetime | None  #: of the newest snapshot recorded
    status_since: Mapping[str, datetime]
    undated: frozenset[str]  #: ids of the jobs whose status was only first seen then
    first_seen_at: Mapping[str, datetime]  #: of the jobs that were loaded
    undecided: tuple[Transition, ...]
    firing: tuple[Alert, ...] = ()  #: the open conditions of the account, oldest first
    #: By key: the deployments that undecided transitions ended.
    departed: Mapping[str, Deployment] = field(default_factory=dict)
    departures: Mapping[str, Departure] = field(default_factory=dict)  #: by key, of `departed`, where the log was asked
    #: Of the jobs that a rule may look into, and of those that were read now.
    training: Mapping[str, Training] = field(default_factory=dict)
    next_metrics_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHand:
    """What is stored of an account, where whoever asks for the rest has it in hand."""

    deployments: tuple[Deployment, ...]  #: those that live
    usage: Mapping[str, Usage]
    undecided: tuple[Transition, ...]
    custom_models: frozenset[str]  #: at least those of the deployments' models that are known as customised
    gaps: tuple[Gap, ...]  #: that are open


def known(tx: Connection, account: str, *, now: datetime, at_hand: AtHand | None = None) -> Known:
    """What `collect` may take for granted of an account."""
    row = tx.execute(_KNOWN, {"of": account}).one_or_none()
    if row is None:
        return Known()
    held = at_hand or _at_hand(tx, account)
    read_times = trainings.read_times(tx, account)
    statuses = None if row.jobs_at is None else jobs.statuses(tx, account)
    are_models_known = row.jobs_at is not None or row.models_at is not None
    return Known(
        jobs_digest=row.jobs_digest,
        deployments_digest=row.deployments_digest,
        files_digest=row.files_digest,
        models_digest=row.models_digest,
        dialect=row.dialect,
        statuses=statuses,
        deployments=held.deployments,
        deployments_at=row.deployments_at,
        doubted={
            gap.subject.lower(): gap.stood_at for gap in held.gaps if gap.section is Section.DEPLOYMENTS and gap.subject
        },
        custom_models=held.custom_models if are_models_known else None,
        usage=held.usage,
        unexplained=frozenset(t.resource for t in held.undecided if t.kind is ResourceKind.JOB)
        | _unread_logs(held.gaps, statuses or {}),
        training=read_times,
        unread_training=trainings.unread(tx, account, read_times, now=now),
        departed=tuple(deployments.departed(tx, held.undecided).nouns.values()),
        unplaced=trainings.unplaced(tx, account, held.deployments),
    )


def _unread_logs(gaps: Iterable[Gap], statuses: Mapping[str, JobStatus]) -> frozenset[str]:
    """Jobs under way whose log could not be read: nothing else tells since when one runs that was first seen so."""
    unread = {gap.subject for gap in gaps if gap.section is Section.JOBS}
    return frozenset(job for job in unread & statuses.keys() if not statuses[job].has_ended)


def _at_hand(tx: Connection, account: str) -> AtHand:
    living = deployments.living(tx, account)
    return AtHand(
        deployments=living,
        usage=deployments.usage(tx, account),
        undecided=history.undecided(tx, account),
        custom_models=custom_models(tx, account, living),
        gaps=open_gaps(tx, account),
    )


def custom_models(tx: Connection, account: str, served: Iterable[Deployment]) -> frozenset[str]:
    """The models of some of an account's deployments that are customised, though their names do not tell."""
    untold = [one for one in served if not is_fine_tuned(one.model)]
    places = {account, *(one.model_source.lower() for one in untold if one.model_source)}
    return listed.custom_models(tx, {one.model for one in untold}, accounts=places)


_KNOWN = select(
    schema.accounts.c.jobs_digest,
    schema.accounts.c.deployments_digest,
    schema.accounts.c.files_digest,
    schema.accounts.c.models_digest,
    schema.accounts.c.dialect,
    schema.accounts.c.jobs_at,
    schema.accounts.c.deployments_at,
    schema.accounts.c.models_at,
).where(schema.accounts.c.key == bindparam("of"))


def stored(tx: Connection, account: str, *, of: Snapshot) -> Stored | None:
    """Lock an account's row and load of its reading what a snapshot is held against; `None` if it is not recorded.

    Where a section has brought no items, nothing of it can change: then of the jobs only those under way are loaded,
    with those that a rule still looks into or found something in, and of files and models none.
    """
    row = tx.execute(_LOCKED, {"of": account}).one_or_none()
    if row is None:
        return None
    undecided = history.undecided(tx, account)
    departed = deployments.departed(tx, undecided)
    looked_into = trainings.lately_ended(tx, account, since=of.at - trainings.KEPT_FOR)
    unjudged = {t.name for t in undecided if t.kind is ResourceKind.JOB}
    firing = alerts.firing(tx, account)
    told_of = {alert.finding.subject.incarnation for alert in firing if alert.finding.subject.kind is ResourceKind.JOB}
    has_new_jobs = of.jobs is not None and of.jobs.items is not None
    found = jobs.load(tx, account, ended=None if has_new_jobs else looked_into | unjudged | told_of)
    has_new_files = of.files is not None and of.files.items is not None
    has_new_models = of.models is not None and of.models.items is not None
    reading = Reading(
        account=row.noun,
        jobs=None if row.jobs_at is None else found.nouns,
        jobs_at=row.jobs_at,
        deployments=None if row.deployments_at is None else deployments.living(tx, account),
        deployments_at=row.deployments_at,
        usage=None if row.usage_at is None else deployments.usage(tx, account),
        usage_at=row.usage_at,
        files=None if row.files_at is None else listed.files(tx, account) if has_new_files else (),
        files_at=row.files_at,
        models=None if row.models_at is None else listed.models(tx, account) if has_new_models else (),
        models_at=row.models_at,
        gaps=open_gaps(tx, account),
        revision=row.revision,
    )
    under_way = {job.id for job in found.nouns if not job.status.has_ended}
    return Stored(
        reading=reading,
        snapshot_at=row.snapshot_at,
        status_since=found.status_since,
        undated=found.undated,
        first_seen_at=found.first_seen_at,
        undecided=undecided,
        firing=firing,
        departed=departed.nouns,
        departures=departed.departures,
        training=trainings.load(tx, account, looked_into | under_way | of.training.keys()),
        next_metrics_at=row.next_metrics_at,
    )


_LOCKED = select(schema.accounts).where(schema.accounts.c.key == bindparam("of")).with_for_update()


def save(
    tx: Connection,
    previous: Reading,
    current: Reading,
    snapshot: Snapshot,
    transitions: Sequence[Transition],
) -> bool:
    """Record a snapshot's transitions, and of the nouns those that changed; returns whether anything did.

    `save_account` is to follow.
    """
    key = snapshot.account.key
    history.append(tx, transitions)
    changed = jobs.save(tx, previous, current, snapshot, transitions)
    changed += deployments.save(tx, previous, current, snapshot, transitions)
    changed += listed.save(tx, previous, current, snapshot)
    changed += history.save_events(tx, snapshot)
    changed += trainings.save(tx, snapshot)
    deployments.save_usage(tx, previous, current)
    calls.save(tx, snapshot)
    if current.gaps != previous.gaps:
        changed += 1
        tx.execute(delete(schema.gaps).where(schema.gaps.c.account == key))
        for gap in {(gap.section, gap.subject, gap.reason): gap for gap in current.gaps}.values():
            tx.execute(insert(schema.gaps).values(account=key, **gap_values(gap)))
        save_past(tx, key, closed_gaps(previous, current), now=snapshot.at)
    return bool(changed or transitions)


def save_account(
    tx: Connection, current: Reading, snapshot: Snapshot, *, was_changed: bool, due: Mapping[Section, datetime]
) -> None:
    """Note in the account's row when each section was read and is due next: all that an unchanged poll writes."""
    values: dict[str, Any] = {
        "snapshot_at": snapshot.at,
        "polled_at": snapshot.at,
        "jobs_at": current.jobs_at,
        "deployments_at": current.deployments_at,
        "usage_at": current.usage_at,
        "files_at": current.files_at,
        "models_at": current.models_at,
    }
    if was_changed:
        values["revision"] = current.revision + 1
    # A digest belongs to the items that are stored: where none came along, what is stored may be another process's.
    for name, listing in (
        ("jobs", snapshot.jobs),
        ("deployments", snapshot.deployments),
        ("files", snapshot.files),
        ("models", snapshot.models),
    ):
        if listing is not None and listing.items is not None:
            values[f"{name}_digest"] = listing.digest
    if snapshot.dialect:
        values["dialect"] = snapshot.dialect
    for section, at in due.items():
        values[NEXT_COLUMNS[section]] = at
    tx.execute(_saving(frozenset(values)), {"of": snapshot.account.key, **values})


@cache  # a dozen sets of columns in all
def _saving(columns: frozenset[str]) -> Update:
    values: dict[str, Any] = {column: bindparam(column) for column in sorted(columns)}
    return update(schema.accounts).where(schema.accounts.c.key == bindparam("of")).values(values)
