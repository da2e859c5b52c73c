"""Watches a week as the daemon would, at its own intervals, and keeps every message that a receiver gets.

The daemon's own poller runs on a stepped clock, so accounts are polled minutes apart and ask about their neighbours;
see `tests.truth.drive` for what else only costs time and is left out.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from tests.flows.forty import Week
from tests.truth.drive import AZURE, machine_in
from tests.truth.haste import HastyLoop, open_store
from watcher import config, cycles, rounds
from watcher.alerts.notification import Notification, NotificationAlert
from watcher.assembly.machine import DISCOVERY_INTERVAL, Machine
from watcher.cycles.memory import Memory
from watcher.daemon.current import Current
from watcher.daemon.poller import Poller
from watcher.daemon.progress import Progress
from watcher.notify.message import Message, Voice, render
from watcher.notify.notifier import Receipt
from watcher.simulator import SteppedClock, World
from watcher.store import claiming
from watcher.web.metrics import Figures, Metrics

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"

#: How far the clock moves at a time: what is due is done no later than this.
STEP = timedelta(seconds=10)
NIGHT = (22, 7)

_AZURE = {
    "WATCHER_AZURE__CLOUD": "custom",
    "WATCHER_AZURE__MANAGEMENT_URL": AZURE,
    "WATCHER_AZURE__METRICS_URL": AZURE,
    "WATCHER_AZURE__CREDENTIAL": "static",
    "WATCHER_AZURE__TOKEN_ENV": "TOKEN",
}
_SECRETS = {
    "SLACK_WEBHOOK_URL": "https://hooks.example.com/services/1",
    "SMTP_PASSWORD": "not-used",
    "HOOK_SECRET": "whsec_bm90LXVzZWQtbm90LXVzZWQtbm90LXVzZWQ=",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One message, as it reached a receiver."""

    at: datetime
    receiver: str
    notification: Notification
    message: Message

    @property
    def alerts(self) -> tuple[NotificationAlert, ...]:
        return self.notification.alerts

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(sorted({told.alert.finding.rule for told in self.alerts}))

    def is_at_night(self, zone: ZoneInfo) -> bool:
        hour = self.at.astimezone(zone).hour
        return hour >= NIGHT[0] or hour < NIGHT[1]


def pages(week: Week, text: str | None = None, *, show: Callable[[Page], None] = lambda _: None) -> list[Page]:
    """All messages of a week under a configuration; `None`: the example's. Those of its first sight are no part.

    Receivers keep their names, routes and rates; each keeps what it is given in place of sending it.

    Args:
        show: Told of each message as it comes.
    """
    loaded = config.parse(
        EXAMPLE.read_text() if text is None else text,
        environ={"TOKEN": week.scenario.tokens[0], **_AZURE, **_SECRETS},
    )
    found: list[Page] = []

    def keep(page: Page) -> None:
        if week.scenario.start is not None and page.at >= week.scenario.start + week.counted_from:
            found.append(page)
            show(page)

    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        runner.run(_watch(week, loaded, keep))
    return found


async def _watch(week: Week, loaded: config.Config, keep: Callable[[Page], None]) -> None:
    world = World(week.scenario)
    clock = SteppedClock(world.start)
    before = structlog.get_config()
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
    try:
        async with AsyncExitStack() as stack:
            store = open_store()
            stack.callback(store.close)
            machine, _ = await machine_in(loaded, store, clock, world)
            stack.push_async_callback(machine.aclose)
            voice = Voice(watcher=loaded.watcher.name, zone=loaded.watcher.timezone)
            boxes = {receiver.name: _Box(name=receiver.name, voice=voice, keep=keep) for receiver in loaded.receivers}
            machine = replace(machine, notifiers=boxes)
            end = world.start + week.scenario.length
            for until in (*(world.start + down for down, _ in week.downs), end):
                await _Daemon(machine, clock).run(until)
                up = [world.start + up for down, up in week.downs if world.start + down == until]
                if up:
                    clock.move_to(up[0])
                    machine = replace(machine, memory=Memory(store))
    finally:
        structlog.configure(**before)


def _drop(_logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if method in ("error", "critical") or event.get("exc_info"):
        raise AssertionError(str(event))
    raise structlog.DropEvent


class _Daemon:
    """One life of the daemon: its poller, and in place of its loops, what they do, whenever it is due."""

    def __init__(self, machine: Machine, clock: SteppedClock) -> None:
        self._machine, self._clock = machine, clock
        now = clock()
        self._discover_at: datetime = now
        self._inventory_at: datetime | None = None  #: once all accounts were tried
        self._dispatch_at: datetime | None = now
        self._poller = Poller(
            Current(machine),
            clock=clock,
            metrics=Metrics(Figures),
            progress=Progress(),
            tell=self._wake,
            discover_at=self._discover_soon,
            first_complete=self._take_inventory_soon,
        )

    def _wake(self) -> None:
        self._dispatch_at = self._clock()

    def _discover_soon(self, at: datetime) -> None:
        self._discover_at = self._clock() + max(timedelta(), at - datetime.now(UTC))  # it goes by the wall

    def _take_inventory_soon(self) -> None:
        self._inventory_at = self._clock()

    async def run(self, until: datetime) -> None:
        await self._poller.resume()
        while (now := self._clock()) < until:
            await self._step(now)
            self._clock.move_to(now + STEP)

    async def _step(self, now: datetime) -> None:
        if now >= self._discover_at:
            self._discover_at = now + DISCOVERY_INTERVAL
            await self._poller.discover()
        await self._poller.tick()
        while tasks := self._poller.polls.tasks():
            await asyncio.wait(tasks)
        if self._inventory_at is not None and now >= self._inventory_at:
            self._inventory_at = now + self._machine.config.poll.models
            await rounds.take_inventory(self._machine)
            self._wake()
        if self._dispatch_at is not None and now >= self._dispatch_at:
            await self._dispatch()
            await rounds.deliver_due(self._machine)

    async def _dispatch(self) -> None:
        machine = self._machine
        await cycles.review(
            judgement=machine.judgement,
            store=machine.store,
            clock=machine.clock,
            wall_clock=machine.wall_clock,
            host=machine.host,
        )
        assert machine.routing is not None
        plan = await cycles.dispatch(
            routing=machine.routing, store=machine.store, clock=machine.clock, wall_clock=machine.wall_clock
        )
        waits = await machine.store.read(claiming.next_due, receivers=list(machine.notifiers), paces=machine.paces)
        self._dispatch_at = min((at for at in (plan.next_at, waits) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """Keeps what it is given."""

    name: str
    voice: Voice
    keep: Callable[[Page], None] = field(repr=False)

    type = "console"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        message = render(notification, self.voice, now=now)
        self.keep(Page(at=now, receiver=self.name, notification=notification, message=message))
        return Receipt("kept")

    async def probe(self) -> Receipt:
        return Receipt("here")

    async def aclose(self) -> None:
        """Holds nothing."""
