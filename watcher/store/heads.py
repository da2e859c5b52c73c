"""What a receiver was told first in one message, and has ended since: a notifier may mark such a message as over.

Which message that is, says its reference (see `Notification.earlier`). It is asked anew at each claim, so that nothing
depends on how long a process has lived.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from watcher.alerts.alert import Alert, AlertStatus
from watcher.store import alerts, schema
from watcher.store.outbox import Delivery
from watcher.store.upsert import chunks


def with_ended(tx: Connection, receiver: str, claimed: Sequence[Delivery]) -> list[Delivery]:
    """With `Notification.under` of those that tell of an end."""
    wanted = {
        told.alert.id
        for one in claimed
        for told in one.notification.alerts
        if told.alert.status is AlertStatus.RESOLVED and told.alert.id in one.notification.earlier
    }
    if not wanted:
        return list(claimed)
    heads = {sequence for sequence, _ in _first_told(tx, receiver, wanted).values()}
    beside = _told_as_firing(tx, receiver, heads)
    first = _first_told(tx, receiver, beside)
    under: dict[str, list[Alert]] = {}
    for alert in sorted(alerts.of_ids(tx, beside), key=lambda one: one.id):
        sequence, reference = first.get(alert.id, (0, ""))
        if sequence in heads and alert.status is AlertStatus.RESOLVED:
            under.setdefault(reference, []).append(alert)
    return [_with(one, under) for one in claimed]


def _with(one: Delivery, under: dict[str, list[Alert]]) -> Delivery:
    about = {one.notification.earlier.get(told.alert.id, "") for told in one.notification.alerts}
    ended = {reference: tuple(under[reference]) for reference in sorted(about) if reference in under}
    return replace(one, notification=replace(one.notification, under=ended)) if ended else one


def _first_told(tx: Connection, receiver: str, ids: set[str]) -> dict[str, tuple[int, str]]:
    """By alert the message that has a reference and told of it first: its sequence and reference."""
    n, t = schema.notifications.c, schema.told.c
    first: dict[str, tuple[int, str]] = {}
    for some in chunks(sorted(ids)):
        query = (
            select(t.alert_id, n.sequence, n.reference)
            .join(schema.notifications, n.id == t.notification_id)
            .where(t.receiver == receiver, t.alert_id.in_(some), n.state == "delivered", n.reference != "")
        )
        for alert_id, sequence, reference in tx.execute(query.order_by(n.sequence)):
            first.setdefault(alert_id, (sequence, reference))
    return first


def _told_as_firing(tx: Connection, receiver: str, sequences: set[int]) -> set[str]:
    """The alerts that these messages told of while they fired."""
    t, found = schema.told.c, set[str]()
    for some in chunks(sorted(sequences)):
        query = select(t.alert_id).where(t.sequence.in_(some), t.receiver == receiver)
        found |= set(tx.execute(query.where(t.status == AlertStatus.FIRING.value)).scalars())
    return found
