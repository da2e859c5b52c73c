"""The same cycles as the daemon's in one process, over real sockets, on a clock that is moved by hand."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from tests.flows.sink import Sink, serve_sink
from watcher import config, cycles, rounds
from watcher.assembly.machine import Machine, assemble
from watcher.assembly.stores import open_store
from watcher.simulator import TOKEN, Account, Scenario, SteppedClock, World
from watcher.simulator.server import Running, serve
from watcher.store import scope

_CONFIGURATION = """
[watcher]
name = "stepped"
[database]
url = "sqlite:///{database}"
[azure]
cloud = "custom"
management_url = "{azure}"
metrics_url = "{azure}"
credential = "static"
token_env = "AZURE_TOKEN"
{azure_more}
[poll]
active = "1h"
quiet = "1h"
deployments = "1h"
metrics = "1h"
timeout = "3s"
[[receivers]]
name = "hook"
type = "webhook"
url = "{sink}/alerts"
signing_secret_env = "HOOK_SECRET"
[route]
receiver = "hook"
group_by = ["rule", "account", "deployment"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "400d"
{more}
"""


class FreeClock(SteppedClock):
    """May also be set back, as an operator or a time server may do."""

    def jump(self, by: timedelta) -> None:
        self._now += by


@dataclass
class Stepped:
    """A machine, and what it watches."""

    machine: Machine
    clock: FreeClock
    azure: Running
    sink: Sink

    @property
    def world(self) -> World:
        return self.azure.world

    async def step(self, by: timedelta = timedelta(0)) -> list[cycles.Recorded]:
        """Let time pass, then do all that is due."""
        self.clock.advance(by)
        store = self.machine.store
        due = await store.read(scope.due_accounts)
        ready = [one.account for one in due if one.at is None or one.at <= self.clock()]
        recorded = await rounds.poll_all(self.machine, ready)
        await rounds.announce(self.machine)
        await rounds.deliver_due(self.machine)
        return recorded

    async def discover(self) -> None:
        await cycles.discover(
            self.machine.discover,
            judgement=self.machine.judgement,
            store=self.machine.store,
            clock=self.clock,
            read_log=self.machine.read_log,
        )


@contextlib.asynccontextmanager
async def stepped(folder, *accounts: Account, prices: bool = False, more: str = "") -> AsyncIterator[Stepped]:
    """Watches `accounts`; the first sight is over.

    Args:
        prices: Azure's public price list may be read.
        more: Further tables of the configuration.
    """
    world = World(Scenario(accounts=accounts, metrics_delay=timedelta(0)))
    clock = FreeClock(world.start)
    async with contextlib.AsyncExitStack() as stack:
        azure = await stack.enter_async_context(serve(world, clock))
        sink = await stack.enter_async_context(serve_sink())
        azure_more = f'prices_url = "{azure.url}"' if prices else ""
        text = _CONFIGURATION.format(
            database=folder / "watcher.db", azure=azure.url, sink=sink.url, azure_more=azure_more, more=more
        )
        loaded = config.parse(text, environ={"AZURE_TOKEN": TOKEN, "HOOK_SECRET": sink.secret})
        store = open_store(loaded)
        stack.callback(store.close)
        machine = await assemble(loaded, store, clock=clock)
        stack.push_async_callback(machine.aclose)
        flow = Stepped(machine, clock, azure, sink)
        await flow.discover()
        await flow.step()
        yield flow
        assert azure.requests.refused_writes == 0
