"""How a life of a deployment ended, in words, when Azure would have ended it for idleness, and what makes it again."""

from dataclasses import dataclass, replace
from datetime import datetime

from watcher.costs import obstacles
from watcher.costs.recipe import Recipe, recipe
from watcher.report.recorded import RecordedAccount, RecordedLife
from watcher.resources.account import GONE
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.rules.causes import PLATFORM, cause_of
from watcher.rules.idle_clock import idle_clock
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.rule import View
from watcher.rules.text import moment

_WORDS = {
    "replaced": "replaced by a new one of its name",
    "left": "its account left what is watched",
    "moved": "its account was moved, and it with it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Why one is gone."""

    words: str  #: without the time of its end where that is exactly known, which `RecordedLife.end` tells
    by: str | None  #: who deleted it, "" where nobody is named; `None`: Azure itself, by one of its clocks
    deadline: tuple[datetime, datetime | None] | None  #: when idleness would have ended it, at the earliest and latest


def ended(view: View, recorded: RecordedAccount, life: RecordedLife, lifetimes: Lifetimes) -> Ended:
    """What the rule about deployments that are gone says of it."""
    if life.outcome in _WORDS or life.end is None:
        return Ended(words=_WORDS.get(life.outcome, ""), by=None, deadline=None)
    one, seen_at = life.deployment, life.end[1]
    departures = {} if life.departure is None else {one.key: life.departure}
    usage = None if life.usage is None else {one.name.lower(): life.usage}
    went_at = recorded.removed_at if recorded.is_gone else None
    account = view.account
    if went_at is not None and seen_at >= went_at:  # it went with its account, of which nothing else is recorded
        account = replace(account, provisioning_state=GONE)
    then = replace(view, departures=departures, reading=replace(view.reading, account=account, usage=usage))
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
        words=_without_time(cause.summary, life.end) if cause else "",
        by=None if is_azure else caller,
        deadline=None if clock is None else (clock.deletion_earliest, clock.deletion_latest),
    )


def _without_time(words: str, end: tuple[datetime, datetime]) -> str:
    """The log's time is said with the end itself, in the report's own zone."""
    return words.replace(f" at {moment(end[1])}", "") if end[0] == end[1] else words


def again(recorded: RecordedAccount, life: RecordedLife, *, is_taken: bool) -> Recipe | None:
    """What makes it again, with what is in the way; `None`: it goes on under another id.

    Args:
        is_taken: It has ended, and another of its name stands.
    """
    one, label = life.deployment, recorded.account.label
    if life.outcome == "moved":
        return None
    obstacle = obstacles.in_the_way(
        one,
        label,
        is_custom=True,
        stands=life.end is None,
        is_account_gone=recorded.is_gone,
        is_watched=life.outcome != "left",
        is_taken=is_taken,
        is_replaced=life.outcome == "replaced",
        went_with_account=life.departure is not None and life.departure.account_deleted,
    )
    return recipe(one, obstacle=obstacle)
