"""An alert's summary as of now. What is stored names times alone, and so never ages; how far they are is added here.

"… will be deleted at 2026-11-25 08:00 UTC unless …"  →  "… will be deleted in 3 d, at 2026-11-25 08:00 UTC unless …"
"… may be deleted from 2026-11-25 08:00 UTC unless …" →  "… may be deleted in 3 d, from 2026-11-25 08:00 UTC unless …"
"… has been queued since 2026-11-21 02:00 UTC"        →  "… has been queued for 1 d 6 h, since 2026-11-21 02:00 UTC"
"""

from datetime import datetime

from watcher.rules.finding import Finding
from watcher.rules.text import duration, moment

#: The values whose times a summary may name, after "at" or "from", and after "since".
_TO_COME = "deletion_earliest"
_BEGAN = ("since", "paused_since", "idle_since")


def summary_at(finding: Finding, now: datetime) -> str:
    """The summary, with how far its time is from `now`; as it is where it names none of those times."""
    summary = finding.summary
    ends_at = _time(finding, _TO_COME)
    if ends_at is not None and ends_at > now:
        for before in ("at", "from"):
            summary = _beside(summary, f"{before} {moment(ends_at)}", f"in {duration(ends_at - now)}")
    for key in _BEGAN:
        since = _time(finding, key)
        if since is not None and since < now:
            summary = _beside(summary, f"since {moment(since)}", f"for {duration(now - since)}")
    return summary


def _beside(summary: str, time: str, span: str) -> str:
    return summary.replace(f" {time}", f" {span}, {time}", 1)


def _time(finding: Finding, key: str) -> datetime | None:
    value = finding.values.get(key)
    return datetime.fromisoformat(value) if isinstance(value, str) else None
