"""Who was told of which alert, in which status and severity, and whether that arrived.

Dispatch decides by it; people ask it who knew what, and when.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Told
from watcher.rules.finding import Severity, Subject
from watcher.store import schema
from watcher.store.alerts import ended, firing
from watcher.store.upsert import chunks


def newest(tx: Connection, alert_ids: Collection[str]) -> tuple[Told, ...]:
    """What each receiver was last told of each of these alerts."""
    found: dict[tuple[str, str], Told] = {}
    for some in chunks(sorted(alert_ids)):
        rows = tx.execute(select(schema.told).where(schema.told.c.alert_id.in_(some)).order_by(schema.told.c.sequence))
        for row in rows:
            found[row.alert_id, row.receiver] = _told(row)
    return tuple(found.values())


def of_alert(tx: Connection, alert_id: str) -> tuple[Told, ...]:
    """All that was told of one alert, oldest first."""
    return tuple(of_alerts(tx, [alert_id]).get(alert_id, ()))


def of_alerts(tx: Connection, alert_ids: Sequence[str]) -> dict[str, list[Told]]:
    """The same of several, by id; those of which nobody was told are not among them."""
    found: dict[str, list[Told]] = {}
    for some in chunks(alert_ids):
        rows = tx.execute(select(schema.told).where(schema.told.c.alert_id.in_(some)).order_by(schema.told.c.sequence))
        for row in rows:
            found.setdefault(row.alert_id, []).append(_told(row))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """That a receiver was told, or was to be told, of a condition that fires."""

    rule: str
    told: Told
    delivered_at: datetime | None  #: `None`: it is waiting, or was given up
    is_uncertain: bool  #: it may have arrived all the same


def of_subjects(
    tx: Connection,
    account: str,
    subjects: Collection[Subject],
    *,
    open_ones: Sequence[Alert] | None = None,
    ended_since: datetime,
) -> dict[Subject, tuple[Word, ...]]:
    """Who was told by which rule of the conditions of these subjects: of those that are open, or ended lately.

    Conditions that rules over all accounts have found are among them. What became part of another message is told by
    that one; a message that said no more than that it is over is none of these.

    Args:
        open_ones: The open conditions of the account, where they are at hand.
    """
    lately = (alert for of in (account, "") for alert in ended(tx, of, since=ended_since))
    open_or_ended = [*(firing(tx, account) if open_ones is None else open_ones), *firing(tx, ""), *lately]
    open_or_ended.sort(key=lambda alert: (alert.starts_at, alert.id))
    findings = {alert.id: alert.finding for alert in open_or_ended if alert.finding.subject in subjects}
    found: dict[Subject, tuple[Word, ...]] = {}
    n, t = schema.notifications.c, schema.told.c
    for some in chunks(list(findings)):
        query = (
            select(schema.told, n.state, n.ended_at.label("delivered_at"), n.is_uncertain)
            .join(schema.notifications, n.id == t.notification_id)
            .where(t.alert_id.in_(some), t.status == AlertStatus.FIRING.value, n.state != "merged")
        )
        for row in tx.execute(query.order_by(t.sequence)):
            one = findings[row.alert_id]
            delivered_at = row.delivered_at if row.state == "delivered" else None
            word = Word(rule=one.rule, told=_told(row), delivered_at=delivered_at, is_uncertain=row.is_uncertain)
            found[one.subject] = (*found.get(one.subject, ()), word)
    return found


def for_planning(tx: Connection, alert_ids: Collection[str]) -> tuple[Told, ...]:
    """What planning needs of what was told of these alerts, of each in the order in which it was told.

    That is, of each receiver the first and the newest of each status and severity: reminders of months say no more.
    """
    return tuple(_told(row) for some in chunks(sorted(alert_ids)) for row in tx.execute(_ends(), {"ids": some}))


@cache
def _ends() -> Select[Any]:
    t = schema.told.c
    ends = (
        select(t.alert_id, t.receiver, func.min(t.sequence).label("first"), func.max(t.sequence).label("last"))
        .where(t.alert_id.in_(bindparam("ids", expanding=True)))
        .group_by(t.alert_id, t.receiver, t.status, t.severity)
        .subquery()
    )
    is_end = or_(t.sequence == ends.c.first, t.sequence == ends.c.last)
    query = select(schema.told).join(ends, and_(t.alert_id == ends.c.alert_id, t.receiver == ends.c.receiver, is_end))
    return query.order_by(t.alert_id, t.sequence)


def after(tx: Connection, sequence: int) -> tuple[Told, ...]:
    """All that was told after the notification of this place, of whatever alert, in the order in which it was told."""
    return tuple(_told(row) for row in tx.execute(_AFTER, {"place": sequence}))


_AFTER = select(schema.told).where(schema.told.c.sequence > bindparam("place")).order_by(schema.told.c.sequence)


def lost(tx: Connection) -> frozenset[str]:
    """Ids of the notifications that were given up, and cannot have arrived."""
    c = schema.notifications.c
    return frozenset(tx.execute(select(c.id).where(schema.IS_DEAD, c.is_uncertain.is_(False))).scalars())


def _told(row: Row[Any]) -> Told:
    return Told(
        alert_id=row.alert_id,
        receiver=row.receiver,
        status=AlertStatus(row.status),
        severity=Severity(row.severity),
        step=row.step,
        at=row.at,
        notification_id=row.notification_id,
        group_key=row.group_key,
        route=row.route,
    )
