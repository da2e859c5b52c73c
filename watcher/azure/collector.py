"""Reads one account once: account → `Snapshot`.

Each section is read on its own and fails on its own; a failure is a `Gap`, never an exception. As little is asked as
can be: unchanged listings are told by their digest, events are read for jobs whose status has moved, and metrics
only from where the last reading ended.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from watcher.azure import metrics
from watcher.azure.auth import ApiKey, Authorizer, Credentials
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.decode import decode_jobs
from watcher.azure.decode_arm import decode_deployments
from watcher.azure.gaps import gap_of, gap_of_item, gaps_of_items
from watcher.azure.management import Management
from watcher.azure.openai import Api, Dialect, OpenAI
from watcher.azure.paging import decode_pages, digest_of
from watcher.errors import AzureError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.snapshot import Gap, Known, Listing, Section, Snapshot

#: How long one section of one account may wait for Azure in all, in time limits of one request.
_SECTION_LIMITS = 3
#: Follow-up requests (events, single deployments) of one account under way at once.
_FOLLOW_UPS = 4
#: Ends a digest that must not be taken for "unchanged" next time, since something was left open.
_OPEN_END = "~"

#: What is known of a deployment whose listing is not whole.
_PERHAPS = "its own address answers 404, but the listing holds an item without an id, which it may be"

ALL_SECTIONS = frozenset({Section.JOBS, Section.DEPLOYMENTS, Section.METRICS})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one section gave; everything else stays as it is by default."""

    account: Account | None = None
    jobs: Listing[FineTuningJob] | None = None
    events: Mapping[str, tuple[JobEvent, ...]] = field(default_factory=dict)
    dialect: str = ""
    deployments: Listing[Deployment] | None = None
    absent: frozenset[str] = frozenset()
    usage: Mapping[str, Usage] | None = None
    gaps: tuple[Gap, ...] = ()


