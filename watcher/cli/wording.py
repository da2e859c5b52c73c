"""How tables say things: styles, sections, and times seen from now."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher.cli.table import Cell, Column, Line, Piece, cut, printable, table
from watcher.rules.finding import Severity
from watcher.rules.text import ago, duration

if TYPE_CHECKING:
    from watcher.report.standing import Standing
    from watcher.resources.fine_tuning import FineTuningJob

SEVERITY_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
JOB_STYLES = {"failed": "red", "succeeded": "green", "running": "cyan", "paused": "yellow"}

UNKNOWN = "unknown"


#: Rows that one section of a screen shows; the rest is counted, and the listings have them all.
MOST = 12


def section(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    width: int,
    *,
    nothing: str,
    more: str = "",
    most: int = MOST,
    below: Sequence[str] = (),
    remark: str = "",
) -> Iterator[Line]:
    """A titled table and an empty line; where there are no rows, one line that says so.

    Args:
        more: The command that shows all of them.
        below: For each row a line that stands under it, cut where it is too long; "" for none.
        remark: Stands after the count.
    """
    if not rows:
        yield ((title, "bold"), (cut(f": {nothing}", max(width - len(title), 0), keeps_end=False), ""))
        yield ()
        return
    yield ((f"{title}: {len(rows)}{remark}", "bold"),)
    head, *lines = table(columns, rows[:most], width, indent=2)
    yield head
    for number, line in enumerate(lines):
        yield line
        if below and below[number]:
            yield (("    " + cut(printable(below[number]), width - 4, keeps_end=False), ""),)
    if len(rows) > most:
        rest = f"  … and {len(rows) - most} more" + (f": watcher {more}" if more else "")
        yield ((cut(rest, width, keeps_end=False), "dim"),)
    yield ()


def severity(value: Severity) -> Piece:
    """A severity, coloured."""
    return value.value, SEVERITY_STYLES[value]


def past(at: datetime | None, now: datetime, *, missing: str = UNKNOWN) -> str:
    """`12 min ago`, in the largest unit alone; or in words that it is not known."""
    if at is None:
        return missing
    words = ago(at, now).split()
    return " ".join(words) if len(words) <= 3 else f"{words[0]} {words[1]} ago"


def lasting(since: datetime | None, now: datetime, *, is_dated: bool = True) -> str:
    """`3 h`; `>= 3 h` where it was only first seen so then."""
    if since is None or is_dated:
        return past(since, now).removesuffix(" ago")
    return f">= {largest(now - since)}"


def ever_since(at: datetime, now: datetime) -> str:
    """`for 8 d`, in the largest unit alone; `since just now`."""
    return f"for {largest(now - at)}" if now - at >= timedelta(minutes=1) else "since just now"


def largest(span: timedelta) -> str:
    """`12 d`: a span in its largest unit alone."""
    return " ".join(duration(span).split()[:2])


def ahead(at: datetime | None, now: datetime, *, missing: str = UNKNOWN) -> str:
    """`in 2 d 3 h`, or `overdue by 3 h`."""
    if at is None:
        return missing
    return f"in {duration(at - now)}" if at > now else f"overdue by {duration(now - at)}"


def eta(job: "FineTuningJob", now: datetime) -> str:
    """When the service expects a job's end; "" where it has ended. The service is often wrong."""
    if job.status.has_ended:
        return ""
    end = job.estimated_finish_at
    if end is None:
        return UNKNOWN
    return f"in {duration(end - now)}" if end > now else f"was {past(end, now)}"


def remaining(standing: "Standing", now: datetime) -> Piece:
    """The time left until a deletion, coloured by how near it is."""
    left = standing.left
    if left is None:
        return UNKNOWN, ""
    style = "bold red" if left <= timedelta(days=1) else "yellow" if left <= timedelta(days=3) else ""
    if left > timedelta():
        return f"in {duration(left)}", style
    return (f"overdue by {largest(-left)}" if left else "at any moment"), style
