"""The gaps that are open, of one account or of all."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from watcher.resources.snapshot import Gap, GapReason, Plane, Section
from watcher.store import schema


def gaps(tx: Connection, account: str | None = None) -> tuple[Gap, ...]:
    """The gaps that are open, of one account or of all."""
    rows = tx.execute(_ALL) if account is None else tx.execute(_OF_ACCOUNT, {"of": account})
    found = map(gap_of, rows)
    # In the order of `open_gaps`, which a database's collation may not know: another order would look like a change.
    return tuple(sorted(found, key=lambda gap: (gap.section, gap.subject, gap.reason)))


_ALL = select(schema.gaps).order_by(schema.gaps.c.account)
_OF_ACCOUNT = select(schema.gaps).where(schema.gaps.c.account == bindparam("of"))


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
    }
