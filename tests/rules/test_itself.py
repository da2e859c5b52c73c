"""A receiver that takes no messages, as its channel's state says."""

import pytest

from tests.factories import DAY, HOUR, MINUTE, NOW
from tests.rules.ask import cleared, found, the_finding, verdict
from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Severity
from watcher.rules.itself import DeliveryFailing
from watcher.rules.rule import ChannelState, Fleet

RULE = DeliveryFailing()
SINCE = NOW - 2 * HOUR


def fleet(**changes):
    return Fleet(now=NOW, accounts=(), channels=(ChannelState(**{"receiver": "ml-slack", **changes}),))


def failing(span, **more):
    return {"failing_since": NOW - span, "failing_for": span, "because": "timeout: no answer", "failures": 9, **more}


def dead(span, **more):
    return {"dead": 1, "died_at": NOW - span, "died_for": span, "died_because": "auth: refused (401)", **more}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, "none"),
        (failing(HOUR - MINUTE), "none"),
        (failing(HOUR), "found"),
        (dead(2 * DAY), "found"),  # and nothing was taken since, or ever
        (dead(2 * DAY, last_ok_at=NOW - 3 * DAY), "found"),
        (dead(2 * DAY, last_ok_at=NOW - DAY), "none"),
        (dead(MINUTE, last_ok_at=NOW), "found"),  # told although others were taken meanwhile
        (dead(MINUTE, dead=0), "none"),  # retried or dropped
    ],
)
def test_verdicts(state, expected):
    assert verdict(RULE, fleet(**state)) == expected


def test_words_of_a_channel_that_fails():
    finding = the_finding(RULE, fleet(**failing(2 * HOUR, waiting=4, dead=1, last_ok_at=NOW - 3 * HOUR)))
    assert (
        finding.summary
        == "Receiver ml-slack has taken no message since 2026-11-22 06:00 UTC: timeout: no answer; 4 waiting, 1 dead"
    )
    assert (finding.severity, finding.subject.id, finding.subject.kind) == (
        Severity.CRITICAL,
        "receiver ml-slack",
        ResourceKind.WATCHER,
    )
    assert finding.labels == {"receiver": "ml-slack"}
    for command in ("watcher outbox list", "watcher notify test ml-slack", "watcher outbox retry"):
        assert command in finding.action.splitlines()
    assert finding.evidence == "9 failures in a row; last taken: 2026-11-22 05:00 UTC"


def test_words_of_a_message_that_died():
    finding = the_finding(RULE, fleet(**dead(MINUTE, receiver="it's; rm")))
    assert finding.summary == "it's; rm was not told something: auth: refused (401); 0 waiting, 1 dead"
    assert "never" in finding.evidence
    assert """watcher notify test 'it'"'"'s; rm'""" in finding.action


def test_the_end_says_when_it_took_something():
    (end,) = cleared(RULE, fleet(last_ok_at=NOW - MINUTE))
    assert end.because == "it last took a message 2026-11-22 07:59 UTC"
    assert found(RULE, Fleet(now=NOW, accounts=())) == []


def test_one_message_that_fails_all_the_time_is_found_though_the_channel_looks_well():
    stuck = {"stuck_since": NOW - HOUR, "stuck_for": HOUR, "stuck_because": "server: the notifier failed", "waiting": 1}
    finding = the_finding(RULE, fleet(last_ok_at=NOW, **stuck))
    assert finding.summary == (
        "ml-slack does not take a message that waits since 2026-11-22 07:00 UTC: server: the notifier failed; "
        "1 waiting, 0 dead"
    )
    assert verdict(RULE, fleet(last_ok_at=NOW, **{**stuck, "stuck_for": HOUR - MINUTE})) == "none"
