"""The gaps that are open, and those that have closed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from watcher.resources.snapshot import Gap, GapReason, Plane, Section
from watcher.store import schema
from watcher.store.upsert import upsert


def gaps(tx: Connection, account: str | None = None) -> tuple[Gap, ...]:
    """The gaps that are open, of one account or of all."""
    rows = tx.execute(_ALL) if account is None else tx.execute(_OF_ACCOUNT, {"of": account})
    found = map(gap_of, rows)
    # In the order of `open_gaps`, which a database's collation may not know: another order would look like a change.
    return tuple(sorted(found, key=lambda gap: (gap.section, gap.subject, gap.reason)))


_ALL = select(schema.gaps).order_by(schema.gaps.c.account)
_OF_ACCOUNT = select(schema.gaps).where(schema.gaps.c.account == bindparam("of"))


def save_past(tx: Connection, account: str, closed: Iterable[Gap], *, now: datetime) -> None:
    """Keep gaps that were open until now."""
    for gap in closed:
        values = {"account": account, "ends_at": now, **gap_values(gap)}
        key = {name: values.pop(name) for name in ("account", "section", "subject", "reason", "at")}
        upsert(tx, schema.past_gaps, key, values)


def past(tx: Connection, account: str, *, since: datetime) -> tuple[tuple[Gap, datetime], ...]:
    """The gaps of an account that closed at `since` or later, each with when; the first to open first."""
    c = schema.past_gaps.c
    rows = tx.execute(select(schema.past_gaps).where(c.account == account, c.ends_at >= since).order_by(c.at))
    return tuple((gap_of(row), row.ends_at) for row in rows)


def gap_of(row: Row[Any]) -> Gap:
    return Gap(
        section=Section(row.section),
        plane=Plane(row.plane),
        reason=GapReason(row.reason),
        message=row.message,
        at=row.at,
        status=row.status,
        request_id=row.request_id,
        subject=row.subject,
        stood_at=row.stood_at,
    )


def gap_values(gap: Gap) -> dict[str, Any]:
    return {
        "section": gap.section.value,
        "subject": gap.subject,
        "reason": gap.reason.value,
        "plane": gap.plane.value,
        "message": gap.message,
        "at": gap.at,
        "status": gap.status,
        "request_id": gap.request_id,
        "stood_at": gap.stood_at,
    }
