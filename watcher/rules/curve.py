"""Where a training curve was best, and whether it shows overfitting: arithmetic on points, without words.

Validation was best somewhere and is worse since, while training still gains. Two things could pretend that: the noise
of a loss that is measured on one batch, and a rise that is none. So a curve is smoothed before its best is sought, and
where it is measured on batches, what follows the best must rise as a whole (Kendall's rank test), not at its end only.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from watcher.resources.training import CurvePoint

#: What counts as worse, and over how many validation points, where nobody says otherwise.
RISE = 0.1
LEAST_POINTS = 3
#: Below this share of all steps, what follows the best is no trend.
_LEAST_SHARE = 0.2
#: Fewer points over the whole validation set are not read as a curve of their own.
_FULL_POINTS = 3
#: How sure a rise of noisy points must be, in standard deviations; a few points never get there by order alone, so
#: that many in almost perfect order suffice too.
_SURE = 4.0
_FEW_POINTS = 6
_ALMOST_IN_ORDER = 0.9
#: A window of the smoothing covers a tenth of the points.
_WINDOWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measure of training with those of validation, by the names of `CurvePoint.metrics`."""

    noun: str  #: as a sentence says it
    train: str
    full: str  #: over the whole validation set, at the end of an epoch
    batch: str  #: over one batch of it: noisy
    is_better_high: bool = False


