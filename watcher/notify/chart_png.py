"""Charts as PNG for mails, by matplotlib where it is installed (the extra `charts`); without it there are none.

Takes plain numbers. Draws on figures of its own, never through `pyplot`, whose state is shared by threads: a picture
takes some tenths of a second and belongs in a worker's thread.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Twice the width at which a mail shows it, for sharp screens.
_DPI = 160
_INCHES = 7.5
_INK, _DIM, _LINE = "#111827", "#4b5563", "#e5e7eb"
#: Colour and hatch of each use; the same as on the page.
_FILLS = {
    "used": ("#2563eb", ""),
    "trickle": ("#b45309", ".."),
    "idle": ("#b91c1c", "////"),
    "unknown": ("#6b7280", "++"),
}
_WORDS = {"used": "used", "a trickle of calls": "trickle", "idle": "idle", "calls not read": "unknown"}
_MOST_LABELS = 8
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Row(Protocol):
    """One deployment of a timeline."""

    @property
    def label(self) -> str: ...
    @property
    def states(self) -> Sequence[str]: ...
    @property
    def calls(self) -> Sequence[float]: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def is_overdue(self) -> bool: ...


class Chart(Protocol):
    """What is drawn: money by day and use (`series`), or a timeline (`bars`)."""

    @property
    def kind(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def days(self) -> Sequence[str]: ...
    @property
    def series(self) -> Sequence[tuple[str, Sequence[float]]]: ...
    @property
    def bars(self) -> Sequence[Row]: ...
    @property
    def ahead(self) -> int: ...


def can_draw() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def png(chart: Chart) -> bytes | None:
    """The picture; `None` without matplotlib. The same chart is the same bytes, by the same version of it."""
    if not can_draw():
        return None
    from matplotlib.figure import Figure  # heavy, and not there in every installation

    figure = Figure(dpi=_DPI, layout="constrained", facecolor="white")
    (_days if chart.kind == "days" else _timeline)(figure, chart)
    out = BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _days(figure: "Figure", chart: Chart) -> None:
    figure.set_size_inches(_INCHES, 3.2)
    axes = _axes(figure)
    below = [0.0] * len(chart.days)
    for name, values in chart.series:
        colour, hatch = _FILLS[_WORDS.get(name, "unknown")]
        axes.bar(range(len(values)), values, bottom=below, width=0.76, label=name, **_style(colour, hatch))
        below = [low + value for low, value in zip(below, values, strict=True)]
    _name_days(axes, chart.days, middle=0.0, most=_MOST_LABELS)
    axes.set_ylabel(chart.unit, color=_DIM)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y", color=_LINE)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower left", ncols=4, frameon=False, labelcolor=_INK, fontsize=9)


def _timeline(figure: "Figure", chart: Chart) -> None:
    from matplotlib.lines import Line2D  # as above
    from matplotlib.patches import Patch

    figure.set_size_inches(_INCHES, 1.1 + 0.24 * len(chart.bars))
    axes = _axes(figure)
    known, seen = len(chart.days), set[str]()
    for number, bar in enumerate(chart.bars):
        most = max(bar.calls, default=0)
        for place, (state, calls) in enumerate(zip(bar.states, bar.calls, strict=True)):
            if not state:
                continue
            seen.add(state)
            colour, hatch = _FILLS[state]
            axes.barh(number, 0.94, left=place + 0.03, height=0.74, **_style(colour, hatch))
            if most and calls:
                high = 0.74 * (0.15 + 0.75 * calls / most)
                axes.bar(place + 0.5, -high, bottom=number + 0.37, width=0.28, color="#0b1f4d")
    length, has_diamonds = known + chart.ahead, False
    for number, bar in enumerate(chart.bars):
        if bar.is_overdue:
            axes.text(length, number, "overdue", ha="right", va="center", color=_DIM, fontsize=8)
        elif bar.deadline is not None and 0 <= bar.deadline < length - 0.5:
            axes.plot(bar.deadline, number, marker="D", color=_INK, markersize=5)
            has_diamonds = True
        elif bar.deadline is not None and bar.deadline > 0:
            due = date.fromisoformat(chart.days[0]) + timedelta(days=int(bar.deadline))
            axes.text(length, number, f"{_day(due.isoformat())} →", ha="right", va="center", color=_DIM, fontsize=8)
    axes.set_xlim(0, length)
    axes.set_ylim(len(chart.bars) - 0.4, -0.6)
    axes.set_yticks(range(len(chart.bars)), [_literal(bar.label) for bar in chart.bars], fontsize=8, color=_INK)
    axes.axvline(known, color=_DIM, linestyle="--", linewidth=1)
    _name_days(axes, chart.days, middle=0.5, most=max(round(_MOST_LABELS * known / length), 1))
    if chart.ahead:
        last = date.fromisoformat(chart.days[-1]) + timedelta(days=chart.ahead)
        axes.set_xticks([*axes.get_xticks(), length - 0.5], [*axes.get_xticklabels(), _day(last.isoformat())])
    handles: list[Any] = [
        Patch(label=words, **_style(*_FILLS[state])) for words, state in _WORDS.items() if state in seen
    ]
    if has_diamonds:
        handles.append(
            Line2D(
                [], [], marker="D", color=_INK, linestyle="", markersize=5, label="Azure deletes it, at the earliest"
            )
        )
    figure.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False, labelcolor=_INK, fontsize=9)


def _style(colour: str, hatch: str) -> dict[str, Any]:
    """Filled, or hatched in the colour."""
    if not hatch:
        return {"color": colour}
    return {"facecolor": "white", "edgecolor": colour, "hatch": hatch, "linewidth": 0.8, "hatch_linewidth": 1.6}


def _axes(figure: "Figure") -> Any:
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_LINE)
    axes.tick_params(colors=_DIM, labelsize=9, length=0)
    return axes


def _name_days(axes: Any, days: Sequence[str], *, middle: float, most: int) -> None:
    places = range(0, len(days), max(-(-len(days) // most), 1))
    axes.set_xticks([place + middle for place in places], [_day(days[place]) for place in places])


def _day(day: str) -> str:
    """`22 Nov`."""
    at = date.fromisoformat(day)
    return f"{at.day} {_MONTHS[at.month - 1]}"


def _literal(name: str) -> str:
    """`name` as matplotlib can draw it: two `$` would begin mathematics, and its font lacks some scripts."""
    from matplotlib.font_manager import findfont, get_font  # as above

    font = get_font(findfont("DejaVu Sans"))
    return "".join(char if font.get_char_index(ord(char)) else "□" for char in name).replace("$", r"\$")
