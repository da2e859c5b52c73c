"""Discovery and polls: a heap of due times, the polls under way, and the cycle that they complete together.

The heap is rebuilt from the store after each discovery. Polls run side by side, one at most for each account; a cycle
is complete once every account has been tried, and is then told to the heartbeat.
"""

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from watcher import cycles, rounds
from watcher.assembly.machine import DISCOVERY_INTERVAL, Machine
from watcher.clock import Clock
from watcher.cycles import Collect, Recorded
from watcher.daemon.current import Current
from watcher.daemon.journal import log_news, log_recorded
from watcher.daemon.neighbours import Inquiry, Neighbours, Said
from watcher.daemon.progress import Progress
from watcher.daemon.tasks import UnderWay
from watcher.errors import DatabaseUnavailableError, StoreError
from watcher.logs import name_work
from watcher.resources.account import Account
from watcher.resources.snapshot import Gap, GapReason, Known, Section, Snapshot
from watcher.store import scope, state
from watcher.web.metrics import Metrics

log = structlog.get_logger()

TICK = timedelta(seconds=1)


class Poller:
    """Finds accounts and polls each when it is due, until it is closed."""

    def __init__(
        self,
        current: Current,
        *,
        clock: Clock,
        metrics: Metrics,
        progress: Progress,
        tell: Callable[[], None],
        discover_at: Callable[[datetime], None],
        first_complete: Callable[[], None],
    ) -> None:
        """Prepare to poll.

        Args:
            tell: Called when something was recorded that others may have to hear of.
            discover_at: Has `discover` called at this time rather than a whole interval later.
            first_complete: Called once all accounts were tried for the first time by this process.
        """
        self._current = current
        self._clock = clock
        self._metrics = metrics
        self._progress = progress
        self._tell = tell
        self._discover_at = discover_at
        self._first_complete: Callable[[], None] | None = first_complete
        self._heap: list[tuple[datetime, str]] = []
        self._accounts: dict[str, Account] = {}
        self._untried: set[str] | None = None  #: since the last complete cycle; `None`: not yet looked up
        self._news = News()
        self._discovering = asyncio.Lock()  # a reload discovers too, at any time
        self._discovered = False
        self._discovery_wait = timedelta()  #: before the next try of a discovery that was not complete
        self._is_closed = False
        self._neighbours = Neighbours(self._start_early)
        self.polls = UnderWay()
        self.ping: asyncio.Task[None] | None = None
        self.completed_at: datetime | None = None  #: when a cycle was last complete

    async def resume(self) -> None:
        """Learn from the store when a cycle was last complete."""
        self.completed_at = await self._current.machine.store.read(state.at, state.CYCLE_COMPLETED)

    def close(self) -> None:
        """Start no more polls; those under way go on."""
        self._is_closed = True

    def missing(self) -> tuple[str, ...]:
        """What is missing before the first complete cycle, for people; empty: nothing."""
        reasons = []
        if not self._discovered:
            reasons.append("accounts have not been discovered yet")
        if self.completed_at is None:
            untried = sorted(self._accounts[key].label for key in self._untried or () if key in self._accounts)
            reasons.append("no cycle was complete yet" + (f"; not tried: {', '.join(untried[:10])}" if untried else ""))
        return tuple(reasons)

    # Discovery

    async def discover(self) -> None:
        """Look for accounts, and rebuild the heap; safe to repeat."""
        async with self._discovering:
            is_complete = False
            try:
                is_complete = await self._discover()
            except Exception:  # the cycle's boundary: it is tried again, and known accounts are watched meanwhile
                log.exception("discovery.failed")
            self._discover_again(is_complete)
            self._progress.note_once()

    async def _discover(self) -> bool:
        machine = self._current.machine
        is_complete = False
        try:
            found, lost = await cycles.discover(
                machine.discover,
                judgement=machine.judgement,
                store=machine.store,
                clock=self._clock,
                read_log=machine.read_log,
            )
            for recorded in lost:
                log_news(recorded)
            self._tell()  # of accounts that are gone, and of what discovery could not see
            is_complete = found.is_complete
        finally:
            await self._refill()
        self._discovered = self._discovered or is_complete or bool(self._accounts)
        if is_complete and not self._accounts:
            await self._complete()  # there is nothing to try
        return is_complete

    def _discover_again(self, is_complete: bool) -> None:
        """Soon where something could not be asked, then later and later: a right may be missing for ever."""
        if is_complete:
            self._discovery_wait = timedelta()
            return
        active = self._current.machine.judgement.cadence.active
        self._discovery_wait = min(2 * self._discovery_wait or active, DISCOVERY_INTERVAL)
        self._discover_at(datetime.now(UTC) + self._discovery_wait)

    async def _refill(self) -> None:
        """Rebuild the heap from the stored due times; none lies further ahead than the intervals of now."""
        machine, now = self._current.machine, self._clock()
        latest = {section: now + wait for section, wait in machine.judgement.cadence.longest.items()}
        await machine.store.write(scope.bring_forward, latest)
        due = await machine.store.read(scope.due_accounts)
        self._accounts = {one.account.key: one.account for one in due}
        if self._untried is None:  # just started: what was tried before counts, and a crash in a loop completes nothing
            states = await machine.store.read(scope.account_states)
            self._untried = {one.account.key for one in states if not self._was_tried(one.polled_at)}
        self._untried &= self._accounts.keys()
        self._neighbours.forget_others(self._accounts.keys())
        now = self._clock()
        # Those whose poll is under way come back by themselves.
        self._heap = [(one.at or now, one.account.key) for one in due if one.account.key not in self.polls]
        heapq.heapify(self._heap)

    def _was_tried(self, polled_at: datetime | None) -> bool:
        return polled_at is not None and self.completed_at is not None and polled_at > self.completed_at

    # Polls

    async def tick(self) -> None:
        """Start the polls that are due, and show that we are alive."""
        self._progress.note("tick")
        self._start_due()

    def _start_due(self) -> None:
        """Start the polls that are due, those that have waited longest first, as far as there is room."""
        if self._is_closed:
            return
        now, room = self._clock(), rounds.polls_at_once(self._current.machine)
        while self._heap and self._heap[0][0] <= now and len(self.polls) < room:
            _, key = heapq.heappop(self._heap)
            account = self._accounts.get(key)
            if account is not None and key not in self.polls:
                self._start(account)

    def _start(self, account: Account, sections: frozenset[Section] | None = None, hold: Inquiry | None = None) -> None:
        # What it will say must be known of before anyone can ask for it, and so before the task's first step.
        said = self._neighbours.listen(account)
        self.polls.start(account.key, self._poll(account, said, sections, hold), name=f"poll {account.label}")

    def _start_early(self, account: Account, sections: frozenset[Section], inquiry: Inquiry) -> None:
        """Poll an account for another's sake, if none of its polls is under way."""
        if self._is_closed or account.key in self.polls or account.key not in self._accounts:
            return
        self._heap = [entry for entry in self._heap if entry[1] != account.key]  # it comes back when the poll is over
        heapq.heapify(self._heap)
        self._start(account, sections, inquiry)

    def _collecting(self, machine: Machine, hold: Inquiry | None) -> Collect:
        """Collect, and hold back what may have a common cause until others have been asked about it."""

        async def collect(account: Account, known: Known, *, sections: frozenset[Section], at: datetime) -> Snapshot:
            snapshot = await machine.collect(account, known, sections=sections, at=at)
            new = self._neighbours.hear(account, snapshot)
            if hold is not None:
                await hold.wait()
            elif new and not self._is_closed:
                await self._neighbours.ask(
                    account,
                    new,
                    self._accounts,
                    rules=machine.judgement.fleet_rules,
                    now=self._clock(),
                    interval=machine.judgement.cadence.quiet,
                    patience=2 * machine.config.poll.timeout,
                )
            return snapshot

        return collect

    async def _poll(
        self,
        account: Account,
        said: Said,
        sections: frozenset[Section] | None,
        hold: Inquiry | None,
    ) -> None:
        name_work("poll", account=account.label)
        began = time.monotonic()
        machine = self._current.machine
        began_at = self._clock()
        next_at = began_at + machine.judgement.cadence.active
        outcome = "failed"
        try:
            recorded = await cycles.poll(
                account,
                collect=self._collecting(machine, hold),
                judgement=machine.judgement,
                store=machine.store,
                memory=machine.memory,
                clock=self._clock,
                sections=sections,
            )
            if recorded is None or recorded.is_stale:  # another process was here meanwhile
                stored = await machine.store.read(scope.due_account, account.key)
                # What is due all the same waits: with a clock that stands or was put back it would be stale each time.
                if stored is not None and stored.at is not None and stored.at > began_at:
                    next_at = stored.at
                outcome = "elsewhere"
            else:
                next_at = recorded.next_at or next_at
                outcome = "gaps" if recorded.gaps else "complete"
                log_recorded(recorded, duration_s=round(time.monotonic() - began, 3))
                if self._news.has(recorded):
                    self._tell()
                if any(_hints_at_its_end(gap, began_at) for gap in recorded.gaps):
                    self._discover_at(datetime.now(UTC))  # only there is it asked whether the account itself is gone
        except DatabaseUnavailableError as exc:
            log.error("poll.failed", error=str(exc))
        except Exception:  # the cycle's boundary: a defect in one account's poll must not end the others
            log.exception("poll.failed")
        finally:
            self._metrics.polls.labels(outcome=outcome).inc()
            self._metrics.poll_duration.observe(time.monotonic() - began)
            self._neighbours.close(account, said)
        try:
            if sections is None:  # else it was asked about a part of it alone
                await self._tried(account)
        finally:
            self._poll_again(account.key, next_at)

    def _poll_again(self, key: str, at: datetime) -> None:
        """Put an account back on the heap, its poll being over: what comes due while one is under way is dropped."""
        self.polls.make_way(key)
        heapq.heappush(self._heap, (at, key))
        left = self._heap[0][0] - self._clock()
        if left < TICK:  # one waits for room, or the next tick may just miss it, and then come as late again
            asyncio.get_running_loop().call_later(max(0.0, left.total_seconds()) + 0.001, self._start_due)

    # The cycle

    async def _tried(self, account: Account) -> None:
        """Complete the cycle when every account has been tried since the last one, gaps included."""
        if self._untried is None:
            return
        self._untried.discard(account.key)
        if self._untried or not self._discovered:
            return
        self._untried = set(self._accounts)
        await self._complete()
        self._tell()  # what spans accounts is looked at again

    async def _complete(self) -> None:
        try:
            await rounds.note_complete(self._current.machine)
            self.completed_at = self._clock()
        except StoreError as exc:
            log.error("cycle.failed", error=str(exc))
            return
        if self._first_complete is not None:
            self._first_complete()
            self._first_complete = None
        if self.ping is None or self.ping.done():  # a ping that hangs holds up nothing
            self.ping = asyncio.create_task(self._ping(), name="ping")

    async def _ping(self) -> None:
        name_work("heartbeat")
        await rounds.ping(self._current.machine)


class News:
    """Whether a poll brought something that somebody may have to hear of.

    A gap that goes on is no news: all of them are looked at once a cycle.
    """

    def __init__(self) -> None:
        self._gaps: dict[str, frozenset[tuple[Section, str, GapReason]]] = {}  #: open after each account's last poll

    def has(self, recorded: Recorded) -> bool:
        key, gaps = recorded.account.key, frozenset((gap.section, gap.subject, gap.reason) for gap in recorded.gaps)
        before = self._gaps.pop(key, frozenset())
        if gaps:
            self._gaps[key] = gaps
        return recorded.has_news or gaps != before


def _hints_at_its_end(gap: Gap, since: datetime) -> bool:
    """Whether an account's list of deployments was not found, and was still found before `since`."""
    return gap.section is Section.DEPLOYMENTS and gap.status == 404 and not gap.subject and gap.at >= since
