"""Reloading: a new machine from the configuration of now, in place of the old one.

What is wrong with the new configuration is told as an alert about the watcher itself, and the old one stays in force.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from watcher import cycles, logs
from watcher.assembly.machine import Machine, assemble, secrets_of
from watcher.azure.client import Observer
from watcher.clock import Clock
from watcher.config import Config
from watcher.config.rules import RuleOptions
from watcher.daemon.current import Current
from watcher.daemon.systemd import sd_notify
from watcher.daemon.tasks import UnderWay
from watcher.errors import ConfigurationError, StoreError, WatcherError
from watcher.rules.finding import Finding, Severity
from watcher.rules.itself import configuration_rejected
from watcher.store import departed

log = structlog.get_logger()

#: Seconds after which the old machine is closed, whatever is under way. A lane goes on while its receiver takes all.
POLLS_END_S, LANES_END_S = 60.0, 600.0
#: For what else may have been begun with it: a refresh, an inventory.
GRACE_S = 30.0


class Reloader:
    """Swaps the machine when it is asked to."""

    def __init__(
        self,
        current: Current,
        *,
        load: Callable[[], Config],
        source: str,
        clock: Clock,
        observer: Observer,
        polls: UnderWay,
        lanes: UnderWay,
        discover: Callable[[], Awaitable[None]],
        tell: Callable[[], None],
    ) -> None:
        """Prepare to reload.

        Args:
            load: Reads the configuration anew; called in a thread.
            source: Where it is read from, for texts.
            observer: Told of each request of the new machine to Azure.
            polls: Those under way end on the old machine, before it is closed.
            lanes: Deliveries; so do they.
            discover: Looks for accounts with the new machine.
            tell: Called after each reload, rejected ones included: others may have to hear of it.
        """
        self._current = current
        self._load = load
        self._source = source
        self._clock = clock
        self._observer = observer
        self._polls = polls
        self._lanes = lanes
        self._discover = discover
        self._tell = tell
        self._asked = asyncio.Event()
        self.closing: set[asyncio.Task[None]] = set()  #: of machines that a reload has replaced

    def ask(self) -> None:
        """Reload soon; safe to repeat, and from a signal handler."""
        self._asked.set()

    async def note_accepted(self) -> None:
        """The configuration in force is the one that was read last: what was said of a former one is over.

        Of receivers that are not in it any more the log names what they were told and will not hear the end of.
        """
        await self._note_itself([])
        machine = self._current.machine
        try:
            owed = await machine.store.read(departed.owed, tuple(machine.notifiers))
        except StoreError as exc:
            log.error("receiver.left", error=str(exc))
            return
        for receiver, firing in owed.items():
            log.warning("receiver.left", receiver=receiver, firing=firing)

    async def reload_forever(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            sd_notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                await self._take_over(await asyncio.to_thread(self._load))
            except WatcherError as exc:
                log.error("configuration.rejected", error=str(exc))
                await self._note_itself([configuration_rejected(str(exc), self._source, self._clock())])
            except Exception as exc:  # whatever is wrong with the new file, the old configuration stays in force
                log.exception("configuration.rejected")
                problem = f"{type(exc).__name__}: see the log"
                await self._note_itself([configuration_rejected(problem, self._source, self._clock())])
            sd_notify("READY=1")
            self._tell()

    async def _take_over(self, new: Config) -> None:
        """Swap the machine; polls under way end on the old one."""
        old = self._current.machine
        unchangeable = {"database": new.database != old.config.database, "web": new.web != old.config.web}
        if changed := [table for table, is_changed in unchangeable.items() if is_changed]:
            raise ConfigurationError(
                [(table, "cannot change while the daemon runs", "restart it instead") for table in changed]
            )
        machine = await assemble(new, old.store, clock=old.clock, wall_clock=old.wall_clock, observer=self._observer)
        logs.configure(format=new.logging.format, level=new.logging.level)
        logs.hide({*secrets_of(old.config), *secrets_of(new)})  # polls under way may quote the old
        self._current.machine = machine
        log.info("configuration.reloaded")
        await self.note_accepted()
        under_way = close_later(old, self._polls.tasks(), self._lanes.tasks())
        closing = asyncio.create_task(under_way, name="close the old configuration")
        self.closing.add(closing)
        closing.add_done_callback(self.closing.discard)
        await self._discover()

    async def _note_itself(self, findings: Sequence[Finding]) -> None:
        machine = self._current.machine
        found = as_configured(findings, machine.config.rules.configuration_rejected)
        try:
            await machine.store.write(cycles.note_itself, found, machine.judgement, now=self._clock())
        except StoreError as exc:
            log.error("alert.failed", error=str(exc))


def as_configured(findings: Sequence[Finding], options: RuleOptions) -> list[Finding]:
    """Findings that no evaluation made, under the operator's options for their rule."""
    if not options.enabled:
        return []
    severity = options.severity and Severity(options.severity)
    return [
        replace(one, severity=severity or one.severity, labels={**one.labels, **options.labels}) for one in findings
    ]


async def close_later(
    machine: Machine,
    polls: Sequence[asyncio.Task[None]],
    lanes: Sequence[asyncio.Task[None]],
    *,
    grace_s: float = GRACE_S,
) -> None:
    """Close a machine that was replaced, once nothing that was begun with it is under way."""
    try:
        if polls:
            await asyncio.wait(polls, timeout=POLLS_END_S)
        if lanes:
            await asyncio.wait(lanes, timeout=LANES_END_S)
        await asyncio.sleep(grace_s)
    finally:  # cut short by a stop
        await machine.aclose()
