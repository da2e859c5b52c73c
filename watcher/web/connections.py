"""One connection, and how long we wait for whoever is at its other end.

uvicorn waits for ever for the rest of a head, and for a client that does not read. Here each wait has an end, and where
connections are too many, whoever has kept us waiting longest goes first: so clients that stall, however many, take the
place of one another and of nobody else.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

#: The parser measures a head between pieces alone: one that came whole could be as large as what the socket gives.
_PIECE = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Lobby:
    """Where the connections of one server wait, and for how long they may."""

    #: For the head of a request, counted from the connection or the answer before.
    head_timeout_s: float = 10.0
    #: For a client to read what was sent.
    read_timeout_s: float = 30.0
    #: Open at once; well under what a process may usually open.
    most: int = 512
    #: What is still taken of a body after its answer: an end in the middle of it could cost the client the answer.
    most_unread: int = 1024 * 1024
    #: Where it is the client's turn, the longest first; a set in the order of arrival.
    waiting: dict["Connection", None] = field(default_factory=dict)


class Connection(H11Protocol):
    """uvicorn's, with an end to each wait."""

    def __init__(self, *args: Any, lobby: Lobby, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lobby = lobby
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self._lobby.head_timeout_s)
        if len(self.connections) > self._lobby.most:
            next(iter(self._lobby.waiting)).abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._work()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        is_late = self.cycle is not None and self.cycle.response_complete and self.cycle.more_body
        for start in range(0, len(data), _PIECE):
            if not self.transport.is_closing():
                super().data_received(data[start : start + _PIECE])
        if is_late:
            self._unread += len(data)
            if self._unread > self._lobby.most_unread:
                self.abort()
        elif self._is_answering and not self.flow.write_paused:
            self._work()
            if self.cycle.more_body:  # whoever asked for it bounds the time that it takes
                self._lobby.waiting[self] = None

    def eof_received(self) -> bool:  # type: ignore[override]
        # Who sends no more may still read: a request that is whole gets its answer, and then the connection ends.
        if self._is_answering and not self.cycle.more_body and not self.cycle.response_started:
            self.cycle.keep_alive = False
            return True
        return False

    def on_response_complete(self) -> None:
        super().on_response_complete()  # it may have begun the next request, which had come along with this one
        if self._is_answering:
            return
        self._unread = 0
        is_taken = self.transport.get_write_buffer_size() == 0
        self._wait(self._lobby.head_timeout_s if is_taken else self._lobby.read_timeout_s)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait(self._lobby.read_timeout_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._is_answering:
            self._work()

    def abort(self) -> None:
        """End it at once."""
        self._work()
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, timeout_s: float) -> None:
        """It is the client's turn."""
        self._stop_timer()
        self._timer = self.loop.call_later(timeout_s, self._expire, self.transport.get_write_buffer_size())
        self._lobby.waiting.pop(self, None)
        self._lobby.waiting[self] = None

    def _expire(self, untaken: int) -> None:
        """The time is up; but whoever reads, however slowly, may go on."""
        if 0 < self.transport.get_write_buffer_size() < untaken:
            self._wait(self._lobby.read_timeout_s)
        else:
            self.abort()

    def _work(self) -> None:
        """It is ours."""
        self._stop_timer()
        self._lobby.waiting.pop(self, None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
