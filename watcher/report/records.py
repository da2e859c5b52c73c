"""Nouns as records for programs: what `--json` prints, and the API answers. Pure.

Ids and names are verbatim as Azure has them; times are RFC 3339 in UTC with `Z`; a key is always there, and `null`
means that its value is not known or does not apply. Keys are added over time, none is renamed or dropped.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watcher.alerts.alert import Alert
from watcher.alerts.keep import Keep
from watcher.alerts.notification import Told
from watcher.alerts.silence import Silence
from watcher.report.standing import Standing
from watcher.resources.account import Account
from watcher.resources.changes import Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, unreadable_keep_tag
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.resources.snapshot import Gap, Reading
from watcher.resources.training import Training
from watcher.rules.labels import owner_of
from watcher.rules.text import rfc3339

Record = dict[str, Any]

#: Of the documents; it changes only if a key must go.
VERSION = 1


def document(name: str, records: object, *, now: datetime, **more: object) -> Record:
    """One document: its version, the time of which it speaks, and the records under their name."""
    return {"version": VERSION, "as_of": rfc3339(now), **more, name: records}


def account_record(
    account: Account, reading: Reading, *, first_seen_at: datetime, polled_at: datetime | None, jobs_under_way: int
) -> Record:
    """An account with what could be seen of it, and when."""
    return {
        "id": account.id,
        "name": account.name,
        "label": account.label,
        "kind": account.kind,
        "cloud": account.cloud,
        "location": account.location,
        "subscription": account.subscription,
        "resource_group": account.resource_group,
        "endpoint": account.endpoint,
        "owner": (owner := owner_of(account)).name,
        "labels": dict(account.labels),
        "tags": dict(account.tags),
        "status": account_status(reading, polled_at),
        "first_seen_at": rfc3339(first_seen_at),
        "polled_at": rfc3339(polled_at),
        "jobs_at": rfc3339(reading.jobs_at),
        "deployments_at": rfc3339(reading.deployments_at),
        "metrics_at": rfc3339(reading.usage_at),
        "jobs_under_way": None if reading.jobs is None else jobs_under_way,
        "deployments": None if reading.deployments is None else len(reading.deployments),
        "gaps": [gap_record(gap) for gap in reading.gaps],
        "owner_source": owner.source or None,
        "files_at": rfc3339(reading.files_at),
        "models_at": rfc3339(reading.models_at),
    }


def account_status(reading: Reading, polled_at: datetime | None) -> str:
    """`ok`, `gaps` (something could not be seen) or `unread` (not polled yet)."""
    if polled_at is None:
        return "unread"
    return "gaps" if reading.gaps else "ok"


def gap_record(gap: Gap) -> Record:
    """What could not be read, and why."""
    return {
        "section": gap.section.value,
        "plane": gap.plane.value,
        "subject": gap.subject or None,
        "reason": gap.reason.value,
        "message": gap.message,
        "since": rfc3339(gap.at),
        "http_status": gap.status,
        "request_id": gap.request_id or None,
    }


def job_record(
    account: Account,
    job: FineTuningJob,
    *,
    status_since: datetime,
    first_seen_at: datetime,
    is_listed: bool,
    as_of: datetime | None,
    owner_tag: str = "owner",
    is_status_dated: bool = True,
) -> Record:
    """A fine-tuning job.

    Args:
        as_of: When the account's jobs were last read whole.
        is_status_dated: Whether its status began at `status_since`; else it was first seen so then.
    """
    return {
        "id": job.id,
        "account": account.label,
        "account_id": account.id,
        "status": job.status.value,
        "raw_status": job.raw_status,
        "status_since": rfc3339(status_since),
        "model": job.model,
        "fine_tuned_model": job.fine_tuned_model or None,
        "owner": (owner := owner_of(account, job=job, owner_tag=owner_tag)).name,
        "method": job.method or None,
        "training_type": job.training_type or None,
        "suffix": job.suffix or None,
        "created_at": rfc3339(job.created_at),
        "finished_at": rfc3339(job.finished_at),
        "estimated_finish_at": rfc3339(job.estimated_finish_at),
        "trained_tokens": job.trained_tokens,
        "training_file": job.training_file or None,
        "validation_file": job.validation_file or None,
        "result_files": list(job.result_files),
        "hyperparameters": dict(job.hyperparameters),
        "metadata": dict(job.metadata),
        "error": None
        if job.error is None
        else {"code": job.error.code, "message": job.error.message, "param": job.error.param},
        "first_seen_at": rfc3339(first_seen_at),
        "is_listed": is_listed,
        "as_of": rfc3339(as_of),
        "owner_source": owner.source or None,
        "is_status_dated": is_status_dated,
    }


def deployment_record(
    account: Account,
    deployment: Deployment,
    standing: Standing | None,
    *,
    first_seen_at: datetime,
    ended_at: datetime | None,
    outcome: str,
    as_of: datetime | None,
    owner_tag: str = "owner",
) -> Record:
    """A deployment in one of its lives.

    Args:
        standing: `None` where the life has ended.
        as_of: When the account's deployments were last read whole.
    """
    usage = standing.usage if standing else None
    left = standing.left if standing else None
    return {
        "id": deployment.id,
        "name": deployment.name,
        "account": account.label,
        "account_id": account.id,
        "model": deployment.model,
        "model_version": deployment.model_version or None,
        "sku": deployment.sku,
        "capacity": deployment.capacity,
        "provisioning_state": deployment.raw_provisioning_state,
        "deployment_state": deployment.deployment_state or None,
        "owner": (owner := owner_of(account, deployment=deployment, owner_tag=owner_tag)).name,
        "tags": dict(deployment.tags),
        "created_at": rfc3339(deployment.created_at),
        "created_by": deployment.created_by or None,
        "modified_at": rfc3339(deployment.modified_at),
        "first_seen_at": rfc3339(first_seen_at),
        "ended_at": rfc3339(ended_at),
        "outcome": outcome or None,
        "risk": standing.risk.value if standing else None,
        "is_fine_tuned": standing.is_fine_tuned if standing else None,
        "idle_since": rfc3339(standing.idle_since) if standing else None,
        "deletion_earliest": rfc3339(standing.deletion_earliest) if standing else None,
        "deletion_latest": rfc3339(standing.deletion_latest) if standing else None,
        "seconds_until_deletion": None if left is None else int(left.total_seconds()),
        "unknown_because": (standing.unknown_because or None) if standing else None,
        "unknown_since": rfc3339(standing.unknown_since) if standing else None,
        "last_success_at": rfc3339(usage.last_success_at) if usage else None,
        "last_failure_at": rfc3339(usage.last_failure_at) if usage else None,
        "usage_from": rfc3339(usage.read_from) if usage else None,
        "usage_to": rfc3339(usage.read_to) if usage else None,
        "alert": standing.alert.id if standing and standing.alert else None,
        "as_of": rfc3339(as_of),
        "owner_source": owner.source or None,
        "keep_tag_unreadable": unreadable_keep_tag(deployment) or None,
    }


def transition_record(account_label: str, transition: Transition) -> Record:
    """One change of one resource."""
    return {
        "id": transition.key,
        "account": account_label,
        "account_id": transition.account,
        "kind": transition.kind.value,
        "resource": transition.resource,
        "name": transition.name,
        "change": transition.change.value,
        "attribute": transition.attribute or None,
        "before": transition.before,
        "after": transition.after,
        "observed_at": rfc3339(transition.observed_at),
        "occurred_at": rfc3339(transition.occurred_at),
        "source": transition.source.value,
        "is_history": transition.is_history,
    }


def alert_record(alert: Alert, *, silenced_by: Sequence[Silence] = ()) -> Record:
    """An alert, with the keys of the webhook's payload and its own state."""
    finding = alert.finding
    return {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "kind": finding.kind.value,
        "rule": finding.rule,
        "severity": alert.severity.value,
        "step": finding.step or None,
        "starts_at": rfc3339(alert.starts_at),
        "ends_at": rfc3339(alert.ends_at),
        "ended_because": alert.ended_because or None,
        "updated_at": rfc3339(alert.updated_at),
        "raised_at": rfc3339(alert.raised_at),
        "occurred_at": rfc3339(finding.occurred_at),
        "labels": alert.labels,
        "annotations": {
            "summary": finding.summary,
            "description": finding.description,
            "action": finding.action,
            "evidence": finding.evidence,
        },
        "values": dict(finding.values),
        "links": dict(finding.links),
        "unverified_since": rfc3339(alert.unverified_since),
        "unverified_because": alert.unverified_because or None,
        "is_first_sight": alert.is_first_sight,
        "acked_at": rfc3339(alert.acked_at),
        "acked_by": alert.acked_by or None,
        "silenced_by": [silence.id for silence in silenced_by],
    }


