"""What dispatch rests on, at a glance: one statement tells whether anything of it is new, and what need not be read.

Where an alert stands open it is asked for after each poll that found something, so all here is a look at an index.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, bindparam, cast, func, select

from watcher.rules.finding import FindingKind
from watcher.store import schema, state
from watcher.store.types import UtcDateTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """How much there is of what dispatch rests on, and how new it is."""

    unsettled: int  #: alerts of which somebody may have to be told
    stamps: int  #: the sum of theirs, which changes with any of them
    last_told: int  #: the place of the notification that was told last; 0: none was
    last_decided: int  #: of the one that was decided last, by dispatch or in place of others
    silences: int  #: in force
    keeps: int  #: in force
    ended: int  #: conditions over all accounts that ended lately
    gaps: int  #: open at accounts
    discovered_at: datetime | None  #: when the newest discovery ended; `None`: none has


def grounds(tx: Connection, now: datetime, *, ended_since: datetime) -> Grounds:
    """What there is at `now`."""
    row = tx.execute(_GROUNDS, {"now": now, "ended_since": ended_since}).one()
    return Grounds(**{**row._mapping, "stamps": int(row.stamps)})


def _counted(*conditions: ColumnElement[bool], of: Any) -> Any:
    return select(func.count()).select_from(of).where(*conditions).scalar_subquery()


def _greatest(column: ColumnElement[int]) -> Any:
    return select(func.coalesce(func.max(column), 0)).scalar_subquery()


_a, _unsettled = schema.alerts.c, schema.IS_UNSETTLED
_GROUNDS = select(
    _counted(_unsettled, of=schema.alerts).label("unsettled"),
    # Cast, since PostgreSQL sums what is big as a decimal.
    select(cast(func.coalesce(func.sum(_a.stamp), 0), BigInteger)).where(_unsettled).scalar_subquery().label("stamps"),
    _greatest(schema.told.c.sequence).label("last_told"),
    _greatest(schema.notifications.c.sequence).label("last_decided"),
    _counted(schema.silences.c.ends_at > bindparam("now", type_=UtcDateTime), of=schema.silences).label("silences"),
    _counted(schema.keeps.c.until > bindparam("now", type_=UtcDateTime), of=schema.keeps).label("keeps"),
    _counted(
        and_(
            _a.account == "",
            _a.ends_at >= bindparam("ended_since", type_=UtcDateTime),
            _a.kind == FindingKind.CONDITION.value,
        ),
        of=schema.alerts,
    ).label("ended"),
    _counted(of=schema.gaps).label("gaps"),
    select(schema.state.c.at).where(schema.state.c.name == state.DISCOVERED).scalar_subquery().label("discovered_at"),
)


def groups_after(tx: Connection, sequence: int) -> dict[tuple[str, str], datetime]:
    """When each receiver's group was told by a notification that was decided after this place."""
    return {(receiver, key): at for receiver, key, at in tx.execute(_GROUPS_AFTER, {"place": sequence})}


_n = schema.notifications.c
_GROUPS_AFTER = (
    select(_n.receiver, _n.group_key, func.max(_n.created_at))
    .where(_n.sequence > bindparam("place"))
    .group_by(_n.receiver, _n.group_key)
)


def open_gaps(tx: Connection) -> frozenset[tuple[Any, ...]]:
    """What tells one open gap from another, of all."""
    return frozenset(tuple(row) for row in tx.execute(_OPEN_GAPS))


_g = schema.gaps.c
_OPEN_GAPS = select(_g.account, _g.section, _g.subject, _g.reason, _g.plane, _g.at)
