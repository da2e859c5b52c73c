"""What is let go of, and what is counted."""

from dataclasses import replace

import pytest

from tests.alerts.factories import DAY, HOUR, NOW, ended, make_alert, make_keep
from tests.factories import (
    ACCOUNT,
    make_account,
    make_deployment,
    make_file,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
)
from watcher.cycles import Judgement, record
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.model import CustomModel, Retirement
from watcher.resources.snapshot import Listing
from watcher.resources.training import Duration, PaceKey
from watcher.store import (
    alerts,
    attempts,
    counts,
    history,
    listed,
    operators,
    outbox,
    reports,
    retention,
    retirements,
    scope,
    state,
    tellings,
    trainings,
)
from watcher.store.retention import Pruned

from .dumps import dump, statements
from .test_outbox import claim, make_notification, mark, put
from .test_reports import make_issue, tried

BEFORE = NOW + 10 * DAY


def prune(store, before=BEFORE):
    return store.write_now(retention.prune, before=before)


def tell(store, *notifications, state="delivered"):
    put(store, *notifications)
    for delivery in claim(store, receivers=("slack", "mail"), at_most=100):
        mark(store, delivery, state=state)


def settle(store, *some):
    store.write_now(alerts.settle, [alert.id for alert in some])


@pytest.fixture
def over():
    return ended(make_alert(), NOW + HOUR)


def test_what_is_over_and_told_goes_with_all_that_hangs_on_it(store, over):
    event = make_alert("job_failed")
    tell(store, make_notification(over), make_notification(event, receiver="mail"))
    settle(store, over, event)
    assert prune(store) == Pruned(alerts=2, notifications=2, attempts=2)
    left = {name for name, rows in dump(store.engine).items() if rows}
    assert left == {"channels"}  # a row a receiver, for as long as there is one
    assert prune(store) == Pruned()


@pytest.mark.parametrize("state", ["delivered", "dead", "pending"])
def test_a_report_that_is_over_goes_with_its_tries_and_no_others(store, state, over):
    tell(store, make_notification(over))  # the alert is not settled, so it stays, and its tries too
    issue = make_issue()
    store.write_now(reports.add, [issue])
    for number in range(2):
        mine = store.write_now(reports.claim, issue.id, "me", clock=lambda: NOW)
        store.write_now(reports.mark, mine, tried(NOW, "retry"), state=state if number else "pending", due_at=NOW)
    expected = Pruned() if state == "pending" else Pruned(reports=1, attempts=2)
    assert prune(store) == expected
    assert len(store.read_now(attempts.of, issue.id)) == (2 if state == "pending" else 0)
    assert dump(store.engine)["attempts"]


def test_what_ended_later_stays(store, over):
    tell(store, make_notification(over))
    settle(store, over)
    before = dump(store.engine)
    assert prune(store, before=NOW) == Pruned()
    assert dump(store.engine) == before


@pytest.mark.parametrize("delivery", ["pending", "told", "untold"])
def test_nothing_goes_that_somebody_may_still_have_to_be_told_of(store, over, delivery):
    if delivery == "untold":
        store.write_now(alerts.save, [over])  # dispatch has not seen to it
    elif delivery == "pending":
        put(store, make_notification(over))
        settle(store, over)
    else:
        tell(store, make_notification(make_alert()))  # it goes on firing
        settle(store, make_alert())
    before = dump(store.engine)
    assert prune(store) == Pruned()
    assert dump(store.engine) == before


def test_a_notification_stays_with_the_last_alert_that_it_told_of(store, over):
    going_on = make_alert(name="other")
    tell(store, make_notification(over, going_on))
    settle(store, over)
    assert prune(store) == Pruned(alerts=1)
    assert len(store.read_now(tellings.newest, {going_on.id})) == 1
    store.write_now(alerts.save, [ended(going_on, NOW + DAY)])
    settle(store, going_on)
    assert prune(store) == Pruned(alerts=1, notifications=1, attempts=1)


def test_a_dead_or_dropped_delivery_goes_too(store, over):
    tell(store, make_notification(over), state="dead")
    settle(store, over)
    assert prune(store).notifications == 1


