"""Asks Azure, patiently but not for ever: one question at a time, bounded in time, size, number and repetition.

All questions are reads, and but for two they are GETs: Azure Monitor takes the list of a batch's accounts as a body,
Cost Management what is to be summed up.
What an answer means is for `faults` (refusals) and `decode` (everything else).
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog

from watcher.azure.auth import Authorizer, Header
from watcher.azure.faults import (
    fault_of,
    fault_of_exception,
    may_retry,
    request_id_of,
    retry_after,
)
from watcher.azure.skew import ClockSkew
from watcher.clock import Clock, system_clock
from watcher.errors import AzureError, MalformedError, ThrottledError, UnauthorizedError, UnavailableError
from watcher.transport import Client, HTTPError, InvalidURL, TooLargeError

#: Called after each attempt: the plane's name, the status (0: no answer came), and how long it took in seconds.
Observer = Callable[[str, int, float], None]

log = structlog.get_logger("watcher.azure")
_stdlib_log = logging.getLogger("watcher.azure")

MAX_ATTEMPTS = 3
MAX_BODY_BYTES = 64 * 1024 * 1024
#: An address that does not even accept a connection is given up sooner than one that is slow to answer.
CONNECT_LIMIT_S = 10.0
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 8.0
_LONGEST_CLOSURE_S = 3600.0
_PREPARED_HEADERS = 2048


class Answer(NamedTuple):
    """A success: status 2xx."""

    body: bytes
    headers: Mapping[str, str]  #: names compare without case
    status: int

    @property
    def request_id(self) -> str:
        return request_id_of(self.headers)


@dataclass(slots=True)
class Allowance:
    """How long a section of one account may still wait for Azure, and how many requests it has sent.

    Time in our own queue does not count: with many accounts due at once it is no fault of Azure's.
    """

    seconds: float
    requests: int = 0


class RetryBudget:
    """Lets retries be a small part of all requests, so that an outage does not treble the load that met it.

    Each retry takes one from the budget, each success gives back a tenth, up to `size`.
    """

    def __init__(self, size: int = 50, refill: float = 0.1) -> None:
        self._size = float(size)
        self._left = float(size)
        self._refill = refill

    def take(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        self._left = min(self._size, self._left + self._refill)


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt without success: the error it stands for, and whether and when the same request may go out again."""

    error: AzureError
    may_retry: bool = False
    wait_s: float | None = None  #: the service's own wait


