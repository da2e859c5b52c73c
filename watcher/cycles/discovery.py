"""Discover: find the accounts to watch, and record them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import end
from watcher.clock import Clock
from watcher.resources.account import Account
from watcher.resources.snapshot import Gap
from watcher.store import alerts, observations, state
from watcher.store.engine import Store

log = structlog.get_logger()


class Discovery(Protocol):
    """The accounts that were found."""

    @property
    def accounts(self) -> Sequence[Account]: ...

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked was answered: only then is an account that is missing out of scope."""
        ...

    @property
    def gaps(self) -> Sequence[Gap]: ...


Discover = Callable[[Sequence[Account]], Awaitable[Discovery]]  #: given the accounts watched so far


async def discover(find: Discover, *, store: Store, clock: Clock) -> Discovery:
    """Find the accounts to watch, and record them."""
    watched = await store.read(observations.due_accounts)
    found = await find([one.account for one in watched])
    await store.write(_save_discovery, found, clock())
    log.info(
        "discovery.completed",
        accounts=len(found.accounts),
        complete=found.is_complete,
        problems=[gap.message for gap in found.gaps] or None,
    )
    return found


def _save_discovery(tx: Connection, found: Discovery, now: datetime) -> None:
    removed = observations.save_accounts(tx, found.accounts, is_complete=found.is_complete, now=now)
    for account in removed:
        because = "its account is gone, or the configuration no longer includes it"
        alerts.save(tx, [end(alert, now=now, because=because) for alert in alerts.firing(tx, account)])
    state.put(tx, state.DISCOVERED, at=now, value="" if found.is_complete else "incomplete")
