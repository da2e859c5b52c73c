"""Accounts that come, go, move or leave the scope, and what that means for what was in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_account, make_deployment, make_job, make_snapshot
from watcher.azure.discovery import Discovery
from watcher.cycles import Judgement, record, save_discovery
from watcher.resources.account_changes import RecordedAccount, account_transitions
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.rules.registry import build_rules
from watcher.store import alerts, history, listings, scope

RULES = build_rules({}, plugins=())
JUDGEMENT = Judgement(rules=RULES.rules, fleet_rules=RULES.fleet_rules)
OTHER = make_account("other")


def find(store, *accounts, gone=(), at=NOW, is_complete=True):
    found = Discovery(accounts=accounts, is_complete=is_complete, gone=frozenset(one.key for one in gone))
    return store.write_now(save_discovery, found, JUDGEMENT, at)


def told(recorded):
    """What each transition of an account says, of those that are returned."""
    return [
        (t.change.value, t.attribute, t.before, t.after)
        for one in recorded
        for t in one.transitions
        if t.kind.value == "account"
    ]


@pytest.fixture
def watched(store):
    assert find(store, ACCOUNT, at=NOW - DAY) == ()
    return store


def test_what_the_first_discovery_finds_is_history(watched):
    (first,) = watched.read_now(history.transitions)
    assert (first.change.value, first.after, first.is_history) == ("discovered", "Succeeded", True)


def test_a_new_account_is_news_once(watched):
    assert told(find(watched, ACCOUNT, OTHER)) == [("discovered", "provisioning_state", None, "Succeeded")]
    assert find(watched, ACCOUNT, OTHER, at=NOW + HOUR) == ()


def test_an_account_that_leaves_the_scope_is_not_gone_and_may_return(watched):
    assert told(find(watched, OTHER)) == [
        ("changed", "scope", "included", "excluded"),
        ("discovered", "provisioning_state", None, "Succeeded"),
    ]
    assert told(find(watched, ACCOUNT, OTHER, at=NOW + HOUR)) == [("changed", "scope", "excluded", "included")]


def test_what_a_discovery_did_not_see_has_not_left(watched):
    assert find(watched, is_complete=False) == ()
    assert len(watched.read_now(scope.due_accounts)) == 1


def test_an_account_that_is_gone_is_found_anew_when_it_returns(watched):
    assert told(find(watched, gone=[ACCOUNT])) == [("gone", "provisioning_state", "Succeeded", None)]
    assert find(watched, at=NOW + MINUTE) == ()
    assert told(find(watched, ACCOUNT, at=NOW + HOUR)) == [("discovered", "provisioning_state", None, "Succeeded")]


def test_the_same_endpoint_under_another_id_is_a_move(watched):
    moved = make_account(resource_group="rg-new")
    assert told(find(watched, moved, gone=[ACCOUNT])) == [
        ("changed", "moved_to", ACCOUNT.id, moved.id),
        ("gone", "provisioning_state", "Succeeded", None),
        ("discovered", "provisioning_state", None, "Succeeded"),
    ]


def test_an_endpoint_that_others_share_tells_of_no_move(store):
    region = {"endpoint": "https://eastus.api.cognitive.microsoft.com"}
    one, two, three = (make_account(name, **region) for name in ("one", "two", "three"))
    find(store, one, two)
    assert [attribute for _, attribute, _, _ in told(find(store, two, three, gone=[one], at=NOW + HOUR))] == [
        "provisioning_state",
        "provisioning_state",
    ]


def test_nobody_waits_for_the_jobs_of_an_account_that_is_gone(watched):
    jobs = [make_job(), make_job("ftjob-2", status=JobStatus.PAUSED), make_job("ftjob-3", status=JobStatus.SUCCEEDED)]
    watched.write_now(record, make_snapshot(at=NOW, jobs=jobs, deployments=[], usage=[]), JUDGEMENT)
    assert [one.finding.rule for one in watched.read_now(alerts.firing, ACCOUNT.key)] == ["job_paused"]
    (lost,) = find(watched, gone=[ACCOUNT], at=NOW + HOUR)
    ended = [(t.name, t.before, t.after) for t in lost.transitions if t.kind.value == "job"]
    assert ended == [("ftjob-1", "running", None), ("ftjob-2", "paused", None)]
    assert {one.is_listed for one in watched.read_now(listings.jobs)} == {False}
    (alert,) = watched.read_now(alerts.of_subject, ACCOUNT.key, "ftjob-2")
    assert (alert.ends_at, alert.ended_because) == (NOW + HOUR, "its account is gone")


def test_an_account_that_is_gone_is_told_though_a_poll_read_it_at_that_moment(watched):
    one = make_deployment()
    watched.write_now(record, make_snapshot(at=NOW, jobs=[], deployments=[one], usage=[]), JUDGEMENT)
    (lost,) = find(watched, gone=[ACCOUNT], at=NOW)
    assert [alert.finding.rule for alert in lost.alerts if alert.is_event] == ["deployment_gone"]
    assert [t.kind.value for t in lost.transitions] == ["deployment", "account"]


def test_a_poll_leaves_transitions_of_accounts_out(watched):
    watched.write_now(record, make_snapshot(at=NOW, jobs=[], asked=frozenset({Section.JOBS})), JUDGEMENT)
    assert [t.kind.value for t in watched.read_now(history.transitions)] == ["account"]


NAMES = st.sets(st.sampled_from("abcdef"))


@given(known=NAMES, found=NAMES, gone=NAMES, is_complete=st.booleans())
def test_accounts_come_and_go_by_what_was_found_alone(known, found, gone, is_complete):
    """Each transition is about an account that came or left; the same discovery again says nothing."""
    left = {name for name in known - found if is_complete or name in gone}
    keys = {name: make_account(name).key for name in "abcdef"}
    transitions = account_transitions(
        {keys[name]: RecordedAccount(account=make_account(name), is_watched=True) for name in known},
        [make_account(name) for name in sorted(found)],
        left=[keys[name] for name in left],
        gone={keys[name] for name in gone},
        at=NOW,
        is_first=False,
    )
    about = {t.account for t in transitions if t.attribute != "moved_to"}
    assert about == {keys[name] for name in (found - known) | left}
    assert len({t.key for t in transitions}) == len(transitions)
    after = (known - left) | found
    again = account_transitions(
        {keys[name]: RecordedAccount(account=make_account(name), is_watched=True) for name in after},
        [make_account(name) for name in sorted(found)],
        left=[],
        gone=set(),
        at=NOW,
        is_first=False,
    )
    assert again == ()
