"""What a line counts: from when, at whose price, and with which calls."""

from datetime import timedelta
from decimal import Decimal

from tests.costs.factories import make_book, own
from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_job
from tests.report.recorded import BEGAN, WEEK, make_life, make_recorded, make_terms, stated
from watcher.report.recorded import RecordedJob
from watcher.resources.calls import Coverage
from watcher.resources.lineage import Model

CHECKPOINT = "ftchkpt-0123456789abcdef0123456789abcdef"
MADE = "gpt-4o-2024-08-06.ft-0123456789abcdef0123456789abcdef"


def test_what_is_older_than_its_account_counts_from_when_it_came():
    """An account that was moved holds what was charged under its former id until then."""
    account = make_account(created_at=NOW - 2 * DAY)
    life = make_life(make_deployment("bot", created_at=NOW - 30 * DAY))
    job = make_job(status="succeeded", finished_at=NOW - 3 * DAY)
    statement = stated(make_recorded(life, account=account, jobs=[RecordedJob(job=job, ended_at=job.finished_at)]))
    (line,) = statement.hosted
    assert (line.begin, line.stood) == (NOW - 2 * DAY, (2 * DAY, 2 * DAY))
    assert line.missing is None
    assert statement.trained == ()


def test_it_counts_from_when_its_account_was_found_under_another_id():
    life = make_life(make_deployment("bot", created_at=NOW - 30 * DAY), since=NOW - DAY)
    (line,) = stated(make_recorded(life)).hosted
    assert line.stood == (DAY, DAY)


def test_a_checkpoint_costs_what_its_model_costs():
    """Its own id names no model, so that a price for the model would not be found by it."""
    book = make_book(table=(own(model="gpt-4o*", hosting_per_hour=3), own(hosting_per_hour=1)))
    life = make_life(make_deployment("bot", model=CHECKPOINT, created_at=BEGAN))
    model = Model(
        id=MADE,
        account=make_account().key,
        base="gpt-4o-2024-08-06",
        job="ftjob-1",
        created_at=BEGAN,
        checkpoints=frozenset({CHECKPOINT}),
    )
    recorded = make_recorded(life, models=(model,))
    (line,) = stated(recorded, terms=make_terms(book=book)).hosted
    assert line.price.rate.most == Decimal("3.00")


def test_calls_of_hours_that_may_still_grow_are_not_counted():
    """So that a statement that is compiled again, when those hours are whole, says the same."""
    recorded = make_recorded(
        make_life(make_deployment("bot", created_at=BEGAN), called=NOW - HOUR),
        calls={"bot": {NOW - 5 * HOUR: 40.0, NOW - HOUR: 7.0}},
        coverage=Coverage(spans=((BEGAN, NOW - HOUR),)),
    )
    (line,) = stated(recorded, period=WEEK).hosted
    assert line.calls == 40.0
    assert sum(day.calls for day in line.days) == 40.0
    assert line.stood == (timedelta(days=7), timedelta(days=7))
