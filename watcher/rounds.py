"""Rounds: the cycles put together, for one complete pass (`run --once`), a step of the demo, and a rehearsal.

The daemon runs the same cycles, each on its own time.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from watcher import cycles
from watcher.alerts.alert import Alert
from watcher.alerts.notification import Notification
from watcher.assembly.machine import Machine
from watcher.resources.account import Account
from watcher.resources.changes import Transition
from watcher.resources.departure import Departure
from watcher.resources.snapshot import Gap, Known, Section, Snapshot
from watcher.store import observations, outbox, redelivery, reports, scope, state

log = structlog.get_logger()


#: How often to look whether another process has let go of a delivery.
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Begun:
    """A pass begins over this many accounts."""

    accounts: int


#: Told of what happens, as it happens: a `Begun`, a `Recorded`, `Alert`s of the fleet, a `Plan` or a `Delivered`.
Told = Callable[[object], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one pass came to."""

    accounts: int = 0
    transitions: tuple[Transition, ...] = ()
    alerts: tuple[Alert, ...] = ()  #: new or changed
    notifications: tuple[Notification, ...] = ()
    gaps: tuple[tuple[Account | None, Gap], ...] = ()  #: open now; without an account: of discovery
    failed: tuple[Account, ...] = ()  #: of accounts whose poll failed by a fault of ours
    undelivered: tuple[outbox.Delivery, ...] = ()
    delivered: int = 0
    reported: tuple[cycles.Reported, ...] = ()  #: reports that were tried
    undelivered_reports: tuple[reports.Issue, ...] = ()
    due_reports: tuple[reports.Issue, ...] = ()  #: of a rehearsal: those that would be sent
    duration_s: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether everything was seen and everything was delivered; to see no account at all is to see nothing."""
        return bool(self.accounts) and not (self.gaps or self.failed or self.undelivered or self.undelivered_reports)


async def once(machine: Machine, *, tell: Told = lambda _: None) -> Summary:
    """Discover, poll everything whatever its due time, evaluate, dispatch without waiting, and deliver what is due."""
    began = asyncio.get_running_loop().time()
    machine = _for_single_pass(machine)
    pricing = asyncio.create_task(refresh_prices(machine))
    try:
        found, lost = await cycles.discover(
            machine.discover,
            judgement=machine.judgement,
            store=machine.store,
            clock=machine.clock,
            read_log=machine.read_log,
        )
    finally:
        await pricing
    for one in lost:
        tell(one)
    due = await machine.store.read(scope.due_accounts)
    tell(Begun(accounts=len(due)))
    recorded = await poll_all(machine, [one.account for one in due], sections=cycles.EVERYTHING, tell=tell)
    stock = await take_inventory(machine, tell=tell)
    notifications, alerts = await announce(machine, immediate=True, tell=tell)
    await machine.store.write(redelivery.try_now, now=machine.wall_clock())  # who runs it has mended the channel
    dead = await machine.store.read(_dead)
    delivered = await deliver_due(machine, tell=tell, wait_for_others=True, heedless=True)
    if await machine.store.read(_dead) > dead:  # which the other receivers are to hear of
        more, failing = await announce(machine, immediate=True, tell=tell)
        notifications, alerts = (*notifications, *more), (*alerts, *failing)
        delivered += await deliver_due(machine, tell=tell, wait_for_others=True, heedless=True)
    await cycles.refresh(
        cycles.refreshing(machine.notifiers),
        policy=machine.policy,
        store=machine.store,
        clock=machine.clock,
        wall_clock=machine.wall_clock,
    )
    await refresh_actuals(machine)  # last: nobody waits for it
    reported = await send_reports(machine, wait_for_others=True, heedless=True)
    undelivered_reports = await machine.store.read(reports.listed)
    undelivered = await machine.store.read(outbox.listed)
    await complete(machine)
    polled = {one.account.key for one in recorded}
    return Summary(
        accounts=len(due),
        transitions=tuple(t for one in (*lost, *recorded) for t in one.transitions),
        alerts=(*(alert for one in (*lost, *recorded) for alert in one.alerts), *stock, *alerts),
        notifications=tuple(notifications),
        gaps=_gaps(found, recorded),
        failed=tuple(one.account for one in due if one.account.key not in polled),
        undelivered=undelivered,
        delivered=delivered,
        reported=reported,
        undelivered_reports=undelivered_reports,
        duration_s=asyncio.get_running_loop().time() - began,
    )


def _for_single_pass(machine: Machine) -> Machine:
    """The machine for a pass after which nobody looks again soon: nothing is put off to the next poll."""
    return replace(machine, judgement=replace(machine.judgement, is_single_pass=True))


def _gaps(found: cycles.Discovery, recorded: Iterable[cycles.Recorded]) -> tuple[tuple[Account | None, Gap], ...]:
    discovery = ((None, gap) for gap in cycles.without_secrets(found.gaps))
    return (*discovery, *((one.account, gap) for one in recorded for gap in one.gaps))


def polls_at_once(machine: Machine) -> int:
    """How many accounts may be in hand at once.

    Two for each request that may be under way keep those busy though some polls wait for the store or for another try;
    more would only fill the memory, since each holds what its account says.
    """
    return 2 * machine.config.poll.concurrency


async def poll_all(
    machine: Machine,
    accounts: Sequence[Account],
    *,
    sections: frozenset[Section] | None = None,
    tell: Told = lambda _: None,
) -> list[cycles.Recorded]:
    """Poll accounts side by side, few enough at once. The fault of one, ours or Azure's, keeps none of the others."""
    room = asyncio.Semaphore(polls_at_once(machine))

    async def one(account: Account) -> cycles.Recorded | None:
        try:
            async with room:
                recorded = await cycles.poll(
                    account,
                    collect=machine.collect,
                    judgement=machine.judgement,
                    store=machine.store,
                    memory=machine.memory,
                    clock=machine.clock,
                    sections=sections,
                )
        except Exception:  # the cycle's boundary: a defect in one account's poll must not end the others
            log.exception("poll.failed", account=account.label)
            return None
        if recorded is not None:
            tell(recorded)
        return recorded

    return [recorded for recorded in await asyncio.gather(*map(one, accounts)) if recorded is not None]


