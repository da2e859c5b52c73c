"""When an event happened, when it was seen, and when its alert was raised: three times that may lie hours apart. Pure.

What is seen may have to wait until it can be judged: for the lines of a job's log, or for Azure's activity log.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert

#: A shorter while between two of them is not told.
_NOTICEABLE = timedelta(minutes=1)
#: The values of a finding that say when it was seen.
_SEEN = ("seen_at", "seen_gone_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimes:
    """Those that differ."""

    seen_at: datetime
    happened_at: datetime | None  #: by the service's word; `None`: that is not known, or is when it was seen
    raised_at: datetime | None  #: `None`: as soon as it was seen


def event_times(alert: Alert) -> EventTimes:
    """The times of an event's alert."""
    values = alert.finding.values
    said = next((at for name in _SEEN if isinstance(at := values.get(name), str) and at), None)
    seen_at = alert.starts_at if said is None else min(datetime.fromisoformat(said), alert.starts_at)
    happened_at = alert.finding.occurred_at
    return EventTimes(
        seen_at=seen_at,
        happened_at=happened_at if happened_at is not None and seen_at - happened_at >= _NOTICEABLE else None,
        raised_at=alert.starts_at if alert.starts_at - seen_at >= _NOTICEABLE else None,
    )
