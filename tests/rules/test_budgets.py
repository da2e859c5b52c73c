from decimal import Decimal

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    make_account,
    make_event,
    make_gap,
    make_holding,
    make_inventory,
    make_job,
    make_transition,
)
from tests.rules.ask import ask, cleared, doubts, found, the_doubt, the_finding
from watcher.costs.prices import OwnPrice, Terms
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import Section
from watcher.rules.budgets import TrainingBudgets, month_over
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.rule import job_subject

PRICES = Terms(table=(OwnPrice(training_per_million=Decimal(3)),))


def rule(pricing=PRICES, **budgets):
    return TrainingBudgets(pricing=pricing, **{key: Decimal(value) for key, value in budgets.items()})


def ended(millions, id="ftjob-1", status="succeeded", **changes):
    """A job, and what its log says was billed."""
    return make_job(id, status, finished_at=NOW - DAY, **changes), millions


def held(*jobs, account=ACCOUNT, logs=(), **changes):
    said = {
        job.id: (make_event(f"Training tokens billed: {millions * 1_000_000}"),)
        for job, millions in jobs
        if millions is not None
    }
    return make_holding(
        account=account, jobs_ended=tuple(job for job, _ in jobs), logs={**said, **dict(logs)}, **changes
    )


def reinforced(hours, id="rft", status="succeeded", **changes):
    """A reinforcement job that ended a day ago and had trained for so long, with the changes of its status."""
    job = make_job(id, status, method="reinforcement", model="o4-mini-2025-04-16", finished_at=NOW - DAY, **changes)
    began = NOW - DAY - hours * HOUR
    phases = (
        make_transition(make_job(id, "running"), None, observed_at=began, occurred_at=began),
        make_transition(job, observed_at=NOW - DAY, occurred_at=NOW - DAY),
    )
    return job, phases


def test_an_end_that_the_service_does_not_date_is_when_it_was_seen():
    """And with that its month, after which nobody tells of it."""
    job = make_job("ftjob-1", "succeeded")
    seen = make_transition(job, observed_at=NOW - DAY)
    finding = the_finding(rule(per_job=30), make_inventory(held((job, 11), phases={"ftjob-1": (seen,)})))
    assert finding.occurred_at == NOW - DAY
    assert month_over(finding, NOW + 30 * DAY) == "the job ended in 2026-11, and that month is over"


def test_without_budgets_nothing_is_looked_at():
    assert ask(rule(), make_inventory(held(ended(10**6)))) == []


@pytest.mark.parametrize(
    ("job", "count"),
    [
        pytest.param(ended(11), 1, id="over"),
        pytest.param(ended(10), 0, id="exactly"),
        pytest.param(ended(11, status="failed"), 0, id="failed: free"),
        pytest.param(
            ended(11, error="The provided training data failed RAI checks for harm types: [violence]."), 0, id="refused"
        ),
        pytest.param(ended(11, status="cancelled"), 1, id="cancelled: work done"),
        pytest.param(
            ended(None, trained_tokens=4_000_000, hyperparameters={"n_epochs": "3"}), 1, id="perhaps, by epochs"
        ),
        pytest.param(ended(None), 0, id="unknown is not over"),
        pytest.param(ended(11, method="reinforcement"), 0, id="reinforcement is watched by its account's rule"),
    ],
)
def test_the_budget_of_a_job(job, count):
    assert len(found(rule(per_job=30), make_inventory(held(job)))) == count


def test_a_job_over_its_budget():
    finding = the_finding(rule(per_job=30), make_inventory(held(ended(11))))
    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.WARNING)
    assert finding.subject == job_subject(ACCOUNT, "ftjob-1")
    assert (
        finding.summary
        == 'Job "support" of gpt-4o-mini-2024-07-18 in contoso-ft cost 33.00 USD, over the budget of a job'
    )
    assert "Its cost is more than the budget of 30.00 USD for a job." in finding.description
    assert "11,000,000 tokens billed, by the job's own log; priced by the configured list price" in finding.evidence
    assert (finding.values["cost"], finding.values["budget"], finding.labels["job"]) == (33.0, 30.0, "ftjob-1")


def test_what_only_may_be_over_is_said_so():
    job = ended(None, trained_tokens=4_000_000, hyperparameters={"n_epochs": "3"})
    finding = the_finding(rule(per_job=30), make_inventory(held(job)))
    assert finding.summary.endswith("cost 6.00 to 36.00 USD, perhaps over the budget of a job")
    assert "Its cost may be more than the budget" in finding.description


EAST, WEST = make_account("contoso-east", owner="ads"), make_account("contoso-west", owner="search")
FLEET = make_inventory(
    held(ended(5, "a"), ended(4, "b", metadata={"Owner": "search"}), account=EAST),
    held(ended(7, "c"), ended(None, "d"), account=WEST, gaps=[make_gap(Section.JOBS)]),
)


