"""How each deployment stands against Azure's clocks: at risk, safe for now, exempt, or not known. Pure.

Never "idle" from absence: where the calls could not be read, a deployment is safe only as far as its last evidence says
so, since later calls can but push its deletion away; beyond that it is unknown, and the reason is told. The arithmetic
is the rules' own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watcher.alerts.alert import Alert, AlertStatus
from watcher.resources.deployment import Deployment, SkuKind, Usage, is_fine_tuned
from watcher.resources.snapshot import Reading
from watcher.rules.deployments import DEVELOPER_LIFETIME
from watcher.rules.idle_clock import IdleClock, idle_clock
from watcher.rules.rule import View
from watcher.rules.sight import unread_deployment, unread_usage

#: Alerts that count down to a deletion.
COUNTDOWN_RULES = frozenset({"deployment_idle", "deployment_expiring"})

#: Without an alert, a deployment counts as at risk when its deletion may come within this.
NEAR = timedelta(days=7)

#: Metrics that end longer ago than this (and one bucket) say nothing of the present.
STALE_AFTER = timedelta(hours=3)


class Risk(StrEnum):
    """Whether Azure will delete it soon."""

    AT_RISK = "at_risk"
    UNKNOWN = "unknown"  #: what is needed to say was not read
    SAFE = "safe"  #: for longer than `NEAR`
    EXEMPT = "exempt"  #: a base model: never deleted for idleness


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one living deployment's end."""

    risk: Risk
    is_fine_tuned: bool
    deletion_earliest: datetime | None = None
    deletion_latest: datetime | None = None
    left: timedelta | None = None  #: until the deletion may come; zero: at any moment; negative: it is overdue
    idle_since: datetime | None = None
    usage: Usage | None = None
    basis: str = ""  #: what dates the clock, in words
    unknown_because: str = ""  #: also of an alert: what it rests on could not be read since
    unknown_since: datetime | None = None
    alert: Alert | None = None


def countdowns(alerts: Sequence[Alert]) -> Mapping[tuple[str, str], Alert]:
    """The firing countdown of each life of a deployment, by key and incarnation."""
    found: dict[tuple[str, str], Alert] = {}
    for alert in alerts:
        if alert.finding.rule in COUNTDOWN_RULES and alert.status is AlertStatus.FIRING:
            subject = alert.finding.subject
            found.setdefault((subject.id.lower(), subject.incarnation), alert)
    return found


def stand(
    deployment: Deployment,
    reading: Reading,
    *,
    alert: Alert | None,
    custom_models: Collection[str],
    now: datetime,
) -> Standing:
    """How a living deployment stands.

    Args:
        reading: Of its account.
        alert: Its firing countdown, from `countdowns`.
        custom_models: Names of models that recorded jobs have made.
    """
    usage = (reading.usage or {}).get(deployment.name.lower())
    if not is_fine_tuned(deployment.model, custom_models):
        return Standing(risk=Risk.EXEMPT, is_fine_tuned=False, usage=usage)
    view = View(now=now, reading=reading)
    if deployment.sku_kind is SkuKind.DEVELOPER:
        unread = unread_deployment(view, deployment)
        earliest = deployment.created_at + DEVELOPER_LIFETIME if deployment.created_at else None
        latest, idle_since = None, None
        left = max(earliest - now, timedelta()) if earliest else None
        basis = "a Developer deployment is subject to removal 24 h after its creation" if earliest else ""
        is_near = True
    else:
        unread = unread_deployment(view, deployment) or unread_usage(view, deployment, STALE_AFTER)
        clock = idle_clock(deployment, usage)
        earliest = clock.deletion_earliest if clock else None
        latest = clock.deletion_latest if clock else None
        idle_since = clock.idle_since if clock and usage is not None else None
        left = _left(clock, now) if clock else None
        basis = clock.basis if clock else ""
        is_near = earliest is not None and earliest - now <= NEAR
    if alert is not None or (is_near and earliest is not None and unread is None):
        risk = Risk.AT_RISK
    elif earliest is None or is_near:
        risk = Risk.UNKNOWN
    else:
        risk = Risk.SAFE
    if risk is Risk.UNKNOWN:  # what was not read is no idleness, and dates nothing
        earliest = latest = left = idle_since = None
    undated = "" if unread or earliest is not None else "neither its creation nor any call is known"
    return Standing(
        risk=risk,
        is_fine_tuned=True,
        deletion_earliest=earliest,
        deletion_latest=latest,
        left=left,
        idle_since=idle_since,
        usage=usage,
        basis=basis,
        unknown_because=unread.because if unread else undated,
        unknown_since=unread.since if unread else None,
        alert=alert,
    )


def _left(clock: IdleClock, now: datetime) -> timedelta:
    """Overdue only once the latest time has passed: until then it may come at any moment."""
    latest = clock.deletion_latest
    return latest - now if latest is not None and latest < now else max(clock.left(now), timedelta())
