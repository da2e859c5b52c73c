"""Plots for pages, as SVG within the HTML: loss curves, calls by hour and day, phases of a job, bars to a deadline.

They are as wide as their place: all that lies along the width is in percent, so that text keeps its size on a phone.
Colours are classes of the page's sheet, so they follow light and dark, and each plot says in words what it shows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from watcher.report.render.drawing import scale

#: Widths are out of this in what is stretched.
_WIDE = 1000
_HEIGHT = 220
#: Above the plot, and below it where the steps or days stand.
_TOP, _FOOT = 16, 22
_BARS = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of a curve."""

    kind: str  #: class of the sheet: train, valid, full
    words: str
    points: tuple[tuple[float, float], ...]  #: step and value, by step
    is_dotted: bool = False  #: few points, each shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Measures over steps."""

    id: str
    title: str
    text: str  #: the same in words
    lines: tuple[Line, ...]
    best: tuple[float, str] | None = None  #: a step that is marked, and what it is
    worse_from: float | None = None  #: from here to the end it only gets worse
    kept: tuple[tuple[float, str], ...] = ()  #: checkpoints, each with what it is
    most: float | None = None  #: of the axis, where that is known: 1 of a share


def curve(plot: Curve) -> Markup:
    """The curve; empty where there is nothing to draw."""
    steps = [step for line in plot.lines for step, _ in line.points]
    values = [value for line in plot.lines for _, value in line.points]
    if not steps:
        return Markup("")
    first, last = min(steps), max(steps)
    span = last - first or 1
    top, each = scale(plot.most if plot.most is not None else max(*values, 0.01))
    floor = min(0.0, *values)

    def across(step: float) -> float:
        return (min(max(step, first), last) - first) / span

    def down(value: float) -> float:
        return _TOP + _HEIGHT * (1 - (value - floor) / ((top - floor) or 1))

    parts = []
    if plot.worse_from is not None:
        x = across(plot.worse_from)
        parts.append(_rect("worse", x, 1 - x, _TOP, _HEIGHT, "validation gets worse from here on"))
    for number in range(round(top / each) + 1):
        parts.append(_level(down(number * each), f"{number * each:,.10g}"))
    for line in plot.lines:
        places = [(across(step), down(value)) for step, value in line.points]
        if not line.is_dotted and len(places) > 1:
            parts.append(_path(line.kind, places))
        else:
            parts += [
                _dot(line.kind, x, y, f"{line.words} at step {step:g}: {value:.4g}")
                for (x, y), (step, value) in zip(places, line.points, strict=True)
            ]
    for step, words in plot.kept:
        parts.append(_flag("kept", across(step), words))
    if plot.best is not None:
        step, words = plot.best
        parts.append(_upright("best", across(step), _TOP, _HEIGHT, words))
    parts += _foot([(across(step), f"{step:g}") for step in _marks(first, last)], _TOP + _HEIGHT + 16)
    return _whole(plot.id, plot.title, plot.text, _TOP + _HEIGHT + _FOOT, parts)


