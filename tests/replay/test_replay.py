"""What would have been told, against what really was: a few simulated days under the real cycles, and their replay."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from tests.store.dumps import dump
from watcher.replay.comparison import Entry, compare, entries
from watcher.rules.finding import Severity
from watcher.simulator import Account, Calls, Deployment, Fault, Job, Scenario
from watcher.simulator.generator import account_month

from .month import CONFIGURATION, HOUR, replayed, watched

DAY = timedelta(days=1)


def story() -> Scenario:
    """`bot` is not called for days, until it is; `gone` is deleted by somebody, and metrics stay unread for a night."""
    calls = (
        Calls(from_=-8 * DAY, until=-7.5 * DAY, per_hour=1),
        Calls(from_=4 * DAY + 150 * timedelta(minutes=1), count=3),
    )
    return Scenario(
        title="a few days",
        length=5 * DAY,
        accounts=(
            Account(
                name="contoso-ft",
                jobs=(
                    Job(name="history", created=-30 * DAY),
                    Job(name="succeeds", created=DAY, running_for=5 * HOUR),
                    Job(name="fails", created=2 * DAY, running_for=3 * HOUR, outcome="failed"),
                ),
                deployments=(
                    Deployment(name="bot", job="history", created=-9 * DAY, calls=calls),
                    Deployment(
                        name="gone",
                        job="history",
                        created=-9 * DAY,
                        calls=(Calls(from_=-9 * DAY, per_hour=1),),
                        deleted=3 * DAY + HOUR / 2,
                        deleted_by="operator@contoso.example",
                    ),
                ),
            ),
        ),
        faults=(Fault(plane="metrics", from_=2 * DAY, until=2.5 * DAY, status=403),),
    )


@cache
def recorded():
    return watched(story())


@cache
def again(text=CONFIGURATION, *, since=timedelta(hours=1)):
    """A replay of the whole, or from so long after its start."""
    store, end = recorded()
    return replayed(story(), store, since=end - story().length - 2 * HOUR + since, until=end, text=text)


def words(some):
    return [(one.receiver, one.reason.value, one.alert.finding.rule, one.alert.finding.step) for one in some]


def test_the_same_configuration_tells_what_was_told():
    store, _ = recorded()
    before = dump(store.engine)
    found = again()
    assert found.comparison.only_now == found.comparison.only_then == ()
    told = entries(found.messages)
    assert found.comparison.both == len(told) == len(entries(found.sent)) > 6
    assert {one.alert.finding.rule for one in told} >= {"deployment_idle", "deployment_gone", "job_succeeded"}
    for one, other in zip(sorted(told, key=_order), sorted(entries(found.sent), key=_order), strict=True):
        assert abs(one.at - other.at) <= HOUR, one
    assert dump(store.engine) == before


def _order(entry: Entry):
    return entry.key, entry.at


def test_one_step_more_is_one_word_more():
    found = again(CONFIGURATION.replace('["7d", "3d", "1d", "6h"]', '["7d", "5d", "3d", "1d", "6h"]'))
    assert words(found.comparison.only_now) == [("all", "reminder", "deployment_idle", "5d")]
    assert found.comparison.only_then == ()


def test_another_step_is_another_word():
    found = again(CONFIGURATION.replace('"7d"', '"6d"'))
    assert {one.alert.finding.step for one in found.comparison.only_now} == {"6d"}
    assert {one.alert.finding.step for one in found.comparison.only_then} == {"7d"}


def test_a_rule_that_is_off_is_no_longer_told():
    found = again(CONFIGURATION + "[rules.job_succeeded]\nenabled = false\n")
    assert words(found.comparison.only_then) == [("all", "firing", "job_succeeded", "")]
    assert found.comparison.only_now == ()


def test_a_mute_defers_and_loses_nothing():
    plain = next(one for one in entries(again().messages) if one.alert.finding.rule == "job_succeeded")
    begin, end = plain.at - HOUR, (plain.at + 2 * HOUR).replace(minute=30)  # between two looks
    quiet = f'[[mute]]\nname = "quiet"\ntimes = ["{begin:%H:%M}-{end:%H:%M}"]\n'
    text = CONFIGURATION.removesuffix('[[route.routes]]\nreceiver = "all"\n')
    text += '[[route.routes]]\nreceiver = "all"\nmute = ["quiet"]\n' + quiet
    found = again(text)
    late = next(one for one in entries(found.messages) if one.alert.finding.rule == "job_succeeded")
    assert late.at == end.replace(second=0)
    assert found.comparison.only_now == found.comparison.only_then == ()


def test_what_holds_at_the_start_is_no_message():
    found = again(since=3.5 * DAY)
    assert [alert.finding.rule for alert in found.standing if alert.finding.rule == "deployment_idle"]
    told = entries(found.messages)
    assert not [one for one in told if one.alert.finding.rule == "deployment_idle" and one.reason == "firing"]
    assert [one for one in told if one.alert.finding.rule == "deployment_idle" and one.reason == "resolved"]
    assert found.comparison.only_now == found.comparison.only_then == ()


@pytest.mark.parametrize("seed", [13])
def test_some_days_of_a_month_are_told_again(seed):
    scenario = replace(account_month(seed, accounts=1), length=4 * DAY)
    store, end = watched(scenario)
    found = replayed(scenario, store, since=end - 5 * DAY, until=end)
    assert words(found.comparison.only_now) == words(found.comparison.only_then) == []
    assert found.comparison.both


def test_words_are_compared_one_by_one_and_what_cannot_be_replayed_is_no_word_for_word():
    (one, *_) = entries(again().sent)
    other = replace(one, receiver="somebody")
    finding = replace(one.alert.finding, rule="delivery_failing", severity=Severity.INFO)
    itself = replace(one, alert=replace(one.alert, finding=finding))
    found = compare([one, one, other], [one, itself])
    assert (found.both, found.only_now, found.only_then) == (1, (one, other), (itself,))
