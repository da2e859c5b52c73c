"""An alert's summary as of now. What is stored names times alone, and so never ages; how far they are is added here.

"… will be deleted at 2026-11-25 08:00 UTC unless …"  →  "… will be deleted in 3 d, at 2026-11-25 08:00 UTC unless …"
"… may be deleted from 2026-11-25 08:00 UTC unless …" →  "… may be deleted in 3 d, from 2026-11-25 08:00 UTC unless …"
"… has been queued since 2026-11-21 02:00 UTC"        →  "… has been queued for 1 d 6 h, since 2026-11-21 02:00 UTC"

What has gone on is counted no further than it is known, and where that is not up to the present, it is said: "… has had
no call for 1 d 6 h, since 2026-11-21 02:00 UTC (known to 2026-11-22 08:00 UTC)".
"""

from datetime import UTC, datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.rules.finding import Finding
from watcher.rules.text import duration, moment

#: The values whose times a summary may name, after "at" or "from", and after "since".
_TO_COME = "deletion_earliest"
CALLED = "idle_since"
_BEGAN = ("since", "paused_since", CALLED)
#: What was known so shortly before now is known now.
_PRESENT = timedelta(minutes=1)
_NOBODY_LOOKED = datetime.min.replace(tzinfo=UTC)


def summary_at(alert: Alert, now: datetime, *, calls_known_to: datetime | None = None) -> str:
    """The summary, with how far its time is from `now`; as it is where it names none of those times.

    Args:
        calls_known_to: When the metrics end on which it rests that nobody calls something; `None`: nobody has looked.
            An alert that is verified does not tell, as metrics rest for hours: how long it was so is left out then.
    """
    finding, summary = alert.finding, alert.finding.summary
    ends_at = _time(finding, _TO_COME)
    if ends_at is not None and ends_at > now:
        for before in ("at", "from"):
            time = f"{before} {moment(ends_at)}"
            summary = _instead(summary, time, f"in {duration(ends_at - now)}, {time}")
    for key in _BEGAN:
        since = _time(finding, key)
        known_to = alert.unverified_since or now
        if key == CALLED:
            known_to = calls_known_to or alert.unverified_since or _NOBODY_LOOKED
        known_to = min(known_to, now)
        if since is not None and since < known_to:
            time = f"since {moment(since)}"
            known = "" if now - known_to < _PRESENT else f" (known to {moment(known_to)})"
            summary = _instead(summary, time, f"for {duration(known_to - since)}, {time}{known}")
    return summary


def _instead(summary: str, time: str, words: str) -> str:
    return summary.replace(f" {time}", f" {words}", 1)


def _time(finding: Finding, key: str) -> datetime | None:
    value = finding.values.get(key)
    return datetime.fromisoformat(value) if isinstance(value, str) else None
