"""Reads all that is recorded of accounts, for whoever asks what was known of them at some time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from watcher.resources.changes import ResourceKind
from watcher.resources.fine_tuning import JobEvent
from watcher.resources.snapshot import Section
from watcher.resources.training import Training
from watcher.store import calls, gaps, history, schema
from watcher.store.past import Past, Seen
from watcher.store.then import Life


def load(tx: Connection) -> tuple[Past, ...]:
    """All accounts of which anything is recorded, in the order of their keys."""
    c = schema.accounts.c
    return tuple(_past(tx, key) for key in tx.execute(select(c.key).order_by(c.key)).scalars())


def _past(tx: Connection, key: str) -> Past:
    row = tx.execute(select(schema.accounts).where(schema.accounts.c.key == key)).one()
    past = Past(
        account=row.noun,
        first_seen_at=row.first_seen_at,
        removed_at=row.removed_at,
        read={},
        dialect=row.dialect,
        transitions=tuple(reversed(history.transitions(tx, account=key, limit=_ALL))),
        jobs=_seen(tx, schema.jobs, key),
        files=_seen(tx, schema.files, key),
        models=_seen(tx, schema.models, key),
        lives=_all_lives(tx, key),
        events=_events(tx, key),
        training=_training(tx, key),
        gaps=tuple([(gap, None) for gap in gaps.gaps(tx, key)] + [*gaps.past(tx, key, since=_EVER)]),
        calls=calls.load(tx, key, _EVER, _NEVER),
        coverage=calls.coverage(tx, key),
    )
    return replace(
        past,
        read=_first_read(row, past),
        moments=tuple(sorted(set(_moments(past)))),
        metered=tuple(sorted(_metered(past))),
    )


def _first_read(row: Row[Any], past: Past) -> dict[Section, datetime]:
    """When each section was first read: what that brought is marked as history; where nothing is, it was at once."""
    history_of = {
        kind: min((t.observed_at for t in past.transitions if t.kind is kind and t.is_history), default=None)
        for kind in (ResourceKind.JOB, ResourceKind.DEPLOYMENT, ResourceKind.FILE)
    }
    models = min((seen.first_seen_at for seen in past.models), default=None)
    firsts = {
        Section.JOBS: (row.jobs_at, history_of[ResourceKind.JOB]),
        Section.DEPLOYMENTS: (row.deployments_at, history_of[ResourceKind.DEPLOYMENT]),
        Section.METRICS: (row.usage_at, history_of[ResourceKind.DEPLOYMENT]),
        Section.FILES: (row.files_at, history_of[ResourceKind.FILE]),
        Section.MODELS: (row.models_at, models),
    }
    return {section: first or past.first_seen_at for section, (last, first) in firsts.items() if last is not None}


_ALL = 2**31 - 1
_EVER, _NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def _seen(tx: Connection, table: Table, key: str) -> tuple[Seen, ...]:
    c = table.c
    rows = tx.execute(select(c.noun, c.first_seen_at, c.left_at).where(c.account == key).order_by(c.id))
    return tuple(Seen(noun=noun, first_seen_at=first, left_at=left) for noun, first, left in rows)


def _all_lives(tx: Connection, key: str) -> tuple[Life, ...]:
    c = schema.deployments.c
    rows = tx.execute(select(schema.deployments).where(c.account == key).order_by(c.key, c.first_seen_at))
    return tuple(
        Life(noun=row.noun, first_seen_at=row.first_seen_at, ended_at=row.ended_at, departure=row.departure)
        for row in rows
    )


def _events(tx: Connection, key: str) -> dict[str, tuple[JobEvent, ...]]:
    c = schema.job_events.c
    found: dict[str, list[JobEvent]] = {}
    for row in tx.execute(select(schema.job_events).where(c.account == key).order_by(c.job, c.created_at, c.id)):
        event = JobEvent(id=row.id, created_at=row.created_at, level=row.level, type=row.type, message=row.message)
        found.setdefault(row.job, []).append(event)
    return {job: tuple(lines) for job, lines in found.items()}


def _training(tx: Connection, key: str) -> dict[str, Training]:
    c = schema.training.c
    return {job: noun for job, noun in tx.execute(select(c.job, c.noun).where(c.account == key))}


def _moments(past: Past) -> Iterator[datetime]:
    for transition in past.transitions:
        yield transition.observed_at
    for seen in (*past.jobs, *past.files, *past.models):
        yield seen.first_seen_at
        if seen.left_at is not None:
            yield seen.left_at
    for life in past.lives:
        yield life.first_seen_at
        if life.ended_at is not None:
            yield life.ended_at
    for gap, ends_at in past.gaps:
        yield gap.at
        if ends_at is not None:
            yield ends_at
    for one in past.training.values():
        yield one.read_at


#: Calls that come so long after the ones before may have ended something; when others were read says nothing.
_PAUSE = timedelta(hours=12)


def _metered(past: Past) -> set[datetime]:
    found = set()
    for calls_ in past.calls.values():
        last = None
        for hour, one in sorted(calls_.hours.items()):
            if not one.ok and calls_.deployment:
                continue
            if one.seen_at is not None and (last is None or hour - last > _PAUSE):
                found.add(one.seen_at)
            last = hour
    for gap, ends_at in past.gaps:
        if gap.section is Section.METRICS:
            found |= {gap.at} if ends_at is None else {gap.at, ends_at}
    return found
