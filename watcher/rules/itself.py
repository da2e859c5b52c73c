"""Findings about `watcher` itself, made by whoever meets the trouble rather than by a rule that looks for it."""

from datetime import datetime

from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Finding, FindingKind, Severity, Subject
from watcher.rules.text import moment

CONFIGURATION_REJECTED = "configuration_rejected"


def configuration_rejected(problem: str, path: str, now: datetime) -> Finding:
    """That a reload was refused and the old configuration stays in force; one subject, so one alert.

    Args:
        problem: What is wrong, without any value that may be secret; may have several lines.
        path: The configuration file.
    """
    lines = problem.strip().splitlines() or ["it could not be read"]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return Finding(
        rule=CONFIGURATION_REJECTED,
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=Subject(id="configuration", kind=ResourceKind.WATCHER),
        labels={},
        summary=f"The configuration {path} was refused: {lines[0]}{more}",
        description="\n".join((*lines, "The configuration in force before stays in force.")),
        action=f"Mend it, try it with `watcher check-config --config {path}`, and reload again (SIGHUP).",
        evidence=f"read {moment(now)}",
        occurred_at=now,
    )
