"""Times and words of the whole: when discovery last ran, when a cycle was last complete, what the daemon is."""

from datetime import datetime

from sqlalchemy import Connection, select

from watcher.store import schema
from watcher.store.upsert import upsert

#: Names of the rows.
DISCOVERED = "discovered"
CYCLE_COMPLETED = "cycle.completed"


def put(tx: Connection, name: str, *, at: datetime, value: str = "") -> None:
    """Remember a time, and a word with it."""
    upsert(tx, schema.state, {"name": name}, {"at": at, "value": value})


def at(tx: Connection, name: str) -> datetime | None:
    """The remembered time, or `None`."""
    found: datetime | None = tx.execute(select(schema.state.c.at).where(schema.state.c.name == name)).scalar()
    return found


def value(tx: Connection, name: str) -> str:
    """The remembered word, or ""."""
    return tx.execute(select(schema.state.c.value).where(schema.state.c.name == name)).scalar() or ""
