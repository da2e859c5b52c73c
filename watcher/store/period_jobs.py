"""The jobs, models and files that a period's statement needs, as they were known at one time."""

import sys
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Text, or_, select, tuple_, type_coerce

from watcher.report.recorded import RecordedJob
from watcher.resources.changes import STATUS, Change, ResourceKind, Transition
from watcher.resources.file import File
from watcher.resources.fine_tuning import ENDED, FineTuningJob
from watcher.resources.lineage import Model
from watcher.resources.model import CustomModel
from watcher.store import history, job_records, schema
from watcher.store import then as history_of
from watcher.store.period_rows import plain_rows

_BATCH = 2000
_ENDED = [status.value for status in ENDED]


class _Job(msgspec.Struct, gc=False):
    """What of a job tells of its model and its files."""

    training_file: str = ""
    validation_file: str = ""
    model: str = ""
    suffix: str = ""
    metadata: dict[str, str] = {}
    finished_at: datetime | None = None


def jobs(
    tx: Connection, begin: datetime, as_of: datetime, *, accounts: Collection[str], past: Collection[str]
) -> dict[str, list[RecordedJob]]:
    """By account's key, the jobs that ended at `begin` or later, or are under way, by their ids."""
    c = schema.jobs.c
    is_relevant = or_(c.status.not_in(_ENDED), c.status_since >= begin)
    if past:  # what is found later to have ended long ago was under way, as far as was known
        is_relevant = or_(is_relevant, tuple_(c.account, c.id).in_(_changed_later(as_of)))
    which = select(c.account, c.id).where(is_relevant)
    phases = job_records.phases(tx, which)  # later changes included
    logs = job_records.logs(tx, which, as_of)
    query = select(c.account, c.id, c.status_since, c.left_at, type_coerce(c.noun, Text).label("noun"))
    query = query.where(is_relevant, c.first_seen_at <= as_of).order_by(c.account, c.id)
    decode = msgspec.json.Decoder(FineTuningJob).decode
    found: dict[str, list[RecordedJob]] = {}
    for row in tx.execute(query.execution_options(yield_per=_BATCH)):
        if row.account not in accounts:
            continue
        noun = decode(row.noun)
        said = phases.get((row.account, row.id), [])
        if row.account in past and any(one.observed_at > as_of for one in said):
            noun = history_of.job_at(noun, said, as_of)
        known = tuple(one for one in said if one.observed_at <= as_of)
        ended_at = None
        if noun.status.has_ended:
            ended_at = noun.finished_at or next(
                (t.occurred_at or t.observed_at for t in reversed(known)), row.status_since
            )
            if ended_at < begin:
                continue
        left_at = None if ended_at is not None or row.left_at is None or row.left_at > as_of else row.left_at
        if left_at is not None and left_at <= begin:
            continue
        events = tuple(logs.get((row.account, row.id), ()))
        found.setdefault(row.account, []).append(
            RecordedJob(
                job=noun,
                ended_at=ended_at,
                left_at=left_at,
                phases=known,
                events=events,
            )
        )
    return found


class Kept:
    """The models and files of one account, while they are gathered."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.listed: dict[str, tuple[CustomModel, bool]] = {}  #: as listed, and whether they still are
        self.lists_models = False
        self.models: dict[str, Model] = {}
        self.files: list[File] = []  #: those that no job names
        self.users: set[str] = set()


def kept(
    tx: Connection, as_of: datetime, *, accounts: Collection[str], past: Collection[str], owner_tag: str
) -> dict[str, Kept]:
    """By account's key, the custom models, and the uploaded files with those of them that some job names."""
    found = {key: Kept(key) for key in accounts}
    _add_listed_models(tx, found, as_of)
    _add_made_models(tx, found, as_of, past, owner_tag.lower())
    _add_files(tx, found, as_of, past)
    return found


def _add_listed_models(tx: Connection, found: Mapping[str, Kept], as_of: datetime) -> None:
    c = schema.models.c
    is_still = or_(c.left_at.is_(None), c.left_at > as_of)
    query = select(c.account, is_still, type_coerce(c.noun, Text)).where(c.first_seen_at <= as_of)
    decode = msgspec.json.Decoder(CustomModel).decode
    for account, is_listed, text in plain_rows(tx, query.order_by(c.account, c.id)):
        if (one := found.get(account)) is not None:
            noun = decode(text)
            one.listed[noun.id] = noun, bool(is_listed)
            one.lists_models = one.lists_models or bool(is_listed)


