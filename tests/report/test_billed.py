"""What Azure billed beside the estimate of the same days: a statement of these days alone says the same."""

from datetime import UTC
from decimal import Decimal

import pytest

from tests.factories import DAY, HOUR, NOW, make_deployment, make_event, make_job
from tests.report.recorded import BEGAN, WEEK, make_life, make_recorded, make_records, make_terms, stated
from watcher.costs.hosting import Period
from watcher.report.billed import billed
from watcher.report.recorded import RecordedJob
from watcher.resources.price import Actual, Actuals, BilledSpan

MIDNIGHT = NOW.replace(hour=0)


def trained(at, number, billed=3_000_000):
    job = make_job(f"ftjob-{number}", status="succeeded", model="gpt-4.1-2025-04-14", training_type="globalStandard")
    said = () if billed is None else (make_event(f"Training tokens billed: {billed}", at=at),)
    return RecordedJob(job=job, ended_at=at, events=said)


def test_the_estimate_is_that_of_the_days_that_were_billed():
    days = Period(begin=MIDNIGHT - 5 * DAY, end=MIDNIGHT - 2 * DAY)
    account = make_recorded(
        make_life(),
        make_life(make_deployment("late", created_at=days.end - 5 * HOUR)),
        make_life(make_deployment("unseen", created_at=None), first_seen_at=days.begin + 7 * HOUR),
        make_life(make_deployment("early"), end=(days.begin - HOUR, days.begin - HOUR), outcome="gone"),
        make_life(make_deployment("reserved", sku="ProvisionedManaged", capacity=50)),
        jobs=[trained(days.begin, 1), trained(days.end - HOUR, 2), trained(days.end, 3), trained(days.begin - HOUR, 4)],
    )
    records, terms = make_records(account), make_terms()
    subscription = account.account.subscription.lower()
    span = BilledSpan(since=days.begin.date(), until=days.end.date(), read_at=NOW)
    meter = "gpt-4o-FTuned Deployment Hosting Unit"
    line = Actual(
        account=account.account.key, meter=meter, day=days.begin.astimezone(UTC).date(), cost=Decimal(9), currency="USD"
    )
    (found,) = billed(records, terms, Actuals(lines=(line,), spans={subscription: span}), WEEK)
    alone = stated(make_records(account), period=days)
    unpriced = 1  # the reserved one is left out
    assert (found.days, found.estimate.known) == (3, alone.total.known)
    assert found.estimate.parts == alone.total.parts - unpriced
    assert found.estimate.unknown == alone.total.unknown - unpriced == 1  # the unseen one's begin
    assert "provisioned deployments are left out" in found.note


@pytest.mark.parametrize(
    ("job", "drift", "note"),
    [
        pytest.param(trained(MIDNIGHT - HOUR, 1), 0.0, "the bill as read 2026-11-22 08:00 UTC", id="all is known"),
        pytest.param(
            trained(MIDNIGHT - HOUR, 1, billed=None),
            None,
            "the estimate is not whole: 1 of 2 parts unknown: the service does not say how many tokens were trained; "
            "hosting alone: 40.80 USD billed, 40.80 USD estimated, drift +0.0 %; the bill as read 2026-11-22 08:00 UTC",
            id="a job of unknown cost hides hosting from nobody",
        ),
    ],
)
def test_hosting_is_compared_by_itself_where_training_cannot_be(job, drift, note):
    day = (MIDNIGHT - DAY).date()
    account = make_recorded(make_life(make_deployment(created_at=BEGAN)), jobs=[job])
    span = BilledSpan(since=day, until=MIDNIGHT.date(), read_at=NOW)
    key, spans = account.account.key, {account.account.subscription.lower(): span}
    billed_for = {"gpt-4o-FTuned Deployment Hosting Unit": "40.80", "gpt-4.1-FTuned Glbl Training Unit": "6"}
    lines = tuple(
        Actual(account=key, meter=meter, day=day, cost=Decimal(cost), currency="USD")
        for meter, cost in billed_for.items()
    )
    period = Period(begin=MIDNIGHT - DAY, end=MIDNIGHT)
    (found,) = billed(make_records(account), make_terms(), Actuals(lines=lines, spans=spans), period)
    assert (found.drift_percent, found.note) == (drift, note)


def test_what_is_compared_is_worked_out_of_what_the_statement_shows():
    account = make_recorded(make_life(make_deployment(created_at=BEGAN)))
    records, terms = make_records(account), make_terms()
    span = BilledSpan(since=(WEEK.begin + DAY).date(), until=(WEEK.end + DAY).date(), read_at=NOW)
    spans = {account.account.subscription.lower(): span}
    (found,) = billed(records, terms, Actuals(spans=spans), WEEK)
    (kept,) = records.worked_out.values()
    statement = stated(records, terms=terms)
    assert next(iter(records.worked_out.values())) is kept
    assert found.estimate.known.high * 7 == statement.hosting.known.high * found.days
