"""All that a statement of a period needs, as it was known at one time: now, or some time in the past.

One path for both. What is stored as of now is taken back by the history where something was read after that time; where
nothing was, nothing need be. It takes a handful of queries, whatever the number of accounts, and of the calls, by far
the most of what is stored, only plain figures are kept.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, Row, func, select

from watcher.alerts.silence import Silence
from watcher.costs.hosting import Period
from watcher.costs.idle import Trickle
from watcher.report.recorded import RecordedAccount, RecordedLife, Records
from watcher.resources.calls import Coverage
from watcher.resources.deployment import Usage
from watcher.resources.lineage import Holding, Inventory, Model
from watcher.resources.model import is_checkpoint_id
from watcher.resources.snapshot import NOT_OFFERED, Gap, Section
from watcher.store import (
    calls,
    operators,
    period_calls,
    period_jobs,
    period_lives,
    period_moves,
    period_scope,
    retirements,
    schema,
    state,
)
from watcher.store.gaps import gap_of
from watcher.store.operators import silence_of
from watcher.store.period_calls import Tallies

_USUAL_TRICKLE = Trickle()


def load(
    tx: Connection, period: Period, *, as_of: datetime, owner_tag: str, trickle: Trickle = _USUAL_TRICKLE
) -> Records:
    """The records of a period.

    Args:
        as_of: What had not been seen by then is left out; usually it is the period's end or later.
        owner_tag: Names the owner of a job among its metadata.
        trickle: What was called more often in the period is looked at no further back.
    """
    scope = period_scope.load(tx, period.begin, as_of)
    rows = [row for row, _ in scope]
    past = frozenset(row.key for row in rows if row.snapshot_at is not None and row.snapshot_at > as_of)
    accounts = {row.key for row in rows}
    kept = period_jobs.kept(tx, as_of, accounts=accounts, past=past, owner_tag=owner_tag)
    models = {name for one in kept.values() for name in one.models}
    changes = period_lives.changes(tx, period.begin, past)
    gaps = _gaps(tx, period.begin, as_of)
    lives = period_lives.load(
        tx, period.begin, as_of, accounts=accounts, past=past, models=models, changes=changes, gaps=gaps
    )
    moves = period_moves.load(tx, as_of)
    period_moves.part_lives(moves, lives)
    jobs = period_jobs.jobs(tx, period.begin, as_of, accounts=accounts, past=past)
    period_moves.part_jobs(moves, jobs)
    _place_checkpoints(tx, kept, lives)
    usage = _usage(tx, accounts)
    tallies = period_calls.load(
        tx, period.begin, as_of, lives=lives, usage=usage, accounts=accounts, past=past, trickle=trickle
    )
    told = period_lives.told(tx, period.begin, as_of, lives=(one for some in lives.values() for one in some))
    found = _Found(
        tallies=tallies,
        kept=kept,
        lives=lives,
        told=told,
        counted_down=period_lives.counted_down(tx, as_of, is_past=bool(past)),
        usage=period_calls.usage_as_of(tx, usage, tallies, past),
        coverage=calls.coverages(tx),
        jobs=jobs,
        gone=period_scope.gone(tx, {row.key for row, removed_at in scope if removed_at is not None}, as_of),
        gaps=gaps,
        firsts=_first_readings(tx, rows, changes.first) if past else {},
    )
    recorded = tuple(_recorded(row, removed_at, found, as_of) for row, removed_at in scope)
    return Records(
        as_of=as_of,
        accounts=recorded,
        inventory=Inventory(
            now=as_of,
            holdings=tuple(one.holding for one in recorded if one.removed_at is None),
            retirements=retirements.load(tx),
            owner_tag=owner_tag,
        ),
        keeps=operators.keeps_as_of(tx, as_of, since=period.begin),
        silences=_silences(tx, as_of),
        undiscovered=tuple(gap for gap in state.discovery_gaps(tx) if gap.at <= as_of),
        trickle=trickle,
        begins=tx.execute(select(func.min(schema.accounts.c.first_seen_at))).scalar(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was loaded, by account's key."""

    tallies: Tallies
    kept: Mapping[str, period_jobs.Kept]
    lives: Mapping[str, list[RecordedLife]]
    told: Mapping[tuple[str, str], datetime]
    counted_down: Collection[tuple[str, str]]
    usage: Mapping[str, Mapping[str, Usage]]
    coverage: Mapping[str, Coverage]
    jobs: Mapping[str, list[Any]]
    gone: frozenset[str]
    gaps: Mapping[str, list[tuple[Gap, datetime | None]]]
    firsts: Mapping[tuple[str, Section], datetime]


