"""What many visitors see, made once for all of them, and again when the store has changed.

Whoever comes is given what is kept at once, if it is nearly right: what polls have changed meanwhile may be some
seconds late, so that a fleet that changes all the time is not gone through for each visitor. What an operator did shows
at once, as does another configuration, and a page that was told of a change gets that change.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection

from watcher.store import marks
from watcher.store.engine import Store

T = TypeVar("T")

#: Ages and countdowns move on though nothing has happened.
LONGEST_S = 30.0
#: It is made again so many times its own cost later at the earliest: visitors never take more than that part of a core.
PACE = 20

#: A page that was told of a change waits no longer for its turn.
LIVE_S = 5.0


class Kept(Generic[T]):
    """One value for all visitors."""

    def __init__(
        self,
        store: Store,
        make: Callable[[Connection], T],
        *,
        pace: int = PACE,
        under: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Args:
            make: Reads it; in a thread that may take its time.
            under: What it rests on beside the store: the settings in force. What was made under others is not shown.
        """
        self._store = store
        self._make = make
        self._pace = pace
        self._under = under
        self._made_under: object = None
        self._value: tuple[T] | None = None
        self._mark = ""
        self._acts = 0
        self._made_at = self._cost = 0.0
        self._making: asyncio.Task[None] | None = None

    async def get(self, *, is_live: bool = False) -> T:
        """The value.

        Args:
            is_live: It is a page that was told of a change: nothing older than that will do.
        """
        loop = asyncio.get_running_loop()
        mark, acts = await self._store.read(_look)
        age, rest = loop.time() - self._made_at, self._pace * self._cost
        if self._value is None or acts != self._acts or self._made_under is not self._under() or age > LONGEST_S + rest:
            await self._fresh(mark)
        elif mark != self._mark or age >= LONGEST_S:
            if is_live:
                await asyncio.sleep(min(max(rest - age, 0.0), LIVE_S))
                await self._fresh(mark)
            elif age > rest:
                self._begin()
        assert self._value is not None
        return self._value[0]

    async def _fresh(self, mark: str) -> None:
        """Wait for a value that is as new as the store was when `mark` was read."""
        if self._making is not None and not self._making.done():
            await asyncio.shield(self._making)
            if self._mark == mark and self._made_under is self._under():
                return  # else it had read the store before that
        await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[None]":
        """The making that goes on, or a new one."""
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._remake(), name="kept")
            self._making.add_done_callback(_looked_at)
        return self._making

    async def _remake(self) -> None:
        under = self._under()
        (self._mark, self._acts), value, self._cost = await self._store.read(self._read)
        self._made_under = under
        self._value, self._made_at = (value,), asyncio.get_running_loop().time()

    def _read(self, tx: Connection) -> tuple[tuple[str, int], T, float]:
        began = time.thread_time()
        return _look(tx), self._make(tx), time.thread_time() - began


def _look(tx: Connection) -> tuple[str, int]:
    return marks.mark(tx), marks.acts(tx)


def _looked_at(task: "asyncio.Task[None]") -> None:
    """A making that nobody waits for may fail: whoever comes next tries again, and is told why."""
    if not task.cancelled():
        task.exception()
