"""What a job has cost by all that is recorded of it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.costs.factories import make_book, own
from tests.factories import ACCOUNT, DAY, HOUR, NOW, make_account, make_event, make_job, make_transition
from watcher.rules.job_spent import ended_at, is_charged_here, month_of, spent_on

BOOK = make_book(table=(own(training_per_million=3),))
REFUSED = make_event("The provided training data failed RAI checks for harm types: [violence].", level="error")
BILLED = make_event("Training tokens billed: 1000000")
CANCELLED = make_event("Job cancelled.", at=NOW)


def known(job, *events, phases=(), until=NOW):
    return spent_on(job, BOOK, location="swedencentral", phases=phases, events=events, until=until)


def queued_then(status):
    waits = make_transition(make_job(status="queued"), None, observed_at=NOW - DAY, occurred_at=NOW - DAY)
    return waits, make_transition(make_job(status=status), "queued", occurred_at=NOW)


@pytest.mark.parametrize(
    ("found", "text", "is_refused"),
    [
        pytest.param(known(make_job(status="succeeded"), BILLED), "3.00 USD", False, id="succeeded"),
        pytest.param(known(make_job(status="succeeded"), REFUSED, BILLED), "0.00 USD", True, id="refused"),
        pytest.param(
            known(make_job(status="cancelled"), REFUSED, BILLED), "3.00 USD", False, id="cancelled: work done"
        ),
        pytest.param(known(make_job(status="running"), REFUSED, BILLED), "3.00 USD", False, id="not over yet"),
        pytest.param(
            known(make_job(status="cancelled"), CANCELLED, phases=queued_then("cancelled")),
            "0.00 USD",
            False,
            id="cancelled in the queue",
        ),
        pytest.param(
            known(
                make_job(status="succeeded", method="reinforcement", created_at=NOW - DAY),
                phases=queued_then("succeeded"),
            ),
            "0.00 to 2400.00 USD",
            False,
            id="by the hour",
        ),
    ],
)
def test_what_a_job_has_cost(found, text, is_refused):
    assert found.spending.cost.text == text
    assert (found.refusal is not None) is is_refused


def test_what_was_never_seen_has_no_hours():
    found = known(make_job(method="reinforcement"), phases=queued_then("running"), until=None)
    assert found.spending.basis == "how long a reinforcement job has trained is not known"


def test_when_a_job_ended():
    dated = make_transition(make_job(status="succeeded"), observed_at=NOW, occurred_at=NOW - HOUR)
    seen = make_transition(make_job(status="succeeded"), observed_at=NOW, occurred_at=None)
    job = make_job(status="succeeded")
    assert ended_at(make_job(status="succeeded", finished_at=NOW - DAY), [dated]) == NOW - DAY
    assert [ended_at(job, [dated]), ended_at(job, [seen]), ended_at(job, [])] == [NOW - HOUR, NOW, None]


def test_what_came_with_an_account_is_charged_where_it_came_from():
    account = make_account(created_at=NOW - DAY)
    before, late = (make_transition(make_job(status="succeeded"), observed_at=at) for at in (NOW - 2 * DAY, NOW - HOUR))
    assert is_charged_here(account, NOW - HOUR, [late])
    assert not is_charged_here(account, NOW - 2 * DAY, [late])
    assert is_charged_here(account, NOW - 2 * DAY, [before])  # an account of this id was there before
    assert is_charged_here(ACCOUNT, NOW - 900 * DAY, []) is (ACCOUNT.created_at is None)


def test_months_are_those_of_utc():
    early = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert (month_of(early), month_of(early.astimezone(UTC))) == ("2026-11", "2026-11")
