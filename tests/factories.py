"""What is observed, with sane defaults: one account in good order, seen at `NOW`. Any field may be given otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.resources.deployment import Deployment, ProvisioningState, Usage
from watcher.resources.file import File, FileStatus
from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobError, JobEvent, JobStatus
from watcher.resources.lineage import Holding, Inventory, Model
from watcher.resources.snapshot import PLANE_OF, Gap, GapReason, Listing, Reading, Section, Snapshot
from watcher.resources.training import CurvePoint, CurveSource, Training
from watcher.rules.rule import AccountState, View

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MODEL = "gpt-4o-mini-2024-07-18.ft-0123456789abcdef0123456789abcdef-support"
ALL_SECTIONS = frozenset({Section.ACCOUNT, Section.JOBS, Section.DEPLOYMENTS, Section.METRICS})


def make_account(name: str = "contoso-ft", **changes: Any) -> Account:
    group = changes.get("resource_group", "rg-ml")
    defaults: dict[str, Any] = {
        "id": f"/subscriptions/sub-1/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/{name}",
        "name": name,
        "label": name,
        "subscription": "sub-1",
        "resource_group": group,
        "location": "swedencentral",
        "endpoint": f"https://{name}.openai.azure.com",
        "owner": "search-team",
    }
    return Account(**{**defaults, **changes})


ACCOUNT = make_account()


def make_job(id: str = "ftjob-1", status: JobStatus | str = JobStatus.RUNNING, **changes: Any) -> FineTuningJob:
    """`status` may be a word that `JobStatus` does not know; `error` may be its text."""
    known = status if status in list(JobStatus) else JobStatus.UNKNOWN
    if isinstance(changes.get("error"), str):
        changes["error"] = JobError(message=changes["error"])
    defaults: dict[str, Any] = {
        "id": id,
        "account": ACCOUNT.key,
        "status": JobStatus(known),
        "raw_status": str(status),
        "created_at": NOW - 2 * HOUR,
        "model": "gpt-4o-mini-2024-07-18",
        "training_file": "file-train",
        "suffix": "support",
        "method": "supervised",
    }
    return FineTuningJob(**{**defaults, **changes})


def make_event(message: str, *, at: datetime = NOW - HOUR, level: str = "info", type: str = "message") -> JobEvent:
    return JobEvent(id=f"ftevent-{abs(hash((message, at)))}", created_at=at, level=level, message=message, type=type)


def make_deployment(name: str = "support-bot", **changes: Any) -> Deployment:
    """A fine-tuned one, with the incarnation that `absorb` would give it."""
    account: Account = changes.pop("account", ACCOUNT)
    created_at = changes.get("created_at", NOW - 30 * DAY)
    state = changes.get("provisioning_state", ProvisioningState.SUCCEEDED)
    defaults: dict[str, Any] = {
        "id": f"{account.id}/deployments/{name}",
        "name": name,
        "account": account.key,
        "incarnation": created_at.isoformat() if created_at else "seen 2026-11-01",
        "model": MODEL,
        "model_version": "1",
        "sku": "Standard",
        "capacity": 1,
        "raw_provisioning_state": str(state),
        "deployment_state": "Running",
        "created_at": created_at,
    }
    return Deployment(**{**defaults, **changes})


def make_usage(name: str = "support-bot", **changes: Any) -> Usage:
    """Sixteen days of metrics without a call."""
    defaults: dict[str, Any] = {"deployment": name.lower(), "read_from": NOW - 16 * DAY, "read_to": NOW}
    return Usage(**{**defaults, **changes})


def make_gap(section: Section = Section.JOBS, reason: GapReason = GapReason.UNREACHABLE, **changes: Any) -> Gap:
    defaults: dict[str, Any] = {
        "section": section,
        "plane": PLANE_OF[section],
        "reason": reason,
        "message": "the service's own words",
        "at": NOW,
    }
    return Gap(**{**defaults, **changes})


def make_reading(
    *,
    account: Account = ACCOUNT,
    jobs: Sequence[FineTuningJob] | None = (),
    deployments: Sequence[Deployment] | None = (),
    usage: Iterable[Usage] | None = (),
    gaps: Sequence[Gap] = (),
    at: datetime = NOW,
    **changes: Any,
) -> Reading:
    """Every section read at `at`; a section that is `None` was never read."""
    reading = Reading(
        account=account,
        jobs=None if jobs is None else tuple(jobs),
        jobs_at=None if jobs is None else at,
        deployments=None if deployments is None else tuple(deployments),
        deployments_at=None if deployments is None else at,
        usage=None if usage is None else {each.deployment: each for each in usage},
        usage_at=None if usage is None else at,
        gaps=tuple(gaps),
    )
    return replace(reading, **changes)


def make_view(
    *,
    now: datetime = NOW,
    reading: Reading | None = None,
    transitions: Sequence[Transition] = (),
    events: Mapping[str, Sequence[JobEvent]] | None = None,
    status_since: Mapping[str, datetime] | None = None,
    ended: Sequence[Deployment] = (),
    **changes: Any,
) -> View:
    """`jobs`, `deployments`, `usage`, `gaps` and `account` go into the reading, everything else into the view."""
    of_reading = ("account", "jobs", "deployments", "usage", "gaps", "at")
    given = {key: changes.pop(key) for key in of_reading if key in changes}
    return View(
        now=now,
        reading=reading or make_reading(**{"at": now, **given}),
        transitions=tuple(transitions),
        events={job: tuple(lines) for job, lines in (events or {}).items()},
        status_since=status_since or {},
        ended_deployments={deployment.key: deployment for deployment in ended},
        **changes,
    )


def make_snapshot(
    *,
    account: Account = ACCOUNT,
    at: datetime = NOW,
    jobs: Sequence[FineTuningJob] | None = None,
    deployments: Sequence[Deployment] | None = None,
    usage: Iterable[Usage] | None = None,
    events: Mapping[str, Sequence[JobEvent]] | None = None,
    **changes: Any,
) -> Snapshot:
    """A section that is `None` was not read. The deployments come as Azure tells of them: without a life."""
    defaults: dict[str, Any] = {
        "account": account,
        "at": at,
        "asked": ALL_SECTIONS,
        "jobs": None if jobs is None else Listing(digest=str(hash(tuple(job.id for job in jobs))), items=tuple(jobs)),
        "deployments": None
        if deployments is None
        else Listing(digest="d", items=tuple(replace(each, incarnation="") for each in deployments)),
        "usage": None if usage is None else {each.deployment: each for each in usage},
        "events": {job: tuple(lines) for job, lines in (events or {}).items()},
    }
    return Snapshot(**{**defaults, **changes})


def make_transition(job: FineTuningJob, before: str | None = "running", **changes: Any) -> Transition:
    """That `job` came to its present status, seen now."""
    defaults: dict[str, Any] = {
        "account": job.account,
        "kind": ResourceKind.JOB,
        "resource": job.id,
        "name": job.id,
        "incarnation": job.id,
        "change": Change.CHANGED if before else Change.DISCOVERED,
        "attribute": "status",
        "before": before,
        "after": job.raw_status,
        "observed_at": NOW,
        "occurred_at": job.finished_at,
    }
    return Transition(**{**defaults, **changes})


def make_end(deployment: Deployment, change: Change = Change.GONE, **changes: Any) -> Transition:
    """That `deployment` is gone, or was replaced."""
    is_gone = change is Change.GONE
    defaults: dict[str, Any] = {
        "account": deployment.account,
        "kind": ResourceKind.DEPLOYMENT,
        "resource": deployment.id,
        "name": deployment.name,
        "incarnation": deployment.incarnation if is_gone else "another life",
        "change": change,
        "attribute": "provisioning_state" if is_gone else "created_at",
        "before": deployment.raw_provisioning_state if is_gone else deployment.incarnation,
        "observed_at": NOW,
    }
    return Transition(**{**defaults, **changes})


def make_state(name: str, *gaps: Gap, polled_at: datetime | None = NOW, **changes: Any) -> AccountState:
    """One account as the rules over all accounts see it; jobs and metrics read at `polled_at`, but for gaps."""
    unread = {gap.section for gap in gaps if not gap.subject}
    return AccountState(
        account=make_account(name, **changes),
        gaps=gaps,
        polled_at=polled_at,
        jobs_at=None if Section.JOBS in unread else polled_at,
        usage_at=None if Section.METRICS in unread else polled_at,
    )


def make_file(id: str = "file-1", status: FileStatus | str = FileStatus.PROCESSED, **changes: Any) -> File:
    """A training file, uploaded 30 d ago. `status` may be a word that `FileStatus` does not know."""
    known = status if status in list(FileStatus) else FileStatus.UNKNOWN
    defaults: dict[str, Any] = {
        "id": id,
        "account": ACCOUNT.key,
        "filename": f"{id}.jsonl",
        "purpose": "fine-tune",
        "bytes": 1_000_000,
        "status": FileStatus(known),
        "raw_status": str(status),
        "created_at": NOW - 30 * DAY,
    }
    return File(**{**defaults, **changes})


def make_file_transition(file: File, before: str | None = "pending", **changes: Any) -> Transition:
    """That `file` came to its present status, seen now."""
    defaults: dict[str, Any] = {
        "account": file.account,
        "kind": ResourceKind.FILE,
        "resource": file.id,
        "name": file.filename or file.id,
        "incarnation": file.id,
        "change": Change.CHANGED if before else Change.DISCOVERED,
        "attribute": "status",
        "before": before,
        "after": file.raw_status,
        "observed_at": NOW,
    }
    return Transition(**{**defaults, **changes})


def make_model(id: str = MODEL, **changes: Any) -> Model:
    """A custom model of `ACCOUNT`, made 30 d ago."""
    defaults: dict[str, Any] = {
        "id": id,
        "account": ACCOUNT.key,
        "base": "gpt-4o-mini-2024-07-18",
        "suffix": "support",
        "job": "ftjob-1",
        "created_at": NOW - 30 * DAY,
        "training_file": "file-train",
    }
    return Model(**{**defaults, **changes})


def make_holding(
    *,
    account: Account = ACCOUNT,
    deployments: Sequence[Deployment] | None = (),
    models: Sequence[Model] = (),
    files: Sequence[File] | None = (),
    usage: Iterable[Usage] = (),
    gaps: Sequence[Gap] = (),
    at: datetime = NOW,
    **changes: Any,
) -> Holding:
    """Every section read at `at`; deployments or files that are `None` were never read."""
    defaults: dict[str, Any] = {
        "account": account,
        "deployments": None if deployments is None else tuple(deployments),
        "deployments_at": None if deployments is None else at,
        "models": tuple(models),
        "models_at": at,
        "files": None if files is None else tuple(files),
        "files_at": None if files is None else at,
        "jobs_at": at,
        "usage": {each.deployment: each for each in usage},
        "gaps": tuple(gaps),
    }
    return Holding(**{**defaults, **changes})


def make_inventory(*holdings: Holding, **changes: Any) -> Inventory:
    return Inventory(**{"now": NOW, "holdings": holdings, **changes})


def make_checkpoint(step: int, job: str = "ftjob-1", **changes: Any) -> Checkpoint:
    defaults: dict[str, Any] = {
        "id": f"ftchkpt-{step}",
        "job_id": job,
        "model": f"{MODEL}:ckpt-step-{step}",
        "step": step,
        "created_at": NOW - HOUR,
    }
    return Checkpoint(**{**defaults, **changes})


def make_training(
    *checkpoints: Checkpoint, curve: Mapping[int, Mapping[str, float]] | None = None, **changes: Any
) -> Training:
    """What was read ten minutes ago of the inside of a job; `curve`: metrics by step."""
    points = tuple(CurvePoint(step=step, metrics=metrics) for step, metrics in (curve or {}).items())
    defaults: dict[str, Any] = {
        "job": "ftjob-1",
        "read_at": NOW - 10 * MINUTE,
        "checkpoints": checkpoints,
        "points": points,
        "source": CurveSource.CHECKPOINTS if points else None,
    }
    return Training(**{**defaults, **changes})
