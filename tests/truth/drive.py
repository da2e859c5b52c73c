"""Drives the real machine through a scenario on a stepped clock, as fast as the processor goes.

Everything is the program's own, from the client to the dispatch, but for three things that would only cost time:
requests reach the simulated Azure in process, timers of the event loop do not wait (where nothing is left to be done
the loop's clock jumps to the next one, so that a request that hangs for its 30 s costs nothing), and the store works in
the caller's thread on a database in memory.
"""

import asyncio
import random
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from watcher import config, cycles, rounds
from watcher.alerts.alert import Alert
from watcher.alerts.dispatch import Plan
from watcher.alerts.notification import Notification
from watcher.assembly.azure import cloud_of, credentials_of, discovery_settings, log_by
from watcher.assembly.machine import Machine, assemble
from watcher.azure.client import AzureClient
from watcher.azure.collector import Collector
from watcher.azure.discovery import discover
from watcher.cycles.editions import statements
from watcher.cycles.memory import Memory
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt
from watcher.report.periods import period_until
from watcher.report.statement import Edition, Statement
from watcher.resources.account import Account
from watcher.resources.changes import Transition
from watcher.resources.snapshot import Known, Section, Snapshot
from watcher.simulator import Scenario, SteppedClock, World, create_app
from watcher.simulator.ledger import Ledger, ledger
from watcher.store import alerts as alert_store
from watcher.store import outbox, scope
from watcher.store.engine import Store

from . import tariffs
from .haste import HastyLoop, HereClient, open_store
from .record import Booked, Record, Step, is_resolved

AZURE = "http://127.0.0.1:8080"

#: Turns of a month that are looked at closely: more would show little more, and cost time.
_MOST_TURNS = 45
_SECOND = timedelta(seconds=1)

#: Of the statement at the end, of whole local days, and of the one before it.
_LENGTHS: tuple[timedelta, Literal["month"]] = (timedelta(days=30), "month")

