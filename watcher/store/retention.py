"""Retention: lets go of what has ended long ago, and of nothing that somebody may still have to be told of."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, exists, or_, select

from watcher.rules.finding import FindingKind
from watcher.store import schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows went."""

    transitions: int = 0
    alerts: int = 0
    notifications: int = 0
    attempts: int = 0
    silences: int = 0
    keeps: int = 0
    training: int = 0
    durations: int = 0
    files: int = 0
    models: int = 0
    retirements: int = 0


def prune(tx: Connection, *, before: datetime) -> Pruned:
    """Delete what ended before a time; returns how much. Safe to repeat.

    An alert goes with what was told of it once it is over, everyone was told, and no delivery of it is under way; a
    notification once it is over and every alert it told of goes too. A transition that some rule has yet to judge
    stays, and so does the audit.
    """
    alerts = _ended_alerts(before)
    notifications = _ended_notifications(before, alerts)
    attempts = tx.execute(delete(schema.attempts).where(schema.attempts.c.notification_id.in_(notifications))).rowcount
    gone = tx.execute(delete(schema.notifications).where(schema.notifications.c.id.in_(notifications))).rowcount
    tx.execute(delete(schema.told).where(schema.told.c.alert_id.in_(alerts)))
    t, s, k = schema.transitions.c, schema.silences.c, schema.keeps.c
    return Pruned(
        attempts=attempts,
        notifications=gone,
        alerts=tx.execute(delete(schema.alerts).where(schema.alerts.c.id.in_(alerts))).rowcount,
        transitions=tx.execute(
            delete(schema.transitions).where(t.observed_at < before, t.is_undecided.is_(False))
        ).rowcount,
        training=tx.execute(delete(schema.training).where(schema.training.c.read_at < before)).rowcount,
        durations=tx.execute(delete(schema.durations).where(schema.durations.c.at < before)).rowcount,
        files=tx.execute(delete(schema.files).where(_has_left(schema.files, before))).rowcount,
        models=tx.execute(delete(schema.models).where(_has_left(schema.models, before))).rowcount,
        retirements=tx.execute(delete(schema.retirements).where(schema.retirements.c.at < before)).rowcount,
        silences=tx.execute(delete(schema.silences).where(s.ends_at < before)).rowcount,
        keeps=tx.execute(delete(schema.keeps).where(k.until < before)).rowcount,
    )


def _has_left(table: Table, before: datetime) -> ColumnElement[bool]:
    """What no list names any more, and was first seen so long ago."""
    return and_(~table.c.is_listed, table.c.first_seen_at < before)


def _ended_alerts(before: datetime) -> Select[tuple[str]]:
    a, t, n = schema.alerts.c, schema.told.c, schema.notifications.c
    is_over = or_(
        and_(a.kind == FindingKind.CONDITION.value, a.ends_at.is_not(None), a.ends_at < before),
        and_(a.kind == FindingKind.EVENT.value, a.starts_at < before),
    )
    is_on_its_way = exists(
        select(1)
        .select_from(schema.told)
        .join(schema.notifications, n.id == t.notification_id)
        .where(t.alert_id == a.id, n.state == "pending")
        .correlate(schema.alerts)
    )
    return select(a.id).where(is_over, a.is_settled, ~is_on_its_way)


def _ended_notifications(before: datetime, alerts: Select[tuple[str]]) -> Select[tuple[str]]:
    t, n = schema.told.c, schema.notifications.c
    tells_of_others = exists(
        select(1)
        .select_from(schema.told)
        .where(t.notification_id == n.id, t.alert_id.not_in(alerts))
        .correlate(schema.notifications)
    )
    return select(n.id).where(n.state != "pending", n.ended_at < before, ~tells_of_others)
