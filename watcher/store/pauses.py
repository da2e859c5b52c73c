"""Deployments that had been paused and run again, over many accounts at once: for the listings."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from watcher.resources.changes import ResourceKind
from watcher.store import schema


def running_since(tx: Connection, accounts: Collection[str] | None = None) -> dict[tuple[str, str], datetime]:
    """When each was last seen to change between running and paused, by key and incarnation; as the rules have it.

    Args:
        accounts: Keys of those whose deployments are asked for; `None`: all.
    """
    c = schema.transitions.c
    query = select(c.resource, c.incarnation, c.before, c.after, c.observed_at).where(
        c.kind == ResourceKind.DEPLOYMENT.value, c.attribute == "deployment_state"
    )
    if accounts is not None:
        query = query.where(c.account.in_(sorted(accounts)))
    since: dict[tuple[str, str], datetime] = {}
    were_paused: set[tuple[str, str]] = set()
    for resource, incarnation, before, after, observed_at in tx.execute(query.order_by(c.id)):
        life = resource.lower(), incarnation
        since[life] = observed_at
        if "paused" in ((before or "").lower(), (after or "").lower()):
            were_paused.add(life)
    return {life: since[life] for life in were_paused}
