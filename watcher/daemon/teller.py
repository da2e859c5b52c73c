"""Dispatch and delivery: loops that sleep until a commit wakes them, their own timer, or the backstop.

Each receiver has a lane of its own, so that one that is stuck holds up no other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from watcher import cycles
from watcher.assembly import Machine
from watcher.clock import Clock
from watcher.daemon.current import Current
from watcher.daemon.journal import log_alert
from watcher.daemon.progress import Progress
from watcher.daemon.tasks import UnderWay, Wake
from watcher.errors import DatabaseUnavailableError
from watcher.store import claiming
from watcher.web.metrics import Metrics

log = structlog.get_logger()

BACKSTOP = timedelta(seconds=30)


class Teller:
    """Decides who is told of what, and tells them."""

    def __init__(self, current: Current, *, clock: Clock, metrics: Metrics, progress: Progress) -> None:
        self._current = current
        self._clock = clock
        self._metrics = metrics
        self._progress = progress
        self._recall = cycles.Recall()
        self._dispatch = Wake()
        self._deliver = Wake()
        self._refresh = Wake()
        self._refresh_at: dict[str, float] = {}  #: when each receiver that wants it is refreshed next, in loop time
        self.lanes = UnderWay()  #: deliveries, by receiver

    def wake(self) -> None:
        """Something was recorded: look whether somebody is to be told. Safe to repeat."""
        self._dispatch.set()

    def wake_all(self) -> None:
        """The configuration changed: look at everything again. Safe to repeat."""
        self._dispatch.set()
        self._deliver.set()
        self._refresh.set()

    async def backstop(self) -> None:
        """Wake both loops, lest something was missed. (A plain function would run in a thread.)"""
        self.wake_all()

    async def dispatch_forever(self) -> None:
        await self._forever("dispatch", self._dispatch, self._dispatch_once)

    async def deliver_forever(self) -> None:
        await self._forever("deliver", self._deliver, self._deliver_once)

    async def refresh_forever(self) -> None:
        """Say again what fires, at the receivers that forget it otherwise."""
        structlog.contextvars.bind_contextvars(cycle="refresh")
        while True:
            try:
                await self._refresh_once()
            except DatabaseUnavailableError as exc:
                log.error("refresh.failed", error=str(exc))
            except Exception:  # the cycle's boundary: the next round makes up for this one
                log.exception("refresh.failed")
            now = asyncio.get_running_loop().time()
            nearest = min(self._refresh_at.values(), default=now + BACKSTOP.total_seconds())
            await self._refresh.wait(min(max(nearest - now, 0.05), BACKSTOP.total_seconds()))

    async def _refresh_once(self) -> None:
        machine = self._current.machine
        now = asyncio.get_running_loop().time()
        wanted = cycles.refreshing(machine.notifiers)
        due = {name: one for name, one in wanted.items() if self._refresh_at.get(name, 0.0) <= now}
        # Before it is tried: one that fails for whatever reason is tried again at its time, and not at once.
        self._refresh_at = {
            name: now + one.refresh_every.total_seconds() if name in due else self._refresh_at[name]
            for name, one in wanted.items()
        }
        if due and await cycles.refresh(
            due, policy=machine.policy, store=machine.store, clock=self._clock, wall_clock=machine.wall_clock
        ):
            self._deliver.set()  # a channel that failed may have opened by it

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
        machine = self._current.machine
        await cycles.note_skew(machine.skew(), host=machine.host, store=machine.store)
        await self._bury(machine)
        for alert in await cycles.review(
            judgement=machine.judgement,
            store=machine.store,
            clock=self._clock,
            wall_clock=machine.wall_clock,
            host=machine.host,
        ):
            log_alert(alert)
        if machine.routing is None:
            await cycles.let_go(store=machine.store, clock=self._clock)
            return None
        plan = await cycles.dispatch(
            routing=machine.routing,
            store=machine.store,
            clock=self._clock,
            wall_clock=machine.wall_clock,
            recall=self._recall,
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

    async def _bury(self, machine: Machine) -> None:
        """Give up what waits for receivers that are gone from the configuration."""
        for one in await cycles.bury(
            machine.notifiers,
            routing=machine.routing,
            store=machine.store,
            clock=self._clock,
            wall_clock=machine.wall_clock,
        ):
            receiver = one.delivery.notification.receiver
            self._metrics.notifications.labels(receiver=receiver, outcome=one.attempt.outcome).inc()

    async def _deliver_once(self) -> datetime | None:
        """Start a lane for each receiver that has none: a stuck one holds up no other."""
        machine = self._current.machine
        idle = [name for name in machine.notifiers if name not in self.lanes]
        for name in idle:
            self.lanes.start(name, self._deliver_to(name, machine), name=f"deliver to {name}")
        return await machine.store.read(claiming.next_due, receivers=idle, paces=machine.paces)

    async def _deliver_to(self, receiver: str, machine: Machine) -> None:
        try:
            done = await cycles.deliver(
                notifiers={receiver: machine.notifiers[receiver]},
                policy=machine.policy,
                store=machine.store,
                clock=self._clock,
                wall_clock=machine.wall_clock,
                owner=machine.owner,
                paces=machine.paces,
                routing=machine.routing,
            )
        except DatabaseUnavailableError as exc:
            log.error("deliver.failed", error=str(exc), receiver=receiver)
            return
        except Exception:  # the cycle's boundary: what was not marked is sent again once its lease has ended
            log.exception("deliver.failed", receiver=receiver)
            return
        for one in done:
            self._metrics.notifications.labels(receiver=receiver, outcome=one.attempt.outcome).inc()
        if any(one.state == "dead" for one in done):
            self._dispatch.set()  # the others are to hear of it
        if done:
            self.lanes.make_way(receiver)  # first: whoever wakes now must find the lane free
            self._deliver.set()  # there may be more, and some waited for these
