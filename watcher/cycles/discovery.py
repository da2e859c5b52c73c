"""Discover: find the accounts to watch, and record them.

Of what was in an account that is gone, the activity log is asked who deleted it. Its entries come late: where it is
silent, the next discovery asks it once more before anybody is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
from watcher.resources.account_changes import MOVED_TO, RecordedAccount, account_transitions
from watcher.resources.changes import STATUS, Change, ResourceKind, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Gap, Known, Listing, Section, Snapshot
from watcher.store import alerts, deployments, history, jobs, leaving, observations, scope, state
from watcher.store.deployments import is_end
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


class ReadLog(Protocol):
    """Asks the activity log who deleted what was in an account; never raises for Azure's faults."""

    async def __call__(
        self,
        account: Account,
        gone: Sequence[Deployment],
        again: Sequence[Deployment],
        *,
        since: datetime | None,
        at: datetime,
        doubted: Mapping[str, datetime | None],
    ) -> Mapping[str, Departure]: ...


async def discover(
    find: Discover, *, judgement: Judgement, store: Store, clock: Clock, read_log: ReadLog | None = None
) -> tuple[Discovery, tuple[Recorded, ...]]:
    """Find the accounts to watch, and record them. Returns with them what was recorded of those that came or went.

    Args:
        read_log: `None`: of what was in an account that is gone, nobody asks who deleted it.
    """
    watched = await store.read(scope.due_accounts)
    found = await find([one.account for one in watched])
    departures = await departures_of(found, read_log=read_log, store=store, clock=clock)
    recorded = await store.write(save_discovery, found, judgement, clock(), departures)
    log.info(
        "discovery.completed",
        accounts=len(found.accounts),
        complete=found.is_complete,
        problems=[gap.message for gap in found.gaps] or None,
    )
    return found, recorded


async def departures_of(
    found: Discovery, *, read_log: ReadLog | None, store: Store, clock: Clock
) -> Mapping[str, Departure]:
    """What the activity log says of the deployments in accounts that are gone, by the deployment's key."""
    if read_log is None:
        return {}
    now = clock()
    lost = await store.read(_lost_accounts, found, now)
    said = await asyncio.gather(
        *(
            read_log(
                account,
                known.deployments,
                known.departed,
                since=known.deployments_at,
                at=now,
                doubted=known.doubted,
            )
            for account, known in lost
        )
    )
    return {key: departure for each in said for key, departure in each.items()}


def _lost_accounts(tx: Connection, found: Discovery, now: datetime) -> tuple[tuple[Account, Known], ...]:
    """The accounts that are gone now, and those that went before and whose end is still looked up."""
    present = {account.key for account in found.accounts}
    keys = (frozenset(found.gone) | leaving.awaiting(tx)) - present
    if not keys:
        return ()
    recorded = scope.recorded_accounts(tx)
    return tuple(
        (replace(one.account, provisioning_state=GONE), observations.known(tx, key, now=now))
        for key, one in recorded.items()
        if key in keys and (key in found.gone or _is_looked_up(one))
    )


def _is_looked_up(one: RecordedAccount) -> bool:
    return one.was_gone and not one.is_watched


def save_discovery(
    tx: Connection,
    found: Discovery,
    judgement: Judgement,
    now: datetime,
    departures: Mapping[str, Departure] | None = None,
) -> tuple[Recorded, ...]:
    """Record the accounts. What was in one that is gone is gone too, and told; one out of scope ends its alerts.

    What the very first discovery finds is history, and nothing of it is returned.

    Args:
        departures: What the activity log says of the deployments in accounts that are gone, by key.
    """
    known = scope.recorded_accounts(tx)
    is_first = state.at(tx, state.DISCOVERED) is None
    left = scope.save_accounts(tx, found.accounts, is_complete=found.is_complete, gone=found.gone, now=now)
    transitions = account_transitions(
        known, found.accounts, left=left, gone=found.gone, at=now, is_first=is_first and not known
    )
    nouns = {one.key: one for one in found.accounts} | {key: known[key].account for key in left}
    moved = {one.account: one.after for one in transitions if one.attribute == MOVED_TO and one.after}
    departures = departures or {}
    recorded = []
    for key in dict.fromkeys(transition.account for transition in transitions):
        own = tuple(transition for transition in transitions if transition.account == key)
        if key in moved:
            recorded.append(_record_as_moved(tx, nouns[key], moved[key], own, judgement, now))
        elif key in left and key in found.gone:
            under_way = jobs.load(tx, key, ended=()).nouns
            also = (*own, *(_lost(job, now) for job in under_way))
            recorded.append(_record_as_gone(tx, nouns[key], also, judgement, now, departures))
        else:
            history.append(tx, own)
            recorded.append(Recorded(account=nouns[key], transitions=own))
    present = {account.key for account in found.accounts}
    for key in sorted(leaving.awaiting(tx) - present - set(left)):
        if key in known and _is_looked_up(known[key]):
            recorded.append(_record_as_gone(tx, known[key].account, (), judgement, now, departures))
    for key in left:
        because = "its account is gone" if key in found.gone else "the configuration no longer includes its account"
        _end_alerts(tx, key, because, now)
    state.put_discovery(tx, without_secrets(found.gaps), cloud=found.cloud, subscriptions=found.subscriptions, at=now)
    return tuple(one for one in recorded if one.alerts or not all(t.is_history for t in one.transitions))


def _end_alerts(tx: Connection, account: str, because: str, now: datetime) -> None:
    """End what fires in an account, but for deployments whose end is still looked up: one message tells both."""
    waiting = {(t.resource.lower(), t.incarnation) for t in history.undecided(tx, account) if is_end(t)}
    firing = [
        alert
        for alert in alerts.firing(tx, account)
        if (alert.finding.subject.id.lower(), alert.finding.subject.incarnation) not in waiting
    ]
    alerts.save(tx, [end(alert, now=now, because=because) for alert in firing])


def _record_as_gone(
    tx: Connection,
    account: Account,
    also: Sequence[Transition],
    judgement: Judgement,
    now: datetime,
    departures: Mapping[str, Departure],
) -> Recorded:
    """The two signs hold for all that was in an account for which they hold; nobody waits for its jobs any more."""
    living = deployments.living(tx, account.key)
    looked_up = deployments.departed(tx, history.undecided(tx, account.key)).nouns
    nothing = Snapshot(
        account=replace(account, provisioning_state=GONE),
        at=scope.after_newest(tx, account.key, now),  # what is gone, is gone, though it was read a moment ago
        asked=frozenset({Section.DEPLOYMENTS}),
        deployments=Listing(digest="", items=()),
        absent=frozenset(deployment.key for deployment in living),
        departures={one.key: departures[one.key] for one in (*living, *looked_up.values()) if one.key in departures},
    )
    recorded = record(tx, nothing, judgement, also=also)
    scope.forget_contents(tx, account.key, now=now)
    return recorded


def _record_as_moved(
    tx: Connection, account: Account, to: str, own: Sequence[Transition], judgement: Judgement, now: datetime
) -> Recorded:
    """What was in it lives on under another id: nothing of it is lost, and no rule is asked about its end."""
    _end_alerts(tx, account.key, f"its account was moved to {to}", now)
    recorded = _record_as_gone(tx, account, own, replace(judgement, rules=()), now, {})
    leaving.carry_over(tx, account.key, to.lower(), now=now)
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
