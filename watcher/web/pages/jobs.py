"""`/jobs`: all fine-tuning jobs; and the page of one: how it went, what it said, what it cost, what became of it."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.answers import sheets
from watcher.resources.account import Account
from watcher.resources.fine_tuning import ENDED, JobStatus
from watcher.rules.labels import owner_of
from watcher.rules.sight import REASONS
from watcher.store import listings
from watcher.store.gathered import Gathered
from watcher.store.listings import RecordedJob
from watcher.web.access import Person
from watcher.web.kept import Kept
from watcher.web.pages import Room, get
from watcher.web.pages.job_words import job_shown, status_kind
from watcher.web.pages.listed import Asked, Kind, found

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job's row: little of it, as there may be tens of thousands."""

    account: str
    id: str
    suffix: str
    model: str
    made: str
    status: str
    raw_status: str
    owner: str
    method: str
    since: datetime
    is_dated: bool  #: false: its status was only first seen then, and may have begun before
    created_at: datetime | None
    estimated_finish_at: datetime | None
    is_listed: bool

    @property
    def kind(self) -> str:
        return status_kind(self.status)

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDED


#: Jobs leave the store without a word.
_ANEW = timedelta(hours=1)
_ENDED = frozenset(status.value for status in ENDED)


def line_of(account: Account, one: RecordedJob, owner_tag: str) -> JobLine:
    """The row of a job. Words that many share are one in memory."""
    job = one.job
    return JobLine(
        account=account.label,
        id=job.id,
        suffix=sys.intern(job.suffix),
        model=sys.intern(job.model),
        made=job.fine_tuned_model,
        status=job.status.value,
        raw_status=sys.intern(job.raw_status),
        owner=sys.intern(owner_of(account, job=job, owner_tag=owner_tag).name),
        method=sys.intern(job.method),
        since=one.status_since,
        is_dated=one.is_status_dated,
        created_at=job.created_at,
        estimated_finish_at=job.estimated_finish_at,
        is_listed=one.is_listed,
    )


KIND: Kind[JobLine] = Kind(
    path="/jobs",
    state=attrgetter("status"),
    shows={
        "under_way": ("Under way", lambda status: status not in _ENDED),
        "failed": ("Failed", lambda status: status == JobStatus.FAILED.value),
        "succeeded": ("Succeeded", lambda status: status == JobStatus.SUCCEEDED.value),
        "cancelled": ("Cancelled", lambda status: status == JobStatus.CANCELLED.value),
        "all": ("All", lambda _: True),
    },
    facets={name: attrgetter(name) for name in ("status", "account", "owner", "model")},
    sorts={
        "created": (lambda row: (row.created_at or _NEVER, row.id), True),
        "since": (lambda row: (row.since, row.id), True),
        "job": (lambda row: ((row.suffix or row.id).lower(), row.id), False),
        "status": (lambda row: (row.status, row.id), False),
        "account": (lambda row: (row.account.lower(), row.id), False),
        "model": (lambda row: (row.model.lower(), row.id), False),
        "owner": (lambda row: (row.owner.lower(), row.id), False),
    },
    searched=lambda row: f"{row.id}\n{row.suffix}\n{row.made}\n{row.account}".lower(),
)


def routes(room: Room) -> list[Route]:
    """`/jobs`, and one job."""
    site = room.site

    def load(tx: Connection, keys: Sequence[str]) -> Mapping[str, list[JobLine]]:
        tag = site.frame().owner_tag
        watched = listings.places(tx, keys=keys)
        lines: dict[str, list[JobLine]] = {}
        for one in listings.jobs(tx, account_keys=keys):
            if (seen := watched.get(one.job.account)) is not None:
                lines.setdefault(one.job.account, []).append(line_of(seen.account, one, tag))
        return lines

    gathered = Gathered(load, every=_ANEW)

    def make(tx: Connection) -> list[JobLine]:
        found = gathered.read(tx, listings.revisions(tx), now=site.clock(), base=site.settings())
        return [line for lines in found for line in lines]

    kept = Kept(site.store, make, under=site.settings)

    async def listing(request: Request, person: Person) -> Response:
        asked = Asked.of(KIND, request.query_params)
        rows = await kept.get(is_live="x-live" in request.headers)

        said = room.pages.board.find(request)

        def page() -> Response:
            return room.pages.page("jobs.html", person, at="/jobs", title="Jobs", said=said, f=found(rows, asked))

        return await asyncio.to_thread(page)

    async def one(request: Request, person: Person) -> Response:
        account, id_ = request.path_params["account"], request.path_params["job"]
        settings = site.settings()
        sheet = await site.store.read(
            sheets.job, site.frame(), account, id_, routing=settings.routing, book_of=settings.book
        )

        said = room.pages.board.find(request)

        def page() -> Response:
            shown = job_shown(sheet, now=site.clock(), zone=settings.zone)
            return room.pages.page(
                "job.html", person, at="/jobs", title=shown.title, said=said, sheet=sheet, shown=shown, reasons=REASONS
            )

        return await asyncio.to_thread(page)

    return [get(room, "/jobs", listing), get(room, "/jobs/{account}/{job}", one)]
