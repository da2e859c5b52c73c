from dataclasses import replace

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_checkpoint,
    make_event,
    make_gap,
    make_job,
    make_training,
    make_transition,
    make_view,
)
from tests.rules.ask import cleared, found, the_doubt, the_finding, verdict
from watcher.resources.changes import Change
from watcher.resources.snapshot import Section
from watcher.resources.training import Estimates, Pace
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.job_waits import JobPaused, JobStalled
from watcher.rules.pace import pace_key

PAUSED, STALLED = JobPaused(), JobStalled()


def paused_view(status="paused", age=HOUR, *, gaps=(), **changes):
    return make_view(jobs=[make_job(status=status, **changes)], status_since={"ftjob-1": NOW - age}, gaps=gaps)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), "none", id="empty account"),
        pytest.param(make_view(jobs=None), "undecided", id="never read"),
        pytest.param(paused_view("running"), "none", id="running"),
        pytest.param(paused_view("hibernating"), "none", id="unknown status"),
        pytest.param(paused_view("pausing"), "found", id="pausing"),
        pytest.param(paused_view("paused"), "found", id="paused"),
        pytest.param(paused_view(finished_at=NOW), "found", id="finished_at is set on paused jobs too"),
        pytest.param(paused_view("resuming"), "none", id="resuming"),
        pytest.param(paused_view(gaps=[make_gap(Section.JOBS)]), "undecided", id="gap"),
        pytest.param(paused_view(gaps=[make_gap(Section.JOBS, subject="ftjob-2")]), "found", id="another job's gap"),
    ],
)
def test_paused_verdicts(view, expected):
    assert verdict(PAUSED, view) == expected


@pytest.mark.parametrize(("age", "step"), [(HOUR, ""), (3 * DAY - SECOND, ""), (3 * DAY, "3d"), (30 * DAY, "3d")])
def test_paused_reminds_once(age, step):
    assert the_finding(PAUSED, paused_view(age=age)).step == step


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"method": "reinforcement"}, "spending cap"),
        ({"training_type": "developerTier"}, "pre-empted"),
        ({}, "by a person"),
    ],
)
def test_paused_guesses_why_and_says_that_it_guesses(changes, expected):
    description = the_finding(PAUSED, paused_view(**changes)).description

    assert expected in description
    assert "a guess" in description


def test_paused_counts_down_on_last_evidence_and_without_a_date():
    doubt = the_doubt(PAUSED, paused_view(age=4 * DAY, gaps=[make_gap(Section.JOBS)]))
    undated = the_finding(PAUSED, make_view(jobs=[make_job(status="paused")]))

    assert doubt.on_last_evidence.step == "3d"
    assert undated.step == ""
    assert "not known" in undated.evidence


def test_a_pause_that_nothing_dates_is_only_said_to_have_been_seen():
    """The service tells no time of it: at first sight it may be days old."""
    finding = the_finding(PAUSED, paused_view(age=4 * DAY))

    assert finding.summary.endswith("has been paused since 2026-11-18 08:00 UTC at least")
    assert "status paused, first seen so 2026-11-18 08:00 UTC; it may have begun earlier" in finding.evidence


def test_paused_clears_with_what_became_of_it():
    job = make_job(status="running")
    (clear,) = cleared(PAUSED, make_view(jobs=[job], transitions=[make_transition(job, "paused")]))

    assert clear.because == "it is now running, 2026-11-22 08:00 UTC"
    assert not cleared(PAUSED, make_view(jobs=[job], transitions=[make_transition(job, "pending")]))


def stalled_view(status, age, *, since=True, gaps=(), **changes):
    return make_view(
        jobs=[make_job(status=status, created_at=changes.pop("created_at", NOW - 90 * DAY), **changes)],
        status_since={"ftjob-1": NOW - age} if since else {},
        gaps=gaps,
    )


@pytest.mark.parametrize(
    ("status", "age", "expected"),
    [
        ("pending", 6 * HOUR, False),
        ("pending", 6 * HOUR + SECOND, True),
        ("queued", 7 * HOUR, True),
        ("validating_files", 7 * HOUR, True),
        ("resuming", 7 * HOUR, True),
        ("running", 24 * HOUR, False),
        ("running", 24 * HOUR + SECOND, True),
        ("paused", 90 * DAY, False),
        ("succeeded", 90 * DAY, False),
        ("failed", 90 * DAY, False),
        ("daydreaming", 90 * DAY, False),
    ],
)
def test_stalled_limits(status, age, expected):
    assert bool(found(STALLED, stalled_view(status, age))) is expected


