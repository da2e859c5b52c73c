"""The daemon: the scheduler, the loops that a commit wakes, signals, the page, and a graceful stop.

APScheduler holds a handful of jobs: the tick that starts what polls are due, discovery, the backstops of dispatch and
delivery, and the watchdog. Which account is due comes from a heap of due times, rebuilt from the store. Polls run side
by side; dispatch and delivery are loops that sleep until they are woken: by a commit, by their own timer, or by the
backstop.
"""

import asyncio
import gc
import heapq
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from watcher import assembly, config, cycles, logs, rounds
from watcher.assembly import DISCOVERY_INTERVAL, Machine
from watcher.clock import Clock, system_clock
from watcher.config import Config
from watcher.errors import ConfigurationError, DatabaseUnavailableError, StoreError, WatcherError
from watcher.resources.account import Account
from watcher.resources.snapshot import Section
from watcher.rules.finding import Finding
from watcher.rules.itself import configuration_rejected
from watcher.store import counts, observations, outbox, retention, state
from watcher.store.engine import Store
from watcher.web.app import Health, create_app
from watcher.web.metrics import Figures, Metrics
from watcher.web.server import serving

log = structlog.get_logger()

TICK = timedelta(seconds=1)
BACKSTOP = timedelta(seconds=30)
HOUSEKEEPING = timedelta(hours=24)
#: What is under way at SIGTERM has this long; then it is cancelled, which loses nothing.
DRAIN_S = 5.0
#: Without progress of any loop for this long the daemon is stuck: `/healthz` says so, and systemd is not told "alive".
STUCK_AFTER_S = 120.0


@dataclass(slots=True)
class _Progress:
    """When each loop last got on, on a clock that does not jump."""

    at: dict[str, float] = field(default_factory=dict)
    last_at: datetime | None = None

    def note(self, loop: str) -> None:
        self.at[loop] = time.monotonic()
        self.last_at = datetime.now(UTC)

    @property
    def is_alive(self) -> bool:
        now = time.monotonic()
        return bool(self.at) and all(now - at < STUCK_AFTER_S for at in self.at.values())


class Wake:
    """An event that a loop waits for, with a timer of its own."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, at_most: float | None) -> None:
        """Until it is set, or `at_most` seconds have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):  # `wait_for` of 3.11 swallows a cancellation that comes with the event
                await self._event.wait()
        self._event.clear()


