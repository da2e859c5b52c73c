"""The accounts in scope: who is due when, what discovery found, and polls that found nothing new."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, select, update

from watcher.resources.account import Account, compact
from watcher.resources.account_changes import RecordedAccount
from watcher.resources.changes import Change
from watcher.resources.snapshot import Gap, Section
from watcher.rules.rule import AccountState
from watcher.store import history, schema
from watcher.store.gaps import gap_of
from watcher.store.turns import take_turns
from watcher.store.upsert import chunks

#: What is due by itself, with the columns of `accounts` that say when, and when it was last read.
NEXT_COLUMNS = {
    Section.JOBS: "next_jobs_at",
    Section.DEPLOYMENTS: "next_deployments_at",
    Section.METRICS: "next_metrics_at",
    Section.FILES: "next_files_at",
    Section.MODELS: "next_models_at",
}
_READ_COLUMNS = {
    Section.JOBS: "jobs_at",
    Section.DEPLOYMENTS: "deployments_at",
    Section.METRICS: "usage_at",
    Section.FILES: "files_at",
    Section.MODELS: "models_at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAccount:
    """An account with its stored due times; `None` is "at once"."""

    account: Account
    revision: int
    due: tuple[datetime | None, ...]  #: in the order of `NEXT_COLUMNS`
    read_at: Mapping[Section, datetime]  #: when each section was read last, of those that ever were

    @property
    def at(self) -> datetime | None:
        """When the first of its sections is due."""
        return self.at_after({})

    def at_after(self, due: Mapping[Section, datetime]) -> datetime | None:
        """The same once some sections have these new times."""
        times = [due.get(section, at) for section, at in zip(NEXT_COLUMNS, self.due, strict=True)]
        return None if None in times else min(at for at in times if at is not None)

    def sections(self, now: datetime) -> frozenset[Section]:
        """What is due at `now`."""
        times = zip(NEXT_COLUMNS, self.due, strict=True)
        return frozenset(section for section, at in times if at is None or at <= now)


def save_accounts(
    tx: Connection, found: Sequence[Account], *, is_complete: bool, gone: Collection[str] = (), now: datetime
) -> tuple[str, ...]:
    """Take over what discovery found; writes only what changed. Returns the keys of accounts that left the scope.

    Accounts that it did not find leave the scope only when it was complete, or knows them to be `gone`: what could
    not be listed is not gone.
    """
    take_turns(tx, "discovery")
    known = {row.key: row for row in tx.execute(select(schema.accounts))}
    for account in found:
        row = known.get(account.key)
        if row is None:
            tx.execute(
                insert(schema.accounts).values(key=account.key, label=account.label, noun=account, first_seen_at=now)
            )
        elif row.noun != account or row.removed_at is not None:
            tx.execute(
                update(schema.accounts)
                .where(schema.accounts.c.key == account.key)
                .values(
                    label=account.label,
                    noun=account,
                    removed_at=None,
                    revision=schema.accounts.c.revision + 1,
                )
            )
    present = {account.key for account in found}
    missing = [key for key, row in known.items() if key not in present and row.removed_at is None]
    left = [key for key in missing if is_complete or key in gone]
    for key in left:
        tx.execute(update(schema.accounts).where(schema.accounts.c.key == key).values(removed_at=now))
    return tuple(left)


def recorded_accounts(tx: Connection) -> dict[str, RecordedAccount]:
    """All accounts that were ever recorded, by key. Other discoveries wait from here on."""
    take_turns(tx, "discovery")
    c = schema.accounts.c
    rows = tx.execute(select(c.key, c.noun, c.removed_at)).all()
    last = history.last_of_accounts(tx, [key for key, _, removed_at in rows if removed_at is not None])
    return {
        key: RecordedAccount(
            account=noun,
            is_watched=removed_at is None,
            was_gone=key in last and last[key].change is Change.GONE,
        )
        for key, noun, removed_at in rows
    }


def after_newest(tx: Connection, account: str, at: datetime) -> datetime:
    """`at`, or right after the newest snapshot of an account where that would overtake it."""
    c = schema.accounts.c
    newest = tx.execute(select(c.snapshot_at).where(c.key == account)).scalar()
    return newest + timedelta(milliseconds=1) if newest is not None and is_overtaken(newest, at) else at


def forget_contents(tx: Connection, account: str, *, now: datetime) -> None:
    """Note that nothing is there any more of what an account that is gone has listed; should it return, all is new."""
    for table in (schema.jobs, schema.files, schema.models):
        where = (table.c.account == account) & table.c.is_listed
        tx.execute(update(table).where(where).values(is_listed=False, left_at=now))
    blank = {"jobs_digest": "", "deployments_digest": "", "files_digest": "", "models_digest": ""}
    tx.execute(update(schema.accounts).where(schema.accounts.c.key == account).values(blank))


def due_accounts(tx: Connection) -> tuple[DueAccount, ...]:
    """All accounts in scope with their due times, in the order of their labels."""
    found = (_due_account(row) for row in tx.execute(_DUE.order_by(schema.accounts.c.label)))
    return tuple(replace(due, account=compact(due.account)) for due in found)


def due(tx: Connection, keys: Sequence[str]) -> dict[str, DueAccount]:
    """Those of some accounts that are in scope."""
    found = {}
    for some in chunks(keys):
        for row in tx.execute(_DUE_OF, {"keys": some}).all():
            found[row.key] = _due_account(row)
    return found


def due_account(tx: Connection, account: str) -> DueAccount | None:
    """One account with its stored due times; `None` if it is not in scope."""
    return due(tx, [account]).get(account)


_DUE = select(
    schema.accounts.c.key,
    schema.accounts.c.noun,
    schema.accounts.c.revision,
    *(schema.accounts.c[column] for column in NEXT_COLUMNS.values()),
    *(schema.accounts.c[column] for column in _READ_COLUMNS.values()),
).where(schema.accounts.c.removed_at.is_(None))


_DUE_OF = _DUE.where(schema.accounts.c.key.in_(bindparam("keys", expanding=True)))


def _due_account(row: Any) -> DueAccount:
    _, noun, revision, *times = row
    due, read_at = times[: len(NEXT_COLUMNS)], times[len(NEXT_COLUMNS) :]
    return DueAccount(
        account=noun,
        revision=revision,
        due=tuple(due),
        read_at={section: at for section, at in zip(_READ_COLUMNS, read_at, strict=True) if at is not None},
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # each is one of its own, and a key by that
class Touch:
    """All that an unchanged snapshot leaves behind: when it was taken, and when the next ones are due."""

    account: str
    revision: int  #: of the stored account that it was held against
    at: datetime
    asked: frozenset[Section]
    due: tuple[tuple[Section, datetime], ...]


def is_overtaken(newest: datetime | None, at: datetime) -> bool:
    """Whether a snapshot taken `at` is no newer than the newest recorded.

    One that lies far behind was not overtaken, for no poll takes so long: the clock was ahead, and was set back.
    """
    return newest is not None and timedelta() <= newest - at < _LONGEST_POLL


#: Far longer than any poll may take; see `is_overtaken`.
_LONGEST_POLL = timedelta(minutes=15)


def touch(tx: Connection, touches: Sequence[Touch]) -> dict[Touch, bool]:
    """Note unchanged snapshots; `False` for those whose account has changed, or has a newer snapshot, meanwhile."""
    done: dict[Touch, bool] = {}
    for some in chunks(touches):
        query = _TOUCHED.with_for_update() if tx.dialect.name == "postgresql" else _TOUCHED
        held = {row.key: row for row in tx.execute(query, {"keys": [one.account for one in some]}).all()}
        for one in some:
            row = held.get(one.account)
            done[one] = row is not None and row.revision == one.revision and not is_overtaken(row.snapshot_at, one.at)
    by_sections: dict[frozenset[Section], list[dict[str, Any]]] = {}
    for one in (one for one, was_done in done.items() if was_done):
        values = {"account": one.account, "at": one.at} | {f"next_{section}": at for section, at in one.due}
        by_sections.setdefault(one.asked, []).append(values)
    for asked, rows in by_sections.items():
        tx.execute(_touching(asked), rows)
    return done


_TOUCHED = (
    select(schema.accounts.c.key, schema.accounts.c.revision, schema.accounts.c.snapshot_at)
    .where(schema.accounts.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(schema.accounts.c.key)  # two processes lock in the same order
)


@cache
def _touching(asked: frozenset[Section]) -> Update:
    columns: dict[str, Any] = {"snapshot_at": bindparam("at"), "polled_at": bindparam("at")}
    for section in asked & NEXT_COLUMNS.keys():
        columns[NEXT_COLUMNS[section]] = bindparam(f"next_{section}")
        columns[_READ_COLUMNS[section]] = bindparam("at")
    return update(schema.accounts).where(schema.accounts.c.key == bindparam("account")).values(columns)


def bring_forward(tx: Connection, latest: Mapping[Section, datetime]) -> None:
    """Let no section be due later than `latest` says: intervals may have been made shorter since the last poll."""
    for section, at in latest.items():
        column = schema.accounts.c[NEXT_COLUMNS[section]]
        tx.execute(update(schema.accounts).where(column > at).values({column.name: at}))


def account_states(tx: Connection) -> tuple[AccountState, ...]:
    """Each account in scope with its open gaps and when it was last tried."""
    c = schema.accounts.c
    gaps_of: dict[str, list[Gap]] = {}
    for row in tx.execute(select(schema.gaps)):
        gaps_of.setdefault(row.account, []).append(gap_of(row))
    rows = tx.execute(
        select(c.key, c.noun, c.polled_at, c.deployments_at, c.jobs_at, c.usage_at)
        .where(c.removed_at.is_(None))
        .order_by(c.label)
    )
    return tuple(
        AccountState(
            account=compact(noun),
            gaps=tuple(gaps_of.get(key, ())),
            polled_at=polled_at,
            deployments_at=deployments_at,
            jobs_at=jobs_at,
            usage_at=usage_at,
        )
        for key, noun, polled_at, deployments_at, jobs_at, usage_at in rows
    )


def bump(tx: Connection, account: str) -> None:
    """Say that something of an account changed, so that nobody goes on with what was remembered of it."""
    tx.execute(_BUMPED, {"of": account})


_BUMPED = (
    update(schema.accounts)
    .where(schema.accounts.c.key == bindparam("of"))
    .values(revision=schema.accounts.c.revision + 1)
)
