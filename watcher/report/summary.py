"""What `status` and the overview page say: what could be seen and as of when, and what needs attention. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.inhibition import Inhibitor, InhibitRule
from watcher.alerts.silence import Silence, silenced_by
from watcher.report.standing import Risk, Standing, countdowns, stand
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Gap, GapReason, Reading, Section
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.rule import HostClock
from watcher.rules.text import counted

#: The sections that every account has, in the order in which they are told.
SECTIONS = (Section.JOBS, Section.DEPLOYMENTS, Section.METRICS)
#: Those that are read seldom: that they were not read yet makes no account unseen.
SELDOM = (Section.FILES, Section.MODELS)

#: Azure's own, where the configuration names no others.
_USUAL = Lifetimes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How much of one section was seen, over all accounts."""

    section: Section
    whole: int  #: accounts in which it was read, and no gap is open
    oldest_at: datetime | None  #: the oldest reading among those, and those of `partly`
    never: int = 0  #: accounts in which it was not read yet
    partly: int = 0  #: accounts in which it was read but for a few
    missing: tuple[str, ...] = ()  #: those few, as `account/name`


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Accounts of which one section, or some of it, could not be read, for one reason."""

    section: Section | None  #: `None`: nothing at all was read yet
    reason: GapReason | None  #: `None`: not read yet
    accounts: tuple[str, ...]  #: labels
    since: datetime | None  #: when the first of these gaps was met
    last_read_at: datetime | None  #: the oldest reading that is used in place; `None`: one of them was never read
    message: str = ""
    subjects: tuple[str, ...] = ()  #: as `account/name` what could not be read, where the rest was; else it is all


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
    running_since: Mapping[tuple[str, str], datetime] | None = None,
    owner_tag: str = "owner",
    for_reports: Mapping[str, int] | None = None,
    inhibitions: Sequence[InhibitRule] = (),
) -> Summary:
    """The summary of what is stored.

    Args:
        readings: Of each account in scope; of the jobs, those under way are enough.
        lifetimes: As the rules have them.
        alerts: Those that are open at least; others are passed over.
        status_since: By account's key and job's id.
        undated: Those of which it only tells when their status was first seen.
        running_since: By deployment's key and incarnation: when one that had been paused was seen to run again.
        owner_tag: Names the owner of a deployment or a job.
        for_reports: How many alerts fire besides, by rule, of which no receiver is told.
        inhibitions: What explains what.
    """
    firing = [alert for alert in alerts if alert.status is AlertStatus.FIRING and not alert.is_event]
    standings = tuple(_standings(readings, countdowns(firing), custom_models, now, lifetimes, running_since or {}))
    unseen = _unseen(readings)
    blind = {label for one in unseen for label in one.accounts}
    return Summary(
        now=now,
        accounts=len(readings),
        whole=sum(reading.account.label not in blind for reading in readings),
        last_complete_cycle_at=last_complete_cycle_at,
        newest_at=max((at for one in readings for section in SECTIONS if (at := read_at(one, section))), default=None),
        is_discovery_complete=is_discovery_complete,
        seen=tuple(_seen(section, readings) for section in (*SECTIONS, *SELDOM)),
        unseen=unseen,
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
    causes = {alert.id: cause.id for alert in firing if (cause := inhibitor.inhibited_by(alert)) is not None}
    first = {id_: _first_cause(id_, causes) for id_ in causes}
    explain = set(first.values())
    ordered = sorted(
        firing, key=lambda alert: (-alert.severity.rank, alert.id not in explain, alert.starts_at, alert.id)
    )
    return tuple(
        FiringAlert(alert=alert, silences=silenced_by(alert, silences, now), cause=first.get(alert.id, ""))
        for alert in ordered
    )


def _first_cause(id_: str, causes: Mapping[str, str]) -> str:
    """What stands behind an alert, and behind that; "" where it comes back to the alert itself."""
    passed = {id_}
    while (cause := causes.get(id_)) is not None:
        if cause in passed:
            return ""
        passed.add(cause)
        id_ = cause
    return id_


def read_at(reading: Reading, section: Section) -> datetime | None:
    """When a section was last read whole."""
    return {
        Section.ACCOUNT: max((at for at in (reading.jobs_at, reading.deployments_at) if at), default=None),
        Section.JOBS: reading.jobs_at,
        Section.DEPLOYMENTS: reading.deployments_at,
        Section.METRICS: reading.usage_at,
        Section.FILES: reading.files_at,
        Section.MODELS: reading.models_at,
        Section.TRAINING: reading.jobs_at,
    }[section]


def _seen(section: Section, readings: Sequence[Reading]) -> Seen:
    read = [
        (at, tuple(_missing(section, reading)))
        for reading in readings
        if (at := read_at(reading, section)) is not None and not _whole_gaps(section, reading)
    ]
    return Seen(
        section=section,
        whole=sum(not missing for _, missing in read),
        oldest_at=min((at for at, _ in read), default=None),
        never=sum(read_at(reading, section) is None for reading in readings),
        partly=sum(bool(missing) for _, missing in read),
        missing=tuple(name for _, missing in read for name in missing),
    )


def _whole_gaps(section: Section, reading: Reading) -> dict[GapReason, Gap]:
    """Those that cover all of a section."""
    return {gap.reason: gap for gap in reversed(reading.gaps) if gap.section is section and not gap.subject}


def _missing(section: Section, reading: Reading) -> Iterator[str]:
    """What of a section could not be read, where the rest was."""
    yield from dict.fromkeys(_named(reading, gap) for gap in reading.gaps if gap.section is section and gap.subject)


def _named(reading: Reading, gap: Gap) -> str:
    return f"{reading.account.label}/{gap.subject.rpartition('/')[2]}"


def _unseen(readings: Sequence[Reading]) -> tuple[Unseen, ...]:
    """Gaps by section and reason; where all accounts of one reason stand together, a thousand of them are one line."""
    found: dict[tuple[Section | None, GapReason | None, bool], list[tuple[Reading, Gap | None]]] = {}
    for reading in readings:
        if not reading.gaps and all(read_at(reading, section) is None for section in SECTIONS):
            found.setdefault((None, None, True), []).append((reading, None))
            continue
        for section in (Section.ACCOUNT, *SECTIONS, *SELDOM, Section.TRAINING):
            gaps = _whole_gaps(section, reading)
            for reason, gap in gaps.items():
                found.setdefault((section, reason, True), []).append((reading, gap))
            if gaps:
                continue
            if section in SECTIONS and read_at(reading, section) is None:
                found.setdefault((section, None, True), []).append((reading, None))
            for gap in reading.gaps:
                if gap.section is section:
                    found.setdefault((section, gap.reason, False), []).append((reading, gap))
    return tuple(
        _unseen_group(section, reason, members, is_whole=is_whole)
        for (section, reason, is_whole), members in found.items()
    )


def _unseen_group(
    section: Section | None,
    reason: GapReason | None,
    members: Sequence[tuple[Reading, Gap | None]],
    *,
    is_whole: bool,
) -> Unseen:
    times = [read_at(reading, section) if section else None for reading, _ in members]
    subjects = () if is_whole else tuple(_named(reading, gap) for reading, gap in members if gap is not None)
    return Unseen(
        section=section,
        reason=reason,
        accounts=tuple(dict.fromkeys(reading.account.label for reading, _ in members)),
        since=min((gap.at for _, gap in members if gap is not None), default=None),
        last_read_at=None if None in times else min(at for at in times if at is not None),
        message=next((gap.message for _, gap in members if gap is not None and gap.message), ""),
        subjects=tuple(dict.fromkeys(subjects)),
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
                running_since=running_since.get(life),
            )
            yield DeploymentStanding(account=reading.account, deployment=deployment, standing=standing)


def _deadline(one: DeploymentStanding) -> tuple[bool, float, str]:
    earliest = one.standing.deletion_earliest
    return (earliest is None, earliest.timestamp() if earliest else 0.0, one.deployment.key)
