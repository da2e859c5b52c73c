"""What the cost hygiene report says of a period, before it is text, a page or a table: the nouns, and nothing else.

Money stays exact here and is rounded once, where it is shown. What could not be read is unknown in each figure that it
touches, and is listed in `unseen`. The same record of the past gives the same statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

import msgspec

from watcher.costs.advice import Advice
from watcher.costs.hosting import Period
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount, Cost, Total, Unknown
from watcher.costs.prices import Price
from watcher.costs.recipe import Recipe
from watcher.costs.uses import State


class Audience(StrEnum):
    """Whom an edition is for."""

    ALL = "all"  #: everything
    OWNER = "owner"  #: what one owner holds
    FINANCE = "finance"  #: the money: bill, savings and provenance first, no job's details


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One selection of the same figures."""

    audience: Audience = Audience.ALL
    owner: str = ""  #: of an owner's edition: the name that stands on it

    @property
    def title(self) -> str:
        """`Search`, `finance`; "" for all."""
        return self.owner if self.audience is Audience.OWNER else "" if self.audience is Audience.ALL else "finance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is, and whose."""

    account: str  #: the account's label
    account_id: str  #: ARM id, verbatim
    location: str = ""
    owner: str = "unowned"
    labels: Mapping[str, str] = field(default_factory=dict)  #: of `tag_labels`


class DayOfUse(msgspec.Struct, frozen=True):
    """One local day of one deployment."""

    day: date
    calls: float  #: answered ones, as far as they were read
    costs: Mapping[State, Cost]  #: by use; a state in which no time was spent is left out


class HostedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a deployment that stood at some time of the period."""

    place: Place
    id: str  #: ARM id, verbatim
    name: str
    model: str
    base: str = ""  #: the base model at the root of its line; "" where nothing names it
    sku: str
    capacity: int | None = None
    begin: datetime  #: creation, else first sight
    is_created: bool = True  #: `False`: `begin` is its first sight
    end: tuple[datetime, datetime] | None = None  #: last seen alive and first seen gone; `None`: it stands
    ended_by: str = ""  #: why it ended, as far as known: "deleted by …", "idle deadline"
    stood: tuple[timedelta, timedelta]  #: in the period: at least, and at most
    price: Price | Unknown  #: by the hour, of the whole deployment
    cost: Cost  #: in the period
    #: What is not in its cost, as it stood for an unknown time before it was first seen; a part of each total.
    missing: Unknown | None = None
    by_state: Mapping[State, Cost]  #: the same, divided by use
    calls: float | None  #: answered ones in the period; `None`: not all of it was read
    #: The last answered call known of this life; `None`: none is known, which `idle_since` interprets.
    last_call_at: datetime | None = None
    #: Until when its calls were read, where that is too long ago to tell of the present; `None`: it is not.
    called_until: datetime | None = None
    state: State  #: at the period's end, or at its own end
    #: Since when nobody has called it, at the earliest and the latest; `None`: it is called, or nobody can tell.
    idle_since: tuple[datetime, datetime] | None = None
    idle: IdleMoney | Unknown | None = None  #: `None`: it is not idle, or has ended
    #: When Azure deletes it, at the earliest and the latest; `None`: no rule is known to end it, or it has ended.
    deletion: tuple[datetime, datetime | None] | None = None
    deletion_why: str = ""  #: "15 d without a call", "a Developer deployment lasts 24 h"
    cost_per_call: Cost | None = None  #: of one that is kept alive by a trickle of calls
    trickle_calls: float | None = None  #: answered calls in the trickle's window
    successor: str = ""  #: `v2 in contoso-west`, where a newer model of its line is deployed
    is_paused: bool = False
    kept_until: datetime | None = None
    days: tuple[DayOfUse, ...] = ()
    recipe: Recipe | None = None  #: makes it again as it was; `None`: not seen, or it goes on under another id
    is_account_gone: bool = False  #: and so the recipe's address leads nowhere
    remarks: tuple[str, ...] = ()  #: what is assumed of it

    def overdue_since(self, as_of: datetime) -> datetime | None:
        """When Azure was to have deleted it at the latest; `None`: that time is to come, or cannot be named."""
        latest = self.deletion[1] if self.deletion else None
        return latest if latest is not None and latest <= as_of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLine:
    """One job that ended in the period, or is under way at its end.

    What trains over the period's edge is billed where the job ends.
    """

    place: Place
    job: str  #: id
    model: str  #: what is trained from
    made: str = ""  #: the custom model that came of it
    method: str = ""
    training_type: str = ""
    status: str
    created_at: datetime | None
    finished_at: datetime | None
    cost: Cost
    basis: str  #: what the cost is counted from, in words
    failure: str = ""  #: the service's own words, where it failed
    is_refused: bool = False  #: by an RAI check, of its data or its model
    harm_types: tuple[str, ...] = ()
    suffix: str = ""  #: that its people gave it, by which they know it
    is_under_way: bool = False  #: at the period's end: it costs nothing yet, and is billed where it ends
    so_far: Amount | None = None  #: what one under way has come to; `None`: it is not, or nobody can tell
    is_estimate: bool = False  #: its price is an example or a guess


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is deployed nowhere, or a file that no job uses."""

    place: Place
    id: str
    name: str
    since: datetime | None  #: since when it lies there
    bytes: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undated:
    """Deployments of which it cannot be said when Azure deletes them, for one reason."""

    because: str  #: the end of a sentence
    names: tuple[str, ...]  #: `contoso-ft/support-bot`


