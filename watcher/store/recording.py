"""What a replay starts from: all that is recorded of the accounts, what operators did, and what was really sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from watcher.alerts.notification import Notification
from watcher.resources.changes import ResourceKind
from watcher.store import alerts, as_of, operators, outbox, schema, state
from watcher.store.past import Past

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An alert that was recorded: what it was about, and when something became of it."""

    id: str
    account: str  #: "" where it spans accounts
    rule: str
    subject: str  #: id, in lower case
    kind: ResourceKind
    moments: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Loaded once, and read only."""

    pasts: tuple[Past, ...]
    judged: tuple[Judged, ...]
    sent: tuple[Notification, ...]  #: decided in the span, oldest first; without those that went into another one
    audit: tuple[operators.AuditEntry, ...]  #: oldest first
    silences: Rows
    durations: Rows
    retirements: Rows
    retail_prices: Rows
    cloud: str
    subscriptions: tuple[str, ...]

    @property
    def begins(self) -> datetime | None:
        """When the first account was seen; `None`: none ever was."""
        return min((past.first_seen_at for past in self.pasts), default=None)


def load(tx: Connection, *, since: datetime, until: datetime) -> Recording:
    """What is recorded, with what was sent from `since` until `until`."""
    found = state.discovery(tx)
    sent = outbox.listed(tx, states=("pending", "delivered", "dead", "dropped"), since=since)
    return Recording(
        pasts=as_of.load(tx),
        judged=_judged(tx),
        sent=tuple(one.notification for one in sent if one.notification.created_at <= until),
        audit=tuple(reversed(operators.audit(tx))),
        silences=_rows(tx, schema.silences),
        durations=_rows(tx, schema.durations),
        retirements=_rows(tx, schema.retirements),
        retail_prices=_rows(tx, schema.retail_prices),
        cloud=found.cloud,
        subscriptions=found.subscriptions,
    )


def _judged(tx: Connection) -> tuple[Judged, ...]:
    c = schema.alerts.c
    query = select(c.id, c.account, c.rule, c.finding, c.starts_at, c.raised_at, c.updated_at, c.ends_at)
    return tuple(
        Judged(
            id=row.id,
            account=row.account,
            rule=row.rule,
            subject=row.finding.subject.id.lower(),
            kind=row.finding.subject.kind,
            moments=tuple(at for at in (row.starts_at, row.raised_at, row.updated_at, row.ends_at) if at is not None),
        )
        for row in tx.execute(query)
    )


def _rows(tx: Connection, table: Table) -> Rows:
    return tuple(row._asdict() for row in tx.execute(select(table)))


# Into the store of a replay


def seed(tx: Connection, recording: Recording, *, before: datetime) -> None:
    """What was known at the start, beside the accounts: how long jobs take, and when base models retire."""
    _put(tx, schema.durations, [row for row in recording.durations if row["at"] <= before])
    _put(tx, schema.retirements, recording.retirements)
    _put(tx, schema.retail_prices, recording.retail_prices)


def seed_silences(tx: Connection, recording: Recording) -> None:
    """Every silence, which counts in its own time."""
    _put(tx, schema.silences, recording.silences)


def _put(tx: Connection, table: Table, rows: Rows) -> None:
    if rows:
        tx.execute(insert(table), list(rows))


def mark_delivered(tx: Connection, *, now: datetime) -> None:
    """Whoever is told in a replay has heard it at once."""
    values = {"state": "delivered", "first_tried_at": now, "ended_at": now, "attempts": 1}
    tx.execute(update(schema.notifications).where(schema.IS_PENDING).values(values))


def acknowledge(tx: Connection, judged: Judged, *, author: str, at: datetime) -> None:
    """Acknowledge the open alert that is about the same as one that was recorded."""
    for alert in alerts.unsettled(tx):
        if alert.finding.rule == judged.rule and alert.finding.subject.id.lower() == judged.subject:
            where = schema.alerts.c.id == alert.id
            tx.execute(update(schema.alerts).where(where).values(acked_at=at, acked_by=author))
