from decimal import Decimal

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    NOW,
    make_account,
    make_gap,
    make_holding,
    make_inventory,
    make_job,
)
from tests.rules.ask import ask, found, the_finding
from watcher.costs.prices import OwnPrice, Terms
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import Section
from watcher.rules.budgets import TrainingBudgets
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.rule import job_subject

PRICES = Terms(table=(OwnPrice(training_per_million=Decimal(3)),))


def rule(pricing=PRICES, **budgets):
    return TrainingBudgets(pricing=pricing, **{key: Decimal(value) for key, value in budgets.items()})


def ended(millions, id="ftjob-1", status="succeeded", **changes):
    """A job, and what its log says was billed."""
    return make_job(id, status, finished_at=NOW - DAY, **changes), millions


def held(*jobs, account=ACCOUNT, **changes):
    billed = {job.id: millions * 1_000_000 for job, millions in jobs if millions is not None}
    return make_holding(account=account, jobs_ended=tuple(job for job, _ in jobs), billed=billed, **changes)


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
        pytest.param(ended(11, method="reinforcement"), 0, id="reinforcement is watched while it trains"),
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
    assert "That is more than the budget of 30.00 USD for a job." in finding.description
    assert "11,000,000 tokens billed, by the job's own log; priced by the configured list price" in finding.evidence
    assert (finding.values["cost"], finding.values["budget"], finding.labels["job"]) == (33.0, 30.0, "ftjob-1")


def test_what_only_may_be_over_is_said_so():
    job = ended(None, trained_tokens=4_000_000, hyperparameters={"n_epochs": "3"})
    finding = the_finding(rule(per_job=30), make_inventory(held(job)))
    assert "cost 6.00 to 36.00 USD" in finding.summary
    assert "That may be more than the budget" in finding.description


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


def test_another_currency_is_unknown_and_over_no_budget():
    assert found(rule(pricing=Terms(currency="EUR"), per_month=1, per_job=1, per_owner_month=1), FLEET) == []
