"""What exists over all accounts: models, deployments and files with what uses them, in a handful of queries.

There may be ten thousand accounts with a hundred thousand jobs, so of the jobs only a few words are decoded, a batch of
rows at a time.
"""

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy import Connection, Row, Select, Text, func, select, type_coerce

from watcher.costs.training import is_reinforcement
from watcher.resources.account import Account
from watcher.resources.calls import Calls, Coverage
from watcher.resources.changes import Transition
from watcher.resources.deployment import Deployment, Usage, is_fine_tuned
from watcher.resources.file import File
from watcher.resources.fine_tuning import ENDED, WAITING, FineTuningJob, JobEvent, JobStatus
from watcher.resources.lineage import Holding, Inventory, Model
from watcher.resources.model import CustomModel, is_checkpoint_id, model_of
from watcher.resources.snapshot import NOT_OFFERED, Gap, Section
from watcher.rules.job_spent import ended_at, is_charged_here
from watcher.store import calls, job_records, prices, retirements, schema
from watcher.store.gaps import gap_of
from watcher.store.upsert import chunks

#: Rows that are fetched at once.
_BATCH = 2000


def mark(tx: Connection) -> str:
    """A word that changes whenever something of what exists has changed."""
    a, r = schema.accounts.c, schema.retirements.c
    revisions = tx.execute(select(func.count(), func.sum(a.revision)).where(a.removed_at.is_(None))).one()
    left = tx.execute(select(func.count()).where(a.removed_at.is_not(None))).scalar()
    dates = tx.execute(select(func.count(), func.max(r.at))).one()
    return " ".join(str(part) for part in (*revisions, left, *dates, prices.newest(tx)))


def load(tx: Connection, *, now: datetime, owner_tag: str) -> Inventory:
    """All accounts in scope by label, with what each holds by its newest readings."""
    rows = _places(tx)
    held = {row.key: _Held(key=row.key) for row in rows}
    _add_listed_models(tx, held)
    _add_jobs(tx, held, owner_tag)
    _add_deployments(tx, held)
    _add_checkpoints(tx, held)
    _add_files(tx, held)
    _add_calls(tx, held, now)
    left = _places(tx, left_since=_month(now))
    departed = {row.key: _Held(key=row.key) for row in left}
    _add_ended_jobs(tx, {row.key: row.noun for row in (*rows, *left)}, {**held, **departed}, now)
    counted = {job.id for one in held.values() for job in one.ended}
    for one in departed.values():  # an account that moved lists its jobs under both ids
        one.ended = [job for job in one.ended if job.id not in counted]
    for row in tx.execute(select(schema.gaps)):
        if row.account in held:
            held[row.account].gaps.append(gap_of(row))
    return Inventory(
        now=now,
        holdings=tuple(_holding(row, held.pop(row.key)) for row in rows),
        departed=tuple(_holding(row, one) for row in left if (one := departed[row.key]).ended),
        retirements=retirements.load(tx),
        owner_tag=owner_tag,
    )


def of_files(tx: Connection, *, now: datetime, owner_tag: str, keys: Collection[str]) -> Inventory:
    """Some accounts, by their keys, with nothing but their files."""
    rows = _places(tx, keys)
    held = {row.key: _Held(key=row.key) for row in rows}
    _add_files(tx, held, keys)
    return Inventory(now=now, holdings=tuple(_holding(row, held[row.key]) for row in rows), owner_tag=owner_tag)


def with_files(tx: Connection) -> frozenset[str]:
    """Keys of the accounts that list any."""
    c = schema.files.c
    return frozenset(tx.execute(select(c.account).where(c.is_listed).distinct()).scalars())


def _places(
    tx: Connection, keys: Collection[str] | None = None, *, left_since: datetime | None = None
) -> list[Row[Any]]:
    """The accounts in scope, by label, or those that have left it since some time."""
    c = schema.accounts.c
    query = select(c.key, c.noun, c.jobs_at, c.deployments_at, c.models_at, c.files_at, c.models_digest, c.files_digest)
    if keys is not None:
        query = query.where(c.key.in_(sorted(keys)))
    query = query.where(c.removed_at.is_(None) if left_since is None else c.removed_at >= left_since)
    return list(tx.execute(query.order_by(c.label)))