def _usage(tx: Connection, accounts: Collection[str]) -> dict[tuple[str, str], Usage]:
    u = schema.usage.c
    rows = tx.execute(select(u.account, u.deployment, u.noun))
    return {(account, name): noun for account, name, noun in rows if account in accounts}


def _gaps(tx: Connection, begin: datetime, as_of: datetime) -> dict[str, list[tuple[Gap, datetime | None]]]:
    """The gaps that were open at some time since `begin`, each with when it closed, as far as that was known."""
    g, p = schema.gaps.c, schema.past_gaps.c
    found: dict[str, list[tuple[Gap, datetime | None]]] = {}
    for row in tx.execute(select(schema.past_gaps).where(p.ends_at > begin, p.at <= as_of)):
        ends_at = row.ends_at if row.ends_at <= as_of else None
        found.setdefault(row.account, []).append((gap_of(row), ends_at))
    for row in tx.execute(select(schema.gaps).where(g.at <= as_of)):
        found.setdefault(row.account, []).append((gap_of(row), None))
    for some in found.values():
        some.sort(key=lambda pair: (pair[0].section, pair[0].subject, pair[0].reason, pair[0].at))
    return found


def _first_readings(
    tx: Connection, rows: Iterable[Row[Any]], deployments: Mapping[str, datetime]
) -> dict[tuple[str, Section], datetime]:
    """When each section was first read: what that brought is marked as history; where nothing is, it was at once."""
    t, m = schema.transitions.c, schema.models.c
    query = (
        select(t.account, t.kind, func.min(t.observed_at).label("at")).where(t.is_history).group_by(t.account, t.kind)
    )
    marked = {(row.account, row.kind): _aware(row.at) for row in tx.execute(query)}
    models = {
        row.account: _aware(row.at)
        for row in tx.execute(select(m.account, func.min(m.first_seen_at).label("at")).group_by(m.account))
    }
    found = {}
    for row in rows:
        seen = row.first_seen_at
        found[row.key, Section.JOBS] = marked.get((row.key, "job"), seen)
        found[row.key, Section.DEPLOYMENTS] = found[row.key, Section.METRICS] = deployments.get(row.key, seen)
        found[row.key, Section.FILES] = marked.get((row.key, "file"), seen)
        found[row.key, Section.MODELS] = models.get(row.key, seen)
    return found


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _place_checkpoints(
    tx: Connection, kept: Mapping[str, period_jobs.Kept], lives: Mapping[str, list[RecordedLife]]
) -> None:
    """Give the models the names of their checkpoints, where some deployment bears a name that tells nothing else."""
    if any(is_checkpoint_id(one.deployment.model) for some in lives.values() for one in some):
        for account, name, ids in list(period_jobs.checkpoints(tx, kept)):
            models: dict[str, Model] = kept[account].models
            models[name] = structs.replace(models[name], checkpoints=ids)


