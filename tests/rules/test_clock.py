from datetime import timedelta

import pytest

from tests.factories import HOUR, MINUTE, NOW, SECOND
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding, verdict
from watcher.resources.changes import ResourceKind
from watcher.rules.clock import ClockSkewed
from watcher.rules.finding import Finding, Severity, Undecided
from watcher.rules.rule import Fleet, HostClock

RULE = ClockSkewed()


def clock(skew, age=MINUTE, host="one"):
    return HostClock(host=host, skew=skew, at=NOW - age)


def fleet(skew, age=MINUTE):
    return Fleet(now=NOW, accounts=(), clocks=() if skew is None else (clock(skew, age),), host="one")


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
    assert finding.summary == f"The clock of one, where watcher runs, {summary}"
    assert finding.labels == {"host": "one"}
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


def test_each_machine_has_an_alert_of_its_own():
    both = Fleet(now=NOW, accounts=(), clocks=(clock(HOUR), clock(SECOND, host="other")), host="one")
    assert the_finding(RULE, both).subject == the_finding(RULE, fleet(HOUR)).subject
    assert [answer.subject.id for answer in cleared(RULE, both)] == ["clock other"]


@pytest.mark.parametrize("host", ["one", "other"])
@pytest.mark.parametrize(("age", "expected"), [(MINUTE, "found"), (HOUR + MINUTE, "undecided")])
def test_whichever_machine_asks_an_age_is_reckoned_by_one_clock(host, age, expected):
    """Clocks that are hours apart agree on how long ago something was measured."""
    now = NOW if host == "one" else NOW - 9 * HOUR
    clocks = (clock(9 * HOUR, age), HostClock(host="other", skew=timedelta(), at=NOW - 9 * HOUR - MINUTE))
    answers = ask(RULE, Fleet(now=now, accounts=(), clocks=clocks, host=host))
    (answer,) = (one for one in answers if one.subject.id == "clock one")
    assert {Finding: "found", Undecided: "undecided"}[type(answer)] == expected
