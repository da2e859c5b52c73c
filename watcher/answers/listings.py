"""Jobs, deployments, accounts, models, files, transitions and alerts: what a listing shows, filtered and by pages.

Each row comes with its record for programs; rows are in the order of keys that never change.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.silence import Silence, silenced_by
from watcher.answers.query import ALL, BadCursor, Frame, Page, Query, decode_cursor, newest_first, paged
from watcher.report.holdings import FileRow, ModelRow, file_rows, model_rows
from watcher.report.records import (
    Record,
    account_record,
    account_status,
    alert_record,
    deployment_record,
    job_record,
)
from watcher.report.standing import COUNTDOWN_RULES, Standing, countdowns, stand
from watcher.resources.changes import Transition
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.lineage import Inventory
from watcher.rules.labels import owner_of
from watcher.store import alert_pages, history, inventory, listings, operators, pauses
from watcher.store import alerts as stored
from watcher.store.listings import Place, RecordedDeployment, RecordedJob, WatchedAccount
from watcher.store.upsert import chunks

#: How long what is over is listed, where nobody says since when.
RECENT = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The end of the calendar, in microseconds since then.
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


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
        for one in listings.newest_jobs(tx, since=query.since, until=_up_to(cursor))
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
        if query.fits_account(one.account.label, one.account.name) and key >= _account_of(cursor)
    )
    # Read no further than the page reaches. (Sorted here: a database's collation may know another order.)
    rows = (
        row
        for some in chunks(keys, _ACCOUNTS_AT_ONCE if limit else 500)
        for row in sorted(standing_in(tx, frame, some, query), key=lambda row: row.key)
    )
    return paged(rows, lambda row: row.key, limit=limit, cursor=cursor)


#: So many are read at once, where only a page is asked for.
_ACCOUNTS_AT_ONCE = 20


def _account_of(cursor: str) -> str:
    """Where a page begins that goes by account: what comes before need not be read again."""
    first = decode_cursor(cursor)[0] if cursor else ""
    if not isinstance(first, str):
        raise BadCursor("the cursor belongs to another listing")
    return first


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
    first = _account_of(cursor)
    labels = sorted(
        (one.account.label, key)
        for key, one in listings.places(tx).items()
        if query.fits_account(one.account.label, one.account.name)
        and query.fits_owner(owner_of(one.account).name)
        and one.account.label >= first
    )
    rows = (
        one
        for some in chunks(labels, _ACCOUNTS_AT_ONCE if limit else 500)  # no further than the page reaches
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


def models(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[ModelRow]:
    """Custom models by account, the newest first; with `since` those made since then."""
    return models_of(inventory.load(tx, now=frame.now, owner_tag=frame.owner_tag), query, limit=limit, cursor=cursor)


def models_of(held: Inventory, query: Query = ALL, *, limit: int | None = None, cursor: str = "") -> Page[ModelRow]:
    """The same of what was loaded."""
    rows = (
        row
        for row in model_rows(held)
        if query.fits_account(row.account.label, row.account.name)
        and query.fits_status(deployed_word(row))
        and query.fits_owner(row.owner)
        and _is_since(row.model.created_at, query.since)
    )
    return paged(rows, _model_key, limit=limit, cursor=cursor)


def _model_key(row: ModelRow) -> tuple[str, int, str]:
    return row.account.label, newest_first(row.model.created_at), row.model.id


def deployed_word(row: ModelRow) -> str:
    """`deployed`, `undeployed`, or `unknown`."""
    if row.deployments:
        return "deployed"
    return "unknown" if row.unread_because else "undeployed"


def files(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[FileRow]:
    """Files by account, the newest first; with `since` those uploaded since then."""
    places = listings.places(tx, keys=inventory.with_files(tx))
    first = _account_of(cursor)
    labels = sorted(
        (one.account.label, key)
        for key, one in places.items()
        if query.fits_account(one.account.label, one.account.name) and one.account.label >= first
    )

    def rows() -> Iterator[FileRow]:
        for some in chunks(labels, _ACCOUNTS_AT_ONCE):  # no further than the page reaches
            keys = [key for _, key in some]
            held = inventory.of_files(tx, now=frame.now, owner_tag=frame.owner_tag, keys=keys)
            recorded = (one.job for one in listings.jobs(tx, account_keys=keys))
            yield from _files(held, recorded, frame, query)

    return paged(rows(), _file_key, limit=limit, cursor=cursor)


def files_of(
    held: Inventory,
    recorded: Iterable[FineTuningJob],
    frame: Frame,
    query: Query = ALL,
    *,
    limit: int | None = None,
    cursor: str = "",
) -> Page[FileRow]:
    """The same of what was loaded."""
    return paged(_files(held, recorded, frame, query), _file_key, limit=limit, cursor=cursor)


def _files(held: Inventory, recorded: Iterable[FineTuningJob], frame: Frame, query: Query) -> Iterator[FileRow]:
    by_account: dict[str, list[FineTuningJob]] = {}
    for job in recorded:
        by_account.setdefault(job.account, []).append(job)
    return (
        row
        for row in file_rows(held, by_account, owner_tag=frame.owner_tag)
        if query.fits_account(row.account.label, row.account.name)
        and query.fits_status(row.file.status.value, row.file.raw_status, *(["unused"] if row.used_by == () else []))
        and query.fits_owner(row.owner)
        and _is_since(row.file.created_at, query.since)
    )


def _file_key(row: FileRow) -> tuple[str, int, str]:
    return row.account.label, newest_first(row.file.created_at), row.file.id


def _is_since(at: datetime | None, since: datetime | None) -> bool:
    return since is None or (at is not None and at >= since)


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """A transition, with the label of its account."""

    label: str
    one: Transition
    number: int

    @property
    def key(self) -> tuple[int, int]:
        return newest_first(self.one.observed_at), -self.number


def transitions(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[TransitionRow]:
    """What changed, the newest first, by when it was seen; with `since` what was seen since then."""
    watched = {key: one.account for key, one in listings.places(tx, with_removed=True).items()}
    owners = listings.owners(tx, frame.owner_tag) if query.owners else {}

    def rows() -> Iterator[TransitionRow]:
        for number, one in history.newest(tx, since=query.since, until=_seen_by(cursor)):
            place = watched.get(one.account)
            names = (place.label, place.name) if place else (one.account,)
            owner = owners.get((one.account, one.kind.value, one.name.lower()), place.owner if place else "")
            if (
                query.fits_account(*names)
                and query.fits_status(one.after or "", one.change.value)
                and query.fits_owner(owner)
            ):
                yield TransitionRow(names[0], one, number)

    return paged(rows(), lambda row: row.key, limit=limit, cursor=cursor)


def _seen_by(cursor: str) -> datetime | None:
    """When the last transition of the page before was seen: what is newer need not be read again."""
    first = decode_cursor(cursor)[0] if cursor else None
    if first is not None and (not isinstance(first, int) or not -_LAST < first <= 0):
        raise BadCursor("the cursor belongs to another listing")
    return None if first is None else _EPOCH - timedelta(microseconds=first)


def _up_to(cursor: str) -> datetime | None:
    """The same of what happened elsewhere, by clocks that may know times before 1970."""
    first = decode_cursor(cursor)[0] if cursor else None
    return _EPOCH if isinstance(first, int) and first > 0 else _seen_by(cursor)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert, and what keeps it quiet now."""

    alert: Alert
    silences: tuple[Silence, ...]

    @property
    def key(self) -> tuple[int, str]:
        return newest_first(self.alert.starts_at), self.alert.id

    @property
    def words(self) -> list[str]:
        """What `status` may name it by."""
        alert = self.alert
        words = ["event" if alert.is_event else alert.status.value, alert.severity.value, alert.finding.rule]
        if alert.acked_at is not None:
            words.append("acked")
        if self.silences:
            words.append("silenced")
        return words

    def record(self) -> Record:
        return alert_record(self.alert, silenced_by=self.silences)


