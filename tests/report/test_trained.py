"""What training cost in a period."""

import pytest

from tests.factories import DAY, HOUR, NOW, make_event, make_job
from tests.report.recorded import WEEK, make_recorded, stated
from watcher.costs.hosting import Period
from watcher.costs.money import Unknown
from watcher.report.recorded import RecordedJob

BASE = "gpt-4.1-2025-04-14"


def made(status="succeeded", *, ended=NOW - DAY, billed=5_000_000, **changes):
    ended = None if status in ("running", "pending") else ended
    job = make_job(
        changes.pop("id", "ftjob-1"),
        status,
        model=BASE,
        training_type="globalStandard",
        created_at=(ended or NOW) - 5 * HOUR,
        finished_at=ended,
        **{key: changes.pop(key) for key in ("error", "trained_tokens") if key in changes},
    )
    said = () if billed is None else (make_event(f"Training tokens billed: {billed}", at=ended or NOW),)
    return RecordedJob(job=job, ended_at=ended, events=(*changes.pop("events", ()), *said), **changes)


@pytest.mark.parametrize(
    ("job", "text"),
    [
        pytest.param(made(), "10.00 USD", id="by its own log, at 2 USD a million"),
        pytest.param(made("failed"), "0.00 USD", id="failed ones are free"),
        pytest.param(made(billed=None), "unknown", id="nobody counted the tokens"),
        pytest.param(made("running"), "0.00 USD", id="under way: billed where it ends"),
        pytest.param(made(ended=WEEK.end), "0.00 USD", id="ended just after the period"),
    ],
)
def test_what_a_job_costs_in_the_period(job, text):
    statement = stated(make_recorded(jobs=[job]))
    assert statement.training.text == text
    assert len(statement.trained) == 1


def test_a_job_counts_to_one_period_alone():
    account = make_recorded(jobs=[made(ended=NOW - 3 * DAY), made(ended=NOW - DAY, id="ftjob-2")])
    cut = NOW - 2 * DAY
    parts = [stated(account, period=one) for one in (Period(begin=WEEK.begin, end=cut), Period(begin=cut, end=NOW))]
    assert [part.training.text for part in parts] == ["10.00 USD", "10.00 USD"]
    assert stated(account).training.text == "20.00 USD"


def test_a_refusal_is_told_by_its_harms():
    words = "The job failed RAI checks for harm types: [hate_fairness, violence]."
    by_error = made("failed", error=words)
    by_log = made(id="ftjob-2", events=(make_event(words, level="error"),))
    statement = stated(make_recorded(jobs=[by_error, by_log]))
    assert {line.harm_types for line in statement.trained} == {("hate_fairness", "violence")}
    assert all(line.is_refused and line.failure == words for line in statement.trained)
    assert statement.training.text == "0.00 USD"


@pytest.mark.parametrize(
    ("job", "account", "words"),
    [
        pytest.param(made("running", left_at=NOW - DAY), {}, "listed no longer, since", id="deleted on its way"),
        pytest.param(made("running"), {"removed_at": NOW - DAY}, "its account left", id="gone with its account"),
    ],
)
def test_what_became_of_one_that_vanished_on_its_way_is_unknown(job, account, words):
    statement = stated(make_recorded(jobs=[job], **account))
    (line,) = statement.trained
    assert isinstance(line.cost, Unknown) and words in line.basis
    assert statement.training.text == "unknown"


def test_one_that_ended_before_its_account_left_costs_what_it_cost():
    assert stated(make_recorded(jobs=[made()], removed_at=NOW - HOUR)).training.text == "10.00 USD"
