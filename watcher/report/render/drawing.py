"""A chart as SVG within the page: text that can be read aloud, and patterns beside colours.

Colours and patterns come from the page (`fill-used`, `line`, `ink`), so that they follow light, dark and print. Numbers
of coordinates are rounded, so that the same chart is the same bytes.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from markupsafe import Markup, escape

from watcher.costs.uses import State
from watcher.report.charts import STATE_WORDS, Bar, ChartData

WIDTH = 560
_LEFT, _RIGHT, _TOP = 76, 8, 14
_PLOT = 170
_NAMES = 150
#: So many letters of a name are never wider than that.
_FITTING = 16
_ROW = 18
_HEAD = 18
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FILLS = {words: state.value for state, words in STATE_WORDS.items()}


def svg(chart: ChartData) -> Markup:
    """The picture."""
    draw = _stacked if chart.kind == "days" else _timeline
    parts, height = draw(chart)
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-desc" class="chart-{}">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(
        *(WIDTH, height, chart.kind, chart.kind, chart.kind),
        *(chart.kind, chart.title, chart.kind, chart.alt, Markup("").join(parts)),
    )


def legend(chart: ChartData) -> tuple[tuple[str, str], ...]:
    """What the fills mean: class and words, in the order of the stack."""
    if chart.kind == "days":
        return tuple((_FILLS[name], f"{name} {told}") for (name, _), told in zip(chart.series, chart.sums, strict=True))
    used = {state for bar in chart.bars for state in bar.states}
    return tuple((state.value, STATE_WORDS[state]) for state in State if state.value in used)


def _rect(fill: str, x: float, y: float, width: float, height: float, title: str = "") -> Markup:
    shown = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<rect class="fill-{}" x="{}" y="{}" width="{}" height="{}">{}</rect>').format(
        fill, _n(x), _n(y), _n(width), _n(height), shown
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "ink") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, _n(x), _n(y), anchor, escape(text)
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "line") -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, _n(x1), _n(y1), _n(x2), _n(y2))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _stacked(chart: ChartData) -> tuple[list[Markup], int]:
    """Bars by day, one piece for each use, with a scale of round numbers."""
    sums = [sum(values) for values in zip(*(values for _, values in chart.series), strict=True)]
    top, step = scale(max(sums))
    base = _TOP + _PLOT
    parts = []
    for number in range(round(top / step) + 1):
        y = base - _PLOT * number * step / top
        parts += [_line(_LEFT, y, WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, f"{number * step:,.10g}", "end", "dim")]
    wide = (WIDTH - _LEFT - _RIGHT) / len(chart.days)
    every = label_step(len(chart.days))
    for place, day in enumerate(chart.days):
        x, low = _LEFT + place * wide, float(base)
        for (name, values), costs in zip(chart.series, chart.costs, strict=True):
            high = _PLOT * values[place] / top
            if high > 0:
                low -= high
                said = f"{day}, {name}: {costs[place]}"
                parts.append(_rect(_FILLS[name], x + wide * 0.12, low, wide * 0.76, high, said))
        if place % every == 0:
            parts.append(_text(x + wide / 2, base + 18, day_label(day), "middle", "dim"))
    return parts, base + 28


def scale(most: float) -> tuple[float, float]:
    """The top of an axis that holds `most`, and the step between its lines: 1, 2 or 5 times a power of ten."""
    step = 0.01
    while True:
        for factor in (1, 2, 5):
            if step * factor * 5 >= most:
                lines = -(-most // (step * factor))
                return max(lines, 1) * step * factor, step * factor
        step *= 10


def label_step(count: int) -> int:
    """Every how many days one is named, so that names do not touch."""
    return 1 if count <= 8 else 2 if count <= 14 else 5 if count <= 45 else 14


def day_label(day: str) -> str:
    """`22 Nov`."""
    at = date.fromisoformat(day)
    return f"{at.day} {_MONTHS[at.month - 1]}"


def name_label(name: str) -> str:
    """`name` as it fits beside its row, also in a wide face; its end, which tells versions apart, stays.

    An account before it gets as much room of its own.
    """
    return "/".join(
        part if len(part) <= _FITTING else f"{part[: _FITTING - 9]}…{part[-8:]}" for part in name.split("/", 1)
    )


def _timeline(chart: ChartData) -> tuple[list[Markup], int]:
    """A row for each deployment: a cell a day with a bar for its calls, and a diamond at its deadline."""
    known = len(chart.days)
    names = _NAMES * 9 // 5 if any("/" in bar.label for bar in chart.bars) else _NAMES
    length = known + chart.ahead
    wide = (WIDTH - names - _RIGHT) / length
    base = _HEAD + _ROW * len(chart.bars)
    parts = []
    every = label_step(round(length * 1.5))
    for place in range((known - 1) % every, known, every):
        parts.append(_text(names + place * wide, base + 16, day_label(chart.days[place]), "start", "dim"))
    for number, bar in enumerate(chart.bars):
        y = _HEAD + number * _ROW
        parts.append(_text(names - 8, y + 12, name_label(bar.label), "end"))
        parts += _cells(chart, bar, y, wide, names)
        if bar.is_overdue:
            parts.append(_text(WIDTH - _RIGHT, y + 12, "overdue", "end", "dim"))
        elif bar.deadline is not None and chart.is_marked(bar):
            parts.append(_diamond(names + bar.deadline * wide, y + _ROW / 2 - 2))
        elif bar.deadline is not None and chart.is_later(bar):
            due = date.fromisoformat(chart.days[0]) + timedelta(days=int(bar.deadline))
            parts.append(_text(WIDTH - _RIGHT, y + 12, f"{day_label(due.isoformat())} →", "end", "dim"))
    if not chart.ahead:
        return parts, base + 24
    now = names + known * wide
    parts += [_line(now, 0, now, base + 2, "now"), _text(now + 4, 10, "to come", "start", "dim")]
    parts.append(_text(WIDTH - _RIGHT, base + 16, day_label(chart.last_day), "end", "dim"))
    return parts, base + 24


def _cells(chart: ChartData, bar: Bar, y: float, wide: float, names: float) -> Iterator[Markup]:
    most = max(bar.calls, default=0)
    for place, (state, calls) in enumerate(zip(bar.states, bar.calls, strict=True)):
        if not state:
            continue
        said = f"{chart.days[place]}: {STATE_WORDS[State(state)]}, {calls:,.0f} calls"
        x = names + place * wide
        yield _rect(state, x + 0.5, y, wide - 1, _ROW - 4, said)
        if most and calls:
            high = (_ROW - 4) * (0.15 + 0.75 * calls / most)
            yield _rect("calls", x + wide * 0.36, y + _ROW - 4 - high, wide * 0.28, high)


def _diamond(x: float, y: float) -> Markup:
    points = " ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in ((0, -6), (6, 0), (0, 6), (-6, 0)))
    return Markup('<polygon class="deadline" points="{}"/>').format(points)
