"""Reconciling, where it is wanted: what Azure billed, read once a day, so that estimates can be held against it.

The bill is never mixed with an estimate, and its failure harms nothing.
"""

from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Protocol

import structlog

from watcher.clock import Clock
from watcher.errors import AzureError, ForbiddenError
from watcher.resources.price import Actual
from watcher.store import actuals, scope
from watcher.store.engine import Store

log = structlog.get_logger()

#: Usage comes to the bill hours late, and later than a day at times: the newest days are not whole yet.
_LATE = timedelta(days=2)


class ReadBill(Protocol):
    """Reads what a subscription was billed, both days included. Raises `AzureError` where it cannot."""

    async def __call__(self, subscription: str, *, since: date, last: date) -> Sequence[Actual]: ...


async def refresh_actuals(read: ReadBill | None, *, store: Store, clock: Clock) -> int:
    """Read the bill of each subscription with a watched account that was not asked for today; how many were read.

    A query reaches back to the start of the month before: a bill is corrected for days, and reports tell of months.

    Args:
        read: `None`: nobody wants it.
    """
    if read is None:
        return 0
    count = 0
    due = await store.read(scope.due_accounts)
    for subscription in sorted({one.account.subscription.lower() for one in due if one.account.subscription}):
        now = clock()
        if not await store.write(actuals.claim, subscription, now=now):
            continue
        today = now.astimezone(UTC).date()
        since = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        try:
            lines = await read(subscription, since=since, last=today)
        except AzureError as exc:
            cure = "grant Cost Management Reader, or set reconcile = false" if isinstance(exc, ForbiddenError) else ""
            log.warning("actuals.unread", subscription=subscription, reason=exc.message, cure=cure or "tried tomorrow")
            continue
        await store.write(actuals.save, subscription, lines, since=since, until=today - _LATE, now=now)
        log.info("actuals.read", subscription=subscription, lines=len(lines))
        count += 1
    return count
