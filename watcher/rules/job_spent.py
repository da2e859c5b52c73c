"""What a job has cost by all that is recorded of it: how its status changed, and what its own log says.

Reports, budgets and pages ask here, so that all of them say the same figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watcher.costs.money import Unknown
from watcher.costs.prices import PriceBook
from watcher.costs.training import Spent, billed_tokens, has_begun, is_reinforcement, resumed_at_cap, spent, trained_for
from watcher.resources.account import Account
from watcher.resources.changes import Transition
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.rules.rai import Refusal, has_trained, refused
from watcher.rules.text import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpent:
    """One job's cost, and whether its model, or its data, was refused."""

    spending: Spent
    refusal: Refusal | None


def spent_on(
    job: FineTuningJob,
    book: PriceBook,
    *,
    location: str,
    phases: Sequence[Transition],
    events: Sequence[JobEvent],
    until: datetime | None,
) -> JobSpent:
    """What a job's training has cost so far.

    Args:
        location: The account's region.
        phases: The changes of its status, oldest first.
        events: The lines of its log that may tell of its beginning, its pauses, its end or a refusal, and what was
            billed, oldest first.
        until: When it ended, else when it was seen last; `None`: it never was.
    """
    hours, is_uncapped = None, False
    if is_reinforcement(job) and until is not None:
        hours = trained_for(phases, created_at=job.created_at, until=until, events=events)
        is_uncapped = resumed_at_cap(phases, created_at=job.created_at)
    refusal = refused(job, events)
    spending = spent(
        job,
        book,
        location=location,
        billed=billed_tokens(events),
        trained=hours,
        has_begun=has_begun(phases, events, shows_training=has_trained(job, events)),
        is_refused=refusal is not None,
        is_uncapped=is_uncapped,
    )
    return JobSpent(spending=spending, refusal=refusal)


def lost(*, is_watched: bool, is_listed: bool, since: datetime | None = None) -> Spent | None:
    """What a job under way costs of which nobody sees any more how it goes on; `None`: it is seen.

    Args:
        is_watched: Its account is.
        since: When it was seen last, or its account.
    """
    if is_watched and is_listed:
        return None
    how = "it is listed no longer" if is_watched else "its account left what is watched"
    because = f"what became of a job is not known, as {how}"
    return Spent(cost=Unknown(because=because), basis=f"{because}, since {moment(since)}" if since else because)


def ended_at(job: FineTuningJob, phases: Sequence[Transition]) -> datetime | None:
    """When a job ended that has: by the service, else when that was seen; `None`: neither is recorded."""
    if job.finished_at is not None or not phases:
        return job.finished_at
    return phases[-1].occurred_at or phases[-1].observed_at


def is_charged_here(account: Account, at: datetime, phases: Sequence[Transition]) -> bool:
    """Whether a job that ended at that time did so under the account's present id, and is billed there."""
    if account.created_at is None or at >= account.created_at:
        return True
    # What ended before its account was created came with it from another id; or an account of this id was there before.
    return any(change.observed_at < account.created_at for change in phases)


def month_of(at: datetime) -> str:
    """`2026-11`: the calendar month, in UTC, to which a job counts that ended then."""
    return f"{at.astimezone(UTC):%Y-%m}"
