"""What one run came to, step by step, and what could be seen at each step: the material that the checks are made of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification
from watcher.report.statement import Statement
from watcher.resources.changes import Transition
from watcher.resources.snapshot import Section
from watcher.simulator import Deployment, Job, World
from watcher.simulator.jobs import job_id
from watcher.simulator.ledger import AccountTruth, Blind, JobTruth, Ledger, LifeTruth

from .tariffs import Agreed

#: A request that is told to wait for long keeps its lane closed, and so the account unread, for at most this long.
LONGEST_CLOSURE = timedelta(hours=1)

#: Faults that hide nothing.
_HARMLESS = frozenset({"skewed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One claim that does not agree with the truth."""

    seed: int
    at: datetime
    what: str

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was done and said at one moment."""

    at: datetime
    has_discovered: bool
    polled: frozenset[str]  #: keys of the accounts that were asked, for their jobs and deployments at least
    metered: frozenset[str]  #: of those that were asked for their metrics too
    asked: Mapping[str, frozenset[Section]]  #: what each of them was asked for
    transitions: tuple[Transition, ...]
    alerts: tuple[Alert, ...]  #: new or changed, in the order in which they were said
    firing: tuple[Alert, ...]  #: conditions that are open after this step
    notifications: tuple[Notification, ...]
    sent: tuple[Notification, ...]  #: taken by a receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """The statement of a period that ends where it was compiled."""

    length: timedelta | Literal["month"]
    statement: Statement
    again: Statement | None = None  #: the same, compiled at the end of the run; `None`: that was the end


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run."""

    seed: int
    world: World
    ledger: Ledger
    steps: tuple[Step, ...]
    merged: Mapping[str, str] = field(
        default_factory=dict
    )  #: ids of notifications that became part of another: of which
    agreed: Agreed
    booked: tuple[Booked, ...] = ()
    problems: tuple[tuple[datetime, str], ...]  #: faults of the program itself, with their traceback

    def violation(self, at: datetime, what: str) -> Violation:
        return Violation(seed=self.seed, at=at, what=what)

    @cached_property
    def lives(self) -> Mapping[str, tuple[LifeTruth, ...]]:
        """The lives of each deployment, by its ARM id in lower case, oldest first."""
        found: dict[str, list[LifeTruth]] = {}
        for life in self.ledger.lives:
            found.setdefault(life.deployment, []).append(life)
        return {key: tuple(sorted(lives, key=lambda life: life.appears)) for key, lives in found.items()}

    @cached_property
    def jobs(self) -> Mapping[tuple[str, str], JobTruth]:
        """By account and id."""
        return {(job.account, job.job): job for job in self.ledger.jobs}

    @cached_property
    def job_sources(self) -> Mapping[tuple[str, str], Job]:
        """The scenario's own entries, by account and id."""
        return {
            (self.world.account_id(account).lower(), job_id(account, job)): job
            for account in self.world.scenario.accounts
            for job in account.jobs
        }

    @cached_property
    def accounts(self) -> Mapping[str, tuple[AccountTruth, ...]]:
        found: dict[str, list[AccountTruth]] = {}
        for account in self.ledger.accounts:
            found.setdefault(account.account, []).append(account)
        return {key: tuple(accounts) for key, accounts in found.items()}

    def exists(self, account: str, at: datetime) -> bool:
        return any(
            one.created <= at and (one.deleted is None or at < one.deleted) for one in self.accounts.get(account, ())
        )

    def blinds(self, plane: str, account: str | None, begin: datetime, end: datetime | None = None) -> Iterator[Blind]:
        """The faults that may hide something of a plane (of one account, or of any) between two moments, both included.

        What told the watcher to wait may keep it waiting beyond its end.
        """
        end = begin if end is None else end
        for blind, accounts in self._blinds:
            if blind.plane not in (plane, "*") or (account is not None and account not in accounts):
                continue
            grace = LONGEST_CLOSURE if blind.kind == "throttled" else timedelta()
            if blind.begins <= end and begin <= blind.ends + grace:
                yield blind

    @cached_property
    def _blinds(self) -> tuple[tuple[Blind, frozenset[str]], ...]:
        return tuple((blind, self._held_up(blind)) for blind in self.ledger.blinds if blind.kind not in _HARMLESS)

    def _held_up(self, blind: Blind) -> frozenset[str]:
        """The accounts that a fault may hide.

        One that is told to wait holds up its subscription, but for the data plane: Azure counts such requests by
        subscription, so that the other accounts of it are not asked for as long.
        """
        fault = blind.fault
        is_told = fault.retry_after or fault.retry_after_ms or fault.retry_after_date
        if blind.kind != "throttled" or blind.plane == "data" or not is_told:
            return blind.accounts
        subscriptions = {one.subscription for one in self.ledger.accounts if one.account in blind.accounts}
        return frozenset(one.account for one in self.ledger.accounts if one.subscription in subscriptions)

    def is_clear(self, step: Step, account: str, *planes: str) -> bool:
        """Whether all that these planes say of an account could be read at a step, without doubt."""
        return (
            account in step.polled
            and self.exists(account, step.at)
            and not any(True for plane in planes for _ in self.blinds(plane, account, step.at))
        )

    def clear_steps(self, account: str, *planes: str) -> tuple[Step, ...]:
        key = (account, planes)
        if key not in self._clear:
            self._clear[key] = tuple(step for step in self.steps if self.is_clear(step, account, *planes))
        return self._clear[key]

    @cached_property
    def _clear(self) -> dict[tuple[str, tuple[str, ...]], tuple[Step, ...]]:
        return {}

    def polled_steps(self, account: str) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if account in step.polled)

    def said(self, *rules: str) -> Iterator[tuple[Step, Alert]]:
        """Every version of every alert of these rules, in the order in which it was said."""
        for step in self.steps:
            for alert in step.alerts:
                if not rules or alert.finding.rule in rules:
                    yield step, alert