def _marks(first: float, last: float) -> list[float]:
    """The ends, and a few round steps between them."""
    _, each = scale(last - first or 1)
    each = max(each, 1)
    between = [number * each for number in range(int(first // each) + 1, int(last // each) + 1)]
    margin = (last - first) * 0.09
    return [
        first,
        *(step for step in between if first + margin < step < last - margin),
        *([last] if last > first else []),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One hour or day of calls."""

    words: str  #: what stands beside it on hover: "21 Nov, 12 calls"
    label: str = ""  #: below it; "": none
    parts: tuple[tuple[str, float], ...] = ()  #: class and height, from the bottom up
    is_unread: bool = False  #: whether there were calls is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Counts over time."""

    id: str
    title: str
    text: str
    columns: tuple[Column, ...]


def columns(plot: Columns) -> Markup:
    """Bars side by side; what was not read is hatched over its whole height, so that it never looks like nothing."""
    count = len(plot.columns)
    if not count:
        return Markup("")
    top, each = scale(max((sum(height for _, height in one.parts) for one in plot.columns), default=0) or 1)
    each = max(each, 1.0)
    top = max(top, each)
    parts = [_level(_TOP + _BARS * (1 - value / top), f"{value:,.10g}") for value in (0, top)]
    wide = 1 / count
    gap = wide * (0.2 if count <= 60 else 0.08)
    for number, one in enumerate(plot.columns):
        x, low = number * wide + gap / 2, float(_TOP + _BARS)
        if one.is_unread:
            parts.append(_rect("unread", x, wide - gap, _TOP, _BARS, one.words))
        for kind, height in one.parts:
            tall = _BARS * height / top
            if height > 0:
                tall = max(tall, 1.5)
                low -= tall
                parts.append(_rect(kind, x, wide - gap, low, tall, one.words))
        if not one.is_unread and not any(height for _, height in one.parts):
            parts.append(_rect("none", x, wide - gap, _TOP, _BARS, one.words))
    labels = [((number + 0.5) * wide, one.label) for number, one in enumerate(plot.columns) if one.label]
    parts += _foot(labels, _TOP + _BARS + 16)
    return _whole(plot.id, plot.title, plot.text, _TOP + _BARS + _FOOT, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of time in one state."""

    kind: str  #: class of the sheet
    words: str
    length: float  #: in any unit


def phases(id: str, title: str, text: str, stretches: Sequence[Phase]) -> Markup:
    """One bar, divided by time; the shortest stretch can still be seen."""
    whole = sum(one.length for one in stretches)
    if whole <= 0:
        return Markup("")
    shares = [max(one.length / whole, 0.012) for one in stretches]
    parts, x = [], 0.0
    for one, share in zip(stretches, shares, strict=True):
        wide = share / sum(shares)
        parts.append(_rect(f"phase {one.kind}", x, max(wide - 0.002, 0.001), 0, 22, one.words))
        x += wide
    return _whole(id, title, text, 22, parts)


def deadline_bar(words: str, done: float, *, kind: str, latest: float | None = None) -> Markup:
    """How much of its time is over, out of 1; the time between the earliest and the latest end is hatched.

    Args:
        latest: Where the earliest end lies on the way to the latest one, out of 1; `None`: they are one.
    """
    full = 1.0 if latest is None else min(max(latest, 0.05), 1.0)
    parts = [_rect("track", 0, 1, 0, 10), _rect(f"over {kind}", 0, min(max(done, 0.0), 1.0) * full, 0, 10)]
    if latest is not None and full < 1:
        parts.append(_rect("maybe", full, 1 - full, 0, 10))
    return _small(words, parts)


def pace_bar(words: str, seconds: float, usual: tuple[float, float] | None, *, is_late: bool) -> Markup:
    """How long something has lasted, against the span in which most others ended."""
    most = max(seconds, usual[1] if usual else 0.0) * 1.1 or 1.0
    parts = [_rect("track", 0, 1, 0, 10)]
    if usual is not None:
        low, high = usual[0] / most, usual[1] / most
        parts.append(_rect("usual", low, max(high - low, 0.01), 0, 10))
    kind = "warning" if is_late else "info" if usual else "unknown"
    parts.append(_rect(f"over {kind}", 0, seconds / most, 3, 4))
    return _small(words, parts)


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """What the classes mean: a list for below a plot."""
    items = [
        Markup('<li><svg class="plot swatch" width="14" height="10" aria-hidden="true">{}</svg> {}</li>').format(
            Markup('<rect class="{}" width="14" height="10"/>').format(kind), words
        )
        for kind, words in entries
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _whole(id: str, title: str, text: str, height: float, parts: Iterable[Markup]) -> Markup:
    return Markup(
        '<svg class="plot" width="100%" height="{}" role="img" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(_n(height), id, id, id, title, id, text, Markup("").join(parts))


def _small(words: str, parts: Iterable[Markup]) -> Markup:
    return Markup('<svg class="plot small" width="100%" height="10" role="img" aria-label="{}">{}</svg>').format(
        words, Markup("").join(parts)
    )


def _rect(kind: str, x: float, wide: float, y: float, height: float, words: str = "") -> Markup:
    said = Markup("<title>{}</title>").format(words) if words else ""
    return Markup('<rect class="{}" x="{}%" width="{}%" y="{}" height="{}">{}</rect>').format(
        kind, _n(x * 100), _n(max(wide, 0) * 100), _n(y), _n(height), said
    )


def _level(y: float, label: str) -> Markup:
    """A line across, with its value above its left end."""
    return Markup(
        '<line class="grid" x1="0" x2="100%" y1="{}" y2="{}"/><text class="dim" x="0" y="{}">{}</text>'
    ).format(_n(y), _n(y), _n(y - 3), label)


def _path(kind: str, places: Sequence[tuple[float, float]]) -> Markup:
    """A line; stretched across, with a stroke that is not. Of points that share a place one is drawn."""
    kept = [places[0], *(after for before, after in pairwise(places) if after != before)]
    points = " ".join(f"{_n(x * _WIDE)},{_n(y)}" for x, y in kept)
    height = _TOP + _HEIGHT + _FOOT
    return Markup(
        '<svg x="0" y="0" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<polyline class="{}" points="{}" vector-effect="non-scaling-stroke"/></svg>'
    ).format(height, _WIDE, height, kind, points)


def _dot(kind: str, x: float, y: float, words: str) -> Markup:
    return Markup('<circle class="{}" cx="{}%" cy="{}" r="3.5"><title>{}</title></circle>').format(
        kind, _n(x * 100), _n(y), words
    )


def _upright(kind: str, x: float, y: float, height: float, words: str) -> Markup:
    """A line from top to bottom, with what it is beside its top, on the side where there is room."""
    anchor, dx = ("end", "-4") if x > 0.6 else ("start", "4")
    return Markup(
        '<line class="{}" x1="{}%" x2="{}%" y1="{}" y2="{}"/>'
        '<text class="ink" x="{}%" dx="{}" y="11" text-anchor="{}">{}</text>'
    ).format(kind, _n(x * 100), _n(x * 100), _n(y), _n(y + height), _n(x * 100), dx, anchor, words)


def _flag(kind: str, x: float, words: str) -> Markup:
    """A mark on the floor of the plot."""
    return Markup('<circle class="{}" cx="{}%" cy="{}" r="5"><title>{}</title></circle>').format(
        kind, _n(x * 100), _TOP + _HEIGHT, words
    )


def _foot(labels: Sequence[tuple[float, str]], y: float) -> list[Markup]:
    return [
        Markup('<text class="dim" x="{}%" y="{}" text-anchor="{}">{}</text>').format(
            _n(x * 100), _n(y), "start" if x < 0.04 else "end" if x > 0.96 else "middle", text
        )
        for x, text in labels
    ]


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
