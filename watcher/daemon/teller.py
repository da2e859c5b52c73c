"""Dispatch and delivery: loops that sleep until a commit wakes them, their own timer, or the backstop.

Each receiver has a lane of its own, so that one that is stuck holds up no other. What is decided goes out at once where
its receiver has nothing else to do; review, which keeps nobody waiting, comes after it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from watcher import cycles
from watcher.assembly.machine import Machine
from watcher.clock import Clock
from watcher.daemon.current import Current
from watcher.daemon.journal import log_alert
from watcher.daemon.progress import Progress
from watcher.daemon.tasks import UnderWay, Wake
from watcher.errors import DatabaseUnavailableError
from watcher.logs import name_work
from watcher.store import claiming, outbox
from watcher.store.channels import LONGEST_WAIT
from watcher.store.outbox import Delivery
from watcher.web.metrics import Metrics

log = structlog.get_logger()

BACKSTOP = timedelta(seconds=30)

#: What is looked at beside goes so long after what woke it: the messages come first, and many polls are looked at once.
ASIDE_S = 0.5


class Teller:
    """Decides who is told of what, and tells them."""

    def __init__(self, current: Current, *, clock: Clock, metrics: Metrics, progress: Progress) -> None:
        self._current = current
        self._clock = clock
        self._metrics = metrics
        self._progress = progress
        self._recall = cycles.Recall()
        self._reviewer: cycles.Reviewer | None = None
        self._has_news = False  #: something was recorded since dispatch last looked
        self._dispatch = Wake()
        self._aside = Wake()
        self._deliver = Wake()
        self._refresh = Wake()
        self._refresh_at: dict[str, float] = {}  #: when each receiver that wants it is refreshed next, in loop time
        self.lanes = UnderWay()  #: deliveries, by receiver

    def wake(self) -> None:
        """Something was recorded: look whether somebody is to be told. Safe to repeat."""
        self._has_news = True
        self._dispatch.set()
        self._aside.set()

    def wake_all(self) -> None:
        """The configuration changed: look at everything again. Safe to repeat."""
        self._dispatch.set()
        self._aside.set()
        self._deliver.set()
        self._refresh.set()

    async def backstop(self) -> None:
        """Wake both loops, lest something was missed. (A plain function would run in a thread.)"""
        self.wake_all()

    async def dispatch_forever(self) -> None:
        await self._forever("dispatch", self._dispatch, self._dispatch_once)

    async def deliver_forever(self) -> None:
        await self._forever("deliver", self._deliver, self._deliver_once)

    async def look_aside_forever(self) -> None:
        """Review, and look after what is no news yet: nobody who is told waits for it."""
        name_work("review")
        while True:
            try:
                await self._look_aside_once()
            except DatabaseUnavailableError as exc:
                log.error("review.failed", error=str(exc))
            except Exception:  # the cycle's boundary: the next round makes up for this one
                log.exception("review.failed")
            await self._aside.wait(BACKSTOP.total_seconds())
            await asyncio.sleep(ASIDE_S)

    async def _look_aside_once(self) -> None:
        machine = self._current.machine
        await cycles.note_skew(machine.skew(), host=machine.host, store=machine.store)
        changed = await cycles.review(
            judgement=machine.judgement,
            store=machine.store,
            clock=self._clock,
            wall_clock=machine.wall_clock,
            host=machine.host,
        )
        for alert in changed:
            log_alert(alert)
        if await self._bury(machine) or changed:
            self._has_news = True
            self._dispatch.set()

    async def refresh_forever(self) -> None:
        """Say again what fires, at the receivers that forget it otherwise."""
        name_work("refresh")
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
        name_work(name)
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
        has_news, self._has_news = self._has_news, False
        if machine.routing is None:
            await cycles.let_go(store=machine.store, clock=self._clock)
            return None
        if self._reviewer is None or self._reviewer.judgement is not machine.judgement:
            self._reviewer = cycles.Reviewer(machine.judgement, machine.host)
        done = await cycles.dispatch_and_claim(
            routing=machine.routing,
            store=machine.store,
            clock=self._clock,
            wall_clock=machine.wall_clock,
            recall=self._recall,
            claims=cycles.Claims(
                owner=machine.owner,
                receivers=frozenset(name for name in machine.notifiers if name not in self.lanes),
                paces=machine.paces,
            ),
            reviewer=self._reviewer,
            has_news=has_news,
        )
        await self._send(done.claimed)
        for alert in done.reviewed:
            log_alert(alert)
        bound = log.bind()  # once: a call by `log` itself sets up a logger anew
        for notification in done.plan.notifications:
            bound.info(
                "notification.planned",
                notification=notification.id,
                receiver=notification.receiver,
                reason=notification.reason.value,
                alerts=len(notification.alerts),
            )
        if not done.is_all_claimed:
            self._deliver.set()
        return done.plan.next_at

    async def _send(self, claimed: Sequence[Delivery]) -> None:
        """Start the lanes of what is leased, by the configuration of now: it may have been leased by another."""
        machine = self._current.machine
        lanes: dict[str, list[Delivery]] = {}
        for one in claimed:
            lanes.setdefault(one.notification.receiver, []).append(one)
        for receiver, lane in lanes.items():
            if receiver in machine.notifiers and receiver not in self.lanes:
                self.lanes.start(receiver, self._deliver_to(receiver, machine, lane), name=f"deliver to {receiver}")
            else:
                await machine.store.write(outbox.release, tuple(lane))
                self._deliver.set()

    async def _bury(self, machine: Machine) -> bool:
        """Give up what waits for receivers that are gone from the configuration; whether anything did."""
        buried = await cycles.bury(
            machine.notifiers,
            routing=machine.routing,
            store=machine.store,
            clock=self._clock,
            wall_clock=machine.wall_clock,
        )
        for one in buried:
            receiver = one.delivery.notification.receiver
            self._metrics.notifications.labels(receiver=receiver, outcome=one.attempt.outcome).inc()
        return bool(buried)

    async def _deliver_once(self) -> datetime | None:
        """Start a lane for each receiver that has none and is due: a stuck one holds up no other."""
        machine = self._current.machine
        idle = [name for name in machine.notifiers if name not in self.lanes]
        due = await machine.store.read(claiming.due_times, receivers=idle, paces=machine.paces)
        machine, now = self._current.machine, machine.wall_clock()
        for name, at in due.items():
            is_due = not now < at <= now + LONGEST_WAIT
            if is_due and name not in self.lanes and name in machine.notifiers:
                self.lanes.start(name, self._deliver_to(name, machine), name=f"deliver to {name}")
        return min(due.values(), default=None)

    async def _deliver_to(self, receiver: str, machine: Machine, claimed: Sequence[Delivery] | None = None) -> None:
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
                claimed=claimed,
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
            self.wake()  # the others are to hear of it
        if done:
            self._aside.set()  # how its channel does may have changed
            self.lanes.make_way(receiver)  # first: whoever wakes now must find the lane free
            self._deliver.set()  # there may be more, and some waited for these
