"""What faults look like on the wire.

Hanging, dripping, truncated and reset answers are ASGI responses that misbehave. Cutting a connection needs its
transport: `server` notes each one under its peer's address; without a server (ASGITransport) a reset raises
ConnectionResetError and a truncated answer is a short body under a long Content-Length.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from watcher.simulator.faults import Drip, Fault
from watcher.simulator.serving import ErrorShape, Refusal, error_response, reason

# Open connections by the client's address, as it stands in `scope["client"]`.
CONNECTIONS: dict[tuple[str, int], asyncio.Transport] = {}

_GARBAGE = b'{"value": [{"id": "/subscriptions/\x00\xff'
_WRONG_TYPES = {"value": {"id": 7}, "data": "none", "object": [], "has_more": "perhaps", "Items": 3, "status": 12}
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


async def spoilt(
    faults: Sequence[Fault],
    answer: Callable[[], Awaitable[Response]],
    *,
    plane: str,
    shape: ErrorShape,
    now: datetime,
) -> Response:
    """The answer under these faults. Where several touch the same thing the first one wins; delays add up."""
    delay = sum(fault.delay for fault in faults)
    if delay:
        await asyncio.sleep(delay)
    if any(fault.hang for fault in faults):
        return _Hanging()
    if any(fault.reset for fault in faults):
        return _Reset()
    refusing = next((fault for fault in faults if fault.status is not None), None)
    if refusing is not None:
        response = _refused(refusing, plane, shape)
    else:
        response = await answer()
    _spoil_body(response, faults)
    _set_headers(response, faults, now)
    drip = next((fault.drip for fault in faults if fault.drip is not None), None)
    if drip is not None:
        return _Dripping(response, drip)
    return _Truncated(response) if any(fault.truncate for fault in faults) else response


def _refused(fault: Fault, plane: str, shape: ErrorShape) -> Response:
    assert fault.status is not None
    code, message = reason(plane, fault.status)
    refusal = Refusal(fault.status, fault.code or code, fault.message or message)
    return error_response(refusal, shape)


def _spoil_body(response: Response, faults: Iterable[Fault]) -> None:
    kind = next((fault.body for fault in faults if fault.body not in (None, "error")), None)
    if kind is None:
        return
    body = bytes(response.body)
    bodies = {
        "html": _HTML,
        "empty": b"",
        "garbage": _GARBAGE,
        "wrong_types": json.dumps(_WRONG_TYPES).encode(),
        "cut": body[: len(body) * 2 // 3],
    }
    response.body = bodies[kind]
    response.headers["content-length"] = str(len(response.body))
    if kind == "html":
        response.headers["content-type"] = "text/html"


def _set_headers(response: Response, faults: Iterable[Fault], now: datetime) -> None:
    skew = timedelta(0)
    for fault in faults:
        skew += fault.date_skew or timedelta(0)
        if fault.retry_after is not None:
            response.headers["retry-after"] = f"{fault.retry_after:g}"
        if fault.retry_after_date is not None:
            response.headers["retry-after"] = _http_date(now + timedelta(seconds=fault.retry_after_date))
        if fault.retry_after_ms is not None:
            response.headers["retry-after-ms"] = str(fault.retry_after_ms)
    response.headers["date"] = _http_date(now + skew)


def _http_date(when: datetime) -> str:
    return format_datetime(when, usegmt=True)


class _Hanging(Response):
    """Says nothing until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _disconnected(receive)


class _Reset(Response):
    """Resets the connection (RST, not an orderly end)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = _connection(scope)
        if connection is None:
            raise ConnectionResetError("the simulated connection was reset")
        linger_for_no_time = struct.pack("ii", 1, 0)
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        connection.abort()
        await _disconnected(receive)


class _Dripping(Response):
    """Sends the body a few bytes at a time."""

    def __init__(self, whole: Response, drip: Drip) -> None:
        self._whole = whole
        self._drip = drip
        self.status_code = whole.status_code
        self.raw_headers = whole.raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._whole.body)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for begin in range(0, len(body), self._drip.bytes):
                chunk = body[begin : begin + self._drip.bytes]
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await asyncio.wait([gone], timeout=self._drip.every)
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()


class _Truncated(Response):
    """Promises the whole body, sends half, and closes."""

    def __init__(self, whole: Response) -> None:
        self._whole = whole
        self.status_code = whole.status_code
        self.raw_headers = whole.raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._whole.body)
        connection = _connection(scope)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = body[: len(body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": connection is not None})
        if connection is not None:
            connection.close()
            await _disconnected(receive)  # the server would report an answer that stops before its end


def _connection(scope: Scope) -> asyncio.Transport | None:
    client = scope.get("client")
    return None if client is None else CONNECTIONS.get((client[0], client[1]))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
