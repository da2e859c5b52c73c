"""The record behind `explain --json`."""

from watcher.answers.alert_file import AlertFile
from watcher.answers.dossier import Dossier
from watcher.report.records import (
    Record,
    alert_record,
    departure_record,
    deployment_record,
    event_record,
    gap_record,
    job_record,
    keep_record,
    route_record,
    told_record,
    training_record,
    transition_record,
)
from watcher.rules.text import rfc3339
from watcher.store.operators import AuditEntry


def dossier_record(dossier: Dossier) -> Record:
    """All of a dossier; what does not apply is `null`."""
    reading, account = dossier.reading, dossier.account
    label = account.label if account else ""
    job = deployment = None
    if dossier.job is not None and reading is not None:
        one = dossier.job
        job = job_record(
            reading.account,
            one.job,
            status_since=one.status_since,
            is_status_dated=one.is_status_dated,
            first_seen_at=one.first_seen_at,
            is_listed=one.is_listed,
            as_of=reading.jobs_at,
            owner_tag=dossier.owner_tag,
        )
    if dossier.deployment is not None and reading is not None:
        life = dossier.deployment
        deployment = deployment_record(
            reading.account,
            life.deployment,
            dossier.standing,
            first_seen_at=life.first_seen_at,
            ended_at=life.ended_at,
            outcome=life.outcome,
            as_of=reading.deployments_at,
            owner_tag=dossier.owner_tag,
        )
        deployment["basis"] = (dossier.standing.basis or None) if dossier.standing else None
        deployment["doubts"] = list(dossier.standing.doubts) if dossier.standing else []
    return {
        "account": label or None,
        "job": job,
        "deployment": deployment,
        "inputs": None
        if reading is None
        else {
            "jobs_at": rfc3339(reading.jobs_at),
            "deployments_at": rfc3339(reading.deployments_at),
            "metrics_at": rfc3339(reading.usage_at),
            "gaps": [gap_record(gap) for gap in dossier.gaps],
        },
        "keep": keep_record(dossier.keep, label) if dossier.keep else None,
        "alerts": [_alert_file_record(file) for file in dossier.alerts],
        "transitions": [transition_record(label, one) for one in dossier.transitions],
        "events": [event_record(event) for event in dossier.events],
        "audit": [_audit_record(entry) for entry in dossier.audit],
        "owner": {"name": dossier.owner.name, "source": dossier.owner.source or None} if reading else None,
        "training": training_record(dossier.training) if dossier.training else None,
        "results_waiting": None if dossier.waits_beside is None else {"other_jobs": dossier.waits_beside},
        "estimates": [{"seen_at": rfc3339(at), "end_at": rfc3339(end)} for at, end in dossier.estimates.seen],
        "pace": {"queued_s": list(dossier.pace.queued), "ran_s": list(dossier.pace.ran)} if dossier.pace else None,
        "made_by": None
        if dossier.maker is None
        else {"job": dossier.maker.job.id, "account_id": dossier.maker.job.account, "base": dossier.maker.job.model},
        "deployed_as": [
            {"id": one.deployment.id, "name": one.deployment.name, "account": one.label, "model": one.deployment.model}
            for one in dossier.served
        ],
        "deployments_unread_in": list(dossier.unread_in),
        "recipe": None
        if (again := dossier.recipe) is None
        else {
            "id": again.id,
            "api_version": again.api_version,
            "body": again.body,
            "missing": list(again.missing),
            "obstacle": again.obstacle or None,
            "command": again.command,
        },
        "departure": departure_record(dossier.departure) if dossier.departure else None,
    }


def _alert_file_record(file: AlertFile) -> Record:
    return {
        **alert_record(file.alert, silenced_by=file.silences),
        "routes": [route_record(route) for route in file.routes],
        "held": [
            {"receiver": held.receiver or None, "because": held.because, "until": rfc3339(held.until)}
            for held in file.held
        ],
        "told": [told_record(told) for told in file.told],
        "deliveries": [
            {
                "id": delivery.notification.id,
                "receiver": delivery.notification.receiver,
                "reason": delivery.notification.reason.value,
                "state": delivery.state,
                "created_at": rfc3339(delivery.notification.created_at),
                "due_at": rfc3339(delivery.due_at),
                "attempts": [
                    {
                        "at": rfc3339(attempt.at),
                        "duration_s": attempt.duration_s,
                        "outcome": attempt.outcome,
                        "kind": attempt.kind or None,
                        "detail": attempt.detail,
                    }
                    for attempt in attempts
                ],
            }
            for delivery, attempts in file.deliveries
        ],
        "audit": [_audit_record(entry) for entry in file.audit],
    }


def _audit_record(entry: AuditEntry) -> Record:
    return {
        "at": rfc3339(entry.at),
        "author": entry.author,
        "action": entry.action,
        "subject": entry.subject,
        "comment": entry.comment,
    }
