"""How a job's training went: its loss curve and its checkpoints."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


def joined(known: Training | None, read: Training) -> Training:
    """What is known of a training after another reading, which may have found less than an earlier one.

    The service forgets all but the last checkpoints, and a job that left its list has none to show: a curve through
    checkpoints grows, one of a result file stays, and nothing takes back what was read.
    """
    if known is None:
        return read
    skipped = known.skipped if read.skipped is None else read.skipped
    if not (read.checkpoints or read.points) and (known.checkpoints or known.points):
        return replace(known, is_final=read.is_final, remark=read.remark, skipped=skipped)
    points, source = read.points, read.source
    if source is not CurveSource.RESULTS and known.points:
        source = known.source
        points = known.points if source is CurveSource.RESULTS else thinned((*known.points, *read.points))
    return replace(
        read, checkpoints=read.checkpoints or known.checkpoints, points=points, source=source, skipped=skipped
    )


#: Points of a curve that are kept; more is not seen on a screen, and a job may have a hundred thousand steps.
MOST_POINTS = 300
#: Points at the end of an epoch that are all kept, as long as there are no more of them.
_MOST_EPOCHS = 100
LOSSES = ("valid_loss", "full_valid_loss")


def thinned(points: Iterable[CurvePoint]) -> tuple[CurvePoint, ...]:
    """At most `MOST_POINTS` of `points`, by step: the first, the last, the best, the ends of epochs, and even steps."""
    by_step: dict[int, CurvePoint] = {}
    for point in points:
        before = by_step.get(point.step)
        merged = point if before is None else CurvePoint(step=point.step, metrics={**before.metrics, **point.metrics})
        by_step[point.step] = merged
    ordered = [by_step[step] for step in sorted(by_step)]
    if len(ordered) <= MOST_POINTS:
        return tuple(ordered)
    kept = {0, len(ordered) - 1}
    for name in LOSSES:
        best = _best(ordered, name)
        kept |= set() if best is None else {best}
    epochs = [index for index, point in enumerate(ordered) if any(name.startswith("full_") for name in point.metrics)]
    if len(epochs) <= _MOST_EPOCHS:
        kept |= set(epochs)
    room = MOST_POINTS - len(kept)
    kept |= {round(number * (len(ordered) - 1) / room) for number in range(1, room)}
    return tuple(ordered[index] for index in sorted(kept))


def _best(points: Sequence[CurvePoint], name: str) -> int | None:
    """The first point with the lowest value of a metric."""
    with_it = [index for index, point in enumerate(points) if name in point.metrics]
    return min(with_it, key=lambda index: points[index].metrics[name], default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceKey:
    """Jobs that wait and run alike."""

    model: str  #: base model
    location: str
    training_type: str  #: in lower case; "" is standard
    method: str  #: in lower case: "supervised", "dpo", "reinforcement"; "" is unknown


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
