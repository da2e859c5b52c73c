"""Rules about uploaded files: those that the service refused, and those that nothing uses."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.changes import ResourceKind, Transition
from watcher.resources.file import File, FileStatus
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.lineage import Holding, Inventory
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.finding import Answer, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.holdings import as_of, unread
from watcher.rules.labels import account_labels, job_labels, owner_of, portal_link
from watcher.rules.rule import View
from watcher.rules.sight import Unread, late
from watcher.rules.text import ago, counted, duration, few, moment, rfc3339, sentence, size

#: The service's word for a file that it refused.
_REFUSED = "error"

#: So many names stand in a text; all of them stand among the values.
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFailed:
    """Finds training and validation files that the service has refused."""

    name: ClassVar[str] = "file_failed"

    def evaluate(self, view: View) -> Iterator[Answer]:
        for transition in view.transitions:
            if _is_refusal(transition):
                file = next((file for file in view.files if file.id == transition.resource), None)
                if file is None or file.is_input or not file.purpose:
                    yield self._finding(view, transition, file)

    def _finding(self, view: View, transition: Transition, file: File | None) -> Finding:
        account, file_id = view.account, transition.resource
        users = tuple(job for job in view.jobs if file_id in (job.training_file, job.validation_file))
        reason = file.reason.strip() if file else ""
        called = f"{transition.name} ({file_id})" if transition.name not in ("", file_id) else file_id
        # Where one job uses it, its owner is told.
        user = users[0] if len(users) == 1 else None
        labels = job_labels(account, user, view.owner_tag) if user else account_labels(account)
        return Finding(
            rule=self.name,
            kind=FindingKind.EVENT,
            severity=Severity.WARNING,
            subject=Subject(id=account.key, kind=ResourceKind.FILE, incarnation=file_id),
            labels=labels,
            summary=f"File {transition.name or file_id} in {account.label} was refused"
            + (f": {reason.splitlines()[0]}" if reason else ""),
            description=(f"The service says: {sentence(reason)} " if reason else "The service gives no reason. ")
            + _users(view, users),
            action=f"Mend the file and upload it again, then start the job from the new file. {_advice(users)}"
            f"Remove this one, for it counts towards the account's limit:\n{commands.delete_file(account, file_id)}",
            evidence="; ".join(_evidence(view, transition, called)),
            values={
                "file": file_id,
                "filename": transition.name,
                "purpose": file.purpose if file else None,
                "bytes": file.bytes if file else None,
                "created_at": rfc3339(file.created_at if file else None),
                "seen_at": rfc3339(transition.observed_at),
                "jobs": ",".join(job.id for job in users),
                "owner_source": owner_of(account, job=user, owner_tag=view.owner_tag).source,
            },
            links=portal_link(account),
            # When it was refused the service does not say; when it was uploaded it does.
            occurred_at=None,
        )


def _is_refusal(transition: Transition) -> bool:
    return (
        transition.kind is ResourceKind.FILE
        and transition.attribute == "status"
        and (transition.after or "").lower() == _REFUSED
        and not transition.is_history
    )


def _users(view: View, users: tuple[FineTuningJob, ...]) -> str:
    if not users and view.reading.jobs is None:
        return "Which jobs name it is not known."
    if not users:
        return "No job that is listed names it."
    named = few([f"{job.id} ({job.raw_status})" for job in users], _NAMED)
    return f"{'Jobs that name' if len(users) > 1 else 'The job that names'} it: {named}."


def _advice(users: tuple[FineTuningJob, ...]) -> str:
    waiting = [job.id for job in users if not job.status.has_ended]
    return f"{', '.join(waiting)} cannot be expected to succeed with it. " if waiting else ""


def _evidence(view: View, transition: Transition, called: str) -> Iterator[str]:
    before = f"after {transition.before}" if transition.before else "not seen before"
    yield f"{called}: status {transition.after} ({before}), seen {moment(transition.observed_at)}"
    if transition.occurred_at:
        yield f"uploaded {moment(transition.occurred_at)} by the service's word"
    if view.reading.jobs_at:
        yield f"jobs read {ago(view.reading.jobs_at, view.now)}"
    else:
        yield "the jobs have not been read"
    if told := late(view, Section.FILES):
        yield told


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrphaned:
    """Finds accounts with training or validation files that, after some time, no job and no model's job names."""

    name: ClassVar[str] = "file_orphaned"

    #: From the upload.
    after: timedelta = timedelta(days=14)

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        for holding in inventory.holdings:
            orphans = tuple(self.orphans(inventory.now, holding))
            found = self._finding(inventory.now, holding, orphans) if orphans else None
            doubt = orphans_doubt(holding)
            if doubt is not None:
                yield Undecided(
                    rule=self.name,
                    subject=_subject(holding),
                    because=doubt.because,
                    since=doubt.since,
                    # What stands unread cannot be taken for unused, but what was found before may stand on.
                    on_last_evidence=found,
                )
            elif found is not None:
                yield found

    def orphans(self, now: datetime, holding: Holding) -> Iterator[File]:
        """Oldest first. A file of unknown age may be of today, and is left out."""
        dated = ((file.created_at, file) for file in holding.files or () if file.created_at is not None)
        for created_at, file in sorted(dated, key=lambda pair: (pair[0], pair[1].id)):
            is_ready = file.is_input and file.status is FileStatus.PROCESSED
            if is_ready and file.id not in holding.file_users and now - created_at >= self.after:
                yield file

    def _finding(self, now: datetime, holding: Holding, orphans: tuple[File, ...]) -> Finding:
        account, oldest = holding.account, orphans[0].created_at
        assert oldest is not None
        total = sum(file.bytes or 0 for file in orphans)
        least = "at least " if any(file.bytes is None for file in orphans) else ""
        named = ", ".join(f"{file.filename or 'no name'} ({file.id})" for file in orphans[:_NAMED])
        more = f", and {len(orphans) - _NAMED} more" if len(orphans) > _NAMED else ""
        is_one = len(orphans) == 1
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=_subject(holding),
            labels=account_labels(account),
            summary=f"{account.label} holds {counted(len(orphans), 'uploaded file')} that no job names",
            description=f"{'It is' if is_one else 'Together'} {least}{size(total)}, "
            f"{'uploaded' if is_one else 'the oldest uploaded'} {duration(now - oldest)} ago. No job that is listed, "
            f"or whose model is, trained or validated with {'it' if is_one else 'them'}; a deleted job may have. "
            f"Files count towards the account's limit. {'It is' if is_one else 'The oldest are'} {named}{more}.",
            action="Delete what nobody wants; a deleted file cannot be restored. For the oldest:\n"
            f"{commands.delete_file(account, orphans[0].id)}",
            evidence=f"{as_of(holding, Section.FILES, now)}; {as_of(holding, Section.JOBS, now)}; counted are "
            f"processed files of purpose fine-tune that are older than {duration(self.after)}",
            values={
                "count": len(orphans),
                "bytes": None if least else total,
                "oldest_at": rfc3339(oldest),
                "files": ",".join(file.id for file in orphans),
                "owner_source": owner_of(account).source,
            },
            links=portal_link(account),
        )


def _subject(holding: Holding) -> Subject:
    return Subject(id=holding.account.key, kind=ResourceKind.ACCOUNT, incarnation="files")


def orphans_doubt(holding: Holding) -> Unread | None:
    """Whatever is unread may name a file: a job of the listing, or one item of it."""
    for section in (Section.FILES, Section.JOBS):
        if doubt := unread(holding, section):
            return doubt
    gap = next((gap for gap in holding.gaps if gap.section is Section.JOBS), None)
    return Unread(because=f"a job of {holding.account.label} could not be read", since=gap.at) if gap else None
