"""Alerts as recorded. Who was told of them is in `tellings`; what operators said of them is in `operators`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, bindparam, exists, func, or_, select, type_coerce, update

from watcher.alerts.alert import Alert
from watcher.rules.finding import FindingKind, Severity
from watcher.store import schema
from watcher.store.stamps import new_stamp
from watcher.store.turns import take_turns
from watcher.store.upsert import chunks, upsert_all


def firing(tx: Connection, account: str) -> tuple[Alert, ...]:
    """The open conditions of an account ("" for those that span accounts), oldest first."""
    return tuple(_alert(row) for row in tx.execute(_FIRING, {"of": account}))


_FIRING = (
    select(schema.alerts)
    .where(schema.alerts.c.account == bindparam("of"), schema.IS_FIRING)
    .order_by(schema.alerts.c.starts_at, schema.alerts.c.id)
)


def ended(tx: Connection, account: str, *, since: datetime) -> tuple[Alert, ...]:
    """The conditions of an account ("" for those that span accounts) that ended then or later, oldest first."""
    return tuple(_alert(row) for row in tx.execute(_ENDED, {"of": account, "since": since}))


_ENDED = (
    select(schema.alerts)
    .where(
        schema.alerts.c.account == bindparam("of"),
        schema.alerts.c.ends_at >= bindparam("since"),
        schema.alerts.c.kind == FindingKind.CONDITION.value,
    )
    .order_by(schema.alerts.c.starts_at, schema.alerts.c.id)
)


def lock_fleet(tx: Connection) -> None:
    """Take turns with other processes over the alerts that span accounts, which no account's row guards."""
    take_turns(tx, "fleet")


def recorded_events(tx: Connection, fingerprints: Collection[str]) -> frozenset[str]:
    """Those of `fingerprints` that an event alert already has: an event happens once."""
    if not fingerprints:
        return frozenset()
    c = schema.alerts.c
    query = select(c.fingerprint).where(
        c.fingerprint.in_(sorted(fingerprints)), c.ends_at.is_(None), c.kind == FindingKind.EVENT.value
    )
    return frozenset(tx.execute(query).scalars())


def save(tx: Connection, changed: Iterable[Alert]) -> None:
    """Record alerts that are new or changed; each of them is for dispatch to look at again."""
    upsert_all(tx, schema.alerts, ("id",), [_values(alert) for alert in changed], only_new=("acked_at", "acked_by"))


def _values(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "account": alert.account,
        "rule": alert.finding.rule,
        "kind": alert.finding.kind.value,
        "severity": alert.severity.value,
        "finding": alert.finding,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "ended_because": alert.ended_because,
        "updated_at": alert.updated_at,
        "raised_at": alert.raised_at,
        "unverified_since": alert.unverified_since,
        "unverified_because": alert.unverified_because,
        "is_first_sight": alert.is_first_sight,
        "acked_at": alert.acked_at,
        "acked_by": alert.acked_by,
        "is_settled": False,
        "stamp": new_stamp(),
    }


def unsettled(tx: Connection, *, without_rules: Collection[str] = ()) -> tuple[Alert, ...]:
    """The alerts of which somebody may still have to be told, oldest first: open conditions and unsettled others.

    Args:
        without_rules: Those of these rules are passed over.
    """
    query = select(schema.alerts).where(schema.IS_UNSETTLED)
    if without_rules:
        query = query.where(schema.alerts.c.rule.not_in(sorted(without_rules)))
    return tuple(_alert(row) for row in tx.execute(query.order_by(schema.alerts.c.starts_at, schema.alerts.c.id)))


def stamps(tx: Connection) -> dict[str, int]:
    """By id of the alerts that `unsettled` returns a number that changes with them, or with who was told of them."""
    return {
        id_: stamp
        for id_, stamp in tx.execute(select(schema.alerts.c.id, schema.alerts.c.stamp).where(schema.IS_UNSETTLED))
    }


def changed_since(tx: Connection, stamp: int) -> tuple[dict[str, tuple[int, Alert]], frozenset[str]]:
    """The alerts that `unsettled` returns and whose stamp is greater, by id, each with its stamp; and the ids of those
    of which somebody was told."""
    rows = tx.execute(_CHANGED, {"than": stamp}).all()
    return {row.id: (row.stamp, _alert(row)) for row in rows}, frozenset(row.id for row in rows if row.was_told)


_CHANGED = select(
    schema.alerts, exists(select(1).where(schema.told.c.alert_id == schema.alerts.c.id)).label("was_told")
).where(schema.IS_UNSETTLED, schema.alerts.c.stamp > bindparam("than"))


def of_ids(tx: Connection, ids: Collection[str]) -> tuple[Alert, ...]:
    """These alerts, in no order."""
    return tuple(_alert(row) for some in chunks(sorted(ids)) for row in tx.execute(_OF_IDS, {"ids": some}))


_OF_IDS = select(schema.alerts).where(schema.alerts.c.id.in_(bindparam("ids", expanding=True)))


def settle(tx: Connection, ids: Collection[str]) -> None:
    """Take alerts off dispatch's list: all who were to be told were told."""
    if ids:
        for some in chunks(sorted(ids)):
            tx.execute(_SETTLED, {"ids": some})


_SETTLED = update(schema.alerts).where(schema.alerts.c.id.in_(bindparam("ids", expanding=True))).values(is_settled=True)


