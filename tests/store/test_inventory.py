"""What exists over all accounts, put together from what each listing and each job told."""

import pytest
from sqlalchemy import event

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    make_account,
    make_checkpoint,
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
from watcher.resources.calls import Calls, HourOfCalls
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.model import CustomModel, Retirement
from watcher.resources.snapshot import Listing, Section
from watcher.store import inventory, retirements, scope

KEY = ACCOUNT.key
QUIET = Judgement(rules=())


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def save(store, at=NOW, **snapshot):
    for section in ("files", "models"):
        if section in snapshot:
            snapshot[section] = Listing(digest=f"{section} {len(snapshot[section])}", items=tuple(snapshot[section]))
    store.write_now(record, make_snapshot(at=at, asked=frozenset(Section), **snapshot), QUIET)


def load(store):
    return store.read_now(inventory.load, now=NOW, owner_tag="Owner")


def made(model="m", **changes):
    return make_job(**{"status": JobStatus.SUCCEEDED, "finished_at": NOW, "fine_tuned_model": model, **changes})


def listed_model(id="m", **changes):
    return CustomModel(id=id, account=KEY, **changes)


def models(store):
    (holding,) = load(store).holdings
    return {model.id: model for model in holding.models}


def test_a_job_and_a_listing_tell_of_one_model_together(watched):
    job = made(metadata={"owner": "ann"}, validation_file="file-v")
    save(watched, jobs=[job], models=[listed_model(job="?", created_at=NOW - HOUR, inference_until=NOW + DAY)])
    model = models(watched)["m"]
    assert (model.job, model.base, model.suffix, model.owner) == (job.id, job.model, "support", "ann")
    assert (model.created_at, model.inference_until, model.is_listed) == (NOW, NOW + DAY, True)
    assert (model.training_file, model.validation_file) == ("file-train", "file-v")


def test_each_of_the_two_suffices(watched):
    save(watched, jobs=[made("by-job")], models=[])
    assert models(watched)["by-job"].is_listed  # an empty listing may be one that the account does not offer
    save(watched, NOW + HOUR, models=[listed_model("by-listing", base="b", created_at=NOW)])
    found = models(watched)
    assert (found["by-listing"].base, found["by-listing"].job, found["by-listing"].is_listed) == ("b", "", True)
    assert not found["by-job"].is_listed


def test_a_model_that_leaves_the_list_is_known_and_not_listed(watched):
    save(watched, jobs=[], models=[listed_model("one"), listed_model("two")])
    save(watched, NOW + HOUR, models=[listed_model("two")])
    assert {name: model.is_listed for name, model in models(watched).items()} == {"one": False, "two": True}


def test_what_was_never_read_is_unknown_and_not_empty(watched):
    (holding,) = load(watched).holdings
    assert (holding.deployments, holding.files, holding.models_at, holding.jobs_at) == (None, None, None, None)
    save(watched, jobs=[], deployments=[], files=[], models=[], gaps=(gap := make_gap(),))
    (holding,) = load(watched).holdings
    assert (holding.deployments, holding.files, holding.models_at) == ((), (), NOW)
    assert holding.gaps == (gap,)


def test_only_fine_tuned_deployments_that_live_are_held_with_their_calls(watched):
    own = make_deployment("own", model="m:ckpt-step-3")
    base = make_deployment("base", model="gpt-4o")
    gone = make_deployment("gone")
    usage = [make_usage("own"), make_usage("base"), make_usage("gone")]
    save(watched, jobs=[made("m")], deployments=[own, base, gone], usage=usage)
    save(watched, NOW + HOUR, deployments=[own, base], absent=frozenset({gone.key}))
    (holding,) = load(watched).holdings
    assert holding.deployments == (own,)
    assert holding.usage == {"own": make_usage("own")}


def test_a_model_that_another_account_made_is_known_here(watched):
    far = make_account("far")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW)
    save(watched, jobs=[made("m")])
    copy = make_deployment("copy", account=far, model="m")
    save(watched, account=far, deployments=[copy])
    assert [holding.deployments for holding in load(watched).holdings] == [None, (copy,)]


