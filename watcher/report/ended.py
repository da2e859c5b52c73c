"""How a life of a deployment ended, in words, and when Azure would have ended it for idleness."""

from dataclasses import dataclass, replace
from datetime import datetime

from watcher.report.recorded import RecordedLife
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.rules.causes import PLATFORM, cause_of
from watcher.rules.idle_clock import idle_clock
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.rule import View

_WORDS = {
    "replaced": "replaced by a new one of its name",
    "left": "its account left what is watched",
    "moved": "its account was moved, and it with it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Why one is gone."""

    words: str
    by: str | None  #: who deleted it, "" where nobody is named; `None`: Azure itself, by one of its clocks
    deadline: tuple[datetime, datetime | None] | None  #: when idleness would have ended it, at the earliest and latest


def ended(view: View, life: RecordedLife, lifetimes: Lifetimes) -> Ended:
    """What the rule about deployments that are gone says of it."""
    if life.outcome in _WORDS or life.end is None:
        return Ended(words=_WORDS.get(life.outcome, ""), by=None, deadline=None)
    one, seen_at = life.deployment, life.end[1]
    departures = {} if life.departure is None else {one.key: life.departure}
    usage = None if life.usage is None else {one.name.lower(): life.usage}
    then = replace(view, departures=departures, reading=replace(view.reading, usage=usage))
    gone = Transition(
        account=one.account,
        kind=ResourceKind.DEPLOYMENT,
        resource=one.id,
        name=one.name,
        incarnation=one.incarnation,
        change=Change.GONE,
        observed_at=seen_at,
    )
    cause = cause_of(then, one, gone, lifetimes)
    caller = life.departure.deleted_by if life.departure else ""
    is_azure = caller.lower() in PLATFORM or (cause is not None and cause.word in ("idle", "developer_expiry"))
    lifetime = lifetimes.idle_of(one)
    clock = None if lifetime is None else idle_clock(one, life.usage, lifetime)
    return Ended(
        words=cause.summary if cause else "",
        by=None if is_azure else caller,
        deadline=None if clock is None else (clock.deletion_earliest, clock.deletion_latest),
    )