def _add_made_models(
    tx: Connection, found: Mapping[str, Kept], as_of: datetime, past: Collection[str], tag: str
) -> None:
    """All models with the jobs that made them, and the files that jobs name which are listed, or whose model is."""
    c = schema.jobs.c
    is_still = or_(c.left_at.is_(None), c.left_at > as_of)
    query = select(c.account, c.id, is_still, c.fine_tuned_model, type_coerce(c.noun, Text))
    query = query.where(c.first_seen_at <= as_of)
    decode = msgspec.json.Decoder(_Job).decode
    unmade = _unmade(tx, as_of) if past else frozenset()
    for account, id_, is_listed, name, text in plain_rows(tx, query.order_by(c.account, c.id)):
        if (one := found.get(account)) is None:
            continue
        if account in past and (account, id_) in unmade:
            name = ""
        if not (name or is_listed):
            continue
        job = decode(text)
        if name:
            one.models[name] = _made(one, id_, name, job, tag)
        if is_listed or one.models[name].is_listed:
            one.users.add(job.training_file)
            one.users.add(job.validation_file)
    for one in found.values():
        # In the order of the listing: what no job has made, or none that is known, stands in it alone.
        listed = {
            name: one.models.get(name) or _listed(one, noun, is_still) for name, (noun, is_still) in one.listed.items()
        }
        one.models = {**listed, **one.models}
        one.users.discard("")


def _unmade(tx: Connection, as_of: datetime) -> frozenset[tuple[str, str]]:
    """Jobs of which what they made was not known then."""
    return frozenset((account, name) for account, name in tx.execute(_changed_later(as_of)))


def _changed_later(as_of: datetime) -> Select[Any]:
    """Accounts and ids of the jobs whose status is known to have changed since then alone."""
    t = schema.transitions.c
    return select(t.account, t.name).where(
        t.observed_at > as_of,
        t.kind == ResourceKind.JOB.value,
        t.attribute == STATUS,
        t.change == Change.CHANGED.value,
    )


def _made(kept: Kept, id_: str, name: str, job: _Job, tag: str) -> Model:
    """As the inventory has it: a listing without any model is none that would name this one."""
    listed, is_listed = kept.listed.get(name, (None, not kept.lists_models))
    owner = next((value for key, value in job.metadata.items() if key.lower() == tag), "") if job.metadata else ""
    return Model(
        id=name,
        account=kept.key,
        base=sys.intern(job.model),
        suffix=sys.intern(job.suffix),
        job=id_,
        created_at=job.finished_at or (listed.created_at if listed else None),
        owner=sys.intern(owner),
        is_listed=is_listed,
        training_file=job.training_file,
        validation_file=job.validation_file,
        inference_until=listed.inference_until if listed else None,
    )


def _listed(kept: Kept, noun: CustomModel, is_listed: bool) -> Model:
    return Model(
        id=noun.id,
        account=kept.key,
        base=sys.intern(noun.base),
        job=noun.job,
        created_at=noun.created_at,
        is_listed=is_listed,
        inference_until=noun.inference_until,
    )


def _add_files(tx: Connection, found: Mapping[str, Kept], as_of: datetime, past: Collection[str]) -> None:
    """Those that no job names: the others, by far the most, are nobody's leftovers."""
    c = schema.files.c
    query = select(c.account, c.id, type_coerce(c.noun, Text))
    query = query.where(c.first_seen_at <= as_of, or_(c.left_at.is_(None), c.left_at > as_of))
    decode = msgspec.json.Decoder(File).decode
    changed = _changed_files(tx, as_of) if past else {}
    for account, id_, text in plain_rows(tx, query.order_by(c.account, c.id)):
        if (one := found.get(account)) is None or id_ in one.users:
            continue
        noun = decode(text)
        said = changed.get((account, noun.id), ())
        one.files.append(history_of.file_at(noun, said, as_of) if said else noun)


def _changed_files(tx: Connection, as_of: datetime) -> dict[tuple[str, str], list[Transition]]:
    """How the status of files changed later, oldest first."""
    t = schema.transitions.c
    query = select(schema.transitions).where(
        t.observed_at > as_of,
        t.kind == ResourceKind.FILE.value,
        t.attribute == STATUS,
        t.change == Change.CHANGED.value,
    )
    found: dict[tuple[str, str], list[Transition]] = {}
    for row in tx.execute(query.order_by(t.id)):
        found.setdefault((row.account, row.resource), []).append(history.transition_of(row))
    return found


def checkpoints(tx: Connection, found: Mapping[str, Kept]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Account's key, model's name, and the ids and names of its checkpoints."""
    c = schema.training.c
    names = {(key, model.job): model.id for key, one in found.items() for model in one.models.values() if model.job}
    for account, job, text in tx.execute(select(c.account, c.job, c.checkpoints).where(c.checkpoints != "")):
        if (name := names.get((account, job))) is not None:
            yield account, name, frozenset(text.split("\n"))