class DateKind(StrEnum):
    """What happens at a date of the calendar."""

    DELETION = "deletion"  #: Azure deletes an idle deployment
    EXPIRY = "expiry"  #: a Developer deployment's 24 h are over
    RETIREMENT = "retirement"  #: a base model can no longer be called, or trained
    SILENCE_END = "silence_end"
    EXCEPTION_END = "exception_end"  #: a `keep` runs out


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """Something to come."""

    uid: str  #: the same for the same thing, in every edition and at every time
    kind: DateKind
    at: datetime  #: at the earliest
    latest: datetime | None = None  #: `None`: the same, or that cannot be named
    is_certain: bool = True
    title: str  #: one line: "contoso-ft/support-v3 will be deleted"
    text: str = ""  #: why, and what to do
    plain: str = ""  #: the same without its evidence, in a sentence; "": `text` says it
    subjects: tuple[str, ...] = ()  #: the deployments that a retirement concerns: `contoso-ft/support-bot`
    account: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A deployment that somebody wants kept, and until when."""

    place: Place
    name: str
    until: datetime
    by: str
    reason: str
    is_over: bool = False  #: it ended in the period


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What one account, owner, model or SKU came to."""

    value: str  #: "" where the label is missing
    hosting: Total
    training: Total
    idle: Total  #: part of hosting
    unread: Total  #: part of hosting: of the time of which nobody knows the use
    deployments: int
    jobs: int

    @property
    def total(self) -> Total:
        return self.hosting + self.training


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The whole bill, divided one way; the lines together are the total."""

    by: str  #: account, owner, model, sku, or a label's name
    lines: tuple[BillLine, ...]  #: the dearest first


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfCost:
    """What all hosting cost on one local day, by use."""

    day: date
    costs: Mapping[State, Total]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceUsed:
    """Where a price came from."""

    what: str  #: "hosting, Standard, gpt-4o", "training, gpt-4.1, global"
    price: Price | Unknown
    origin: str  #: in words
    uses: int  #: of how many deployments or jobs
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """What a deletion after an alert of ours saved."""

    account: str
    name: str
    owner: str
    ended_at: datetime
    by: str  #: "" where nobody is named
    saving: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """What Azure itself billed for an account, beside our estimate of the same days. Never added to anything."""

    account: str
    days: int  #: of the period for which Azure has figures
    estimate: Total
    actual: Amount | Unknown
    drift_percent: float | None  #: actual over estimate, less 100; `None`: the two cannot be compared
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The report of one period, for one edition. All tuples are sorted, the dearest or the soonest first."""

    watcher: str  #: the watcher's name
    edition: Edition
    period: Period
    period_name: str  #: "7d", "month"
    zone: str  #: IANA name: days, weeks and months are its
    as_of: datetime  #: what was known then
    currency: str
    price_words: str  #: "list price, not an invoice": beside every total
    accounts: int  #: that are watched; what others cost that have left since is in the bill too
    accounts_seen: int  #: of which everything was read
    watched: int = 0  #: accounts that are watched, those too in which this edition holds nothing
    hosting: Total
    training: Total
    idle: Total  #: part of hosting
    trickle: Total  #: part of hosting
    unread: Total  #: part of hosting: of the time of which nobody knows the use
    saving_per_month: Total  #: what the advice would save
    idle_until_deletion: Total  #: what is idle costs that much more, if nobody acts
    bills: tuple[Bill, ...]
    hosted: tuple[HostedLine, ...]
    trained: tuple[TrainingLine, ...]
    undeployed: tuple[Leftover, ...]
    orphans: tuple[Leftover, ...]
    dates: tuple[Date, ...]
    exceptions: tuple[Exemption, ...]
    advice: tuple[Advice, ...]
    saved: Total
    realised: tuple[Realised, ...]
    days: tuple[DayOfCost, ...]
    prices: tuple[PriceUsed, ...]
    actuals: tuple[Actual, ...] = ()
    undated: tuple[Undated, ...] = ()  #: what is missing among `dates`; `unseen` tells of it too
    lacks_dates: bool = False  #: beside these, dates may be missing or have moved, as something could not be seen
    unseen: tuple[str, ...] = ()  #: what could not be seen, a sentence each
    #: Since when there is a record at all, where that is later than the period's beginning; the last of `unseen` tells.
    begins: datetime | None = None
    remarks: tuple[str, ...] = ()  #: what is assumed, a sentence each

    @property
    def total(self) -> Total:
        return self.hosting + self.training

    @property
    def has_gaps(self) -> bool:
        """Whether something was not seen that could have been: nobody sees the time before the first sight."""
        return len(self.unseen) > (self.begins is not None)

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to act upon and everything was seen."""
        return not (self.advice or self.unseen or self.dates or self.undeployed or self.orphans)

    def idle_lines(self) -> tuple[HostedLine, ...]:
        """Those that nobody calls, the first to be deleted first; then the overdue ones, the dearest first.

        Where a date is still to come, it says how soon somebody must decide; one that is over says nothing any more.
        """
        lines = [line for line in self.hosted if line.idle_since is not None and line.end is None]
        return tuple(sorted(lines, key=self._urgency))

    def _urgency(self, line: HostedLine) -> tuple[bool, float]:
        if line.overdue_since(self.as_of) is None:
            return False, (line.deletion or (self.period.end, None))[0].timestamp()
        so_far = line.idle.so_far if isinstance(line.idle, IdleMoney) else None
        return True, -float(so_far.high) if so_far else 0.0

    def trickle_lines(self) -> tuple[HostedLine, ...]:
        return tuple(line for line in self.hosted if line.trickle_calls is not None and line.end is None)

    def superseded_lines(self) -> tuple[HostedLine, ...]:
        return tuple(line for line in self.hosted if line.successor and line.end is None)
