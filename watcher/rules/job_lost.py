"""Jobs that were under way in an account that is gone: nobody will ever hear how they ended, so that is told at once.

`job_failed` tells it, for to those who wait it is the same; what else was in the account is told by `deployment_gone`.
"""

from collections.abc import Iterator

from watcher.resources.changes import Change, Transition
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.finding import Finding, FindingKind, Severity
from watcher.rules.labels import job_labels, job_name, owner_of, portal_link
from watcher.rules.rule import View, job_subject
from watcher.rules.text import ago, moment, rfc3339


def lost_jobs(view: View, *, rule: str, severity: Severity) -> Iterator[Finding]:
    """A finding for each; nothing where the account is still there, or has moved with its jobs."""
    if not view.account.is_gone:
        return
    for transition in view.transitions:
        job = view.job(transition.resource)
        is_lost = transition.is_job_status and transition.change is Change.GONE and not transition.is_history
        if is_lost and job is not None:
            yield _finding(view, job, transition, rule=rule, severity=severity)


def _finding(view: View, job: FineTuningJob, transition: Transition, *, rule: str, severity: Severity) -> Finding:
    account = view.account
    read_at = view.previous_at.get(Section.JOBS)
    read = f"jobs last read {moment(read_at)} ({ago(read_at, view.now)})" if read_at else "its jobs were never read"
    return Finding(
        rule=rule,
        kind=FindingKind.EVENT,
        severity=severity,
        subject=job_subject(account, job.id),
        labels={**job_labels(account, job, view.owner_tag), "cause": "account_gone"},
        summary=f"{job_name(account, job)} is lost: its account is gone",
        description=f"It was {transition.before or 'under way'} when it was last read. The account was deleted or "
        "moved, with all that was in it, so how the job ended, and whether its model was kept, cannot be seen. What "
        "was trained until then may be billed.",
        action="See who deleted the account; entries may come minutes late:\n"
        f"{commands.read_activity(account.id, stood_at=read_at, gone_at=transition.observed_at)}\n"
        "If this was a mistake, see whether it can be recovered:\n"
        f"{commands.list_deleted(account)}",
        evidence="a complete listing lacked the account and its own address answered 404, seen "
        f"{moment(transition.observed_at)}; {read}",
        values={
            "job": job.id,
            "model": job.model,
            "created_at": rfc3339(job.created_at),
            "seen_gone_at": rfc3339(transition.observed_at),
            "training_file": job.training_file,
            "owner_source": owner_of(account, job=job, owner_tag=view.owner_tag).source,
        },
        links=portal_link(account),
    )