def alerts(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[AlertRow]:
    """What fires, and what happened or ended lately (`RECENT`), or since `since`; the newest first."""
    names = {key: one.account.name for key, one in listings.places(tx, with_removed=True).items()}
    found = alert_pages.newest(tx, since=query.since or frame.now - RECENT, behind=_behind(cursor))
    silences = operators.silences(tx, since=frame.now)
    rows = (
        row
        for alert in found  # in the order of their keys
        for row in (AlertRow(alert, silenced_by(alert, silences, frame.now)),)
        if query.fits_account(alert.labels.get("account", ""), names.get(alert.account, ""))
        and query.fits_status(*row.words)
        and query.fits_owner(alert.labels.get("owner", ""))
    )
    return paged(rows, lambda row: row.key, limit=limit, cursor=cursor)


def _behind(cursor: str) -> tuple[datetime, str] | None:
    """When the last alert of the page before began, and its id."""
    at, id_ = _seen_by(cursor), decode_cursor(cursor)[1:] if cursor else ()
    if at is None:
        return None
    if len(id_) != 1 or not isinstance(id_[0], str):
        raise BadCursor("the cursor belongs to another listing")
    return at, id_[0]


def silences(
    tx: Connection, frame: Frame, query: Query = ALL, *, limit: int | None = None, cursor: str = ""
) -> Page[Silence]:
    """Silences that have not ended, or have since `since`; the newest first."""
    found = operators.silences(tx, since=query.since or frame.now)
    return paged(sorted(found, key=_silence_key), _silence_key, limit=limit, cursor=cursor)


def _silence_key(silence: Silence) -> tuple[int, str]:
    return newest_first(silence.starts_at), silence.id


def by_key(watched: Iterable[WatchedAccount]) -> dict[str, WatchedAccount]:
    """Accounts by their ARM id in lower case."""
    return {one.account.key: one for one in watched}