class AzureClient:
    """The one way to Azure.

    Args:
        http: The shared client; whoever opened it closes it.
        timeout_s: One request, in total, from its being sent to the last byte of the answer.
        concurrency: Requests under way at once.
        observer: Told of each attempt.
        budget: Of retries; `None`: the usual one.
        clock: What the service's dates are read by and compared with: the wall clock, unless the service is simulated.
        sleep, rand, monotonic: For tests.
    """

    def __init__(
        self,
        http: Client,
        *,
        timeout_s: float = 30.0,
        concurrency: int = 64,
        observer: Observer | None = None,
        budget: RetryBudget | None = None,
        user_agent: str = "watcher",
        max_body_bytes: int = MAX_BODY_BYTES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(concurrency)
        self._observer = observer
        self._budget = budget or RetryBudget()
        self._max_body_bytes = max_body_bytes
        self._sleep = sleep
        self._rand = rand
        self._clock = clock
        self._monotonic = monotonic
        self._headers = (("accept", "application/json"), ("accept-encoding", "gzip"), ("user-agent", user_agent))
        self._connect_s = min(CONNECT_LIMIT_S, timeout_s)
        self._closed_until: dict[str, float] = {}
        self._prepared: dict[Header, dict[str, str]] = {}
        self._skew = ClockSkew()

    @property
    def skew(self) -> timedelta | None:
        """Our clock less Azure's, by the newest answers: positive where ours is ahead; `None`: not known yet."""
        return self._skew.skew

    @property
    def skew_at(self) -> datetime | None:
        """When it was measured last."""
        return self._skew.at

    @property
    def timeout_s(self) -> float:
        return self._timeout_s

    async def get(
        self,
        url: str,
        *,
        api: str,
        auth: Authorizer,
        lane: str = "",
        allowance: Allowance | None = None,
        most: int | None = None,
        question: bytes | None = None,
    ) -> Answer:
        """GET `url`, again where that may help.

        Args:
            url: Whole, with its query; sent as it stands.
            api: Name of the API, for metrics and logs.
            auth: Gives the header that authorises the request.
            lane: Requests that Azure throttles together; one that was told to wait holds back the others.
            allowance: Is charged with the time spent; `None`: twice `timeout_s`.
            most: Bytes that the answer may have, if fewer than usual.
            question: JSON that goes along as a body, for the addresses that are read so.

        Raises:
            CredentialError, UnauthorizedError, ForbiddenError, NotFoundError: at once.
            ThrottledError: 429 (or 529) until the attempts were spent, or with a wait that does not fit.
            UnavailableError: no answer, or 5xx, until the attempts were spent.
            MalformedError: a redirect, an answer that is too large or cannot be unpacked.
            AzureError: any other refusal.
        """
        if lane in self._closed_until:
            self._check_open(lane, url)
        allowance = allowance or Allowance(2 * self._timeout_s)
        left = min(allowance.seconds, 2 * self._timeout_s)
        header, renewed, attempt = await auth.header(), False, 1
        while left > 0:
            exchange = partial(self._exchange, url, header, most or self._max_body_bytes, question)
            outcome, took = await self._attempt(url, api, exchange, min(left, self._timeout_s))
            left -= took
            allowance.seconds -= took
            allowance.requests += 1
            if isinstance(outcome, Answer):
                self._budget.give_back()
                return outcome
            if isinstance(outcome.error, UnauthorizedError) and not renewed and auth.refused(header):
                header, renewed = await auth.header(), True
                continue
            pause = self._pause(outcome, attempt)
            if pause is None or pause >= left or not self._budget.take():
                self._close(lane, outcome.error)
                raise outcome.error
            await self._sleep(pause)
            left -= pause
            allowance.seconds -= pause
            attempt += 1
        raise UnavailableError("the time allowed for this account is used up", url=url)

    async def _attempt(
        self, url: str, api: str, exchange: Callable[[], Awaitable[Answer | _Failure]], limit_s: float
    ) -> tuple[Answer | _Failure, float]:
        """One request, and how long it took in seconds, our own queue not counted."""
        async with self._slots:
            started = self._monotonic()
            outcome: Answer | _Failure
            try:
                async with asyncio.timeout(limit_s):
                    outcome = await exchange()
            except TimeoutError:
                # Not again: what hung for the whole of its time would hang again, and hold the place of others.
                outcome = _Failure(UnavailableError(f"no whole answer within {limit_s:g} s", url=url))
            except (HTTPError, InvalidURL, OSError) as exc:
                error = fault_of_exception(exc, url)
                outcome = _Failure(error, may_retry=isinstance(error, UnavailableError))
            except AzureError as exc:
                outcome = _Failure(exc)
            took = self._monotonic() - started
        status = outcome.status if isinstance(outcome, Answer) else outcome.error.status or 0
        if self._observer is not None:
            self._observer(api, status, took)
        if _stdlib_log.isEnabledFor(logging.DEBUG):
            _log_attempt(url, api, outcome, status, took)
        return outcome, took

    async def _exchange(self, url: str, header: Header, most: int, question: bytes | None) -> Answer | _Failure:
        headers = self._prepared.get(header) or self._prepare(header)
        if question is not None:
            headers = {**headers, "content-type": "application/json"}
        sent_at = self._clock()
        try:
            answer = await self._http.fetch(url, headers, connect_s=self._connect_s, most=most, question=question)
        except TooLargeError:
            raise MalformedError(f"the answer is larger than {most} bytes", url=url) from None
        told, status, body = answer.headers, answer.status, answer.body
        if 200 <= status < 300:
            self._skew.add(told, sent_at=sent_at, received_at=self._clock())
            return Answer(body, told, status)
        now = self._clock()
        error = fault_of(status, told, body, url=url, now=now)
        wait = retry_after(told, now)
        return _Failure(error, may_retry(status, told), None if wait is None else wait.total_seconds())

    def _prepare(self, header: Header) -> dict[str, str]:
        """All headers of a request, encoded once for each token or key."""
        if len(self._prepared) >= _PREPARED_HEADERS:
            self._prepared.clear()
        prepared = self._prepared[header] = dict((*self._headers, header))
        return prepared

    def _pause(self, failure: _Failure, attempt: int) -> float | None:
        """How long to wait before the next attempt; `None`: there is none."""
        if not failure.may_retry or attempt >= MAX_ATTEMPTS:
            return None
        if failure.wait_s:
            return failure.wait_s * (1 + 0.1 * self._rand())
        backoff: float = min(_FIRST_BACKOFF_S * 2.0 ** (attempt - 1), _MAX_BACKOFF_S)
        return backoff * (0.5 + 0.5 * self._rand())

    def _close(self, lane: str, error: AzureError) -> None:
        """Remember that Azure asked this lane to wait: the other accounts in it need not hear it one by one."""
        if lane and isinstance(error, ThrottledError) and error.retry_after:
            wait_s = min(error.retry_after.total_seconds(), _LONGEST_CLOSURE_S)
            self._closed_until[lane] = self._monotonic() + wait_s

    def _check_open(self, lane: str, url: str) -> None:
        left = self._closed_until[lane] - self._monotonic()
        if left <= 0:
            self._closed_until.pop(lane, None)
            return
        rest = f"of which {left:.0f} s are left" if round(left) > 0 else "which is about to end"
        raise ThrottledError(f"Azure asked for a pause, {rest}", retry_after=timedelta(seconds=left), url=url)


def _log_attempt(url: str, api: str, outcome: Answer | _Failure, status: int, took: float) -> None:
    parts = urlsplit(url)  # the query stays out: it may hold what is nobody's business
    log.debug(
        "azure.answered" if isinstance(outcome, Answer) else "azure.refused",
        api=api,
        host=parts.netloc.rpartition("@")[2],
        path=parts.path,
        status=status,
        duration_s=round(took, 3),
        request_id=(outcome.error.request_id or "") if isinstance(outcome, _Failure) else outcome.request_id,
        reason=outcome.error.message if isinstance(outcome, _Failure) else None,
    )
