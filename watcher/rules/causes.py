"""Why a deployment is gone: the activity log's word first, then the clocks by which Azure deletes.

The log is a help only. Its entries come minutes late, so where it is silent and no clock explains the end, it is asked
again before that is called unexplained; and whether Azure logs its own deletions is not documented.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.resources.changes import Change, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, SkuKind, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules.finding import Answer, Cleared, Severity, Undecided
from watcher.rules.idle_clock import IdleClock, idle_clock, usage_until
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.rule import View
from watcher.rules.sight import ended_lives, usage_of
from watcher.rules.text import duration, hours, moment

#: Callers in the activity log that are Azure itself, in lower case. An application that has only an id may be, too.
PLATFORM = frozenset({"microsoft.cognitiveservices"})

#: How the log names an application that is no user.
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

#: Entries come as late as this, so what the log says before is not its last word. Where deployments are read more often
#: than that by far, as in a rehearsal, two readings are.
_LOG_DELAY = timedelta(minutes=20)

#: Later at all: the look at which a deployment is found to be gone is none of these.
_INSTANT = timedelta(microseconds=1)

#: How long the log's last word is waited for, where the deployments cannot be read again.
_LOG_WAIT = timedelta(hours=1)

#: Calls that were read up to this long before it was due tell whether it likely went idle to the end.
_CALLS_KNOWN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a deployment is gone, as far as that can be known."""

    word: str  #: account_gone | deleted | developer_expiry | idle | not_readable | unexplained
    severity: Severity
    summary: str
    description: str
    clock: IdleClock | None = None
    deleted_at: datetime | None = None  #: by the activity log


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clocks:
    """What the clocks by which Azure deletes say of an end."""

    cause: Cause | None  #: the one that explains it
    clock: IdleClock | None
    remark: str  #: why none explains it
    is_possible: bool = False  #: whether one may explain it all the same: what it rests on was not read


def ended(view: View, rule: str, lifetimes: Lifetimes) -> Iterator[Answer]:
    """What a rule about living deployments says of those whose end was seen: nothing holds any more, and why.

    While the cause is still being looked up, it waits too, so that one message tells both.
    """
    for transition, subject, outcome in ended_lives(view):
        deployment = view.ended_deployments.get(transition.resource.lower())
        if (
            deployment is not None
            and transition.change is Change.GONE
            and is_fine_tuned(deployment.model, view.custom_models)
            and cause_of(view, deployment, transition, lifetimes) is None
        ):
            yield Undecided(rule=rule, subject=subject, because=f"{outcome}; why is being looked up")
        else:
            again = "; its name lives again" if lives_again(view, transition) else ""
            yield Cleared(rule=rule, subject=subject, because=f"{outcome}{again}")


def lives_again(view: View, transition: Transition) -> bool:
    """Whether the name of one that is gone lives again, while the cause was looked up: it was replaced after all."""
    key = transition.resource.lower()
    return transition.observed_at < view.now and any(deployment.key == key for deployment in view.deployments)


def cause_of(view: View, deployment: Deployment, transition: Transition, lifetimes: Lifetimes) -> Cause | None:
    """Why a deployment is gone; `None`: to be asked again, once the activity log has been read once more."""
    departure = _departure(view, deployment)
    if view.account.is_gone or departure.account_deleted:
        return _account_gone(view, departure, transition)
    clocks = _clocks(view, deployment, transition, lifetimes)
    if departure.deleted_by.lower() in PLATFORM:
        return _deleted_by_azure(departure, clocks)
    if departure.deleted_by or departure.deleted_at is not None:
        return _deleted(departure, clocks)
    if clocks.cause is not None:
        return clocks.cause
    if not departure.is_read:
        return _not_readable(f"The activity log could not be read ({departure.because})", clocks)
    if clocks.is_possible:
        return _not_readable("The activity log names no deletion of it", clocks)
    return None if _awaits_log(view, transition) else _unexplained(clocks)


def _departure(view: View, deployment: Deployment) -> Departure:
    """What the log says of this life: an entry from before it is an earlier life's."""
    departure = view.departures.get(deployment.key) or Departure(is_read=False, because="it was not asked")
    created, deleted = deployment.created_at, departure.deleted_at
    if created is not None and deleted is not None and deleted < created:
        return Departure(is_read=departure.is_read, because=departure.because, read_from=departure.read_from)
    return departure


