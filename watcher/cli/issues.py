"""Scheduled reports in the `outbox` commands: what waits or is dead, and why."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watcher.cli.table import Column, Line, cut, printable, table, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.answers.deliveries import IssueRow
    from watcher.store.attempts import Attempt

_STYLES = {"dead": "red", "pending": "yellow"}


def listing(found: "Sequence[IssueRow]", now: datetime, width: int, *, with_tries: bool = False) -> Iterator[Line]:
    """A row for each, what it is, and why it did not arrive or each try; nothing where there is none."""
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
    for one in (row.one for row in found):
        state = "waiting" if one.state == "pending" else one.state
        due = "" if one.state != "pending" else "now" if one.due_at <= now else ahead(one.due_at, now)
        style = _STYLES.get(one.state, "")
        rows.append([one.id, one.receiver, (state, style), past(one.as_of, now), str(one.attempts), due])
    head, *lines = table(columns, rows, width)
    yield head
    for line, row in zip(lines, found, strict=True):
        one = row.one
        yield line
        about = f"{one.name}, {one.edition}: {one.begin:%Y-%m-%d %H:%M} to {one.end:%Y-%m-%d %H:%M} UTC"
        yield ((f"  {cut(printable(about), width - 2, keeps_end=False)}", "dim"),)
        if with_tries:
            yield from tries(row.attempts, width)
        if one.last_error and not (with_tries and row.attempts):
            yield from wrap(one.last_error, width, indent=2, style=_STYLES.get(one.state, "dim"))
        if one.is_uncertain and one.state != "delivered":
            yield from wrap("it may have arrived all the same: no answer came to a try", width, indent=2)


def tries(attempts: "Sequence[Attempt]", width: int) -> Iterator[Line]:
    """When each was, how long it took, and what came of it."""
    from watcher.cli.told import listed
    from watcher.rules.text import moment

    rows = []
    for attempt in attempts:
        kind = "" if attempt.detail.startswith(attempt.kind) else attempt.kind
        outcome = {"retry": "failed", "dead": "failed for good"}.get(attempt.outcome, attempt.outcome)
        text = ": ".join(filter(None, (outcome, kind, attempt.detail)))
        rows.append((moment(attempt.at), f"after {attempt.duration_s:.1f} s, {text}"))
    yield from listed(rows, width)
    if not attempts:
        yield from wrap("not tried yet", width, indent=2)
