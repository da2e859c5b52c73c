from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import (
    ACCOUNT,
    HOUR,
    MINUTE,
    NOW,
    make_event,
    make_job,
    make_reading,
    make_snapshot,
    make_transition,
)
from watcher.cycles.durations import durations
from watcher.resources.changes import diff
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.training import Duration
from watcher.rules.pace import pace_key

CREATED = NOW - 5 * HOUR
STARTED = NOW - 4 * HOUR


def job(status=JobStatus.RUNNING, **changes):
    return make_job(status=status, created_at=CREATED, training_type="GlobalStandard", **changes)


def seen(after, *, before=None, events=(), known=None):
    """What one snapshot of a job adds to what was known of it."""
    previous = make_reading(jobs=() if before is None else [before])
    snapshot = make_snapshot(jobs=[after], events={after.id: events})
    return durations(ACCOUNT, [after], diff(previous, snapshot), snapshot.events, known or {})


def by_id(found):
    return {one.job: one for one in found}


def test_a_start_and_a_success_make_one_row_of_both_spans():
    pending, running = job(JobStatus.PENDING), job()
    (begun,) = seen(running, before=pending, events=[make_event("Job started.", at=STARTED)])
    assert begun.key == pace_key(ACCOUNT, running)
    assert (begun.queued, begun.ran, begun.at) == (HOUR.total_seconds(), None, STARTED)

    done = job(JobStatus.SUCCEEDED, finished_at=NOW - HOUR)
    (whole,) = seen(done, before=running, known=by_id([begun]))
    assert (whole.queued, whole.ran, whole.at) == (HOUR.total_seconds(), 3 * HOUR.total_seconds(), NOW - HOUR)


def test_both_ends_between_two_polls_are_found_in_the_jobs_own_log():
    done = job(JobStatus.SUCCEEDED, finished_at=NOW)
    (whole,) = seen(done, before=job(JobStatus.PENDING), events=[make_event("Job started.", at=STARTED)])
    assert (whole.queued, whole.ran) == (HOUR.total_seconds(), 4 * HOUR.total_seconds())


def test_without_a_dated_start_nothing_is_recorded():
    assert seen(job(), before=job(JobStatus.PENDING)) == ()
    assert seen(job(JobStatus.SUCCEEDED, finished_at=NOW), before=job()) == ()
    assert seen(job(JobStatus.SUCCEEDED, finished_at=NOW)) == ()


def test_a_failure_tells_how_long_it_waited_and_no_more():
    failed = job(JobStatus.FAILED, finished_at=NOW)
    (begun,) = seen(failed, before=job(JobStatus.PENDING), events=[make_event("Job started.", at=STARTED)])
    assert (begun.queued, begun.ran) == (HOUR.total_seconds(), None)


def test_a_resumed_job_changes_nothing():
    paused = job(JobStatus.PAUSED)
    (begun,) = seen(job(), before=job(JobStatus.PENDING), events=[make_event("Job started.", at=STARTED)])
    assert seen(job(), before=paused, known=by_id([begun])) == ()


def test_times_that_contradict_each_other_are_left_out():
    early = make_event("Job started.", at=CREATED - MINUTE)
    assert seen(job(), before=job(JobStatus.PENDING), events=[early]) == ()


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_recorded_is_what_passed(waited, ran):
    start = CREATED + timedelta(seconds=waited)
    done = job(JobStatus.SUCCEEDED, finished_at=start + timedelta(seconds=ran))
    transitions = [make_transition(done, before="pending")]
    (whole,) = durations(ACCOUNT, [done], transitions, {done.id: (make_event("Job started.", at=start),)}, {})
    assert (whole.queued, whole.ran) == (waited, ran)


def test_a_run_that_is_known_is_not_dated_anew():
    whole = Duration(job="ftjob-1", key=pace_key(ACCOUNT, job()), queued=60.0, ran=600.0, at=NOW - HOUR)
    again = job(JobStatus.SUCCEEDED, finished_at=NOW)
    assert seen(again, before=job(JobStatus.FAILED), known=by_id([whole])) == ()
