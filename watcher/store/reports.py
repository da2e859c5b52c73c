"""Issues of scheduled reports, until they are delivered: one for each report, edition, receiver and period.

An issue is claimed by lease, sent without any transaction open, and marked with the fence that its claim gave, as
notifications are. Leases and due times are wall time, even where the rest is simulated.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from watcher.rules.rule import ChannelState
from watcher.store import attempts, schema, state
from watcher.store.attempts import Attempt
from watcher.store.outbox import LEASE
from watcher.store.turns import take_turns
from watcher.store.upsert import chunks

#: Less than a clock's set-back that matters, more than the clocks of two machines differ.
_CLOCKS_APART = timedelta(seconds=30)
#: No wait for the next try is longer: what is further ahead was set by a clock that was put back since.
_LONGEST_WAIT = timedelta(hours=8)
_MET = "report "  #: before a report's name, in `state`

#: As a literal: neither database uses a partial index where the states are parameters.
_IS_UNDELIVERED: ColumnElement[bool] = literal_column("reports.state IN ('pending', 'dead')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One edition of a report's period for one receiver, with the state of its delivery."""

    name: str  #: of the report
    edition: str  #: all, finance, or "owner " and the owner's name
    receiver: str
    period_name: str
    begin: datetime
    end: datetime
    as_of: datetime  #: when the schedule wanted it
    state: str = "pending"  #: pending, delivered, dead or dropped
    due_at: datetime
    queued_at: datetime  #: from which its time counts
    first_tried_at: datetime | None = None
    attempts: int = 0
    fence: int = 0
    lease_until: datetime | None = None
    ended_at: datetime | None = None
    last_error: str = ""
    is_uncertain: bool = False  #: a try that failed may have arrived all the same

    @property
    def id(self) -> str:
        """The same in every process, and over all tries."""
        return report_id(self.name, self.edition, self.receiver, self.end)


def report_id(name: str, edition: str, receiver: str, at: datetime) -> str:
    """What a receiver can tell repeats by."""
    text = "\x1f".join((name, edition, receiver, at.astimezone(UTC).isoformat()))
    return f"rpt_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def first_record_at(tx: Connection) -> datetime | None:
    """When the first account was seen of those that are on record; `None`: none is."""
    found: datetime | None = tx.execute(select(func.min(schema.accounts.c.first_seen_at))).scalar()
    return found


def take_turns_at_planning(tx: Connection) -> None:
    """Wait until no other process decides what is due."""
    take_turns(tx, "reports")


def made_until(tx: Connection, name: str) -> tuple[datetime | None, str]:
    """Until when what a report's schedule wants was made, with that schedule; `None`: it was never heard of."""
    return state.at(tx, _MET + name), state.value(tx, _MET + name)


def note_made(tx: Connection, name: str, *, until: datetime, timetable: str) -> None:
    """Remember it."""
    state.put(tx, _MET + name, at=until, value=timetable)


def met(tx: Connection) -> dict[str, tuple[datetime, str]]:
    """Every report that was ever heard of, by name: the same of each."""
    c = schema.state.c
    rows = tx.execute(select(c.name, c.at, c.value).where(c.name.startswith(_MET, autoescape=True)))
    return {name.removeprefix(_MET): (at, value) for name, at, value in rows}


def forget(tx: Connection, name: str) -> None:
    """As if a report had never been heard of; its issues stay."""
    tx.execute(delete(schema.state).where(schema.state.c.name == _MET + name))


def add(tx: Connection, issues: Iterable[Issue]) -> int:
    """Queue issues; one that there is already stays as it is. Returns how many are new."""
    statement = (sqlite if tx.dialect.name == "sqlite" else postgresql).insert(schema.reports)
    inserting = statement.on_conflict_do_nothing().returning(schema.reports.c.id)
    return sum(tx.execute(inserting, _values(issue)).first() is not None for issue in issues)