def test_checkpoints_are_looked_up_where_a_deployment_bears_their_id(watched):
    training = {"ftjob-1": make_training(make_checkpoint(80))}
    save(watched, jobs=[made("m")], training=training, deployments=[make_deployment(model="m")])
    assert models(watched)["m"].checkpoints == frozenset()
    save(watched, NOW + HOUR, deployments=[make_deployment(model="ftchkpt-80")])
    assert "ftchkpt-80" in models(watched)["m"].checkpoints


def test_jobs_are_counted_by_what_they_take_up(watched):
    jobs = [
        made(),
        make_job("a", status=JobStatus.QUEUED),
        make_job("b", status=JobStatus.PENDING),
        make_job("c", training_type="DeveloperTier"),
        make_job("d", status=JobStatus.PAUSED),
        make_job("e", status=JobStatus.RESUMING),
    ]
    save(watched, jobs=jobs)
    (holding,) = load(watched).holdings
    assert (holding.job_count, holding.queued, holding.running) == (6, 2, {"developertier": 1, "": 1})


def test_a_file_is_in_use_by_a_listed_job_or_by_a_job_whose_model_is_listed(watched):
    file = make_file()
    jobs = [
        made("kept", id="ftjob-1", training_file="f1", validation_file="f2"),
        made("lost", id="ftjob-2", training_file="f3"),
        make_job("ftjob-3", status=JobStatus.FAILED, training_file="f4"),
    ]
    save(watched, jobs=jobs, models=[listed_model("kept"), listed_model("lost")], files=[file])
    (holding,) = load(watched).holdings
    assert holding.file_users == {"f1", "f2", "f3", "f4"}
    assert holding.files == (file,)
    save(watched, NOW + HOUR, jobs=[], models=[listed_model("kept")])
    assert load(watched).holdings[0].file_users == {"f1", "f2"}


def test_what_left_the_scope_is_not_there(watched):
    save(watched, jobs=[made()], deployments=[make_deployment()], files=[make_file()], models=[listed_model()])
    watched.write_now(scope.save_accounts, [], is_complete=True, now=NOW)
    assert load(watched).holdings == ()


def test_retirements_of_regions_that_were_not_read_stay(watched):
    east, west = (Retirement(model="base", location=place, inference_until=NOW) for place in ("east", "west"))
    watched.write_now(retirements.save, [east, west], regions={"east", "west"}, now=NOW)
    newer = Retirement(model="other", location="east")
    watched.write_now(retirements.save, [newer], regions={"east"}, now=NOW + DAY)
    assert load(watched).retirements == (newer, west)
    watched.write_now(retirements.save, [], regions=set(), now=NOW + DAY)
    assert len(load(watched).retirements) == 2


def test_the_mark_changes_with_what_exists_and_with_nothing_else(watched):
    def mark():
        return watched.read_now(inventory.mark)

    save(watched, jobs=[make_job()], deployments=[], files=[])
    first = mark()
    save(watched, NOW + HOUR, jobs=[make_job()])
    assert mark() == first
    save(watched, NOW + 2 * HOUR, files=[make_file()])
    second = mark()
    assert second != first
    watched.write_now(retirements.save, [], regions={"east"}, now=NOW)
    assert mark() == second
    watched.write_now(retirements.save, [Retirement(model="b", location="east")], regions={"east"}, now=NOW)
    assert mark() != second


def test_the_calls_of_the_last_weeks_are_held_with_what_was_read_of_them(watched):
    hours = {NOW - 40 * DAY: HourOfCalls(ok=9.0), NOW - DAY: HourOfCalls(ok=2.0)}
    usage = make_usage("bot", read_from=NOW - 60 * DAY)
    bot = Calls(deployment="bot", hours=hours)
    save(watched, deployments=[make_deployment("bot")], usage=[usage], calls={"bot": bot})
    (holding,) = load(watched).holdings
    assert {hour: one.ok for hour, one in holding.calls["bot"].hours.items()} == {NOW - DAY: 2.0}
    assert holding.coverage.holds(NOW - 60 * DAY, NOW)


