"""What is called idle where money is told."""

from datetime import timedelta

import pytest

from tests.costs.factories import make_book, own
from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    make_deployment,
    make_event,
    make_job,
    make_reading,
    make_transition,
    make_usage,
)
from tests.report.recorded import make_recorded, make_terms, stated
from watcher.answers.money import Rates, is_idle, money_of, training_cost
from watcher.costs.prices import LIST_PRICES, book_of
from watcher.report.recorded import RecordedJob
from watcher.report.standing import Risk, Standing, stand
from watcher.rules.lifetimes import Lifetimes


def standing(*, read_to, since=NOW - 2 * DAY, **changes):
    usage = make_usage(read_to=read_to)
    return Standing(risk=Risk.SAFE, is_fine_tuned=True, idle_since=since, usage=usage, **changes)


@pytest.mark.parametrize(
    ("read_to", "expected"),
    # Called daily in the same hour, it is never idle: that hour's call is read when the hour is over.
    [(NOW, True), (NOW - DAY + HOUR, True), (NOW - DAY, False), (NOW - 2 * DAY, False)],
)
def test_only_hours_that_were_read_make_a_deployment_idle(read_to, expected):
    assert is_idle(standing(read_to=read_to), NOW) is expected


def test_idle_money_runs_to_where_calls_were_read():
    rates, seen = Rates(book_of(LIST_PRICES)), standing(read_to=NOW - 12 * HOUR)
    money = money_of(ACCOUNT, make_deployment(), seen, rates, NOW)
    assert money.idle.so_far.text == "61.20 USD"


def test_what_is_unknown_is_not_idle():
    assert not is_idle(standing(read_to=NOW, unknown_because="its calls were not read"), NOW)
    assert not is_idle(standing(read_to=NOW, since=None), NOW)
    assert not is_idle(standing(read_to=NOW, since=NOW - DAY + timedelta(seconds=1)), NOW)


def test_a_job_costs_the_same_on_its_page_and_in_the_report():
    """Its model was evaluated for four hours, which its status does not tell, and its log does."""
    ended = NOW - DAY
    job = make_job(
        status="succeeded",
        method="reinforcement",
        model="o4-mini-2025-04-16",
        created_at=ended - 11 * HOUR,
        finished_at=ended,
    )
    steps = (("running", None, ended - 10 * HOUR), ("succeeded", "running", ended))
    phases = tuple(
        make_transition(make_job(status=after), before, observed_at=at, occurred_at=at) for after, before, at in steps
    )
    events = (make_event("Completed results file: file-1", at=ended - 4 * HOUR),)
    page = training_cost(
        ACCOUNT, job, make_terms().book, events=events, changes=phases[::-1], ended_at=ended, jobs_at=NOW
    )
    recorded = RecordedJob(job=job, ended_at=ended, phases=phases, events=events)
    (line,) = stated(make_recorded(jobs=[recorded])).trained
    assert page.cost == line.cost
    assert page.cost.text == "600.00 to 1000.00 USD"


def test_whoever_is_refused_calls_it_all_the_same():
    called = standing(read_to=NOW)
    assert is_idle(called, NOW)
    refused = make_usage(read_to=NOW, last_failure_at=NOW - HOUR)
    assert not is_idle(Standing(risk=Risk.SAFE, is_fine_tuned=True, idle_since=NOW - 2 * DAY, usage=refused), NOW)


@pytest.mark.parametrize(
    ("lifetimes", "rest"),
    [
        pytest.param(Lifetimes(), "at least 3120.00 USD", id="nobody says so"),
        pytest.param(
            Lifetimes(idle_by_sku={"provisioned*": 15 * DAY}), "3120.00 to 3130.00 USD", id="the operator does"
        ),
    ],
)
def test_a_deletion_that_is_assumed_bounds_no_money(lifetimes, rest):
    ten = make_deployment(sku="ProvisionedManaged", capacity=10, created_at=NOW - 30 * DAY)
    usage = make_usage(ten.name, last_success_at=NOW - 2 * DAY, read_to=NOW)
    reading = make_reading(deployments=(ten,), usage=[usage])
    seen = stand(ten, reading, alert=None, custom_models=(), now=NOW, lifetimes=lifetimes)
    money = money_of(ACCOUNT, ten, seen, Rates(make_book(table=(own(ptu_per_hour=1),))), NOW)
    assert money.idle.rest.text == rest
