"""The data plane: fine-tuning jobs, their events and checkpoints, in both dialects of the API.

Source: azure-rest-api-specs: v1 (`azure-v1-v1-generated.yaml`) and dated 2024-10-21 (`azureopenai.yaml`). The how-to
pages show POST for events and checkpoints; the specifications say GET, and so do we.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import quote

from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.decode import decode_checkpoints, decode_events, decode_job
from watcher.azure.lenient import BadItem
from watcher.azure.paging import Bodies, cursor_pages, decode_pages
from watcher.errors import NoEndpointError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobEvent

Dialect = Literal["v1", "dated"]
Api = Literal["auto", "v1", "dated"]  #: `[azure] api`

DATED_VERSION = "2024-10-21"
PAGE_SIZE = 100
#: A job's metrics events come every few steps; beyond these pages lies only more of the same.
EVENT_PAGE_CAP = 30

#: Path and end of the query, by dialect.
_DIALECTS: dict[Dialect, tuple[str, str]] = {
    "v1": ("/openai/v1/fine_tuning/jobs", ""),
    "dated": ("/openai/fine_tuning/jobs", f"&api-version={DATED_VERSION}"),
}


@dataclass(frozen=True, slots=True)
class JobPages:
    """The pages of a job list, for `decode_jobs`, and the dialect that answered."""

    bodies: Bodies
    dialect: Dialect


class OpenAI:
    """The data planes of all accounts. Errors: see `AzureClient.get`.

    Args:
        api: `v1` or `dated`; `auto` tries v1 and, where it is answered with 404, the dated one.
    """

    def __init__(self, client: AzureClient, *, api: Api = "auto") -> None:
        self._client = client
        self._api = api

    async def job_pages(
        self, account: Account, auth: Authorizer, *, dialect: str = "", allowance: Allowance | None = None
    ) -> JobPages:
        """The job list, read to its end. `dialect` is the one that answered last; "": not known.

        Raises:
            NotFoundError: neither dialect knows of jobs here.
            IncompleteError: the pages do not move on.
            NoEndpointError: the account has no address that a token may be sent to.
        """
        tried = self._dialects(dialect)
        for candidate in tried:
            url = _url(account, candidate)
            try:
                bodies, _ = await cursor_pages(
                    self._client, url, api="openai", auth=auth, lane=account.endpoint, allowance=allowance
                )
            except NotFoundError:
                if candidate == tried[-1]:
                    raise
            else:
                return JobPages(bodies, candidate)
        raise AssertionError("unreachable: there is a last dialect")

    async def job(
        self, account: Account, job_id: str, auth: Authorizer, *, dialect: Dialect, allowance: Allowance | None = None
    ) -> FineTuningJob:
        """One job by its id."""
        url = _url(account, dialect, f"/{quote(job_id, safe='')}")
        answer = await self._client.get(url, api="openai", auth=auth, lane=account.endpoint, allowance=allowance)
        return decode_job(answer.body, account=account.key)

    async def events(
        self, account: Account, job_id: str, auth: Authorizer, *, dialect: Dialect, allowance: Allowance | None = None
    ) -> tuple[tuple[JobEvent, ...], tuple[BadItem, ...]]:
        """A job's events, oldest first, and those that could not be read.

        The service answers newest first, so that the page cap of a long job costs its oldest metrics.
        """
        bodies = await self._pages(account, auth, dialect, f"/{quote(job_id, safe='')}/events", allowance)
        events, bad = decode_pages(bodies, decode_events, _event_key)
        return tuple(sorted(events, key=lambda event: (event.created_at, event.id))), bad

    async def checkpoints(
        self, account: Account, job_id: str, auth: Authorizer, *, dialect: Dialect, allowance: Allowance | None = None
    ) -> tuple[Checkpoint, ...]:
        """A job's checkpoints, by step."""
        bodies = await self._pages(account, auth, dialect, f"/{quote(job_id, safe='')}/checkpoints", allowance)
        checkpoints, _ = decode_pages(bodies, decode_checkpoints, lambda checkpoint: checkpoint.id)
        return tuple(sorted(checkpoints, key=lambda checkpoint: (checkpoint.step, checkpoint.id)))

    def _dialects(self, known: str) -> tuple[Dialect, ...]:
        if self._api != "auto":
            return (self._api,)
        return ("dated", "v1") if known == "dated" else ("v1", "dated")

    async def _pages(
        self, account: Account, auth: Authorizer, dialect: Dialect, path: str, allowance: Allowance | None
    ) -> Bodies:
        read = partial(cursor_pages, api="openai", auth=auth, lane=account.endpoint, allowance=allowance)
        bodies, _ = await read(self._client, _url(account, dialect, path), page_cap=EVENT_PAGE_CAP)
        return bodies


def _event_key(event: JobEvent) -> str:
    return event.id or f"{event.created_at.isoformat()} {event.message}"


def _url(account: Account, dialect: Dialect, path: str = "") -> str:
    if not account.endpoint:
        raise NoEndpointError("the account names no data-plane address over https")
    base, query = _DIALECTS[dialect]
    return f"{account.endpoint}{base}{path}?limit={PAGE_SIZE}{query}"
