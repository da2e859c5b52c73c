"""A rule under the operator's own severity and labels, whatever rule it is, built in or not."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from watcher.resources.lineage import Inventory
from watcher.rules.finding import Answer, Finding, Severity, Undecided
from watcher.rules.rule import Fleet, FleetRule, InventoryRule, Rule, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A rule under the operator's own severity and labels."""

    rule: Rule
    severity: Severity | None = None  #: in place of every severity that the rule gives
    labels: Mapping[str, str] = field(default_factory=dict)  #: added to the rule's own, and stronger

    @property
    def name(self) -> str:
        return self.rule.name

    def evaluate(self, view: View) -> Iterator[Answer]:
        if not (self.severity or self.labels):  # as nearly always, and for each rule at each poll
            return self.rule.evaluate(view)
        return _adjusted(self.rule.evaluate(view), self.severity, self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredFleet:
    """The same for a rule over all accounts."""

    rule: FleetRule
    severity: Severity | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.rule.name

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        return _adjusted(self.rule.evaluate(fleet), self.severity, self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredInventory:
    """The same for a rule over what exists."""

    rule: InventoryRule
    severity: Severity | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.rule.name

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        return _adjusted(self.rule.evaluate(inventory), self.severity, self.labels)


def _adjusted(answers: Iterator[Answer], severity: Severity | None, labels: Mapping[str, str]) -> Iterator[Answer]:
    return _adjust_each(answers, severity, labels) if severity or labels else answers


def _adjust_each(answers: Iterable[Answer], severity: Severity | None, labels: Mapping[str, str]) -> Iterator[Answer]:
    def adjust(finding: Finding) -> Finding:
        return replace(finding, severity=severity or finding.severity, labels={**finding.labels, **labels})

    for answer in answers:
        if isinstance(answer, Finding):
            yield adjust(answer)
        elif isinstance(answer, Undecided) and answer.on_last_evidence is not None:
            yield replace(answer, on_last_evidence=adjust(answer.on_last_evidence))
        else:
            yield answer
