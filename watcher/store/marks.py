"""A mark of what is stored: it changes when a page would show something else, and costs next to nothing to read.

What only says that all is as it was (when an account was last polled, when a cycle was complete) is no part of it: on a
fleet of a thousand accounts that is news each second, and to nobody.
"""

from sqlalchemy import Connection, func, select

from watcher.store import outbox, reports, schema


def mark(tx: Connection) -> str:
    """The mark as it stands."""
    a, n = schema.accounts.c, schema.alerts.c
    found = [
        *tx.execute(select(func.count(a.key), func.sum(a.revision), func.count(a.removed_at))).one(),
        *tx.execute(select(func.count(), func.sum(n.stamp)).where(schema.IS_UNSETTLED)).one(),
        tx.execute(select(func.max(schema.notifications.c.sequence))).scalar(),
        *sorted(outbox.undelivered(tx).items()),
        *sorted(reports.undelivered(tx).items()),
        tx.execute(select(func.max(schema.retail_prices.c.read_at))).scalar(),
    ]
    for table in (schema.transitions, schema.attempts, schema.audit):
        found.append(tx.execute(select(func.max(table.c.id))).scalar())
    return " ".join(str(one) for one in found)


def acts(tx: Connection) -> int:
    """The number of the last thing that an operator did: who did it wants to see it."""
    return tx.execute(select(func.max(schema.audit.c.id))).scalar() or 0
