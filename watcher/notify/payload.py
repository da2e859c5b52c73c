"""The body of a webhook: contract section 4, `version` 1. Pure.

Beyond the contract's keys: `test` (a sample), `notes` (lines about the whole: of how many messages it is made),
`covers` (ended alerts that this notification stands for), and for each alert `id`, `kind`, `reason`, `occurred_at`,
`ended_because`, `unverified_since`, `note` (one line about this telling) and `was_untold` (it is over, and nobody here
heard that it fired). Keys are never absent; times are RFC 3339 in UTC with `Z`; texts are cleaned of control characters
and not escaped.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification, NotificationAlert
from watcher.notify.message import is_sample, links_of, outcome
from watcher.notify.wording import clean, fit, one_line, rfc3339, shorten

VERSION = 1
ALERTS_LIMIT = 100
BYTES_LIMIT = 256 * 1024
TEXT_LIMIT = 8000
WORD_LIMIT = 1000

Json = Mapping[str, object]


def payload(
    notification: Notification, *, watcher: str, public_url: str, now: datetime, alerts_limit: int = ALERTS_LIMIT
) -> dict[str, object]:
    """The payload as values that JSON knows; alerts beyond `alerts_limit` are only counted."""
    told = notification.alerts[:alerts_limit]
    return {
        "version": VERSION,
        "id": notification.id,
        "watcher": watcher,
        "receiver": notification.receiver,
        "sent_at": rfc3339(now),
        "test": is_sample(notification),
        "reason": notification.reason.value,
        "notes": [_word(note) for note in notification.notes],
        "group": {name: _word(value) for name, value in notification.group_labels.items()},
        "alerts": [_alert(one, public_url) for one in told],
        "covers": [_covered(alert) for alert in notification.covers[:ALERTS_LIMIT]],
        "omitted": len(notification.alerts) - len(told),
    }


def encode(notification: Notification, *, watcher: str, public_url: str, now: datetime) -> bytes:
    """The payload as JSON in UTF-8, at most `BYTES_LIMIT` long; `omitted` counts the alerts that did not fit."""
    count = min(len(notification.alerts), ALERTS_LIMIT)
    while True:
        value = payload(notification, watcher=watcher, public_url=public_url, now=now, alerts_limit=count)
        body = msgspec.json.encode(value)  # a quarter of what `json` takes
        if len(body) <= BYTES_LIMIT or count == 0:
            return body
        # In proportion first, so that a flood takes few rounds, then one by one.
        count = min(count - 1, count * BYTES_LIMIT // len(body))


def _alert(told: NotificationAlert, public_url: str) -> Json:
    alert, finding = told.alert, told.alert.finding
    return {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "reason": told.reason.value,
        "note": _word(told.note),
        "was_untold": told.was_untold,
        "rule": finding.rule,
        "kind": finding.kind.value,
        "severity": alert.severity.value,
        "starts_at": rfc3339(alert.starts_at),
        "ends_at": _time(alert.ends_at),
        "ended_because": one_line(alert.ended_because),
        "occurred_at": _time(finding.occurred_at),
        "unverified_since": _time(alert.unverified_since),
        "labels": {name: _word(value) for name, value in alert.labels.items()},
        "annotations": _annotations(alert),
        "values": {name: plain_value(value) for name, value in finding.values.items()},
        "links": {"watcher": "", "portal": "", **links_of(alert, public_url)},
    }


def _annotations(alert: Alert) -> Json:
    """The texts; of what is over only how it ended: what was said while it fired is true no longer."""
    finding = alert.finding
    summary = one_line(finding.summary)
    if alert.status is AlertStatus.RESOLVED:
        description = fit(f"Until then: {summary}", TEXT_LIMIT)
        return {"summary": _word(outcome(alert, UTC)), "description": description, "action": "", "evidence": ""}
    return {
        "summary": _word(summary),
        "description": fit(clean(finding.description), TEXT_LIMIT),
        "action": fit(clean(finding.action), TEXT_LIMIT),
        "evidence": fit(clean(finding.evidence), TEXT_LIMIT),
    }


def _covered(alert: Alert) -> Json:
    return {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "rule": alert.finding.rule,
        "ends_at": _time(alert.ends_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


def _word(text: str) -> str:
    return shorten(clean(text), WORD_LIMIT)


def plain_value(value: str | float | int | None) -> str | float | int | None:
    """One of a finding's values as JSON can hold it: texts cleaned and cut, no number that JSON does not know."""
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None  # JSON has no such number
    return value
