"""A marked sample of what a rule would send, for `watcher notify test`. Pure; nothing in it is real."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert, open_alert
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason
from watcher.notify.message import SAMPLE_PREFIX
from watcher.notify.wording import rfc3339
from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Finding, FindingKind, Severity, Subject

_ACCOUNT = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ml"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-ft"
)
_PORTAL = f"https://portal.azure.com/#@/resource{_ACCOUNT}/overview"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    kind: FindingKind
    severity: Severity
    summary: str
    action: str
    about: ResourceKind
    step: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


_EVENT, _CONDITION = FindingKind.EVENT, FindingKind.CONDITION
_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
_DEPLOYMENT, _JOB = ResourceKind.DEPLOYMENT, ResourceKind.JOB
_CALL = (
    "To keep it, send it one inference request; otherwise delete it.\n"
    'curl "https://contoso-ft.openai.azure.com/openai/v1/chat/completions" -H "api-key: $KEY" '
    '-d \'{"model": "support-bot", "messages": [{"role": "user", "content": "ping"}], "max_completion_tokens": 1}\''
)
_LOOK = "Look at the job's events and its training file.\nwatcher explain ftjob-0123456789abcdef"
_DEPLOY = (
    "Deploy the model, or delete it.\naz cognitiveservices account deployment create -g ml -n contoso-ft "
    "--deployment-name support-bot --model-name gpt-4.1-mini.ft-0123456789abcdef --model-format OpenAI "
    "--model-version 1 --sku-name Standard --sku-capacity 1"
)


def _event(severity: Severity, about: ResourceKind, summary: str, action: str, **labels: str) -> _Text:
    return _Text(kind=_EVENT, severity=severity, summary=summary, action=action, about=about, labels=labels)


def _condition(severity: Severity, about: ResourceKind, summary: str, action: str, step: str = "") -> _Text:
    return _Text(kind=_CONDITION, severity=severity, summary=summary, action=action, about=about, step=step)


_ACCOUNT_KIND = ResourceKind.ACCOUNT
_TEXTS: Mapping[str, _Text] = {
    "job_succeeded": _event(_INFO, _JOB, "ftjob-0123456789abcdef has succeeded", _DEPLOY),
    "job_cancelled": _event(_INFO, _JOB, "ftjob-0123456789abcdef was cancelled", "Nothing, if that was meant."),
    "job_failed": _event(_WARNING, _JOB, "ftjob-0123456789abcdef has failed: invalid training file", _LOOK),
    "job_rai_data_failed": _event(
        _WARNING,
        _JOB,
        "the training data of ftjob-0123456789abcdef failed the RAI checks: violence",
        _LOOK,
        harm_types="violence",
    ),
    "job_rai_model_failed": _event(
        _WARNING,
        _JOB,
        "the model of ftjob-0123456789abcdef scored above the RAI thresholds: hate_fairness",
        _LOOK,
        harm_types="hate_fairness",
    ),
    "job_paused": _condition(
        _WARNING, _JOB, "ftjob-0123456789abcdef is paused at its spending cap", "Resume it or cancel it."
    ),
    "job_stalled": _condition(_WARNING, _JOB, "ftjob-0123456789abcdef has been running for 26 h", _LOOK),
    "job_overfitting": _condition(_INFO, _JOB, "ftjob-0123456789abcdef overfits since step 300", _LOOK),
    "job_cost": _condition(_WARNING, _JOB, "ftjob-0123456789abcdef has cost 412.00 USD of its 500.00 USD", _LOOK),
    "deployment_idle": _condition(
        _WARNING, _DEPLOYMENT, "support-bot in contoso-ft is deleted in 2 d 23 h", _CALL, "3d"
    ),
    "deployment_expiring": _condition(_INFO, _DEPLOYMENT, "support-bot in contoso-ft expires in 4 h", _DEPLOY, "4h"),
    "deployment_paused": _condition(_INFO, _DEPLOYMENT, "support-bot in contoso-ft is paused for 1 d 2 h", _CALL),
    "deployment_failed": _condition(_WARNING, _DEPLOYMENT, "support-bot in contoso-ft failed provisioning", _DEPLOY),
    "deployment_gone": _event(
        _WARNING, _DEPLOYMENT, "support-bot in contoso-ft is gone: likely idle for 15 d", _DEPLOY
    ),
    "model_retiring": _condition(
        _WARNING, _DEPLOYMENT, "gpt-4.1-mini retires in 30 d", "Fine-tune a newer base model."
    ),
    "account_unreachable": _condition(
        _WARNING, _ACCOUNT_KIND, "contoso-ft does not answer", "Check its network rules."
    ),
    "account_forbidden": _condition(
        _WARNING, _ACCOUNT_KIND, "watcher may not read the jobs of contoso-ft", "Assign the role.\nwatcher permissions"
    ),
    "delivery_failing": _condition(
        _CRITICAL, ResourceKind.WATCHER, "the receiver ml-slack takes no messages", "See why.\nwatcher outbox list"
    ),
}


def sample(rule: str = "deployment_idle", *, receiver: str, now: datetime) -> Notification:
    """A sample for `receiver`, as if `rule` had just fired; a rule without a text of its own gets a general one.

    Its id begins with `SAMPLE_PREFIX`, by which title, text and payload are marked as a test.
    """
    text = _TEXTS.get(rule) or _condition(_INFO, _ACCOUNT_KIND, f"a sample of {rule} for contoso-ft", "Nothing.")
    alert = _alert(rule, text, now)
    digest = hashlib.sha256(f"{rule}\x1f{receiver}\x1f{now.isoformat()}".encode()).hexdigest()[:19]
    return Notification(
        id=SAMPLE_PREFIX + digest,
        receiver=receiver,
        route="",
        group_key=f"test:{receiver}:{rule}",
        group_labels={"rule": rule},
        reason=NotifyReason.FIRING,
        alerts=(NotificationAlert(alert=alert, reason=NotifyReason.FIRING),),
        created_at=now,
    )


def _alert(rule: str, text: _Text, now: datetime) -> Alert:
    labels = {
        "cloud": "public",
        "account": "contoso-ft",
        "subscription": "00000000-0000-0000-0000-000000000000",
        "resource_group": "ml",
        "location": "swedencentral",
        "owner": "search-team",
        **text.labels,
    }
    values: dict[str, str | float | int | None] = {}
    subject = Subject(id=f"{_ACCOUNT.lower()}/sample", kind=text.about, incarnation="sample")
    if text.about is _DEPLOYMENT:
        labels |= {"deployment": "support-bot", "model": "gpt-4.1-mini.ft-0123456789abcdef", "sku": "Standard"}
    if text.about is _JOB:
        labels |= {"job": "ftjob-0123456789abcdef", "model": "gpt-4.1-mini"}
    if rule == "deployment_idle":
        left = timedelta(days=2, hours=23)
        values = {
            "idle_since": rfc3339(now + left - timedelta(days=15)),
            "deletion_earliest": rfc3339(now + left),
            "deletion_latest": rfc3339(now + left),
            "hosting_per_hour": 1.7,
            "idle_cost": 491.3,
            "cost_until_deletion": 120.7,
            "currency": "USD",
        }
    finding = Finding(
        rule=rule,
        kind=text.kind,
        severity=text.severity,
        subject=subject,
        labels=labels,
        summary=text.summary,
        description="A sample: these names and numbers are invented.",
        action=text.action,
        evidence="none: this is a test",
        values=values,
        links={"portal": _PORTAL},
        step=text.step,
    )
    return open_alert(finding, account="", now=now)
