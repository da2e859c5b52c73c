"""What receivers were told that are configured no longer."""

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from watcher.store import schema


def owed(tx: Connection, receivers: Collection[str]) -> dict[str, int]:
    """By receiver, others than these: how many conditions that fire it was told of. Nobody will tell it their end."""
    t, a = schema.told.c, schema.alerts.c
    query = (
        select(t.receiver, func.count(t.alert_id.distinct()))
        .join(schema.alerts, a.id == t.alert_id)
        .where(schema.IS_FIRING, t.receiver.not_in(sorted(receivers)))
        .group_by(t.receiver)
        .order_by(t.receiver)
    )
    return {receiver: count for receiver, count in tx.execute(query)}
