"""Accounts that are gone: whose end is still looked up, and what one that was moved takes along to its new id."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select, update

from watcher.resources.changes import ResourceKind
from watcher.store import calls, deployments, operators, schema
from watcher.store.upsert import upsert


def awaiting(tx: Connection) -> frozenset[str]:
    """Keys of the accounts, in scope or not, in which the end of a deployment could not be judged yet."""
    c = schema.transitions.c
    query = select(c.account).where(schema.IS_UNDECIDED, c.kind == ResourceKind.DEPLOYMENT.value).distinct()
    return frozenset(tx.execute(query).scalars())


def carry_over(tx: Connection, old: str, new: str, *, now: datetime) -> None:
    """What is known of an account's calls, and the exceptions for its deployments, go on under its new key.

    Azure's metrics belong to an id, and say nothing under the new one of what was before.
    """
    c = schema.accounts.c
    for name, noun in deployments.usage(tx, old).items():
        upsert(tx, schema.usage, {"account": new, "deployment": name}, {"noun": noun})
    calls.carry_over(tx, old, new)
    read_at = tx.execute(select(c.usage_at).where(c.key == old)).scalar()
    tx.execute(update(schema.accounts).where(c.key == new, c.usage_at.is_(None)).values(usage_at=read_at))
    for keep in operators.keeps(tx, since=now):
        if keep.account == old:
            operators.save_keep(tx, replace(keep, account=new), now=now)
