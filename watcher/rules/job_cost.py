"""The rule about reinforcement jobs that near their spending cap or spend on beyond it, and about the budget of each.

They are billed by the hour, so that their cost is known while they train; what one cost in all is judged here too, so
that one alert tells of it from the first hour to the last. What other jobs cost is told at their end: see `budgets`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from watcher.costs.money import Amount, fraction, money
from watcher.costs.prices import LIST_PRICES, Price, Terms, book_of
from watcher.costs.training import (
    REINFORCEMENT_CAP,
    CapStep,
    CapWatch,
    Spent,
    cap_watch,
    hours_left,
    is_reinforcement,
    resumed_at_cap,
    trained_for,
)
from watcher.resources.account import Account
from watcher.resources.fine_tuning import FineTuningJob, JobStatus
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.job_spent import ended_at, month_of, spent_on
from watcher.rules.job_waits import unless_unread
from watcher.rules.labels import job_labels, job_name, owner_of, portal_link
from watcher.rules.rule import View, job_subject
from watcher.rules.sight import unread_section
from watcher.rules.text import ago, duration, moment

#: The step past the cap: told at once, whatever was told before.
_BEYOND = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCost:
    """Finds reinforcement jobs under way at 50, 80 and 100 % of their cap, resumed beyond it, or over a budget."""

    name: ClassVar[str] = "job_cost"

    per_job: Decimal | None = None
    per_owner_month: Decimal | None = None  #: see `budgets`
    per_month: Decimal | None = None  #: see `budgets`
    pricing: Terms = LIST_PRICES

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.reading.jobs is None:
            unread = unread_section(view, Section.JOBS)
            because = unread.because if unread else "the jobs have not been read yet"
            yield Undecided(rule=self.name, subject=None, because=because)
            return
        for job in view.jobs:
            if not is_reinforcement(job):
                continue
            if job.status.has_ended:
                yield self._of_ended(view, job)
            elif found := self._judge(view, job):
                yield unless_unread(view, found)

    def _of_ended(self, view: View, job: FineTuningJob) -> Answer:
        """What it cost in all stands as long as its month does, whether or not the jobs are read meanwhile."""
        phases, events = view.phases.get(job.id, ()), view.logs.get(job.id, ())
        at = ended_at(job, phases) or view.status_since.get(job.id)
        if at is None:
            return _cleared(self.name, view, job, "when it ended is not known")
        if month_of(at) != month_of(view.now):
            return _cleared(self.name, view, job, month_is_over(at))
        known = spent_on(
            job,
            book_of(self.pricing, view.retail),
            location=view.account.location,
            phases=phases,
            events=events,
            until=at,
        )
        cost = known.spending.cost
        budget = self.per_job
        if budget is not None and (over := over_budget(known.spending, budget, self.pricing.currency)):
            evidence = f"jobs read {ago(view.reading.jobs_at, view.now)}" if view.reading.jobs_at else ""
            return of_ended_job(
                view.account,
                job,
                known.spending,
                over,
                budget=budget,
                at=at,
                now=view.now,
                owner_tag=view.owner_tag,
                evidence=evidence,
            )
        told = f"it cost {cost.text}" if isinstance(cost, Amount) else f"what it cost is not known: {cost.because}"
        return _cleared(self.name, view, job, f"it ended {job.raw_status}, {moment(at)}; {told}")

    def _judge(self, view: View, job: FineTuningJob) -> Finding | None:
        phases = view.phases.get(job.id, ())
        until, events = view.reading.jobs_at or view.now, view.logs.get(job.id, ())
        trained = trained_for(phases, created_at=job.created_at, until=until, events=events)
        if trained is None:
            return None  # nothing dates its training, and no cost is guessed
        watch = cap_watch(job, trained, was_resumed_at_cap=resumed_at_cap(phases, created_at=job.created_at))
        spending = spent_on(
            job,
            book_of(self.pricing, view.retail),
            location=view.account.location,
            phases=phases,
            events=events,
            until=until,
        ).spending
        over = over_budget(spending, self.per_job, self.pricing.currency)
        if watch.step is CapStep.NONE and not watch.is_uncapped and not over:
            return None
        return self._finding(view, job, watch, spending, over)

    def _finding(self, view: View, job: FineTuningJob, watch: CapWatch, spending: Spent, over: str) -> Finding:
        cost, name = spending.cost, job_name(view.account, job)
        told = cost.text if isinstance(cost, Amount) else f"an unknown amount ({cost.because})"
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=job_subject(view.account, job.id),
            labels=job_labels(view.account, job, view.owner_tag),
            summary=_summary(name, watch, told, _over(spending, self.per_job)),
            description=" ".join(part for part in (_cap_words(job, watch), over) if part),
            action=f"To stop it, cancel it; work done is billed:\n{commands.cancel_job(view.account, job)}"
            + (
                "\nTo let it train on, resume it; from then on no cap stops it:\n"
                f"{commands.resume_job(view.account, job)}"
                if job.status is JobStatus.PAUSED
                else ""
            ),
            evidence="; ".join(
                part
                for part in (
                    spending.basis,
                    f"priced by {spending.price.origin(view.now)}" if isinstance(spending.price, Price) else "",
                    f"jobs read {ago(view.reading.jobs_at, view.now)}" if view.reading.jobs_at else "",
                )
                if part
            ),
            values={
                "cost": float(cost.least) if isinstance(cost, Amount) else None,
                "cost_at_most": float(cost.most) if isinstance(cost, Amount) else None,
                "currency": self.pricing.currency,
                "cap_percent": round(watch.percent, 1),
                "budget": None if self.per_job is None else float(self.per_job),
                "owner_source": owner_of(view.account, job=job, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account),
            step=_BEYOND if watch.is_uncapped else f"{hours_left(watch.step)}h" if watch.step else "",
        )


def _cleared(rule: str, view: View, job: FineTuningJob, because: str) -> Cleared:
    return Cleared(rule=rule, subject=job_subject(view.account, job.id), because=because)


def month_is_over(ended: datetime) -> str:
    """Why the cost of a job that ended in an earlier month is no longer told."""
    return f"the job ended in {month_of(ended)}, and that month is over"


def of_ended_job(
    account: Account,
    job: FineTuningJob,
    spending: Spent,
    over: str,
    *,
    budget: Decimal,
    at: datetime | None,
    now: datetime,
    owner_tag: str,
    evidence: str,
) -> Finding:
    """That a job of this month cost more than a job may, or may have.

    Args:
        over: What `over_budget` says.
        at: When it ended.
        evidence: How old what is known of it is.
    """
    cost = spending.cost
    assert isinstance(cost, Amount)
    price = f"priced by {spending.price.origin(now)}" if isinstance(spending.price, Price) else ""
    return Finding(
        rule=JobCost.name,
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=job_subject(account, job.id),
        labels=job_labels(account, job, owner_tag),
        summary=f"{job_name(account, job)} cost {cost.text}, {_over(spending, budget)} the budget of a job",
        description=f"{over} It has ended ({job.raw_status}).",
        action="See whether the next job needs as many epochs or examples. The budget is per_job in [rules.job_cost].",
        evidence="; ".join(filter(None, (spending.basis, price, evidence))),
        values={
            "cost": float(cost.least),
            "cost_at_most": float(cost.most),
            "currency": cost.currency,
            "budget": float(budget),
            "owner_source": owner_of(account, job=job, owner_tag=owner_tag).source,
        },
        links=portal_link(account),
        occurred_at=at,
    )


def is_billed_by_hours(job: FineTuningJob, since: datetime | None, now: datetime) -> bool:
    """Whether it is a reinforcement job under way, or one that ended in this month: `since` then, if nothing else says.

    These are the jobs of which this rule needs all changes of their status, and their logs.
    """
    at = job.finished_at or since
    return is_reinforcement(job) and (not job.status.has_ended or (at is not None and month_of(at) == month_of(now)))


def over_budget(spending: Spent, budget: Decimal | None, currency: str) -> str:
    """That what was spent, at the most, is more than a budget, in a sentence; "" where it is not, or is not known."""
    over = _over(spending, budget)
    if not over or budget is None:
        return ""
    verb = "is" if over == _OVER else "may be"
    return f"Its cost {verb} more than the budget of {money(budget, currency).text} for a job."


_OVER = "over"


def _over(spending: Spent, budget: Decimal | None) -> str:
    """`over`; `perhaps over` where only the most that it can have cost is; "" where it is not, or is not known."""
    cost = spending.cost
    if budget is None or not isinstance(cost, Amount) or cost.high <= fraction(budget):
        return ""
    return _OVER if cost.low > fraction(budget) else f"perhaps {_OVER}"


def _summary(name: str, watch: CapWatch, told: str, over: str) -> str:
    if watch.is_uncapped:
        return f"{name} was resumed at its spending cap: NOTHING STOPS IT NOW; it has cost {told}"
    if watch.step is CapStep.REACHED:
        return f"{name} has trained for as long as its spending cap allows; it has cost {told}"
    if over:
        return f"{name} has cost {told}, {over} its budget"
    return f"{name} has used {watch.percent:.0f} % of its spending cap; it has cost {told}"


def _cap_words(job: FineTuningJob, watch: CapWatch) -> str:
    cap = f"Azure pauses a reinforcement job once it has cost {REINFORCEMENT_CAP:,} USD, with a deployable checkpoint"
    if watch.is_uncapped:
        return f"{cap}. This one was resumed after that: there is no further cap, and each hour is billed."
    if watch.paused_in is not None:
        soon = f"If it trains on, that comes in about {duration(watch.paused_in)} by the documented price of an hour."
        return f"{cap}. {soon} Mind that after a resume there is no further cap."
    state = "paused" if job.status is JobStatus.PAUSED else "not training"
    return f"{cap}. It is {state} now. Mind that after a resume at the cap there is no further one."
