"""What a receiver heard before, put beside what it is told next: only at the claim is that known.

It decides whether the end of something is news there, and where a thread of messages goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, or_, select

from watcher.alerts.notification import NotifyReason
from watcher.store import heads, schema
from watcher.store.outbox import Delivery
from watcher.store.upsert import chunks


def completed(tx: Connection, receiver: str, leased: Sequence[Delivery]) -> list[Delivery]:
    """What was leased for a receiver, with what is known only now: what it heard before, and by which references.

    Of what it was never told before there is nothing to know.
    """
    told = _with_references(tx, receiver, [_with_untold(tx, receiver, one) for one in leased])
    return heads.with_ended(tx, receiver, told)


def _with_untold(tx: Connection, receiver: str, claimed: Delivery) -> Delivery:
    """With each end marked of which the receiver never heard that it began: what was to say so died, or was dropped."""
    notification = claimed.notification
    ends = {e.alert.id for e in notification.alerts if e.reason is NotifyReason.RESOLVED and not e.was_untold}
    if not ends:
        return claimed
    n, t = schema.notifications.c, schema.told.c
    heard: set[str] = set()
    for some in chunks(sorted(ends)):
        may_have_arrived = or_(n.id.is_(None), n.state == "delivered", n.is_uncertain, n.fence > n.attempts)
        query = (
            select(t.alert_id)
            .distinct()
            .outerjoin(schema.notifications, n.sequence == t.sequence)
            .where(t.receiver == receiver, t.alert_id.in_(some), t.sequence < claimed.sequence, may_have_arrived)
        )
        heard |= set(tx.execute(query).scalars())
    if ends <= heard:
        return claimed
    entries = tuple(replace(e, was_untold=True) if e.alert.id in ends - heard else e for e in notification.alerts)
    return replace(claimed, notification=replace(notification, alerts=entries))


def _with_references(tx: Connection, receiver: str, claimed: list[Delivery]) -> list[Delivery]:
    """With what the receiver's notifier called its first message about each alert."""
    n, t = schema.notifications.c, schema.told.c
    if tx.execute(_REFERRED, {"receiver": receiver}).first() is None:
        return claimed
    first: dict[str, str] = {}
    about = {entry.alert.id for one in claimed for entry in one.notification.alerts}
    for some in chunks(sorted(about)):
        query = (
            select(t.alert_id, n.reference)
            .join(schema.notifications, n.id == t.notification_id)
            .where(t.receiver == receiver, t.alert_id.in_(some), n.state == "delivered", n.reference != "")
        )
        for alert_id, reference in tx.execute(query.order_by(n.sequence)):
            first.setdefault(alert_id, reference)
    return [
        replace(one, notification=replace(one.notification, earlier=_among(one, first))) if _among(one, first) else one
        for one in claimed
    ]


_REFERRED = (
    select(schema.notifications.c.id)
    .where(schema.notifications.c.receiver == bindparam("receiver"), schema.notifications.c.reference != "")
    .limit(1)
)


def _among(delivery: Delivery, references: Mapping[str, str]) -> dict[str, str]:
    ids = (entry.alert.id for entry in delivery.notification.alerts)
    return {id_: references[id_] for id_ in ids if id_ in references}
