"""A deployment at a moment: whether it stands, since when, and what ended it. Pure.

Source of the rules: how-to article on fine-tuning (15 days without calls, for deployments of customized models) and
how-to article on testing (a Developer deployment has a fixed lifetime of 24 hours).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from watcher.simulator import jobs
from watcher.simulator.ids import hex32
from watcher.simulator.scenario import ZERO, Account, Deployment
from watcher.simulator.traffic import calls_counted, last_call, next_call

Cause = Literal["idle", "expired", "user", "replaced", "account"]

_FINE_TUNED = re.compile(r"\.ft-|^ft:|^ftchkpt-")
# Rare calls without end could keep a deployment alive step by step; past this nobody looks.
_FOREVER = timedelta(days=3650)
DEVELOPER = frozenset({"developer", "developertier"})


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When a life ends, and why."""

    at: timedelta
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of a deployment with the end that it will have; None: it stands for ever."""

    deployment: Deployment
    end: End | None

    def stands(self, moment: timedelta) -> bool:
        return self.deployment.created <= moment and (self.end is None or moment < self.end.at)


def lives(account: Account, *, failed_calls_count: bool = False) -> list[Life]:
    """Every life of every deployment, in order of creation.

    `failed_calls_count`: whether calls without a 2xx status keep a deployment alive; the documents do not say.
    """
    ordered = sorted(account.deployments, key=lambda deployment: deployment.created)
    found = []
    for index, deployment in enumerate(ordered):
        if account.deleted is not None and deployment.created >= account.deleted:
            break
        end = end_of(deployment, failed_calls_count=failed_calls_count)
        later = [d for d in ordered[index + 1 :] if d.name.lower() == deployment.name.lower()]
        if later and (end is None or end.at > later[0].created):
            end = End(at=later[0].created, cause="replaced")
        if account.deleted is not None and (end is None or end.at > account.deleted):
            end = End(at=account.deleted, cause="account")
        found.append(Life(deployment=deployment, end=end))
    return found


def end_of(deployment: Deployment, *, failed_calls_count: bool = False) -> End | None:
    """The earliest of what can end this life: a user, the 24 hours of the Developer tier, 15 days without calls."""
    ends = []
    if deployment.deleted is not None:
        ends.append(End(at=deployment.deleted, cause="user"))
    if deployment.sku.lower() in DEVELOPER and deployment.expires:
        ends.append(End(at=deployment.created + deployment.lifetime, cause="expired"))
    if is_fine_tuned(deployment) and deployment.idle_deletion:
        idle = _idle_deadline(deployment, failed_calls_count)
        if idle is not None:
            ends.append(End(at=idle, cause="idle"))
    return min(ends, key=lambda end: end.at, default=None)


def is_fine_tuned(deployment: Deployment) -> bool:
    return deployment.job is not None or bool(_FINE_TUNED.search(deployment.model or ""))


def model_of(account: Account, deployment: Deployment) -> str:
    """The name under `properties.model.name`."""
    if deployment.job is None:
        return deployment.model or ""
    job = next(job for job in account.jobs if job.name == deployment.job)
    if deployment.checkpoint is not None and deployment.checkpoint_form == "id":
        return jobs.checkpoint_id(account, job, deployment.checkpoint)
    if deployment.checkpoint is not None:
        return jobs.checkpoint_name(account, job, deployment.checkpoint)
    return jobs.model_name(account, job)


def deployment_payload(
    account: Account, account_id: str, life: Life, moment: timedelta, start: datetime
) -> dict[str, object]:
    """The deployment as ARM serves it. Source: SPEC Deployment.tsp, models.tsp and examples."""
    deployment = life.deployment
    age = moment - deployment.created
    properties: dict[str, object] = {
        "provisioningState": word_at(deployment.provisioning, age) or "Succeeded",
        "model": {
            "format": deployment.format,
            "name": model_of(account, deployment),
            "version": deployment.version,
            **({"source": deployment.source} if deployment.source else {}),
            **({"sourceAccount": deployment.source_account} if deployment.source_account else {}),
        },
        "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
        "capabilities": {"chatCompletion": "true"},
        "raiPolicyName": "Microsoft.DefaultV2",
        "rateLimits": [
            {"key": "request", "renewalPeriod": 10, "count": deployment.capacity},
            {"key": "token", "renewalPeriod": 60, "count": deployment.capacity * 1000},
        ],
    }
    properties.update(deployment.properties)
    state = word_at(deployment.deployment_state, age)
    if state is not None:
        properties["deploymentState"] = state
    created = stamp(start, deployment.created)
    payload: dict[str, object] = {
        "id": f"{account_id}/deployments/{deployment.name}",
        "name": deployment.name,
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "etag": f'"{hex32(account.key, deployment.name, created)}"',
        "sku": {"name": deployment.sku, "capacity": deployment.capacity, **deployment.sku_more},
        "properties": properties,
    }
    if deployment.tags:
        payload["tags"] = dict(deployment.tags)
    if deployment.system_data:
        modified = deployment.created
        if deployment.modified is not None and deployment.modified <= moment:
            modified = deployment.modified
        payload["systemData"] = {
            "createdBy": deployment.created_by,
            "createdByType": "Application",
            "createdAt": created,
            "lastModifiedBy": deployment.created_by,
            "lastModifiedByType": "Application",
            "lastModifiedAt": stamp(start, modified),
        }
    return payload


def stamp(start: datetime, moment: timedelta) -> str:
    """`moment` as ARM writes times."""
    return f"{(start + moment).isoformat()[:19]}Z"  # many are written, and strftime is slow


def _idle_deadline(deployment: Deployment, failed_calls_count: bool) -> timedelta | None:
    """First moment at which `idle_after` has passed since creation and since the last call; None: never."""
    spans = [
        calls
        for calls in deployment.calls
        if calls_counted(calls) and (failed_calls_count or 200 <= calls.status < 300)
    ]
    active = deployment.created
    while active < deployment.created + _FOREVER:
        deadline = active + deployment.idle_after
        # Calls before creation cannot have reached the deployment, those at the deadline come too late.
        reached = []
        for calls in spans:
            first = next_call(calls, not_before=max(deployment.created, active))
            if first is None or first >= deadline:
                continue
            reached.append(last_call(calls, gap=deployment.idle_after, after=first))
        if any(end is None for end in reached):
            return None
        latest = max((end for end in reached if end is not None), default=active)
        if latest <= active:
            return deadline
        active = latest
    return None


def word_at(words: tuple[tuple[str, timedelta], ...], age: timedelta) -> str | None:
    """The last of `words` whose time has come; None for none."""
    current = None
    for word, since in words:
        if since <= max(age, ZERO):
            current = word
    return current
