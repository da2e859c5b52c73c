"""The nouns of the ledger: what really happened to jobs, deployments and accounts, and who could see it. Pure.

`ledger` derives them from a scenario. Times are aware and in UTC.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal

from watcher.simulator import traffic
from watcher.simulator.faults import Fault, Plane
from watcher.simulator.scenario import Calls, Outcome

Cause = Literal["idle", "expired", "user", "replaced", "account", ""]
Kind = Literal[
    "throttled", "broken", "hang", "forbidden", "credential", "shrunk", "partial", "delayed", "gap", "slow", "skewed"
]

# How long before a deletion the moments of interest lie; any watcher has some such steps.
STEPS = tuple(timedelta(hours=hours) for hours in (168, 72, 24, 6, 0))
EXPIRY_STEPS = tuple(timedelta(hours=hours) for hours in (4, 1, 0))
RARE = timedelta(hours=12)  # calls that far apart are moments of their own
FOREVER = timedelta(days=3650)  # the end of a fault that nobody lifts

_COUNTED = frozenset(range(200, 300))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTruth:
    """A job as it really went, as far as its account lived to see it."""

    account: str  # ARM id in lower case
    label: str  # the account's name
    job: str  # the id that is served
    created: datetime
    appears: datetime  # when its account first listed it; after `created` where the account was moved
    vanished: datetime | None  # with its account
    started: datetime | None  # None: never trained
    ended: datetime | None
    outcome: Outcome  # none: it did not end
    status: str  # the terminal word as served; "" for none
    harm_types: tuple[str, ...]
    phases: tuple[tuple[datetime, str], ...]  # neutral words, or those of an explicit timeline; oldest first
    base: str  # what is trained from
    location: str
    training_type: str  # "": none is named
    is_reinforcement: bool
    tokens_billed: Fraction  # when it has ended; 0 of what fails, is refused or never trained, and of reinforcement
    trained: timedelta  # by its end, without the evaluation
    rate: Fraction | None  # list price in dollars of a million tokens, of reinforcement of an hour; None: no such meter

    def cost(self, rate: Fraction | None) -> Fraction | None:
        """What it came to in the end at a price as `rate`; None: nobody knows."""
        if self.outcome not in ("succeeded", "cancelled"):
            return Fraction(0)
        amount = _hours(self.trained) if self.is_reinforcement else self.tokens_billed / 1_000_000
        if not amount:
            return Fraction(0)
        return None if rate is None else amount * rate


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeTruth:
    """One life of a deployment, with the calls that reached it."""

    account: str  # ARM id in lower case
    label: str  # the account's name
    deployment: str  # ARM id in lower case
    name: str
    model: str
    sku: str
    created: datetime
    appears: datetime  # when its account first listed it; after `created` where the account was moved
    ended: datetime | None
    cause: Cause
    deleted_by: str | None
    is_logged: bool  # whether the activity log has the end of this very deployment
    logged_at: datetime | None  # when the log first shows it
    is_fine_tuned: bool
    shows_created: bool  # whether answers carry `systemData`
    idle_after: timedelta
    lifetime: timedelta | None  # of the Developer tier
    paused: tuple[tuple[datetime, datetime | None], ...]
    start: datetime  # of the world; `traffic` counts from it
    traffic: tuple[Calls, ...]
    dies_idle: bool  # whether the idle rule applies at all
    failed_calls_count: bool
    base: str  # the base model at the root of what is deployed
    location: str
    capacity: int
    rate: Fraction | None  # list price of an hour in dollars; None: no meter of the list counts its hours

    def stood(self, begin: datetime, end: datetime) -> timedelta:
        """How much of [begin, end) it stood in its account: what is charged, called or not."""
        until = end if self.ended is None else min(end, self.ended)
        return max(until - max(begin, self.appears), timedelta(0))

    def cost(self, begin: datetime, end: datetime, rate: Fraction | None) -> Fraction | None:
        """What that time costs at a price as `rate`; None: nobody knows."""
        stood = self.stood(begin, end)
        if not stood:
            return Fraction(0)
        return None if rate is None else _hours(stood) * rate

    def answered(self, begin: datetime, end: datetime) -> int:
        """How many of the calls of [begin, end) were answered, and go by its name in the metrics."""
        since = max(begin, self.created) - self.start
        until = (end if self.ended is None else min(end, self.ended)) - self.start
        return sum(traffic.calls_between(calls, since, until) for calls in self._own)

    def last_answered(self, at: datetime) -> datetime | None:
        """The last of these calls before `at`."""
        return self._last(at - timedelta(microseconds=1), self._own)

    @property
    def _own(self) -> list[Calls]:
        return [calls for calls in self.traffic if calls.status in _COUNTED and calls.dimension in (None, self.name)]

    def deadline(self, at: datetime) -> datetime | None:
        """When it is deleted for idleness if no call comes after `at`; None where the rule does not apply."""
        if not self.dies_idle:
            return None
        last = self.last_call(at) if self.failed_calls_count else self.last_success(at)
        return (self.created if last is None else last) + self.idle_after

    def last_success(self, at: datetime) -> datetime | None:
        """The last call with a 2xx status at or before `at`."""
        return self._last(at, [calls for calls in self.traffic if calls.status in _COUNTED])

    def last_named_success(self, at: datetime) -> datetime | None:
        """The last of those that the metrics book under this deployment's name: what a watcher could know of."""
        return self._last(at, self._own)

    def last_call(self, at: datetime) -> datetime | None:
        """The last call of any status at or before `at`."""
        return self._last(at, self.traffic)

    def calls(self, begin: datetime, end: datetime) -> int:
        """How many calls with a 2xx status reached it in [begin, end)."""
        since = max(begin, self.created) - self.start
        until = (end if self.ended is None else min(end, self.ended)) - self.start
        counted = (calls for calls in self.traffic if calls.status in _COUNTED)
        return sum(traffic.calls_between(calls, since, until) for calls in counted)

    def _last(self, at: datetime, spans: "tuple[Calls, ...] | list[Calls]") -> datetime | None:
        if self.ended is not None:
            at = min(at, self.ended - timedelta(microseconds=1))  # a call at the very end comes too late
        found = (traffic.previous_call(calls, not_after=at - self.start) for calls in spans)
        latest = max((call for call in found if call is not None), default=None)
        return None if latest is None or self.start + latest < self.created else self.start + latest


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTruth:
    """An account, from its creation to its deletion; one that moves is deleted, and another is created."""

    account: str  # ARM id in lower case
    label: str
    subscription: str
    created: datetime
    deleted: datetime | None
    deleted_by: str | None  # as the activity log has it; None: not logged


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A time in which something could not be seen rightly, through a fault of the scenario."""

    plane: Plane
    accounts: frozenset[str]  # ARM ids in lower case
    begins: datetime
    ends: datetime  # `FOREVER` after the start where nobody lifts it
    kind: Kind
    api: str  # glob over operations; "*": all of the plane
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The whole truth. Jobs, lives and accounts are in order of account id, then creation, then name."""

    start: datetime
    end: datetime
    jobs: tuple[JobTruth, ...]
    lives: tuple[LifeTruth, ...]
    accounts: tuple[AccountTruth, ...]
    blinds: tuple[Blind, ...]

    def moments(self) -> tuple[datetime, ...]:
        """Every time from `start` to `end` at which the truth changes, sorted."""
        found: set[datetime] = set()
        for account in self.accounts:
            found |= {account.created} | _given(account.deleted)
        for job in self.jobs:
            found |= {begins for begins, _ in job.phases}
        for life in self.lives:
            found |= set(_moments_of(life, self.start, self.end))
        for blind in self.blinds:
            found |= {blind.begins, blind.ends}
        return tuple(sorted(moment for moment in found if self.start <= moment <= self.end))