def life_of(record: Record, alert: Alert, at: datetime) -> LifeTruth | None:
    """The life of a deployment that an alert is about."""
    subject = alert.finding.subject
    lives = [life for life in record.lives.get(subject.id, ()) if life.appears <= at]
    if subject.incarnation.startswith("seen "):  # by when it was seen, since its creation is not told
        return lives[-1] if lives else None
    created = datetime.fromisoformat(subject.incarnation)
    return next((life for life in lives if life.created == created), None)


def is_blurred(record: Record, life: LifeTruth) -> bool:
    """Whether nothing that Azure shows tells this life from another one of its name."""
    lives = record.lives[life.deployment]
    return len(lives) > 1 and not all(one.shows_created for one in lives)


def source_of(record: Record, life: LifeTruth) -> Deployment:
    """The scenario's own entry."""
    world = record.world
    return next(
        deployment
        for account in world.scenario.accounts
        if world.account_id(account).lower() == life.account
        for deployment in account.deployments
        if deployment.name == life.name and world.start + deployment.created == life.created
    )


def provisioning(record: Record, life: LifeTruth, at: datetime) -> str:
    """The word that ARM has for it."""
    words = source_of(record, life).provisioning
    return next((word for word, since in reversed(words) if life.created + since <= at), "Succeeded")


def stands(life: LifeTruth, at: datetime) -> bool:
    return life.appears <= at and (life.ended is None or at < life.ended)


def is_open(step: Step, rule: str, subject_id: str, incarnation: str | None = None) -> Alert | None:
    """The condition of a rule about a subject that fires after a step, or `None`."""
    for alert in step.firing:
        subject = alert.finding.subject
        if alert.finding.rule == rule and subject.id == subject_id and incarnation in (None, subject.incarnation):
            return alert
    return None


def is_resolved(alert: Alert) -> bool:
    return alert.status is AlertStatus.RESOLVED


def when(value: object) -> datetime | None:
    """A time among an alert's values."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def first(steps: Iterable[Step]) -> Step | None:
    return next(iter(steps), None)
