"""The record behind `status --json`."""

from datetime import datetime

from watcher.report.records import Record, alert_record, document
from watcher.report.summary import DeploymentStanding, Summary
from watcher.rules.labels import owner_of
from watcher.rules.text import rfc3339


def summary_record(summary: Summary, *, name: str, since: datetime | None, most: int | None = None) -> Record:
    """The whole screen, without its cuts; `most` items of each list, where somebody asks for no more."""
    status = {
        "name": name,
        "last_complete_cycle_at": rfc3339(summary.last_complete_cycle_at),
        "counts": {
            "jobs": len(summary.jobs),
            "deployments_at_risk": len(summary.at_risk),
            "deployments_unknown": len(summary.unknown),
            "alerts": len(summary.firing),
            "alerts_explained": sum(bool(one.cause) for one in summary.firing),
            "for_reports": sum(summary.for_reports.values()),
            "undelivered": len(summary.undelivered),
            "happened": len(summary.happened),
        },
        "since": rfc3339(since),
        "coverage": {
            "accounts": summary.accounts,
            "whole": summary.whole,
            "is_discovery_complete": summary.is_discovery_complete,
            "sections": [
                {
                    "section": seen.section.value,
                    "whole": seen.whole,
                    "oldest_at": rfc3339(seen.oldest_at),
                    "never": seen.never,
                    "partly": seen.partly,
                    "missing": list(seen.missing),
                }
                for seen in summary.seen
            ],
            "unseen": [
                {
                    "section": unseen.section.value if unseen.section else None,
                    "reason": unseen.reason.value if unseen.reason else None,
                    "accounts": list(unseen.accounts),
                    "since": rfc3339(unseen.since),
                    "last_read_at": rfc3339(unseen.last_read_at),
                    "message": unseen.message or None,
                    "subjects": list(unseen.subjects),
                }
                for unseen in summary.unseen
            ],
        },
        "jobs": [
            {
                "id": one.job.id,
                "account": one.account.label,
                "account_id": one.account.id,
                "status": one.job.status.value,
                "raw_status": one.job.raw_status,
                "status_since": rfc3339(one.status_since),
                "is_status_dated": one.is_status_dated,
                "model": one.job.model,
                "owner": owner_of(one.account, job=one.job, owner_tag=summary.owner_tag).name,
                "estimated_finish_at": rfc3339(one.job.estimated_finish_at),
                "as_of": rfc3339(one.as_of),
            }
            for one in summary.jobs[:most]
        ],
        "jobs_unknown_in": summary.jobs_unknown_in,
        "deployments_at_risk": [_standing_record(one, summary.owner_tag) for one in summary.at_risk[:most]],
        "deployments_unknown": [_standing_record(one, summary.owner_tag) for one in summary.unknown[:most]],
        "alerts": [
            {**alert_record(one.alert, silenced_by=one.silences), "explained_by": one.cause or None}
            for one in summary.firing[:most]
        ],
        "undelivered": [
            {
                "id": one.id,
                "receiver": one.receiver,
                "reason": one.reason,
                "alerts": one.alerts,
                "state": one.state,
                "created_at": rfc3339(one.created_at),
                "due_at": rfc3339(one.due_at),
                "attempts": one.attempts,
                "last_error": one.last_error or None,
            }
            for one in summary.undelivered[:most]
        ],
        "happened": [
            {"at": rfc3339(one.at), "what": one.what, "summary": one.summary, "alert": one.alert or None}
            for one in summary.happened[:most]
        ],
        "clock_skew_seconds": None if summary.clock is None else int(summary.clock.skew.total_seconds()),
        "clock_skew_at": rfc3339(summary.clock.at) if summary.clock else None,
        "clock_host": summary.clock.host if summary.clock else None,
    }
    return document("status", status, now=summary.now)


def _standing_record(one: DeploymentStanding, owner_tag: str) -> Record:
    left = one.standing.left
    return {
        "id": one.deployment.id,
        "name": one.deployment.name,
        "account": one.account.label,
        "account_id": one.account.id,
        "model": one.deployment.model,
        "sku": one.deployment.sku,
        "owner": owner_of(one.account, deployment=one.deployment, owner_tag=owner_tag).name,
        "risk": one.standing.risk.value,
        "deletion_earliest": rfc3339(one.standing.deletion_earliest),
        "deletion_latest": rfc3339(one.standing.deletion_latest),
        "seconds_until_deletion": None if left is None else int(left.total_seconds()),
        "idle_since": rfc3339(one.standing.idle_since),
        "unknown_because": one.standing.unknown_because or None,
        "unknown_since": rfc3339(one.standing.unknown_since),
        "alert": one.standing.alert.id if one.standing.alert else None,
    }