class Daemon:
    """Runs a machine until it is told to stop."""

    def __init__(
        self, machine: Machine, *, load: Callable[[], Config], source: str = "", clock: Clock = system_clock
    ) -> None:
        """Prepare to run `machine`; `load` reads the configuration anew from `source`, at SIGHUP."""
        self._machine = machine
        self._load = load
        self._source = source
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._heap: list[tuple[datetime, str]] = []
        self._accounts: dict[str, Account] = {}
        self._polling: dict[str, asyncio.Task[None]] = {}
        self._delivering: dict[str, asyncio.Task[None]] = {}
        self._ping: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()  #: of machines that a reload has replaced
        self._untried: set[str] = set()
        self._dispatch = Wake()
        self._deliver = Wake()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._progress = _Progress()
        self._discovered = False
        self._discovery_wait = timedelta()  #: before the next try of a discovery that was not complete
        self._completed_at: datetime | None = None
        self.metrics = Metrics(self._figures)

    # Starting and stopping

    async def run(self) -> None:
        """Run until SIGTERM, SIGINT or `stop`; returns once all is let go of."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(self._serve())
            self._schedule()
            tasks = [
                asyncio.create_task(work(), name=name)
                for name, work in (
                    ("dispatch", self._dispatch_forever),
                    ("deliver", self._deliver_forever),
                    ("reload", self._reload_forever),
                )
            ]
            self._completed_at = await self._machine.store.read(state.at, state.CYCLE_COMPLETED)
            self._scheduler.start()
            log.info("daemon.started", page=address, pid=os.getpid())
            sd_notify(f"READY=1\nSTATUS=watching; page at {address}")
            await self._stop.wait()
            sd_notify("STOPPING=1")
            log.info("daemon.stopping", polls=len(self._polling))
            await self._drain(tasks)
        log.info("daemon.stopped")

    def stop(self) -> None:
        """End `run` soon; safe to repeat, and from a signal handler."""
        self._stop.set()

    def _schedule(self) -> None:
        add = self._scheduler.add_job
        now = datetime.now(UTC)
        add(self._tick, "interval", seconds=TICK.total_seconds(), next_run_time=now, id="tick")
        add(self._discover, "interval", seconds=DISCOVERY_INTERVAL.total_seconds(), next_run_time=now, id="discover")
        add(self._backstop, "interval", seconds=BACKSTOP.total_seconds(), id="backstop")
        add(self._housekeep, "interval", hours=HOUSEKEEPING.total_seconds() / 3600, id="housekeeping")
        watchdog = _watchdog_interval()
        if watchdog is not None:
            add(self._feed_watchdog, "interval", seconds=watchdog, next_run_time=now, id="watchdog")
        self._scheduler.add_listener(lambda _: self.metrics.overruns.inc(), EVENT_JOB_MAX_INSTANCES)

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let what is under way end, for a while; then cancel it. The scheduler itself would cancel at once."""
        self._scheduler.pause()
        polls = list(self._polling.values())
        if polls:
            await asyncio.wait(polls, timeout=DRAIN_S / 2)
        if (
            self._machine.routing is not None
        ):  # what those polls found is decided now; the next run would tell of it too
            try:
                async with asyncio.timeout(DRAIN_S / 2):
                    await rounds.announce(self._machine)
                    await rounds.deliver_due(self._machine)
                    if self._delivering:  # cut off, they would be sent again, and only once their lease is over
                        await asyncio.wait(self._delivering.values())
            except (TimeoutError, WatcherError) as exc:
                log.warning("drain.incomplete", error=str(exc) or "the time was up")
        under_way = (*tasks, *polls, *self._delivering.values(), *self._closing, *([self._ping] if self._ping else []))
        for task in under_way:
            task.cancel()
        await asyncio.wait(under_way, timeout=1)  # what takes no cancellation must not hold up the stop
        self._scheduler.shutdown(wait=False)
        await self._machine.aclose()

    def _serve(self) -> Any:
        web = self._machine.config.web
        tokens = [token.reveal() for token in (web.token, *(one.token for one in web.tokens)) if token is not None]
        hosts = _hosts(web.listen.host, self._machine.config.watcher.public_url)
        app = create_app(health=self._health, metrics=self.metrics, hosts=hosts, tokens=tokens)
        return serving(app, host=web.listen.host, port=web.listen.port)

    # Polling

    async def _discover(self) -> None:
        is_complete = False
        try:
            found = await cycles.discover(self._machine.discover, store=self._machine.store, clock=self._clock)
            await self._refill()
            is_complete = found.is_complete
            self._discovered = self._discovered or is_complete or bool(self._accounts)
            if is_complete and not self._accounts:
                await self._complete()  # there is nothing to try
        except Exception:  # the cycle's boundary: discovery is tried again, and known accounts are watched meanwhile
            log.exception("discovery.failed")
            await self._refill()
        self._discover_again(is_complete)
        self._progress.note("discover.tried")
        self._progress.at.pop("discover.tried")  # it may rest for longer than a stuck loop

    def _discover_again(self, is_complete: bool) -> None:
        """Soon where something could not be asked, then later and later: a right may be missing for ever."""
        if is_complete:
            self._discovery_wait = timedelta()
            return
        self._discovery_wait = min(
            2 * self._discovery_wait or self._machine.judgement.cadence.active, DISCOVERY_INTERVAL
        )
        self._scheduler.modify_job("discover", next_run_time=datetime.now(UTC) + self._discovery_wait)

    async def _refill(self) -> None:
        """Rebuild the heap from the stored due times; none lies further ahead than the intervals of now."""
        cadence, now = self._machine.judgement.cadence, self._clock()
        latest = {
            Section.JOBS: now + cadence.quiet,
            Section.DEPLOYMENTS: now + cadence.deployments,
            Section.METRICS: now + cadence.metrics,
        }
        await self._machine.store.write(observations.bring_forward, latest)
        due = await self._machine.store.read(observations.due_accounts)
        self._accounts = {one.account.key: one.account for one in due}
        self._untried &= self._accounts.keys()
        if not self._untried and self._completed_at is None:
            self._untried = set(self._accounts)
        now = self._clock()
        self._heap = [(one.at or now, one.account.key) for one in due]
        heapq.heapify(self._heap)

    async def _tick(self) -> None:
        self._progress.note("tick")
        self._start_due()

    def _start_due(self) -> None:
        """Start the polls that are due."""
        if self._stop.is_set():
            return
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            _, key = heapq.heappop(self._heap)
            account = self._accounts.get(key)
            if account is not None and key not in self._polling:
                task = asyncio.create_task(self._poll(account), name=f"poll {account.label}")
                self._polling[key] = task
                task.add_done_callback(partial(_forget, self._polling, key))

    async def _poll(self, account: Account) -> None:
        structlog.contextvars.bind_contextvars(cycle="poll", account=account.label)
        began = time.monotonic()
        machine = self._machine
        next_at = self._clock() + machine.judgement.cadence.active
        outcome = "failed"
        try:
            recorded = await cycles.poll(
                account,
                collect=machine.collect,
                judgement=machine.judgement,
                store=machine.store,
                memory=machine.memory,
                clock=self._clock,
            )
            if recorded is None or recorded.is_stale:  # another process was here meanwhile
                stored = await machine.store.read(observations.due_account, account.key)
                next_at = (stored.at if stored is not None else None) or next_at
                outcome = "elsewhere"
            else:
                next_at = recorded.next_at or next_at
                outcome = "gaps" if recorded.gaps else "complete"
                log_recorded(recorded, duration_s=round(time.monotonic() - began, 3))
                if recorded.has_news or recorded.gaps:
                    self._dispatch.set()
        except DatabaseUnavailableError as exc:
            log.error("poll.failed", error=str(exc))
        except Exception:  # the cycle's boundary: a defect in one account's poll must not end the others
            log.exception("poll.failed")
        finally:
            self.metrics.polls.labels(outcome=outcome).inc()
            self.metrics.poll_duration.observe(time.monotonic() - began)
        try:
            await self._tried(account)
        finally:
            self._poll_again(account.key, next_at)

    def _poll_again(self, key: str, at: datetime) -> None:
        """Put an account back on the heap, its poll being over: what comes due while one is under way is dropped."""
        self._polling.pop(key, None)
        heapq.heappush(self._heap, (at, key))
        left = at - self._clock()
        if left < TICK:  # the next tick may just miss it, and then come as late again
            asyncio.get_running_loop().call_later(max(0.0, left.total_seconds()) + 0.001, self._start_due)

    async def _tried(self, account: Account) -> None:
        """Complete the cycle when every account has been tried since the last one, gaps included."""
        self._untried.discard(account.key)
        if self._untried or not self._discovered:
            return
        self._untried = set(self._accounts)
        await self._complete()
        self._dispatch.set()  # what spans accounts is looked at again

    async def _complete(self) -> None:
        try:
            await rounds.note_complete(self._machine)
            self._completed_at = self._clock()
        except StoreError as exc:
            log.error("cycle.failed", error=str(exc))
            return
        if self._ping is None or self._ping.done():  # a ping that hangs holds up nothing
            self._ping = asyncio.create_task(rounds.ping(self._machine), name="ping")

    # Telling

    async def _dispatch_forever(self) -> None:
        await self._forever("dispatch", self._dispatch, self._dispatch_once)

    async def _deliver_forever(self) -> None:
        await self._forever("deliver", self._deliver, self._deliver_once)

    async def _forever(self, name: str, wake: Wake, step: Callable[[], Awaitable[datetime | None]]) -> None:
        """Step, then sleep until woken or until the step's own next time; a failed step is tried again."""
        structlog.contextvars.bind_contextvars(cycle=name)
        while True:
            next_at: datetime | None = None
            try:
                next_at = await step()
            except DatabaseUnavailableError as exc:
                log.error(f"{name}.failed", error=str(exc))
            except Exception:  # the cycle's boundary: nothing is lost, since all that is decided is stored
                log.exception(f"{name}.failed")
            self._progress.note(name)
            wait = BACKSTOP.total_seconds()
            if next_at is not None:
                wait = min(wait, max(0.05, (next_at - self._clock()).total_seconds()))
            await wake.wait(wait)

    async def _dispatch_once(self) -> datetime | None:
        machine = self._machine
        for alert in await cycles.review(judgement=machine.judgement, store=machine.store, clock=self._clock):
            log_alert(alert)
        if machine.routing is None:
            return None
        plan = await cycles.dispatch(
            routing=machine.routing, store=machine.store, clock=self._clock, wall_clock=machine.wall_clock
        )
        for notification in plan.notifications:
            log.info(
                "notification.planned",
                notification=notification.id,
                receiver=notification.receiver,
                reason=notification.reason.value,
                alerts=len(notification.alerts),
            )
        if plan.notifications:
            self._deliver.set()
        return plan.next_at

    async def _deliver_once(self) -> datetime | None:
        """Start a lane for each receiver that has none: a stuck one holds up no other."""
        machine = self._machine
        idle = [name for name in machine.notifiers if name not in self._delivering]
        for name in idle:
            task = asyncio.create_task(self._deliver_to(name, machine), name=f"deliver to {name}")
            self._delivering[name] = task
            task.add_done_callback(partial(_forget, self._delivering, name))
        return await machine.store.read(outbox.next_due, receivers=idle)

    async def _deliver_to(self, receiver: str, machine: Machine) -> None:
        try:
            done = await cycles.deliver(
                notifiers={receiver: machine.notifiers[receiver]},
                policy=machine.policy,
                store=machine.store,
                clock=self._clock,
                wall_clock=machine.wall_clock,
                owner=machine.owner,
            )
        except DatabaseUnavailableError as exc:
            log.error("deliver.failed", error=str(exc), receiver=receiver)
            return
        except Exception:  # the cycle's boundary: what was not marked is sent again once its lease has ended
            log.exception("deliver.failed", receiver=receiver)
            return
        for one in done:
            self.metrics.notifications.labels(receiver=receiver, outcome=one.attempt.outcome).inc()
        if done:
            self._delivering.pop(receiver, None)  # first: whoever wakes now must find the lane free
            self._deliver.set()  # there may be more, and some waited for these

    async def _backstop(self) -> None:
        self._dispatch.set()
        self._deliver.set()

    async def _housekeep(self) -> None:
        """Delete what ended longer ago than the configuration keeps it."""
        machine = self._machine
        try:
            pruned = await machine.store.write(
                retention.prune, before=self._clock() - machine.config.database.retention
            )
        except StoreError as exc:
            log.error("housekeeping.failed", error=str(exc))
            return
        log.info("housekeeping.completed", pruned=str(pruned))

    # Reloading

    async def _reload_forever(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
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
            self._dispatch.set()

    async def _take_over(self, new: Config) -> None:
        """Swap the machine; polls under way end on the old one."""
        old = self._machine
        unchangeable = {"database": new.database != old.config.database, "web": new.web != old.config.web}
        if changed := [table for table, is_changed in unchangeable.items() if is_changed]:
            raise ConfigurationError(
                [(table, "cannot change while the daemon runs", "restart it instead") for table in changed]
            )
        machine = await assembly.assemble(
            new, old.store, clock=old.clock, wall_clock=old.wall_clock, observer=self.metrics.azure_request
        )
        logs.configure(format=new.logging.format, level=new.logging.level)
        logs.hide({*assembly.secrets_of(old.config), *assembly.secrets_of(new)})  # polls under way may quote the old
        self._machine = machine
        log.info("configuration.reloaded")
        await self._note_itself([])
        under_way = list(self._polling.values())
        closing = asyncio.create_task(_close_later(old, under_way), name="close the old configuration")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await self._discover()

    async def _note_itself(self, findings: Sequence[Finding]) -> None:
        machine = self._machine
        try:
            await machine.store.write(cycles.note_itself, findings, machine.judgement, now=self._clock())
        except StoreError as exc:
            log.error("alert.failed", error=str(exc))

    # What is told of us

    def _health(self) -> Health:
        reasons = []
        if not self._discovered:
            reasons.append("accounts have not been discovered yet")
        if self._completed_at is None:
            untried = sorted(self._accounts[key].label for key in self._untried if key in self._accounts)
            reasons.append("no cycle was complete yet" + (f"; not tried: {', '.join(untried[:10])}" if untried else ""))
        return Health(
            is_alive=self._progress.is_alive,
            not_ready=tuple(reasons),
            last_progress_at=self._progress.last_at,
            last_complete_cycle_at=self._completed_at,
        )

    def _figures(self) -> Figures:
        found = self._machine.store.read_now(counts.counts, self._clock())
        return Figures(
            accounts=found.accounts,
            jobs=found.jobs,
            deployments=found.deployments,
            until_deletion=found.until_deletion,
            alerts=found.alerts,
            outbox=found.outbox,
            last_complete_cycle=found.last_complete_cycle,
        )

    async def _feed_watchdog(self) -> None:
        if self._progress.is_alive:
            sd_notify("WATCHDOG=1")


def _forget(tasks: dict[str, asyncio.Task[None]], key: str, task: asyncio.Task[None]) -> None:
    if tasks.get(key) is task:  # else it made way for its successor itself
        del tasks[key]


async def _close_later(machine: Machine, polls: list[asyncio.Task[None]]) -> None:
    try:
        if polls:
            await asyncio.wait(polls, timeout=60)
        await asyncio.sleep(30)  # a delivery that is under way ends within its lease
    finally:  # cut short by a stop
        await machine.aclose()


def log_recorded(recorded: cycles.Recorded, *, duration_s: float) -> None:
    """One canonical line a poll, and one for each transition and alert."""
    for transition in recorded.transitions:
        if not transition.is_history:
            log.info(
                "transition.recorded",
                kind=transition.kind.value,
                resource=transition.name,
                attribute=transition.attribute,
                before=transition.before,
                after=transition.after,
                change=transition.change.value,
            )
    for alert in recorded.alerts:
        log_alert(alert)
    log.info(
        "poll.completed",
        duration_s=duration_s,
        transitions=len(recorded.transitions),
        alerts=len(recorded.alerts),
        gaps=[f"{gap.section}: {gap.reason}" for gap in recorded.gaps] or None,
    )


def log_alert(alert: Any) -> None:
    """An alert fired, changed or resolved."""
    event = (
        "alert.resolved"
        if alert.ends_at
        else ("alert.fired" if alert.starts_at == alert.updated_at else "alert.changed")
    )
    log.info(
        event,
        alert=alert.id,
        rule=alert.finding.rule,
        severity=alert.severity.value,
        fingerprint=alert.fingerprint,
        summary=alert.finding.summary,
        because=alert.ended_because or None,
    )


def _hosts(host: str, public_url: str | None) -> tuple[str, ...]:
    """The names under which the page may be asked for; behind a wildcard address, any."""
    if host in ("0.0.0.0", "::", ""):
        return ("*",)
    named = {host, f"[{host}]" if ":" in host else host, "localhost", "127.0.0.1", "[::1]"}
    if public_url:
        named.add(public_url.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0])
    return tuple(sorted(named))


def sd_notify(message: str) -> bool:
    """Tell systemd, where it asked to be told. Source: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address[0] == "@":
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.sendto(message.encode(), address)
    return True


def _watchdog_interval() -> float | None:
    """Half of systemd's patience, in seconds; `None` where it does not watch us."""
    patience = os.environ.get("WATCHDOG_USEC", "")
    return int(patience) / 1_000_000 / 2 if patience.isdigit() and int(patience) > 0 else None


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
    logs.hide(assembly.secrets_of(loaded))
    store = assembly.open_store(loaded)
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

    machine = await assembly.assemble(loaded, store, observer=observe)
    for text in config.warnings(loaded):
        log.warning("configuration.not_in_effect", what=text)
    daemon = Daemon(machine, load=load, source=source)
    counted.append(daemon)
    await daemon.run()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop where there is one: its TLS needs a fifth of the memory a connection.

    The garbage collector is made to look more seldom, too: what is remembered of a thousand accounts is scanned at each
    full pass, which took an eighth of a cycle's time.
    """
    gc.set_threshold(20_000, 20, 50)
    try:
        import uvloop  # optional: Linux only
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
