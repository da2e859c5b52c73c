"""Review: the alerts that span accounts, or are about `watcher` itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.lifecycle import advance
from watcher.clock import Clock
from watcher.cycles.judgement import ABOUT_ITSELF, Judgement, advance_stored
from watcher.rules.finding import Finding
from watcher.rules.rule import Fleet, HostClock, evaluate_fleet
from watcher.store import alerts, channels, grounds, reports, scope, state
from watcher.store.engine import Store
from watcher.store.grounds import Grounds


async def review(
    *, judgement: Judgement, store: Store, clock: Clock, wall_clock: Clock, host: str
) -> tuple[Alert, ...]:
    """Look for one cause behind many accounts' troubles, and for receivers that take nothing, from stored state alone.

    Args:
        wall_clock: By which deliveries go, even where `clock` is simulated.
        host: The machine by whose clock this goes.
    """
    return await store.write(review_now, judgement, clock(), host, wall_clock())


def review_now(
    tx: Connection, judgement: Judgement, now: datetime, host: str = "", wall_now: datetime | None = None
) -> tuple[Alert, ...]:
    """`review`, inside a transaction; without `wall_now` the two clocks are one."""
    alerts.lock_fleet(tx)
    found = state.discovery(tx)
    fleet = Fleet(
        now=now,
        accounts=scope.account_states(tx),
        discovery_gaps=found.gaps,
        subscriptions=found.subscriptions,
        cloud=found.cloud,
        clocks=state.clocks(tx),
        host=host,
        channels=reports.beside(tx, channels.states(tx, judgement.receivers, now=wall_now or now), now=wall_now or now),
    )
    return advance_stored(tx, evaluate_fleet(judgement.fleet_rules, fleet), judgement, account="", now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """All from which review may newly find one cause behind many troubles. (What ends one may be looked at later.)"""

    gaps: frozenset[tuple[Any, ...]]
    discovered_at: datetime | None  #: what it could not read, and which accounts there are, is as of then


def causes(tx: Connection, found: Grounds) -> Causes:
    """What there is of it; `found` was read in this transaction."""
    return Causes(gaps=grounds.open_gaps(tx) if found.gaps else frozenset(), discovered_at=found.discovered_at)


@dataclass(slots=True)
class Reviewer:
    """Review by one process: before it tells anybody where an account's trouble may be that of many, so that one cause
    is told once; otherwise beside, for it keeps nobody waiting."""

    judgement: Judgement
    host: str
    _seen: Causes | None = None  #: reviewed, in a transaction that has ended or is under way

    def forget(self) -> None:
        """Review anew next time: what was reviewed may never have been committed."""
        self._seen = None

    def review_first(self, tx: Connection, found: Grounds, now: datetime, wall_now: datetime) -> tuple[Alert, ...]:
        """Review, where there may be a cause that was not looked for yet; returns the alerts that it changed.

        Whoever calls this holds the turn of dispatch, which is taken before that of the fleet and never after it.
        """
        there = causes(tx, found)
        if there == self._seen:
            return ()
        self._seen = there
        return review_now(tx, self.judgement, now, self.host, wall_now)


#: The measured skew moves a little with every answer; less than this is no news, unless the last word is old.
_SKEW_STEP, _SKEW_AGE = timedelta(seconds=5), timedelta(hours=1)


async def note_skew(measured: tuple[timedelta, datetime] | None, *, host: str, store: Store) -> None:
    """Remember how far this machine's clock is ahead of the service's, and when that was measured, for `review`.

    Written only where it is news; safe to repeat.
    """
    if measured is None:
        return
    skew, at = measured
    known = await store.read(state.clock, host)
    if known is None or not timedelta() <= at - known.at < _SKEW_AGE or abs(skew - known.skew) >= _SKEW_STEP:
        await store.write(state.put_clock, HostClock(host=host, skew=skew, at=at))


def note_itself(
    tx: Connection, findings: Sequence[Finding], judgement: Judgement, *, now: datetime
) -> tuple[Alert, ...]:
    """Record what `watcher` cannot do: the conditions about itself that hold, all of them; the others are over."""
    alerts.lock_fleet(tx)
    enabled = judgement.enabled | ABOUT_ITSELF
    changed = advance(alerts.firing(tx, ""), findings, rules=ABOUT_ITSELF, account="", now=now, enabled=enabled)
    alerts.save(tx, changed)
    return changed
