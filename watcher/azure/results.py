"""A job's result file and its checkpoints → its curve, under one spelling; and what its log says was left out. Pure.

Source: the how-to page on fine-tuning (columns of results.csv: `validation_…` there, `valid_…` in checkpoints) and
older pages of the same. Steps that no validation was run for have empty cells; a loss or an accuracy below zero is no
measurement, and is left out too.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from watcher.errors import MalformedError
from watcher.resources.fine_tuning import Checkpoint, JobEvent
from watcher.resources.training import METRICS, CurvePoint

#: Points of a curve that are kept; more is not seen on a screen, and a job may have a hundred thousand steps.
MOST_POINTS = 300
#: Points at the end of an epoch that are all kept, as long as there are no more of them.
_MOST_EPOCHS = 100
#: Points held while a file is read.
_HELD = 20_000
_MOST_STEP = 2**53

_SPELLINGS = {spelling: name for name, spellings in METRICS.items() for spelling in (*spellings, name)}
_STEP = "step"
_LOSSES = ("valid_loss", "full_valid_loss")


def decode_results(body: bytes) -> tuple[CurvePoint, ...]:
    """The curve in a `results.csv`, by step, thinned to `MOST_POINTS`; rows that make no sense are left out.

    Raises:
        MalformedError: this is no such file: its first line names no column `step`, or no metric that we know.
    """
    lines = iter(body.decode("utf-8-sig", "replace").splitlines())
    head = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=head.count)
    names = [cell.lower() for cell in _cells(head, delimiter)]
    columns = [_SPELLINGS.get(name, "") for name in names]
    if _STEP not in names or not any(columns):
        raise MalformedError("the result file has no column `step` beside a metric: it is no results.csv")
    at = names.index(_STEP)
    curve = _Curve()
    for line in lines:
        cells = _cells(line, delimiter)
        step = _step(cells[at]) if len(cells) > at else None
        if step is None:
            continue
        metrics: dict[str, float] = {}
        for name, cell in zip(columns, cells, strict=False):
            value = _number(cell) if name and name not in metrics else None
            if value is not None and (value >= 0 or not name.endswith(("_loss", "_accuracy"))):
                metrics[name] = value
        if metrics:
            curve.add(CurvePoint(step=step, metrics=metrics))
    return curve.points()


def points_of(checkpoints: Iterable[Checkpoint]) -> tuple[CurvePoint, ...]:
    """The curve through a job's checkpoints, by step."""
    points = (CurvePoint(step=one.step, metrics=spelt(one.metrics)) for one in checkpoints)
    return thinned([point for point in points if point.metrics])


def spelt(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that we know, under our spelling; what is no number is left out."""
    found: dict[str, float] = {}
    for spelling, value in metrics.items():
        name = _SPELLINGS.get(spelling.lower())
        if name is not None and name not in found and math.isfinite(value):
            found[name] = value
    return found


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
    for name in _LOSSES:
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


class _Curve:
    """Points as they are read, never more than `_HELD` of them: then every second one goes, the best ones excepted."""

    def __init__(self) -> None:
        self._points: list[CurvePoint] = []
        self._best: dict[str, CurvePoint] = {}
        self._stride = 1
        self._seen = 0
        self._last: CurvePoint | None = None

    def add(self, point: CurvePoint) -> None:
        for name in _LOSSES:
            if name in point.metrics and (
                name not in self._best or point.metrics[name] < self._best[name].metrics[name]
            ):
                self._best[name] = point
        self._last = point
        if self._seen % self._stride == 0 or any(name.startswith("full_") for name in point.metrics):
            self._points.append(point)
        self._seen += 1
        if len(self._points) >= _HELD:
            self._points = self._points[::2]
            self._stride *= 2

    def points(self) -> tuple[CurvePoint, ...]:
        last = () if self._last is None else (self._last,)
        return thinned((*self._points, *self._best.values(), *last))


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line. Numbers need no quotes, so that none is taken to run over the line's end."""
    return [cell.strip().strip('"').strip() for cell in line.split(delimiter)]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _step(cell: str) -> int | None:
    value = _number(cell)
    return int(value) if value is not None and 0 <= value <= _MOST_STEP and value == int(value) else None


#: Assumed: no source shows the words. A number, what it counts, and that it was left out, in either order.
_COUNTED = (
    r"(?<![\d.,])(\d[\d,]*)(?:\s*(?:of|out of|/)\s*(?:the\s+)?\d[\d,]*)?(?:\s+\w+){0,2}?"
    r"\s+(?:image|example|sample|row|line)(?:s\b|\(s\)|\b)"
)
_LEFT_OUT = r"(?:skipp|ignor|dropp|omitt|exclud|discard|left out|filtered)"
_BETWEEN = r"(?:\s+(?:of|in|from|the|your|training|validation|set|file|data|were|was|have|has|been|are|is|will|be))"
_SKIPPED = (
    re.compile(rf"{_COUNTED}{_BETWEEN}{{0,8}}\s+{_LEFT_OUT}", re.IGNORECASE),
    re.compile(rf"\b{_LEFT_OUT}\w*[:\s]\s*(?:\w+\s+){{0,2}}?{_COUNTED}", re.IGNORECASE),
)


def skipped_of(events: Iterable[JobEvent]) -> int | None:
    """How many examples or images the log says were left out of the training; `None`: it does not say.

    The largest number of any one line: whether several lines add up, no source tells, and too little is claimed rather
    than too much.
    """
    found: int | None = None
    for event in events:
        if event.type == "metrics":
            continue
        for pattern in _SKIPPED:
            for match in pattern.finditer(event.message[:2000]):
                found = max(found or 0, int(match.group(1).replace(",", "")[:15]))
    return found
