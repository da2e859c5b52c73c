"""What of a job's training is offered for deployment."""

import pytest

from tests.factories import ACCOUNT, MODEL, make_checkpoint, make_event, make_job, make_training
from watcher.rules.offer import REFUSED, offer

BEST_AT_80 = {
    40: {"full_valid_loss": 0.5},
    80: {"full_valid_loss": 0.2},
    120: {"full_valid_loss": 0.9},
}
INSIDE = make_training(make_checkpoint(80), make_checkpoint(120), curve=BEST_AT_80)
LAST_IS_BEST = make_training(make_checkpoint(40), make_checkpoint(80), curve=BEST_AT_80)
UNSAFE = "This model is unable to be deployed. It scores above acceptable thresholds for: [Violence]."


def test_the_checkpoint_that_validated_best_is_offered():
    found = offer(ACCOUNT, make_job(status="succeeded", fine_tuned_model=MODEL), INSIDE, ())
    assert (found.chosen.checkpoint.step, found.is_checkpoint, found.refused) == (80, True, "")
    assert f"--model-name {MODEL}:ckpt-step-80 " in found.command


@pytest.mark.parametrize("inside", [LAST_IS_BEST, None], ids=["its last checkpoint is the best", "none is known"])
def test_of_a_job_that_succeeded_its_model_is_offered_where_no_step_is_better(inside):
    found = offer(ACCOUNT, make_job(status="succeeded", fine_tuned_model=MODEL), inside, ())
    assert (found.is_checkpoint, found.refused, found.chosen is None) == (False, "", inside is None)
    assert f"--model-name {MODEL} " in found.command


@pytest.mark.parametrize("status", ["failed", "cancelled", "paused", "running"])
def test_of_one_that_made_no_model_a_checkpoint_is_offered(status):
    found = offer(ACCOUNT, make_job(status=status), INSIDE, ())
    assert (found.is_checkpoint, found.refused) == (True, "")
    assert offer(ACCOUNT, make_job(status=status), None, ()).command == ""


@pytest.mark.parametrize(
    ("job", "events"),
    [
        (make_job(status="failed", error=UNSAFE), ()),
        (make_job(status="failed"), (make_event(UNSAFE, level="error"),)),
        (make_job(status="succeeded", fine_tuned_model=MODEL), (make_event(UNSAFE),)),
        (make_job(status="failed", error="The job failed RAI checks for harm types: [sexual]."), ()),
    ],
    ids=["by its error", "by its log", "though it is called succeeded", "by its data"],
)
def test_nothing_is_offered_of_what_the_service_refused(job, events):
    found = offer(ACCOUNT, job, INSIDE, events)
    assert (found.command, found.chosen, found.refused) == ("", None, REFUSED)


@pytest.mark.parametrize("status", ["running", "cancelled"])
def test_a_line_of_a_job_that_did_not_end_by_it_refuses_nothing(status):
    assert offer(ACCOUNT, make_job(status=status), INSIDE, (make_event(UNSAFE),)).command
