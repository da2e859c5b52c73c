"""Azure's idle clock: when a fine-tuned deployment that nobody calls is deleted, as far as that can be known.

The rule is Azure's: a deployment older than 15 days is deleted when no inference call reached it during 15 days on end.
It does not say whether a failed call counts, and calls are known by the hour only; hence two times. `earliest` assumes
that only answered calls count, from the start of their hour; `latest` counts every call, from the end of its hour.

Source: Azure's page on fine-tuning, "Deploy a fine-tuned model".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.resources.deployment import Deployment, Usage
from watcher.rules.text import moment

IDLE_LIFETIME = timedelta(days=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleClock:
    """When a deployment's 15 days began, and when they end."""

    idle_since: datetime  #: the start of the clock; where `is_bounded`, idle for at least this long
    deletion_earliest: datetime
    deletion_latest: datetime | None  #: `None`: calls were seen that may be its own, so no end can be named
    called_at: datetime | None  #: start of the hour with the last answered call, where that is what dates the clock
    basis: str  #: what dates it, in words
    #: The last call may lie before the part of the metrics that was read: then only these bounds are known.
    is_bounded: bool = False

    def left(self, now: datetime) -> timedelta:
        """Time until the deletion may come; negative when it is overdue."""
        left = self.deletion_earliest - now
        is_over = self.deletion_latest is not None and now > self.deletion_latest
        # Where only bounds are known, it may come at any moment between them, and is overdue past the later one only.
        return max(left, timedelta()) if self.is_bounded and not is_over else left


def idle_clock(deployment: Deployment, usage: Usage | None, lifetime: timedelta = IDLE_LIFETIME) -> IdleClock | None:
    """The clock of one life of a deployment, or `None` where nothing dates it.

    Without `usage`, creation alone is a lower bound: the deletion cannot come earlier than `lifetime` after it.
    """
    created, called = deployment.created_at, usage.last_success_at if usage else None
    if usage is None:
        return _bounded(created, None, lifetime) if created else None
    if called is not None and (created is None or called > created):
        return _clock(called, usage, created, lifetime, called_at=called, basis=_call_basis(usage, called, created))
    if created is None:
        return None
    # Calls in the very hour of its creation cannot be dated later than the creation itself.
    if called is not None or created >= usage.read_from:
        basis = f"created {moment(created)}, and no successful call after that hour in the metrics read, {_span(usage)}"
        return _clock(created, usage, created, lifetime, called_at=None, basis=basis)
    return _bounded(created, usage, lifetime)


def _clock(
    start: datetime,
    usage: Usage,
    created: datetime | None,
    lifetime: timedelta,
    *,
    called_at: datetime | None,
    basis: str,
) -> IdleClock:
    return IdleClock(
        idle_since=start,
        deletion_earliest=start + lifetime,
        deletion_latest=_latest(start, usage, created, lifetime),
        called_at=called_at,
        basis=basis,
    )


def _latest(start: datetime, usage: Usage, created: datetime | None, lifetime: timedelta) -> datetime | None:
    """The end of the last hour with any call, answered or not, and the lifetime; unknown calls leave no end."""
    if usage.is_ambiguous:
        return None
    bucket = timedelta(seconds=usage.bucket_seconds)
    ends = [at + bucket for at in (usage.last_success_at, usage.last_failure_at) if at is not None]
    return max((start, *([created] if created else []), *ends)) + lifetime


def _bounded(created: datetime, usage: Usage | None, lifetime: timedelta) -> IdleClock:
    """Created before the metrics that were read begin: the last call may lie anywhere between the two."""
    since = max(created, usage.read_from) if usage else created
    where = f"the metrics read, {_span(usage)}" if usage else "no metrics at all"
    return IdleClock(
        idle_since=since,
        deletion_earliest=created + lifetime,
        deletion_latest=_latest(since, usage, created, lifetime) if usage else None,
        called_at=None,
        basis=f"created {moment(created)}, and no successful call in {where}; one before that cannot be ruled out",
        is_bounded=True,
    )


def _call_basis(usage: Usage, called: datetime, created: datetime | None) -> str:
    bucket = "minute" if usage.bucket_seconds <= 60 else "hour"
    basis = f"last successful call in the {bucket} from {moment(called)}, none since in the metrics read to "
    basis += moment(usage.read_to)
    if created is None:
        return f"{basis}; its creation is unknown and assumed to lie before that call"
    return f"{basis}; created {moment(created)}"


def _span(usage: Usage) -> str:
    return f"{moment(usage.read_from)} to {moment(usage.read_to)}"