def silence_record(silence: Silence, *, now: datetime) -> Record:
    """A silence."""
    return {
        "id": silence.id,
        "status": "active" if silence.is_active(now) else "expired" if now >= silence.ends_at else "pending",
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": rfc3339(silence.starts_at),
        "ends_at": rfc3339(silence.ends_at),
        "author": silence.author,
        "comment": silence.comment,
        "is_forced": silence.is_forced,
        "unread_because": silence.unread_because or None,
    }


def keep_record(keep: Keep, account_label: str) -> Record:
    """That a deployment is kept."""
    return {
        "account": account_label,
        "account_id": keep.account,
        "deployment": keep.deployment,
        "until": rfc3339(keep.until),
        "author": keep.author,
        "reason": keep.reason,
    }


def told_record(told: Told) -> Record:
    """That a receiver was told of an alert."""
    return {
        "receiver": told.receiver,
        "at": rfc3339(told.at),
        "status": told.status.value,
        "severity": told.severity.value,
        "step": told.step or None,
        "route": told.route,
        "notification": told.notification_id or None,
    }


def training_record(training: Training) -> Record:
    """The inside of a job: its checkpoints and its curve, by step."""
    return {
        "read_at": rfc3339(training.read_at),
        "is_final": training.is_final,
        "source": training.source.value if training.source else None,
        "checkpoints": [
            {
                "id": one.id,
                "step": one.step,
                "model": one.model or None,
                "created_at": rfc3339(one.created_at),
                "metrics": dict(one.metrics),
            }
            for one in training.checkpoints
        ],
        "points": [{"step": point.step, "metrics": dict(point.metrics)} for point in training.points],
        "skipped": training.skipped,
        "remark": training.remark or None,
    }


def departure_record(departure: Departure) -> Record:
    """What the activity log says of a deployment's end."""
    return {
        "is_read": departure.is_read,
        "because": departure.because or None,
        "deleted_by": departure.deleted_by or None,
        "deleted_at": rfc3339(departure.deleted_at),
        "correlation_id": departure.correlation_id or None,
        "account_deleted": departure.account_deleted,
    }


def event_record(event: JobEvent) -> Record:
    """A line of a job's own log."""
    return {
        "id": event.id,
        "created_at": rfc3339(event.created_at),
        "level": event.level,
        "type": event.type,
        "message": event.message,
    }


def route_record(route: tuple[str, str, Mapping[str, str]]) -> Record:
    """A route that an alert takes."""
    path, receiver, group = route
    return {"route": path, "receiver": receiver, "group": dict(group)}
