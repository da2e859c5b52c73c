"""How what was seen is judged, and what becomes of the alerts."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert, fingerprint
from watcher.alerts.lifecycle import advance, cap
from watcher.cycles.pricing import Tariff
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind
from watcher.rules.itself import CONFIGURATION_REJECTED
from watcher.rules.metrics_pace import SELDOM
from watcher.rules.rule import (
    Evaluation,
    FleetRule,
    InventoryRule,
    Rule,
    View,
)
from watcher.store import alerts

#: Rules that no evaluation answers for: whoever meets the trouble notes it, see `note_itself`.
ABOUT_ITSELF = frozenset({CONFIGURATION_REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often each section is read."""

    active: timedelta = timedelta(minutes=1)  #: jobs, while one is under way
    quiet: timedelta = timedelta(minutes=10)  #: jobs, otherwise
    deployments: timedelta = timedelta(minutes=10)
    metrics: timedelta = timedelta(hours=1)
    files: timedelta = timedelta(hours=1)
    models: timedelta = timedelta(hours=6)
    #: How long the metrics of an account can wait, as it stands; `None`: as long as those of any other.
    metrics_pace: Callable[[View], timedelta] | None = None

    def waits(self, *, is_active: bool) -> dict[Section, timedelta]:
        """How often each section is read, as configured, of an account with or without a job under way."""
        return {
            Section.JOBS: self.active if is_active else self.quiet,
            Section.DEPLOYMENTS: self.deployments,
            Section.METRICS: self.metrics,
            Section.FILES: self.files,
            Section.MODELS: self.models,
        }

    @property
    def longest(self) -> dict[Section, timedelta]:
        """How long each section may wait at most."""
        paced = {} if self.metrics_pace is None else {Section.METRICS: SELDOM * self.metrics}
        return {**self.waits(is_active=False), **paced}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How what was seen is judged: the rules in force, and what the operator said about severity and owners."""

    rules: tuple[Rule, ...]
    fleet_rules: tuple[FleetRule, ...] = ()
    inventory_rules: tuple[InventoryRule, ...] = ()
    cadence: Cadence = Cadence()
    critical_environments: frozenset[str] = frozenset()
    owner_tag: str = "owner"
    receivers: frozenset[str] = frozenset()  #: names of those in the configuration
    tariff: Tariff = field(default_factory=Tariff, compare=False)  #: Azure's public price list
    is_single_pass: bool = False  #: nobody will look again soon: nothing is put off to the next poll

    @property
    def enabled(self) -> frozenset[str]:
        """Names of all rules in force."""
        of_accounts = frozenset(rule.name for rule in self.rules)
        return of_accounts | {rule.name for rule in self.fleet_rules} | {rule.name for rule in self.inventory_rules}


def advance_stored(
    tx: Connection,
    evaluation: Evaluation,
    judgement: Judgement,
    *,
    account: str,
    now: datetime,
    first_sight: Collection[ResourceKind] = (),
    firing: Sequence[Alert] | None = None,
) -> tuple[Alert, ...]:
    """Take an evaluation over into the stored alerts of an account ("": those that span accounts).

    Args:
        firing: The open conditions of the account, where they are at hand.
    """
    events = {fingerprint(f.rule, f.subject) for f in evaluation.findings if f.kind is FindingKind.EVENT}
    changed = advanced(
        evaluation,
        judgement,
        alerts.firing(tx, account) if firing is None else firing,
        account=account,
        now=now,
        first_sight=first_sight,
        known_events=alerts.recorded_events(tx, events),
    )
    alerts.save(tx, changed)
    return changed


def advanced(
    evaluation: Evaluation,
    judgement: Judgement,
    firing: Sequence[Alert],
    *,
    account: str,
    now: datetime,
    first_sight: Collection[ResourceKind] = (),
    known_events: Collection[str] = (),
) -> tuple[Alert, ...]:
    """The alerts that an evaluation changes or opens. Pure."""
    environments = judgement.critical_environments
    return advance(
        firing,
        [cap(finding, environments) for finding in evaluation.findings],
        [cap(answer, environments) for answer in evaluation.undecided],
        evaluation.cleared,
        rules=evaluation.rules,
        enabled=judgement.enabled | ABOUT_ITSELF,
        account=account,
        now=now,
        first_sight=first_sight,
        known_events=known_events,
    )
