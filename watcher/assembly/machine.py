"""Everything that runs, in one machine: built from the configuration, checked, and nothing of it started.

It is the one place where the rooms are introduced to each other; the other files here build the parts.
"""

import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TextIO

from watcher.alerts.pace import Pace
from watcher.alerts.routing import Routing
from watcher.assembly.azure import bills_of, client_of, cloud_of, collector_of, discover_by, log_by
from watcher.assembly.judgement import judgement_of, terms_of
from watcher.assembly.reports import reporting_of
from watcher.assembly.telling import heartbeat_of, notifiers_of, paces_of, routing_of
from watcher.azure.catalogue import retirements
from watcher.azure.client import AzureClient, Observer
from watcher.azure.prices import PriceList
from watcher.clock import Clock, system_clock
from watcher.config import Config
from watcher.cycles import Collect, Discover, FindRetirements, Judgement, ReadBill, ReadLog, ReadPrices
from watcher.cycles.memory import Memory
from watcher.cycles.timetables import Reporting
from watcher.notify.notifier import Notifier, RetryPolicy
from watcher.store.engine import Store
from watcher.transport import Client, open_client


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything that runs, built and checked. Close it with `aclose`; the store is closed by whoever opened it."""

    config: Config
    store: Store
    discover: Discover
    read_log: ReadLog  #: of accounts that are gone
    collect: Collect
    retirements: FindRetirements
    read_prices: ReadPrices  #: asked where the judgement has a tariff
    read_bill: ReadBill | None  #: `None`: nobody wants estimates held against it
    skew: Callable[[], tuple[timedelta, datetime] | None]  #: of the clock, with when it was measured; `None`: not yet
    judgement: Judgement
    memory: Memory
    routing: Routing | None  #: `None`: there is no receiver, and nobody is told of anything
    notifiers: Mapping[str, Notifier]
    paces: Mapping[str, Pace]  #: how fast each receiver is told
    reporting: Reporting  #: which reports are made when, and who gets them
    policy: RetryPolicy
    clock: Clock
    wall_clock: Clock
    host: str  #: the machine by whose clock this process goes
    owner: str  #: of the leases of this process
    ping: Callable[[], Awaitable[None]] | None
    closing: AsyncExitStack

    async def aclose(self) -> None:
        """Let go of connections and notifiers."""
        await self.closing.aclose()


async def assemble(
    config: Config,
    store: Store,
    *,
    clock: Clock = system_clock,
    wall_clock: Clock = system_clock,
    observer: Observer | None = None,
    stream: TextIO | None = None,
    http: Client | None = None,
) -> Machine:
    """Build everything, and start nothing.

    Args:
        clock: What the cycles take for now; the demo's is simulated.
        wall_clock: For leases, timeouts and signatures.
        observer: Told of each request to Azure.
        stream: Where receivers of type `console` write; `None`: standard output.
        http: The client to use in place of a new one.

    Raises:
        ConfigurationError: with everything that cannot be used.
    """
    closing = AsyncExitStack()
    if http is None:
        http = open_client(connections=config.poll.concurrency + 64)
        closing.push_async_callback(http.aclose)
    client = client_of(config, http, observer, clock=clock)  # a simulated Azure dates its answers by simulated time
    collector = collector_of(config, client)
    notifiers = notifiers_of(config, http, stream)
    for notifier in notifiers.values():
        closing.push_async_callback(notifier.aclose)
    judgement = judgement_of(config)
    return Machine(
        config=config,
        store=store,
        discover=discover_by(config, collector, clock),
        read_log=log_by(config, collector),
        collect=collector.collect,
        retirements=partial(retirements, collector.management),
        read_prices=PriceList(client, cloud_of(config)).read,
        read_bill=bills_of(config, client),
        skew=partial(_skew, client),
        judgement=judgement,
        memory=Memory(store),
        routing=routing_of(config),
        notifiers=notifiers,
        paces=paces_of(config),
        reporting=reporting_of(config, terms_of(config), judgement.tariff),
        policy=RetryPolicy(),
        clock=clock,
        wall_clock=wall_clock,
        host=(host := socket.gethostname()),
        owner=f"{host}:{os.getpid()}:{secrets.token_hex(4)}",
        ping=heartbeat_of(config, http),
        closing=closing,
    )


def _skew(client: AzureClient) -> tuple[timedelta, datetime] | None:
    return None if client.skew is None or client.skew_at is None else (client.skew, client.skew_at)


def secrets_of(config: Config) -> tuple[str, ...]:
    """Every secret's text, to be cut out of the logs."""
    return tuple(secret.reveal() for secret in config.secrets())


#: How often accounts are looked for.
DISCOVERY_INTERVAL = timedelta(minutes=15)
