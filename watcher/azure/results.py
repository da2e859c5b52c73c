"""A job's result file and its checkpoints → its curve, under one spelling. Pure.

Source: the how-to page on fine-tuning (columns of results.csv: `validation_…` there, `valid_…` in checkpoints) and
older pages of the same. Steps that no validation was run for have empty cells; a loss or an accuracy below zero is no
measurement, and is left out too.
"""

import math
from collections.abc import Iterable, Mapping

from watcher.errors import MalformedError
from watcher.resources.fine_tuning import Checkpoint
from watcher.resources.training import LOSSES, METRICS, CurvePoint, thinned

#: Points held while a file is read.
_HELD = 20_000
_MOST_STEP = 2**53

_SPELLINGS = {spelling: name for name, spellings in METRICS.items() for spelling in (*spellings, name)}
_STEP = "step"


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


class _Curve:
    """Points as they are read, never more than `_HELD` of them: then every second one goes, the best ones excepted."""

    def __init__(self) -> None:
        self._points: list[CurvePoint] = []
        self._best: dict[str, CurvePoint] = {}
        self._stride = 1
        self._seen = 0
        self._last: CurvePoint | None = None

    def add(self, point: CurvePoint) -> None:
        for name in LOSSES:
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
