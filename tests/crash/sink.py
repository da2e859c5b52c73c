"""Receivers of webhooks that outlive the daemon: they misbehave, and keep a ledger of all that came.

Spoken over plain sockets, so that an answer can be held back, and a connection cut, at any byte.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from standardwebhooks import Webhook

from tests.flows.sink import SIGNING_SECRET
from watcher.simulator.server import LOOPBACK

#: What becomes of a request, and how often of a hundred. Taken are `take`, `drop` and `slow`.
MOODS = {"take": 76, "drop": 5, "slow": 8, "refuse": 5, "busy": 3, "hang up": 3}
_TAKING = frozenset({"take", "drop", "slow"})
_SLOW_S = (0.1, 1.2)
_ANSWERS = {
    "take": b"HTTP/1.1 204 No Content\r\n\r\n",
    "slow": b"HTTP/1.1 204 No Content\r\n\r\n",
    "refuse": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
}


@dataclass(frozen=True)
class Receipt:
    """One message that came in whole."""

    id: str
    body: bytes
    is_taken: bool

    @cached_property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def receiver(self) -> str:
        return self.json["receiver"]


@dataclass
class Sink:
    """The ledger, in the order in which messages came."""

    rng: random.Random
    url: str = ""
    receipts: list[Receipt] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  #: messages that nobody could have taken seriously
    is_calm: bool = False  #: takes everything at once
    mood: str | None = None  #: the same for everybody from now on
    #: Called when a message has come in, before it is answered.
    on_message: Callable[[], None] = lambda: None
    #: Of all that was taken: rule, status, and what it is about.
    told: set[tuple[str, str, str]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and do with it as it comes; returns whether the connection stands."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        mood = self._mood()
        if mood == "hang up":
            writer.transport.abort()
            return False
        body = await reader.readexactly(int(headers["content-length"]))
        self._note(headers, body, is_taken=mood in _TAKING)
        self.on_message()
        if mood == "drop":
            writer.transport.abort()
            return False
        if mood == "slow":
            await asyncio.sleep(self.rng.uniform(*_SLOW_S))
        writer.write(_ANSWERS[mood])
        await writer.drain()
        return True

    def _mood(self) -> str:
        if self.is_calm or self.mood:
            return self.mood or "take"
        return self.rng.choices(list(MOODS), list(MOODS.values()))[0]

    def _note(self, headers: dict[str, str], body: bytes, *, is_taken: bool) -> None:
        try:
            Webhook(SIGNING_SECRET).verify(body, headers)
            receipt = Receipt(id=headers["webhook-id"], body=body, is_taken=is_taken)
            if receipt.json["id"] != receipt.id:
                self.faults.append(f"{receipt.id}: its body says {receipt.json['id']}")
        except Exception as exc:
            self.faults.append(f"a message that cannot be read: {exc!r}")
            return
        self.receipts.append(receipt)
        if is_taken:
            for alert in receipt.json["alerts"]:
                labels = alert["labels"]
                self.told.add((alert["rule"], alert["status"], labels.get("job") or labels.get("deployment", "")))


@contextlib.asynccontextmanager
async def serve_sink(rng: random.Random) -> AsyncIterator[Sink]:
    sink = Sink(rng)
    server = await asyncio.start_server(sink.serve, LOOPBACK, 0)
    sink.url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    try:
        yield sink
    finally:
        server.close()