async def refresh_prices(machine: Machine, *, only_look: bool = False) -> bool:
    """Read Azure's public price list where that is due; whether another is in use now. Its failure harms nothing."""
    return await cycles.refresh_prices(
        machine.read_prices,
        tariff=machine.judgement.tariff,
        store=machine.store,
        clock=machine.clock,
        only_look=only_look,
    )


async def refresh_actuals(machine: Machine) -> int:
    """Read what Azure billed, where that is wanted and due; of how many subscriptions. Its failure harms nothing."""
    return await cycles.refresh_actuals(machine.read_bill, store=machine.store, clock=machine.clock)


async def take_inventory(machine: Machine, *, tell: Told = lambda _: None) -> tuple[Alert, ...]:
    """Judge what exists over all accounts, where anything of it has changed."""
    alerts = await cycles.take_inventory(
        machine.retirements, judgement=machine.judgement, store=machine.store, clock=machine.clock
    )
    if alerts:
        tell(alerts)
    return alerts


async def announce(
    machine: Machine, *, immediate: bool = False, tell: Told = lambda _: None
) -> tuple[tuple[Notification, ...], tuple[Alert, ...]]:
    """Review what spans accounts, and dispatch."""
    await cycles.note_skew(machine.skew(), host=machine.host, store=machine.store)
    await cycles.bury(
        machine.notifiers,
        routing=machine.routing,
        store=machine.store,
        clock=machine.clock,
        wall_clock=machine.wall_clock,
    )
    alerts = await cycles.review(
        judgement=machine.judgement,
        store=machine.store,
        clock=machine.clock,
        wall_clock=machine.wall_clock,
        host=machine.host,
    )
    if alerts:
        tell(alerts)
    if machine.routing is None:
        await cycles.let_go(store=machine.store, clock=machine.clock)
        return (), alerts
    plan = await cycles.dispatch(
        routing=machine.routing,
        store=machine.store,
        clock=machine.clock,
        wall_clock=machine.wall_clock,
        immediate=immediate,
    )
    tell(plan)
    return plan.notifications, alerts


def _dead(tx: Connection) -> int:
    """How many notifications were given up."""
    return outbox.undelivered(tx).get("dead", 0)


async def deliver_due(
    machine: Machine, *, tell: Told = lambda _: None, wait_for_others: bool = False, heedless: bool = False
) -> int:
    """Try each delivery that is due once; returns how many were accepted.

    Args:
        wait_for_others: Wait for the end of leases that another process holds, and take over what it left.
        heedless: Try them all, however their channels fail.
    """
    accepted, tried = 0, set[str]()
    while True:
        done = await cycles.deliver(
            notifiers=machine.notifiers,
            policy=machine.policy,
            store=machine.store,
            clock=machine.clock,
            wall_clock=machine.wall_clock,
            owner=machine.owner,
            paces=machine.paces,
            routing=machine.routing,
            heedless=heedless,
        )
        for one in done:
            tell(one)
            accepted += one.state == "delivered"
        fresh = {one.delivery.notification.id for one in done} - tried
        tried |= fresh
        if fresh:
            continue
        wait = await machine.store.read(_foreign_lease, machine.wall_clock(), tuple(machine.notifiers))
        if not wait_for_others or wait is None:
            return accepted
        await asyncio.sleep(min(wait.total_seconds(), _LOOK_AGAIN_S))  # most leases end with a delivery, long before


