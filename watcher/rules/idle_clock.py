"""Azure's idle clock: when a fine-tuned deployment that nobody calls is deleted, as far as that can be known.

The rule is Azure's: a deployment older than 15 days is deleted when no inference call reached it during 15 days on end.
Much is left open: whether a failed call counts, whether an edit starts the clock anew, whether it stands still during
a pause; and calls are known by the hour only. Hence two times. `earliest` assumes that only answered calls count, from
the start of their hour; `latest` grants whatever may have put the deletion off, and says what that is.

Source: Azure's page on fine-tuning, "Deploy a fine-tuned model". Its present text names chat completions and Responses
calls, an older one completions and chat completions; metrics do not surely tell them apart, so any answered call
counts.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from watcher.resources.deployment import Deployment, Usage
from watcher.rules.lifetimes import IDLE_LIFETIME
from watcher.rules.text import moment

#: Times nearer to each other than this are written alike, so that no difference is explained.
_SAME = timedelta(minutes=1)


class IdleClock(msgspec.Struct, frozen=True, kw_only=True):
    """When a deployment's 15 days began, and when they end."""

    idle_since: datetime  #: the start of the clock; where `is_bounded`, idle for at least this long
    deletion_earliest: datetime
    deletion_latest: datetime | None  #: `None`: no end can be named; `doubts` says why
    called_at: datetime | None  #: start of the hour with the last answered call, where that is what dates the clock
    created_at: datetime | None
    read: tuple[datetime, datetime] | None  #: the span of the metrics that it was counted by; `None`: there were none
    unit: str = "hour"  #: of which they tell that there were calls
    doubts: tuple[str, ...] = ()  #: what puts the latest time off, or keeps it from being named; each a sentence's part
    #: The last call may lie before the part of the metrics that was read: then only these bounds are known.
    is_bounded: bool = False

    @property
    def basis(self) -> str:
        """What dates it, in words."""
        created = f"created {moment(self.created_at)}" if self.created_at else ""
        if self.read is None:
            return f"{created}; its calls are not known, so that no latest time can be named"
        begin, end = map(moment, self.read)
        if self.called_at is not None:
            called = f"last successful call in the {self.unit} from {moment(self.called_at)}"
            none = "none since in" if self.read[1] > self.called_at + timedelta(hours=1) else "which is the last of"
            since = created or "its creation is unknown and assumed to lie before that call"
            return f"{called}, {none} the metrics read to {end}; {since}"
        if self.is_bounded:
            none = f"no successful call in the metrics read, {begin} to {end}"
            return f"{created}, and {none}; one before that cannot be ruled out"
        return f"{created}, and no successful call after that hour in the metrics read, {begin} to {end}"

    def left(self, now: datetime) -> timedelta:
        """Time until the deletion may come; nothing while it may come at any moment; negative when it is overdue.

        It is overdue past the latest time only: before that, and where none can be named, nothing is late.
        """
        if self.deletion_latest is not None and now > self.deletion_latest:
            return self.deletion_latest - now
        return max(self.deletion_earliest - now, timedelta())


def usage_until(usage: Usage | None, ended_at: datetime) -> Usage | None:
    """The calls under a name before `ended_at`, when a life of it was seen to have ended: metrics know no lives.

    `None` where they are not known, or are covered by those of a later life.
    """
    if usage is None or (usage.last_success_at is not None and usage.last_success_at >= ended_at):
        return None
    failed, unclear = usage.last_failure_at, usage.last_unclear_at
    return replace(
        usage,
        last_failure_at=failed if failed and failed < ended_at else None,
        last_unclear_at=unclear if unclear and unclear < ended_at else None,
    )


def clock_start(deployment: Deployment, usage: Usage | None) -> tuple[datetime | None, datetime | None]:
    """From when the earliest deletion is counted, `None` where nothing dates it; and that time again if it is a call.

    Cheap: nearly every deployment is far from its deletion at every poll, and then nothing else need be known.
    """
    created, called = deployment.created_at, usage.last_success_at if usage else None
    if called is not None and (created is None or called > created):
        return called, called
    return created, None


