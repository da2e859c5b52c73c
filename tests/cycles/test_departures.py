"""A deployment that is gone without a known cause: it is judged again once the activity log was asked again."""

from dataclasses import replace

import pytest

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_deployment, make_snapshot, make_usage
from tests.store.test_outbox import make_notification, put
from watcher.cycles import Judgement, record
from watcher.resources.departure import Departure, latest_word
from watcher.resources.snapshot import Section
from watcher.rules.registry import build_rules
from watcher.rules.rule import deployment_subject
from watcher.store import observations, scope, tellings

RULES = build_rules({}, plugins=())
JUDGEMENT = Judgement(rules=RULES.rules, fleet_rules=RULES.fleet_rules)
DEPLOYMENTS = frozenset({Section.DEPLOYMENTS})
ONE = make_deployment()
#: Called an hour ago: no clock of Azure's explains its end.
USAGE = make_usage(last_success_at=NOW - HOUR)
SILENT = Departure(is_read=True, read_from=NOW - 2 * HOUR)
BY_A_PERSON = Departure(is_read=True, read_from=NOW - 2 * HOUR, deleted_by="ann@example.com", deleted_at=NOW)


@pytest.fixture
def standing(store):
    """An account with one deployment, in use."""
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    save(store, NOW - MINUTE, jobs=[], deployments=[ONE], usage=[USAGE])
    return store


def save(store, at, *, judgement=JUDGEMENT, **snapshot):
    return store.write_now(record, make_snapshot(at=at, **snapshot), judgement)


def vanish(store, at=NOW, departure=SILENT, **options):
    departures = {ONE.key: departure} if departure else {}
    return save(
        store, at, asked=DEPLOYMENTS, deployments=[], absent=frozenset({ONE.key}), departures=departures, **options
    )


def look_again(store, at, departure):
    return save(store, at, asked=DEPLOYMENTS, deployments=[], departures={ONE.key: departure} if departure else {})


def causes(recorded):
    return [alert.finding.labels["cause"] for alert in recorded.alerts if alert.finding.rule == "deployment_gone"]


def departed(store):
    return [one.key for one in store.read_now(observations.known, ACCOUNT.key, now=NOW).departed]


def test_a_silent_log_is_asked_again_and_then_names_who_it_was(standing):
    first = vanish(standing)
    assert causes(first) == []
    assert departed(standing) == [ONE.key]
    assert not first.remembered.is_settled
    assert causes(save(standing, NOW + MINUTE, asked=frozenset({Section.JOBS}), jobs=[])) == []
    assert departed(standing) == [ONE.key]
    assert causes(look_again(standing, NOW + 10 * MINUTE, BY_A_PERSON)) == ["deleted"]
    assert departed(standing) == []


def test_a_log_that_stays_silent_leaves_the_end_unexplained(standing):
    vanish(standing)
    assert look_again(standing, NOW + 10 * MINUTE, SILENT).alerts == ()
    assert departed(standing) == [ONE.key]
    (found,) = look_again(standing, NOW + 20 * MINUTE, SILENT).alerts
    assert (found.finding.labels["cause"], found.severity.value) == ("unexplained", "critical")
    assert found.finding.values["seen_gone_at"] == "2026-11-22T08:00:00Z"
    assert departed(standing) == []
    assert look_again(standing, NOW + 30 * MINUTE, None).alerts == ()


def test_what_the_log_said_is_kept_where_it_is_not_read_again(standing):
    """The second look never comes: after a while it is told with what the first one said."""
    vanish(standing)
    late = save(standing, NOW + 2 * HOUR, asked=frozenset({Section.JOBS}), jobs=[])
    assert causes(late) == ["unexplained"]
    assert "activity log read" in late.alerts[0].finding.evidence


def test_in_a_single_pass_nothing_is_put_off(standing):
    assert causes(vanish(standing, judgement=replace(JUDGEMENT, is_single_pass=True))) == ["unexplained"]
    assert departed(standing) == []


def test_one_that_comes_back_meanwhile_is_not_asked_for(standing):
    vanish(standing)
    back = save(standing, NOW + MINUTE, asked=DEPLOYMENTS, deployments=[ONE])
    assert causes(back) == []
    assert departed(standing) == []


def test_two_deployments_of_one_age_are_judged_each_by_itself(standing):
    """Their incarnations are equal; it is the address that tells them apart."""
    other = make_deployment("other")
    save(standing, NOW - MINUTE / 2, asked=DEPLOYMENTS, deployments=[ONE, other])
    gone = frozenset({ONE.key, other.key})
    logs = {ONE.key: SILENT, other.key: BY_A_PERSON}
    first = save(standing, NOW, asked=DEPLOYMENTS, deployments=[], absent=gone, departures=logs)
    assert causes(first) == ["deleted"]
    assert departed(standing) == [ONE.key]


def idle_alerts(recorded):
    return [alert for alert in recorded.alerts if alert.finding.rule == "deployment_idle"]


def test_alerts_that_ended_with_a_deployment_still_say_who_had_been_told(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    idle = make_usage(last_success_at=NOW - 12 * DAY)
    (alert,) = idle_alerts(save(store, NOW, jobs=[], deployments=[ONE], usage=[idle]))
    put(store, make_notification(alert))
    called = make_usage(read_to=NOW + HOUR, last_success_at=NOW + HOUR)
    (ended,) = idle_alerts(save(store, NOW + HOUR, usage=[called]))
    assert (ended.id, ended.ends_at) == (alert.id, NOW + HOUR)
    subject = deployment_subject(ONE)
    for since, is_known in ((NOW, True), (NOW + 2 * HOUR, False)):
        found = store.read_now(tellings.of_subjects, ACCOUNT.key, {subject}, ended_since=since)
        assert (subject in found) == is_known


UNREAD = Departure(is_read=False, because="Azure throttled the request")


def test_a_log_that_was_silent_and_then_not_readable_was_read_all_the_same(standing):
    vanish(standing)
    assert look_again(standing, NOW + 10 * MINUTE, UNREAD).alerts == ()
    assert departed(standing) == [ONE.key]
    (found,) = look_again(standing, NOW + 20 * MINUTE, UNREAD).alerts
    assert (found.finding.labels["cause"], found.severity.value) == ("unexplained", "critical")
    assert "activity log read from" in found.finding.evidence


def test_a_log_that_was_not_readable_and_then_is_has_the_last_word():
    assert latest_word(UNREAD, SILENT) == latest_word(None, SILENT) == SILENT
    assert latest_word(SILENT, BY_A_PERSON) == latest_word(UNREAD, BY_A_PERSON) == BY_A_PERSON
    assert latest_word(None, UNREAD) == UNREAD


def test_where_the_metrics_are_never_read_an_end_is_no_first_sight(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    save(store, NOW - MINUTE, jobs=[], deployments=[ONE])
    (gone,) = vanish(store, departure=BY_A_PERSON).alerts
    assert (gone.finding.rule, gone.is_first_sight) == ("deployment_gone", False)


def test_what_the_first_reading_of_the_metrics_shows_is_first_sight(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    save(store, NOW - MINUTE, jobs=[], deployments=[ONE])
    idle = make_usage(last_success_at=NOW - 14 * DAY - HOUR)
    found = save(store, NOW, asked=frozenset({Section.METRICS}), usage=[idle]).alerts
    assert {(alert.finding.rule, alert.is_first_sight) for alert in found if alert.ends_at is None} >= {
        ("deployment_idle", True)
    }
