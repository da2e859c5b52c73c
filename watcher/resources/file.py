"""Files of an account: training and validation data that were uploaded, and the results that jobs leave behind."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FileStatus(StrEnum):
    """A file's status. The set is Azure's and open: see `UNKNOWN`."""

    UPLOADED = "uploaded"
    PENDING = "pending"
    RUNNING = "running"
    PROCESSED = "processed"
    ERROR = "error"  #: refused; `File.reason` may say why
    DELETING = "deleting"
    DELETED = "deleted"
    UNKNOWN = "unknown"  #: a word that this version does not know; `raw_status` keeps it


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file as the data plane lists it. Its content is never read, unless it is a job's result."""

    id: str
    account: str  #: key of the account
    filename: str = ""
    purpose: str = ""  #: `fine-tune`, `fine-tune-results`, …
    bytes: int | None = None
    status: FileStatus
    raw_status: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str = ""  #: the service's own words about a refusal, where it gives any

    @property
    def is_input(self) -> bool:
        """Whether somebody uploaded it to train or validate with."""
        return self.purpose == "fine-tune"
