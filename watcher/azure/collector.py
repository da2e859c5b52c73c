"""Reads one account once: account → `Snapshot`.

Each section is read on its own and fails on its own; a failure is a `Gap`, never an exception. As little is asked as
can be: unchanged listings are told by their digest, events are read for jobs whose status has moved, metrics only
from where the last reading ended, and the activity log only where deployments are gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from watcher.azure import metrics
from watcher.azure.auth import ApiKey, Authorizer, Credentials
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.decode import decode_jobs
from watcher.azure.decode_files import decode_files, decode_models
from watcher.azure.departures import Departures
from watcher.azure.gaps import gap_of, gap_of_item, gaps_of_items
from watcher.azure.insides import Insides, Seen
from watcher.azure.lenient import BadItem, Page
from watcher.azure.makers import Makers
from watcher.azure.management import Management
from watcher.azure.metrics_batch import MetricsBatch
from watcher.azure.openai import Api, DataPages, Dialect, OpenAI
from watcher.azure.paging import OPEN_END, Bodies, decode_pages
from watcher.azure.standing import read_standing
from watcher.errors import AzureError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.calls import Calls
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, Usage, is_fine_tuned
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.model import CustomModel
from watcher.resources.snapshot import NOT_OFFERED, PLANE_OF, Gap, Known, Listing, Plane, Section, Snapshot
from watcher.resources.training import Training

#: How long one section of one account may wait for Azure in all, in time limits of one request.
_SECTION_LIMITS = 3
#: Follow-up requests (the events of jobs) of one account under way at once.
_FOLLOW_UPS = 4
_NO_JOBS: frozenset[str] = frozenset()
ALL_SECTIONS = frozenset({Section.JOBS, Section.DEPLOYMENTS, Section.METRICS, Section.FILES, Section.MODELS})


N = TypeVar("N", File, CustomModel)


@dataclass(slots=True, kw_only=True)  # not frozen: that makes it ten times as dear, and each poll has a handful
class _Part:
    """What one section gave; everything else stays as it is by default."""

    account: Account | None = None
    jobs: Listing[FineTuningJob] | None = None
    events: Mapping[str, tuple[JobEvent, ...]] = field(default_factory=dict)
    dialect: str = ""
    deployments: Listing[Deployment] | None = None
    absent: frozenset[str] = frozenset()
    departures: Mapping[str, Departure] = field(default_factory=dict)
    usage: Mapping[str, Usage] | None = None
    calls: Mapping[str, Calls] = field(default_factory=dict)
    files: Listing[File] | None = None
    models: Listing[CustomModel] | None = None
    training: Mapping[str, Training] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


class Collector:
    """Reads accounts of one cloud with one credential.

    Args:
        credentials: For ARM, metrics, and every data plane without a key of its own.
        keys: Api-keys by the account's key, for data planes that are asked by key in place of a token.
        api: `[azure] api`.
        batch: `[azure] metrics_batch`.
        read_results: `[azure] read_results`.
        training_every: How often the inside of a job under way is read.
        first_span: How far back the calls of a deployment are read at first.
    """

    def __init__(
        self,
        client: AzureClient,
        cloud: Cloud,
        credentials: Credentials,
        *,
        keys: Mapping[str, str] | None = None,
        api: Api = "auto",
        batch: bool = False,
        read_results: bool = True,
        training_every: timedelta = timedelta(minutes=15),
        first_span: timedelta = metrics.FIRST_SPAN,
    ) -> None:
        self._management = Management(client, cloud, credentials.for_scope(cloud.management_scope))
        self._openai = OpenAI(client, api=api)
        self._insides = Insides(self._openai, every=training_every, read_results=read_results)
        self._makers = Makers(self._openai, every=training_every)
        self._departures = Departures(self._management)
        self._batch: MetricsBatch | None = None
        if batch:
            self._batch = MetricsBatch(client, cloud, credentials.for_scope(cloud.metrics_batch_scope))
        self._data_auth = credentials.for_scope(cloud.data_scope)
        self._keys = {key.lower(): ApiKey.of(value) for key, value in (keys or {}).items()}
        self._limit_s = client.timeout_s * _SECTION_LIMITS
        self._first_span = first_span

    @property
    def management(self) -> Management:
        return self._management

    async def collect(
        self, account: Account, known: Known, *, at: datetime, sections: frozenset[Section] = ALL_SECTIONS
    ) -> Snapshot:
        """What `account` says at `at`. Azure's faults become gaps; safe to repeat.

        Args:
            known: What is stored of it already, so that no more is asked than needed.
            sections: What to ask for; the metrics of a collect without deployments go by `known.deployments`.
        """
        spent: list[Allowance] = []

        def allowance() -> Allowance:
            spent.append(Allowance(self._limit_s))
            return spent[-1]

        async def guarded(section: Section, read: Awaitable[_Part]) -> _Part:
            try:
                return await read
            except AzureError as exc:
                by_key = PLANE_OF[section] is Plane.DATA and account.key in self._keys
                return _Part(gaps=(gap_of(exc, section, at, by_key=by_key),))

        async def data_plane() -> list[_Part]:
            # One after the other: every connection to the account's own host is kept, and costs memory.
            parts = []
            if Section.JOBS in sections:
                jobs = self._jobs(account, known, at, allowance(), allowance(), allowance())
                parts.append(await guarded(Section.JOBS, jobs))
            if Section.FILES in sections:
                parts.append(await guarded(Section.FILES, self._files(account, known, at, allowance())))
            if Section.MODELS in sections:
                parts.append(await guarded(Section.MODELS, self._models(account, known, at, allowance())))
            return parts

        async def control_plane() -> list[_Part]:
            parts, listing = [], None
            if Section.ACCOUNT in sections:
                parts.append(await guarded(Section.ACCOUNT, self._account(account, allowance())))
            if Section.DEPLOYMENTS in sections:
                deployments = self._deployments(account, known, at, allowance(), allowance())
                listing = await guarded(Section.DEPLOYMENTS, deployments)
                parts.append(listing)
            if Section.METRICS in sections:
                parts.append(await guarded(Section.METRICS, self._usage(account, known, at, listing, allowance())))
            return parts

        async with asyncio.TaskGroup() as group:
            of_data = group.create_task(data_plane())
            of_control = await control_plane()
        return _joined(account, at, sections, [*of_data.result(), *of_control], spent)

    async def _account(self, account: Account, allowance: Allowance) -> _Part:
        """The account's own state. What the configuration or its group's tags say of it stays as discovery set it."""
        seen = await self._management.account(account.id, allowance)
        return _Part(
            account=replace(
                account,
                location=seen.location or account.location,
                kind=seen.kind or account.kind,
                tags=seen.tags,
                created_at=seen.created_at or account.created_at,
                local_auth_disabled=seen.local_auth_disabled,
                provisioning_state=seen.provisioning_state,
            )
        )

    async def _jobs(
        self,
        account: Account,
        known: Known,
        at: datetime,
        allowance: Allowance,
        for_events: Allowance,
        for_insides: Allowance,
    ) -> _Part:
        auth = self._auth_of(account)
        pages = await self._openai.job_pages(
            account, auth, dialect=known.dialect, known_digest=known.jobs_digest, allowance=allowance
        )
        digest = pages.bodies.digest
        decoded = _JobList(pages.bodies, account.key).decoded
        statuses, ended = known.statuses or {}, _NO_JOBS
        if digest == known.jobs_digest and known.statuses is not None:
            listing: Listing[FineTuningJob] = Listing(digest=digest, items=None)
            gaps: tuple[Gap, ...] = ()
            wanted = known.unexplained
        else:
            jobs, bad = decoded()
            listing = Listing(digest=digest + OPEN_END if bad else digest, items=jobs)
            gaps = gaps_of_items(bad, Section.JOBS, at)
            moved = _moved(jobs, known.statuses)
            wanted = moved | (known.unexplained & {job.id for job in jobs})
            statuses = {job.id: job.status for job in jobs}
            ended = frozenset(job for job in moved if statuses[job].has_ended)
        events, unread = await self._events(account, wanted, auth, pages.dialect, at, for_events)
        seen = Seen(
            statuses=statuses,
            ended=ended,
            events=events,
            jobs=lambda: {job.id: job for job in decoded()[0]},
            is_whole=lambda: not decoded()[1],
            dialect=pages.dialect,
        )
        by_key = account.key in self._keys
        training, closed = await self._insides.read(
            account, auth, known, seen, at=at, allowance=for_insides, by_key=by_key
        )
        named, nameless = await self._makers.read(
            account, auth, known, seen, at=at, allowance=for_insides, by_key=by_key
        )
        return _Part(
            jobs=listing,
            events=events,
            dialect=pages.dialect,
            training={**named, **training},
            gaps=(*gaps, *unread, *closed, *nameless),
        )

    async def _events(
        self,
        account: Account,
        jobs: Collection[str],
        auth: Authorizer,
        dialect: Dialect,
        at: datetime,
        allowance: Allowance,
    ) -> tuple[Mapping[str, tuple[JobEvent, ...]], tuple[Gap, ...]]:
        """The events of each of `jobs`; a job whose events could not be read whole is named in a gap."""
        if not jobs:  # as nearly always
            return {}, ()
        slots = asyncio.Semaphore(_FOLLOW_UPS)
        events: dict[str, tuple[JobEvent, ...]] = {}
        gaps: list[Gap] = []

        async def read(job: str) -> None:
            async with slots:
                try:
                    events[job], bad = await self._openai.events(
                        account, job, auth, dialect=dialect, allowance=allowance
                    )
                except AzureError as exc:
                    gaps.append(gap_of(exc, Section.JOBS, at, subject=job, by_key=account.key in self._keys))
                    return
            gaps.extend(gap_of_item(item.problem, Section.JOBS, at, subject=job) for item in bad[:1])

        await asyncio.gather(*(read(job) for job in sorted(jobs)))
        return events, tuple(gaps)

    def _auth_of(self, account: Account) -> Authorizer:
        return self._keys.get(account.key, self._data_auth)

    async def _files(self, account: Account, known: Known, at: datetime, allowance: Allowance) -> _Part:
        pages = self._openai.file_pages(account, self._auth_of(account), dialect=known.dialect, allowance=allowance)
        bodies = await _offered(pages, known.files_digest)
        listing, gaps = _listing(
            bodies, known.files_digest, partial(decode_files, account=account.key), Section.FILES, at
        )
        return _Part(files=listing, gaps=gaps)

    async def _models(self, account: Account, known: Known, at: datetime, allowance: Allowance) -> _Part:
        pages = self._openai.model_pages(account, self._auth_of(account), allowance=allowance)
        bodies = await _offered(pages, known.models_digest)
        listing, gaps = _listing(
            bodies, known.models_digest, partial(decode_models, account=account.key), Section.MODELS, at
        )
        return _Part(models=listing, gaps=gaps)

    async def _deployments(
        self, account: Account, known: Known, at: datetime, allowance: Allowance, of_departures: Allowance
    ) -> _Part:
        """The deployments, and of those that are gone what the activity log says."""
        standing = await read_standing(self._management, account, known, at, allowance)
        gone = [one for one in known.deployments if one.key in standing.absent] if standing.absent else []
        lives = {one.key for one in standing.listing.items or ()}
        again = [one for one in known.departed if one.key not in lives | standing.absent]
        departures = await self._departures.read(
            account,
            gone,
            again,
            since=known.deployments_at,
            at=at,
            allowance=of_departures,
            doubted=known.doubted,
        )
        return _Part(deployments=standing.listing, absent=standing.absent, departures=departures, gaps=standing.gaps)

    async def _usage(
        self,
        account: Account,
        known: Known,
        at: datetime,
        listing: _Part | None,
        allowance: Allowance,
    ) -> _Part:
        """The calls of every deployment that lives: by this collect's listing, else by the last one."""
        deployments = known.deployments
        listed = listing.deployments if listing is not None else None
        if listed is not None and listed.items is not None:
            deployments = listed.items
        if not deployments and (listing is None or listed is not None):
            return _Part(usage={})
        if deployments and not any(_may_be_fine_tuned(one, known.custom_models) for one in deployments):
            return _Part(usage={})  # base models never go idle
        span = metrics.span_of(
            deployments, known.usage, at, account_created_at=account.created_at, first=self._first_span
        )
        names = [deployment.name for deployment in deployments]
        reply = await self._batch.ask(account, span, allowance) if self._batch is not None else None
        if reply is not None:
            counted = metrics.counts_of(reply.answer, span=reply.span, names=names)
        else:
            asked, body = await self._ask_metrics(account, span, allowance)
            counted = metrics.decode_counts(body, span=span, names=names, asked=asked)
        return _Part(usage=counted.usage, calls=counted.calls)

    async def _ask_metrics(
        self, account: Account, span: metrics.Span, allowance: Allowance
    ) -> tuple[Sequence[str], bytes]:
        """Which metrics were asked for, and the answer: both, or the older where the service says it has no newer."""
        try:
            return metrics.METRICS, await self._management.metrics(account, metrics.query_of(span), allowance)
        except AzureError as exc:
            complaint = exc.message.lower().partition("valid metrics")[0]
            if exc.status != 400 or metrics.METRICS[1].lower() not in complaint:
                raise
            older = metrics.METRICS[:1]
            return older, await self._management.metrics(account, metrics.query_of(span, older), allowance)


