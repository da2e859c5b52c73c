"""Accounts that come, go, move or leave the scope, and what that means for what was in them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_deployment,
    make_job,
    make_snapshot,
    make_usage,
)
from watcher.alerts.keep import Keep
from watcher.azure.discovery import Discovery
from watcher.cycles import Judgement, discover, record, save_discovery
from watcher.resources.account_changes import RecordedAccount, account_transitions
from watcher.resources.departure import Departure
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.rules.registry import build_rules
from watcher.store import alerts, deployments, history, listings, observations, operators, scope

RULES = build_rules({"deployment_wasting": {"enabled": False}}, plugins=())
JUDGEMENT = Judgement(rules=RULES.rules, fleet_rules=RULES.fleet_rules)
OTHER = make_account("other")


def find(store, *accounts, gone=(), at=NOW, is_complete=True, departures=None, judgement=JUDGEMENT):
    found = Discovery(accounts=accounts, is_complete=is_complete, gone=frozenset(one.key for one in gone))
    return store.write_now(save_discovery, found, judgement, at, departures)


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
    of_job = watched.read_now(alerts.of_subject, ACCOUNT.key, "ftjob-2")
    (alert,) = [alert for alert in of_job if alert.finding.rule == "job_paused"]
    assert alert.ends_at == NOW + HOUR
    assert alert.ended_because.startswith("its account is gone")


def test_jobs_that_were_under_way_in_an_account_that_is_gone_are_told_as_lost(watched):
    jobs = [make_job(suffix="support"), make_job("ftjob-3", status=JobStatus.SUCCEEDED)]
    watched.write_now(record, make_snapshot(at=NOW, jobs=jobs, deployments=[], usage=[]), JUDGEMENT)
    (lost,) = find(watched, gone=[ACCOUNT], at=NOW + HOUR)
    (alert,) = [alert for alert in lost.alerts if alert.is_event]
    assert (alert.finding.rule, alert.severity.value, alert.labels["job"]) == ("job_failed", "warning", "ftjob-1")
    assert "is lost: its account is gone" in alert.finding.summary
    assert "jobs last read 2026-11-22 08:00 UTC (1 h ago)" in alert.finding.evidence
    assert not alert.is_first_sight
    assert find(watched, at=NOW + 2 * HOUR) == ()


def test_jobs_of_a_moved_account_are_not_lost(watched):
    watched.write_now(record, make_snapshot(at=NOW, jobs=[make_job()], deployments=[], usage=[]), JUDGEMENT)
    assert [alert for one in find(watched, MOVED, gone=[ACCOUNT], at=NOW + HOUR) for alert in one.alerts] == []


def test_an_account_that_is_gone_is_told_though_a_poll_read_it_at_that_moment(watched):
    one = make_deployment()
    watched.write_now(record, make_snapshot(at=NOW, jobs=[], deployments=[one], usage=[]), JUDGEMENT)
    (lost,) = find(watched, gone=[ACCOUNT], at=NOW)
    assert [alert.finding.rule for alert in lost.alerts if alert.is_event] == ["deployment_gone"]
    assert [t.kind.value for t in lost.transitions] == ["deployment", "account"]


ONE = make_deployment()
SILENT = {ONE.key: Departure(is_read=True, read_from=NOW - 2 * HOUR)}
NAMED = {
    ONE.key: Departure(
        is_read=True, read_from=NOW - 2 * HOUR, deleted_by="ann@example.com", deleted_at=NOW, account_deleted=True
    )
}
REFUSED = {ONE.key: Departure(is_read=False, because="the role Monitoring Reader on the subscription is missing")}


def gone_alerts(recorded):
    found = [alert.finding for one in recorded for alert in one.alerts if alert.finding.rule == "deployment_gone"]
    return [(f.labels["cause"], f.severity.value, f.summary) for f in found]


@pytest.fixture
def idle(watched):
    """A deployment that Azure will delete in three days; an alert says so."""
    usage = [make_usage(last_success_at=NOW - 12 * DAY)]
    watched.write_now(record, make_snapshot(at=NOW - HOUR, jobs=[], deployments=[ONE], usage=usage), JUDGEMENT)
    assert [one.finding.rule for one in watched.read_now(alerts.firing, ACCOUNT.key)] == ["deployment_idle"]
    return watched


def test_the_activity_log_names_who_deleted_the_account(idle):
    ((cause, severity, summary),) = gone_alerts(find(idle, gone=[ACCOUNT], departures=NAMED))
    assert (cause, severity) == ("account_gone", "info")
    assert "its account was deleted by ann@example.com at 2026-11-22 08:00 UTC" in summary
    assert idle.read_now(alerts.firing, ACCOUNT.key) == ()


def test_a_log_that_may_not_be_read_says_so_at_once(idle):
    lost = find(idle, gone=[ACCOUNT], departures=REFUSED)
    ((cause, severity, _),) = gone_alerts(lost)
    assert (cause, severity) == ("account_gone", "warning")
    (found,) = (a.finding for one in lost for a in one.alerts if a.is_event)
    assert "could not be read (the role Monitoring Reader on the subscription is missing)" in found.description


def test_a_silent_log_is_asked_once_more_before_anybody_is_told(idle):
    """Its entries come minutes late; the alerts on the deployment wait too, so that one message tells both."""
    (lost,) = find(idle, gone=[ACCOUNT], departures=SILENT)
    assert gone_alerts([lost]) == []
    (waiting,) = idle.read_now(alerts.firing, ACCOUNT.key)
    assert "why is being looked up" in waiting.unverified_because
    again = find(idle, at=NOW + 15 * MINUTE, departures=NAMED)
    assert [cause for cause, _, _ in gone_alerts(again)] == ["account_gone"]
    assert "ann@example.com" in gone_alerts(again)[0][2]
    assert idle.read_now(alerts.firing, ACCOUNT.key) == ()
    (ended,) = (one for one in idle.read_now(alerts.listed) if one.finding.rule == "deployment_idle")
    assert "its account was deleted by ann@example.com" in ended.ended_because
    assert find(idle, at=NOW + 30 * MINUTE, departures=NAMED) == ()


def test_a_log_that_stays_silent_leaves_the_account_gone_unexplained(idle):
    find(idle, gone=[ACCOUNT], departures=SILENT)
    ((cause, severity, _),) = gone_alerts(find(idle, at=NOW + 30 * MINUTE, departures=SILENT))
    assert (cause, severity) == ("account_gone", "warning")


def test_in_a_single_pass_an_account_that_is_gone_is_told_at_once(idle):
    judgement = replace(JUDGEMENT, is_single_pass=True)
    assert len(gone_alerts(find(idle, gone=[ACCOUNT], departures=SILENT, judgement=judgement))) == 1


async def test_the_log_is_asked_about_accounts_that_are_gone_alone(idle):
    asked = []

    async def read_log(account, gone, again, *, since, at, doubted):
        asked.append((account.is_gone, [one.name for one in gone], [one.name for one in again], since))
        return SILENT

    async def discovery(*accounts, gone=()):
        found = Discovery(accounts=accounts, is_complete=True, gone=frozenset(one.key for one in gone))

        async def search(known):
            return found

        _, recorded = await discover(
            search, judgement=JUDGEMENT, store=idle, clock=lambda: NOW + len(asked) * HOUR, read_log=read_log
        )
        return recorded

    await discovery(ACCOUNT)
    assert asked == []
    await discovery(gone=[ACCOUNT])
    assert asked == [(True, ["support-bot"], [], NOW - HOUR)]
    assert len(gone_alerts(await discovery())) == 1
    assert asked[1:] == [(True, [], ["support-bot"], NOW + HOUR)]
    await discovery()
    assert len(asked) == 2


MOVED = make_account(resource_group="rg-new")


def test_what_was_in_a_moved_account_is_not_gone_and_its_alerts_say_where_it_went(idle):
    assert gone_alerts(find(idle, MOVED, gone=[ACCOUNT], departures=SILENT)) == []
    assert idle.read_now(alerts.firing, ACCOUNT.key) == ()
    (ended,) = idle.read_now(alerts.listed)
    assert (ended.ends_at, ended.ended_because) == (NOW, f"its account was moved to {MOVED.id}")
    assert gone_alerts(find(idle, MOVED, at=NOW + HOUR)) == []
    assert idle.read_now(deployments.living, ACCOUNT.key) == ()


def test_the_calls_and_exceptions_of_a_moved_account_go_on_under_its_new_id(idle):
    """Its metrics begin anew, and without what was known before every deployment would look long idle."""
    keep = Keep(account=ACCOUNT.key, deployment=ONE.name, until=NOW + 9 * DAY, author="ann", reason="trial")
    idle.write_now(operators.save_keep, keep, now=NOW)
    find(idle, MOVED, gone=[ACCOUNT])
    assert {(one.account, one.reason) for one in idle.read_now(operators.keeps, since=NOW)} == {
        (ACCOUNT.key, "trial"),
        (MOVED.key, "trial"),
    }
    known = idle.read_now(observations.known, MOVED.key, now=NOW)
    assert known.usage["support-bot"].last_success_at == NOW - 12 * DAY
    again = make_deployment(account=MOVED)
    read = make_usage(read_from=NOW - 2 * HOUR, read_to=NOW + HOUR)
    snapshot = make_snapshot(account=MOVED, at=NOW + HOUR, jobs=[], deployments=[again], usage=[read])
    (alert,) = idle.write_now(record, snapshot, JUDGEMENT).alerts
    assert alert.finding.values["idle_since"] == "2026-11-10T08:00:00Z"
    assert alert.is_first_sight


@pytest.mark.parametrize(
    "other",
    [make_account("other", endpoint=ACCOUNT.endpoint), make_account(resource_group="rg-new", created_at=NOW)],
    ids=["another name", "another age"],
)
def test_an_account_of_another_name_or_age_is_no_move(store, other):
    """One that was deleted and made anew in another group has lost what was in it."""
    account = replace(ACCOUNT, created_at=NOW - 90 * DAY)
    find(store, account, at=NOW - DAY)
    store.write_now(record, make_snapshot(account=account, at=NOW - HOUR, jobs=[], deployments=[ONE]), JUDGEMENT)
    lost = find(store, other, gone=[account], departures=NAMED)
    assert "moved_to" not in {attribute for _, attribute, _, _ in told(lost)}
    assert len(gone_alerts(lost)) == 1


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
