from dataclasses import replace

import pytest

from tests.factories import (
    HOUR,
    MINUTE,
    MODEL,
    NOW,
    make_checkpoint,
    make_event,
    make_gap,
    make_job,
    make_training,
    make_transition,
    make_view,
)
from tests.rules.ask import ask, doubts, found, the_doubt, the_finding
from watcher.resources.changes import ResourceKind
from watcher.resources.fine_tuning import JobError, JobStatus
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.jobs import JobCancelled, JobFailed, JobRaiDataFailed, JobRaiModelFailed, JobSucceeded

RULES = (JobSucceeded(), JobCancelled(), JobFailed(), JobRaiDataFailed(), JobRaiModelFailed())
DATA_TEXT = (
    "The provided training data failed RAI checks for harm types: [hate_fairness, self_harm, violence]. "
    "Please fix the data and try again."
)
MODEL_TEXT = (
    "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
    "acceptable thresholds for [Violence, Self Harm]. Please review your training data set and resubmit the job."
)
STARTED = make_event("Job started.")


def ended_view(status="failed", *, error=None, events=(), before="running", transition=None, **changes):
    job = make_job(status=status, error=error, finished_at=NOW - MINUTE, **changes)
    return make_view(
        jobs=[job],
        transitions=[make_transition(job, before, **(transition or {}))],
        events=None if events is None else {job.id: events},
    )


def told(view) -> dict[str, str]:
    """The harms that each rule which fires has told of, by its name."""
    return {rule.name: found(rule, view)[0].labels.get("harm_types", "-") for rule in RULES if found(rule, view)}


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), {}, id="empty account"),
        pytest.param(make_view(jobs=None), {}, id="never read"),
        pytest.param(make_view(jobs=[make_job(status="failed")]), {}, id="nothing changed"),
        pytest.param(ended_view("running", before="pending"), {}, id="not over"),
        pytest.param(ended_view("paused"), {}, id="paused is not over, though finished_at is set"),
        pytest.param(ended_view("melted"), {}, id="unknown status"),
        pytest.param(ended_view("failed", transition={"is_history": True}), {}, id="first sight"),
        pytest.param(ended_view("failed", transition={"attribute": "model"}), {}, id="another attribute"),
        pytest.param(ended_view("failed", transition={"kind": ResourceKind.DEPLOYMENT}), {}, id="not about a job"),
        pytest.param(ended_view("succeeded", fine_tuned_model="m.ft-1"), {"job_succeeded": "-"}, id="succeeded"),
        pytest.param(
            ended_view("succeeded", events=[make_event("Job succeeded."), make_event("Model Evaluation Passed.")]),
            {"job_succeeded": "-"},
            id="evaluation passed",
        ),
        pytest.param(
            ended_view("succeeded", events=[make_event("Job succeeded."), make_event(MODEL_TEXT)]),
            {"job_rai_model_failed": "self_harm,violence"},
            id="succeeded, but its model may not be deployed",
        ),
        pytest.param(ended_view("cancelled", events=None), {"job_cancelled": "-"}, id="cancelled, events unread"),
        pytest.param(ended_view("failed", error="Out of luck."), {"job_failed": "-"}, id="failed"),
        pytest.param(ended_view("failed", before=None), {"job_failed": "-"}, id="discovered, already over"),
        pytest.param(ended_view("failed"), {"job_failed": "-"}, id="failed without a word"),
        pytest.param(
            ended_view("failed", error="Bad line 3.", events=[make_event("Running RAI checks on the training data.")]),
            {"job_failed": "-"},
            id="a progress line that speaks of RAI checks",
        ),
        pytest.param(
            ended_view("failed", error="Bad line 3.", events=[make_event("Training data passed RAI checks.")]),
            {"job_failed": "-"},
            id="RAI checks passed",
        ),
        pytest.param(
            ended_view("failed", error=DATA_TEXT),
            {"job_rai_data_failed": "hate_fairness,self_harm,violence"},
            id="data, in the error",
        ),
        pytest.param(
            ended_view("failed", error=DATA_TEXT, events=None),
            {"job_rai_data_failed": "hate_fairness,self_harm,violence"},
            id="data, in the error, events unread",
        ),
        pytest.param(
            ended_view("failed", error="The job failed.", events=[make_event(DATA_TEXT, level="error")]),
            {"job_rai_data_failed": "hate_fairness,self_harm,violence"},
            id="data, in the events only",
        ),
        pytest.param(
            ended_view("failed", events=[make_event(DATA_TEXT.upper())]),
            {"job_rai_data_failed": "hate_fairness,self_harm,violence"},
            id="data, shouted, at level info",
        ),
        pytest.param(
            ended_view("failed", error=MODEL_TEXT, events=[STARTED, make_event(MODEL_TEXT)]),
            {"job_rai_model_failed": "self_harm,violence"},
            id="model, in both places",
        ),
        pytest.param(
            ended_view("failed", error=MODEL_TEXT.replace("Violence, Self Harm", "Hate/Fairness")),
            {"job_rai_model_failed": "hate_fairness"},
            id="model, Hate/Fairness",
        ),
        pytest.param(
            ended_view("failed", error=DATA_TEXT.replace("violence", "sarcasm")),
            {"job_rai_data_failed": "hate_fairness,self_harm"},
            id="a harm that is not known stays out of the label",
        ),
        pytest.param(
            ended_view("failed", error="RAI check refused the upload."),
            {"job_rai_data_failed": ""},
            id="unknown wording, no sign of training",
        ),
        pytest.param(
            ended_view("failed", error="RAI check refused.", events=[STARTED]),
            {"job_rai_model_failed": ""},
            id="unknown wording, after training",
        ),
        pytest.param(
            ended_view("failed", error="RAI check refused the training data.", events=[STARTED]),
            {"job_rai_data_failed": ""},
            id="unknown wording that names its stage",
        ),
    ],
)
def test_exactly_one_rule_tells_of_a_job_that_ended(view, expected):
    assert told(view) == expected