async def _offered(pages: Awaitable[DataPages], known_digest: str) -> Bodies:
    """A listing's pages; none where no dialect knows of it, unless one has been read before: then 404 is a fault."""
    try:
        return (await pages).bodies
    except NotFoundError:
        if known_digest not in ("", NOT_OFFERED):
            raise
        return Bodies()


def _listing(
    bodies: Bodies, known_digest: str, decode: Callable[[bytes], Page[N]], section: Section, at: datetime
) -> tuple[Listing[N], tuple[Gap, ...]]:
    """A listing whose items have ids, decoded unless it is that of the last reading; and the gaps it leaves."""
    digest = bodies.digest if bodies else NOT_OFFERED
    if digest == known_digest:
        return Listing(digest=digest, items=None), ()
    items, bad = decode_pages(bodies, decode, lambda item: item.id, may_lack_ids=True)
    return Listing(digest=digest + OPEN_END if bad else digest, items=items), gaps_of_items(bad, section, at)


@dataclass(slots=True)
class _JobList:
    """A job list that is decoded when first asked for, which mostly is never."""

    bodies: Bodies
    account: str
    found: tuple[tuple[FineTuningJob, ...], tuple[BadItem, ...]] | None = None

    def decoded(self) -> tuple[tuple[FineTuningJob, ...], tuple[BadItem, ...]]:
        """The jobs, and the items that could not be read."""
        if self.found is None:
            decode = partial(decode_jobs, account=self.account)
            self.found = decode_pages(self.bodies, decode, lambda job: job.id, may_lack_ids=True)
        return self.found


