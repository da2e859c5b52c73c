"""What is recorded of jobs over time: how their status changed, and the lines of their own logs that tell of money."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, or_, select, tuple_

from watcher.resources.changes import STATUS, ResourceKind, Transition
from watcher.resources.fine_tuning import JobEvent
from watcher.store import history, schema

#: A job: its account's key, and its id.
Key = tuple[str, str]
#: Which jobs are meant: a query of their accounts and ids, or these themselves.
Which = Select[Any] | Sequence[Key]


def phases(tx: Connection, which: Which) -> dict[Key, list[Transition]]:
    """How the status of these jobs changed, oldest first."""
    t = schema.transitions.c
    query = (
        select(schema.transitions)
        # Not a join: SQLite would go through all transitions, and look up the job of each.
        .where(tuple_(t.account, t.name).in_(which))
        .where(t.attribute == STATUS, t.kind == ResourceKind.JOB.value)
        .order_by(t.id)
    )
    found: dict[Key, list[Transition]] = {}
    for row in tx.execute(query):
        found.setdefault((row.account, row.name), []).append(history.transition_of(row))
    return found


#: Lines of a log that may tell of a price, a beginning, a pause, an end or a refusal, in whatever level: see
#: `costs.training`, `rules.rai`.
_TELLING = (
    "%tokens billed%",
    "%start%",
    "%cancel%",
    "job succeeded%",
    "%results file%",
    "%paused%",
    "%resumed%",
    "%RAI%",
    "%responsible AI%",
    "%deployed%",
    "%content safety%",
    "%moderation%",
    "%harm%",
)


def logs(tx: Connection, which: Which, until: datetime) -> dict[Key, list[JobEvent]]:
    """Of these jobs' logs the lines that tell of money, see `_TELLING`, oldest first."""
    e = schema.job_events.c
    is_telling = or_(e.level != "info", *(e.message.ilike(words) for words in _TELLING))
    query = (
        select(e.account, e.job, e.id, e.created_at, e.level, e.type, e.message)
        .where(tuple_(e.account, e.job).in_(which))
        .where(is_telling, e.created_at <= until)
        .order_by(e.account, e.job, e.created_at, e.id)
    )
    found: dict[Key, list[JobEvent]] = {}
    for row in tx.execute(query):
        line = JobEvent(id=row.id, created_at=row.created_at, level=row.level, type=row.type, message=row.message)
        found.setdefault((row.account, row.job), []).append(line)
    return found
