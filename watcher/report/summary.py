"""What `status` and the overview page say: what could be seen and as of when, and what needs attention. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.inhibition import Inhibitor, InhibitRule
from watcher.alerts.silence import Silence, silenced_by
from watcher.report.coverage import SECTIONS, SELDOM, Seen, Unseen, read_at, seen, unseen
from watcher.report.standing import Risk, Standing, countdowns, stand
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Reading
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.metrics_pace import STALE_AFTER
from watcher.rules.rule import HostClock
from watcher.rules.text import counted

#: Azure's own, where the configuration names no others.
_USUAL = Lifetimes()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job under way."""

    account: Account
    job: FineTuningJob
    status_since: datetime | None
    as_of: datetime | None
    is_status_dated: bool = True  #: false: its status was only first seen then, and may have begun before


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStanding:
    """A deployment that Azure may delete soon, or of which that cannot be said."""

    account: Account
    deployment: Deployment
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringAlert:
    """An open condition, and what mutes it."""

    alert: Alert
    silences: tuple[Silence, ...]
    cause: str = ""  #: id of another that fires, explains it and so keeps it quiet; "": there is none


#: An alert that stands for itself, with those that it explains, loudest first.
Folded = tuple[FiringAlert, tuple[FiringAlert, ...]]


def folded(firing: Iterable[FiringAlert]) -> tuple[Folded, ...]:
    """What fires, in its order, with what one cause explains under that cause."""
    firing = tuple(firing)
    explained: dict[str, list[FiringAlert]] = {}
    for one in firing:
        if one.cause:
            explained.setdefault(one.cause, []).append(one)
    return tuple((one, tuple(explained.get(one.alert.id, ()))) for one in firing if not one.cause)