class Collector:
    """Reads accounts of one cloud with one credential.

    Args:
        credentials: For ARM, metrics, and every data plane without a key of its own.
        keys: Api-keys by the account's key, for data planes that are asked by key in place of a token.
        api: `[azure] api`.
    """

    def __init__(
        self,
        client: AzureClient,
        cloud: Cloud,
        credentials: Credentials,
        *,
        keys: Mapping[str, str] | None = None,
        api: Api = "auto",
    ) -> None:
        self._management = Management(client, cloud, credentials.for_scope(cloud.management_scope))
        self._openai = OpenAI(client, api=api)
        self._data_auth = credentials.for_scope(cloud.data_scope)
        self._keys = {key.lower(): ApiKey.of(value) for key, value in (keys or {}).items()}
        self._limit_s = client.timeout_s * _SECTION_LIMITS

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

        def guarded(section: Section, read: Awaitable[_Part], *, by_key: bool = False) -> "asyncio.Task[_Part]":
            return group.create_task(_guarded(read, section, at, by_key=by_key))

        def allowance() -> Allowance:
            spent.append(Allowance(self._limit_s))
            return spent[-1]

        tasks: list[asyncio.Task[_Part]] = []
        async with asyncio.TaskGroup() as group:
            listing: asyncio.Task[_Part] | None = None
            if Section.ACCOUNT in sections:
                tasks.append(guarded(Section.ACCOUNT, self._account(account, allowance())))
            if Section.JOBS in sections:
                jobs = self._jobs(account, known, at, allowance(), allowance())
                tasks.append(guarded(Section.JOBS, jobs, by_key=account.key in self._keys))
            if Section.DEPLOYMENTS in sections:
                listing = guarded(Section.DEPLOYMENTS, self._deployments(account, known, at, allowance()))
                tasks.append(listing)
            if Section.METRICS in sections:
                tasks.append(guarded(Section.METRICS, self._usage(account, known, at, listing, allowance())))
        return _joined(account, at, sections, [task.result() for task in tasks], spent)

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
        self, account: Account, known: Known, at: datetime, allowance: Allowance, for_events: Allowance
    ) -> _Part:
        auth = self._keys.get(account.key, self._data_auth)
        pages = await self._openai.job_pages(account, auth, dialect=known.dialect, allowance=allowance)
        digest = digest_of(pages.bodies)
        if digest == known.jobs_digest and known.statuses is not None:
            listing: Listing[FineTuningJob] = Listing(digest=digest, items=None)
            gaps: tuple[Gap, ...] = ()
            wanted = known.unexplained
        else:
            decode = partial(decode_jobs, account=account.key)
            jobs, bad = decode_pages(pages.bodies, decode, lambda job: job.id, may_lack_ids=True)
            listing = Listing(digest=digest + _OPEN_END if bad else digest, items=jobs)
            gaps = gaps_of_items(bad, Section.JOBS, at)
            wanted = _moved(jobs, known.statuses) | (known.unexplained & {job.id for job in jobs})
        events, unread = await self._events(account, wanted, auth, pages.dialect, at, for_events)
        return _Part(jobs=listing, events=events, dialect=pages.dialect, gaps=(*gaps, *unread))

    async def _events(
        self,
        account: Account,
        jobs: Iterable[str],
        auth: Authorizer,
        dialect: Dialect,
        at: datetime,
        allowance: Allowance,
    ) -> tuple[Mapping[str, tuple[JobEvent, ...]], tuple[Gap, ...]]:
        """The events of each of `jobs`; a job whose events could not be read whole is named in a gap."""
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

    async def _deployments(self, account: Account, known: Known, at: datetime, allowance: Allowance) -> _Part:
        bodies = await self._management.deployment_pages(account, allowance)
        digest = digest_of(bodies)
        if digest == known.deployments_digest:
            return _Part(deployments=Listing(digest=digest, items=None))
        decode = partial(decode_deployments, account=account.key)
        listed, unread = decode_pages(bodies, decode, lambda item: item.key, may_lack_ids=True)
        bad = [replace(item, id=item.id.lower()) for item in unread]
        seen = {deployment.key for deployment in listed} | {item.id for item in bad}
        missing = [deployment for deployment in known.deployments if deployment.key not in seen]
        found, absent, open_ones = await self._confirm(missing, account, at, allowance)
        if not all(item.id for item in bad):  # no complete listing: of the two signs that one is gone, one is lacking
            open_ones = (*open_ones, *(gap_of_item(_PERHAPS, Section.DEPLOYMENTS, at, subject=key) for key in absent))
            absent = frozenset()
        gaps = (*gaps_of_items(bad, Section.DEPLOYMENTS, at), *open_ones)
        # A listing that lacks what lives is asked about again at each poll, even if it stays the same.
        is_settled = not bad and len(absent) == len(missing)
        return _Part(
            deployments=Listing(digest=digest if is_settled else digest + _OPEN_END, items=(*listed, *found)),
            absent=absent,
            gaps=gaps,
        )

    async def _confirm(
        self, missing: Iterable[Deployment], account: Account, at: datetime, allowance: Allowance
    ) -> tuple[tuple[Deployment, ...], frozenset[str], tuple[Gap, ...]]:
        """Ask each deployment that the listing lacks for itself: those that live, the keys of the gone, the gaps.

        Listings that are filtered by role shrink without a word; only a 404 on the own address says "gone".
        """
        slots = asyncio.Semaphore(_FOLLOW_UPS)
        found: list[Deployment] = []
        absent: set[str] = set()
        gaps: list[Gap] = []

        async def ask(deployment: Deployment) -> None:
            async with slots:
                try:
                    found.append(await self._management.deployment(deployment.id, account.key, allowance))
                except NotFoundError:
                    absent.add(deployment.key)
                except AzureError as exc:
                    gaps.append(gap_of(exc, Section.DEPLOYMENTS, at, subject=deployment.key))

        await asyncio.gather(*(ask(deployment) for deployment in missing))
        return tuple(found), frozenset(absent), tuple(gaps)

    async def _usage(
        self,
        account: Account,
        known: Known,
        at: datetime,
        listing: "asyncio.Task[_Part] | None",
        allowance: Allowance,
    ) -> _Part:
        """The calls of every deployment that lives: by this collect's listing, else by the last one."""
        deployments = known.deployments
        listed = (await listing).deployments if listing is not None else None
        if listed is not None and listed.items is not None:
            deployments = listed.items
        if not deployments and (listing is None or listed is not None):
            return _Part(usage={})
        span = metrics.span_of(deployments, known.usage, at)
        body = await self._ask_metrics(account, span, allowance)
        names = [deployment.name for deployment in deployments]
        return _Part(usage=metrics.decode_usage(body, span=span, names=names))

    async def _ask_metrics(self, account: Account, span: metrics.Span, allowance: Allowance) -> bytes:
        """Both metrics, or the older one where the service says that it does not have the newer."""
        try:
            return await self._management.metrics(account, metrics.query_of(span), allowance)
        except AzureError as exc:
            complaint = exc.message.lower().partition("valid metrics")[0]
            if exc.status != 400 or metrics.METRICS[1].lower() not in complaint:
                raise
            return await self._management.metrics(account, metrics.query_of(span, metrics.METRICS[:1]), allowance)


async def _guarded(read: Awaitable[_Part], section: Section, at: datetime, *, by_key: bool) -> _Part:
    try:
        return await read
    except AzureError as exc:
        return _Part(gaps=(gap_of(exc, section, at, by_key=by_key),))


def _moved(jobs: Iterable[FineTuningJob], statuses: Mapping[str, JobStatus] | None) -> frozenset[str]:
    """Jobs that are new or have another status than recorded. At first sight none: what has ended is history."""
    if statuses is None:
        return frozenset()
    return frozenset(job.id for job in jobs if statuses.get(job.id) is not job.status)


def _joined(
    account: Account, at: datetime, sections: frozenset[Section], parts: Iterable[_Part], spent: Iterable[Allowance]
) -> Snapshot:
    snapshot = Snapshot(account=account, at=at, asked=sections, requests=sum(one.requests for one in spent))
    for part in parts:
        snapshot = replace(
            snapshot,
            account=part.account or snapshot.account,
            jobs=part.jobs or snapshot.jobs,
            events=part.events or snapshot.events,
            dialect=part.dialect or snapshot.dialect,
            deployments=part.deployments or snapshot.deployments,
            absent=part.absent or snapshot.absent,
            usage=snapshot.usage if part.usage is None else part.usage,
            gaps=snapshot.gaps + part.gaps,
        )
    return snapshot
