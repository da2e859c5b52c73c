"""The data plane: fine-tuning jobs, their events and checkpoints, files and models, in both dialects of the API.

Source: azure-rest-api-specs: v1 (`azure-v1-v1-generated.yaml`) and dated 2024-10-21 (`azureopenai.yaml`). The how-to
pages show POST for events and checkpoints; the specifications say GET, and so do we.
"""

from collections.abc import Sequence
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
#: A result file is a few hundred kilobytes; one larger than this is not worth its memory.
RESULT_MOST_BYTES = 8 * 1024 * 1024

#: Base and query, by dialect.
_DIALECTS: dict[Dialect, tuple[str, str]] = {
    "v1": ("/openai/v1", ""),
    "dated": ("/openai", f"api-version={DATED_VERSION}"),
}


@dataclass(frozen=True, slots=True)
class DataPages:
    """The pages of a listing, and the dialect that answered."""

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
        self,
        account: Account,
        auth: Authorizer,
        *,
        dialect: str = "",
        known_digest: str = "",
        allowance: Allowance | None = None,
    ) -> DataPages:
        """The job list, read to its end, for `decode_jobs`.

        Args:
            dialect: The one that answered last; "": not known.
            known_digest: Of the list as it was read last; see `paging`.

        Raises:
            NotFoundError: neither dialect knows of jobs here.
            IncompleteError: the pages do not move on.
            NoEndpointError: the account has no address that a token may be sent to.
        """
        query, dialects = f"limit={PAGE_SIZE}", self._dialects(dialect)
        return await self._first(account, auth, _JOBS, query, dialects, allowance, known_digest=known_digest)

    async def file_pages(
        self, account: Account, auth: Authorizer, *, dialect: str = "", allowance: Allowance | None = None
    ) -> DataPages:
        """The files, for `decode_files`. Errors: see `job_pages`."""
        # No `limit`: the dated API knows of none, and the service keeps at most a hundred files.
        return await self._first(account, auth, "/files", "", self._dialects(dialect), allowance)

    async def model_pages(self, account: Account, auth: Authorizer, *, allowance: Allowance | None = None) -> DataPages:
        """The models, for `decode_models`, from the dated API where it answers: v1 names neither job nor base."""
        dialects: Sequence[Dialect] = ("dated", "v1") if self._api == "auto" else (self._api,)
        return await self._first(account, auth, "/models", "", dialects, allowance)

    async def result_file(
        self, account: Account, file_id: str, auth: Authorizer, *, dialect: Dialect, allowance: Allowance | None = None
    ) -> bytes:
        """The content of a job's result file. No other file's id may be given.

        Raises:
            MalformedError: it is larger than `RESULT_MOST_BYTES`, or no file came.
        """
        url = _url(account, dialect, f"/files/{quote(file_id, safe='')}/content")
        answer = await self._client.get(
            url, api="openai", auth=auth, lane=account.endpoint, allowance=allowance, most=RESULT_MOST_BYTES
        )
        return answer.body

    async def job(
        self, account: Account, job_id: str, auth: Authorizer, *, dialect: Dialect, allowance: Allowance | None = None
    ) -> FineTuningJob:
        """One job by its id."""
        url = _url(account, dialect, f"{_JOBS}/{quote(job_id, safe='')}")
        answer = await self._client.get(url, api="openai", auth=auth, lane=account.endpoint, allowance=allowance)
        return decode_job(answer.body, account=account.key)

    async def events(
        self,
        account: Account,
        job_id: str,
        auth: Authorizer,
        *,
        dialect: Dialect,
        allowance: Allowance | None = None,
        page_cap: int = EVENT_PAGE_CAP,
    ) -> tuple[tuple[JobEvent, ...], tuple[BadItem, ...]]:
        """A job's events, oldest first, and those that could not be read.

        The service answers newest first, so that the page cap of a long job costs its oldest metrics.
        """
        path = f"{_JOBS}/{quote(job_id, safe='')}/events"
        bodies = await self._pages(account, auth, dialect, path, allowance, page_cap)
        events, bad = decode_pages(bodies, decode_events, _event_key)
        return tuple(sorted(events, key=lambda event: (event.created_at, event.id))), bad

    async def checkpoints(
        self, account: Account, job_id: str, auth: Authorizer, *, dialect: Dialect, allowance: Allowance | None = None
    ) -> tuple[Checkpoint, ...]:
        """A job's checkpoints, by step."""
        path = f"{_JOBS}/{quote(job_id, safe='')}/checkpoints"
        bodies = await self._pages(account, auth, dialect, path, allowance, EVENT_PAGE_CAP)
        checkpoints, _ = decode_pages(bodies, decode_checkpoints, lambda checkpoint: checkpoint.id)
        return tuple(sorted(checkpoints, key=lambda checkpoint: (checkpoint.step, checkpoint.id)))

    def _dialects(self, known: str) -> tuple[Dialect, ...]:
        if self._api != "auto":
            return (self._api,)
        return ("dated", "v1") if known == "dated" else ("v1", "dated")

    async def _first(
        self,
        account: Account,
        auth: Authorizer,
        path: str,
        query: str,
        dialects: Sequence[Dialect],
        allowance: Allowance | None,
        *,
        known_digest: str = "",
    ) -> DataPages:
        """A listing in the first of `dialects` that knows of it. Raises `NotFoundError` where none does."""
        for candidate in dialects:
            url = _url(account, candidate, path, query)
            try:
                bodies, _ = await cursor_pages(
                    self._client,
                    url,
                    api="openai",
                    auth=auth,
                    lane=account.endpoint,
                    allowance=allowance,
                    known_digest=known_digest,
                )
            except NotFoundError:
                if candidate == dialects[-1]:
                    raise
            else:
                return DataPages(bodies, candidate)
        raise AssertionError("unreachable: there is a last dialect")

    async def _pages(
        self,
        account: Account,
        auth: Authorizer,
        dialect: Dialect,
        path: str,
        allowance: Allowance | None,
        page_cap: int,
    ) -> Bodies:
        read = partial(cursor_pages, api="openai", auth=auth, lane=account.endpoint, allowance=allowance)
        bodies, _ = await read(self._client, _url(account, dialect, path, f"limit={PAGE_SIZE}"), page_cap=page_cap)
        return bodies


def _event_key(event: JobEvent) -> str:
    return event.id or f"{event.created_at.isoformat()} {event.message}"


_JOBS = "/fine_tuning/jobs"


def _url(account: Account, dialect: Dialect, path: str, query: str = "") -> str:
    if not account.endpoint:
        raise NoEndpointError("the account names no data-plane address over https")
    base, version = _DIALECTS[dialect]
    whole = "&".join(part for part in (query, version) if part)
    return f"{account.endpoint}{base}{path}{'?' if whole else ''}{whole}"