def test_history_goes_and_what_is_yet_to_be_judged_stays(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    jobs = [make_job(), make_job("ftjob-2")]
    seen = store.write_now(record, make_snapshot(jobs=jobs), Judgement(rules=())).transitions
    store.write_now(history.mark_undecided, ACCOUNT.key, {seen[0].key}, set())
    assert prune(store) == Pruned(transitions=1)
    assert store.read_now(history.transitions) == seen[:1]


def test_operators_words_go_when_they_are_over_and_the_audit_stays(store):
    store.write_now(operators.add_silence, ["rule=x"], ends_at=BEFORE - HOUR, author="me", comment="", now=NOW)
    store.write_now(operators.save_keep, make_keep(BEFORE - HOUR), now=NOW)
    store.write_now(operators.save_keep, make_keep(BEFORE, deployment="other"), now=NOW)
    assert prune(store) == Pruned(silences=1, keeps=1)
    assert len(store.read_now(operators.audit)) == 3


def test_everything_is_counted(store):
    broken, unread = make_account("broken"), make_account("unread")
    store.write_now(scope.save_accounts, [ACCOUNT, broken, unread], is_complete=True, now=NOW)
    quiet = Judgement(rules=())
    seen = make_snapshot(
        jobs=[make_job(), make_job("ftjob-2"), make_job("ftjob-3", status=JobStatus.FAILED)],
        deployments=[make_deployment(), make_deployment("other", sku="Developer")],
    )
    store.write_now(record, seen, quiet)
    store.write_now(record, make_snapshot(account=broken, gaps=(make_gap(), make_gap(subject="x"))), quiet)
    deletion = {"deletion_earliest": (NOW + DAY).isoformat()}
    idle = make_alert("deployment_idle", values=deletion)
    put(store, make_notification(idle), make_notification(make_alert("job_failed")))
    store.write_now(state.put, state.CYCLE_COMPLETED, at=NOW)
    found = store.read_now(counts.counts, NOW)
    assert found.accounts == {"ok": 1, "gaps": 1, "unread": 1}
    assert found.jobs == {"running": 2, "failed": 1}
    assert found.deployments == {("Standard", "Succeeded"): 1, ("Developer", "Succeeded"): 1}
    assert found.until_deletion == {("contoso-ft", "chat"): DAY.total_seconds()}
    assert found.alerts == {("deployment_idle", "warning", "firing"): 1}
    assert found.outbox == {"pending": 2}
    assert found.last_complete_cycle == NOW
    assert store.read_now(outbox.counts) == {"pending": 2}


def test_an_empty_database_counts_nothing(store):
    found = store.read_now(counts.counts, NOW)
    assert found == replace(found, jobs={}, deployments={}, until_deletion={}, alerts={}, outbox={})
    assert (found.accounts, found.last_complete_cycle) == ({"ok": 0, "gaps": 0, "unread": 0}, None)


def test_what_was_read_of_jobs_files_and_models_goes_once_it_is_old_and_no_longer_there(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    files = Listing(digest="f", items=(make_file("kept"), make_file("left")))
    models = Listing(digest="m", items=(CustomModel(id="left", account=ACCOUNT.key),))
    inside = {"ftjob-1": make_training(read_at=NOW)}
    first = make_snapshot(at=NOW, jobs=[make_job()], files=files, models=models, training=inside)
    store.write_now(record, first, Judgement(rules=()))
    fewer = make_snapshot(
        at=NOW + DAY,
        files=Listing(digest="g", items=(make_file("kept"),)),
        models=Listing(digest="n", items=()),
    )
    store.write_now(record, fewer, Judgement(rules=()))
    kind = PaceKey(model="b", location="l", training_type="", method="")
    duration = Duration(job="ftjob-1", key=kind, queued=1.0, at=NOW)
    store.write_now(trainings.save_durations, ACCOUNT.key, [duration])
    store.write_now(retirements.save, [Retirement(model="b", location="l")], regions={"l"}, now=NOW)
    pruned = store.write_now(retention.prune, before=NOW + 2 * DAY)
    assert (pruned.files, pruned.models, pruned.training, pruned.durations, pruned.retirements) == (1, 1, 1, 1, 1)
    assert store.read_now(listed.files, ACCOUNT.key) == (make_file("kept"),)
    assert store.write_now(retention.prune, before=NOW + 2 * DAY) == Pruned()


def test_in_steps_as_much_goes_as_at_once_and_none_takes_long(store):
    """A step that deletes all would keep everybody else from writing meanwhile."""
    over = [ended(make_alert(name=f"d{number}"), NOW + HOUR) for number in range(7)]
    stays = make_alert(name="stays")
    tell(
        store,
        *map(make_notification, over[:5]),
        make_notification(*over[5:]),
        make_notification(over[0], stays, at=NOW + HOUR),
    )
    settle(store, *over)
    with statements(store.engine) as heard:
        pruned = retention.prune_stepwise(store, before=BEFORE, at_most=2)
    committed = [one for one, _ in heard if one.startswith("SELECT alerts.id")]
    assert (pruned.alerts, pruned.notifications) == (7, 6)
    assert len(committed) == 4
    assert store.read_now(alerts.firing, stays.account) == (stays,)
    assert prune(store) == Pruned()
