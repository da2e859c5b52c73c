"""How each deployment stands against Azure's clocks: at risk, safe for now, exempt, or not known. Pure.

Never "idle" from absence: where the calls could not be read, a deployment is safe only as far as its last evidence says
so, since later calls can but push its deletion away; beyond that it is unknown, and the reason is told. The arithmetic
is the rules' own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.resources.deployment import Deployment, Usage, is_fine_tuned
from watcher.resources.snapshot import Reading
from watcher.rules.idle_clock import IdleClock, idle_clock
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.metrics_pace import STALE_AFTER
from watcher.rules.rule import View
from watcher.rules.sight import Unread, unread_deployment, unread_usage
from watcher.rules.text import moment

#: Without an alert, a deployment counts as at risk when its deletion may come within this.
NEAR = timedelta(days=7)

#: Why nothing dates a deployment of which all could be read, as the end of a sentence.
UNDATED = "neither its creation nor any call is known"

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
    is_assumed: bool = False  #: that idleness ends it at all: neither Azure nor the operator says so
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
    stale_after: timedelta = STALE_AFTER,
    running_since: datetime | None = None,
    view: View | None = None,
) -> Standing:
    """How a living deployment stands.

    Args:
        reading: Of its account.
        alert: Its firing countdown, from `countdowns`.
        custom_models: Names of models that recorded jobs have made.
        lifetimes: As the rules have them.
        stale_after: Near its deletion, metrics that end longer ago than this say nothing of the present.
        running_since: Of one that was seen paused in this life: when it was seen to run again.
        view: Of that reading, where it is at hand.
    """
    usage = (reading.usage or {}).get(deployment.name.lower())
    if not is_fine_tuned(deployment.model, custom_models):
        return Standing(risk=Risk.EXEMPT, is_fine_tuned=False, usage=usage)
    view = view or View(now=now, reading=reading)
    found = deadlines(deployment, usage, lifetimes, running_since=running_since)
    if not found:
        basis = f"the configuration says that Azure never deletes deployments of SKU {deployment.sku or 'unknown'}"
        return Standing(risk=Risk.EXEMPT, is_fine_tuned=True, usage=usage, basis=basis)
    end, clock = nearest(found), found[-1].clock
    unread = end.unread(view, deployment, stale_after)
    if alert is not None:
        risk = Risk.AT_RISK
    elif not end.is_dated(view, deployment, stale_after):
        risk = Risk.UNKNOWN
    else:
        risk = Risk.AT_RISK if end.is_near(now) else Risk.SAFE
    undated = "" if unread or end.earliest is not None else UNDATED
    is_dated = risk is not Risk.UNKNOWN  # what was not read is no idleness, and dates nothing
    return Standing(
        risk=risk,
        is_fine_tuned=True,
        deletion_earliest=end.earliest if is_dated else None,
        deletion_latest=end.latest if is_dated else None,
        left=end.left(now) if is_dated else None,
        idle_since=end.clock.idle_since if is_dated and end.clock and usage is not None else None,
        usage=usage,
        basis=end.basis,
        doubts=end.doubts if is_dated else (),
        lifetime=end.lifetime,
        expires=end.expires,
        clock=clock,
        is_bounded=is_dated and end.clock is not None and end.clock.is_bounded,
        is_assumed=not end.expires and lifetimes.is_assumed(deployment),
        unknown_because=unread.because if unread else undated,
        unknown_since=unread.since if unread else None,
        alert=alert,
    )


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """When Azure deletes a deployment by one of its two clocks."""

    lifetime: timedelta
    created_at: datetime | None
    expires: bool  #: for its age, called or not; else for idleness, by `clock`
    earliest: datetime | None  #: `None`: nothing dates it
    clock: IdleClock | None = None  #: `None`: nothing dates it, or it expires

    @property
    def latest(self) -> datetime | None:
        return self.clock.deletion_latest if self.clock else None

    @property
    def doubts(self) -> tuple[str, ...]:
        return self.clock.doubts if self.clock else ()

    @property
    def basis(self) -> str:
        if self.expires:
            return f"created {moment(self.created_at)}" if self.created_at else ""
        return self.clock.basis if self.clock else ""

    def left(self, now: datetime) -> timedelta | None:
        if self.clock is not None:
            return self.clock.left(now)
        return None if self.earliest is None else max(self.earliest - now, timedelta())

    def is_near(self, now: datetime) -> bool:
        return self.expires if self.earliest is None else self.earliest - now <= NEAR

    def unread(self, view: View, deployment: Deployment, stale_after: timedelta) -> Unread | None:
        """What could not be read of that on which it rests.

        Args:
            stale_after: Near it, metrics that end longer ago (and one bucket) say nothing of the present.
        """
        found = unread_deployment(view, deployment)
        if found is not None or self.expires:
            return found
        # Far from its deletion the calls are read seldom, and that is no doubt: a later call only puts it off.
        return unread_usage(view, deployment, stale_after if self.is_near(view.now) else timedelta(days=400))

    def is_dated(
        self, view: View, deployment: Deployment, stale_after: timedelta, *, is_counted_down: bool = False
    ) -> bool:
        """Whether it is known: what was not read is no idleness, and dates nothing.

        Args:
            is_counted_down: By an alert that fires: that counts on by what was read last, and so does this.
        """
        if self.earliest is None:
            return False
        return is_counted_down or not self.is_near(view.now) or self.unread(view, deployment, stale_after) is None


def deadlines(
    deployment: Deployment, usage: Usage | None, lifetimes: Lifetimes, *, running_since: datetime | None
) -> list[Deadline]:
    """Of a custom deployment: for its age, for idleness, or both; none where the configuration says that it stays."""
    expiry, idle = lifetimes.expiry_of(deployment), lifetimes.idle_of(deployment)
    created, found = deployment.created_at, []
    if expiry is not None:
        earliest = None if created is None else created + expiry
        found.append(Deadline(lifetime=expiry, created_at=created, expires=True, earliest=earliest))
    if idle is not None:
        running_since = None if deployment.is_paused else running_since
        clock = idle_clock(deployment, usage, idle, running_since=running_since)
        earliest = clock.deletion_earliest if clock else None
        found.append(Deadline(lifetime=idle, created_at=created, expires=False, earliest=earliest, clock=clock))
    return found


def nearest(some: Sequence[Deadline]) -> Deadline:
    return some[0] if len(some) == 1 else min(some, key=lambda one: (one.earliest is None, one.earliest or _NEVER))


_NEVER = datetime.max.replace(tzinfo=UTC)
