import pytest

from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MODEL,
    NOW,
    SECOND,
    make_checkpoint,
    make_gap,
    make_job,
    make_training,
    make_view,
)
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.overfitting import JobOverfitting

RULE = JobOverfitting()
CURVE = {
    10: {"train_loss": 0.9, "full_valid_loss": 1.4},
    20: {"train_loss": 0.8, "full_valid_loss": 1.0},
    30: {"train_loss": 0.7, "full_valid_loss": 1.2},
    40: {"train_loss": 0.6, "full_valid_loss": 1.5},
}
CHECKPOINTS = tuple(make_checkpoint(step) for step in (20, 30, 40))


def seen(status="running", *checkpoints, gaps=(), training=None, since=None, **changes):
    changes.setdefault("finished_at", NOW - HOUR if status in ("succeeded", "failed") else None)
    job = make_job(status=status, **changes)
    inside = training or make_training(*(checkpoints or CHECKPOINTS), curve=CURVE)
    return make_view(jobs=[job], training={job.id: inside}, gaps=gaps, status_since=since or {})


def test_words_of_a_job_under_way():
    finding = the_finding(RULE, seen(hyperparameters={"n_epochs": "4"}))

    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.INFO)
    assert finding.summary == (
        'Job "support" of gpt-4o-mini-2024-07-18 in contoso-ft '
        "is overfitting: validation loss was best at "
        "step 20 of 40"
    )
    assert "best at step 20 (1) and has risen by 50 % of it to 1.5 at step 40" in finding.description
    assert "training loss fell from 0.8 to 0.6" in finding.description
    assert f"The checkpoint of step 20, {MODEL}:ckpt-step-20, is from before that." in finding.description
    assert f"--deployment-name support-step-20 --model-name {MODEL}:ckpt-step-20" in finding.action
    assert "n_epochs 4" in finding.action
    assert "/fine_tuning/jobs/ftjob-1/cancel" in finding.action
    assert "4 points from checkpoints, 3 of validation from the best on; read 2026-11-22 07:50 UTC" in finding.evidence
    assert finding.values["checkpoint_step"] == 20
    assert finding.occurred_at == NOW - HOUR


def test_words_of_an_ended_job():
    finding = the_finding(RULE, seen("succeeded"))

    assert " overfitted: " in finding.summary
    assert "cancel" not in finding.action
    assert finding.values["finished_at"] == "2026-11-22T07:00:00Z"


@pytest.mark.parametrize(
    ("checkpoints", "step", "said"),
    [
        pytest.param((10, 20, 40), 20, "The checkpoint of step 20", id="at the best"),
        pytest.param((10, 15, 40), 15, "The checkpoint of step 15", id="nearest before the best"),
        pytest.param((40, 15, 10), 15, "The checkpoint of step 15", id="in any order"),
        pytest.param((30, 35, 40), None, "the earliest is of step 30", id="all later"),
    ],
)
def test_which_checkpoint_is_named(checkpoints, step, said):
    finding = the_finding(RULE, seen("succeeded", *(make_checkpoint(each) for each in checkpoints)))

    assert finding.values["checkpoint_step"] == step
    assert said in finding.description
    assert ("deployment create" in finding.action) is (step is not None)
    assert finding.action.startswith("Deploy" if step else "Train again")


def test_a_checkpoint_without_a_name_cannot_be_deployed():
    finding = the_finding(RULE, seen("succeeded", make_checkpoint(10), make_checkpoint(20, model="")))
    none = the_finding(RULE, seen("succeeded", make_checkpoint(20, model="")))

    assert finding.values["checkpoint_step"] == 10
    assert "No checkpoint of the job is known to watcher." in none.description


def test_nothing_of_a_refused_job_can_be_deployed():
    error = "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
    finding = the_finding(RULE, seen("failed", error=error + "acceptable thresholds for [Violence]."))

    assert "none of it can be deployed" in finding.description
    assert "deployment create" not in finding.action


def test_rewards_are_told_as_rewards():
    rewards = ((0.1, 0.2), (0.3, 0.7), (0.5, 0.6), (0.7, 0.5))
    curve = {10 * i: {"train_reward": t, "full_valid_reward": v} for i, (t, v) in enumerate(rewards, start=1)}
    finding = the_finding(RULE, seen(training=make_training(*CHECKPOINTS, curve=curve), method="reinforcement"))

    assert "validation reward was best at step 20" in finding.summary
    assert "has fallen by 29 % of it to 0.5" in finding.description
    assert "training reward rose from 0.3 to 0.7" in finding.description


@pytest.mark.parametrize(
    ("age", "expected"), [(14 * DAY - SECOND, "found"), (14 * DAY, "cleared"), (300 * DAY, "cleared")]
)
def test_an_ended_job_is_told_for_a_fortnight(age, expected):
    view = seen("succeeded", finished_at=NOW - age)

    assert bool(found(RULE, view)) is (expected == "found")
    if expected == "cleared":
        assert "14 d ago or longer" in cleared(RULE, view)[0].because


def test_the_end_of_a_job_that_does_not_tell_it_is_when_its_status_was_seen():
    undated = {"status": "failed", "finished_at": None}

    assert found(RULE, seen(**undated, since={"ftjob-1": NOW - DAY}))
    assert cleared(RULE, seen(**undated, since={"ftjob-1": NOW - 15 * DAY}))
    old = make_training(curve=CURVE, read_at=NOW - 15 * DAY, is_final=True)
    assert cleared(RULE, seen(**undated, training=old))


def test_finished_at_of_a_paused_job_is_no_end():
    assert found(RULE, seen("paused", finished_at=NOW - 30 * DAY))


def test_options():
    assert not found(JobOverfitting(rise=0.6), seen())
    assert not found(JobOverfitting(points=4), seen())
    assert found(JobOverfitting(points=3, rise=0.5), seen())
    assert not found(JobOverfitting(forget_after=HOUR), seen("succeeded"))


def test_says_nothing_without_a_curve():
    assert not ask(RULE, make_view(jobs=[make_job()]))
    assert not ask(RULE, seen(training=make_training()))
    assert not ask(RULE, make_view(jobs=None, training={"ftjob-1": make_training(curve=CURVE)}))


def test_goes_on_undecided_behind_gaps():
    jobs = the_doubt(RULE, seen(gaps=[make_gap(Section.JOBS)]))
    inside = the_doubt(RULE, seen(gaps=[make_gap(Section.TRAINING, GapReason.THROTTLED, subject="ftjob-1")]))

    assert jobs.on_last_evidence is not None
    assert inside.on_last_evidence is not None
    assert "checkpoints could not be read: Azure throttles" in inside.because
    assert inside.since == NOW - 10 * MINUTE
    assert found(RULE, seen(gaps=[make_gap(Section.TRAINING, subject="ftjob-2")]))
    assert found(RULE, seen("succeeded", gaps=[make_gap(Section.TRAINING, subject="ftjob-1")]))