def test_a_failure_waits_for_events_that_were_not_read():
    view = ended_view("failed", error="The job failed.", events=None)

    assert told(view) == {}
    assert {rule.name for rule in RULES if doubts(rule, view)} == {
        "job_failed",
        "job_rai_data_failed",
        "job_rai_model_failed",
    }
    assert the_doubt(JobFailed(), view).subject.incarnation == "ftjob-1"


def test_a_success_waits_too_since_its_model_may_have_been_refused():
    view = ended_view("succeeded", events=None)

    assert {rule.name for rule in RULES if doubts(rule, view)} == {"job_succeeded", "job_rai_model_failed"}


@pytest.mark.parametrize(
    ("age", "expected"),
    [(HOUR - MINUTE, {}), (HOUR, {"job_failed": "-"}), (30 * HOUR, {"job_failed": "-"})],
    ids=["before", "at the hour", "long after"],
)
def test_after_an_hour_the_error_alone_decides(age, expected):
    view = ended_view("failed", error="The job failed.", events=None, transition={"observed_at": NOW - age})

    assert told(view) == expected
    if expected:
        assert "events could not be read" in the_finding(JobFailed(), view).evidence
        assert not any(doubts(rule, view) for rule in RULES)


def test_unknown_wording_without_events_waits_for_the_sign_of_training():
    view = ended_view("failed", error="RAI check refused.", events=None)

    assert told(view) == {}
    assert not ask(JobFailed(), view)  # that it is an RAI refusal is certain; only its stage is not


def test_only_the_last_of_several_steps_counts():
    job = make_job(status="failed")
    steps = [
        make_transition(job, None, after="pending"),
        make_transition(job, "pending", after="running"),
        make_transition(job, "running"),
    ]
    view = make_view(jobs=[job], transitions=steps, events={job.id: ()})

    assert told(view) == {"job_failed": "-"}


def test_an_older_ending_that_waited_gives_way_to_a_newer_one():
    job = make_job(status="failed")
    older = make_transition(job, "running", after="succeeded", observed_at=NOW - 10 * MINUTE)
    view = make_view(jobs=[job], transitions=[make_transition(job, "succeeded"), older], events={job.id: ()})

    assert told(view) == {"job_failed": "-"}


def test_a_job_that_left_the_list_is_told_all_the_same():
    job = make_job(status="failed")
    view = make_view(transitions=[make_transition(job, observed_at=NOW - HOUR)])

    assert "no longer listed" in the_finding(JobFailed(), view).evidence


