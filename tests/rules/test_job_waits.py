import pytest

from tests.factories import DAY, HOUR, NOW, SECOND, make_event, make_gap, make_job, make_transition, make_view
from tests.rules.ask import cleared, found, the_doubt, the_finding, verdict
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.job_waits import JobPaused, JobStalled

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
    assert finding.summary.endswith("has been running for 1 d 6 h")
    assert "2026-11-22 09:00 UTC, which may be wrong" in finding.description
    assert "/fine_tuning/jobs/ftjob-1/cancel" in finding.action
    assert finding.values["limit_seconds"] == 86400


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
