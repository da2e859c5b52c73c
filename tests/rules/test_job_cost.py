from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.factories import ACCOUNT, DAY, HOUR, NOW, make_event, make_gap, make_job, make_transition, make_view
from tests.rules.ask import ask, cleared, the_doubt, the_finding, verdict
from watcher.alerts.step import is_nearer
from watcher.costs.prices import Terms
from watcher.resources.changes import Change
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.job_cost import JobCost, is_billed_by_hours
from watcher.rules.rule import job_subject

RULE = JobCost()


def trained(*steps, job=None, gaps=(), **changes):
    """A reinforcement job by the changes of its status: (hours ago, status), each dated by the service."""
    status = steps[-1][1] if steps else "running"
    job = job or make_job(
        status=status, method="reinforcement", model="o4-mini-2025-04-16", created_at=NOW - 200 * HOUR, **changes
    )
    phases, before = [], None
    for hours, after in steps:
        change = Change.CHANGED if before else Change.DISCOVERED
        at = NOW - hours * HOUR
        phases.append(make_transition(make_job(status=after), before, change=change, observed_at=at, occurred_at=at))
        before = after
    return make_view(jobs=[job], gaps=gaps, phases={job.id: tuple(phases)})


AT_CAP = ((60, "running"), (10, "paused"))


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(trained((24.9, "running")), "none", id="less than half"),
        pytest.param(trained((25, "running")), "found", id="half"),
        pytest.param(trained((30, "queued"), (5, "running")), "none", id="the queue is free"),
        pytest.param(trained((60, "running"), (50, "paused")), "none", id="paused early"),
        pytest.param(trained(*AT_CAP), "found", id="at the cap"),
        pytest.param(trained(*AT_CAP, (1, "running")), "found", id="resumed beyond it"),
        pytest.param(trained((25, "running"), (1, "succeeded")), "none", id="ended"),
        pytest.param(trained(), "none", id="nothing dates it"),
        pytest.param(trained((25, "running"), gaps=[make_gap(Section.JOBS)]), "undecided", id="unread"),
        pytest.param(make_view(jobs=None), "undecided", id="never read"),
        pytest.param(
            trained((99, "running"), job=make_job(status="running", method="supervised")), "none", id="billed by tokens"
        ),
    ],
)
def test_verdicts(view, expected):
    assert verdict(RULE, view) == expected


@pytest.mark.parametrize(
    ("steps", "step", "summary"),
    [
        pytest.param(
            ((25, "running"),), "25h", "has used 50 % of its spending cap; it has cost 2500.00 USD", id="half"
        ),
        pytest.param(
            ((41, "running"),), "10h", "has used 82 % of its spending cap; it has cost 4100.00 USD", id="80 %"
        ),
        pytest.param(
            AT_CAP, "0h", "has trained for as long as its spending cap allows; it has cost 5000.00 USD", id="100 %"
        ),
        pytest.param(
            (*AT_CAP, (2, "running")),
            "overdue",
            "was resumed at its spending cap: NOTHING STOPS IT NOW; it has cost 5200.00 USD",
            id="beyond",
        ),
    ],
)
def test_each_step_is_told(steps, step, summary):
    finding = the_finding(RULE, trained(*steps))

    assert (finding.kind, finding.severity, finding.step) == (FindingKind.CONDITION, Severity.WARNING, step)
    assert finding.subject == job_subject(ACCOUNT, "ftjob-1")
    assert finding.summary == f'Job "support" of o4-mini-2025-04-16 in contoso-ft {summary}'


def test_each_step_is_nearer_than_the_one_before():
    steps = ["25h", "10h", "0h", "overdue"]
    assert [is_nearer(one, than) for than, one in pairwise(steps)] == [True, True, True]


