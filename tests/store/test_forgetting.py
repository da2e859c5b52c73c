"""What was read of accounts is let go of once it has been gone for long: it may name persons."""

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    make_account,
    make_deployment,
    make_event,
    make_file,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
    make_usage,
)
from watcher.cycles import Judgement, record
from watcher.resources.departure import Departure
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.model import CustomModel
from watcher.resources.snapshot import Listing
from watcher.store import deployments, history, listings, retention, scope
from watcher.store.retention import Pruned

from .dumps import dump

QUIET = Judgement(rules=())


def prune(store, before=NOW + 10 * DAY):
    return store.write_now(retention.prune, before=before)


def save(store, **snapshot):
    store.write_now(record, make_snapshot(**snapshot), QUIET)


def test_a_life_that_ended_long_ago_goes_with_who_ended_it_and_with_its_calls(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    one, other = make_deployment(), make_deployment("other")
    calls = [make_usage(), make_usage("other"), make_usage("never-listed", read_to=NOW + 3 * DAY)]
    save(store, deployments=[one, other], usage=calls)
    gone = {"absent": frozenset({one.key}), "departures": {one.key: Departure(is_read=True, deleted_by="ann@x")}}
    save(store, at=NOW + DAY, deployments=[other], **gone)
    assert prune(store, NOW + DAY).deployments == 0
    assert prune(store, NOW + 2 * DAY).deployments == 1
    assert [life.deployment.name for life in store.read_now(listings.deployments, ended_since=NOW)] == ["other"]
    assert set(store.read_now(deployments.usage, ACCOUNT.key)) == {"other", "never-listed"}


def test_the_calls_of_a_name_stay_with_its_newer_life(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    save(store, deployments=[make_deployment()], usage=[make_usage()])
    save(store, at=NOW + DAY, deployments=[make_deployment(created_at=NOW)])
    assert prune(store, NOW + 2 * DAY).deployments == 1
    assert set(store.read_now(deployments.usage, ACCOUNT.key)) == {make_deployment().name}


def test_an_end_that_is_yet_to_be_judged_keeps_the_life(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    one = make_deployment()
    save(store, deployments=[one])
    gone = make_snapshot(at=NOW + HOUR, deployments=[], absent=frozenset({one.key}))
    (end,) = store.write_now(record, gone, QUIET).transitions
    store.write_now(history.mark_undecided, ACCOUNT.key, {end.key}, set())
    assert prune(store).deployments == 0
    store.write_now(history.mark_undecided, ACCOUNT.key, set(), {end.key})
    assert prune(store).deployments == 1


def test_a_job_that_left_its_list_long_ago_goes_with_its_lines_unless_its_model_is_deployed(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    done = {"status": JobStatus.SUCCEEDED}
    jobs = [
        make_job("plain"),
        make_job("served", fine_tuned_model="m", **done),
        make_job("checkpoint", fine_tuned_model="n", **done),
        make_job("unserved", fine_tuned_model="o", **done),
        make_job("listed"),
    ]
    lines = {job.id: [make_event("Job started.", at=NOW)] for job in jobs}
    served = [make_deployment("a", model="m"), make_deployment("b", model="n:ckpt-step-9")]
    save(store, jobs=jobs, events=lines, deployments=served)
    save(store, at=NOW + 2 * DAY, jobs=jobs[-1:])
    assert prune(store, NOW + 2 * DAY).jobs == 0
    assert prune(store, NOW + 3 * DAY).jobs == 2
    left = {"served", "checkpoint", "listed"}
    assert {one.job.id for one in store.read_now(listings.jobs)} == left
    assert {job.id for job in jobs if store.read_now(history.events, ACCOUNT.key, job.id)} == left


def test_what_came_back_to_its_list_stays(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    models = (CustomModel(id="m", account=ACCOUNT.key),)
    there = {
        "jobs": [make_job()],
        "files": Listing(digest="f", items=(make_file(),)),
        "models": Listing(digest="m", items=models),
    }
    away = {"jobs": [], "files": Listing(digest="", items=()), "models": Listing(digest="", items=())}
    for hours, listed_now in ((0, there), (1, away), (2, there)):
        save(store, at=NOW + hours * HOUR, **listed_now)
    pruned = prune(store)
    assert (pruned.jobs, pruned.files, pruned.models) == (0, 0, 0)


def test_files_and_models_are_kept_for_a_while_after_they_left_however_old_they_are(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    models = (CustomModel(id="m", account=ACCOUNT.key), CustomModel(id="served", account=ACCOUNT.key))
    listed_once = {"files": Listing(digest="f", items=(make_file(),)), "models": Listing(digest="m", items=models)}
    save(store, **listed_once, deployments=[make_deployment(model="served")])
    nothing = {"files": Listing(digest="", items=()), "models": Listing(digest="", items=())}
    save(store, at=NOW + 5 * DAY, **nothing)
    assert prune(store, NOW + 5 * DAY) == Pruned(transitions=2)
    pruned = prune(store, NOW + 6 * DAY)
    assert (pruned.files, pruned.models) == (1, 1)


def test_what_was_in_an_account_that_is_gone_counts_from_then(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    save(store, jobs=[make_job()], files=Listing(digest="f", items=(make_file(),)))
    store.write_now(scope.forget_contents, ACCOUNT.key, now=NOW + DAY)
    assert prune(store, NOW + DAY) == Pruned(transitions=2)
    assert prune(store, NOW + 2 * DAY) == Pruned(jobs=1, files=1)


def test_an_account_that_left_the_scope_long_ago_goes_with_all_that_was_in_it(store):
    other = make_account("other")
    store.write_now(scope.save_accounts, [ACCOUNT, other], is_complete=True, now=NOW)
    inside = {"ftjob-1": make_training(read_at=NOW)}
    for account in (ACCOUNT, other):
        seen = make_snapshot(
            account=account,
            jobs=[make_job()],
            events={"ftjob-1": [make_event("Job started.", at=NOW)]},
            deployments=[make_deployment()],
            usage=[make_usage()],
            training=inside,
            files=Listing(digest="f", items=(make_file(),)),
            models=Listing(digest="m", items=(CustomModel(id="m", account=account.key),)),
            gaps=(make_gap(),),
        )
        store.write_now(record, seen, QUIET)
    store.write_now(scope.save_accounts, [other], is_complete=True, now=NOW + DAY)
    assert prune(store, NOW + DAY).accounts == 0
    assert prune(store, NOW + 2 * DAY).accounts == 1
    for name, rows in dump(store.engine).items():
        assert not [row for row in rows if ACCOUNT.key in row], name
    assert [one.account for one in store.read_now(scope.due_accounts)] == [other]
    store.write_now(scope.save_accounts, [ACCOUNT, other], is_complete=True, now=NOW + 3 * DAY)
    back = store.write_now(record, make_snapshot(at=NOW + 3 * DAY, jobs=[make_job()]), QUIET)
    assert [t.is_history for t in back.transitions] == [True]