def test_success_tells_how_to_deploy():
    finding = the_finding(JobSucceeded(), ended_view("succeeded", fine_tuned_model="base.ft-1-support"))

    assert (
        "az cognitiveservices account deployment create -g rg-ml -n contoso-ft --deployment-name support "
        "--model-name base.ft-1-support --model-version 1 --model-format OpenAI --sku-name Standard --sku-capacity 1 "
        "--subscription sub-1" in finding.action
    )
    assert "by the hour" in finding.action
    assert finding.kind is FindingKind.EVENT
    assert finding.severity is Severity.INFO
    assert finding.values["fine_tuned_model"] == "base.ft-1-support"


@pytest.mark.parametrize(
    ("events", "rest"),
    [
        ([make_event("Training tokens billed: 480000")], "480,000 are billed, by the job's own log."),
        ([], "what is billed may differ."),
    ],
    ids=["the log says it", "the log is silent"],
)
def test_success_tells_what_is_billed_where_the_log_does(events, rest):
    view = ended_view("succeeded", fine_tuned_model="m.ft-1", trained_tokens=640_000, events=events)
    assert f"640,000 tokens were trained; {rest}" in the_finding(JobSucceeded(), view).description


def test_names_cannot_break_out_of_a_command():
    view = ended_view("succeeded", fine_tuned_model="m'; rm -rf /", suffix="a b;c")

    action = the_finding(JobSucceeded(), view).action
    assert "--deployment-name a-b-c " in action
    assert """--model-name 'm'"'"'; rm -rf /' """ in action


def test_a_failure_keeps_the_services_words_and_code():
    view = ended_view("failed", error=JobError(code="invalid_training_file", message="Line 3 is no JSON."))
    finding = the_finding(JobFailed(), view)

    assert finding.summary.endswith("failed: Line 3 is no JSON.")
    assert "invalid_training_file" in finding.description
    assert finding.values["error_code"] == "invalid_training_file"
    assert finding.severity is Severity.WARNING
    assert finding.labels["job"] == "ftjob-1"
    assert finding.values["owner_source"] == "the account"
    assert finding.labels["model"] == "gpt-4o-mini-2024-07-18"
    assert finding.occurred_at == NOW - MINUTE


def test_the_original_text_of_a_refusal_is_kept():
    finding = the_finding(JobRaiDataFailed(), ended_view("failed", error=DATA_TEXT))

    assert DATA_TEXT in finding.description
    assert "unclassified" not in finding.summary


@pytest.mark.parametrize("rule", [JobRaiDataFailed(), JobRaiModelFailed()], ids=lambda rule: rule.name)
def test_unknown_wording_says_so(rule):
    events = [STARTED] if rule.name == "job_rai_model_failed" else []
    finding = the_finding(rule, ended_view("failed", error="RAI check refused.", events=events))

    assert "RAI, unclassified" in finding.summary
    assert "RAI check refused." in finding.description


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([STARTED, make_event("Training tokens billed: 8000")], 'The service says: "Training tokens billed: 8000"'),
        ([STARTED], "work done until then is billed. The amount is not known"),
        ([], "not billed"),
    ],
    ids=["told by an event", "had begun", "never began"],
)
def test_what_a_cancelled_job_cost(events, expected):
    finding = the_finding(JobCancelled(), ended_view("cancelled", before="pending", events=events))

    assert expected in finding.description


def test_a_gap_elsewhere_does_not_hold_back_an_ending():
    view = ended_view("failed", error=DATA_TEXT)
    gap = make_gap(Section.METRICS, GapReason.ROLE)
    view = replace(view, reading=replace(view.reading, gaps=(gap,)))

    assert told(view) == {"job_rai_data_failed": "hate_fairness,self_harm,violence"}


def test_status_words_compare_without_case():
    job = make_job(status=JobStatus.FAILED)
    view = make_view(jobs=[job], transitions=[make_transition(job, "Running", after="Failed")], events={job.id: ()})

    assert told(view) == {"job_failed": "-"}


def with_training(view, *checkpoints, **changes):
    return replace(view, training={"ftjob-1": make_training(*checkpoints, **changes)})


