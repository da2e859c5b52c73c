"""What this process recorded last of each account, and questions to the store that are asked together.

Most polls find nothing new. With what was recorded last at hand, and the stored revision unchanged, such a poll loads
nothing and decides by pure functions; all that is written is its due times, and those of many polls in one statement.
Nothing here is needed for correctness: an empty memory costs time, and a stale one is refused by the revision.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from watcher.alerts.alert import Alert
from watcher.resources.account import Account
from watcher.resources.snapshot import Known, Reading, Section
from watcher.rules.rule import View
from watcher.store import scope
from watcher.store.engine import Store

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An account as it was recorded last. It holds for as long as the revision does, but for the times in it.

    When its sections were read last is not to be taken from it: each poll changes that, and stores it.
    """

    revision: int  #: of the stored account at that time; another one now makes this worthless
    known: Known  #: but for what the view has too
    view: View  #: as the rules saw it, without what was new then
    firing: tuple[Alert, ...]
    is_settled: bool  #: no gap is open and no rule waits for more: an unchanged snapshot changes nothing

    def known_at(self, read_at: Mapping[Section, datetime]) -> Known:
        """What `collect` may take for granted, the sections having been read last at these times."""
        reading = self.view.reading
        return replace(
            self.known,
            deployments=reading.deployments or (),
            usage=reading.usage or {},
            deployments_at=read_at.get(Section.DEPLOYMENTS),
        )

    def reading_at(self, read_at: Mapping[Section, datetime], account: Account) -> Reading:
        """The reading, its sections having been read last at these times, and the account as discovery sees it."""
        return replace(
            self.view.reading,
            account=account,
            jobs_at=read_at.get(Section.JOBS),
            deployments_at=read_at.get(Section.DEPLOYMENTS),
            usage_at=read_at.get(Section.METRICS),
            files_at=read_at.get(Section.FILES),
            models_at=read_at.get(Section.MODELS),
        )


class Memory:
    """One for each process and store."""

    def __init__(self, store: Store) -> None:
        self._packed: dict[str, _Packed] = {}  #: by account's key
        self._sample = b""  #: an account to which the others are much alike
        self.due: Together[str, scope.DueAccount] = Together(lambda keys: store.read(scope.due, keys))
        self.touch: Together[scope.Touch, bool] = Together(lambda touches: store.write(scope.touch, touches))

    def keep(self, remembered: Remembered) -> None:
        """Remember an account as it was recorded now."""
        # The view has the very same deployments and calls.
        lean = replace(remembered, known=replace(remembered.known, deployments=(), usage={}))
        body = _ENCODER.encode(lean)
        if not self._sample and remembered.view.deployments:
            self._sample = body
        packing = zlib.compressobj(level=9, zdict=self._sample)
        self._packed[remembered.view.account.key] = _Packed(
            remembered.revision, self._sample, packing.compress(body) + packing.flush()
        )

    def recall(self, due: scope.DueAccount) -> Remembered | None:
        """What was recorded last of an account; `None` where nothing was, or somebody else has changed it since."""
        packed = self._packed.get(due.account.key)
        return packed.opened() if packed is not None and packed.revision == due.revision else None


@dataclass(frozen=True, slots=True)
class _Packed:
    """What is remembered of an account, in a tenth of its size: that of thousands would fill the memory."""

    revision: int
    sample: bytes  #: what it was packed by
    body: bytes

    def opened(self) -> Remembered:
        return _DECODER.decode(zlib.decompressobj(zdict=self.sample).decompress(self.body))


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Remembered)


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
