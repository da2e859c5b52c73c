"""An account that was moved is listed under two ids, and costs once."""

from datetime import timedelta

from tests.factories import DAY, HOUR, NOW, make_deployment, make_job
from watcher.report.recorded import RecordedJob, RecordedLife
from watcher.store.period_moves import Move, part_jobs, part_lives

MOVE = Move(old="old", new="new", at=NOW - 3 * DAY)


def test_a_life_ends_under_its_old_id_where_it_begins_under_the_new_one():
    bot, later = make_deployment("bot", created_at=NOW - 20 * DAY), make_deployment("late", created_at=NOW - DAY)
    earlier = make_deployment("earlier", created_at=NOW - 30 * DAY)
    gone = RecordedLife(deployment=bot, first_seen_at=NOW - 9 * DAY, end=(MOVE.at - 5 * HOUR, MOVE.at), outcome="gone")
    before = RecordedLife(
        deployment=earlier, first_seen_at=NOW - 9 * DAY, end=(NOW - 6 * DAY, NOW - 5 * DAY), outcome="gone"
    )
    here = [RecordedLife(deployment=one, first_seen_at=MOVE.at) for one in (bot, later)]
    lives = {"old": [gone, before], "new": here}
    part_lives((MOVE,), lives)
    assert [(one.end, one.outcome) for one in lives["old"]] == [((MOVE.at, MOVE.at), "moved"), (before.end, "gone")]
    assert [one.since for one in lives["new"]] == [MOVE.at, None]


def test_a_job_is_left_where_its_end_was_seen():
    ended, trains = make_job("ftjob-ended", status="succeeded"), make_job("ftjob-trains", status="running")
    alone = make_job("ftjob-alone", status="running")
    here = [
        RecordedJob(job=ended, ended_at=NOW - 4 * DAY),
        RecordedJob(job=make_job("ftjob-trains", status="succeeded"), ended_at=NOW - timedelta(hours=1)),
    ]
    there = [
        RecordedJob(job=ended, ended_at=NOW - 4 * DAY, left_at=NOW - 3 * DAY),
        RecordedJob(job=trains, ended_at=None),
        RecordedJob(job=alone, ended_at=None),
    ]
    jobs = {"old": there, "new": here}
    part_jobs((MOVE,), jobs)
    assert [(one.job.id, one.left_at) for one in jobs["old"]] == [
        ("ftjob-ended", NOW - 3 * DAY),
        ("ftjob-alone", None),
    ]
    assert [one.job.id for one in jobs["new"]] == ["ftjob-trains"]
