"""How a job's training went: its loss curve and its checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from watcher.resources.fine_tuning import Checkpoint


class CurveSource(StrEnum):
    """Where a curve was read."""

    RESULTS = "results.csv"
    CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The metrics of one step, under one spelling whatever the source's: see `METRICS`."""

    step: int
    metrics: Mapping[str, float]


#: Our spelling ← the spellings of results.csv (new and old), of checkpoints and of events.
METRICS: Mapping[str, tuple[str, ...]] = {
    "train_loss": ("train_loss", "training_loss"),
    "train_accuracy": ("train_mean_token_accuracy", "training_token_accuracy", "train_accuracy", "training_accuracy"),
    "valid_loss": ("valid_loss", "validation_loss"),
    "valid_accuracy": (
        "valid_mean_token_accuracy",
        "validation_mean_token_accuracy",
        "validation_token_accuracy",
        "valid_accuracy",
        "validation_accuracy",
    ),
    "full_valid_loss": ("full_valid_loss", "full_validation_loss"),
    "full_valid_accuracy": ("full_valid_mean_token_accuracy", "full_validation_mean_token_accuracy"),
    "train_reward": ("train_mean_reward", "train_reward_mean"),
    "valid_reward": ("valid_mean_reward", "valid_reward_mean"),
    "full_valid_reward": ("full_valid_mean_reward", "full_valid_reward_mean"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What was last read of the inside of one job."""

    job: str
    read_at: datetime
    is_final: bool = False  #: read after the job's end, or given up: not asked for again
    checkpoints: tuple[Checkpoint, ...] = ()  #: by step; only the last three are kept by the service
    points: tuple[CurvePoint, ...] = ()  #: by step, thinned to a few hundred; the best and the last are kept
    source: CurveSource | None = None  #: of `points`; `None`: there are none
    skipped: int | None = None  #: examples or images that the service says it left out; `None`: it does not say
    remark: str = ""  #: why no curve could be read, where one was wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceKey:
    """Jobs that wait and run alike."""

    model: str  #: base model
    location: str
    training_type: str  #: in lower case; "" is standard


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long such jobs have waited and run, by what `watcher` has seen itself."""

    queued: tuple[float, ...] = ()  #: seconds from creation to start, of the newest jobs, in ascending order
    ran: tuple[float, ...] = ()  #: seconds from start to success, pauses included, in ascending order


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """One job's contribution to the pace of its kind."""

    job: str
    key: PaceKey
    queued: float | None = None
    ran: float | None = None
    at: datetime  #: when the later of the two ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """The ends that the service has announced for one job, oldest first, each with when it was first seen."""

    seen: tuple[tuple[datetime, datetime], ...] = field(default_factory=tuple)  #: (seen at, announced end)
