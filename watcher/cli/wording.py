"""How tables say things: styles, and times seen from now."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher.cli.table import Piece
from watcher.rules.finding import Severity
from watcher.rules.text import ago, duration

if TYPE_CHECKING:
    from watcher.report.standing import Standing
    from watcher.resources.fine_tuning import FineTuningJob

SEVERITY_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
JOB_STYLES = {"failed": "red", "succeeded": "green", "running": "cyan", "paused": "yellow"}

UNKNOWN = "unknown"


def severity(value: Severity) -> Piece:
    """A severity, coloured."""
    return value.value, SEVERITY_STYLES[value]


def past(at: datetime | None, now: datetime, *, missing: str = UNKNOWN) -> str:
    """`12 min ago`, in the largest unit alone; or in words that it is not known."""
    if at is None:
        return missing
    words = ago(at, now).split()
    return " ".join(words) if len(words) <= 3 else f"{words[0]} {words[1]} ago"


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
    return (f"overdue by {duration(-left)}" if left else "at any moment"), style