def test_what_a_finding_holds():
    finding = the_finding(RULE, trained((40, "running")))
    assert "that comes in about 10 h by the documented price of an hour" in finding.description
    assert "after a resume there is no further cap" in finding.description
    assert "/fine_tuning/jobs/ftjob-1/cancel" in finding.action and "/resume" not in finding.action
    assert "40.00 h of training; what its graders cost comes on top" in finding.evidence
    assert finding.values == {
        "cost": 4000.0,
        "cost_at_most": 4000.0,
        "currency": "USD",
        "cap_percent": 80.0,
        "budget": None,
        "owner_source": "the account",
    }


def test_paused_at_the_cap_the_resume_is_named_with_its_price():
    finding = the_finding(RULE, trained(*AT_CAP))
    assert "from then on no cap stops it" in finding.action and "/resume" in finding.action


def test_in_another_currency_the_cap_is_watched_and_no_cost_told():
    finding = the_finding(JobCost(pricing=Terms(currency="EUR")), trained((30, "running")))
    assert "it has cost an unknown amount (no price in EUR is known" in finding.summary
    assert (finding.values["cost"], finding.values["cap_percent"]) == (None, 60.0)


@pytest.mark.parametrize(("budget", "expected"), [(999, "found"), (1000, "none"), (None, "none")])
def test_a_budget_for_a_job_under_way(budget, expected):
    rule = JobCost(per_job=None if budget is None else Decimal(budget))
    assert verdict(rule, trained((10, "running"))) == expected


def test_a_budget_is_named():
    finding = the_finding(JobCost(per_job=Decimal(900)), trained((10, "running")))
    assert finding.summary.endswith("has cost 1000.00 USD, over its budget")
    assert "Its cost is more than the budget of 900.00 USD for a job." in finding.description
    assert (finding.step, finding.values["budget"]) == ("", 900.0)


def test_it_counts_to_the_last_sight():
    """While nobody looks, no hours are made up."""
    view = trained((25, "running"), gaps=[make_gap(Section.JOBS)])
    stale = make_view(jobs=view.jobs, phases=view.phases, at=NOW - 2 * HOUR, gaps=[make_gap(Section.JOBS)])
    assert the_doubt(RULE, view).on_last_evidence.step == "25h"
    assert ask(RULE, stale) == []
    assert stale.reading.jobs_at > NOW - DAY


def test_while_its_model_is_evaluated_nothing_is_spent():
    seen = trained((30, "running"))
    over = make_event("Completed results file: file-1", at=NOW - 6 * HOUR)
    assert verdict(RULE, seen) == "found"
    assert verdict(RULE, replace(seen, logs={"ftjob-1": (over,)})) == "none"


def over(*steps, budget=900, at=NOW, log=(), **changes):
    """What a rule with a budget says of a job, some time later."""
    view = trained(*steps, **changes)
    view = replace(view, now=at, logs={"ftjob-1": tuple(log)})
    return JobCost(per_job=None if budget is None else Decimal(budget)), view


def test_what_was_over_its_budget_while_it_trained_stays_so_when_it_has_ended():
    """One alert tells of it: of the same subject, and no step of a countdown any more."""
    before = the_finding(*over((10, "running")))
    after = the_finding(*over((10, "running"), (0, "succeeded")))
    assert (before.rule, before.subject, before.labels) == (after.rule, after.subject, after.labels)
    assert (after.kind, after.severity, after.step) == (FindingKind.CONDITION, Severity.WARNING, "")
    assert after.summary.endswith("in contoso-ft cost 1000.00 USD, over the budget of a job")
    assert after.description.endswith("for a job. It has ended (succeeded).")
    assert "10.00 h of training" in after.evidence and "jobs read just now" in after.evidence
    assert (after.occurred_at, after.values["cost"], after.values["budget"]) == (NOW, 1000.0, 900.0)


def test_a_cost_that_has_bounds_is_perhaps_over_its_budget():
    view = trained((3, "succeeded"))
    finding = the_finding(JobCost(per_job=Decimal(900)), view)
    assert finding.summary.endswith("cost 0.00 to 5000.00 USD, perhaps over the budget of a job")