def _awaits_log(view: View, transition: Transition) -> bool:
    """Whether the log is to be asked again: its entries come minutes late."""
    if view.is_single_pass:
        return False
    twice = 2 * view.cadence.get(Section.DEPLOYMENTS, timedelta())
    read_at = view.reading.deployments_at
    if read_at is not None and read_at - transition.observed_at >= max(min(_LOG_DELAY, twice), _INSTANT):
        return False
    return view.now - transition.observed_at < max(_LOG_WAIT, twice)


def _account_gone(view: View, departure: Departure, transition: Transition) -> Cause | None:
    account = view.account.label
    at = f" at {moment(departure.deleted_at)}" if departure.deleted_at else ""
    if departure.deleted_by and departure.account_deleted:
        who = _who(departure.deleted_by)
        return Cause(
            word="account_gone",
            severity=Severity.INFO,
            summary=f"its account was deleted by {who}{at}",
            description=f"The account {account} was deleted with all that was in it. The activity log names {who}{at}.",
            deleted_at=departure.deleted_at,
        )
    if departure.is_read and not departure.account_deleted and _awaits_log(view, transition):
        return None
    if departure.account_deleted:
        who = f"The activity log has its deletion{at}, and names nobody."
    elif departure.is_read:
        who = "The activity log names no deletion of it, so it may have been moved to another id."
        if departure.deleted_at is not None:  # whoever did that need not have deleted the account
            who += f" It has the deployment's own deletion by {_who(departure.deleted_by)}{at}."
    else:
        who = f"Who did it is not known: the activity log could not be read ({departure.because})."
    return Cause(
        word="account_gone",
        severity=Severity.WARNING,
        summary="its account is gone",
        description=f"The account {account} was deleted or moved, with all that was in it: its own address answers "
        f"404. {who}",
        deleted_at=departure.deleted_at,
    )


def _deleted(departure: Departure, clocks: _Clocks) -> Cause:
    """By whom the log names; an application may be Azure's own, and nobody named may be, so the clocks still count."""
    caller = departure.deleted_by
    is_person = bool(caller) and not _GUID.fullmatch(caller)
    at = f" at {moment(departure.deleted_at)}" if departure.deleted_at else ""
    log = f"The activity log has its deletion by {_who(caller)}{at}"
    if clocks.cause is not None and not is_person:
        return _confirmed(clocks.cause, log, departure)
    is_open = not is_person and clocks.is_possible
    return Cause(
        word="deleted",
        severity=Severity.INFO if caller and not is_open else Severity.WARNING,
        summary=f"deleted by {_who(caller)}{at}",
        description=f"{log}; {clocks.remark}." if is_open else f"{log}.",
        deleted_at=departure.deleted_at,
    )


def _who(caller: str) -> str:
    if not caller:
        return "a caller whom the log does not name"
    return f"the application {caller}" if _GUID.fullmatch(caller) else caller


def _confirmed(cause: Cause, log: str, departure: Departure) -> Cause:
    """What the clocks explain, beside what the log says of it."""
    return replace(cause, description=f"{cause.description} {log}.", deleted_at=departure.deleted_at)


def _deleted_by_azure(departure: Departure, clocks: _Clocks) -> Cause:
    at = f" at {moment(departure.deleted_at)}" if departure.deleted_at else ""
    log = f"The activity log says that Azure itself deleted it{at}"
    if clocks.cause is not None:
        return _confirmed(clocks.cause, log, departure)
    if clocks.is_possible:
        return Cause(
            word="idle",
            severity=Severity.WARNING,
            summary=f"deleted by Azure itself{at}, likely for idleness",
            description=f"{log}, and not why: {clocks.remark}.",
            clock=clocks.clock,
            deleted_at=departure.deleted_at,
        )
    return Cause(
        word="unexplained",
        severity=Severity.CRITICAL,
        summary=f"deleted by Azure itself{at}, and no rule that is known explains why",
        description=f"{log}, and not why: {clocks.remark}. Azure's support can say more, with the correlation id.",
        clock=clocks.clock,
        deleted_at=departure.deleted_at,
    )


