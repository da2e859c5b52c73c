"""A notification: some alerts for one receiver, with the reason why it is told now."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from watcher.alerts.alert import Alert, AlertStatus
from watcher.rules.finding import Severity


class NotifyReason(StrEnum):
    """Why a receiver is told. Where the alerts of one notification differ, the first of this order stands for it."""

    FIRING = "firing"
    SEVERITY_RAISED = "severity_raised"
    REMINDER = "reminder"
    RESOLVED = "resolved"


_ORDER = tuple(NotifyReason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One receiver was told of one alert. The newest row of an alert and receiver is what the receiver knows."""

    alert_id: str
    receiver: str
    status: AlertStatus
    severity: Severity
    step: str
    at: datetime
    notification_id: str  #: "" where the notification of another alert stood for this one
    group_key: str
    route: str
    is_lost: bool = False  #: as far as is known when it is read: the notification was given up, and never arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAlert:
    """One alert inside a notification, with its own reason."""

    alert: Alert
    reason: NotifyReason
    note: str = ""  #: one line about this telling: that it escalates, that the alert comes and goes, that it was over
    was_untold: bool = False  #: it is resolved, and the receiver never heard that it fired


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One group for one receiver."""

    id: str  #: stable over retries, so that receivers can drop repeats
    receiver: str
    route: str  #: path of the route in the tree, for `explain`: "route", "route.routes[0]", …
    group_key: str
    group_labels: Mapping[str, str]
    reason: NotifyReason
    alerts: tuple[NotificationAlert, ...]  #: loudest first
    covers: tuple[Alert, ...] = ()  #: resolved alerts that this notification stands for, without naming them
    created_at: datetime
    notes: tuple[str, ...] = ()  #: lines about the whole: for whom it stands in, of how many messages it is made
    #: By alert id what this receiver's notifier called its first message about it (see `Receipt.reference`); known once
    #: the notification is claimed, and no part of what was decided.
    earlier: Mapping[str, str] = field(default_factory=dict)
    #: By such a name, where this tells an end: what was told first in that message and is over. Known then too.
    under: Mapping[str, tuple[Alert, ...]] = field(default_factory=dict)


def reason_of(reasons: Sequence[NotifyReason]) -> NotifyReason:
    """The one reason of a notification whose alerts have several: resolved only if all are."""
    return min(reasons, key=_ORDER.index)


def notification_id(receiver: str, alerts: Sequence[NotificationAlert], created_at: datetime) -> str:
    """`ntf_` and 24 hex digits, equal for the same decision taken twice."""
    told = sorted(f"{a.alert.id}:{a.reason}:{a.alert.severity}:{a.alert.finding.step}" for a in alerts)
    text = "\x1f".join((receiver, created_at.isoformat(), *told))
    return "ntf_" + hashlib.sha256(text.encode()).hexdigest()[:24]
