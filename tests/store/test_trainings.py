"""The inside of jobs: what is kept, what is still to be read, and how long jobs of a kind take."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_account,
    make_checkpoint,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
)
from watcher.cycles import Judgement, record
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.resources.training import Duration, Pace, PaceKey
from watcher.rules.overfitting import JobOverfitting
from watcher.store import alerts, observations, scope, trainings
from watcher.store.gaps import gaps as open_gaps

from .dumps import changed_tables, dump

KEY = ACCOUNT.key
QUIET = Judgement(rules=())
JOBS = frozenset({Section.JOBS})


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def save(store, at=NOW, **snapshot):
    return store.write_now(record, make_snapshot(at=at, **{"asked": JOBS, **snapshot}), QUIET)


def known(store, now=NOW):
    return store.read_now(observations.known, KEY, now=now)


def end(store, at=NOW):
    save(store, at - HOUR, jobs=[make_job()])
    save(store, at, jobs=[make_job(status=JobStatus.SUCCEEDED, finished_at=at)])


def test_what_was_read_comes_back_and_a_later_reading_is_joined_to_it(watched):
    save(watched, jobs=[make_job()])
    first = make_training(checkpoints=(make_checkpoint(80),), skipped=3)
    save(watched, NOW + MINUTE, jobs=[make_job()], training={"ftjob-1": first})
    assert watched.read_now(trainings.load, KEY, {"ftjob-1", "other"}) == {"ftjob-1": first}
    assert known(watched).training == {"ftjob-1": (first.read_at, first.is_final)}
    later = make_training(make_checkpoint(120), read_at=NOW + HOUR, is_final=True, remark="no result file")
    save(watched, NOW + HOUR, jobs=[make_job()], training={"ftjob-1": later})
    assert watched.read_now(trainings.load, KEY, {"ftjob-1"}) == {"ftjob-1": replace(later, skipped=3)}
    assert known(watched).training == {"ftjob-1": (NOW + HOUR, True)}


def test_overfitting_shows_though_the_service_lists_the_last_three_checkpoints_only(watched):
    """Fifteen epochs, of which the fifth was the best: the last three alone do not show it."""
    losses = {epoch: 1.0 + 0.1 * abs(epoch - 5) for epoch in range(1, 16)}
    judgement = Judgement(rules=(JobOverfitting(),))
    for epoch in losses:
        listed = range(max(1, epoch - 2), epoch + 1)
        curve = {10 * one: {"full_valid_loss": losses[one], "train_loss": 2.0 - 0.1 * one} for one in listed}
        read = make_training(*(make_checkpoint(10 * one) for one in listed), curve=curve, read_at=NOW + epoch * HOUR)
        snapshot = make_snapshot(at=NOW + epoch * HOUR, asked=JOBS, jobs=[make_job()], training={"ftjob-1": read})
        recorded = watched.write_now(record, snapshot, judgement)
    (alert,) = recorded.alerts or watched.read_now(alerts.firing, KEY)
    assert alert.finding.values["best_step"] == 50
    (stored,) = watched.read_now(trainings.load, KEY, {"ftjob-1"}).values()
    assert len(stored.points) == 15


def test_a_job_that_has_left_its_list_keeps_what_was_read_of_it(watched):
    read = make_training(make_checkpoint(80), curve={80: {"train_loss": 1.0}})
    end(watched)
    save(watched, NOW + SECOND, training={"ftjob-1": read})
    gone = make_training(read_at=NOW + HOUR, is_final=True, remark="the job is not listed")
    save(watched, NOW + MINUTE, jobs=[])
    save(watched, NOW + HOUR, training={"ftjob-1": gone})  # the list has not changed
    kept = replace(read, is_final=True, remark="the job is not listed")
    assert watched.read_now(trainings.load, KEY, {"ftjob-1"}) == {"ftjob-1": kept}


def test_the_status_of_a_job_is_known_until_the_list_loses_it_under_way(watched):
    ended = make_job("ftjob-2", status=JobStatus.FAILED)
    save(watched, jobs=[make_job(), ended])
    assert known(watched).statuses == {"ftjob-1": JobStatus.RUNNING, "ftjob-2": JobStatus.FAILED}
    save(watched, NOW + MINUTE, jobs=[])
    assert known(watched).statuses == {"ftjob-2": JobStatus.FAILED}
    save(watched, NOW + 2 * MINUTE, jobs=[make_job()])
    assert known(watched).statuses == {"ftjob-1": JobStatus.RUNNING, "ftjob-2": JobStatus.FAILED}


def test_of_a_job_whose_end_was_seen_the_inside_is_to_be_read_until_that_is_final(watched):
    end(watched)
    assert known(watched).unread_training == {"ftjob-1": NOW}
    partial = make_training(is_final=False)
    save(watched, NOW + MINUTE, training={"ftjob-1": partial})
    assert known(watched).unread_training == {"ftjob-1": NOW}
    save(watched, NOW + 2 * MINUTE, training={"ftjob-1": make_training(is_final=True)})
    assert known(watched).unread_training == {}


def test_of_what_ended_before_it_was_watched_nothing_is_to_be_read(watched):
    save(watched, jobs=[make_job(status=JobStatus.SUCCEEDED, finished_at=NOW)])
    assert known(watched).unread_training == {}


def test_a_day_after_the_end_it_is_given_up(watched):
    end(watched)
    assert known(watched, NOW + 25 * HOUR - SECOND).unread_training == {"ftjob-1": NOW}
    assert known(watched, NOW + 25 * HOUR).unread_training == {}


def test_rules_are_shown_the_inside_of_jobs_under_way_and_of_those_that_ended_lately(watched):
    """Whether the listing came with items or not: an alert must not come and go with that."""
    end(watched)
    save(watched, NOW + MINUTE, training={"ftjob-1": make_training(is_final=True)})
    for at, shown in ((NOW + 30 * DAY, ["ftjob-1"]), (NOW + 32 * DAY, [])):
        for section in ({"deployments": []}, {"jobs": [make_job(status=JobStatus.SUCCEEDED, finished_at=NOW)]}):
            stored = watched.write_now(observations.stored, KEY, of=make_snapshot(at=at, **section))
            assert list(stored.training) == shown, section
            is_loaded = "ftjob-1" in {job.id for job in stored.reading.jobs}
            assert is_loaded == (bool(shown) or "jobs" in section), section


def test_a_gap_of_one_jobs_inside_stands_until_the_jobs_are_read_without_it(watched):
    gap = make_gap(Section.TRAINING, subject="ftjob-1")
    save(watched, jobs=[make_job()], gaps=(gap,))
    save(watched, NOW + MINUTE, asked=frozenset({Section.DEPLOYMENTS}), deployments=[])
    assert watched.read_now(open_gaps, KEY) == (gap,)
    save(watched, NOW + 2 * MINUTE, jobs=[make_job()])
    assert watched.read_now(open_gaps, KEY) == ()


def test_the_same_inside_again_is_written_once_more_and_nothing_else(watched):
    save(watched, jobs=[make_job()], training={"ftjob-1": make_training()})
    before = dump(watched.engine)
    save(watched, NOW + MINUTE, jobs=[make_job()], training={"ftjob-1": make_training(read_at=NOW + MINUTE)})
    assert changed_tables(before, dump(watched.engine)) == {"accounts", "training"}


# Paces

KIND = PaceKey(model="base", location="swedencentral", training_type="", method="supervised")


def test_a_pace_is_that_of_the_newest_jobs_of_its_kind_in_all_accounts(watched):
    far = make_account("far")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW)
    rows = [
        Duration(job=f"j{n}", key=KIND, queued=float(n), ran=None if n % 2 else 100.0 + n, at=NOW + n * MINUTE)
        for n in range(60)
    ]
    watched.write_now(trainings.save_durations, KEY, rows[:30])
    watched.write_now(trainings.save_durations, far.key, rows[30:])
    other = replace(KIND, training_type="developertier")
    slow = replace(KIND, method="reinforcement")
    of_others = [Duration(job=kind.method + kind.training_type, key=kind, queued=9.0, at=NOW) for kind in (other, slow)]
    watched.write_now(trainings.save_durations, KEY, of_others)
    found = watched.read_now(trainings.paces, [KIND, other, slow, replace(KIND, model="?")])
    assert found == {
        KIND: Pace(queued=tuple(map(float, range(10, 60))), ran=tuple(100.0 + n for n in range(0, 60, 2))),
        other: Pace(queued=(9.0,)),
        slow: Pace(queued=(9.0,)),
    }


def test_a_job_that_starts_and_succeeds_joins_the_pace_of_its_kind(watched):
    times = {"created_at": NOW - 2 * HOUR}
    save(watched, NOW, jobs=[make_job(status=JobStatus.PENDING, **times)])
    started = [make_event("Job started.", at=NOW - HOUR)]
    save(watched, NOW + MINUTE, jobs=[make_job(**times)], events={"ftjob-1": started})
    assert watched.read_now(trainings.durations, KEY, {"ftjob-1"})["ftjob-1"].queued == HOUR.total_seconds()
    done = make_job(status=JobStatus.SUCCEEDED, finished_at=NOW + HOUR, **times)
    save(watched, NOW + HOUR, jobs=[done, make_job("ftjob-2", **times)])
    (pace,) = watched.read_now(
        trainings.paces, [watched.read_now(trainings.durations, KEY, {"ftjob-1"})["ftjob-1"].key]
    ).values()
    assert pace == Pace(queued=(3600.0,), ran=(timedelta(hours=2).total_seconds(),))


# Checkpoints that deployments name

#: Validation parts from training.
WORSE = {10 * step: {"train_loss": 1.0 / step, "valid_loss": 1.0 + max(0, step - 2)} for step in range(1, 12)}


def test_a_checkpoint_is_unplaced_until_some_job_of_its_account_lists_it(watched):
    both = frozenset({Section.JOBS, Section.DEPLOYMENTS})
    served = [make_deployment("a", model="FtChkpt-80"), make_deployment("b"), make_deployment("c", model="gpt-4o")]
    served += [make_deployment("d", model="ftchkpt-far", model_source=make_account("far").id)]
    recorded = save(watched, NOW - HOUR, asked=both, jobs=[make_job(status=JobStatus.SUCCEEDED)], deployments=served)
    assert known(watched).unplaced == recorded.remembered.known.unplaced == {"ftchkpt-80"}
    read = make_training(make_checkpoint(40), make_checkpoint(80, id="ftCHKPT-80"), is_final=True, read_at=NOW)
    recorded = save(watched, training={"ftjob-1": read})
    assert known(watched).unplaced == recorded.remembered.known.unplaced == frozenset()
    assert known(watched).training == {"ftjob-1": (NOW, True)}


def test_the_end_of_a_deployment_ends_the_search_for_its_maker(watched):
    deployments = frozenset({Section.DEPLOYMENTS})
    served = make_deployment("a", model="ftchkpt-80")
    save(watched, NOW - HOUR, asked=deployments, deployments=[served])
    assert known(watched).unplaced == {"ftchkpt-80"}
    save(watched, asked=deployments, deployments=[], absent=frozenset({served.key}))
    assert known(watched).unplaced == frozenset()


@pytest.mark.parametrize(("curve", "is_told"), [({}, False), (WORSE, True)], ids=["names alone", "a curve"])
def test_checkpoints_without_a_curve_say_nothing_of_how_a_training_went(watched, curve, is_told):
    """Those of a job of the past are read for their names: its end was history at first sight, and so is its course."""
    judgement = Judgement(rules=(JobOverfitting(points=2),))
    job = make_job(status=JobStatus.SUCCEEDED, finished_at=NOW - DAY)
    watched.write_now(record, make_snapshot(at=NOW - HOUR, asked=JOBS, jobs=[job]), judgement)
    made = [make_checkpoint(step, metrics=dict(metrics)) for step, metrics in WORSE.items()]
    read = make_training(*made, curve=curve, is_final=True, read_at=NOW)
    recorded = watched.write_now(
        record, make_snapshot(at=NOW, asked=JOBS, jobs=[job], training={"ftjob-1": read}), judgement
    )
    assert bool(recorded.alerts) is is_told
    again = make_snapshot(at=NOW + HOUR, asked=JOBS, jobs=[replace(job, suffix="x")])
    watched.write_now(record, again, judgement)
    assert bool(watched.read_now(alerts.firing, KEY)) is is_told
