"""The inside of jobs: what is kept, what is still to be read, and how long jobs of a kind take."""

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
from watcher.store import observations, scope, trainings
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


def test_what_was_read_comes_back_and_a_later_reading_replaces_it(watched):
    save(watched, jobs=[make_job()])
    first = make_training(checkpoints=(make_checkpoint(80),), skipped=3)
    save(watched, NOW + MINUTE, jobs=[make_job()], training={"ftjob-1": first})
    assert watched.read_now(trainings.load, KEY, {"ftjob-1", "other"}) == {"ftjob-1": first}
    assert known(watched).training == {"ftjob-1": (first.read_at, first.is_final)}
    later = make_training(read_at=NOW + HOUR, is_final=True, remark="no result file")
    save(watched, NOW + HOUR, jobs=[make_job()], training={"ftjob-1": later})
    assert watched.read_now(trainings.load, KEY, {"ftjob-1"}) == {"ftjob-1": later}
    assert known(watched).training == {"ftjob-1": (NOW + HOUR, True)}


def test_of_a_job_whose_end_was_seen_the_inside_is_to_be_read_until_that_is_final(watched):
    end(watched)
    assert known(watched).unread_training == {"ftjob-1"}
    partial = make_training(is_final=False)
    save(watched, NOW + MINUTE, training={"ftjob-1": partial})
    assert known(watched).unread_training == {"ftjob-1"}
    save(watched, NOW + 2 * MINUTE, training={"ftjob-1": make_training(is_final=True)})
    assert known(watched).unread_training == frozenset()


def test_of_what_ended_before_it_was_watched_nothing_is_to_be_read(watched):
    save(watched, jobs=[make_job(status=JobStatus.SUCCEEDED, finished_at=NOW)])
    assert known(watched).unread_training == frozenset()


def test_a_day_after_the_end_it_is_given_up(watched):
    end(watched)
    assert known(watched, NOW + 25 * HOUR - SECOND).unread_training == {"ftjob-1"}
    assert known(watched, NOW + 25 * HOUR).unread_training == frozenset()


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

KIND = PaceKey(model="base", location="swedencentral", training_type="")


def test_a_pace_is_that_of_the_newest_jobs_of_its_kind_in_all_accounts(watched):
    far = make_account("far")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW)
    rows = [
        Duration(job=f"j{n}", key=KIND, queued=float(n), ran=None if n % 2 else 100.0 + n, at=NOW + n * MINUTE)
        for n in range(60)
    ]
    watched.write_now(trainings.save_durations, KEY, rows[:30])
    watched.write_now(trainings.save_durations, far.key, rows[30:])
    other = PaceKey(model="base", location="swedencentral", training_type="developertier")
    watched.write_now(trainings.save_durations, KEY, [Duration(job="x", key=other, queued=9.0, at=NOW)])
    found = watched.read_now(trainings.paces, [KIND, other, PaceKey(model="?", location="", training_type="")])
    assert found == {
        KIND: Pace(queued=tuple(map(float, range(10, 60))), ran=tuple(100.0 + n for n in range(0, 60, 2))),
        other: Pace(queued=(9.0,)),
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
