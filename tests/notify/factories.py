"""Notifications with sane defaults."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from watcher.alerts.alert import Alert, end, open_alert
from watcher.alerts.notification import (
    Notification,
    NotificationAlert,
    NotifyReason,
    notification_id,
    reason_of,
)
from watcher.notify.message import Voice
from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Finding, FindingKind, Severity, Subject

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
VOICE = Voice(watcher="prod", zone=BERLIN, public_url="https://watcher.example.com/")
ACTION = 'To keep it, send it one request.\ncurl "https://contoso-ft.openai.azure.com/openai/v1/chat/completions"'
#: What a hostile colleague may name a deployment or write into a tag.
HOSTILE = (
    "<!channel> *bold* <script>alert(1)</script> @here <@U1> & <https://evil.example|click>\x1b[31m"
    "\r\nBcc: x@evil.example"
)


def make_finding(*, rule="deployment_idle", name="support-bot", severity=Severity.WARNING, **changes) -> Finding:
    defaults = {
        "rule": rule,
        "kind": FindingKind.CONDITION,
        "severity": severity,
        "subject": Subject(id=f"/accounts/contoso-ft/{name}", kind=ResourceKind.DEPLOYMENT, incarnation="1"),
        "labels": {
            "cloud": "public",
            "account": "contoso-ft",
            "subscription": "00000000-0000-0000-0000-000000000000",
            "resource_group": "ml",
            "location": "swedencentral",
            "owner": "search-team",
            "deployment": name,
            "model": "gpt-4.1-mini.ft-1",
            "sku": "Standard",
        },
        "summary": f"{name} in contoso-ft is deleted in 2 d 23 h",
        "description": "No call for 12 d 1 h; Azure deletes idle deployments after 15 d.",
        "action": ACTION,
        "evidence": "metrics of 5 min ago; last call 2026-11-10T07:00:00Z",
        "values": {"deletion_earliest": "2026-11-25T07:00:00Z", "hosting_per_hour": 1.7},
        "links": {"portal": "https://portal.azure.com/#@/resource/x"},
        "step": "3d",
    }
    return Finding(**(defaults | changes))


def make_event(**changes) -> Finding:
    summary = "ftjob-1 has failed: invalid file"
    return make_finding(**({"rule": "job_failed", "kind": FindingKind.EVENT, "step": "", "summary": summary} | changes))


def make_alert(finding=None, *, starts_at=NOW, account="contoso-ft", **changes) -> Alert:
    return replace(open_alert(finding or make_finding(), account=account, now=starts_at), **changes)


def make_notification(*alerts, reason=NotifyReason.FIRING, at=NOW, receiver="hook", **changes) -> Notification:
    told = tuple(
        one if isinstance(one, NotificationAlert) else NotificationAlert(alert=one, reason=reason)
        for one in alerts or (make_alert(),)
    )
    notification = Notification(
        id=notification_id(receiver, told, at),
        receiver=receiver,
        route="route",
        group_key="hook:route:deployment_idle",
        group_labels={"rule": "deployment_idle", "account": "contoso-ft"},
        reason=reason_of([one.reason for one in told]),
        alerts=told,
        created_at=at,
    )
    return replace(notification, **changes)


def make_resolved(
    *, lasted=timedelta(days=3, hours=2), because="it was called again at 2026-11-22T07:58:00Z"
) -> Notification:
    alert = end(make_alert(starts_at=NOW - lasted), now=NOW, because=because)
    return make_notification(alert, reason=NotifyReason.RESOLVED)


def make_flood(count: int, **changes) -> Notification:
    return make_notification(*(make_alert(make_finding(name=f"bot-{n}", **changes)) for n in range(count)))


def make_hostile(text: str = HOSTILE) -> Notification:
    """Everything that comes from outside is `text`."""
    finding = make_finding(
        name=text,
        summary=f"{text} is deleted",
        description=text,
        action=f"{text}\n{text}",
        evidence=text,
        links={"portal": f"https://portal.azure.com/{text}", "x": "javascript:alert(1)"},
    )
    finding = replace(finding, labels=dict.fromkeys(finding.labels, text))
    return make_notification(make_alert(finding, unverified_since=NOW, unverified_because=text))
