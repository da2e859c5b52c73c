"""What training cost in a period."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.costs.factories import make_book, make_row, own
from tests.factories import DAY, HOUR, NOW, SECOND, make_account, make_event, make_job, make_transition
from tests.report.recorded import WEEK, make_recorded, make_terms, stated
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


def test_a_job_counts_to_the_period_in_which_it_ends_to_the_moment():
    begin, end = WEEK.begin, WEEK.end
    ends = {begin - SECOND: [], begin: ["10.00 USD"], end - SECOND: ["10.00 USD"], end: ["0.00 USD"]}
    for at, costs in ends.items():
        found = stated(make_recorded(jobs=[made(ended=at)]), period=WEEK).trained
        assert [line.cost.text for line in found] == costs


@pytest.mark.parametrize(
    ("created", "is_told"),
    [(NOW - SECOND, True), (NOW, False), (None, True)],
    ids=["just before its end", "at its end", "nobody knows when"],
)
def test_what_is_under_way_at_the_periods_end_began_before_it(created, is_told):
    job = make_job(created_at=created)
    assert bool(stated(make_recorded(jobs=[RecordedJob(job=job, ended_at=None)])).trained) is is_told


def test_a_jobs_own_tags_go_before_its_accounts_labels():
    account = make_account(labels={"environment": "production"})
    jobs = [made(id="ftjob-2"), made()]
    jobs[0] = replace(jobs[0], job=replace(jobs[0].job, metadata={"environment": "lab"}))
    for order in (jobs, jobs[::-1]):
        statement = stated(make_recorded(account=account, jobs=order), terms=make_terms(tag_labels=("environment",)))
        assert {line.job: line.place.labels["environment"] for line in statement.trained} == {
            "ftjob-1": "production",
            "ftjob-2": "lab",
        }


def test_the_price_is_that_of_the_accounts_region():
    rows = [make_row("gpt-4.1-FTuned Glbl Training Unit", "25", unit="1M", region=place) for place in ("here", "there")]
    rows[1] = replace(rows[1], price=Decimal(30))
    terms = make_terms(book=make_book(*rows))
    found = {
        place: stated(make_recorded(account=make_account(location=place), jobs=[made()]), terms=terms).training.text
        for place in ("here", "there")
    }
    assert found == {"here": "125.00 USD", "there": "150.00 USD"}


def reinforced(status, *changes, **more):
    """Phases: hours ago, before, after."""
    job = make_job(status=status, method="reinforcement", model="o4-mini-2025-04-16", created_at=NOW - 20 * HOUR)
    phases = tuple(
        make_transition(
            replace(job, raw_status=after), before, observed_at=NOW - ago * HOUR, occurred_at=NOW - ago * HOUR
        )
        for ago, before, after in changes
    )
    return RecordedJob(job=job, phases=phases, **more)


def test_reinforcement_is_counted_to_its_end_and_of_what_trains_to_the_last_sight():
    ended = reinforced(
        "cancelled",
        (19, None, "pending"),
        (12, "pending", "running"),
        (2, "running", "cancelled"),
        ended_at=NOW - 2 * HOUR,
    )
    assert stated(make_recorded(jobs=[ended])).training.text == "1000.00 USD"
    trains = reinforced("running", (19, None, "pending"), (12, "pending", "running"), ended_at=None)
    (line,) = stated(make_recorded(jobs=[trains], jobs_at=NOW - 3 * HOUR)).trained
    assert (line.cost.text, "900.00 USD so far" in line.basis) == ("0.00 USD", True)


def test_what_vanished_is_dated_by_what_went_first_out_of_sight():
    job = made("running", left_at=NOW - 2 * DAY)
    (line,) = stated(make_recorded(jobs=[job], removed_at=NOW - DAY)).trained
    assert line.basis.endswith("since 2026-11-21 08:00 UTC")  # since then nobody looks
    (line,) = stated(make_recorded(jobs=[job])).trained
    assert line.basis.endswith("since 2026-11-20 08:00 UTC")


@pytest.mark.parametrize(
    ("job", "is_under_way", "so_far"),
    [
        pytest.param(made("running"), True, "10.00 USD", id="its log tells how much"),
        pytest.param(made("running", billed=None), True, None, id="nobody knows how much"),
        pytest.param(made(ended=WEEK.end), True, None, id="it ended after the period"),
        pytest.param(made(), False, None, id="it ended within"),
        pytest.param(made("running", left_at=NOW - DAY), False, None, id="nobody knows what became of it"),
    ],
)
def test_what_is_under_way_is_told_apart_from_what_was_free(job, is_under_way, so_far):
    (line,) = stated(make_recorded(jobs=[job])).trained
    assert line.is_under_way is is_under_way
    assert (line.so_far and line.so_far.text) == so_far


def test_a_line_says_by_what_its_people_know_it_and_whether_its_price_is_a_guess():
    (line,) = stated(make_recorded(jobs=[made()])).trained
    assert (line.suffix, line.is_estimate) == ("support", True)
    known = make_terms(book=make_book(table=(own(training_per_million=3),)))
    (line,) = stated(make_recorded(jobs=[made()]), terms=known).trained
    assert (line.cost.text, line.is_estimate) == ("15.00 USD", False)


def test_of_a_job_that_has_ended_the_evaluation_is_taken_off_to_its_end():
    """Not to when its account was last read."""
    job = reinforced(
        "succeeded", (19, None, "pending"), (12, "pending", "running"), (2, "running", "succeeded"),
        ended_at=NOW - 2 * HOUR, events=(make_event("Completed results file: file-1", at=NOW - 4 * HOUR),),
    )  # fmt: skip
    (line,) = stated(make_recorded(jobs=[job])).trained
    assert line.cost.text == "800.00 to 1000.00 USD"
