"""Several notifications for one receiver as one: what they would have said, told once, in its newest state.

For what waits in the outbox while its channel takes nothing, or takes it more slowly than it comes. Only what was
certainly never delivered may be merged; whoever merges sees to that.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, reason_of

_COUNTED = re.compile(r"(\d+) messages in one: ")


def merge(notifications: Sequence[Notification], *, because: str) -> Notification:
    """One notification in place of several, in the order in which they were decided; an alert stands in it once.

    Its id is the same for the same notifications. An alert of which the receiver was to hear first that it fires and
    then that it is over is resolved and marked as untold. One whose end another stands for is left out, as that says
    it all.

    Args:
        notifications: For one receiver; at least one.
        because: Why they are one: ends the note that says of how many messages it is made.
    """
    receiver = notifications[0].receiver
    if any(one.receiver != receiver for one in notifications):
        raise ValueError("notifications for different receivers do not merge")
    covers = {alert.id: alert for one in notifications for alert in one.covers}
    entries: dict[str, NotificationAlert] = {}
    for one in notifications:
        for entry in one.alerts:
            entries[entry.alert.id] = _later(entries.get(entry.alert.id), entry)
    kept = sorted((e for e in entries.values() if e.alert.id not in covers), key=lambda e: _loudness(e.alert))
    last = notifications[-1]
    return Notification(
        id=merged_id([one.id for one in notifications]),
        receiver=receiver,
        route=_common([one.route for one in notifications], last.route),
        group_key=_common([one.group_key for one in notifications], last.group_key),
        group_labels=_shared([one.group_labels for one in notifications]),
        reason=reason_of([entry.reason for entry in kept]),
        alerts=tuple(kept),
        covers=tuple(covers.values()),
        created_at=max(one.created_at for one in notifications),
        notes=_notes(notifications, because),
    )


def merged_id(ids: Iterable[str]) -> str:
    """The id of what these notifications become together."""
    return "ntf_" + hashlib.sha256("\x1f".join(("merged", *sorted(ids))).encode()).hexdigest()[:24]


def _later(before: NotificationAlert | None, entry: NotificationAlert) -> NotificationAlert:
    """What is told of an alert of which first `before` was to be told, and then `entry`."""
    if before is None:
        return entry
    note = "; ".join(dict.fromkeys(note for note in (before.note, entry.note) if note))
    is_over = entry.alert.status is AlertStatus.RESOLVED
    return NotificationAlert(
        alert=entry.alert,
        reason=NotifyReason.RESOLVED if is_over else reason_of([before.reason, entry.reason]),
        note=note,
        was_untold=entry.was_untold or before.was_untold or (is_over and before.reason is NotifyReason.FIRING),
    )


def _loudness(alert: Alert) -> tuple[int, object, str]:
    return (-alert.severity.rank, alert.starts_at, alert.id)


def _common(values: Sequence[str], otherwise: str) -> str:
    return values[0] if len(set(values)) == 1 else otherwise


def _shared(labels: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *rest = labels
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in rest)}


def _notes(notifications: Sequence[Notification], because: str) -> tuple[str, ...]:
    count = 0
    notes: dict[str, None] = {}
    for one in notifications:
        counted = [match for match in map(_COUNTED.match, one.notes) if match]
        count += int(counted[0][1]) if counted else 1  # it may itself be made of several
        notes.update(dict.fromkeys(note for note in one.notes if not _COUNTED.match(note)))
    return (*notes, f"{count} messages in one: {because}")
