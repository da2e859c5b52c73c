"""What is watched: jobs, deployments and accounts as a listing shows them, filtered and by pages.

Each row comes with its record for programs; rows are in the order of keys that never change. Models and files are in
`holdings`, what happened is in `happenings`.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.answers.query import ALL, Frame, Page, Query, newest_first, paged
from watcher.answers.reach import account_of, in_parts, up_to
from watcher.report.records import Record, account_record, account_status, deployment_record, job_record
from watcher.report.standing import Standing, countdowns, stand
from watcher.rules.labels import owner_of
from watcher.store import alert_pages, listings, pauses
from watcher.store import alerts as stored
from watcher.store.listings import Place, RecordedDeployment, RecordedJob, WatchedAccount


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in its account."""

    seen: Place
    one: RecordedJob

    @property
    def key(self) -> tuple[int, str, str]:
        return newest_first(self.one.job.created_at), self.one.job.account, self.one.job.id

    def record(self, frame: Frame) -> Record:
        return job_record(
            self.seen.account,
            self.one.job,
            status_since=self.one.status_since,
            is_status_dated=self.one.is_status_dated,
            first_seen_at=self.one.first_seen_at,
            is_listed=self.one.is_listed,
            as_of=self.seen.jobs_at,
            owner_tag=frame.owner_tag,
        )


def jobs(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[JobRow]:
    """Jobs, the newest first; with `since` those created, or changed in status, since then."""
    watched = listings.places(tx)
    rows = (
        row
        for one in listings.newest_jobs(tx, since=query.since, until=up_to(cursor))
        if (seen := watched.get(one.job.account)) is not None
        for row in (JobRow(seen, one),)
        if query.fits_account(seen.account.label, seen.account.name)
        and query.fits_status(one.job.status.value, one.job.raw_status)
        and query.fits_owner(owner_of(seen.account, job=one.job, owner_tag=frame.owner_tag).name)
    )
    # Read no further than the page reaches. Those of one time are sorted here: a database's collation may know another
    # order than their keys do.
    ordered = (
        row for _, some in groupby(rows, lambda row: row.key[0]) for row in sorted(some, key=lambda row: row.key)
    )
    return paged(ordered, lambda row: row.key, limit=limit, cursor=cursor)


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One life of a deployment, in its account."""

    seen: WatchedAccount
    one: RecordedDeployment
    standing: Standing | None  #: `None`: it has ended

    @property
    def key(self) -> tuple[str, str, int]:
        return self.one.deployment.account, self.one.deployment.key, newest_first(self.one.first_seen_at)

    def record(self, frame: Frame) -> Record:
        return deployment_record(
            self.seen.account,
            self.one.deployment,
            self.standing,
            first_seen_at=self.one.first_seen_at,
            ended_at=self.one.ended_at,
            outcome=self.one.outcome,
            as_of=self.seen.reading.deployments_at,
            owner_tag=frame.owner_tag,
        )


def deployments(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[DeploymentRow]:
    """Deployments that live, by account; with `since` also those that ended since then."""
    keys = sorted(
        key
        for key, one in listings.places(tx).items()
        if query.fits_account(one.account.label, one.account.name) and key >= account_of(cursor)
    )
    # Read no further than the page reaches. (Sorted here: a database's collation may know another order.)
    rows = (
        row
        for some in in_parts(keys, limit)
        for row in sorted(standing_in(tx, frame, some, query), key=lambda row: row.key)
    )
    return paged(rows, lambda row: row.key, limit=limit, cursor=cursor)


def standing_in(tx: Connection, frame: Frame, keys: Collection[str], query: Query = ALL) -> Iterator[DeploymentRow]:
    """The deployments of some accounts, in any order."""
    recorded = listings.deployments(tx, ended_since=query.since, account_keys=keys)
    firing = alert_pages.firing(tx, rules=COUNTDOWN_RULES, accounts=keys)
    return _standing_rows(tx, frame, query, recorded, listings.accounts(tx, keys=keys), firing)


def living(tx: Connection, frame: Frame, name: str) -> tuple[DeploymentRow, ...]:
    """The deployments of this name, in any case, that live; by account."""
    recorded = [one for one in listings.deployments(tx, name=name) if one.ended_at is None]
    keys = sorted({one.deployment.account for one in recorded})
    firing = [alert for key in keys for alert in stored.firing(tx, key)]
    rows = _standing_rows(tx, frame, ALL, recorded, listings.accounts(tx, keys=keys), firing)
    return tuple(sorted(rows, key=lambda row: row.key))


def _standing_rows(
    tx: Connection,
    frame: Frame,
    query: Query,
    recorded: Iterable[RecordedDeployment],
    accounts: Sequence[WatchedAccount],
    alerts: Sequence[Alert],
) -> Iterator[DeploymentRow]:
    watched = by_key(accounts)
    recorded = tuple(recorded)
    models = listings.custom_models(tx, (one.deployment for one in recorded if one.ended_at is None))
    firing = countdowns(alerts)
    running_since = pauses.running_since(tx, watched)
    for one in recorded:
        deployment, seen = one.deployment, watched.get(one.deployment.account)
        if seen is None or not query.fits_account(seen.account.label, seen.account.name):
            continue
        if not query.fits_owner(owner_of(seen.account, deployment=deployment, owner_tag=frame.owner_tag).name):
            continue
        life = (deployment.key, deployment.incarnation)
        standing = None
        if not one.ended_at:
            standing = stand(
                deployment,
                seen.reading,
                alert=firing.get(life),
                custom_models=models,
                now=frame.now,
                lifetimes=frame.lifetimes,
                stale_after=frame.stale_after,
                running_since=running_since.get(life),
            )
        words = (standing.risk.value if standing else one.outcome, deployment.raw_provisioning_state)
        if query.fits_status(*words, deployment.deployment_state):
            yield DeploymentRow(seen, one, standing)


def accounts(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[WatchedAccount]:
    """Accounts by label; with `since` those first seen since then."""
    first = account_of(cursor)
    labels = sorted(
        (one.account.label, key)
        for key, one in listings.places(tx).items()
        if query.fits_account(one.account.label, one.account.name)
        and query.fits_owner(owner_of(one.account).name)
        and one.account.label >= first
    )
    rows = (
        one
        for some in in_parts(labels, limit)  # no further than the page reaches
        for one in sorted(listings.accounts(tx, keys=[key for _, key in some]), key=_account_key)
        if query.fits_status(account_status(one.reading, one.polled_at))
        and (query.since is None or one.first_seen_at >= query.since)
    )
    return paged(rows, _account_key, limit=limit, cursor=cursor)


def _account_key(one: WatchedAccount) -> tuple[str, str]:
    return one.account.label, one.account.key


def watched_record(one: WatchedAccount) -> Record:
    """An account's record."""
    return account_record(
        one.account,
        one.reading,
        first_seen_at=one.first_seen_at,
        polled_at=one.polled_at,
        jobs_under_way=len(one.reading.jobs or ()),
    )


def by_key(watched: Iterable[WatchedAccount]) -> dict[str, WatchedAccount]:
    """Accounts by their ARM id in lower case."""
    return {one.account.key: one for one in watched}