def settle_events(tx: Connection, *, before: datetime) -> None:
    """Take the events that happened before a time off dispatch's list."""
    c = schema.alerts.c
    query = select(c.id).where(schema.IS_UNSETTLED, c.kind == FindingKind.EVENT.value, c.starts_at < before)
    settle(tx, tx.execute(query).scalars().all())


def find(tx: Connection, id_or_prefix: str) -> Alert | None:
    """One alert by its id, or by the beginning of it or of its fingerprint where that is unambiguous (the newest of one
    fingerprint)."""
    c = schema.alerts.c
    exact = tx.execute(select(schema.alerts).where(c.id == id_or_prefix)).one_or_none()
    if exact is not None:
        return _alert(exact)
    names = named(tx, id_or_prefix)
    if len({one.fingerprint for one in names}) != 1:
        return None
    return _alert(tx.execute(select(schema.alerts).where(c.id == names[0].id)).one())


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What an alert is called by."""

    id: str
    fingerprint: str
    is_over: bool


def named(tx: Connection, beginning: str) -> tuple[Name, ...]:
    """The names of the alerts whose id or fingerprint begins so, newest first; the alerts themselves are not read."""
    c = schema.alerts.c
    begins = or_(*(func.substr(column, 1, len(beginning)) == beginning for column in (c.id, c.fingerprint)))
    query = select(c.id, c.fingerprint, c.ends_at).where(begins).order_by(c.starts_at.desc(), c.id)
    return tuple(
        Name(id=id_, fingerprint=fingerprint, is_over=ends_at is not None)
        for id_, fingerprint, ends_at in tx.execute(query)
    )


def listed(
    tx: Connection,
    *,
    since: datetime | None = None,
    firing_only: bool = False,
    rules: Collection[str] | None = None,
    without_rules: Collection[str] = (),
    but_raised: bool = False,
) -> tuple[Alert, ...]:
    """Alerts, newest first: open conditions, and since `since` also events and what has ended.

    Args:
        rules: Of these rules alone.
        without_rules: Those of these rules are passed over.
        but_raised: Except for those that are more severe than info.
    """
    c = schema.alerts.c
    query = select(schema.alerts).order_by(c.starts_at.desc(), c.id)
    if firing_only:
        query = query.where(schema.IS_FIRING)
    elif since is not None:
        query = query.where(schema.IS_FIRING | (c.starts_at >= since) | (c.ends_at >= since))
    if rules is not None:
        query = query.where(c.rule.in_(sorted(rules)))
    if without_rules:
        others = c.rule.not_in(sorted(without_rules))
        query = query.where(others | (c.severity != Severity.INFO.value) if but_raised else others)
    return tuple(_alert(row) for row in tx.execute(query))


def of_subject(tx: Connection, account: str, incarnation: str) -> tuple[Alert, ...]:
    """Alerts of one job or of one life of a deployment, newest first, those of rules over all accounts included."""
    c = schema.alerts.c
    over_all = and_(c.account == "", type_coerce(c.finding, Text).contains(incarnation, autoescape=True))
    query = select(schema.alerts).where(or_(c.account == account, over_all)).order_by(c.starts_at.desc())
    return tuple(
        alert
        for alert in map(_alert, tx.execute(query))
        if alert.finding.subject.incarnation == incarnation and alert.finding.subject.id.startswith(account)
    )


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many open conditions there are, by rule and severity."""
    c = schema.alerts.c
    rows = tx.execute(select(c.rule, c.severity, func.count()).where(schema.IS_FIRING).group_by(c.rule, c.severity))
    return {(rule, severity): count for rule, severity, count in rows}


def recent_lives(tx: Connection, alerts: Collection[Alert], *, since: datetime) -> dict[str, tuple[datetime, ...]]:
    """When the lives of these conditions began that ended at `since` or later, by fingerprint; oldest first."""
    prints = {alert.fingerprint for alert in alerts}
    found: dict[str, tuple[datetime, ...]] = {}
    for accounts in chunks(sorted({alert.account for alert in alerts})):
        for print_, starts_at in tx.execute(_LIVES, {"accounts": accounts, "since": since}):
            if print_ in prints:
                found[print_] = (*found.get(print_, ()), starts_at)
    return found


_LIVES = (
    select(schema.alerts.c.fingerprint, schema.alerts.c.starts_at)
    .where(
        schema.alerts.c.account.in_(bindparam("accounts", expanding=True)),
        schema.alerts.c.ends_at >= bindparam("since"),
        schema.alerts.c.kind == FindingKind.CONDITION.value,
    )
    .order_by(schema.alerts.c.starts_at)
)


def firing_at(tx: Connection, receiver: str) -> tuple[Alert, ...]:
    """The open conditions of which a receiver was told, oldest first."""
    c, t = schema.alerts.c, schema.told.c
    knows = exists(select(1).where(t.alert_id == c.id, t.receiver == receiver).correlate(schema.alerts))
    query = select(schema.alerts).where(schema.IS_FIRING, knows)
    return tuple(_alert(row) for row in tx.execute(query.order_by(c.starts_at, c.id)))


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        id=row.id,
        fingerprint=row.fingerprint,
        finding=row.finding,
        account=row.account,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        ended_because=row.ended_because,
        updated_at=row.updated_at,
        raised_at=row.raised_at,
        unverified_since=row.unverified_since,
        unverified_because=row.unverified_because,
        is_first_sight=row.is_first_sight,
        acked_at=row.acked_at,
        acked_by=row.acked_by,
    )
