"""Scheduled reports in the `outbox` commands: what waits or is dead, why, and what is done about it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watcher.cli.table import Column, Line, cut, printable, table, wrap
from watcher.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from watcher.report.records import Record
    from watcher.store.reports import Issue

#: What an issue's id begins with.
PREFIX = "rpt_"
_STYLES = {"dead": "red", "pending": "yellow"}


def parted(ids: Sequence[str] | None) -> tuple[list[str] | None, list[str] | None]:
    """Ids of notifications and of reports; `None` twice where none are given, which means all."""
    if not ids:
        return None, None
    return [id_ for id_ in ids if not _is_report(id_)], [id_ for id_ in ids if _is_report(id_)]


def _is_report(id_: str) -> bool:
    return id_.startswith(PREFIX) or (bool(id_) and PREFIX.startswith(id_))


def load(
    tx: "Connection", ids: Sequence[str] | None, states: Sequence[str] = ("pending", "dead"), *, of_any: bool = False
) -> "tuple[Issue, ...]":
    """Issues in some states; of these, or of any state, those that are meant by ids or their beginnings.

    Raises:
        Refused: one means none, or several.
    """
    from watcher.store import reports

    if ids is None:
        return reports.listed(tx, states=states)
    known, meant = reports.ids_like(tx, ids), []
    if not of_any:
        known = tuple(one.id for one in reports.listed(tx, states=states) if one.id in known)
    for text in ids:
        found = [id_ for id_ in known if id_ == text] or [id_ for id_ in known if id_.startswith(text)]
        if not found:
            what = "is the id of no report" if of_any else "is no report that waits or is dead"
            raise Refused(f"{text} {what}: see `watcher outbox list --all`")
        if len(found) > 1:
            raise Refused(f"{text} is the beginning of {' and '.join(found[:3])}: write more of it", code=2)
        meant += found
    return reports.listed(tx, ids=meant) if meant else ()


def change(tx: "Connection", ids: Sequence[str], action: str, *, author: str, comment: str, now: datetime) -> int:
    """Retry or drop issues; returns how many were waiting or dead."""
    from watcher.store import alerts, reports

    for id_ in ids:
        alerts.record(tx, author=author, action=f"outbox.{action}", subject=id_, comment=comment, now=now)
    return (reports.retry if action == "retry" else reports.drop)(tx, ids, now=now)


def record(one: "Issue") -> "Record":
    from watcher.rules.text import rfc3339

    return {
        "id": one.id,
        "report": one.name,
        "edition": one.edition,
        "receiver": one.receiver,
        "period": one.period_name,
        "period_begin": rfc3339(one.begin),
        "period_end": rfc3339(one.end),
        "scheduled_at": rfc3339(one.as_of),
        "state": one.state,
        "due_at": rfc3339(one.due_at) if one.state == "pending" else None,
        "ended_at": rfc3339(one.ended_at),
        "attempts": one.attempts,
        "last_error": one.last_error or None,
        "may_have_arrived": one.is_uncertain,
    }


def listing(found: "Sequence[Issue]", now: datetime, width: int) -> Iterator[Line]:
    """A row for each, what it is, and why it did not arrive; nothing where there is none."""
    from watcher.cli.wording import ahead, past

    if not found:
        return
    yield ()
    yield (("Reports", "bold"),)
    columns = [
        Column("ID", 28, is_id=True),
        Column("RECEIVER", 8),
        Column("STATE", 9),
        Column("SCHEDULED", 6, is_whole=True),
        Column("TRIES", 5, is_number=True),
        Column("NEXT", 4, is_whole=True),
    ]
    rows: list[list[Any]] = []
    for one in found:
        state = "waiting" if one.state == "pending" else one.state
        due = "" if one.state != "pending" else "now" if one.due_at <= now else ahead(one.due_at, now)
        style = _STYLES.get(one.state, "")
        rows.append([one.id, one.receiver, (state, style), past(one.as_of, now), str(one.attempts), due])
    head, *lines = table(columns, rows, width)
    yield head
    for line, one in zip(lines, found, strict=True):
        yield line
        about = f"{one.name}, {one.edition}: {one.begin:%Y-%m-%d %H:%M} to {one.end:%Y-%m-%d %H:%M} UTC"
        yield ((f"  {cut(printable(about), width - 2, keeps_end=False)}", "dim"),)
        if one.last_error:
            yield from wrap(one.last_error, width, indent=2, style=_STYLES.get(one.state, "dim"))
        if one.is_uncertain and one.state != "delivered":
            yield from wrap("it may have arrived all the same: no answer came to a try", width, indent=2)
