"""What this process recorded last of each account, and questions to the store that are asked together.

Most polls find nothing new. With what was recorded last at hand, and the stored revision unchanged, such a poll loads
nothing and decides by pure functions; all that is written is its due times, and those of many polls in one statement.
Nothing here is needed for correctness: an empty memory costs time, and a stale one is refused by the revision.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from watcher.alerts.alert import Alert
from watcher.resources.snapshot import Known
from watcher.rules.rule import View
from watcher.store import scope
from watcher.store.engine import Store

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An account as it was recorded last."""

    revision: int  #: of the stored account at that time; another one now makes this worthless
    known: Known
    view: View  #: as the rules saw it, without what was new then
    firing: tuple[Alert, ...]
    is_settled: bool  #: no gap is open and no rule waits for more: an unchanged snapshot changes nothing


class Memory:
    """One for each process and store."""

    def __init__(self, store: Store) -> None:
        self.accounts: dict[str, Remembered] = {}
        self.due: Together[str, scope.DueAccount] = Together(lambda keys: store.read(scope.due, keys))
        self.touch: Together[scope.Touch, bool] = Together(lambda touches: store.write(scope.touch, touches))


class Together(Generic[K, V]):
    """Asks for many keys at once what many callers ask for one by one.

    While one question is under way the next keys gather; a key without an answer gives `None`.
    """

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[K, asyncio.Future[V | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, key: K) -> V | None:
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever else is ready to ask in this round of the loop comes along
                batch, self._waiting = self._waiting, []
                try:
                    answers = await self._ask([key for key, _ in batch])
                except Exception as exc:  # handed on to each who asked
                    for _, answer in batch:
                        if not answer.done():
                            answer.set_exception(exc)
                    continue
                for key, answer in batch:
                    if not answer.done():
                        answer.set_result(answers.get(key))
        finally:
            self._asking = None
            for _, answer in self._waiting:  # we were cancelled: nobody will ask for them
                answer.cancel()