def _may_be_fine_tuned(deployment: Deployment, custom_models: frozenset[str] | None) -> bool:
    """Whether it may serve a customised model: surely not only where all of these are known, and it is none of them.

    A model that comes from another account is known there, and not here.
    """
    if custom_models is None or deployment.model_source:
        return True
    return is_fine_tuned(deployment.model, custom_models)


def _moved(jobs: Iterable[FineTuningJob], statuses: Mapping[str, JobStatus] | None) -> frozenset[str]:
    """Jobs that are new or have another status than recorded.

    At first sight those that run, as their logs alone tell since when, and what pauses they had; the rest is history.
    """
    if statuses is None:
        return frozenset(job.id for job in jobs if job.status is JobStatus.RUNNING)
    return frozenset(job.id for job in jobs if statuses.get(job.id) is not job.status)


def _joined(
    account: Account, at: datetime, sections: frozenset[Section], parts: Iterable[_Part], spent: Iterable[Allowance]
) -> Snapshot:
    whole = _Part()
    for part in parts:
        whole = _Part(
            account=part.account or whole.account,
            jobs=part.jobs or whole.jobs,
            events=part.events or whole.events,
            dialect=part.dialect or whole.dialect,
            deployments=part.deployments or whole.deployments,
            absent=part.absent or whole.absent,
            departures=part.departures or whole.departures,
            files=part.files or whole.files,
            models=part.models or whole.models,
            training=part.training or whole.training,
            usage=whole.usage if part.usage is None else part.usage,
            calls=part.calls or whole.calls,
            gaps=whole.gaps + part.gaps,
        )
    return Snapshot(
        account=whole.account or account,
        at=at,
        # The insides of jobs were looked at along with their list.
        asked=sections if whole.jobs is None else sections | {Section.TRAINING},
        jobs=whole.jobs,
        deployments=whole.deployments,
        usage=whole.usage,
        calls=whole.calls,
        events=whole.events,
        absent=whole.absent,
        departures=whole.departures,
        files=whole.files,
        models=whole.models,
        training=whole.training,
        gaps=whole.gaps,
        dialect=whole.dialect,
        requests=sum(one.requests for one in spent),
    )