def _values(issue: Issue) -> dict[str, Any]:
    return {
        "id": issue.id,
        "name": issue.name,
        "edition": issue.edition,
        "receiver": issue.receiver,
        "period_name": issue.period_name,
        "period_begin": issue.begin,
        "period_end": issue.end,
        "as_of": issue.as_of,
        "state": issue.state,
        "due_at": issue.due_at,
        "queued_at": issue.queued_at,
    }


def waiting(tx: Connection, *, now: datetime, heedless: bool = False) -> tuple[Issue, ...]:
    """What can be tried now, in the order in which it was wanted.

    Args:
        heedless: Also what failed, before its time to be tried again.
    """
    c = schema.reports.c
    query = select(schema.reports).where(_IS_UNDELIVERED, c.state == "pending", _is_free(now))
    if not heedless:
        query = query.where(or_(c.due_at <= now, c.due_at > now + _LONGEST_WAIT))
    return tuple(_issue(row) for row in tx.execute(query.order_by(c.as_of, c.name, c.edition, c.receiver)))


def in_other_hands(tx: Connection, *, now: datetime) -> timedelta | None:
    """How long until the first lease that somebody holds ends; `None`: nobody holds one."""
    c = schema.reports.c
    query = select(func.min(c.lease_until)).where(_IS_UNDELIVERED, c.state == "pending", ~_is_free(now))
    until: datetime | None = tx.execute(query).scalar()
    return None if until is None else until - now