@pytest.mark.parametrize(
    ("rule", "status", "though"),
    [(JobFailed(), "failed", "though the job failed"), (JobCancelled(), "cancelled", "though the job was cancelled")],
    ids=["failed", "cancelled"],
)
def test_what_of_the_training_is_not_lost(rule, status, though):
    finding = the_finding(rule, with_training(ended_view(status), make_checkpoint(80), make_checkpoint(40)))

    assert "listed 2 checkpoints of it (steps 40, 80; read 2026-11-22 07:50 UTC)" in finding.description
    assert though in finding.description
    told, command = finding.action.splitlines()[-2:]
    assert told == "Deploy its checkpoint of step 80, the last one; how each validated is not known:"
    assert f"--deployment-name support-step-80 --model-name {MODEL}:ckpt-step-80 " in command


def test_no_checkpoint_no_word_of_any():
    for view in (ended_view("failed"), with_training(ended_view("failed"), make_checkpoint(80, model=""))):
        finding = the_finding(JobFailed(), view)
        assert "checkpoint" not in finding.description + finding.action


@pytest.mark.parametrize(
    ("rule", "error"), [(JobRaiDataFailed(), DATA_TEXT), (JobRaiModelFailed(), MODEL_TEXT)], ids=["data", "model"]
)
def test_checkpoints_of_a_refused_job_are_not_offered(rule, error):
    finding = the_finding(rule, with_training(ended_view("failed", error=error), make_checkpoint(80)))

    assert "deployment create" not in finding.action
    assert "checkpoint" not in finding.description


def test_checkpoints_show_that_a_job_had_trained():
    view = ended_view("failed", error="RAI check refused.")
    cancelled = ended_view("cancelled", before="pending", events=[])

    assert told(view) == {"job_rai_data_failed": ""}
    assert told(with_training(view, make_checkpoint(10))) == {"job_rai_model_failed": ""}
    assert (
        "had begun to train" in the_finding(JobCancelled(), with_training(cancelled, make_checkpoint(10))).description
    )


SKIPPED = "12 images were skipped because they could not be used for training."


@pytest.mark.parametrize(
    ("events", "count", "expected"),
    [
        pytest.param([make_event(SKIPPED)], 12, f'Its log says: "{SKIPPED}"', id="its words"),
        pytest.param([make_event("Dropped 12 rows")], 12, 'Its log says: "Dropped 12 rows"', id="other words"),
        pytest.param([], 1200, "left out 1,200 examples or images", id="read earlier"),
        pytest.param([], 0, None, id="none"),
        pytest.param([make_event("0 examples were skipped")], 0, None, id="none, by its words"),
        pytest.param([make_event("Step 40 skipped in evaluation")], None, None, id="said of something else"),
        pytest.param([], None, None, id="not said"),
    ],
)
def test_success_tells_what_was_left_out(events, count, expected):
    view = with_training(ended_view("succeeded", fine_tuned_model="m.ft-1", events=events), skipped=count)
    description = the_finding(JobSucceeded(), view).description

    assert (expected in description) if expected else ("left out" not in description and "skipped" not in description)


def test_success_tells_how_the_rewards_went():
    curve = {
        10: {"train_reward": -0.125, "train_loss": 1.0},
        20: {"train_reward": 0.4, "valid_reward": 0.1, "full_valid_reward": 0.3},
        30: {"train_reward": 0.66666, "valid_reward": 0.2, "full_valid_reward": 0.5},
    }
    view = with_training(ended_view("succeeded", fine_tuned_model="m.ft-1"), curve=curve)

    assert (
        "Mean reward: in training from -0.125 (step 10) to 0.667 (step 30); in validation from 0.3 (step 20) to 0.5 "
        "(step 30)." in the_finding(JobSucceeded(), view).description
    )


def test_a_late_find_is_said():
    view = replace(
        ended_view("failed"), previous_at={Section.JOBS: NOW - 9 * HOUR}, cadence={Section.JOBS: 10 * MINUTE}
    )

    assert "found late: the jobs were not read between 2026-11-21 23:00 UTC" in the_finding(JobFailed(), view).evidence


def test_success_minds_a_better_step_before_the_end():
    losses = ((0.9, 1.4), (0.8, 1.0), (0.7, 1.2), (0.6, 1.5))
    curve = {10 * i: {"train_loss": t, "full_valid_loss": v} for i, (t, v) in enumerate(losses, start=1)}
    view = ended_view("succeeded", fine_tuned_model="m.ft-1")

    assert "was best at step 20 of 40" in the_finding(JobSucceeded(), with_training(view, curve=curve)).description
    assert "best at" not in the_finding(JobSucceeded(), with_training(view, curve={10: curve[10]})).description
