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
from watcher.resources.deployment import Deployment, Usage, is_fine_tuned
from watcher.resources.snapshot import Reading
from watcher.rules.idle_clock import IdleClock, idle_clock
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.rule import View
from watcher.rules.sight import Unread, unread_deployment, unread_usage
from watcher.rules.text import moment

#: Alerts that count down to a deletion.
COUNTDOWN_RULES = frozenset({"deployment_idle", "deployment_expiring"})

#: Without an alert, a deployment counts as at risk when its deletion may come within this.
NEAR = timedelta(days=7)

#: Metrics that end longer ago than this (and one bucket) say nothing of the present.
STALE_AFTER = timedelta(hours=3)


#: Azure's own, where the configuration names no others.
_USUAL = Lifetimes()


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
    doubts: tuple[str, ...] = ()  #: what puts the latest time off, or keeps it from being named
    lifetime: timedelta | None = None  #: what is added to what dates the clock
    expires: bool = False  #: deleted for its age, called or not; else for idleness
    clock: IdleClock | None = None  #: as worked out, whether or not it can be relied on
    is_bounded: bool = False  #: idle since `idle_since` at the latest: what was called before was not read
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
    lifetimes: Lifetimes = _USUAL,
    running_since: datetime | None = None,
    view: View | None = None,
) -> Standing:
    """How a living deployment stands.

    Args:
        reading: Of its account.
        alert: Its firing countdown, from `countdowns`.
        custom_models: Names of models that recorded jobs have made.
        lifetimes: As the rules have them.
        running_since: Of one that was seen paused in this life: when it was seen to run again.
        view: Of that reading, where it is at hand.
    """
    usage = (reading.usage or {}).get(deployment.name.lower())
    if not is_fine_tuned(deployment.model, custom_models):
        return Standing(risk=Risk.EXEMPT, is_fine_tuned=False, usage=usage)
    view = view or View(now=now, reading=reading)
    expiry, idle = lifetimes.expiry_of(deployment), lifetimes.idle_of(deployment)
    ends = [] if expiry is None else [_by_age(view, deployment, expiry)]
    ends += [] if idle is None else [_by_idleness(view, deployment, usage, idle, running_since)]
    if not ends:
        basis = f"the configuration says that Azure never deletes deployments of SKU {deployment.sku or 'unknown'}"
        return Standing(risk=Risk.EXEMPT, is_fine_tuned=True, usage=usage, basis=basis)
    end = min(ends, key=lambda one: (one.earliest is None, one.earliest or now))
    if alert is not None or (end.is_near and end.earliest is not None and end.unread is None):
        risk = Risk.AT_RISK
    elif end.earliest is None or end.is_near:
        risk = Risk.UNKNOWN
    else:
        risk = Risk.SAFE
    undated = "" if end.unread or end.earliest is not None else "neither its creation nor any call is known"
    is_dated = risk is not Risk.UNKNOWN  # what was not read is no idleness, and dates nothing
    return Standing(
        risk=risk,
        is_fine_tuned=True,
        deletion_earliest=end.earliest if is_dated else None,
        deletion_latest=end.latest if is_dated else None,
        left=end.left if is_dated else None,
        idle_since=end.idle_since if is_dated else None,
        usage=usage,
        basis=end.basis,
        doubts=end.doubts if is_dated else (),
        lifetime=end.lifetime,
        expires=end.expires,
        clock=ends[-1].clock,
        is_bounded=is_dated and end.is_bounded,
        unknown_because=end.unread.because if end.unread else undated,
        unknown_since=end.unread.since if end.unread else None,
        alert=alert,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """What one of the two clocks says."""

    lifetime: timedelta
    expires: bool
    earliest: datetime | None
    latest: datetime | None = None
    left: timedelta | None
    idle_since: datetime | None = None
    clock: IdleClock | None = None
    basis: str
    doubts: tuple[str, ...] = ()
    is_bounded: bool = False
    is_near: bool
    unread: Unread | None


def _by_age(view: View, deployment: Deployment, lifetime: timedelta) -> _End:
    created = deployment.created_at
    earliest = created + lifetime if created else None
    return _End(
        lifetime=lifetime,
        expires=True,
        earliest=earliest,
        left=max(earliest - view.now, timedelta()) if earliest else None,
        basis=f"created {moment(created)}" if created else "",
        is_near=earliest is None or earliest - view.now <= NEAR,
        unread=unread_deployment(view, deployment),
    )


def _by_idleness(
    view: View, deployment: Deployment, usage: Usage | None, lifetime: timedelta, running_since: datetime | None
) -> _End:
    running_since = None if deployment.is_paused else running_since
    clock = idle_clock(deployment, usage, lifetime, running_since=running_since)
    is_near = clock is not None and clock.deletion_earliest - view.now <= NEAR
    # Far from its deletion the calls are read seldom, and that is no doubt: a later call only puts it off.
    stale_after = STALE_AFTER if is_near else timedelta(days=400)
    return _End(
        lifetime=lifetime,
        expires=False,
        earliest=clock.deletion_earliest if clock else None,
        latest=clock.deletion_latest if clock else None,
        left=clock.left(view.now) if clock else None,
        clock=clock,
        idle_since=clock.idle_since if clock and usage is not None else None,
        basis=clock.basis if clock else "",
        doubts=clock.doubts if clock else (),
        is_bounded=clock is not None and clock.is_bounded,
        is_near=is_near,
        unread=unread_deployment(view, deployment) or unread_usage(view, deployment, stale_after),
    )
