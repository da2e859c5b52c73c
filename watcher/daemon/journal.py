"""The lines of the log about what was recorded: transitions, alerts, and one canonical line a poll."""

import structlog

from watcher.alerts.alert import Alert
from watcher.cycles import Recorded

log = structlog.get_logger()


def log_recorded(recorded: Recorded, *, duration_s: float) -> None:
    """One canonical line a poll, and one for each transition and alert."""
    log_news(recorded)
    log.info(
        "poll.completed",
        duration_s=duration_s,
        transitions=len(recorded.transitions),
        alerts=len(recorded.alerts),
        gaps=[f"{gap.section}: {gap.reason}" for gap in recorded.gaps] or None,
    )


def log_news(recorded: Recorded) -> None:
    """One line for each transition and alert."""
    for transition in recorded.transitions:
        if not transition.is_history:
            log.info(
                "transition.recorded",
                kind=transition.kind.value,
                resource=transition.name,
                attribute=transition.attribute,
                before=transition.before,
                after=transition.after,
                change=transition.change.value,
            )
    for alert in recorded.alerts:
        log_alert(alert)


def log_alert(alert: Alert) -> None:
    """An alert fired, changed or resolved."""
    event = (
        "alert.resolved"
        if alert.ends_at
        else ("alert.fired" if alert.starts_at == alert.updated_at else "alert.changed")
    )
    log.info(
        event,
        alert=alert.id,
        rule=alert.finding.rule,
        severity=alert.severity.value,
        fingerprint=alert.fingerprint,
        summary=alert.finding.summary,
        because=alert.ended_because or None,
    )
