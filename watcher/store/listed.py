"""Files and custom models: what an account lists, and what it has listed before."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, union, update

from watcher.resources.file import File
from watcher.resources.model import CustomModel, model_of
from watcher.resources.snapshot import Reading, Snapshot
from watcher.store import schema, trainings


def files(tx: Connection, account: str) -> tuple[File, ...]:
    """The files that the newest complete listing names, in the order of their ids."""
    return _load(tx, schema.files, account)


def models(tx: Connection, account: str) -> tuple[CustomModel, ...]:
    """The models that the newest complete listing names, in the order of their ids."""
    return _load(tx, schema.models, account)


def custom_models(tx: Connection, names: Collection[str], *, accounts: Collection[str] = ()) -> frozenset[str]:
    """Those of `names` that are no base models: some account lists them, or a recorded job has made them, or the model
    of which they are a checkpoint.

    Args:
        accounts: Keys of those whose jobs' checkpoints are looked through too, for names that tell nothing.
    """
    if not names:
        return frozenset()
    models_of = {name: model_of(name) for name in names}
    wanted = sorted({*names, *models_of.values()})
    made = set(tx.execute(_MADE, {"names": wanted}).scalars())
    found = frozenset(name for name in names if name in made or models_of[name] in made)
    untold = frozenset(names) - found
    return found | (untold & trainings.checkpoint_names(tx, accounts)) if untold and accounts else found


_MADE = union(
    *(
        select(column.label("name")).where(column.in_(bindparam("names", expanding=True)))
        for column in (schema.jobs.c.fine_tuned_model, schema.models.c.id)
    )
)


def save(tx: Connection, previous: Reading, current: Reading, snapshot: Snapshot) -> int:
    """Save the files and models that are new or changed, or that no list names any more; returns how many."""
    key, at = snapshot.account.key, snapshot.at
    changed = 0
    if snapshot.files is not None and snapshot.files.items is not None:
        changed += _save(tx, schema.files, key, at, previous.files or (), current.files or ())
    if snapshot.models is not None and snapshot.models.items is not None:
        changed += _save(tx, schema.models, key, at, previous.models or (), current.models or ())
    return changed


def _load(tx: Connection, table: Table, account: str) -> tuple[Any, ...]:
    c = table.c
    nouns = tx.execute(select(c.noun).where(c.account == account, c.is_listed)).scalars()
    return tuple(sorted(nouns, key=lambda noun: noun.id))  # a database's collation may know another order


def _save(
    tx: Connection,
    table: Table,
    account: str,
    at: datetime,
    before: Collection[File] | Collection[CustomModel],
    after: Collection[File] | Collection[CustomModel],
) -> int:
    known = {noun.id: noun for noun in before}
    listed = {noun.id: noun for noun in after}
    c = table.c
    lost = sorted(known.keys() - listed.keys())
    if lost:
        tx.execute(update(table).where(c.account == account, c.id.in_(lost)).values(is_listed=False, left_at=at))
    changed = [noun for id_, noun in listed.items() if known.get(id_) != noun]
    recorded: set[str] = set()
    if changed:  # one that had left the list may come back
        ids = [noun.id for noun in changed]
        recorded = set(tx.execute(select(c.id).where(c.account == account, c.id.in_(ids))).scalars())
    for noun in changed:
        if noun.id in recorded:
            where = (c.account == account) & (c.id == noun.id)
            tx.execute(update(table).where(where).values(noun=noun, is_listed=True, left_at=None))
    new = [
        {"account": account, "id": noun.id, "noun": noun, "is_listed": True, "first_seen_at": at}
        for noun in changed
        if noun.id not in recorded
    ]
    if new:  # all at once: at first sight there may be a hundred
        tx.execute(insert(table), new)
    return len(changed) + len(lost)