def _hours(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 3_600_000_000)


def as_json(truth: Ledger) -> dict[str, object]:
    """The ledger for people and other programs: names, text and numbers; times in RFC 3339, lengths in seconds."""
    table = _plain(truth)
    assert isinstance(table, dict)
    return table


def _moments_of(life: LifeTruth, start: datetime, end: datetime) -> Iterator[datetime]:
    yield life.appears
    yield from _given(life.ended)
    if life.lifetime is not None:
        yield from (life.created + life.lifetime - step for step in EXPIRY_STEPS)
    for begins, ends in life.paused:
        yield begins
        yield from _given(ends)
    turns = sorted({life.created, *_calls_of_note(life, end)})
    for turn in turns:
        if turn > life.created:
            yield turn
        deadline = life.deadline(turn)
        if deadline is not None:
            # A later call puts the deadline off, so only the steps before it are ever reached.
            yield from (at for step in STEPS if life.deadline(at := max(turn, deadline - step)) == deadline)


def _calls_of_note(life: LifeTruth, end: datetime) -> Iterator[datetime]:
    """The first and the last call of each burst, and every call where they are rare."""
    until = end if life.ended is None else min(end, life.ended)
    for calls in life.traffic:
        first = traffic.next_call(calls, not_before=life.created - life.start)
        last = traffic.previous_call(calls, not_after=until - life.start - timedelta(microseconds=1))
        if first is None or last is None or first > last:
            continue
        yield life.start + first
        yield life.start + last
        if calls.per_hour * RARE.total_seconds() / 3600 > 1:
            continue
        at: timedelta | None = first
        while at is not None and at <= last:
            yield life.start + at
            at = traffic.next_call(calls, not_before=at + timedelta(microseconds=1))


def _given(moment: datetime | None) -> set[datetime]:
    return set() if moment is None else {moment}


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(item) for key, item in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
