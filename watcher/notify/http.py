"""One POST for the notifiers that speak HTTP, and what its failures mean for the delivery.

Error texts name the status and at most what the caller chose to read of the answer: addresses may be secrets (a Slack
webhook's is), and a server may echo them, so neither address nor answer is quoted here.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from watcher.errors import DeliveryError, DeliveryFailure
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.transport import URL, AsyncClient, Client, HTTPError, InvalidURL, Response, TimeoutException, is_hang_up

#: Of an answer no more is read: it can be endless, and nothing in it is needed.
ANSWER_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    text: str  #: its beginning; may echo secrets


async def post(
    client: AsyncClient,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    timeout: timedelta = SEND_TIMEOUT,
    most: int = ANSWER_LIMIT,
) -> Answer:
    """POST once; redirects are not followed. Of the answer `most` bytes are read.

    Raises:
        DeliveryError: no answer came.
    """
    return await _ask(client, "POST", url, body, headers, timeout, most)


async def reach(client: AsyncClient, url: str, *, timeout: timedelta = SEND_TIMEOUT) -> Receipt:
    """Ask the server behind `url` for its root by HEAD: name, connection and TLS are tried, the hook itself is not.

    Raises:
        DeliveryError: no answer came; any answer is good.
    """
    try:
        root = str(URL(url).copy_with(raw_path=b"/", userinfo=b"", fragment=None))
    except InvalidURL as exc:
        raise failure_of(exc) from None
    await _ask(client, "HEAD", root, b"", {}, timeout)
    return Receipt("reachable")


async def _ask(
    client: AsyncClient,
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout: timedelta,
    most: int = ANSWER_LIMIT,
) -> Answer:
    seconds = timeout.total_seconds()
    try:
        if isinstance(client, Client) and method == "POST":  # httpx's own way costs as much as all the rest of a send
            async with asyncio.timeout(seconds):
                fetched = await client.fetch(url, headers, connect_s=seconds, most=most, question=body, is_cut=True)
            return Answer(fetched.status, fetched.headers, fetched.body.decode(errors="replace"))
        async with (
            asyncio.timeout(seconds),  # httpx's own limits are for each read: a dripping answer outlasts them
            client.stream(method, url, content=body, headers=dict(headers), timeout=seconds) as response,
        ):
            return Answer(response.status_code, response.headers, await _beginning(response, most))
    except (HTTPError, InvalidURL, TimeoutError, OSError) as exc:
        raise failure_of(exc) from None  # the cause's text holds the address


async def _beginning(response: Response, most: int) -> str:
    read = b""
    try:
        async for chunk in response.aiter_raw():
            read += chunk
            if len(read) >= most:
                break
    except HTTPError:
        pass  # the status has been seen, and it decides
    return read[:most].decode(errors="replace")


def check(answer: Answer, *, now: datetime, said: str = "") -> Receipt:
    """A receipt for 2xx.

    Args:
        now: By the wall clock, against which a dated `Retry-After` is held.
        said: What the service says in its answer, if that is known to hold no secret.

    Raises:
        DeliveryError: any other status; permanent where no repetition can help. What whatever stands before the service
            says in its place may pass, and so may a refusal in which the service says nothing.
    """
    status = answer.status
    text = f"{status} {said}".rstrip()
    if 200 <= status < 300:
        return Receipt(text)
    permanent, kind, meaning = _meaning(status)
    raise DeliveryError(
        f"{meaning} ({text})",
        permanent=permanent,
        kind=kind,
        retry_after=None if permanent else retry_after(answer.headers.get("retry-after"), now=now),
        may_pass=status in _PASSING and not said,
    )


#: What answers so for minutes, while it is rolled out or keys are replaced.
_PASSING = frozenset({401, 403, 404, 410})


def _meaning(status: int) -> tuple[bool, DeliveryFailure, str]:
    match status:
        case 401 | 403:
            return True, "auth", "the receiver refused our credentials; check its URL or secret"
        case 404 | 410:
            return True, "bad_request", "the receiver's address no longer exists; check its URL"
        case 408:
            return False, "timeout", "the receiver waited too long for our request"
        case 429:
            return False, "rate_limited", "the receiver asks for fewer messages"
        case 425 | 421:
            return False, "server", "the receiver asks to try again"
        case _ if 300 <= status < 400:
            return True, "bad_request", "the receiver's address has moved; configure the new one"
        case _ if 400 <= status < 500:
            return True, "bad_request", "the receiver refused the message"
        case _:
            return False, "server", "the receiver failed"


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """`Retry-After` in either form, seconds or date; `None` where there is none, or none that makes sense."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:12]), 10**9))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(timedelta(), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)


def failure_of(exc: BaseException) -> DeliveryError:
    """What a connection's failure means; told apart by what lies at its root. Its own text is not quoted."""
    chain = list(_causes(exc))

    def rooted_in(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in chain)

    if rooted_in(InvalidURL):
        return DeliveryError("the receiver's URL cannot be used", permanent=True, kind="bad_request")
    if rooted_in(ssl.SSLCertVerificationError, ssl.CertificateError):
        return DeliveryError("the receiver's certificate is not trusted", permanent=False, kind="tls")
    if rooted_in(ssl.SSLError):
        return DeliveryError("TLS with the receiver failed", permanent=False, kind="tls")
    if rooted_in(socket.gaierror):
        return DeliveryError("the receiver's host name was not found", permanent=False, kind="dns")
    if rooted_in(ConnectionRefusedError):
        return DeliveryError("the receiver refused the connection", permanent=False, kind="refused")
    if any(map(is_hang_up, chain)):
        return DeliveryError(
            "the receiver closed the connection without an answer",
            permanent=False,
            kind="refused",
            maybe_delivered=True,
        )
    if rooted_in(TimeoutError, TimeoutException):
        return DeliveryError(
            "the receiver did not answer in time", permanent=False, kind="timeout", maybe_delivered=True
        )
    return DeliveryError("the connection to the receiver failed", permanent=False, kind="refused", maybe_delivered=True)


def _causes(exc: BaseException | None) -> list[BaseException]:
    """`exc` and all that lies behind it, grouped failures and aiohttp's `os_error` included."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [exc]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        waiting += [one.__cause__, one.__context__, getattr(one, "os_error", None)]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return seen