@dataclass(slots=True, kw_only=True)
class _Held:
    """What one account holds, while it is gathered."""

    key: str
    models: dict[str, Model] = field(default_factory=dict)
    lists_models: bool = False
    deployments: list[Deployment] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    jobs: int = 0
    queued: int = 0
    running: Counter[str] = field(default_factory=Counter)
    calls: dict[str, Calls] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    ended: list[FineTuningJob] = field(default_factory=list)
    phases: dict[str, tuple[Transition, ...]] = field(default_factory=dict)
    logs: dict[str, tuple[JobEvent, ...]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def _holding(row: Any, held: _Held) -> Holding:
    return Holding(
        account=row.noun,
        deployments=None if row.deployments_at is None else tuple(held.deployments),
        deployments_at=row.deployments_at,
        models=tuple(held.models.values()),
        models_at=row.models_at,
        files=None if row.files_at is None else tuple(held.files),
        files_at=row.files_at,
        file_users=frozenset(held.users),
        jobs_at=row.jobs_at,
        job_count=held.jobs,
        running=dict(held.running),
        queued=held.queued,
        usage=held.usage,
        calls=held.calls,
        coverage=held.coverage,
        jobs_ended=tuple(held.ended),
        phases=held.phases,
        logs=held.logs,
        gaps=tuple(sorted(held.gaps, key=lambda gap: (gap.section, gap.subject, gap.reason))),
        not_offered=frozenset(
            section
            for section, digest in ((Section.FILES, row.files_digest), (Section.MODELS, row.models_digest))
            if digest == NOT_OFFERED
        ),
    )


def _add_listed_models(tx: Connection, held: Mapping[str, _Held]) -> None:
    c = schema.models.c
    query = select(c.account, c.is_listed, type_coerce(c.noun, Text).label("noun")).order_by(c.account, c.id)
    decode = msgspec.json.Decoder(CustomModel).decode
    for row in _rows(tx, query):
        if (one := held.get(row.account)) is None:
            continue
        noun = decode(row.noun)
        one.lists_models = one.lists_models or row.is_listed
        one.models[noun.id] = Model(
            id=noun.id,
            account=one.key,
            base=sys.intern(noun.base),
            job=noun.job,
            created_at=noun.created_at,
            is_listed=row.is_listed,
            inference_until=noun.inference_until,
        )


class _Job(msgspec.Struct):
    """What of a job tells of its model and its files."""

    training_file: str = ""
    validation_file: str = ""
    training_type: str = ""
    model: str = ""
    suffix: str = ""
    metadata: dict[str, str] = {}
    finished_at: datetime | None = None


def _add_jobs(tx: Connection, held: Mapping[str, _Held], owner_tag: str) -> None:
    """Count the jobs that are listed, and take over the models that any job has made."""
    c = schema.jobs.c
    query = select(c.account, c.id, c.status, c.is_listed, c.fine_tuned_model, type_coerce(c.noun, Text).label("noun"))
    query = query.where(c.is_listed | (c.fine_tuned_model != "")).order_by(c.account, c.id)
    decode = msgspec.json.Decoder(_Job).decode
    tag = owner_tag.lower()
    for row in _rows(tx, query):
        if (one := held.get(row.account)) is None:
            continue
        job, status = decode(row.noun), JobStatus(row.status)
        if row.is_listed:
            one.jobs += 1
            one.queued += status in WAITING
            if status in _AT_WORK:
                one.running[job.training_type.lower()] += 1
        if row.fine_tuned_model:
            owner = next((value for name, value in job.metadata.items() if name.lower() == tag), "")
            _add_made(one, row.id, row.fine_tuned_model, job, sys.intern(owner))
        if row.is_listed or one.models[row.fine_tuned_model].is_listed:
            one.users.update(id_ for id_ in (job.training_file, job.validation_file) if id_)


#: Jobs that take one of the places for jobs that run.
_AT_WORK = frozenset(JobStatus) - ENDED - WAITING - {JobStatus.PAUSED, JobStatus.UNKNOWN}


def _add_made(held: _Held, id_: str, name: str, job: _Job, owner: str) -> None:
    """The model that a job made, with what a listing says of it.

    A listing without any model is none that would name it: not every account offers one.
    """
    listed = held.models.get(name)
    held.models[name] = Model(
        id=name if listed is None else listed.id,
        account=held.key,
        base=sys.intern(job.model),
        suffix=sys.intern(job.suffix),
        job=id_,
        created_at=job.finished_at or (listed.created_at if listed else None),
        owner=owner,
        is_listed=not held.lists_models if listed is None else listed.is_listed,
        training_file=job.training_file,
        validation_file=job.validation_file,
        inference_until=listed.inference_until if listed else None,
    )


def _add_deployments(tx: Connection, held: Mapping[str, _Held]) -> None:
    """The fine-tuned ones, with their calls."""
    names = {model for one in held.values() for model in one.models}
    c, u = schema.deployments.c, schema.usage.c
    query = select(c.account, c.model, type_coerce(c.noun, Text).label("noun")).where(c.ended_at.is_(None))
    decode = msgspec.json.Decoder(Deployment).decode
    wanted: set[tuple[str, str]] = set()
    for row in _rows(tx, query.order_by(c.account, c.key)):
        if row.account in held and (is_fine_tuned(row.model, names) or model_of(row.model) in names):
            one = held[row.account]
            deployment = decode(row.noun)
            one.deployments.append(replace(deployment, account=one.key))  # one text for all, in place of as many copies
            wanted.add((row.account, deployment.name.lower()))
    read = msgspec.json.Decoder(Usage).decode
    for row in _rows(tx, select(u.account, u.deployment, type_coerce(u.noun, Text).label("noun"))):
        if (row.account, row.deployment) in wanted:
            held[row.account].usage[row.deployment] = read(row.noun)


def _add_checkpoints(tx: Connection, held: Mapping[str, _Held]) -> None:
    """The names of the models' checkpoints, where some deployment bears a name that tells nothing else."""
    if not any(is_checkpoint_id(deployment.model) for one in held.values() for deployment in one.deployments):
        return
    c = schema.training.c
    for row in _rows(tx, select(c.account, c.job, c.checkpoints).where(c.checkpoints != "")):
        models = held[row.account].models if row.account in held else {}
        name = next((model.id for model in models.values() if model.job == row.job), None)
        if name is not None:
            models[name] = structs.replace(models[name], checkpoints=frozenset(row.checkpoints.split("\n")))


def _add_files(tx: Connection, held: Mapping[str, _Held], keys: Collection[str] | None = None) -> None:
    c = schema.files.c
    decode = msgspec.json.Decoder(File).decode
    query = select(c.account, type_coerce(c.noun, Text).label("noun")).where(c.is_listed).order_by(c.account, c.id)
    if keys is not None:
        query = query.where(c.account.in_(sorted(keys)))
    for row in _rows(tx, query):
        if (one := held.get(row.account)) is not None:
            file = decode(row.noun)
            purpose, status = sys.intern(file.purpose), sys.intern(file.raw_status)
            one.files.append(replace(file, account=one.key, purpose=purpose, raw_status=status))


#: How far back calls are wanted by a rule.
_CALLS_BACK = timedelta(days=31)


def _add_calls(tx: Connection, held: Mapping[str, _Held], now: datetime) -> None:
    """The calls of the last weeks."""
    for (account, name), found in calls.load_all(tx, now - _CALLS_BACK, now).items():
        if account in held:
            held[account].calls[name] = found
    for account, coverage in calls.coverages(tx).items():
        if account in held:
            held[account].coverage = coverage


def _month(now: datetime) -> datetime:
    return datetime(now.year, now.month, 1, tzinfo=UTC)


def _add_ended_jobs(tx: Connection, accounts: Mapping[str, Account], held: Mapping[str, _Held], now: datetime) -> None:
    """The jobs that ended in this calendar month, with what tells of their cost.

    Of most their logs alone do; how its status changed is looked up of the few whose cost goes by that.
    """
    c, month = schema.jobs.c, _month(now)
    ended = c.status.in_([status.value for status in ENDED]) & (c.status_since >= month)
    found: dict[job_records.Key, FineTuningJob] = {}
    for row in tx.execute(select(c.account, c.id, c.noun).where(ended).order_by(c.account, c.id)):
        # At first sight a job's end may date from that sight alone.
        if row.account in held and (row.noun.finished_at is None or row.noun.finished_at >= month):
            found[row.account, row.id] = row.noun
    phases = _phases(tx, [key for key, job in found.items() if _goes_by_status(accounts[key[0]], job)])
    logs = job_records.logs(tx, select(c.account, c.id).where(ended), now)
    for (account, id_), job in found.items():
        one, changes = held[account], tuple(phases.get((account, id_), ()))
        at = ended_at(job, changes)
        if at is not None and not is_charged_here(accounts[account], at, changes):
            continue
        one.ended.append(job)
        if changes:
            one.phases[id_] = changes
        if lines := logs.get((account, id_)):
            one.logs[id_] = tuple(lines)


def _goes_by_status(account: Account, job: FineTuningJob) -> bool:
    """Whether what it cost, or where, cannot be told without the changes of its status."""
    if job.finished_at is None or (account.created_at is not None and job.finished_at < account.created_at):
        return True
    return job.status is JobStatus.CANCELLED or is_reinforcement(job)


def _phases(tx: Connection, keys: Sequence[job_records.Key]) -> dict[job_records.Key, list[Transition]]:
    found: dict[job_records.Key, list[Transition]] = {}
    for some in chunks(keys):
        found.update(job_records.phases(tx, some))
    return found


def _rows(tx: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    return iter(tx.execute(query.execution_options(yield_per=_BATCH)))