def _foreign_lease(tx: Connection, now: datetime, receivers: Sequence[str]) -> timedelta | None:
    """How long until the first lease of another process ends; `None`: there is none."""
    ends = [
        delivery.lease_until
        for delivery in outbox.listed(tx, states=("pending",))
        if delivery.lease_until is not None
        and delivery.lease_until > now
        and delivery.due_at <= now
        and delivery.notification.receiver in receivers
    ]
    return min(ends) - now + timedelta(milliseconds=10) if ends else None


async def send_reports(
    machine: Machine, *, wait_for_others: bool = False, heedless: bool = False
) -> tuple[cycles.Reported, ...]:
    """Make and send the scheduled reports that are due, each once.

    Args:
        wait_for_others: Wait for the end of leases that another process holds, and take over what it left.
        heedless: Try them all, whenever they are to be tried again.
    """
    done: list[cycles.Reported] = []
    while True:
        done += await cycles.report(
            reporting=machine.reporting,
            notifiers=machine.notifiers,
            policy=machine.policy,
            store=machine.store,
            clock=machine.clock,
            wall_clock=machine.wall_clock,
            owner=machine.owner,
            heedless=heedless,
            but=frozenset(one.issue.id for one in done),
        )
        wait = await machine.store.read(reports.in_other_hands, now=machine.wall_clock())
        if not wait_for_others or wait is None:
            return tuple(done)
        await asyncio.sleep(min(wait.total_seconds(), _LOOK_AGAIN_S))


async def complete(machine: Machine) -> None:
    """Note that every account was tried since the time before, and ping the heartbeat."""
    await note_complete(machine)
    await ping(machine)


async def note_complete(machine: Machine) -> None:
    """Note that every account was tried since the time before."""
    await machine.store.write(state.put, state.CYCLE_COMPLETED, at=machine.clock())


async def ping(machine: Machine) -> None:
    """Ping the heartbeat, where there is one; takes as long as that takes, and never raises for it."""
    if machine.ping is not None:
        with suppress(asyncio.TimeoutError):
            await machine.ping()


async def rehearse(machine: Machine) -> Summary:
    """What `once` would record and send. Reads Azure and the database, and writes to neither it nor any channel."""
    began = asyncio.get_running_loop().time()
    machine = _for_single_pass(machine)
    await refresh_prices(machine, only_look=True)
    watched = await machine.store.read(scope.due_accounts)
    found = await machine.discover([one.account for one in watched])
    departures = await cycles.departures_of(found, read_log=machine.read_log, store=machine.store, clock=machine.clock)
    known = {
        account.key: await machine.store.read(observations.known, account.key, now=machine.clock())
        for account in found.accounts
    }

    async def one(account: Account) -> Snapshot:
        snapshot = await machine.collect(
            account, known.get(account.key, Known()), sections=cycles.EVERYTHING, at=machine.clock()
        )
        return replace(snapshot, gaps=cycles.without_secrets(snapshot.gaps))

    snapshots = await asyncio.gather(*map(one, found.accounts))
    return await machine.store.rehearse(_rehearse, machine, found, departures, snapshots, began)


def _rehearse(
    tx: Connection,
    machine: Machine,
    found: cycles.Discovery,
    departures: Mapping[str, Departure],
    snapshots: Iterable[Snapshot],
    began: float,
) -> Summary:
    now = machine.clock()
    lost = cycles.save_discovery(tx, found, machine.judgement, now, departures)
    recorded = [*lost, *(cycles.record(tx, snapshot, machine.judgement) for snapshot in snapshots)]
    alerts = (
        *cycles.inventory_now(tx, machine.judgement, now),
        *cycles.review_now(tx, machine.judgement, now, machine.host, machine.wall_clock()),
    )
    notifications: tuple[Notification, ...] = ()
    if machine.routing is not None:
        plan = cycles.dispatch_now(tx, machine.routing, now, machine.wall_clock(), immediate=True)
        notifications = plan.notifications
    cycles.plan_now(tx, machine.reporting, tuple(machine.notifiers), now=now, wall_now=machine.wall_clock())
    return Summary(
        accounts=len(found.accounts),
        transitions=tuple(t for one in recorded for t in one.transitions),
        alerts=(*(alert for one in recorded for alert in one.alerts), *alerts),
        notifications=notifications,
        due_reports=reports.waiting(tx, now=machine.wall_clock(), heedless=True),
        gaps=_gaps(found, recorded),
    )
