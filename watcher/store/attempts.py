"""Attempts: each try at a delivery, or at an issue of a report, and what becomes of a delivery by it.

Which deliveries there are, and who holds them, is in `outbox`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from watcher.store import outbox, schema
from watcher.store.outbox import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a delivery."""

    at: datetime
    duration_s: float
    outcome: str  #: delivered, retry or dead
    kind: str  #: why it failed: auth, rate_limited, timeout, …; "" if it did not
    detail: str  #: what the other side said; never with a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a try at a delivery came to."""

    delivery: Delivery
    attempt: Attempt
    state: str  #: of the delivery from now on: delivered, pending, dead
    due_at: datetime | None = None  #: where it stays pending: when to try again
    reference: str = ""  #: what the notifier calls the message
    is_uncertain: bool = False  #: it failed, and may have arrived all the same


def mark_all(tx: Connection, outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Record attempts and what follows from them, each delivery once at most; returns the ids of those whose lease
    was not lost. Of the others the attempt is on record, and no state is changed."""
    if not outcomes:
        return frozenset()
    held = outbox.still_held(tx, [one.delivery for one in outcomes])
    tx.execute(_TRIED, [_attempt_values(one.delivery.notification.id, one.attempt) for one in outcomes])
    if held:
        tx.execute(_MARK, [_marked_values(one) for one in outcomes if one.delivery.notification.id in held])
    return held


_TRIED = insert(schema.attempts)
_MARKED = (
    "state",
    "attempts",
    "first_tried_at",
    "due_at",
    "ended_at",
    "last_error",
    "is_uncertain",
    "reference",
)
_MARK = (
    update(schema.notifications)
    .where(schema.notifications.c.id == bindparam("of"))
    .values({"lease_owner": None, "lease_until": None, **{name: bindparam(f"new_{name}") for name in _MARKED}})
)


def put(tx: Connection, id_: str, attempt: Attempt) -> None:
    """Record a try at something else that is delivered, under its own id."""
    tx.execute(_TRIED, [_attempt_values(id_, attempt)])


def _attempt_values(id_: str, attempt: Attempt) -> dict[str, Any]:
    return {
        "notification_id": id_,
        "at": attempt.at,
        "duration_s": attempt.duration_s,
        "outcome": attempt.outcome,
        "kind": attempt.kind,
        "detail": attempt.detail,
    }


def _marked_values(one: Outcome) -> dict[str, Any]:
    delivery, attempt = one.delivery, one.attempt
    return {
        "of": delivery.notification.id,
        "new_state": one.state,
        "new_attempts": delivery.attempts + 1,
        "new_first_tried_at": delivery.first_tried_at or attempt.at,
        "new_due_at": one.due_at or delivery.due_at,
        "new_ended_at": None if one.state == "pending" else attempt.at,
        "new_last_error": "" if one.state == "delivered" else attempt.detail,
        "new_is_uncertain": delivery.is_uncertain or one.is_uncertain,
        "new_reference": one.reference,
    }


def of(tx: Connection, id_: str) -> tuple[Attempt, ...]:
    """The tries at one notification, or at one issue of a report, oldest first."""
    c = schema.attempts.c
    rows = tx.execute(select(schema.attempts).where(c.notification_id == id_).order_by(c.id))
    return tuple(
        Attempt(at=row.at, duration_s=row.duration_s, outcome=row.outcome, kind=row.kind, detail=row.detail)
        for row in rows
    )