def test_stalled_counts_from_creation_where_the_status_is_not_dated():
    finding = the_finding(STALLED, stalled_view("pending", HOUR, since=False))

    assert "counted from its creation" in finding.evidence
    assert verdict(STALLED, stalled_view("pending", HOUR, since=False, created_at=None)) == "undecided"


def test_stalled_words():
    view = stalled_view("running", 30 * HOUR, estimated_finish_at=NOW + HOUR)
    finding = the_finding(STALLED, view)

    assert finding.kind is FindingKind.CONDITION
    assert finding.severity is Severity.WARNING
    assert finding.summary.endswith("has been running since 2026-11-21 02:00 UTC")
    assert "2026-11-22 09:00 UTC, which may be wrong" in finding.description
    assert "/fine_tuning/jobs/ftjob-1/cancel" in finding.action
    assert finding.values["limit_seconds"] == 86400


KIND = pace_key(ACCOUNT, make_job())
HOURS = 3600.0


@pytest.mark.parametrize(
    ("status", "age", "pace", "expected"),
    [
        pytest.param("queued", 3 * HOUR, Pace(queued=(HOURS,) * 8), True, id="such jobs wait an hour"),
        pytest.param("queued", 2 * HOUR, Pace(queued=(HOURS,) * 8), False, id="twice that is in order"),
        pytest.param("queued", 3 * HOUR, Pace(queued=(HOURS,) * 7), False, id="too few were seen"),
        pytest.param("queued", 3 * HOUR, Pace(ran=(HOURS,) * 8), False, id="how long they run says nothing of waiting"),
        pytest.param("queued", 20 * HOUR, Pace(queued=(12 * HOURS,) * 8), False, id="here they wait for half a day"),
        pytest.param("queued", 25 * HOUR, Pace(queued=(12 * HOURS,) * 8), True, id="and this one for over a day"),
        pytest.param("running", 3 * HOUR, Pace(ran=(HOURS,) * 8), True, id="such jobs run for an hour"),
        pytest.param("running", 30 * HOUR, Pace(ran=(20 * HOURS,) * 8), False, id="such jobs run for long"),
        pytest.param("resuming", 3 * HOUR, Pace(queued=(HOURS,) * 8), False, id="none tells how long a resume takes"),
        pytest.param("paused", 30 * DAY, Pace(queued=(HOURS,) * 8, ran=(HOURS,) * 8), False, id="a pause is no run"),
    ],
)
def test_stalled_by_what_such_jobs_took(status, age, pace, expected):
    view = replace(stalled_view(status, age), paces={KIND: pace})
    assert bool(found(STALLED, view)) is expected


def test_stalled_counts_from_the_resume_and_not_from_the_first_start():
    """`status_since` begins anew when a job runs again, so a pause is no part of it."""
    view = replace(stalled_view("running", HOUR), paces={KIND: Pace(ran=(HOURS,) * 8)})
    assert not found(STALLED, view)


def test_stalled_does_not_mix_kinds():
    other = replace(KIND, training_type="developertier")
    assert not found(STALLED, replace(stalled_view("queued", 3 * HOUR), paces={other: Pace(queued=(HOURS,) * 8)}))
    quick = replace(KIND, method="dpo")
    assert not found(STALLED, replace(stalled_view("queued", 3 * HOUR), paces={quick: Pace(queued=(HOURS,) * 8)}))
    off = JobStalled(history=0)
    assert not found(off, replace(stalled_view("queued", 3 * HOUR), paces={KIND: Pace(queued=(HOURS,) * 8)}))


def test_stalled_says_by_which_history():
    view = replace(stalled_view("queued", 3 * HOUR), paces={KIND: Pace(queued=(HOURS,) * 8)})
    finding = the_finding(STALLED, view)

    assert finding.description.startswith(
        "That is longer than 95 % of the 8 supervised jobs of this kind that watcher saw "
        "(p95 1 h from creation to start)"
    )
    assert finding.values["limit_seconds"] == 7200
    assert "95 % of the 8 supervised jobs of this kind that watcher saw took at most 1 h" in finding.evidence