@pytest.mark.parametrize(
    ("given", "because"),
    [
        pytest.param(
            over((10, "running"), (5, "succeeded")),
            "it ended succeeded, 2026-11-22 03:00 UTC; it cost 500.00 USD",
            id="within its budget",
        ),
        pytest.param(
            over((60, "running"), (5, "cancelled"), budget=None),
            "it ended cancelled, 2026-11-22 03:00 UTC; it cost 5000.00 USD",
            id="no budget: its cap is of no interest now",
        ),
        pytest.param(
            over((60, "running"), (5, "failed")), "it ended failed, 2026-11-22 03:00 UTC; it cost 0.00 USD", id="free"
        ),
        pytest.param(
            over((60, "running"), (5, "succeeded"), at=NOW + 10 * DAY),
            "the job ended in 2026-11, and that month is over",
            id="of another month",
        ),
        pytest.param(
            over(budget=1, job=make_job(status="succeeded", method="reinforcement")),
            "when it ended is not known",
            id="not dated",
        ),
    ],
)
def test_why_nothing_is_told_of_one_that_has_ended(given, because):
    (answer,) = cleared(*given)
    assert (answer.subject, answer.because) == (job_subject(ACCOUNT, "ftjob-1"), because)
    assert verdict(*given) == "none"


def test_what_its_log_says_of_its_end_counts():
    paused = [make_event("Job paused.", at=NOW - 9 * HOUR), make_event("Job resumed.", at=NOW - HOUR)]
    steps = ((10, "running"), (0, "succeeded"))
    assert the_finding(*over(*steps, log=paused)).values["cost"] == 200.0
    words = "This model is unable to be deployed: scores above acceptable thresholds for [Violence]."
    assert verdict(*over(*steps, log=[make_event(words, level="error")])) == "none"


def test_while_its_account_cannot_be_read_what_it_cost_in_all_stands():
    rule, view = over((10, "running"), (0, "succeeded"), gaps=[make_gap(Section.JOBS)])
    assert verdict(rule, view) == "found"


@pytest.mark.parametrize(
    ("job", "since", "is_needed"),
    [
        pytest.param(make_job(method="reinforcement"), None, True, id="under way"),
        pytest.param(make_job(), NOW, False, id="billed by tokens"),
        pytest.param(
            make_job(status="succeeded", method="reinforcement", finished_at=NOW - DAY), None, True, id="ended"
        ),
        pytest.param(
            make_job(status="succeeded", method="reinforcement", finished_at=NOW - 30 * DAY), NOW, False, id="long ago"
        ),
        pytest.param(make_job(status="cancelled", method="reinforcement"), NOW, True, id="not dated by the service"),
    ],
)
def test_of_which_jobs_it_is_known_how_long_they_trained(job, since, is_needed):
    assert is_billed_by_hours(job, since, NOW) is is_needed


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (2999, "has cost 3000.00 to 3200.00 USD, over its budget"),
        (3100, "has cost 3000.00 to 3200.00 USD, perhaps over its budget"),
        (3200, "has used 60 % of its spending cap; it has cost 3000.00 to 3200.00 USD"),
    ],
)
def test_what_only_may_be_over_its_budget_is_said_so(budget, words):
    """It was seen waiting two hours before it was seen running: any of them may be billed."""
    view = trained((32, "pending"), (30, "running"))
    seen = tuple(replace(change, occurred_at=None) for change in view.phases["ftjob-1"])
    finding = the_finding(JobCost(per_job=Decimal(budget)), replace(view, phases={"ftjob-1": seen}))
    assert finding.summary.endswith(words)


def test_what_it_has_cost_is_told_once():
    for finding in (the_finding(RULE, trained((30, "running"))), the_finding(*over((10, "running"), (0, "succeeded")))):
        told = f"{finding.summary} {finding.description}"
        assert told.count("3000.00 USD") + told.count("1000.00 USD") == 1
