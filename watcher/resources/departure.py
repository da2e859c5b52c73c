"""What the activity log says of a deployment that is gone."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """The activity log's word on one deployment's deletion.

    The log is a help only, never a sign that something is gone. Its entries come minutes late, and whether Azure logs
    its own deletions is not documented.
    """

    is_read: bool  #: the log was read over the whole span from when it last stood
    because: str = ""  #: why it was not read, as a clause: "the role Monitoring Reader is missing"
    deleted_by: str = ""  #: the caller in the log; "": nobody is named, or no deletion is
    deleted_at: datetime | None = None  #: by the log; `None`: no entry tells of a deletion
    correlation_id: str = ""
    account_deleted: bool = False  #: what the log names is the deletion of the account, with all that was in it
    read_from: datetime | None = None
    stood_at: datetime | None = None  #: when the deployment was last listed; `None`: that is not known


def latest_word(known: Departure | None, read: Departure) -> Departure:
    """What the log is taken to say after it was asked again: a reading that failed takes nothing back."""
    return known if known is not None and known.is_read and not read.is_read else read