def idle_clock(
    deployment: Deployment,
    usage: Usage | None,
    lifetime: timedelta = IDLE_LIFETIME,
    *,
    running_since: datetime | None = None,
) -> IdleClock | None:
    """The clock of one life of a deployment, or `None` where nothing dates it.

    Without `usage`, creation alone is a lower bound: the deletion cannot come earlier than `lifetime` after it.

    Args:
        usage: Of the deployment's name; calls before its creation are an earlier life's, and change nothing.
        running_since: Of one that runs and was seen paused in this life: when it was first seen running again.
    """
    created = deployment.created_at
    start, called = clock_start(deployment, usage)
    if start is None:
        return None
    if usage is None:
        return _bounded(deployment, None, lifetime, running_since)
    if called is not None:
        return _clock(deployment, called, usage, lifetime, running_since, called_at=called)
    assert created is not None
    # Calls in the very hour of its creation cannot be dated later than the creation itself.
    if usage.last_success_at is not None or created >= usage.read_from:
        return _clock(deployment, created, usage, lifetime, running_since, called_at=None)
    return _bounded(deployment, usage, lifetime, running_since)


def _clock(
    deployment: Deployment,
    start: datetime,
    usage: Usage,
    lifetime: timedelta,
    running_since: datetime | None,
    *,
    called_at: datetime | None,
) -> IdleClock:
    latest, doubts = _latest(deployment, start, usage, lifetime, running_since)
    return IdleClock(
        idle_since=start,
        deletion_earliest=start + lifetime,
        deletion_latest=latest,
        called_at=called_at,
        created_at=deployment.created_at,
        read=(usage.read_from, usage.read_to),
        unit=_unit(usage),
        doubts=doubts,
    )


def _bounded(
    deployment: Deployment, usage: Usage | None, lifetime: timedelta, running_since: datetime | None
) -> IdleClock:
    """Created before the metrics that were read begin: the last call may lie anywhere between the two."""
    created = deployment.created_at
    assert created is not None
    since: datetime = created
    latest: datetime | None = None
    doubts: tuple[str, ...] = ()
    if usage is not None:
        since = max(created, usage.read_from)
        latest, doubts = _latest(deployment, since, usage, lifetime, running_since)
    return IdleClock(
        idle_since=since,
        deletion_earliest=created + lifetime,
        deletion_latest=latest,
        called_at=None,
        created_at=created,
        read=None if usage is None else (usage.read_from, usage.read_to),
        doubts=doubts,
        is_bounded=True,
    )


def _latest(
    deployment: Deployment, start: datetime, usage: Usage, lifetime: timedelta, running_since: datetime | None
) -> tuple[datetime | None, tuple[str, ...]]:
    """The latest time, and what puts it off beyond the end of the hour of the last answered call."""
    if deployment.is_paused:
        return None, (
            "no latest time is named: it is paused, and Azure does not say whether the clock stands still meanwhile",
        )
    bucket = timedelta(seconds=usage.bucket_seconds)
    plain = max(start, usage.last_success_at + bucket) if usage.last_success_at else start
    granted = [(at, why) for at, why in _granted(deployment, usage, bucket, running_since) if at >= plain + _SAME]
    return max((plain, *(at for at, _ in granted))) + lifetime, tuple(why for _, why in granted)


def _granted(
    deployment: Deployment, usage: Usage, bucket: timedelta, running_since: datetime | None
) -> Iterator[tuple[datetime, str]]:
    """From when the clock may run instead, and why."""
    if (failed := usage.last_failure_at) is not None:
        yield (
            failed + bucket,
            f"the latest time counts a refused or failed call in the {_unit(usage)} from {moment(failed)}: whether "
            "such a call counts is not documented",
        )
    if (unclear := usage.last_unclear_at) is not None:
        yield (
            unclear + bucket,
            f"the latest time counts calls in the {_unit(usage)} from {moment(unclear)} that may be its own: they bear "
            "no deployment's name, or no status",
        )
    if (edited := deployment.modified_at) is not None:
        yield (
            edited,
            f"the latest time counts the edit of {moment(edited)}: whether an edit starts the clock anew is not "
            "documented",
        )
    if running_since is not None:
        yield (
            running_since,
            f"the latest time counts from {moment(running_since)}, when it was seen running again after a pause: "
            "whether the clock stands still during a pause is not documented",
        )


def _unit(usage: Usage) -> str:
    return "minute" if usage.bucket_seconds <= 60 else "hour"
