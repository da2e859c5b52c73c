"""The files of an account: what its jobs trained on, what they left behind, and uploads of no job. Pure.

Source: SPEC file object; columns of `results.csv` from the how-to article.
"""

import json
from dataclasses import dataclass
from datetime import timedelta

from watcher.simulator import jobs
from watcher.simulator.ids import hex32
from watcher.simulator.scenario import Account, File, Job
from watcher.simulator.training import results_csv

_UPLOADED_BEFORE = timedelta(minutes=10)  # a job's input precedes it by this much
_TRAINING_BYTES = 48_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file at a moment. `job`: the job whose result it is; None for uploads."""

    id: str
    filename: str
    created: timedelta
    purpose: str
    bytes: int | None
    status: str
    status_details: str | None = None
    job: Job | None = None

    def content(self) -> str:
        """What a download gives."""
        if self.job is not None:
            return results_csv(self.job)
        line = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
        return json.dumps(line) + "\n"


def files_of(account: Account, moment: timedelta) -> list[StoredFile]:
    """Every file that exists at `moment`, oldest first."""
    found = [stored for job in account.jobs for stored in _files_of_job(account, job)]
    found += [_upload(account, file, moment) for file in account.files]
    return sorted((file for file in found if file.created <= moment), key=lambda file: (file.created, file.id))


def file_payload(file: StoredFile, *, epoch: int) -> dict[str, object]:
    """The file as both dialects serve it. `epoch`: the scenario's start in Unix seconds."""
    payload: dict[str, object] = {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": epoch + int(file.created.total_seconds()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": file.status,
    }
    if file.status_details is not None and file.status == "error":
        payload["status_details"] = file.status_details
    return payload


def _files_of_job(account: Account, job: Job) -> list[StoredFile]:
    roles = ("training", "validation") if job.validation else ("training",)
    found = [
        StoredFile(
            id=jobs.file_id(account, job, role),
            filename=f"{job.name}-{role}.jsonl",
            created=job.created - _UPLOADED_BEFORE,
            purpose="fine-tune",
            bytes=_TRAINING_BYTES,
            status="processed",
        )
        for role in roles
    ]
    ended = jobs.ended_at(job)
    if ended is not None and jobs.has_succeeded(job, ended):
        found.append(
            StoredFile(
                id=jobs.file_id(account, job, "results"),
                filename="results.csv",
                created=ended - jobs.EVALUATION,
                purpose="fine-tune-results",
                bytes=len(results_csv(job)),
                status="processed",
                job=job,
            )
        )
    return found


def _upload(account: Account, file: File, moment: timedelta) -> StoredFile:
    status = "uploaded"
    for word, since in file.status:
        if since <= moment - file.created:
            status = word
    return StoredFile(
        id=f"file-{hex32('upload', account.key, file.filename)}",
        filename=file.filename,
        created=file.created,
        purpose=file.purpose,
        bytes=file.bytes,
        status=status,
        status_details=file.status_details,
    )
