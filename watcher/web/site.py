"""What the pages and the API are given: the store to ask, and what the configuration says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from watcher.alerts.dispatch import Routing
from watcher.alerts.lint import Known
from watcher.answers.query import Frame
from watcher.costs.prices import LIST_PRICES, PriceBook, book_of
from watcher.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the daemon does."""

    is_alive: bool  #: the loops move
    not_ready: tuple[str, ...]  #: what is missing before the first complete cycle; empty: ready
    last_progress_at: datetime | None = None
    last_complete_cycle_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAsked:
    """Which report."""

    format: str  #: as `watcher report --format`
    period: str = "7d"  #: a span back, "month" so far, or "last-month"; `begin` comes before it
    begin: str = ""  #: a date, which is its beginning, or a time
    end: str = ""  #: a date, which is its end, or a time; "": as_of
    as_of: str = ""  #: a date or a time; "": now
    owner: str = ""
    person: str = ""  #: for whom, where that is known; one is made for each at a time


def _documented(tx: Connection) -> PriceBook:
    return book_of(LIST_PRICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the configuration in force says. It changes when it is reloaded."""

    name: str
    zone: ZoneInfo
    frame: Callable[[datetime], Frame]
    known: Known
    routing: Routing | None
    #: The book of prices: what the operator says of them, with the price list that is stored.
    book: Callable[[Connection], PriceBook] = _documented


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that a page or the API needs."""

    store: Store
    clock: Callable[[], datetime]
    settings: Callable[[], Settings]
    health: Callable[[], Health]
    #: The text of a report. Raises `Refused` where it cannot be made as asked.
    report: Callable[[ReportAsked], Awaitable[str]]
    #: The dates to come of one owner ("": of all) as iCalendar.
    calendar: Callable[[str], Awaitable[bytes]]
    #: Called after somebody has changed something, so that it takes effect at once.
    wake: Callable[[], None]

    def frame(self) -> Frame:
        """What an answer given now goes by."""
        return self.settings().frame(self.clock())
