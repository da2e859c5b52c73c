"""What the operator says of prices, limits and labels, as far as a report goes by it."""

from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from watcher.costs.idle import Trickle
from watcher.costs.prices import PriceBook
from watcher.costs.uses import TRICKLE_A_DAY
from watcher.resources.model import Retirement
from watcher.resources.retirements import DOCUMENTED
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.metrics_pace import STALE_AFTER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # compared by identity: a table of lifetimes has no hash
class ReportTerms:
    """The configuration behind a statement."""

    watcher: str  #: the watcher's name
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    book: PriceBook = field(default_factory=PriceBook)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    trickle: Trickle = field(default_factory=Trickle)
    trickle_a_day: float = TRICKLE_A_DAY  #: a day with at most so many calls is one of a trickle
    wasting_after: timedelta = timedelta(days=2)
    undeployed_after: timedelta = timedelta(days=14)
    orphaned_after: timedelta = timedelta(days=14)
    tag_labels: tuple[str, ...] = ()
    #: Where `environment` is one of these, something is in production; so it is where the word itself says so.
    critical_environments: frozenset[str] = frozenset()
    owner_tag: str = "owner"
    documented: tuple[Retirement, ...] = DOCUMENTED
    #: Metrics that end longer ago than this say nothing of the present: they may rest for half a day.
    metrics_stale_after: timedelta = timedelta(hours=13)
    #: Near a deletion they are read more often, and say nothing sooner.
    near_stale_after: timedelta = STALE_AFTER
    #: Nor do deployments that were read longer ago than this say that they stand.
    deployments_stale_after: timedelta = timedelta(hours=3)
    #: Nor do jobs that were read longer ago than this say that nothing has ended.
    jobs_stale_after: timedelta = timedelta(hours=3)
