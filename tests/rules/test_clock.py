from datetime import timedelta

import pytest

from tests.factories import HOUR, MINUTE, NOW, SECOND
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding, verdict
from watcher.resources.changes import ResourceKind
from watcher.rules.clock import ClockSkewed
from watcher.rules.finding import Severity
from watcher.rules.rule import Fleet

RULE = ClockSkewed()


def fleet(skew, age=MINUTE):
    return Fleet(now=NOW, accounts=(), skew=skew, skew_at=None if age is None else NOW - age)


@pytest.mark.parametrize(
    ("skew", "age", "expected"),
    [
        (None, None, "undecided"),
        (timedelta(), MINUTE, "none"),
        (2 * MINUTE - SECOND, MINUTE, "none"),
        (-2 * MINUTE + SECOND, MINUTE, "none"),
        (2 * MINUTE, MINUTE, "found"),
        (-2 * MINUTE, MINUTE, "found"),
        (9 * HOUR, HOUR, "found"),
        (9 * HOUR, HOUR + SECOND, "undecided"),
        (timedelta(), HOUR + SECOND, "undecided"),
        (9 * HOUR, None, "found"),
    ],
)
def test_verdicts(skew, age, expected):
    assert verdict(RULE, fleet(skew, age)) == expected


@pytest.mark.parametrize(
    ("skew", "summary", "effect"),
    [
        (5 * MINUTE, "is 5 min ahead of Azure's", "warnings come early"),
        (-90 * MINUTE, "is 1 h 30 min behind Azure's", "warnings come late"),
    ],
)
def test_words(skew, summary, effect):
    finding = the_finding(RULE, fleet(skew))

    assert finding.severity is Severity.WARNING
    assert finding.subject.kind is ResourceKind.WATCHER
    assert finding.summary.endswith(summary)
    assert effect in finding.description
    assert "measured 2026-11-22 07:59 UTC (1 min ago)" in finding.evidence
    assert finding.values["skew_seconds"] == skew.total_seconds()


def test_ahead_and_behind_is_one_alert():
    assert the_finding(RULE, fleet(HOUR)).subject == the_finding(RULE, fleet(-HOUR)).subject


def test_clears_with_what_it_is_now():
    assert cleared(RULE, fleet(3 * SECOND))[0].because == "the clock is 3 s ahead of Azure's"
    assert cleared(RULE, fleet(SECOND / 2))[0].because == "the clock is right"


def test_an_old_measurement_keeps_what_fires():
    assert the_doubt(RULE, fleet(HOUR, 2 * HOUR)).on_last_evidence.summary.endswith("1 h ahead of Azure's")
    assert the_doubt(RULE, fleet(SECOND, 2 * HOUR)).on_last_evidence is None


def test_option():
    assert not found(ClockSkewed(after=HOUR), fleet(HOUR - SECOND))
    assert len(ask(ClockSkewed(after=HOUR), fleet(HOUR))) == 1
