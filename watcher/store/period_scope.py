"""Which accounts were in scope in a period, as was known at one time: one that had left may have come back since."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from watcher.resources.account_changes import EXCLUDED, SCOPE
from watcher.resources.changes import Change, ResourceKind
from watcher.store import schema
from watcher.store.upsert import chunks

_COLUMNS = (
    "key",
    "noun",
    "first_seen_at",
    "removed_at",
    "snapshot_at",
    "jobs_at",
    "deployments_at",
    "usage_at",
    "files_at",
    "models_at",
    "models_digest",
    "files_digest",
)


def load(tx: Connection, begin: datetime, as_of: datetime) -> list[tuple[Row[Any], datetime | None]]:
    """The accounts that were in scope at some time since `begin`, by label, each with when it had left it by then."""
    c = schema.accounts.c
    query = select(*(c[name] for name in _COLUMNS)).where(c.first_seen_at <= as_of).order_by(c.label, c.key)
    changed = _changed_since(tx, as_of)
    found = [(row, changed.get(row.key, row.removed_at)) for row in tx.execute(query)]
    return [(row, removed_at) for row, removed_at in found if removed_at is None or removed_at > begin]


def gone(tx: Connection, accounts: Collection[str], as_of: datetime) -> frozenset[str]:
    """Those of which the last that had been heard was that their own address answered 404."""
    t = schema.transitions.c
    last: dict[str, str] = {}
    for some in chunks(sorted(accounts)):
        said = select(t.account, t.change).where(t.account.in_(some), _IS_SCOPE, t.observed_at <= as_of)
        last.update((account, change) for account, change in tx.execute(said.order_by(t.id)))
    return frozenset(account for account, change in last.items() if change == Change.GONE.value)


def _changed_since(tx: Connection, as_of: datetime) -> Mapping[str, datetime | None]:
    """When those accounts had left the scope that have left it or come back since; `None`: they were in it."""
    t = schema.transitions.c
    # Not sorted by the database: to find them in their order SQLite would go through all transitions there are.
    said = select(t.id, t.account, t.change, t.after).where(_IS_SCOPE, t.observed_at > as_of)
    newest_first = sorted(tx.execute(said).all(), key=lambda row: row.id, reverse=True)
    # The first of several changes stays: what it changed is what was known before.
    was_watched = {row.account: _takes_out(row.change, row.after) for row in newest_first}
    found: dict[str, datetime | None] = {key: None for key, was in was_watched.items() if was}
    for some in chunks(sorted(was_watched.keys() - found.keys())):
        left = (
            select(t.account, func.max(t.observed_at, type_=t.observed_at.type))
            .where(t.account.in_(some), _IS_SCOPE, t.observed_at <= as_of)
            .where(or_(t.change == Change.GONE.value, t.after == EXCLUDED))
            .group_by(t.account)
        )
        found.update({account: at for account, at in tx.execute(left)})
    return found


def _takes_out(change: str, after: str | None) -> bool:
    return change == Change.GONE.value or after == EXCLUDED


def _is_scope() -> ColumnElement[bool]:
    t = schema.transitions.c
    comes_or_goes = t.change.in_([Change.DISCOVERED.value, Change.GONE.value])
    return (t.kind == ResourceKind.ACCOUNT.value) & or_(t.attribute == SCOPE, comes_or_goes)


_IS_SCOPE = _is_scope()
