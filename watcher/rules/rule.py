"""What a rule is, all that it may see, and how the rules are asked."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Protocol

from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.resources.lineage import Inventory
from watcher.resources.price import RetailList
from watcher.resources.snapshot import Gap, Plane, Reading, Section
from watcher.resources.training import Estimates, Pace, PaceKey, Training
from watcher.rules.finding import Answer, Cleared, Finding, Subject, Undecided


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a rule may see of one account: the newest reading of each section, its age, and what just changed.

    A section whose gap is open still shows its last reading; `is_verified` tells the two apart.
    """

    now: datetime
    reading: Reading
    transitions: tuple[Transition, ...] = ()  #: those of this snapshot, and earlier ones that a rule could not decide
    events: Mapping[str, tuple[JobEvent, ...]] = field(default_factory=dict)  #: by job id, as far as read just now
    #: By job id: when its present status began, or for those in `undated`, when it was first seen so.
    status_since: Mapping[str, datetime] = field(default_factory=dict)
    undated: frozenset[str] = frozenset()  #: ids of jobs whose status began at an unknown time before that
    #: By key, of living deployments: one that is paused: when it was first seen so, without a break, in this life (the
    #: newest change of its `deployment_state`, else its first sight); one that runs and was seen paused earlier in this
    #: life: when it was first seen running again. Of any other there is no entry.
    deployment_state_since: Mapping[str, datetime] = field(default_factory=dict)
    ended_deployments: Mapping[str, Deployment] = field(default_factory=dict)  #: by key: those that a transition ended
    custom_models: frozenset[str] = frozenset()  #: names of models and checkpoints that known jobs made, anywhere
    told: Mapping[Subject, tuple[str, ...]] = field(default_factory=dict)  #: "ml-slack at … (3d)", of open alerts
    closed_gaps: tuple[Gap, ...] = ()  #: those that this poll closed, dated from when they were first met
    owner_tag: str = "owner"  #: the tag of a deployment that names its owner, whatever its case
    #: By key, of deployments that are gone: what the activity log says. Without one, the log was not asked.
    departures: Mapping[str, Departure] = field(default_factory=dict)
    #: By job id, as last read; each such job is in `jobs`, ended or not.
    training: Mapping[str, Training] = field(default_factory=dict)
    paces: Mapping[PaceKey, Pace] = field(default_factory=dict)  #: of the kinds of jobs that are under way here
    estimates: Mapping[str, Estimates] = field(default_factory=dict)  #: by job id, of jobs under way
    previous_at: Mapping[Section, datetime] = field(default_factory=dict)  #: when each section was read the time before
    cadence: Mapping[Section, timedelta] = field(default_factory=dict)  #: how often each section is read, as configured
    #: By job id, of reinforcement jobs under way or ended in this month, which are billed by the hour: all changes of
    #: their status, and the lines of their logs as far as they were ever read; both oldest first.
    phases: Mapping[str, tuple[Transition, ...]] = field(default_factory=dict)
    logs: Mapping[str, tuple[JobEvent, ...]] = field(default_factory=dict)
    retail: RetailList | None = None  #: Azure's public price list as last read
    is_single_pass: bool = False  #: nobody will look again soon: nothing is put off to the next poll
    is_calm: bool = False  #: no alert of the account is open, so that nobody asks why something is found no more

    @property
    def account(self) -> Account:
        return self.reading.account

    @property
    def jobs(self) -> tuple[FineTuningJob, ...]:
        return self.reading.jobs or ()

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        return self.reading.deployments or ()

    @property
    def files(self) -> tuple[File, ...]:
        return self.reading.files or ()

    def job(self, job_id: str) -> FineTuningJob | None:
        return next((job for job in self.jobs if job.id == job_id), None)

    def gap(self, section: Section) -> Gap | None:
        """The open gap that covers a whole section, or `None`."""
        gaps = self.reading.gaps
        if not gaps:  # as nearly always
            return None
        return next((gap for gap in gaps if gap.section is section and not gap.subject), None)

    def is_verified(self, section: Section) -> bool:
        """Whether the section's reading is as new as the polls wish it: read at least once, and no gap open."""
        return _READ_AT[section](self.reading) is not None and self.gap(section) is None


#: When a section was read last.
_READ_AT: Mapping[Section, Callable[[Reading], datetime | None]] = {
    Section.ACCOUNT: lambda reading: reading.jobs_at or reading.deployments_at,
    Section.JOBS: attrgetter("jobs_at"),
    Section.DEPLOYMENTS: attrgetter("deployments_at"),
    Section.METRICS: attrgetter("usage_at"),
    Section.FILES: attrgetter("files_at"),
    Section.MODELS: attrgetter("models_at"),
    Section.TRAINING: attrgetter("jobs_at"),
}


