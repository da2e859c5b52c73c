"""Keeps: somebody wants a deployment to stay, so advice to save its cost and early warnings are left out until then.

The last warnings come all the same: keeping is a wish, and Azure does not know of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert
from watcher.alerts.step import time_before

#: Advice to save money: none of it is told of a deployment that is kept.
WASTE_RULES = frozenset({"deployment_wasting", "deployment_trickle", "deployment_superseded", "deployment_paused"})

#: Countdowns: of a kept deployment only the last steps are told.
COUNTDOWN_RULES = frozenset({"deployment_idle", "deployment_expiring"})
LAST_STEPS = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """A deployment, by name, is to stay until a time. It carries over to a new life of the name."""

    account: str  #: the account's key, or its label; compares without case
    deployment: str  #: its name; compares without case
    until: datetime
    author: str = ""
    reason: str = ""

    def is_active(self, now: datetime) -> bool:
        return now < self.until

    def concerns(self, alert: Alert) -> bool:
        labels = alert.finding.labels
        # An alert of a rule that spans accounts has none of its own; the deployment's ARM id names it.
        key, _, _ = alert.finding.subject.id.lower().partition("/deployments/")
        accounts = {alert.account.lower(), labels.get("account", "").lower(), key}
        return self.deployment.lower() == labels.get("deployment", "").lower() and self.account.lower() in accounts


def kept_by(alert: Alert, keeps: Sequence[Keep], now: datetime) -> Keep | None:
    """The keep, the longest, for whose sake this alert is not told of now; `None`: it may be told."""
    rule = alert.finding.rule
    if rule not in WASTE_RULES and (rule not in COUNTDOWN_RULES or time_before(alert.finding.step) <= LAST_STEPS):
        return None
    found = (keep for keep in keeps if keep.is_active(now) and keep.concerns(alert))
    return max(found, key=lambda keep: keep.until, default=None)
