"""What waits for a receiver, as far as claiming and merging need to know: in which order, and what holds each up.

A notification waits while an earlier one about any of its alerts is undelivered to the same receiver.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, literal_column, select

from watcher.store import channels, outbox, schema


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notification that waits."""

    id: str
    sequence: int
    due_at: datetime
    fence: int
    attempts: int
    is_uncertain: bool
    is_free: bool  #: it is in nobody's hands
    waits: bool  #: for an earlier one about one of its alerts

    def is_due(self, now: datetime) -> bool:
        return not self.waits and self.is_free and not now < self.due_at <= now + channels.LONGEST_WAIT

    @property
    def was_never_sent(self) -> bool:
        return self.fence == self.attempts and not self.is_uncertain


def queue_of(tx: Connection, receiver: str, now: datetime) -> list[Waiting]:
    """All that waits for a receiver, in the order of the decisions."""
    return [Waiting(*row) for row in tx.execute(_queued(), {"receiver": receiver, **times(now)})]


@cache
def _queued() -> Select[Any]:
    n = schema.notifications.c
    query = select(
        n.id,
        n.sequence,
        n.due_at,
        n.fence,
        n.attempts,
        n.is_uncertain,
        outbox.IS_FREE,
        waits_for_an_earlier_one(),
    )
    return query.where(n.receiver == bindparam("receiver"), schema.IS_PENDING).order_by(n.sequence)


def times(now: datetime) -> dict[str, datetime]:
    """What the queries over what waits are to be given."""
    return {"now": now, "latest_due": now + channels.LONGEST_WAIT, "latest_lease": outbox.latest_lease(now)}


def waits_for_an_earlier_one() -> ColumnElement[bool]:
    """Whether a notification waits for an earlier one about one of its alerts."""
    c = schema.notifications.c
    mine, theirs = schema.told.alias("mine"), schema.told.alias("theirs")
    earlier = schema.notifications.alias("earlier")
    # With the alerts that it stands for: the news that a deployment is gone must not overtake its countdown.
    return exists(
        select(1)
        .select_from(mine)
        .join(
            theirs,
            and_(
                theirs.c.alert_id == mine.c.alert_id,
                theirs.c.receiver == mine.c.receiver,
                theirs.c.sequence < mine.c.sequence,
            ),
        )
        .join(earlier, earlier.c.sequence == theirs.c.sequence)
        .where(mine.c.sequence == c.sequence, earlier.c.state == literal_column("'pending'"))
        .correlate(schema.notifications)
    )