def _recorded(row: Row[Any], removed_at: datetime | None, found: _Found, as_of: datetime) -> RecordedAccount:
    key, all_gaps, its = row.key, found.gaps.get(row.key, []), found.kept[row.key]
    gaps = tuple(gap for gap, ends_at in all_gaps if ends_at is None)

    def read_at(section: Section, newest: datetime | None) -> datetime | None:
        if newest is None or newest <= as_of:
            return newest
        if found.firsts.get((key, section), as_of) > as_of:
            return None
        # It was read at some time before; only a gap tells that it was not lately.
        return min((gap.at for gap in gaps if gap.section is section and not gap.subject), default=as_of)

    deployments_at = read_at(Section.DEPLOYMENTS, row.deployments_at)
    files_at = read_at(Section.FILES, row.files_at)
    usage = found.usage.get(key, {})
    tallies = found.tallies.of.get(key, {})
    lives = tuple(_with_calls(one, found, key, removed_at) for one in found.lives.get(key, ()))
    living = tuple(one.deployment for one in lives if one.end is None)
    return RecordedAccount(
        holding=Holding(
            account=row.noun,
            deployments=None if deployments_at is None else living,
            deployments_at=deployments_at,
            models=tuple(its.models.values()),
            models_at=read_at(Section.MODELS, row.models_at),
            files=None if files_at is None else tuple(its.files),
            files_at=files_at,
            file_users=frozenset(its.users),
            jobs_at=read_at(Section.JOBS, row.jobs_at),
            usage={name: usage[name] for one in living if (name := one.name.lower()) in usage},
            coverage=found.tallies.coverage(key, found.coverage.get(key, Coverage())),
            gaps=gaps,
            not_offered=frozenset(
                section
                for section, digest in ((Section.FILES, row.files_digest), (Section.MODELS, row.models_digest))
                if digest == NOT_OFFERED
            ),
        ),
        usage_at=read_at(Section.METRICS, row.usage_at),
        lives=lives,
        jobs=tuple(found.jobs.get(key, ())),
        answered={name: tally.answered for name, tally in tallies.items()},
        unclear={name: tally.unclear for name, tally in tallies.items() if tally.unclear_hours},
        closed=tuple((gap, ends_at) for gap, ends_at in all_gaps if ends_at is not None),
        removed_at=removed_at,
        is_gone=key in found.gone,
    )


def _with_calls(life: RecordedLife, found: _Found, account: str, removed_at: datetime | None) -> RecordedLife:
    """With what is known of its calls, and who was told of it; one whose account has left the scope ends with that."""
    one = life.deployment
    end, outcome = life.end, life.outcome
    if end is None and removed_at is not None:
        end, outcome = (removed_at, removed_at), "left"
    usage = found.usage.get(account, {}).get(one.name.lower())
    if end is not None:
        usage = _until(usage, found, account, one.name.lower(), end[1])
    told_at = found.told.get((one.key, one.incarnation))
    is_counted_down = end is None and (one.key, one.incarnation) in found.counted_down
    if end is life.end and usage is None and told_at is None and not is_counted_down:
        return life
    return structs.replace(
        life, end=end, outcome=outcome, usage=usage, told_at=told_at, is_counted_down=is_counted_down
    )


def _until(usage: Usage | None, found: _Found, account: str, name: str, ended_at: datetime) -> Usage | None:
    """The calls under a name up to the end of one life of it."""
    if usage is None or usage.read_from >= ended_at:
        return _of_before(found, account, name, ended_at)
    tally = found.tallies.of.get(account, {}).get(name)
    last = usage.last_success_at
    if last is not None and last >= ended_at:
        last = tally.answered.last_within(found.tallies.begin, ended_at) if tally else None
        if last is None:
            return None  # it may have been called before what is loaded begins
    failed, unclear = usage.last_failure_at, usage.last_unclear_at
    return replace(
        usage,
        read_to=min(usage.read_to, ended_at),
        last_success_at=last,
        last_failure_at=failed if failed and failed < ended_at else None,
        last_unclear_at=unclear if unclear and unclear < ended_at else None,
    )


def _of_before(found: _Found, account: str, name: str, ended_at: datetime) -> Usage | None:
    """The same where metrics were read anew since, as in an account that was made again: by the hours that are kept."""
    tally = found.tallies.of.get(account, {}).get(name)
    last = tally.answered.last_within(found.tallies.begin, ended_at) if tally else None
    spans = found.coverage.get(account, Coverage()).spans
    read = next(((begin, end) for begin, end in spans if last is not None and begin <= last < end), None)
    if tally is None or read is None:
        return None
    unclear = tally.unclear.last_within(found.tallies.begin, ended_at)
    return Usage(
        deployment=name,
        read_from=read[0],
        read_to=min(read[1], ended_at),
        last_success_at=last,
        last_unclear_at=unclear,
    )


def _silences(tx: Connection, as_of: datetime) -> tuple[Silence, ...]:
    c = schema.silences.c
    rows = tx.execute(select(schema.silences).where(c.starts_at <= as_of, c.ends_at > as_of).order_by(c.ends_at, c.id))
    return tuple(silence_of(row) for row in rows)
