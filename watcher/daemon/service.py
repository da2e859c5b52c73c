"""The daemon itself: it starts the page, the scheduler and the loops, and ends them gracefully.

APScheduler holds a handful of jobs: the tick that starts what polls are due, discovery, the inventory, the backstop of
dispatch and delivery, housekeeping, and the watchdog.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from watcher import config, logs, rounds
from watcher.assembly.machine import DISCOVERY_INTERVAL, Machine, assemble, secrets_of
from watcher.assembly.stores import open_store
from watcher.clock import Clock, system_clock
from watcher.config import Config
from watcher.daemon import page
from watcher.daemon.current import Current
from watcher.daemon.journal import log_alert
from watcher.daemon.poller import TICK, Poller
from watcher.daemon.progress import Progress
from watcher.daemon.reloading import Reloader
from watcher.daemon.systemd import sd_notify, watchdog_interval
from watcher.daemon.teller import BACKSTOP, Teller
from watcher.errors import StoreError, WatcherError
from watcher.logs import name_work
from watcher.loop import new_event_loop
from watcher.store import retention
from watcher.store.engine import Store
from watcher.store.held import Memory
from watcher.web.metrics import Metrics
from watcher.web.site import Health

log = structlog.get_logger()

HOUSEKEEPING = timedelta(hours=24)
#: How often to look whether the price list is due, and how long the first polls wait for it.
_PRICES = timedelta(minutes=10)
_FIRST_PRICES_S = 3.0
#: How often to look whether a report is due.
_REPORTS = timedelta(seconds=15)
#: What is under way at SIGTERM has this long; then it is cancelled, which loses nothing.
DRAIN_S = 5.0


class Daemon:
    """Runs a machine until it is told to stop."""

    def __init__(
        self, machine: Machine, *, load: Callable[[], Config], source: str = "", clock: Clock = system_clock
    ) -> None:
        """Prepare to run `machine`; `load` reads the configuration anew from `source`, at SIGHUP."""
        self._current = current = Current(machine)
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._stop = asyncio.Event()
        self._reporting: asyncio.Task[None] | None = None  #: reports that are being sent
        self._progress = Progress()
        memory = Memory()
        self.metrics = Metrics(lambda: page.figures(current.machine, clock(), memory))
        self._teller = Teller(current, clock=clock, metrics=self.metrics, progress=self._progress)
        self._poller = Poller(
            current,
            clock=clock,
            metrics=self.metrics,
            progress=self._progress,
            tell=self._teller.wake,
            discover_at=partial(self._run_at, "discover"),
            first_complete=lambda: self._run_at("inventory", datetime.now(UTC)),
        )
        self._reloader = Reloader(
            current,
            load=load,
            source=source,
            clock=clock,
            observer=self.metrics.azure_request,
            polls=self._poller.polls,
            lanes=self._teller.lanes,
            discover=self._poller.discover,
            tell=self._teller.wake_all,
        )

    async def run(self) -> None:
        """Run until SIGTERM, SIGINT or `stop`; returns once all is let go of."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reloader.ask)
        async with AsyncExitStack() as stack:
            served = page.serve(
                self._current.machine.config,
                lambda: self._current.machine,
                health=self._health,
                metrics=self.metrics,
                wake=self._teller.wake_all,
            )
            address = await stack.enter_async_context(served)
            self._schedule()
            tasks = [
                asyncio.create_task(work(), name=name)
                for name, work in (
                    ("dispatch", self._teller.dispatch_forever),
                    ("deliver", self._teller.deliver_forever),
                    ("review", self._teller.look_aside_forever),
                    ("refresh", self._teller.refresh_forever),
                    ("reload", self._reloader.reload_forever),
                    ("lag", self.metrics.watch_loop),
                )
            ]
            await self._poller.resume()
            await self._reloader.note_accepted()
            tasks.append(await self._first_prices())
            self._scheduler.start()
            log.info("daemon.started", page=address, pid=os.getpid())
            sd_notify(f"READY=1\nSTATUS=watching; page at {address}")
            await self._stop.wait()
            sd_notify("STOPPING=1")
            log.info("daemon.stopping", polls=len(self._poller.polls))
            await self._drain(tasks)
        log.info("daemon.stopped")

    def stop(self) -> None:
        """End `run` soon; safe to repeat, and from a signal handler."""
        self._poller.close()
        self._stop.set()

    def _schedule(self) -> None:
        now = datetime.now(UTC)

        def add(work: Callable[[], Awaitable[None]], *args: str, id: str, **options: Any) -> None:
            self._scheduler.add_job(self._scheduled(id, work), *args, id=id, **options)

        discovery_s = DISCOVERY_INTERVAL.total_seconds()
        add(self._poller.tick, "interval", seconds=TICK.total_seconds(), next_run_time=now, id="tick")
        add(self._poller.discover, "interval", seconds=discovery_s, next_run_time=now, id="discover")
        add(self._teller.backstop, "interval", seconds=BACKSTOP.total_seconds(), id="backstop")
        prices_s = _PRICES.total_seconds()
        add(self._refresh_money, "interval", seconds=prices_s, id="prices")
        models_s = self._current.machine.config.poll.models.total_seconds()
        add(self._take_inventory, "interval", seconds=models_s, id="inventory")
        add(self._housekeep, "interval", hours=HOUSEKEEPING.total_seconds() / 3600, id="housekeeping")
        add(self._report, "interval", seconds=_REPORTS.total_seconds(), next_run_time=now, id="reports")
        watchdog = watchdog_interval()
        if watchdog is not None:
            add(self._feed_watchdog, "interval", seconds=watchdog, next_run_time=now, id="watchdog")
        self._scheduler.add_listener(lambda _: self.metrics.overruns.inc(), EVENT_JOB_MAX_INSTANCES)

    def _scheduled(self, name: str, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The work, whose lines of the log bear its own name; it may be cut off when all ends, which the scheduler
        would log as a failure."""

        async def run() -> None:
            # The scheduler's timer runs on in the context of whoever moved a job last, which may be a poll.
            name_work(name)
            try:
                await work()
            except asyncio.CancelledError:
                if not self._stop.is_set():
                    raise

        return run

    def _run_at(self, job: str, at: datetime) -> None:
        self._scheduler.modify_job(job, next_run_time=at)

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let what is under way end, for a while; then cancel it. The scheduler itself would cancel at once."""
        self._scheduler.pause()
        polls = self._poller.polls.tasks()
        if polls:
            await asyncio.wait(polls, timeout=DRAIN_S / 2)
        await self._tell_the_last()
        alone = (task for task in (self._poller.ping, self._reporting) if task is not None)
        under_way = (*tasks, *polls, *self._teller.lanes.tasks(), *self._reloader.closing, *alone)
        for task in under_way:
            task.cancel()
        await asyncio.wait(under_way, timeout=1)  # what takes no cancellation must not hold up the stop
        self._scheduler.shutdown(wait=False)
        await self._current.machine.aclose()

    async def _tell_the_last(self) -> None:
        """What the last polls found is decided now; the next run would tell of it too."""
        if self._current.machine.routing is None:
            return
        try:
            async with asyncio.timeout(DRAIN_S / 2):
                await rounds.announce(self._current.machine)
                await rounds.deliver_due(self._current.machine)
                if lanes := (*self._teller.lanes.tasks(), *((self._reporting,) if self._reporting else ())):
                    await asyncio.wait(lanes)  # cut off, they would be sent again, and only once their lease is over
        except (TimeoutError, WatcherError) as exc:
            log.warning("drain.incomplete", error=str(exc) or "the time was up")
        except Exception:  # a defect here must not keep us from letting go of everything
            log.exception("drain.failed")

    async def _take_inventory(self) -> None:
        """Judge what exists over all accounts; the first time once all accounts were tried."""
        machine = self._current.machine
        try:
            for alert in await rounds.take_inventory(machine):
                log_alert(alert)
        except Exception:  # the cycle's boundary: it is taken again
            log.exception("inventory.failed")
        self._teller.wake()
        self._run_at("inventory", datetime.now(UTC) + machine.config.poll.models)  # a reload may have changed it

    async def _first_prices(self) -> asyncio.Task[None]:
        """Read the price list before anything is judged, so that the first alerts tell its prices; but hold up nothing
        for long. Returns what may still be under way."""
        reading = asyncio.create_task(self._refresh_prices(), name="prices")
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({reading, stopping}, timeout=_FIRST_PRICES_S, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return reading

    async def _refresh_money(self) -> None:
        await self._refresh_prices()
        await self._refresh_actuals()

    async def _refresh_prices(self) -> None:
        """Read the price list where that is due; what rests on it is then judged anew."""
        try:
            is_new = await rounds.refresh_prices(self._current.machine)
        except Exception:  # the cycle's boundary: it is tried again
            log.exception("prices.failed")
            return
        if is_new and self._poller.completed_at is not None:
            self._run_at("inventory", datetime.now(UTC))

    async def _refresh_actuals(self) -> None:
        """Read what was billed, where that is wanted and due."""
        try:
            await rounds.refresh_actuals(self._current.machine)
        except Exception:  # the cycle's boundary: it is tried again
            log.exception("actuals.failed")

    async def _housekeep(self) -> None:
        """Delete what ended longer ago than the configuration keeps it."""
        machine = self._current.machine
        try:
            before = self._clock() - machine.config.database.retention
            pruned = await asyncio.to_thread(retention.prune_stepwise, machine.store, before=before)
        except StoreError as exc:
            log.error("housekeeping.failed", error=str(exc))
            return
        log.info("housekeeping.completed", pruned=str(pruned))

    async def _report(self) -> None:
        """Make and send the reports that are due."""
        self._reporting = asyncio.current_task()
        try:
            for one in await rounds.send_reports(self._current.machine):
                outcome = "retry" if one.state == "pending" else one.state
                self.metrics.notifications.labels(receiver=one.issue.receiver, outcome=outcome).inc()
                self.metrics.reports.labels(report=one.issue.name, outcome=outcome).inc()
        except StoreError as exc:
            log.error("reports.failed", error=str(exc))
        except Exception:  # the cycle's boundary: what was not marked is sent again once its lease has ended
            log.exception("reports.failed")
        finally:
            self._reporting = None

    async def _feed_watchdog(self) -> None:
        if self._progress.is_alive:
            sd_notify("WATCHDOG=1")

    def _health(self) -> Health:
        return Health(
            is_alive=self._progress.is_alive,
            not_ready=self._poller.missing(),
            last_progress_at=self._progress.last_at,
            last_complete_cycle_at=self._poller.completed_at,
        )


def run(load: Callable[[], Config], *, source: str = "") -> None:
    """Load the configuration, build everything, and run until told to stop.

    Args:
        load: Reads the configuration; called again at each SIGHUP.
        source: Where it is read from, for texts.

    Raises:
        WatcherError: it could not start.
    """
    loaded = load()
    logs.configure(format=loaded.logging.format, level=loaded.logging.level)
    logs.hide(secrets_of(loaded))
    store = open_store(loaded)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_run(loaded, store, load, source))
    finally:
        store.close()


async def _run(loaded: Config, store: Store, load: Callable[[], Config], source: str) -> None:
    counted: list[Daemon] = []

    def observe(api: str, status: int, duration_s: float) -> None:
        for daemon in counted:
            daemon.metrics.azure_request(api, status, duration_s)

    machine = await assemble(loaded, store, observer=observe)
    for text in config.warnings(loaded):
        log.warning("configuration.not_in_effect", what=text)
    daemon = Daemon(machine, load=load, source=source)
    counted.append(daemon)
    try:
        await daemon.run()
    finally:
        await machine.aclose()  # where it could not even start; otherwise it is closed already
