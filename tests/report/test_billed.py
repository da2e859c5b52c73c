"""What Azure billed beside the estimate of the same days: a statement of these days alone says the same."""

from datetime import UTC
from decimal import Decimal

import pytest

from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_event, make_job
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


def compared(*accounts, lines=(), spans=None, period=WEEK):
    """By account's label."""
    read = BilledSpan(since=(period.begin - 9 * DAY).date(), until=(period.end + 9 * DAY).date(), read_at=NOW)
    actuals = Actuals(lines=tuple(lines), spans={"sub-1": read} if spans is None else spans)
    return {one.account: one for one in billed(make_records(*accounts), make_terms(), actuals, period)}


DAYS = Period(begin=MIDNIGHT - 3 * DAY, end=MIDNIGHT)
OF_ANOTHER = make_account("west", subscription="sub-2", id=make_account("west").id.replace("sub-1", "sub-2"))


def bill(cost, *, meter="gpt-4o-FTuned Deployment Hosting Unit", account=None, day=DAYS.begin):
    key = (account or make_account()).key
    return Actual(account=key, meter=meter, day=day.date(), cost=Decimal(cost), currency="USD")


def test_a_subscription_is_one_whatever_its_case():
    account = make_account(subscription="SUB-1")
    found = compared(make_recorded(make_life(make_deployment(account=account)), account=account), period=DAYS)
    assert found["contoso-ft"].days == 3


def test_no_day_beyond_the_period_is_compared_though_the_bill_of_it_is_known():
    """Whole days in UTC: the period goes from 8 to 8, so six of its days are."""
    found = compared(make_recorded(make_life()), lines=[bill("40.80", day=WEEK.begin), bill("40.80", day=WEEK.end)])
    (one,) = found.values()
    assert (one.days, one.estimate.text, one.actual.text) == (6, "244.80 USD", "0.00 USD")


def test_each_subscription_is_compared_over_the_days_of_its_own_bill():
    west = OF_ANOTHER
    spans = {
        "sub-1": BilledSpan(since=DAYS.begin.date(), until=DAYS.end.date(), read_at=NOW),
        "sub-2": BilledSpan(since=DAYS.begin.date(), until=(DAYS.begin + DAY).date(), read_at=NOW),
    }
    found = compared(
        make_recorded(make_life()),
        make_recorded(make_life(make_deployment(account=west)), account=west),
        lines=[bill("122.40"), bill("40.80", account=west)],
        spans=spans,
        period=DAYS,
    )
    assert {name: (one.days, one.estimate.text, one.drift_percent) for name, one in found.items()} == {
        "contoso-ft": (3, "122.40 USD", 0.0),
        "west": (1, "40.80 USD", 0.0),
    }


def test_an_account_of_unread_subscription_has_its_estimate_and_says_so():
    west = OF_ANOTHER
    spans = {"sub-1": BilledSpan(since=DAYS.begin.date(), until=DAYS.end.date(), read_at=NOW)}
    one = compared(make_recorded(make_life(make_deployment(account=west)), account=west), spans=spans, period=DAYS)[
        "west"
    ]
    assert (one.days, one.estimate.text, one.drift_percent, one.note) == (
        0,
        "122.40 USD",
        None,
        "no bill of these days is known",
    )


def test_what_an_account_that_left_lacks_is_not_unknown():
    """It was never read, and nothing is expected of it any longer."""
    never = {"deployments": None, "deployments_at": None, "jobs_at": None}
    west = make_account("west")
    lines = [bill("9", account=west)]
    watched = compared(make_recorded(account=west, **never), lines=lines, period=DAYS)["west"]
    left = compared(make_recorded(account=west, removed_at=NOW - DAY, **never), lines=lines, period=DAYS)["west"]
    assert (watched.estimate.unknown, left.estimate.parts) == (2, 0)


def test_what_was_billed_without_an_estimate_is_shown_and_what_costs_nothing_is_not():
    assert compared(make_recorded(), period=DAYS) == {}
    assert compared(make_recorded(), lines=[bill("0"), bill("0", meter="Tokens")], period=DAYS) == {}
    only_tokens = compared(make_recorded(), lines=[bill("5", meter="Tokens")], period=DAYS)["contoso-ft"]
    assert (only_tokens.estimate.text, only_tokens.actual.text) == ("0.00 USD", "0.00 USD")
    assert "5.00 USD more was billed for other meters" in only_tokens.note
    nothing_else = compared(make_recorded(make_life()), lines=[bill("1"), bill("0", meter="Tokens")], period=DAYS)
    assert "other meters" not in nothing_else["contoso-ft"].note


def test_a_bill_that_lies_within_the_estimate_has_no_drift_which_is_not_unknown():
    ended = (DAYS.begin + DAY, DAYS.begin + 2 * DAY)
    life = make_life(end=ended, outcome="gone")
    found = {
        cost: compared(make_recorded(life), lines=[bill(cost)], period=DAYS)["contoso-ft"] for cost in ("50", "102")
    }
    assert found["50"].drift_percent == 0.0
    assert found["102"].drift_percent == 25.0  # above the higher end, 81.60


def test_the_bill_of_a_subscription_is_found_whatever_its_case():
    """An account's id may be spelt as somebody typed it."""
    day = (MIDNIGHT - DAY).date()
    account = make_account(subscription="SUB-1")
    span = BilledSpan(since=day, until=MIDNIGHT.date(), read_at=NOW)
    records = make_records(make_recorded(make_life(make_deployment(account=account)), account=account))
    period = Period(begin=MIDNIGHT - 2 * DAY, end=MIDNIGHT)
    (found,) = billed(records, make_terms(), Actuals(lines=(), spans={"sub-1": span}), period)
    assert (found.days, found.estimate.text, found.note) == (1, "40.80 USD", "the bill as read 2026-11-22 08:00 UTC")