_CONFIGURATION = f"""
[watcher]
name = "truth"
[azure]
cloud = "custom"
management_url = "{AZURE}"
metrics_url = "{AZURE}"
prices_url = "{AZURE}"
credential = "static"
token_env = "TOKEN"
[poll]
active = "1s"
quiet = "1s"
deployments = "1s"
metrics = "1h"
timeout = "30s"
[[receivers]]
name = "all"
type = "console"
[[receivers]]
name = "day"
type = "console"
[route]
receiver = "all"
group_by = ["rule", "account"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "400d"
[[route.routes]]
receiver = "day"
mute = ["nights"]
continue = true
[[route.routes]]
receiver = "all"
[[mute]]
name = "nights"
times = ["22:00-07:00"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """When to look, and at what."""

    at: datetime
    accounts: frozenset[str] | None = None  #: keys; `None`: discover, and poll all


Schedule = Callable[[Ledger, random.Random], Sequence[Look]]


def run(scenario: Scenario, *, seed: int = 0, schedule: Schedule | None = None) -> Record:
    """Watch a scenario from its start to its end.

    Args:
        seed: Of when to look; names the run in what is found.
        schedule: When to look, by the truth of the scenario; `None`: as `looks`.
    """
    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        return runner.run(_watch(scenario, seed, schedule or looks))


def looks(truth: Ledger, chance: random.Random) -> Sequence[Look]:
    """At everything a few times a day, and at one account just before and after some of its turns."""
    found: dict[datetime, frozenset[str] | None] = {}
    for turn, key in _some(_turns(truth), chance):
        for at in (turn - 2 * _SECOND, turn + chance.choice((timedelta(), _SECOND, timedelta(minutes=7)))):
            found[at] = frozenset({key}) | (found.get(at) or frozenset())
    at = truth.start
    while at < truth.end:
        found[at] = None
        at += timedelta(seconds=chance.randint(6 * 3600, 11 * 3600))
    found[truth.end] = None
    found[_noon_after(truth.end)] = None  # at noon everything that had waited for a muted night is told
    chosen: list[Look] = []
    for moment in sorted(moment for moment in found if moment >= truth.start):
        # Azure's times are whole seconds, and sections are due again after one.
        if not chosen or moment - chosen[-1].at > _SECOND or found[moment] is None:
            chosen.append(Look(at=moment, accounts=found[moment]))
    return chosen


def _turns(truth: Ledger) -> list[tuple[datetime, str]]:
    """The moments at which the truth of each account changes."""
    turns = []
    for key in sorted({account.account for account in truth.accounts}):
        part = replace(
            truth,
            jobs=tuple(job for job in truth.jobs if job.account == key),
            lives=tuple(life for life in truth.lives if life.account == key),
            accounts=tuple(account for account in truth.accounts if account.account == key),
            blinds=tuple(blind for blind in truth.blinds if key in blind.accounts),
        )
        turns += [(moment, key) for moment in part.moments()]
    return turns


def _some(turns: list[tuple[datetime, str]], chance: random.Random) -> list[tuple[datetime, str]]:
    return turns if len(turns) <= _MOST_TURNS else chance.sample(turns, _MOST_TURNS)


def _noon_after(moment: datetime) -> datetime:
    noon = moment.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if noon > moment else noon + timedelta(days=1)


async def _watch(scenario: Scenario, seed: int, schedule: Schedule) -> Record:
    terms = tariffs.agreed(seed)
    world = World(tariffs.listed(scenario))
    truth, chance = ledger(world), random.Random(seed)
    clock = SteppedClock(world.start)
    loaded = config.parse(_CONFIGURATION + tariffs.configuration(terms), environ={"TOKEN": scenario.tokens[0]})
    problems: list[tuple[datetime, str]] = []
    async with AsyncExitStack() as stack:
        stack.enter_context(_listening(clock, problems))
        store = open_store()
        stack.callback(store.close)
        machine, asked = await machine_in(loaded, store, clock, world)
        stack.push_async_callback(machine.aclose)
        inbox = _Inbox(is_shaky=seed % 4 == 3)
        machine = replace(machine, notifiers={name: _Postbox(name, inbox) for name in ("all", "day")})
        steps: list[Step] = []
        planned = schedule(truth, chance)
        half_way = _half_way(planned, seed)
        booked: Booked | None = None
        await rounds.refresh_prices(machine)
        for look in planned:
            clock.move_to(look.at)
            if chance.random() < 0.05:
                machine = replace(machine, memory=Memory(store))  # as after a restart
            asked.clear()
            steps.append(await _step(machine, inbox, steps[-1] if steps else None, look, asked, problems))
            if look is half_way:
                booked = Booked(length=_LENGTHS[1], statement=await _state(machine, terms, _LENGTHS[1]))
        last = Booked(length=_LENGTHS[0], statement=await _state(machine, terms, _LENGTHS[0]))
        if booked is not None:
            again = await _state(machine, terms, booked.length, booked.statement.as_of)
            booked = replace(booked, again=again)
        open_ = await store.read(_open_conditions)
        merged = {
            one.notification.id: one.merged_into or "" for one in await store.read(outbox.listed, states=("merged",))
        }
    if {alert.id for alert in steps[-1].firing} != open_:
        problems.append((clock(), "the store holds other open alerts than the cycles told of"))
    return Record(
        seed=seed,
        world=world,
        ledger=truth,
        steps=tuple(steps),
        merged=merged,
        agreed=terms,
        booked=(last,) if booked is None else (booked, last),
        problems=tuple(problems),
    )


def _half_way(planned: Sequence[Look], seed: int) -> Look | None:
    """One of the looks at everything in the midst: a statement is compiled there, and the same again at the end."""
    whole = [look for look in planned if look.accounts is None]
    midst = whole[len(whole) // 3 : -len(whole) // 4]
    return random.Random(f"half way {seed}").choice(midst) if midst else None


async def _state(
    machine: Machine, terms: tariffs.Agreed, length: timedelta | Literal["month"], as_of: datetime | None = None
) -> Statement:
    """A statement up to a time, which is now unless one in the past is given."""
    at = as_of or machine.clock()
    made = await machine.store.read(
        statements,
        {"": (Edition(), None)},
        period=period_until(at, length, terms.zone),
        period_name="",
        as_of=at,
        terms=replace(machine.reporting.terms, zone=terms.zone),
        tariff=machine.judgement.tariff,
    )
    found: Statement = made[""]
    return found


def _open_conditions(tx: Any) -> set[str]:
    return {alert.id for alert in alert_store.unsettled(tx) if not alert.is_event and not is_resolved(alert)}


async def machine_in(
    loaded: config.Config, store: Store, clock: SteppedClock, world: World
) -> tuple[Machine, dict[str, frozenset[Section]]]:
    """The machine, and what it asks of each account, filled as it goes."""
    http = HereClient(create_app(world, clock))
    machine = await assemble(loaded, store, clock=clock, wall_clock=clock, http=http)
    # As `eyes_of`, but for the time: waits and closed lanes go by the simulated one.
    loop = asyncio.get_running_loop()
    client = AzureClient(
        http,
        timeout_s=loaded.poll.timeout.total_seconds(),
        rand=random.Random(0).random,
        clock=clock,
        monotonic=lambda: loop.time() + (clock() - world.start).total_seconds(),
    )
    cloud = cloud_of(loaded)
    collector = Collector(client, cloud, credentials_of(loaded, cloud), api=loaded.azure.api)
    settings = discovery_settings(loaded)

    async def find(known: Any) -> cycles.Discovery:
        return await discover(collector.management, settings, at=clock(), known=known)

    asked: dict[str, frozenset[Section]] = {}

    async def collect(account: Account, known: Known, *, sections: frozenset[Section], at: datetime) -> Snapshot:
        asked[account.key] = sections
        return await collector.collect(account, known, sections=sections, at=at)

    return replace(machine, collect=collect, discover=find, read_log=log_by(loaded, collector)), asked


async def _step(
    machine: Machine,
    inbox: "_Inbox",
    before: Step | None,
    look: Look,
    asked: Mapping[str, frozenset[Section]],
    problems: list[tuple[datetime, str]],
) -> Step:
    """Do all that is due now, and note what was said of it."""
    at = machine.clock()
    transitions: list[Transition] = []
    alerts: list[Alert] = []
    plans: list[Plan] = []

    def tell(news: object) -> None:
        if isinstance(news, cycles.Recorded):
            transitions.extend(news.transitions)
            alerts.extend(news.alerts)
        elif isinstance(news, Plan):
            plans.append(news)
        elif isinstance(news, tuple):
            alerts.extend(news)

    if look.accounts is None:
        firing = {alert.id: alert for alert in before.firing} if before else {}
        _, lost = await cycles.discover(
            machine.discover,
            judgement=machine.judgement,
            store=machine.store,
            clock=machine.clock,
            read_log=machine.read_log,
        )
        for one in lost:
            tell(one)
        # Alerts of an account that left its scope end without being told of here: they are read from the store.
        still = await machine.store.read(_open_conditions)
        said = {alert.id for alert in alerts if is_resolved(alert)}
        gone = [alert for id_, alert in firing.items() if id_ not in still | said and alert.account]
        alerts += [replace(alert, ends_at=at, updated_at=at, ended_because="left the scope") for alert in gone]
    due = await machine.store.read(scope.due_accounts)
    wanted = [one.account for one in due if look.accounts is None or one.account.key in look.accounts]
    recorded = await rounds.poll_all(machine, wanted, tell=tell)
    if len(recorded) != len(wanted) or any(one.is_stale for one in recorded):
        problems.append((at, f"of {len(wanted)} polls {len(recorded)} came to something"))
    if look.accounts is None:
        await rounds.take_inventory(machine, tell=tell)
    await rounds.announce(machine, tell=tell)
    inbox.arrived.clear()
    inbox.waiting += sum(len(plan.notifications) for plan in plans)
    while inbox.waiting and await _deliver(machine):
        pass  # the next of a receiver's, until nothing is waiting or all of it is put off
    open_ = {alert.id: alert for alert in before.firing} if before else {}
    for alert in alerts:
        open_.pop(alert.id, None)
        if not alert.is_event and not is_resolved(alert):
            open_[alert.id] = alert
    return Step(
        at=at,
        has_discovered=look.accounts is None,
        polled=frozenset(asked),
        metered=frozenset(key for key, sections in asked.items() if Section.METRICS in sections),
        asked=dict(asked),
        transitions=tuple(transitions),
        alerts=tuple(alerts),
        firing=tuple(open_.values()),
        notifications=tuple(notification for plan in plans for notification in plan.notifications),
        sent=tuple(inbox.arrived),
    )


async def _deliver(machine: Machine) -> Sequence[cycles.Delivered]:
    return await cycles.deliver(
        notifiers=machine.notifiers,
        policy=machine.policy,
        store=machine.store,
        clock=machine.clock,
        wall_clock=machine.wall_clock,
        owner=machine.owner,
    )


class _Inbox:
    """What the receivers took over."""

    def __init__(self, *, is_shaky: bool) -> None:
        self.is_shaky = is_shaky
        self.arrived: list[Notification] = []
        self.tries = 0
        self.waiting = 0

    def take(self, notification: Notification) -> None:
        self.tries += 1
        if self.is_shaky and self.tries % 5 == 1:
            raise DeliveryError("busy", permanent=False, kind="server")
        self.arrived.append(notification)
        self.waiting -= 1


class _Postbox:
    """A notifier that keeps what it is given."""

    type = "record"

    def __init__(self, name: str, inbox: _Inbox) -> None:
        self.name = name
        self._inbox = inbox

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        self._inbox.take(notification)
        return Receipt("kept")

    async def probe(self) -> Receipt:
        return Receipt("here")

    async def aclose(self) -> None:
        """Holds nothing."""


@contextmanager
def _listening(clock: SteppedClock, problems: list[tuple[datetime, str]]) -> Iterator[None]:
    """Keep what the program logs as its own fault, and let it log nothing."""
    before = structlog.get_config()

    def keep(_logger: object, method: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        if method in ("error", "critical") or event.get("exc_info"):
            problems.append((clock(), f"{event.get('event')}: {traceback.format_exc(limit=-4)}"))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
