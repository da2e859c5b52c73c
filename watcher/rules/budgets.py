"""The budgets of training: what a job has cost, and what all jobs of an owner, or of all, have cost in this month.

Judged over all accounts, since an owner's jobs may be anywhere. Months are calendar months in UTC; a job counts to the
month in which it ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from watcher.costs.money import Amount, Cost, Total, fraction, money, total
from watcher.costs.prices import LIST_PRICES, PriceBook, Terms, book_of
from watcher.costs.training import Spent, spent
from watcher.resources.changes import ResourceKind
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.lineage import Holding, Inventory
from watcher.resources.snapshot import Section
from watcher.rules.finding import Answer, Finding, FindingKind, Severity, Subject
from watcher.rules.holdings import as_of, unread
from watcher.rules.job_cost import over_budget
from watcher.rules.labels import job_labels, job_name, owner_of, portal_link
from watcher.rules.rai import refusal_of
from watcher.rules.rule import job_subject
from watcher.rules.text import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class _JobSpent:
    """One job that ended in this month."""

    holding: Holding
    job: FineTuningJob
    owner: str
    spending: Spent


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
        ended = tuple(_ended(inventory, book_of(self.pricing, inventory.retail)))
        if self.per_job is not None:
            for one in ended:
                # Of a reinforcement job the hours are known where its status is followed alone: see `job_cost`.
                if over := over_budget(one.spending, self.per_job, self._currency):
                    yield self._of_job(inventory, one, over)
        if self.per_owner_month is not None:
            for owner in sorted({one.owner for one in ended}):
                costs = [one.spending.cost for one in ended if one.owner == owner]
                yield from self._of_month(inventory, owner, costs, self.per_owner_month)
        if self.per_month is not None:
            yield from self._of_month(inventory, "", [one.spending.cost for one in ended], self.per_month)

    @property
    def _currency(self) -> str:
        return self.pricing.currency

    def _of_job(self, inventory: Inventory, one: _JobSpent, over: str) -> Finding:
        account, job, cost = one.holding.account, one.job, one.spending.cost
        assert isinstance(cost, Amount)
        price = f"priced by {one.spending.price.origin(inventory.now)}" if one.spending.price else ""
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=job_subject(account, job.id),
            labels=job_labels(account, job, inventory.owner_tag),
            summary=f"{job_name(account, job)} cost {cost.text}, over the budget of a job",
            description=f"Its training cost {cost.text}. {over} It has ended ({job.raw_status}).",
            action="See whether the next job needs as many epochs or examples. The budget is per_job in "
            "[rules.job_cost].",
            evidence="; ".join(
                filter(None, (one.spending.basis, price, as_of(one.holding, Section.JOBS, inventory.now)))
            ),
            values={
                "cost": float(cost.least),
                "cost_at_most": float(cost.most),
                "currency": self._currency,
                "budget": None if self.per_job is None else float(self.per_job),
                "owner_source": owner_of(account, job=job, owner_tag=inventory.owner_tag).source,
            },
            links=portal_link(account),
            occurred_at=job.finished_at,
        )

    def _of_month(self, inventory: Inventory, owner: str, costs: list[Cost], budget: Decimal) -> Iterator[Finding]:
        spending, month = total(costs, self._currency), f"{inventory.now:%Y-%m}"
        if spending.known.high <= fraction(budget):
            return
        whose, key = (f"Training of {owner}", "per_owner_month") if owner else ("All training", "per_month")
        limit = money(budget, self._currency).text
        verb = "has cost" if spending.known.low > fraction(budget) else "may have cost"
        yield Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=Subject(
                id=f"training of {owner.lower()}" if owner else "training", kind=ResourceKind.WATCHER, incarnation=month
            ),
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


def _ended(inventory: Inventory, book: PriceBook) -> Iterator[_JobSpent]:
    for holding in inventory.holdings:
        for job in holding.jobs_ended:
            spending = spent(
                job,
                book,
                location=holding.account.location,
                billed=holding.billed.get(job.id),
                is_refused=refusal_of(job, ()) is not None,
            )
            owner = owner_of(holding.account, job=job, owner_tag=inventory.owner_tag).name
            yield _JobSpent(holding=holding, job=job, owner=owner, spending=spending)


def _missing(spending: Total) -> str:
    return "" if spending.is_known else f"Not all of it is known: {spending.why}. "


def _unread(inventory: Inventory) -> str:
    blind = sum(unread(holding, Section.JOBS) is not None for holding in inventory.holdings)
    return f", of which the jobs of {blind} could not be read" if blind else ""