LOSS = Metric(noun="loss", train="train_loss", full="full_valid_loss", batch="valid_loss")
REWARD = Metric(
    noun="reward", train="train_reward", full="full_valid_reward", batch="valid_reward", is_better_high=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Where validation was best. There is no other word on that: rules, commands and pages all ask for this one."""

    metric: Metric
    step: int
    value: float  #: as measured there
    until: int  #: the last step that is as good as that one, as finely as the curve tells
    is_smoothed: bool  #: measured on batches, so that a single one says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """Where validation parted from training."""

    of: Best
    last_step: int
    last: float  #: of validation, smoothed, at its end
    worse_by: float  #: share of the best: 0.1 is 10 %
    train_at_best: float  #: smoothed, as is the next
    train_last: float
    points: int  #: of validation, from the best on

    @property
    def metric(self) -> Metric:
        return self.of.metric

    @property
    def best_step(self) -> int:
        return self.of.step

    @property
    def best(self) -> float:
        """Of validation, as measured at `best_step`."""
        return self.of.value


#: Step and value, by step.
Series = Sequence[tuple[int, float]]


def best(points: Iterable[CurvePoint], *, least_points: int = LEAST_POINTS) -> Best | None:
    """Where validation was best, or `None`: too little of it is known.

    Args:
        points: In any order; what is not a finite number is passed over.
        least_points: So many of validation say something.
    """
    valid = _Validation.of(_by_step(points))
    return valid.best if len(valid.series) >= least_points else None


def parting(points: Iterable[CurvePoint], *, rise: float, least_points: int) -> Parting | None:
    """Where validation parted from training, or `None`: it did not, or cannot be said.

    Args:
        points: As for `best`.
        rise: By which share of its best the validation must have become worse; 0.1 is 10 %.
        least_points: How many validation points that must span, the best included.
    """
    ordered = _by_step(points)
    if len(ordered) < least_points:  # as of every job that has just begun, at each poll
        return None
    valid = _Validation.of(ordered)
    train = _series(ordered, valid.metric.train)
    if not train or len(valid.series) < least_points:
        return None
    sign, values, smooth, lowest = valid.sign, valid.values, valid.smooth, valid.lowest
    after = values[lowest + 1 :]
    last_step = valid.series[-1][0]
    at = valid.best
    if len(after) + 1 < least_points or last_step - at.step < _LEAST_SHARE * last_step:
        return None
    scale = abs(smooth[lowest]) or max(values) - min(values)
    worse_by = (smooth[-1] - smooth[lowest]) / scale if scale else 0.0
    if worse_by < rise or not (not valid.is_noisy or _rises(after)):
        return None
    train_smooth = _smoothed([sign * value for _, value in train], is_noisy=valid.is_noisy)
    at_best = next((i for i, (step, _) in reversed([*enumerate(train)]) if step <= at.step), 0)
    if train_smooth[-1] >= train_smooth[at_best]:
        return None
    return Parting(
        of=at,
        last_step=last_step,
        last=sign * smooth[-1],
        worse_by=worse_by,
        train_at_best=sign * train_smooth[at_best],
        train_last=sign * train_smooth[-1],
        points=len(after) + 1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Validation:
    """The series of validation that tells, turned so that less is better."""

    metric: Metric
    series: Series
    is_noisy: bool
    values: Sequence[float]
    smooth: Sequence[float]

    @classmethod
    def of(cls, ordered: Sequence[CurvePoint]) -> "_Validation":
        metric = REWARD if any(REWARD.full in p.metrics or REWARD.batch in p.metrics for p in ordered) else LOSS
        full = _series(ordered, metric.full)
        is_noisy = len(full) < _FULL_POINTS
        series = _series(ordered, metric.batch) if is_noisy else full
        sign = -1.0 if metric.is_better_high else 1.0
        values = [sign * value for _, value in series]
        return cls(
            metric=metric,
            series=series,
            is_noisy=is_noisy,
            values=values,
            smooth=_smoothed(values, is_noisy=is_noisy),
        )

    @property
    def sign(self) -> float:
        return -1.0 if self.metric.is_better_high else 1.0

    @property
    def lowest(self) -> int:
        """Where in the series it is best."""
        return _best(self.values, self.smooth, is_noisy=self.is_noisy)

    @property
    def best(self) -> Best:
        """Of a series that is not empty."""
        at = self.lowest
        step, value = self.series[at]
        until = self.series[min(at + len(self.series) // _WINDOWS, len(self.series) - 1)][0]
        return Best(metric=self.metric, step=step, value=value, until=until, is_smoothed=self.is_noisy)


def _by_step(points: Iterable[CurvePoint]) -> list[CurvePoint]:
    return sorted(points, key=attrgetter("step"))


def _series(points: Iterable[CurvePoint], name: str) -> Series:
    found = {p.step: p.metrics[name] for p in points if name in p.metrics and math.isfinite(p.metrics[name])}
    return tuple(found.items())


def _reach(values: Sequence[float], *, is_noisy: bool) -> int:
    """How many neighbours on each side a smoothed point looks at; those of a whole set are few and true."""
    return max(1, len(values) // _WINDOWS) if is_noisy else len(values) // _WINDOWS


def _smoothed(values: Sequence[float], *, is_noisy: bool) -> list[float]:
    """Running medians, which a single wild batch does not move."""
    reach = _reach(values, is_noisy=is_noisy)
    window = sorted(values[:reach])
    medians = []
    for i in range(len(values)):
        if i + reach < len(values):
            insort(window, values[i + reach])
        if i - reach - 1 >= 0:
            del window[bisect_left(window, values[i - reach - 1])]
        middle = len(window) // 2
        medians.append(window[middle] if len(window) % 2 else (window[middle - 1] + window[middle]) / 2)
    return medians


def _best(values: Sequence[float], smooth: Sequence[float], *, is_noisy: bool) -> int:
    """The lowest point within the window whose median is lowest."""
    reach = _reach(values, is_noisy=is_noisy)
    lowest = min(range(len(smooth)), key=lambda i: smooth[i])
    return min(range(max(0, lowest - reach), min(len(values), lowest + reach + 1)), key=lambda i: values[i])


def _rises(values: Sequence[float]) -> bool:
    """Whether the values rise from first to last, by Kendall's S: the pairs in rising order less those in falling."""
    count, rising = len(values), 0
    earlier: list[float] = []
    for value in values:
        rising += bisect_left(earlier, value) - (len(earlier) - bisect_right(earlier, value))
        insort(earlier, value)
    if count >= _FEW_POINTS and rising >= _ALMOST_IN_ORDER * count * (count - 1) / 2:
        return True
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)  # of values in no order at all
    return rising > 0 and rising - 1 >= _SURE * deviation