def claim(tx: Connection, id_: str, owner: str, *, clock: Callable[[], datetime]) -> Issue | None:
    """Lease an issue; `None` where another holds it, or it is no longer to be sent."""
    now, c = clock(), schema.reports.c
    values = {"lease_owner": owner, "lease_until": now + LEASE, "fence": c.fence + 1}
    where = and_(c.id == id_, c.state == "pending", _is_free(now))
    row = tx.execute(update(schema.reports).where(where).values(values).returning(schema.reports)).one_or_none()
    return None if row is None else _issue(row)


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Whether an issue is in nobody's hands. A lease that ends later than one can was taken by a clock that was put
    back since."""
    until = schema.reports.c.lease_until
    return or_(until.is_(None), until <= now, until > now + LEASE + _CLOCKS_APART)


def mark(
    tx: Connection,
    issue: Issue,
    attempt: Attempt,
    *,
    state: str,
    due_at: datetime | None = None,
    is_uncertain: bool = False,
) -> bool:
    """Record a try and what it came to; returns whether the lease was not lost meanwhile. If it was, the try is on
    record, and no state is changed.

    Args:
        issue: As its claim gave it.
        state: From now on: delivered, pending or dead.
        due_at: Where it stays pending: when to try again.
    """
    attempts.put(tx, issue.id, attempt)
    c = schema.reports.c
    values = {
        "state": state,
        "attempts": issue.attempts + 1,
        "first_tried_at": issue.first_tried_at or attempt.at,
        "due_at": due_at or issue.due_at,
        "ended_at": None if state == "pending" else attempt.at,
        "last_error": "" if state == "delivered" else attempt.detail,
        "is_uncertain": issue.is_uncertain or is_uncertain,
        "lease_owner": None,
        "lease_until": None,
    }
    where = and_(c.id == issue.id, c.state == "pending", c.fence == issue.fence)
    return tx.execute(update(schema.reports).where(where).values(values)).rowcount > 0


def give_up(tx: Connection, id_: str, *, because: str, now: datetime) -> bool:
    """End what cannot be sent at all, unless somebody is sending it; returns whether it was."""
    c = schema.reports.c
    where = and_(c.id == id_, c.state == "pending", _is_free(now))
    values = {"state": "dead", "ended_at": now, "last_error": because}
    return tx.execute(update(schema.reports).where(where).values(values)).rowcount > 0


def listed(
    tx: Connection, *, states: Collection[str] = ("pending", "dead"), ids: Collection[str] | None = None
) -> tuple[Issue, ...]:
    """Issues in some states, or of some ids, in the order in which they were wanted."""
    c = schema.reports.c
    if ids is not None:
        wanted: list[ColumnElement[bool]] = [c.id.in_(some) for some in chunks(sorted(ids))]
    else:
        wanted = [c.state.in_(sorted(states))]
        if set(states) <= {"pending", "dead"}:
            wanted = [and_(_IS_UNDELIVERED, *wanted)]
    found = [_issue(row) for where in wanted for row in tx.execute(select(schema.reports).where(where))]
    return tuple(sorted(found, key=lambda one: (one.as_of, one.name, one.edition, one.receiver)))


def ids_like(tx: Connection, beginnings: Collection[str]) -> tuple[str, ...]:
    """Ids that begin with one of these texts."""
    c = schema.reports.c
    found = {
        id_
        for text in filter(None, beginnings)
        for id_ in tx.execute(select(c.id).where(c.id.startswith(text, autoescape=True))).scalars()
    }
    return tuple(sorted(found))


def beside(tx: Connection, channels: Sequence[ChannelState], *, now: datetime) -> tuple[ChannelState, ...]:
    """How channels do, with the reports that wait or are dead there; `now` is wall time.

    Each receiver to which a report was ever tried must have its channel on record.
    """
    found: dict[str, list[Issue]] = {}
    for issue in listed(tx):
        found.setdefault(issue.receiver, []).append(issue)
    return tuple(_with(one, found[one.receiver], now) if one.receiver in found else one for one in channels)


def _with(channel: ChannelState, issues: Sequence[Issue], now: datetime) -> ChannelState:
    dead = [issue for issue in issues if issue.state == "dead"]
    failed = [issue for issue in issues if issue.state == "pending" and issue.attempts]
    channel = replace(channel, dead=channel.dead + len(dead), waiting=channel.waiting + len(issues) - len(dead))
    for issue in dead:
        at = issue.ended_at or issue.queued_at
        if channel.died_at is None or at > channel.died_at:
            because = f"report {issue.name}: {issue.last_error}"
            channel = replace(channel, died_at=at, died_for=now - at, died_because=because)
    for issue in failed:
        at = issue.queued_at
        if channel.stuck_since is None or at < channel.stuck_since:
            because = f"report {issue.name}: {issue.last_error}"
            channel = replace(channel, stuck_since=at, stuck_for=now - at, stuck_because=because)
    return channel


def undelivered(tx: Connection) -> Mapping[str, int]:
    """How many issues wait, and how many are dead; reads no others."""
    c = schema.reports.c
    query = select(c.state, func.count()).where(_IS_UNDELIVERED).group_by(c.state)
    return {state: count for state, count in tx.execute(query)}


def retry(tx: Connection, ids: Collection[str], *, now: datetime) -> int:
    """Make waiting or dead issues due at once, with a fresh budget; returns how many."""
    values = {"state": "pending", "due_at": now, "queued_at": now, "first_tried_at": None, "ended_at": None}
    return _change(tx, ids, values)


def drop(tx: Connection, ids: Collection[str], *, now: datetime) -> int:
    """Give issues up; returns how many."""
    return _change(tx, ids, {"state": "dropped", "ended_at": now})


def _change(tx: Connection, ids: Collection[str], values: Mapping[str, Any]) -> int:
    c = schema.reports.c
    return sum(
        tx.execute(update(schema.reports).where(c.id.in_(some), _IS_UNDELIVERED).values(dict(values))).rowcount
        for some in chunks(sorted(ids))
    )


def _issue(row: Row[Any]) -> Issue:
    return Issue(
        name=row.name,
        edition=row.edition,
        receiver=row.receiver,
        period_name=row.period_name,
        begin=row.period_begin,
        end=row.period_end,
        as_of=row.as_of,
        state=row.state,
        due_at=row.due_at,
        queued_at=row.queued_at,
        first_tried_at=row.first_tried_at,
        attempts=row.attempts,
        fence=row.fence,
        lease_until=row.lease_until,
        ended_at=row.ended_at,
        last_error=row.last_error,
        is_uncertain=row.is_uncertain,
    )