def test_an_owners_month_is_counted_over_all_accounts():
    finding = the_finding(rule(per_owner_month=32), FLEET)
    assert finding.labels == {"owner": "search"}
    assert (finding.subject.id, finding.subject.incarnation) == ("training of search", "2026-11")
    assert finding.subject.kind is ResourceKind.WATCHER
    assert finding.summary == "Training of search has cost at least 33.00 USD in 2026-11, over the budget of 32.00 USD"
    assert "1 of 3 parts unknown: the service does not say how many tokens were trained" in finding.description
    assert (
        "2 accounts looked through, of which the jobs of 1 could not be read; list price, not an invoice"
        in finding.evidence
    )
    assert (finding.values["jobs"], finding.values["jobs_unknown"], finding.values["cost_at_most"]) == (3, 1, None)


@pytest.mark.parametrize(("budget", "count"), [(48, 0), (47, 1)])
def test_the_month_of_all(budget, count):
    findings = found(rule(per_month=budget), FLEET)
    assert len(findings) == count
    assert all(finding.labels == {} and finding.subject.id == "training" for finding in findings)


def test_the_hours_of_reinforcement_count_to_the_month():
    """The dearest training there is: without it the month would seem to be within its budget."""
    job, phases = reinforced(17)
    inventory = make_inventory(held(ended(5), (job, None), phases={job.id: phases}))
    (owners, all_) = found(rule(per_owner_month=1700, per_month=1700), inventory)
    assert all_.summary == "All training has cost 1715.00 USD in 2026-11, over the budget of 1700.00 USD"
    assert (owners.labels, owners.values["cost"], owners.values["jobs_unknown"]) == ({"owner": "search-team"}, 1715, 0)


def test_what_was_resumed_at_the_cap_costs_more_than_the_cap():
    job, phases = reinforced(90)
    paused, resumed = (
        make_transition(make_job(job.id, status), before, observed_at=at, occurred_at=at)
        for status, before, at in (("paused", "running", NOW - 3 * DAY), ("running", "paused", NOW - 2 * DAY))
    )
    inventory = make_inventory(held((job, None), phases={job.id: (phases[0], paused, resumed, phases[1])}))
    assert the_finding(rule(per_month=6000), inventory).values["cost"] == 6600.0


def test_the_month_counts_what_its_log_calls_refused_as_free():
    words = "This model is unable to be deployed: scores above acceptable thresholds for [Violence]."
    logs = {"ftjob-1": (make_event("Training tokens billed: 11000000"), make_event(words, level="error"))}
    inventory = make_inventory(held(ended(11), logs=logs))
    assert found(rule(per_job=30, per_month=30), inventory) == []


def test_the_month_counts_what_an_account_has_cost_that_left():
    gone = held(ended(9, "c"), account=make_account("contoso-gone"))
    here = held(ended(2))
    assert found(rule(per_month=30), make_inventory(here)) == []
    finding = the_finding(rule(per_job=20, per_month=30), make_inventory(here, departed=(gone,)))
    assert (finding.subject.id, finding.values["cost"]) == ("training", 33.0)


@pytest.mark.parametrize(
    ("inventory", "because"),
    [
        pytest.param(
            make_inventory(held(ended(5), ended(None, "b"))),
            "what is known, 15.00 USD, is within the budget of 40.00 USD, and "
            "1 of 2 parts unknown: the service does not say how many tokens were trained",
            id="a job of unknown cost",
        ),
        pytest.param(
            make_inventory(held(ended(5), gaps=[make_gap(Section.JOBS)])),
            "what is known, 15.00 USD, is within the budget of 40.00 USD, and the jobs of 1 account could not be read",
            id="an account that could not be read",
        ),
    ],
)
def test_what_is_within_the_budget_by_what_is_known_alone_cannot_be_said_to_be(inventory, because):
    doubts_ = doubts(rule(per_owner_month=40, per_month=40), inventory)
    assert [(doubt.subject.id, doubt.subject.incarnation) for doubt in doubts_] == [
        ("training of search-team", "2026-11"),
        ("training", "2026-11"),
    ]
    assert {doubt.because for doubt in doubts_} == {because}
    assert found(rule(per_owner_month=40, per_month=40), inventory) == []


def test_a_month_within_its_budget_is_said_to_be():
    (answer,) = cleared(rule(per_month=40), make_inventory(held(ended(5))))
    assert answer.because == "by what is known now it has cost 15.00 USD, within the budget of 40.00 USD"


def test_of_a_job_whose_cost_is_not_known_nothing_can_be_said():
    doubt = the_doubt(rule(per_job=1), make_inventory(held(ended(None))))
    assert (doubt.subject, doubt.because) == (
        job_subject(ACCOUNT, "ftjob-1"),
        "the service does not say how many tokens were trained",
    )


def test_an_alert_of_a_month_that_is_over_says_so():
    of_job, of_month = found(rule(per_job=30, per_month=30), make_inventory(held(ended(11))))
    assert month_over(of_job, NOW) == month_over(of_month, NOW) == ""
    later = NOW + 10 * DAY
    assert month_over(of_job, later) == "the job ended in 2026-11, and that month is over"
    assert month_over(of_month, later) == "2026-11 is over, and the budget begins anew"


def test_another_currency_is_unknown_and_over_no_budget():
    budgets = rule(pricing=Terms(currency="EUR"), per_month=1, per_job=1, per_owner_month=1)
    assert found(budgets, FLEET) == []
    assert len(doubts(budgets, FLEET)) == 4 + 2 + 1