def by_rule(alerts: Iterable[Alert]) -> str:
    """`account_forbidden 4, metrics_stale 2`: how many there are of each rule, the most frequent first."""
    counts = sorted(Counter(alert.finding.rule for alert in alerts).items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{rule} {count}" for rule, count in counts)


def explained_words(explained: Sequence[FiringAlert]) -> str:
    """`and 6 alerts that it explains (account_forbidden 4, metrics_stale 2)`; "" where there are none."""
    if not explained:
        return ""
    return f"and {counted(len(explained), 'alert')} that it explains ({by_rule(one.alert for one in explained)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A notification that has not reached its receiver."""

    id: str
    receiver: str
    reason: str
    alerts: int
    state: str  #: pending or dead
    created_at: datetime
    due_at: datetime
    attempts: int
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that happened lately."""

    at: datetime
    what: str  #: fired, resolved, acknowledged, silenced, …
    summary: str
    alert: str = ""  #: its id


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One screen."""

    now: datetime
    accounts: int
    whole: int  #: accounts of which everything was seen
    last_complete_cycle_at: datetime | None
    newest_at: datetime | None  #: the newest reading of anything; `None`: there is none
    is_discovery_complete: bool
    seen: tuple[Seen, ...]
    unseen: tuple[Unseen, ...]
    jobs: tuple[RunningJob, ...]
    jobs_unknown_in: int  #: accounts whose jobs were never read
    at_risk: tuple[DeploymentStanding, ...]  #: the first to go first
    unknown: tuple[DeploymentStanding, ...]
    firing: tuple[FiringAlert, ...]  #: loudest first, of those what explains others, then the oldest
    undelivered: tuple[Undelivered, ...]
    happened: tuple[Happened, ...] = ()  #: newest first
    clock: HostClock | None = None  #: of the machines that watch the one that is furthest off; `None`: not measured
    owner_tag: str = "owner"
    safe: tuple[DeploymentStanding, ...] = ()  #: fine-tuned, and not to be deleted soon; the first to go first
    exempt: int = 0  #: deployments that Azure never deletes for idleness
    #: How many fire, by rule, besides `firing`: for reports and the page, and no receiver is told of them.
    for_reports: Mapping[str, int] = field(default_factory=dict)


def summarize(
    readings: Sequence[Reading],
    alerts: Iterable[Alert],
    *,
    now: datetime,
    custom_models: Collection[str] = (),
    status_since: Mapping[tuple[str, str], datetime] | None = None,
    undated: Collection[tuple[str, str]] = (),
    silences: Sequence[Silence] = (),
    undelivered: Sequence[Undelivered] = (),
    happened: Sequence[Happened] = (),
    last_complete_cycle_at: datetime | None = None,
    is_discovery_complete: bool = True,
    clock: HostClock | None = None,
    lifetimes: Lifetimes = _USUAL,
    stale_after: timedelta = STALE_AFTER,
    running_since: Mapping[tuple[str, str], datetime] | None = None,
    owner_tag: str = "owner",
    for_reports: Mapping[str, int] | None = None,
    inhibitions: Sequence[InhibitRule] = (),
) -> Summary:
    """The summary of what is stored.

    Args:
        readings: Of each account in scope; of the jobs, those under way are enough.
        lifetimes: As the rules have them.
        stale_after: Near a deletion, metrics that end longer ago than this say nothing of the present.
        alerts: Those that are open at least; others are passed over.
        status_since: By account's key and job's id.
        undated: Those of which it only tells when their status was first seen.
        running_since: By deployment's key and incarnation: when one that had been paused was seen to run again.
        owner_tag: Names the owner of a deployment or a job.
        for_reports: How many alerts fire besides, by rule, of which no receiver is told.
        inhibitions: What explains what.
    """
    firing = [alert for alert in alerts if alert.status is AlertStatus.FIRING and not alert.is_event]
    standings = tuple(
        _standings(readings, countdowns(firing), custom_models, now, lifetimes, stale_after, running_since or {})
    )
    blank = unseen(readings)
    blind = {label for one in blank for label in one.accounts}
    return Summary(
        now=now,
        accounts=len(readings),
        whole=sum(reading.account.label not in blind for reading in readings),
        last_complete_cycle_at=last_complete_cycle_at,
        newest_at=max((at for one in readings for section in SECTIONS if (at := read_at(one, section))), default=None),
        is_discovery_complete=is_discovery_complete,
        seen=tuple(seen(section, readings) for section in (*SECTIONS, *SELDOM)),
        unseen=blank,
        jobs=tuple(_running(readings, status_since or {}, undated)),
        jobs_unknown_in=sum(reading.jobs is None for reading in readings),
        at_risk=tuple(sorted((s for s in standings if s.standing.risk is Risk.AT_RISK), key=_deadline)),
        unknown=tuple(s for s in standings if s.standing.risk is Risk.UNKNOWN),
        firing=_firing(firing, silences, inhibitions, now),
        undelivered=tuple(undelivered),
        happened=tuple(sorted(happened, key=lambda one: one.at, reverse=True)),
        clock=clock,
        owner_tag=owner_tag,
        safe=tuple(sorted((s for s in standings if s.standing.risk is Risk.SAFE), key=_deadline)),
        exempt=sum(s.standing.risk is Risk.EXEMPT for s in standings),
        for_reports=dict(sorted((for_reports or {}).items())),
    )


def _firing(
    firing: Sequence[Alert], silences: Sequence[Silence], inhibitions: Sequence[InhibitRule], now: datetime
) -> tuple[FiringAlert, ...]:
    inhibitor = Inhibitor(inhibitions, firing)
    first = {alert.id: cause.id for alert in firing if (cause := inhibitor.first_cause(alert)) is not None}
    explain = set(first.values())
    ordered = sorted(
        firing, key=lambda alert: (-alert.severity.rank, alert.id not in explain, alert.starts_at, alert.id)
    )
    return tuple(
        FiringAlert(alert=alert, silences=silenced_by(alert, silences, now), cause=first.get(alert.id, ""))
        for alert in ordered
    )


def _running(
    readings: Sequence[Reading],
    status_since: Mapping[tuple[str, str], datetime],
    undated: Collection[tuple[str, str]],
) -> Iterable[RunningJob]:
    for reading in readings:
        for job in reading.jobs or ():
            if not job.status.has_ended:
                key = (reading.account.key, job.id)
                yield RunningJob(
                    account=reading.account,
                    job=job,
                    status_since=status_since.get(key),
                    as_of=reading.jobs_at,
                    is_status_dated=key not in undated,
                )


def _standings(
    readings: Sequence[Reading],
    alerts: Mapping[tuple[str, str], Alert],
    custom_models: Collection[str],
    now: datetime,
    lifetimes: Lifetimes,
    stale_after: timedelta,
    running_since: Mapping[tuple[str, str], datetime],
) -> Iterable[DeploymentStanding]:
    for reading in readings:
        for deployment in reading.deployments or ():
            life = (deployment.key, deployment.incarnation)
            standing = stand(
                deployment,
                reading,
                alert=alerts.get(life),
                custom_models=custom_models,
                now=now,
                lifetimes=lifetimes,
                stale_after=stale_after,
                running_since=running_since.get(life),
            )
            yield DeploymentStanding(account=reading.account, deployment=deployment, standing=standing)


def _deadline(one: DeploymentStanding) -> tuple[bool, float, str]:
    earliest = one.standing.deletion_earliest
    return (earliest is None, earliest.timestamp() if earliest else 0.0, one.deployment.key)
