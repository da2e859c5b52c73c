"""Fine-tuning jobs, their events and checkpoints, as the data plane tells of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class JobStatus(StrEnum):
    """A job's status, in both dialects of the API. The set is Azure's and open: see `UNKNOWN`."""

    CREATED = "created"  #: waiting; documented as never returned
    PENDING = "pending"  #: waiting (dated API; v1 returns it too)
    VALIDATING_FILES = "validating_files"  #: waiting; the data is being checked (v1)
    QUEUED = "queued"  #: waiting for capacity (v1)
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"  #: not over, though `finished_at` may be set
    RESUMING = "resuming"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  #: a word that this version does not know; `raw_status` keeps it

    @property
    def is_waiting(self) -> bool:
        return self in WAITING

    @property
    def has_ended(self) -> bool:
        return self in ENDED


WAITING = frozenset({JobStatus.CREATED, JobStatus.PENDING, JobStatus.VALIDATING_FILES, JobStatus.QUEUED})
ENDED = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """What the service says of a failure. RAI refusals have no documented code: only `message` tells them apart."""

    code: str = ""
    message: str = ""
    param: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuningJob:
    """One fine-tuning job. Fields that the service left out are `None` or empty."""

    id: str
    account: str  #: key of the account
    status: JobStatus
    raw_status: str
    created_at: datetime | None
    finished_at: datetime | None = None  #: may be set on a job that is only paused; never read it as "over"
    estimated_finish_at: datetime | None = None
    announced_finish_at: datetime | None = None  #: the estimate as recorded: it moves only where that is news
    model: str = ""  #: base model
    fine_tuned_model: str = ""
    training_file: str = ""
    validation_file: str = ""
    result_files: tuple[str, ...] = ()
    trained_tokens: int | None = None
    suffix: str = ""
    method: str = ""  #: `supervised`, `dpo`, `reinforcement` or a word of tomorrow
    training_type: str = ""  #: `globalStandard`, `developerTier`, …; "" means standard
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    error: JobError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One line of a job's own log."""

    id: str
    created_at: datetime
    level: str  #: `info`, `warning` or `error`; the v1 spelling `warn` is read as `warning`
    message: str
    type: str = "message"  #: `message` or `metrics`


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A step's saved model, deployable by its name or its id."""

    id: str
    job_id: str
    model: str
    step: int
    created_at: datetime | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
