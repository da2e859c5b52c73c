"""`[azure] metrics_batch`: one question for the metrics of up to fifty accounts in place of fifty.

Accounts of one subscription and region that ask while a question is under way go together in the next one, with the
widest of their spans: what is read beyond one's own span is true all the same. Azure bills these calls, and wants
Monitoring Reader on the whole subscription; where it refuses, or its answer is too large or makes no sense, each
account is asked by itself for an hour.

Source: azure-rest-api-specs, Microsoft.Insights 2024-02-01, "Metrics Batch"; the page on migrating to it for the rights
and for status 529.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from watcher.azure import metrics
from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.lenient import parse_object
from watcher.errors import AzureError, CredentialError, MalformedError
from watcher.resources.account import Account

VERSION = "2024-02-01"
#: Accounts in one question, at most.
MOST = 50
#: For how long a refusal holds, in seconds.
REFUSED_S = 3600.0
#: What a question may wait for in all, in time limits of one request.
_LIMITS = 3
#: Statuses after which single questions may do better: no right, not registered, not known here, overloaded.
_REFUSALS = frozenset({400, 401, 403, 404, 529})
_REGION = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a batch said of one account, and the span that was asked for."""

    answer: Mapping[str, Any]
    span: metrics.Span


@dataclass(slots=True)
class _Asker:
    account: Account
    span: metrics.Span
    allowance: Allowance
    reply: "asyncio.Future[Reply | None]"


@dataclass(slots=True)
class _Lane:
    """One subscription's region: who waits, and until when nobody need ask."""

    waiting: list[_Asker] = field(default_factory=list)
    asking: "asyncio.Task[None] | None" = None
    closed_until: float | None = None


class MetricsBatch:
    """Asks for the metrics of many accounts at once.

    Args:
        auth: For the cloud's `metrics_batch_scope`.
        monotonic: For tests.
    """

    def __init__(
        self, client: AzureClient, cloud: Cloud, auth: Authorizer, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._cloud = cloud
        self._auth = auth
        self._monotonic = monotonic
        self._lanes: dict[tuple[str, str], _Lane] = {}

    async def ask(self, account: Account, span: metrics.Span, allowance: Allowance) -> Reply | None:
        """What a batch says of `account` over `span` or a wider one; `None`: it must be asked by itself.

        Args:
            allowance: Is charged with the request, by whoever is the first in its batch.

        Raises:
            AzureError: the question failed in a way that a single one would share.
        """
        region = account.location.lower().replace(" ", "")
        if not _REGION.fullmatch(region):
            return None
        key = (account.subscription.lower(), region)
        lane = self._lanes.setdefault(key, _Lane())
        if lane.closed_until is not None and self._monotonic() < lane.closed_until:
            return None
        asker = _Asker(account, span, allowance, asyncio.get_running_loop().create_future())
        lane.waiting.append(asker)
        if lane.asking is None:
            lane.asking = asyncio.create_task(self._run(key, lane))
        return await asker.reply

    async def _run(self, key: tuple[str, str], lane: _Lane) -> None:
        try:
            while lane.waiting:
                await asyncio.sleep(0)  # whoever else is ready to ask in this round of the loop comes along
                lane.waiting = [asker for asker in lane.waiting if not asker.reply.done()]
                batch, lane.waiting = lane.waiting[:MOST], lane.waiting[MOST:]
                if batch:
                    await self._settle(key, lane, batch)
        finally:
            lane.asking = None
            for asker in lane.waiting:  # we were cancelled: nobody will ask for them
                asker.reply.cancel()

    async def _settle(self, key: tuple[str, str], lane: _Lane, batch: list[_Asker]) -> None:
        """Ask for `batch` and tell each; a refusal closes the lane, and sends those who wait away too."""
        try:
            start, end = min(asker.span.start for asker in batch), max(asker.span.end for asker in batch)
            span = metrics.Span(start=start, end=end)
            replies = await self._question(key, span, batch)
        except AzureError as exc:
            if not (isinstance(exc, CredentialError | MalformedError) or exc.status in _REFUSALS):
                _tell_error(batch, exc)
                return
            lane.closed_until = self._monotonic() + REFUSED_S
            batch, lane.waiting, replies = [*batch, *lane.waiting], [], {}
        except Exception as exc:  # handed on to each who asked
            _tell_error(batch, exc)
            return
        except BaseException:
            for asker in batch:
                asker.reply.cancel()
            raise
        for asker in batch:
            if not asker.reply.done():
                answer = replies.get(asker.account.key)
                asker.reply.set_result(None if answer is None else Reply(answer, span))

    async def _question(
        self, key: tuple[str, str], span: metrics.Span, batch: list[_Asker]
    ) -> Mapping[str, Mapping[str, Any]]:
        """The entries of the answer by account's key; an account that it leaves out is left out here."""
        subscription, region = key
        base = self._cloud.metrics_batch_url.replace("{region}", region)
        path = f"/subscriptions/{quote(subscription, safe='')}/metrics:getBatch"
        allowance = Allowance(_LIMITS * self._client.timeout_s)
        try:
            got = await self._client.get(
                f"{base}{path}?api-version={VERSION}&{metrics.batch_query_of(span)}",
                api="metrics_batch",
                auth=self._auth,
                lane=f"metrics_batch:{subscription}:{region}",
                allowance=allowance,
                question=msgspec.json.encode({"resourceids": sorted({asker.account.key for asker in batch})}),
            )
        finally:
            batch[0].allowance.requests += allowance.requests
        values = parse_object(got.body).get("values")
        if not isinstance(values, list):
            raise MalformedError("the answer to a batch holds no list `values`")
        found: dict[str, Mapping[str, Any]] = {}
        for entry in values:
            resource = entry.get("resourceid") if isinstance(entry, dict) else None
            if isinstance(resource, str):
                found["/" + resource.strip("/").lower()] = entry
        return found


def _tell_error(batch: list[_Asker], error: Exception) -> None:
    for asker in batch:
        if not asker.reply.done():
            asker.reply.set_exception(error)