def test_stalled_tells_of_estimates_that_slip():
    view = stalled_view("running", 30 * HOUR, estimated_finish_at=NOW - HOUR)
    slipped = Estimates(seen=((NOW - 2 * DAY, NOW - DAY), (NOW - DAY, NOW - HOUR)))
    finding = the_finding(STALLED, replace(view, estimates={"ftjob-1": slipped}))

    assert "2026-11-22 07:00 UTC, has passed and was wrong." in finding.description
    assert "moved its estimate once, from 2026-11-21 08:00 UTC to 2026-11-22 07:00 UTC" in finding.description
    assert finding.values["estimated_finish"] == "2026-11-22T07:00:00Z"
    assert finding.values["estimate_moves"] == 1


def test_paused_tells_what_could_be_deployed_meanwhile():
    curve = {10: {"train_reward": 0.1}, 40: {"train_reward": 0.55, "full_valid_reward": 0.5}}
    training = make_training(make_checkpoint(40), make_checkpoint(20), curve=curve)
    finding = the_finding(PAUSED, replace(paused_view(), training={"ftjob-1": training}))

    assert "listed 2 checkpoints of it (steps 20, 40; read 2026-11-22 07:50 UTC)" in finding.description
    assert "though the job is paused" in finding.description
    assert (
        "Mean reward: in training from 0.1 (step 10) to 0.55 (step 40); in validation 0.5 (step 40)."
        in finding.description
    )
    assert ":ckpt-step-40" in finding.action.splitlines()[-1]


def test_a_late_find_is_said():
    view = replace(paused_view(), previous_at={Section.JOBS: NOW - 9 * HOUR}, cadence={Section.JOBS: 10 * MINUTE})
    assert "found late: the jobs were not read between 2026-11-21 23:00 UTC and 2026-11-22 08:00 UTC" in (
        the_finding(PAUSED, view).evidence
    )


def test_stalled_is_undecided_behind_a_gap_but_goes_on():
    doubt = the_doubt(STALLED, stalled_view("running", 30 * HOUR, gaps=[make_gap(Section.JOBS)]))

    assert doubt.on_last_evidence is not None
    assert verdict(STALLED, make_view(jobs=None)) == "undecided"
    assert verdict(STALLED, make_view()) == "none"


def test_stalled_clears_with_what_became_of_it():
    job = make_job(status="succeeded", finished_at=NOW - HOUR)
    (clear,) = cleared(STALLED, make_view(jobs=[job], transitions=[make_transition(job, "running")]))

    assert clear.because == "it ended succeeded, 2026-11-22 07:00 UTC"


def test_stalled_does_not_clear_what_it_finds():
    job = make_job()
    view = make_view(jobs=[job], transitions=[make_transition(job, "pending")], status_since={job.id: NOW - 30 * HOUR})

    assert not cleared(STALLED, view)
    assert found(STALLED, view)


def test_evidence_shows_the_last_line_of_the_log():
    view = make_view(
        jobs=[make_job(status="paused")], events={"ftjob-1": [make_event("Job started."), make_event("Pausing now.")]}
    )

    assert 'last line of its log, 2026-11-22 07:00 UTC: "Pausing now."' in the_finding(PAUSED, view).evidence


@pytest.mark.parametrize(("rule", "status"), [(PAUSED, "paused"), (STALLED, "pending"), (STALLED, "running")])
def test_a_job_whose_account_is_gone_is_gone_with_it(rule, status):
    job = make_job(status=status)
    lost = make_transition(job, status, change=Change.GONE, after=None)
    view = make_view(jobs=[job], status_since={job.id: NOW - 30 * DAY}, transitions=[lost])
    (answer,) = rule.evaluate(view)
    assert answer.because == "its account is gone, seen 2026-11-22 08:00 UTC, and the job with it"


def test_a_status_that_was_only_first_seen_is_said_to_have_begun_before():
    """At first sight the service tells no time of it: a job may have run for days."""
    running = stalled_view("running", 30 * HOUR)
    dated, seen = the_finding(STALLED, running), the_finding(STALLED, replace(running, undated=frozenset({"ftjob-1"})))

    assert dated.summary.endswith("has been running since 2026-11-21 02:00 UTC")
    assert "status running since 2026-11-21 02:00 UTC" in dated.evidence
    assert seen.summary.endswith("has been running at least since 2026-11-21 02:00 UTC, when it was first seen so")
    assert "first seen so 2026-11-21 02:00 UTC; it may have begun earlier" in seen.evidence
    assert (dated.is_older, seen.is_older) == (False, True)
    assert the_finding(PAUSED, paused_view()).is_older
