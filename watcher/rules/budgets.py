"""The budgets of training: what a job has cost, and what all jobs of an owner, or of all, have cost in this month.

Judged over all accounts, since an owner's jobs may be anywhere. Months are calendar months in UTC; a job counts to the
month in which it ended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from watcher.costs.money import Cost, Total, Unknown, fraction, money, total
from watcher.costs.prices import LIST_PRICES, PriceBook, Terms, book_of
from watcher.costs.training import Spent, is_reinforcement
from watcher.resources.changes import ResourceKind
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.lineage import Holding, Inventory
from watcher.resources.snapshot import Section
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.holdings import as_of, unread
from watcher.rules.job_cost import month_is_over, of_ended_job, over_budget
from watcher.rules.job_spent import ended_at, month_of, spent_on
from watcher.rules.labels import owner_of
from watcher.rules.rule import job_subject
from watcher.rules.text import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class _JobSpent:
    """One job that ended in this month."""

    holding: Holding
    job: FineTuningJob
    owner: str
    spending: Spent
    at: datetime | None  #: when it ended; `None`: that is not recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBudgets:
    """Finds jobs of this month that cost more than `per_job`, and owners, or all together, that spent too much."""

    name: ClassVar[str] = "job_cost"

    per_job: Decimal | None = None
    per_owner_month: Decimal | None = None
    per_month: Decimal | None = None
    pricing: Terms = LIST_PRICES

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        if self.per_job is None and self.per_owner_month is None and self.per_month is None:
            return
        book = book_of(self.pricing, inventory.retail)
        held = tuple(_ended(inventory.holdings, inventory, book))
        if self.per_job is not None:
            for one in held:
                # Of a reinforcement job one alert tells from its first hour to its end: see `job_cost`.
                if not is_reinforcement(one.job):
                    yield from self._of_job(inventory, one)
        # What an account has cost that left is spent all the same.
        ended = (*held, *_ended(inventory.departed, inventory, book))
        if self.per_owner_month is not None:
            for owner in sorted({one.owner for one in ended}):
                costs = [one.spending.cost for one in ended if one.owner == owner]
                yield self._of_month(inventory, owner, costs, self.per_owner_month)
        if self.per_month is not None:
            yield self._of_month(inventory, "", [one.spending.cost for one in ended], self.per_month)

    @property
    def _currency(self) -> str:
        return self.pricing.currency

    def _of_job(self, inventory: Inventory, one: _JobSpent) -> Iterator[Answer]:
        account, job, cost = one.holding.account, one.job, one.spending.cost
        if isinstance(cost, Unknown):
            yield Undecided(rule=self.name, subject=job_subject(account, job.id), because=cost.because)
        elif self.per_job is not None and (over := over_budget(one.spending, self.per_job, self._currency)):
            yield of_ended_job(
                account,
                job,
                one.spending,
                over,
                budget=self.per_job,
                at=one.at,
                now=inventory.now,
                owner_tag=inventory.owner_tag,
                evidence=as_of(one.holding, Section.JOBS, inventory.now),
            )

    def _of_month(self, inventory: Inventory, owner: str, costs: list[Cost], budget: Decimal) -> Answer:
        spending, month = total(costs, self._currency), month_of(inventory.now)
        subject = Subject(
            id=f"training of {owner.lower()}" if owner else "training", kind=ResourceKind.WATCHER, incarnation=month
        )
        whose, key = (f"Training of {owner}", "per_owner_month") if owner else ("All training", "per_month")
        limit = money(budget, self._currency).text
        if spending.known.high <= fraction(budget):
            return self._within(inventory, subject, spending, limit)
        verb = "has cost" if spending.known.low > fraction(budget) else "may have cost"
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=subject,
            labels={"owner": owner} if owner else {},
            summary=f"{whose} {verb} {spending.text} in {month}, over the budget of {limit}",
            description=f"{counted(len(costs), 'job')} ended in {month}. {_missing(spending)}A job counts to the month "
            "in which it ended.",
            action=f"See what is to be trained in the rest of the month; the budget is {key} in [rules.job_cost].",
            evidence=f"{counted(len(inventory.holdings), 'account')} looked through{_unread(inventory)}; "
            f"{book_of(self.pricing, inventory.retail).words}",
            values={
                "cost": float(spending.known.least),
                "cost_at_most": float(spending.known.most) if spending.is_known else None,
                "currency": self._currency,
                "budget": float(budget),
                "jobs": len(costs),
                "jobs_unknown": spending.unknown,
            },
        )

    def _within(self, inventory: Inventory, subject: Subject, spending: Total, limit: str) -> Answer:
        """That what is known does not pass the budget, and so nothing, unless a part of it is not known."""
        blind = _blind(inventory)
        if spending.is_known and not blind:
            because = f"by what is known now it has cost {spending.text}, within the budget of {limit}"
            return Cleared(rule=self.name, subject=subject, because=because)
        unread = f"the jobs of {counted(blind, 'account')} could not be read" if blind else ""
        return Undecided(
            rule=self.name,
            subject=subject,
            because=f"what is known, {spending.known.text}, is within the budget of {limit}, and "
            + " and ".join(filter(None, (spending.why, unread))),
        )


def month_over(found: Finding, now: datetime) -> str:
    """Why a finding of an earlier month no longer stands; "" where it is of the present one."""
    month, subject = month_of(now), found.subject
    if subject.kind is ResourceKind.JOB:
        at = found.occurred_at
        return "" if at is None or month_of(at) == month else month_is_over(at)
    return "" if subject.incarnation == month else f"{subject.incarnation} is over, and the budget begins anew"


def _ended(holdings: Iterable[Holding], inventory: Inventory, book: PriceBook) -> Iterator[_JobSpent]:
    for holding in holdings:
        for job in holding.jobs_ended:
            phases, events = holding.phases.get(job.id, ()), holding.logs.get(job.id, ())
            at = ended_at(job, phases)
            known = spent_on(
                job,
                book,
                location=holding.account.location,
                phases=phases,
                events=events,
                until=at,
            )
            owner = owner_of(holding.account, job=job, owner_tag=inventory.owner_tag).name
            yield _JobSpent(holding=holding, job=job, owner=owner, spending=known.spending, at=at)


def _missing(spending: Total) -> str:
    return "" if spending.is_known else f"Not all of it is known: {spending.why}. "


def _blind(inventory: Inventory) -> int:
    """In how many accounts jobs may have ended that nobody has read of."""
    return sum(unread(holding, Section.JOBS) is not None for holding in inventory.holdings)


def _unread(inventory: Inventory) -> str:
    blind = _blind(inventory)
    return f", of which the jobs of {blind} could not be read" if blind else ""
