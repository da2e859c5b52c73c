"""Discover: find the accounts to watch, and record them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import end
from watcher.clock import Clock
from watcher.cycles.judgement import Judgement
from watcher.cycles.polling import Recorded, record, without_secrets
from watcher.resources.account import GONE, Account
from watcher.resources.snapshot import Gap, Listing, Section, Snapshot
from watcher.store import alerts, observations, scope, state
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
    def gone(self) -> Collection[str]:
        """Keys of accounts that were watched and whose own address answers 404."""
        ...

    @property
    def gaps(self) -> Sequence[Gap]: ...

    @property
    def subscriptions(self) -> Sequence[str]:
        """Ids of those that were asked for their accounts."""
        ...

    @property
    def cloud(self) -> str: ...


Discover = Callable[[Sequence[Account]], Awaitable[Discovery]]  #: given the accounts watched so far


async def discover(
    find: Discover, *, judgement: Judgement, store: Store, clock: Clock
) -> tuple[Discovery, tuple[Recorded, ...]]:
    """Find the accounts to watch, and record them. Returns with them what was recorded of accounts that are gone."""
    watched = await store.read(scope.due_accounts)
    found = await find([one.account for one in watched])
    recorded = await store.write(save_discovery, found, judgement, clock())
    log.info(
        "discovery.completed",
        accounts=len(found.accounts),
        complete=found.is_complete,
        problems=[gap.message for gap in found.gaps] or None,
    )
    return found, recorded


def save_discovery(tx: Connection, found: Discovery, judgement: Judgement, now: datetime) -> tuple[Recorded, ...]:
    """Record the accounts. What was in one that is gone is gone too, and told; one out of scope ends its alerts."""
    watched = {one.account.key: one.account for one in scope.due_accounts(tx)}
    left = scope.save_accounts(tx, found.accounts, is_complete=found.is_complete, gone=found.gone, now=now)
    recorded = [_record_as_gone(tx, watched[key], judgement, now) for key in left if key in found.gone]
    for key in left:
        because = "its account is gone" if key in found.gone else "the configuration no longer includes its account"
        alerts.save(tx, [end(alert, now=now, because=because) for alert in alerts.firing(tx, key)])
    state.put_discovery(tx, without_secrets(found.gaps), cloud=found.cloud, subscriptions=found.subscriptions, at=now)
    return tuple(recorded)


def _record_as_gone(tx: Connection, account: Account, judgement: Judgement, now: datetime) -> Recorded:
    """The two signs hold for all that was in an account for which they hold."""
    nothing = Snapshot(
        account=replace(account, provisioning_state=GONE),
        at=now,
        asked=frozenset({Section.DEPLOYMENTS}),
        deployments=Listing(digest="", items=()),
        absent=frozenset(deployment.key for deployment in observations.living(tx, account.key)),
    )
    return record(tx, nothing, judgement)
