"""What training costs, from snapshots to alerts and to the report, on both databases: one story and one figure."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_event, make_job, make_snapshot
from tests.report.recorded import make_terms
from watcher.alerts.alert import AlertStatus
from watcher.costs.hosting import Period
from watcher.costs.prices import OwnPrice, Terms, book_of
from watcher.cycles import Judgement, inventory_now, record
from watcher.report.compile import compile_statement
from watcher.resources.changes import ResourceKind
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Listing
from watcher.rules.registry import build_rules
from watcher.store import alerts, period, scope

PRICING = Terms(table=(OwnPrice(training_per_million=Decimal(3)),))
RFT = {"method": "reinforcement", "model": "o4-mini-2025-04-16"}
BEGAN = NOW - 40 * HOUR


def judgement(**budgets):
    options = {"pricing": PRICING, **{key: Decimal(value) for key, value in budgets.items()}}
    built = build_rules({"job_cost": options}, plugins=())
    inventory = tuple(rule for rule in built.inventory_rules if rule.name == "job_cost")
    return Judgement(rules=tuple(rule for rule in built.rules if rule.name == "job_cost"), inventory_rules=inventory)


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - 10 * DAY)
    store.write_now(record, make_snapshot(at=NOW - 10 * DAY, jobs=[]), judgement())
    return store


def poll(store, rules, at, *jobs, events=None):
    """Its listing is byte for byte the last one where no jobs are given."""
    listing = Listing(digest=f"{at}", items=jobs) if jobs else Listing(digest="same", items=None)
    changed = store.write_now(record, replace(make_snapshot(at=at, events=events or {}), jobs=listing), rules).alerts
    return (*changed, *store.write_now(inventory_now, rules, at))


def ran(store, rules, job):
    """A job that waited for an hour and has trained since."""
    poll(store, rules, BEGAN - HOUR, replace(job, status=JobStatus.QUEUED, raw_status="queued"))
    said = {job.id: (make_event("Job enqueued.", at=BEGAN - HOUR), make_event("Job started.", at=BEGAN))}
    return poll(store, rules, BEGAN + MINUTE, job, events=said)


def a_job(status="running", **changes):
    return make_job("ftjob-1", status, created_at=BEGAN - HOUR, **{**RFT, **changes})


def test_one_alert_tells_of_a_job_over_its_budget_from_its_hours_to_its_month(watched):
    rules = judgement(per_job=3000)
    ran(watched, rules, a_job())
    (first,) = poll(watched, rules, NOW - 9 * HOUR)
    assert first.finding.summary.endswith("has cost 3100.00 USD, over its budget")
    (after,) = poll(watched, rules, NOW, a_job("succeeded", finished_at=NOW))
    assert (after.id, after.status) == (first.id, AlertStatus.FIRING)
    assert after.finding.summary.endswith("cost 4000.00 USD, over the budget of a job")
    for later in (10 * MINUTE, HOUR, DAY, 8 * DAY):
        assert poll(watched, rules, NOW + later) == ()
    (ended,) = poll(watched, rules, NOW + 9 * DAY)
    assert (ended.id, ended.ended_because) == (first.id, "the job ended in 2026-11, and that month is over")
    assert poll(watched, rules, NOW + 9 * DAY + HOUR) == ()


def test_an_alert_of_the_cap_ends_with_its_job_and_says_so(watched):
    rules = judgement()
    (first,) = (*ran(watched, rules, a_job()), *poll(watched, rules, NOW - 10 * HOUR))
    assert "has used 60 % of its spending cap" in first.finding.summary
    (ended,) = poll(watched, rules, NOW, a_job("succeeded", finished_at=NOW))
    assert (ended.id, ended.ended_because) == (
        first.id,
        "it ended succeeded, 2026-11-22 08:00 UTC; it cost 4000.00 USD",
    )


def of_month(store, now=NOW):
    """The report of the month so far."""
    month = Period(begin=now.replace(day=1, hour=0), end=now)
    terms = make_terms(book=book_of(PRICING, None))
    records = store.read_now(period.load, month, as_of=now, owner_tag="owner")
    return compile_statement(records, period=month, period_name="month", as_of=now, terms=terms)


ENDS = {
    "succeeded": (a_job("succeeded", finished_at=NOW), ()),
    "evaluated for two hours": (
        a_job("succeeded", finished_at=NOW),
        (make_event("Completed results file: file-1", at=NOW - 2 * HOUR),),
    ),
    "cancelled on its way": (a_job("cancelled", finished_at=NOW), (make_event("Job cancelled.", at=NOW),)),
    "not dated by the service": (a_job("succeeded"), ()),
    "refused by its log": (
        a_job("succeeded", finished_at=NOW),
        (make_event("Scores above acceptable thresholds for [Violence].", at=NOW, level="error"),),
    ),
    "billed by tokens": (
        a_job("succeeded", finished_at=NOW, method="supervised", model="gpt-4o-mini-2024-07-18"),
        (make_event("Training tokens billed: 2000000", at=NOW),),
    ),
}


@pytest.mark.parametrize(("job", "log"), ENDS.values(), ids=ENDS)
def test_the_budget_and_the_report_say_one_figure(watched, job, log):
    rules = judgement(per_month=1, per_job=1)
    ran(watched, rules, replace(job, status=JobStatus.RUNNING, raw_status="running", finished_at=None))
    changed = poll(watched, rules, NOW, job, events={job.id: log})
    told = [alert.finding for alert in changed if alert.finding.subject.id == "training"]
    training = of_month(watched, NOW + MINUTE).training
    assert training.is_known
    firing = [one.finding for key in ("", ACCOUNT.key) for one in watched.read_now(alerts.firing, key)]
    if training.known.low:
        (of_all,) = told
        (of_job,) = [finding for finding in firing if finding.subject.kind is ResourceKind.JOB]
        assert of_all.summary.startswith(f"All training has cost {training.text} in 2026-11")
        assert f" cost {training.text}, over the budget of a job" in of_job.summary
    else:
        assert firing == told == []


@pytest.mark.parametrize("more", [RFT, {"method": "supervised"}], ids=["by the hour", "by tokens"])
def test_a_job_cancelled_in_the_queue_is_free_where_its_log_was_read(watched, more):
    rules = judgement(per_month=1)
    waits = a_job("validating_files", **more)
    poll(watched, rules, BEGAN, waits)
    poll(watched, rules, BEGAN + HOUR, a_job("queued", **more))
    log = (make_event("Job enqueued.", at=BEGAN), make_event("Job cancelled.", at=NOW - HOUR))
    poll(watched, rules, NOW, a_job("cancelled", finished_at=NOW - HOUR, **more), events={waits.id: log})
    (line,) = of_month(watched, NOW + MINUTE).trained
    assert (line.cost.text, line.basis) == ("0.00 USD", "it was cancelled before training, which is not billed")
    assert watched.read_now(alerts.firing, "") == ()


def test_a_job_that_began_unseen_before_it_was_cancelled_is_not_called_free(watched):
    """Its log was read after its end alone, when the next poll asked again."""
    rules, more = judgement(), {"method": "supervised"}
    poll(watched, rules, BEGAN, a_job("queued", **more))
    poll(watched, rules, NOW - HOUR, a_job("cancelled", finished_at=NOW - HOUR, **more))
    log = tuple(
        make_event(text, at=at)
        for text, at in (("Job enqueued.", BEGAN), ("Job started.", BEGAN + HOUR), ("Job cancelled.", NOW - HOUR))
    )
    skipped = make_event("3 images were skipped.", at=BEGAN, level="warning")
    poll(watched, rules, NOW, events={"ftjob-1": (skipped, *log)})
    assert of_month(watched, NOW + MINUTE).training.text == "unknown"