def _not_readable(log: str, clocks: _Clocks) -> Cause:
    return Cause(
        word="not_readable",
        severity=Severity.WARNING,
        summary="the cause could not be read, and somebody may have deleted it",
        description=f"The cause is not known. {log}, and {clocks.remark}.",
        clock=clocks.clock,
    )


def _unexplained(clocks: _Clocks) -> Cause:
    return Cause(
        word="unexplained",
        severity=Severity.CRITICAL,
        summary="unexplained, since no clock of Azure's had run out and the activity log names nobody",
        description=f"Nothing explains it: {clocks.remark}, and the activity log was read and names no deletion of it. "
        "Entries may come late; whether Azure logs its own deletions is not documented.",
        clock=clocks.clock,
    )


def _clocks(view: View, deployment: Deployment, transition: Transition, lifetimes: Lifetimes) -> _Clocks:
    """What age and idleness say of an end, with the calls of this very life."""
    seen_at = transition.observed_at
    expiry, idle = lifetimes.expiry_of(deployment), lifetimes.idle_of(deployment)
    kind = "Developer" if deployment.sku_kind is SkuKind.DEVELOPER else deployment.sku
    if expiry is not None:
        if deployment.created_at is not None and deployment.created_at + expiry <= seen_at:
            return _Clocks(cause=_expired(deployment, kind, expiry), clock=None, remark="")
        if idle is None and deployment.created_at is None:
            remark = f"it is a {kind} deployment of unknown age, whose {hours(expiry)} may have been over"
            return _Clocks(cause=None, clock=None, remark=remark, is_possible=True)
        if idle is None:
            return _Clocks(
                cause=None, clock=None, remark=f"the {hours(expiry)} of a {kind} deployment were not over yet"
            )
    if idle is None:
        remark = f"as configured, deployments of SKU {deployment.sku or 'unknown'} are not deleted for idleness"
        return _Clocks(cause=None, clock=None, remark=remark)
    usage = usage_until(usage_of(view, deployment), seen_at)
    clock = idle_clock(deployment, usage, idle)
    if clock is None:
        remark = "neither its creation nor its calls were known, so an idle deletion is possible"
        return _Clocks(cause=None, clock=None, remark=remark, is_possible=True)
    if clock.deletion_earliest > seen_at:
        remark = f"it was not due for idleness before {moment(clock.deletion_earliest)}"
        return _Clocks(cause=None, clock=clock, remark=remark)
    if usage is None or usage.read_to < clock.deletion_earliest - _CALLS_KNOWN:
        known = f" after {moment(usage.read_to)}" if usage else ""
        remark = f"its calls{known} were not known, so an idle deletion is possible"
        return _Clocks(cause=None, clock=clock, remark=remark, is_possible=True)
    return _Clocks(cause=_idle(clock, idle), clock=clock, remark="")


def _expired(deployment: Deployment, kind: str, lifetime: timedelta) -> Cause:
    created = f", and this one was created {moment(deployment.created_at)}" if deployment.created_at else ""
    basis = "" if deployment.sku_kind is SkuKind.DEVELOPER else ", as configured"
    return Cause(
        word="developer_expiry",
        severity=Severity.INFO,
        summary=f"its {hours(lifetime)} as a {kind} deployment were over",
        description=f"A {kind} deployment is subject to removal {hours(lifetime)} after its creation{basis}{created}. "
        "That this was the cause is inferred, not read.",
    )


def _idle(clock: IdleClock, lifetime: timedelta) -> Cause:
    return Cause(
        word="idle",
        severity=Severity.WARNING,
        summary=f"likely deleted by Azure after {duration(lifetime)} without a call",
        description=f"{_due(clock)} That this was the cause is inferred, not read.",
        clock=clock,
    )


def _due(clock: IdleClock) -> str:
    if clock.is_bounded:  # its earliest time is that of a deployment never called, and would mislead
        latest = f", at the latest {moment(clock.deletion_latest)}" if clock.deletion_latest else ""
        return f"No call is known at least since {moment(clock.idle_since)}, so Azure was to delete it{latest}."
    return (
        f"No successful call is known since {moment(clock.idle_since)}, so Azure was to delete it from "
        f"{moment(clock.deletion_earliest)} on."
    )
