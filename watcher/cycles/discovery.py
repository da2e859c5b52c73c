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
from watcher.resources.account_changes import account_transitions
from watcher.resources.changes import STATUS, Change, ResourceKind, Transition
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Gap, Listing, Section, Snapshot
from watcher.store import alerts, deployments, history, jobs, scope, state
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
    """Find the accounts to watch, and record them. Returns with them what was recorded of those that came or went."""
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
    """Record the accounts. What was in one that is gone is gone too, and told; one out of scope ends its alerts.

    What the very first discovery finds is history, and nothing of it is returned.
    """
    known = scope.recorded_accounts(tx)
    is_first = state.at(tx, state.DISCOVERED) is None
    left = scope.save_accounts(tx, found.accounts, is_complete=found.is_complete, gone=found.gone, now=now)
    transitions = account_transitions(
        known, found.accounts, left=left, gone=found.gone, at=now, is_first=is_first and not known
    )
    nouns = {one.key: one for one in found.accounts} | {key: known[key].account for key in left}
    recorded = []
    for key in dict.fromkeys(transition.account for transition in transitions):
        own = tuple(transition for transition in transitions if transition.account == key)
        if key in left and key in found.gone:
            recorded.append(_record_as_gone(tx, nouns[key], own, judgement, now))
        else:
            history.append(tx, own)
            recorded.append(Recorded(account=nouns[key], transitions=own))
    for key in left:
        because = "its account is gone" if key in found.gone else "the configuration no longer includes its account"
        alerts.save(tx, [end(alert, now=now, because=because) for alert in alerts.firing(tx, key)])
    state.put_discovery(tx, without_secrets(found.gaps), cloud=found.cloud, subscriptions=found.subscriptions, at=now)
    return tuple(one for one in recorded if not all(transition.is_history for transition in one.transitions))


def _record_as_gone(
    tx: Connection, account: Account, own: Sequence[Transition], judgement: Judgement, now: datetime
) -> Recorded:
    """The two signs hold for all that was in an account for which they hold; nobody waits for its jobs any more."""
    nothing = Snapshot(
        account=replace(account, provisioning_state=GONE),
        at=scope.after_newest(tx, account.key, now),  # what is gone, is gone, though it was read a moment ago
        asked=frozenset({Section.DEPLOYMENTS}),
        deployments=Listing(digest="", items=()),
        absent=frozenset(deployment.key for deployment in deployments.living(tx, account.key)),
    )
    under_way = jobs.load(tx, account.key, ended=()).nouns
    recorded = record(tx, nothing, judgement, also=(*own, *(_lost(job, now) for job in under_way)))
    scope.forget_contents(tx, account.key)
    return recorded


def _lost(job: FineTuningJob, now: datetime) -> Transition:
    """A job that was under way in an account that is gone."""
    return Transition(
        account=job.account,
        kind=ResourceKind.JOB,
        resource=job.id,
        name=job.id,
        incarnation=job.id,
        change=Change.GONE,
        attribute=STATUS,
        before=job.raw_status,
        observed_at=now,
    )
