"""How tables say things: styles, and times seen from now."""

from datetime import datetime, timedelta

from watcher.cli.table import Piece
from watcher.rules.finding import Severity
from watcher.rules.text import ago, duration

SEVERITY_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
JOB_STYLES = {"failed": "red", "succeeded": "green", "running": "cyan", "paused": "yellow"}

UNKNOWN = "unknown"


def severity(value: Severity) -> Piece:
    """A severity, coloured."""
    return value.value, SEVERITY_STYLES[value]


def past(at: datetime | None, now: datetime, *, missing: str = UNKNOWN) -> str:
    """`12 min ago`, or in words that it is not known."""
    return missing if at is None else ago(at, now)


def ahead(at: datetime | None, now: datetime, *, missing: str = UNKNOWN) -> str:
    """`in 2 d 3 h`, or `overdue by 3 h`."""
    if at is None:
        return missing
    return f"in {duration(at - now)}" if at > now else f"overdue by {duration(now - at)}"


def remaining(at: datetime | None, now: datetime) -> Piece:
    """As `ahead`, coloured by how near it is."""
    style = ""
    if at is not None:
        style = "bold red" if at - now <= timedelta(days=1) else "yellow" if at - now <= timedelta(days=3) else ""
    return ahead(at, now), style