def test_the_jobs_of_this_month_are_held_with_what_their_logs_say_of_money(watched):
    save(watched, NOW - 40 * DAY, jobs=[make_job(name) for name in ("this", "last", "under-way")])
    ended = [made(id="this", finished_at=NOW - DAY), made(id="last", finished_at=NOW - 30 * DAY)]
    said = make_event("Training tokens billed: 8000")
    events = {"this": [said, make_event("Model Evaluation Passed.")], "last": [said]}
    save(watched, jobs=[*ended, make_job("under-way"), made("x", id="old", finished_at=NOW - 90 * DAY)], events=events)
    (holding,) = load(watched).holdings
    assert [job.id for job in holding.jobs_ended] == ["this"]
    assert [line.message for line in holding.logs["this"]] == [said.message]
    assert holding.phases == {}  # what is billed by tokens and ran to its end costs what its log says


def test_of_the_jobs_whose_cost_goes_by_their_status_its_changes_are_held(watched):
    rft = {"method": "reinforcement", "model": "o4-mini-2025-04-16"}
    jobs = {"rft": rft, "stopped": {}, "plain": {}, "undated": {}}
    save(watched, NOW - 2 * DAY, jobs=[])
    save(watched, NOW - DAY, jobs=[make_job(name, "queued", **more) for name, more in jobs.items()])
    ends = {"stopped": {"status": "cancelled"}, "undated": {"finished_at": None}}
    save(
        watched,
        jobs=[made(id=name, **{**more, **ends.get(name, {})}) for name, more in jobs.items()],
        events={"stopped": [make_event("Job cancelled.")]},
    )
    (holding,) = load(watched).holdings
    steps = {job: [change.after for change in changes] for job, changes in holding.phases.items()}
    assert steps == {
        "rft": ["queued", "succeeded"],
        "stopped": ["queued", "cancelled"],
        "undated": ["queued", "succeeded"],
    }
    assert set(holding.logs) == {"stopped"}


def test_what_an_account_has_trained_that_left_this_month_is_still_known(watched):
    far = make_account("far", created_at=NOW - HOUR)
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW - 2 * DAY)
    save(watched, NOW - 2 * DAY, jobs=[])
    jobs = [made(id="here", finished_at=NOW - DAY), made(id="moved", finished_at=NOW - DAY)]
    save(watched, NOW - DAY, jobs=jobs)
    # The other account was created since, and brings one of the jobs with it.
    save(watched, NOW, account=far, jobs=[made(id="moved", account=far.key, finished_at=NOW - DAY)])
    watched.write_now(scope.save_accounts, [far], is_complete=True, now=NOW)
    found = load(watched)
    assert [holding.jobs_ended for holding in found.holdings] == [()]
    assert [(one.account.key, [job.id for job in one.jobs_ended]) for one in found.departed] == [
        (KEY, ["here", "moved"])
    ]
    # Of one that tells no creation, nobody knows that it came with it: it is counted once.
    watched.write_now(scope.save_accounts, [make_account("far")], is_complete=True, now=NOW)
    again = load(watched)
    assert [[job.id for job in one.jobs_ended] for one in (*again.holdings, *again.departed)] == [["moved"], ["here"]]
    later = watched.read_now(inventory.load, now=NOW + 30 * DAY, owner_tag="")
    assert later.departed == ()


def test_it_takes_as_many_queries_for_twenty_accounts_as_for_one(watched):
    asked = []
    event.listen(watched.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    load(watched)
    of_one = len(asked)
    everyone = [make_account(f"a{n}") for n in range(20)]
    watched.write_now(scope.save_accounts, everyone, is_complete=False, now=NOW)
    for account in everyone:
        jobs = [made("m", account=account.key)]
        save(watched, account=account, jobs=jobs, deployments=[make_deployment(account=account)], files=[])
    asked.clear()
    assert len(load(watched).holdings) == 21
    assert len(asked) == of_one
