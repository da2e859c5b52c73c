from dataclasses import dataclass, fields
from datetime import timedelta
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from tests.factories import (
    DAY,
    NOW,
    make_deployment,
    make_file,
    make_gap,
    make_holding,
    make_inventory,
    make_state,
    make_usage,
    make_view,
)
from tests.rules.ask import the_doubt, the_finding
from watcher.errors import ConfigurationError
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import Finding, Severity
from watcher.rules.registry import FLEET_RULES, INVENTORY_RULES, OTHER_NAMES, RULES, build_rules
from watcher.rules.rule import Fleet, evaluate, evaluate_fleet, evaluate_inventory


@dataclass(frozen=True)
class Friday:
    """Another package's rule."""

    name: ClassVar[str] = "friday"
    greeting: str = "hello"

    def evaluate(self, view):
        return iter(())


class Nameless:
    """No rule at all."""


def plugin(name, value):
    return EntryPoint(name=name, value=value, group="watcher.rules")


FRIDAY = plugin("friday", f"{__name__}:Friday")


def built(options=None, plugins=()):
    return build_rules(options or {}, plugins)


def mistakes(options, plugins=()):
    with pytest.raises(ConfigurationError) as caught:
        build_rules(options, plugins)
    return {problem.path: str(problem) for problem in caught.value.problems}


@pytest.mark.parametrize("name", [*RULES, *FLEET_RULES, *INVENTORY_RULES])
def test_every_rule_is_built_under_its_own_name(name):
    rules = built()

    assert name in {rule.name for rule in (*rules.rules, *rules.fleet_rules, *rules.inventory_rules)}
    assert {*RULES, *FLEET_RULES, *INVENTORY_RULES}.isdisjoint(OTHER_NAMES)
    assert INVENTORY_RULES.keys().isdisjoint(FLEET_RULES)  # their alerts belong to no account, and each clears its own


def test_every_rule_bears_the_name_it_is_registered_under():
    for name, make in {**RULES, **FLEET_RULES, **INVENTORY_RULES}.items():
        assert make().name == name
        assert {"enabled", "severity", "labels"}.isdisjoint(field.name for field in fields(make()))


def test_a_disabled_rule_is_left_out():
    names = {rule.name for rule in built({"job_failed": {"enabled": False}}).rules}

    assert "job_failed" not in names
    assert "job_succeeded" in names


def idle_view(**changes):
    usage = make_usage(last_success_at=NOW - 14 * DAY)
    return make_view(deployments=[make_deployment()], usage=[usage], **changes)


def idle_rule(**options):
    return next(rule for rule in built({"deployment_idle": options}).rules if rule.name == "deployment_idle")


def test_own_options_are_handed_over_and_lists_become_tuples():
    rule = idle_rule(warn_before=[timedelta(days=2)])

    assert rule.rule.warn_before == (timedelta(days=2),)
    assert the_finding(rule, idle_view()).step == "2d"


def test_severity_and_labels_of_the_operator_win():
    rule = idle_rule(severity="info", labels={"team": "x", "owner": "y"})
    finding = the_finding(rule, idle_view())

    assert finding.severity is Severity.INFO
    assert finding.labels["team"] == "x"
    assert finding.labels["owner"] == "y"


def test_the_same_holds_on_last_evidence():
    doubt = the_doubt(idle_rule(severity=Severity.INFO), idle_view(gaps=[make_gap(Section.METRICS)]))

    assert doubt.on_last_evidence.severity is Severity.INFO


def test_the_same_holds_over_all_accounts():
    gap = make_gap(Section.JOBS, GapReason.CREDENTIAL)
    rules = built({"credential_failing": {"severity": "warning", "min_accounts": 1}}).fleet_rules
    findings = evaluate_fleet(rules, Fleet(now=NOW, accounts=(make_state("a", gap),))).findings

    assert [finding.severity for finding in findings] == [Severity.WARNING]


def inventory_rule(name, **options):
    return next(rule for rule in built({name: options}).inventory_rules if rule.name == name)


def test_the_same_holds_over_what_exists():
    rule = inventory_rule("limit_near", severity="warning", labels={"team": "x"}, jobs=10)
    finding = the_finding(rule, make_inventory(make_holding(job_count=10)))

    assert (finding.severity, finding.labels["team"]) == (Severity.WARNING, "x")


def test_all_rules_over_what_exists_are_asked_together():
    rules = built({"model_undeployed": {"enabled": False}}).inventory_rules
    evaluation = evaluate_inventory(rules, make_inventory(make_holding(files=[make_file()], job_count=100)))

    assert evaluation.rules == {*INVENTORY_RULES} - {"model_undeployed"}
    assert sorted(finding.rule for finding in evaluation.findings) == ["file_orphaned", "limit_near"]
    assert evaluation.undecided == ()


def test_other_names_are_let_be():
    assert built({"configuration_rejected": {"severity": "critical", "of no rule here": 3}})


def test_all_mistakes_are_told_at_once_with_the_nearest_name():
    found = mistakes(
        {
            "job_stalled": {"pending_afer": timedelta(hours=1)},
            "job_fialed": {},
            "job_failed": {"severity": "loud"},
            "job_paused": {"labels": "x"},
        }
    )

    assert set(found) == {
        "rules.job_stalled.pending_afer",
        "rules.job_fialed",
        "rules.job_failed.severity",
        "rules.job_paused.labels",
    }
    assert "pending_after" in found["rules.job_stalled.pending_afer"]
    assert "did you mean job_failed?" in found["rules.job_fialed"]


def test_a_plugin_is_built_with_its_options():
    rules = built({"friday": {"greeting": "hi"}}, [FRIDAY]).rules

    assert next(rule for rule in rules if rule.name == "friday").rule.greeting == "hi"


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (plugin("friday", "no_such_module_anywhere:Rule"), "does not load: ModuleNotFoundError"),
        (plugin("friday", f"{__name__}:Missing"), "does not load: AttributeError"),
        (plugin("friday", f"{__name__}:Nameless"), "no rule of that name"),
        (plugin("sunday", f"{__name__}:Friday"), "no rule of that name"),
        (plugin("job_failed", f"{__name__}:Friday"), "a name that is taken"),
        (plugin("limit_near", f"{__name__}:Friday"), "a name that is taken"),
    ],
)
def test_a_broken_plugin_is_named_and_stops_nothing_else(broken, expected):
    rules = built({}, [broken])

    assert [expected in str(problem) for problem in rules.problems] == [True]
    assert {rule.name for rule in rules.rules} == set(RULES)


def test_options_of_a_broken_plugin_are_no_second_mistake():
    assert built({"friday": {"greeting": "hi"}}, [plugin("friday", "no_such_module_anywhere:Rule")])


def test_all_rules_together_say_nothing_of_an_empty_account():
    evaluation = evaluate(built().rules, make_view())

    assert evaluation.findings == evaluation.undecided == ()
    assert evaluation.rules == set(RULES)


def test_every_text_is_plain_and_whole():
    view = idle_view(gaps=[make_gap(section, GapReason.ROLE) for section in (Section.JOBS, Section.ACCOUNT)])
    findings = evaluate(built().rules, view).findings

    assert findings
    for finding in findings:
        assert isinstance(finding, Finding)
        assert "\n" not in finding.summary
        for text in (finding.summary, finding.description, finding.action, finding.evidence):
            assert text.strip()
            assert "None" not in text
            assert "timedelta" not in text