class Rule(Protocol):
    """A check of one account. Pure: no clock, no log, no state of its own."""

    @property
    def name(self) -> str: ...

    def evaluate(self, view: View) -> Iterator[Answer]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What a rule that spans accounts may see of each one."""

    account: Account
    gaps: tuple[Gap, ...]
    polled_at: datetime | None  #: when it was last tried; `None`: not yet
    deployments_at: datetime | None = None  #: when its deployments were last read
    jobs_at: datetime | None = None  #: the same of its jobs
    usage_at: datetime | None = None  #: and of its metrics

    def read_at(self, plane: Plane) -> datetime | None:
        """When the plane was last read, which tells that it let us in."""
        return {Plane.ARM: self.deployments_at, Plane.DATA: self.jobs_at, Plane.METRICS: self.usage_at}[plane]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostClock:
    """How far the clock of a machine is ahead of the service's, and when that was measured, by that very clock."""

    host: str
    skew: timedelta
    at: datetime

    @property
    def measured_at(self) -> datetime:
        """When it was measured, in the service's time."""
        return self.at - self.skew


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """How the channel of a receiver does. Its times are wall time, whatever the clock of the cycles says."""

    receiver: str
    failing_since: datetime | None = None  #: of the first failure since it last took a message; `None`: it works
    failing_for: timedelta = timedelta()
    failures: int = 0  #: in a row
    because: str = ""  #: of the newest failure: "timeout: the receiver did not answer in time"
    last_ok_at: datetime | None = None  #: when it last took a message; `None`: never
    waiting: int = 0  #: messages that wait for it
    dead: int = 0  #: messages that were given up
    died_at: datetime | None = None  #: the newest of them
    died_for: timedelta = timedelta()  #: how long ago
    died_because: str = ""
    stuck_since: datetime | None = None  #: since when the oldest of those waits that failed before
    stuck_for: timedelta = timedelta()
    stuck_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All accounts at once, for the rules that look for one cause behind many."""

    now: datetime
    accounts: tuple[AccountState, ...]
    discovery_gaps: tuple[Gap, ...] = ()  #: what the newest discovery could not read, dated from when first met
    subscriptions: tuple[str, ...] = ()  #: ids of those that it asked, where it left a gap
    cloud: str = "public"  #: where it asked
    clocks: tuple[HostClock, ...] = ()  #: of the machines that watch, as far as they were measured
    host: str = ""  #: the machine by whose clock it is `now`
    channels: tuple[ChannelState, ...] = ()  #: of the receivers in the configuration


class FleetRule(Protocol):
    """A check over all accounts."""

    @property
    def name(self) -> str: ...

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]: ...


class InventoryRule(Protocol):
    """A check over models, deployments and files of all accounts together: what nobody is paged for at once."""

    @property
    def name(self) -> str: ...

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the rules answered. A rule named in `rules` that says nothing of a subject has found nothing there."""

    rules: frozenset[str]
    findings: tuple[Finding, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    cleared: tuple[Cleared, ...] = ()


def evaluate(rules: Sequence[Rule], view: View) -> Evaluation:
    """Ask each rule about one account."""
    return gather((rule.name for rule in rules), (answer for rule in rules for answer in rule.evaluate(view)))


def evaluate_fleet(rules: Sequence[FleetRule], fleet: Fleet) -> Evaluation:
    """Ask each rule about all accounts."""
    return gather((rule.name for rule in rules), (answer for rule in rules for answer in rule.evaluate(fleet)))


def evaluate_inventory(rules: Sequence[InventoryRule], inventory: Inventory) -> Evaluation:
    """Ask each rule about what exists."""
    return gather((rule.name for rule in rules), (answer for rule in rules for answer in rule.evaluate(inventory)))


def gather(names: Iterable[str], answers: Iterable[Answer]) -> Evaluation:
    """Sort answers by their kind."""
    findings, undecided, cleared = [], [], []
    for answer in answers:
        if isinstance(answer, Finding):
            findings.append(answer)
        elif isinstance(answer, Undecided):
            undecided.append(answer)
        else:
            cleared.append(answer)
    return Evaluation(
        rules=frozenset(names), findings=tuple(findings), undecided=tuple(undecided), cleared=tuple(cleared)
    )


def job_subject(account: Account, job_id: str) -> Subject:
    """The subject of a job's alerts."""
    return Subject(id=account.key, kind=ResourceKind.JOB, incarnation=job_id)


def deployment_subject(deployment: Deployment) -> Subject:
    """The subject of the alerts of one life of a deployment."""
    return _life(deployment.id, deployment.incarnation)


@lru_cache(maxsize=256)  # every rule about deployments asks this of each at every poll
def _life(id_: str, incarnation: str) -> Subject:
    return Subject(id=id_.lower(), kind=ResourceKind.DEPLOYMENT, incarnation=incarnation)
