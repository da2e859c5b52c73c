"""Accounts that were moved: what was in them goes on under another id, and is counted once."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime

from msgspec import structs
from sqlalchemy import Connection, select

from watcher.report.recorded import RecordedJob, RecordedLife
from watcher.resources.account_changes import MOVED_TO
from watcher.resources.changes import ResourceKind
from watcher.store import schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One account that was found under another id."""

    old: str  #: key
    new: str
    at: datetime  #: when that was found


def load(tx: Connection, as_of: datetime) -> tuple[Move, ...]:
    """All that had been found by then, the first first."""
    t = schema.transitions.c
    query = select(t.account, t.after, t.observed_at).where(
        t.kind == ResourceKind.ACCOUNT.value, t.attribute == MOVED_TO, t.observed_at <= as_of, t.after.is_not(None)
    )
    return tuple(Move(old=old, new=new.lower(), at=at) for old, new, at in tx.execute(query.order_by(t.id)))


def part_lives(moves: tuple[Move, ...], lives: Mapping[str, list[RecordedLife]]) -> None:
    """End each life in the account that it left when the move was found, and begin it there in the other one."""
    for move in moves:
        left, came = lives.get(move.old, []), lives.get(move.new, [])
        gone = {(one.deployment.name.lower(), one.deployment.created_at) for one in left if _went_with(one, move)}
        for number, one in enumerate(left):
            if _went_with(one, move):
                left[number] = structs.replace(one, end=(move.at, move.at), outcome="moved", departure=None)
        for number, one in enumerate(came):
            noun = one.deployment
            is_old = noun.created_at is not None and noun.created_at <= move.at
            is_known = noun.created_at is None and (noun.name.lower(), None) in gone
            if is_old or is_known:
                came[number] = structs.replace(one, since=max(one.since or move.at, move.at))


def _went_with(life: RecordedLife, move: Move) -> bool:
    return life.end is not None and life.outcome == "gone" and life.end[1] >= move.at


def part_jobs(moves: tuple[Move, ...], jobs: MutableMapping[str, list[RecordedJob]]) -> None:
    """Leave each job where its end was seen first: it is listed under the new id too."""
    for move in moves:
        left, came = jobs.get(move.old, []), jobs.get(move.new, [])
        ended = {one.job.id for one in left if one.job.status.has_ended}
        listed = {one.job.id for one in came}
        jobs[move.old] = [one for one in left if one.job.id in ended or one.job.id not in listed]
        jobs[move.new] = [one for one in came if one.job.id not in ended]
