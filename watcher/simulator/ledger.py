"""What really happened in a pretend Azure, and when: the truth against which a watcher's claims can be held. Pure.

The ledger follows from the scenario alone, by the same functions that the answers are made of, and knows what no answer
tells: outcomes, causes of deletions, calls that metrics hide, what it all cost, and when the watcher was blind through
no fault of its own. Accounts that a client must skip, and what is in them, are left out.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import zip_longest

from watcher.simulator import fees, jobs
from watcher.simulator.activity import deleter
from watcher.simulator.deployments import DEVELOPER, Life, is_fine_tuned, model_of
from watcher.simulator.faults import Fault
from watcher.simulator.scenario import SPEAKING_KINDS, Account, Deployment, Job, Outcome
from watcher.simulator.texts import harms_named
from watcher.simulator.truth import (
    FOREVER,
    AccountTruth,
    Blind,
    Cause,
    JobTruth,
    Kind,
    Ledger,
    LifeTruth,
    as_json,
)
from watcher.simulator.world import World

__all__ = ["AccountTruth", "Blind", "Cause", "JobTruth", "Kind", "Ledger", "LifeTruth", "as_json", "ledger"]

_CONTENTS = ("deployments", "jobs", "files", "metrics")  # operations that list what is in an account


def ledger(world: World) -> Ledger:
    """The truth of `world`'s scenario; faults count as the scenario has them, not as they were changed later."""
    accounts = sorted(
        (account for account in world.scenario.accounts if account.kind in SPEAKING_KINDS),
        key=lambda account: (world.account_id(account).lower(), account.created),
    )
    return Ledger(
        start=world.start,
        end=world.start + world.scenario.length,
        jobs=tuple(truth for account in accounts for truth in _jobs(world, account)),
        lives=tuple(truth for account in accounts for truth in _lives(world, account)),
        accounts=tuple(_account(world, account) for account in accounts),
        blinds=tuple(_blind(world, fault, accounts) for fault in world.scenario.faults),
    )


def _account(world: World, account: Account) -> AccountTruth:
    return AccountTruth(
        account=world.account_id(account).lower(),
        label=account.name,
        subscription=world.subscription_of(account),
        created=world.start + account.created,
        deleted=None if account.deleted is None else world.start + account.deleted,
        deleted_by=account.deleted_by,
    )


def _jobs(world: World, account: Account) -> Iterator[JobTruth]:
    for job in sorted(account.jobs, key=lambda job: (job.created, job.name)):
        phases = [pair for pair in jobs.timeline(job) if account.deleted is None or pair[0] < account.deleted]
        if not phases:
            continue  # the account was gone before it
        started = next((begins for begins, phase in phases if phase == "running"), None)
        ended = next((begins for begins, phase in phases if phase in jobs.TERMINAL), None)
        status = phases[-1][1] if ended is not None else ""
        outcome = _outcome(job, status)
        yield JobTruth(
            account=world.account_id(account).lower(),
            label=account.name,
            job=jobs.job_id(account, job),
            created=world.start + job.created,
            appears=world.start + max(job.created, account.created),
            vanished=None if account.deleted is None else world.start + account.deleted,
            started=None if started is None else world.start + started,
            ended=None if ended is None else world.start + ended,
            outcome=outcome,
            status=status,
            harm_types=harms_named(outcome, job.harm_types),
            phases=tuple((world.start + begins, phase) for begins, phase in phases),
            base=job.model,
            location=account.location,
            training_type=job.training_type or "",
            is_reinforcement=job.method == "reinforcement",
            tokens_billed=fees.tokens_billed(job, phases),
            trained=fees.trained(phases),
            rate=fees.training_rate(world, account, job),
        )


def _outcome(job: Job, status: str) -> Outcome:
    if status == "succeeded":
        return "succeeded"
    if status == "cancelled":
        return "cancelled"
    if status == "failed":
        return job.outcome if job.outcome in ("rai_data", "rai_model") else "failed"
    return "none"


def _lives(world: World, account: Account) -> Iterator[LifeTruth]:
    for life in world.lives(account):
        appears = max(life.deployment.created, account.created)
        if life.end is None or life.end.at > appears:
            yield _life(world, account, life, appears)


def _life(world: World, account: Account, life: Life, appears: timedelta) -> LifeTruth:
    deployment, start = life.deployment, world.start
    account_id = world.account_id(account).lower()
    end = life.end
    caller = deleter(account, life)
    tuned = is_fine_tuned(deployment)
    return LifeTruth(
        account=account_id,
        label=account.name,
        deployment=f"{account_id}/deployments/{deployment.name.lower()}",
        name=deployment.name,
        model=model_of(account, deployment),
        sku=deployment.sku,
        created=start + deployment.created,
        appears=start + appears,
        ended=None if end is None else start + end.at,
        cause="" if end is None else end.cause,
        deleted_by=caller,
        is_logged=caller is not None,
        logged_at=None if end is None or caller is None else start + end.at + world.scenario.activity_delay,
        is_fine_tuned=tuned,
        shows_created=deployment.system_data,
        idle_after=deployment.idle_after,
        lifetime=deployment.lifetime if deployment.sku.lower() in DEVELOPER and deployment.expires else None,
        paused=_pauses(deployment, start),
        start=start,
        traffic=deployment.calls,
        dies_idle=tuned and deployment.idle_deletion,
        failed_calls_count=world.scenario.failed_calls_keep_alive,
        base=fees.base_behind(account, life),
        location=account.location,
        capacity=deployment.capacity,
        rate=fees.hosting_rate(world, account, life),
    )


def _pauses(deployment: Deployment, start: datetime) -> tuple[tuple[datetime, datetime | None], ...]:
    created = start + deployment.created
    words = deployment.deployment_state
    ends = [created + since for _, since in words[1:]]
    return tuple((created + since, end) for (word, since), end in zip_longest(words, ends) if word == "Paused")


def _blind(world: World, fault: Fault, accounts: list[Account]) -> Blind:
    hit = [account for account in accounts if _hits(fault, account)]
    return Blind(
        plane=fault.plane,
        accounts=frozenset(world.account_id(account).lower() for account in hit),
        begins=world.start if fault.from_ is None else world.start + fault.from_,
        ends=world.start + (FOREVER if fault.until is None else fault.until),
        kind=_kind(fault),
        api=fault.api,
        fault=fault,
    )


def _hits(fault: Fault, account: Account) -> bool:
    if fault.hide and not any(fnmatchcase(contents, fault.api) for contents in _CONTENTS):
        return fault.hides(account.name)  # lists of accounts are all that it touches
    return fnmatchcase(account.name.lower(), fault.account.lower())


def _kind(fault: Fault) -> Kind:
    if fault.hang:
        return "hang"
    if fault.status is not None:
        known: dict[int, Kind] = {401: "credential", 403: "forbidden", 429: "throttled", 529: "throttled"}
        return known.get(fault.status, "broken")
    if fault.reset or fault.truncate or fault.body not in (None, "error"):
        return "broken"
    if fault.paging == "endless":
        return "broken"
    if fault.hide or fault.paging == "short":
        return "shrunk"
    if fault.metric_error is not None:
        return "partial"
    if fault.metrics_delay is not None:
        return "delayed"
    if fault.gap is not None:
        return "gap"
    return "skewed" if fault.date_skew is not None else "slow"
