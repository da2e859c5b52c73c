"""A simulated month under the real cycles, on a stepped clock: its database holds what a replay starts from."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tests.truth.drive import AZURE, machine_in
from tests.truth.haste import HastyLoop
from watcher import config, cycles, rounds
from watcher.alerts.alert import Alert
from watcher.alerts.notification import Notification
from watcher.assembly.judgement import judgement_of
from watcher.assembly.machine import Machine
from watcher.assembly.telling import routing_of
from watcher.config import Config
from watcher.notify.notifier import Receipt
from watcher.replay import Replayed, replay
from watcher.simulator import Scenario, SteppedClock, World
from watcher.store import recording, scope
from watcher.store.engine import Store
from watcher.store.scratch import Scratch

HOUR = timedelta(hours=1)

CONFIGURATION = f"""
[watcher]
name = "replayed"
[azure]
cloud = "custom"
management_url = "{AZURE}"
metrics_url = "{AZURE}"
prices_url = "{AZURE}"
credential = "static"
token_env = "TOKEN"
[poll]
active = "10m"
quiet = "10m"
deployments = "10m"
metrics = "1h"
[rules.deployment_idle]
warn_before = ["7d", "3d", "1d", "6h"]
[[receivers]]
name = "all"
type = "console"
[[receivers]]
name = "loud"
type = "console"
[route]
receiver = "all"
group_by = ["rule", "account"]
group_wait = "30s"
group_interval = "5m"
repeat_interval = "24h"
[[route.routes]]
match = ['severity=~"warning|critical"']
receiver = "loud"
continue = true
[[route.routes]]
receiver = "all"
"""

#: What operators do, by when since the start.
Acts = dict[timedelta, Callable[[Connection, datetime], object]]


class _Postbox:
    """A notifier that takes all."""

    type = "record"

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        return Receipt("kept")

    async def probe(self) -> Receipt:
        return Receipt("here")

    async def aclose(self) -> None:
        """Holds nothing."""


def parse(scenario: Scenario, text: str = CONFIGURATION) -> Config:
    return config.parse(text, environ={"TOKEN": scenario.tokens[0]})


def watched(
    scenario: Scenario,
    *,
    every: timedelta = HOUR,
    acts: Acts | None = None,
    changes: dict[timedelta, Callable[[World], object]] | None = None,
    text: str = CONFIGURATION,
) -> tuple[Store, datetime]:
    """The store after a scenario was watched from its start to its end, looked at every so often; and the end.

    Args:
        acts: What operators do, each by when since the start; behind the look of that time.
        changes: What becomes of the world beside the scenario, each before the look of that time.
    """
    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        return runner.run(_watch(scenario, every, acts or {}, changes or {}, text))


async def _watch(
    scenario: Scenario,
    every: timedelta,
    acts: Acts,
    changes: dict[timedelta, Callable[[World], object]],
    text: str,
) -> tuple[Store, datetime]:
    world = World(scenario)
    clock = SteppedClock(world.start)
    store = Scratch()
    async with AsyncExitStack() as stack:
        machine, _ = await machine_in(parse(scenario, text), store, clock, world)
        stack.push_async_callback(machine.aclose)
        machine = replace(machine, notifiers={name: _Postbox(name) for name in ("all", "loud")})
        await rounds.refresh_prices(machine)
        at, waiting, coming = world.start, dict(acts), dict(changes)
        while at <= world.start + scenario.length:
            for since in [since for since in coming if world.start + since <= at]:
                coming.pop(since)(world)
            await _look(machine, clock, at)
            for since in [since for since in waiting if world.start + since <= at]:
                store.write_now(waiting.pop(since), at)
            at += every
        return store, clock()


async def _look(machine: Machine, clock: SteppedClock, at: datetime) -> None:
    clock.move_to(at)
    await cycles.discover(
        machine.discover,
        judgement=machine.judgement,
        store=machine.store,
        clock=clock,
        read_log=machine.read_log,
    )
    due = await machine.store.read(scope.due_accounts)
    recorded = await rounds.poll_all(machine, [one.account for one in due])
    found = await rounds.take_inventory(machine)
    reviewed = await _announce(machine)
    if found or reviewed or any(one.alerts for one in recorded):
        clock.move_to(at + timedelta(seconds=31))  # the groups have waited
        await _announce(machine)


async def _announce(machine: Machine) -> Sequence[Alert]:
    notifications, reviewed = await rounds.announce(machine)
    if not notifications:
        return reviewed
    while await cycles.deliver(
        notifiers=machine.notifiers,
        policy=machine.policy,
        store=machine.store,
        clock=machine.clock,
        wall_clock=machine.wall_clock,
        owner=machine.owner,
    ):
        pass
    return reviewed


def replayed(
    scenario: Scenario, store: Store, *, since: datetime, until: datetime, text: str = CONFIGURATION
) -> Replayed:
    """What a configuration would have told of it."""
    loaded = parse(scenario, text)
    routing = routing_of(loaded)
    assert routing is not None
    recorded = store.read_now(recording.load, since=since, until=until)
    judgement = judgement_of(loaded)
    return asyncio.run(replay(recorded, judgement=judgement, routing=routing, since=since, until=until))
