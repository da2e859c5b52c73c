"""What one deployment or job costs, as pages tell of it: by the list that is stored, and unknown where that is unknown.

The report has the sums; here is what stands beside one thing. The arithmetic is that of `costs`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.costs import hosting
from watcher.costs.hosting import Period
from watcher.costs.idle import DAY, IdleMoney, idle_money
from watcher.costs.money import Cost, Unknown
from watcher.costs.prices import Price, PriceBook
from watcher.costs.training import Spent
from watcher.report.standing import Standing
from watcher.resources.account import Account
from watcher.resources.changes import STATUS, Transition
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.resources.model import family
from watcher.rules.job_spent import spent_on
from watcher.rules.sight import known_to
from watcher.rules.wasting import doubtful_call
from watcher.store.listings import RecordedDeployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What a living deployment costs, and what of it nobody uses."""

    price: Price | Unknown  #: by the hour
    idle: IdleMoney | Unknown | None  #: `None`: it is called, or whether it is cannot be said
    is_least: bool = False  #: of what is idle: the calls before were not read

    @property
    def is_free(self) -> bool:
        """Whether it surely costs nothing by the hour."""
        return isinstance(self.price, Price) and self.price.rate.is_zero


class Rates:
    """The prices of many deployments: of those that are alike one is looked up."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self._known: dict[tuple[str, str, int | None, str], Price | Unknown] = {}

    def of(self, account: Account, deployment: Deployment) -> Price | Unknown:
        """What an hour of a deployment costs."""
        # The operator's table may tell models of one family apart; Azure's own list does not.
        model = deployment.model if self.book.terms.table else family(deployment.model)
        kind = model, deployment.sku, deployment.capacity, account.location
        found = self._known.get(kind)
        if found is None:
            found = self._known[kind] = hosting.hourly(
                self.book,
                model=deployment.model,
                sku=deployment.sku,
                capacity=deployment.capacity,
                location=account.location,
            )
        return found


def is_idle(standing: Standing, now: datetime) -> bool:
    """Whether it had no call for a day, as reports have it, and that is surely known.

    Only hours that were read count: those since the metrics were read last may be full of calls.
    """
    since, usage = standing.idle_since, standing.usage
    if since is None or standing.unknown_because:
        return False
    if usage is not None and doubtful_call(usage, now=now, after=DAY):
        return False
    return _known_to(standing, now) - since > DAY


def _known_to(standing: Standing, now: datetime) -> datetime:
    return now if standing.expires else known_to(standing.usage, now)


def money_of(account: Account, deployment: Deployment, standing: Standing, rates: Rates, now: datetime) -> Money:
    """The money of a deployment that stands."""
    price, since = rates.of(account, deployment), standing.idle_since
    if since is None or not is_idle(standing, now):
        return Money(price=price, idle=None)
    earliest = standing.deletion_earliest
    latest = earliest if standing.expires else standing.deletion_latest
    deletion = None if earliest is None else (earliest, latest)
    idle = idle_money(
        price,
        now=now,
        known_to=_known_to(standing, now),
        since=(since, since),
        deletion=deletion,
        is_assumed=standing.is_assumed,
    )
    return Money(price=price, idle=idle, is_least=standing.is_bounded)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDate:
    """What one life of a deployment has cost."""

    begin: datetime
    end: datetime
    cost: Cost
    remarks: tuple[str, ...]  #: what is assumed, in sentences


def to_date(
    account: Account, life: RecordedDeployment, book: PriceBook, *, last_seen_at: datetime | None, now: datetime
) -> ToDate:
    """The cost of a life from its beginning to its end, or to now.

    Args:
        last_seen_at: Of one that has ended: when it was last known to stand; `None`: that is not known.
    """
    end = None if life.ended_at is None else (min(last_seen_at or life.ended_at, life.ended_at), life.ended_at)
    tenancy = hosting.tenancy_of(
        life.deployment, account=account.label, location=account.location, first_seen=life.first_seen_at, end=end
    )
    period = Period(begin=min(tenancy.begin, life.ended_at or now), end=life.ended_at or now)
    return ToDate(
        begin=period.begin,
        end=period.end,
        cost=hosting.cost(tenancy, book, period),
        remarks=tuple(hosting.remarks(tenancy, period)),
    )


def training_cost(
    account: Account,
    job: FineTuningJob,
    book: PriceBook,
    *,
    events: Sequence[JobEvent],
    changes: Sequence[Transition],
    ended_at: datetime | None,
    jobs_at: datetime | None,
) -> Spent:
    """What a job's training has cost so far.

    Args:
        events: The lines of its log.
        changes: Of the job, newest first.
        jobs_at: When the account's jobs were read last.
    """
    phases = [one for one in reversed(changes) if one.attribute == STATUS]
    known = spent_on(
        job,
        book,
        location=account.location,
        phases=phases,
        events=events,
        until=ended_at or jobs_at,
    )
    return known.spending
