"""Plots: nothing outside the picture, everything escaped, and unknown never looks like nothing."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from watcher.report import plots
from watcher.report.plots import Column, Columns, Curve, Line, Phase

HOSTILE = '</title><script>alert(1)</script>" onload="x'
NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
POINTS = st.lists(st.tuples(st.integers(0, 100_000).map(float), NUMBERS), min_size=1, max_size=30).map(
    lambda points: tuple(sorted(points))
)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def shares(svg: str) -> list[float]:
    """All that lies along the width, in percent."""
    return [float(found) for found in re.findall(r'"(-?[0-9.]+)%"', svg)]


def simple(points: tuple[tuple[float, float], ...], **changes: object) -> Curve:
    line = Line(kind="train", words="training", points=points)
    return Curve(**{"id": "loss", "title": "Loss", "text": "words", "lines": (line,), **changes})  # type: ignore[arg-type]


@given(POINTS, st.floats(0, 200_000), st.booleans())
def test_a_curve_stays_in_its_picture(points: tuple[tuple[float, float], ...], mark: float, is_dotted: bool) -> None:
    line = Line(kind="valid", words="validation", points=points, is_dotted=is_dotted)
    svg = plots.curve(simple(points, lines=(line,), best=(mark, "best"), worse_from=mark, kept=((mark, "checkpoint"),)))
    root = parsed(svg)
    height = float(root.attrib["height"])
    assert all(0 <= share <= 100 for share in shares(svg))
    drawn = root.iter()
    for one in drawn:
        for name in ("y", "y1", "y2", "cy"):
            assert -1 <= float(one.attrib.get(name, "0")) <= height
    for line_ in re.findall(r'points="([^"]*)"', svg):
        for pair in line_.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 1000 and -1 <= y <= height


def test_lower_values_lie_lower_and_later_steps_to_the_right() -> None:
    svg = plots.curve(simple(((1.0, 2.0), (5.0, 1.0), (11.0, 0.5))))
    (pairs,) = re.findall(r'points="([^"]*)"', svg)
    xs, ys = zip(*(map(float, pair.split(",")) for pair in pairs.split()), strict=True)
    assert list(xs) == [0, 400, 1000]
    assert list(ys) == sorted(ys), "y grows downwards"


def test_what_is_foreign_is_text() -> None:
    points = ((1.0, 1.0), (2.0, 1.0))
    dotted = Line(kind="full", words=HOSTILE, points=points, is_dotted=True)
    drawn = (
        plots.curve(simple(points, title=HOSTILE, text=HOSTILE, best=(1.0, HOSTILE), kept=((2.0, HOSTILE),))),
        plots.curve(simple(points, lines=(dotted,))),
        plots.columns(Columns(id="c", title=HOSTILE, text=HOSTILE, columns=(Column(words=HOSTILE, label=HOSTILE),))),
        plots.phases("p", HOSTILE, HOSTILE, [Phase(kind="running", words=HOSTILE, length=1)]),
        plots.deadline_bar(HOSTILE, 0.5, kind="warning"),
        plots.pace_bar(HOSTILE, 10, (5, 20), is_late=False),
        plots.legend([("train", HOSTILE)]),
    )
    for svg in drawn:
        names = {one.tag for one in parsed(svg).iter()}
        assert "script" not in names
        assert not any("onload" in one.attrib for one in parsed(svg).iter())


def test_each_picture_has_a_name_and_says_what_it_shows() -> None:
    root = parsed(plots.curve(simple(((1.0, 1.0), (2.0, 1.0)), text="falls from 1 to 1")))
    assert root.attrib["role"] == "img"
    by_id = {one.attrib.get("id"): one.text for one in root.iter()}
    assert [by_id[id_] for id_ in root.attrib["aria-labelledby"].split()] == ["Loss", "falls from 1 to 1"]
    assert parsed(plots.deadline_bar("3 d left", 0.2, kind="good")).attrib["aria-label"] == "3 d left"


def test_unread_time_is_hatched_and_quiet_time_is_empty() -> None:
    quiet, unread, called = (
        Column(words="quiet"),
        Column(words="unread", is_unread=True),
        Column(words="called", parts=(("ok", 4.0), ("failed", 2.0))),
    )
    root = parsed(plots.columns(Columns(id="c", title="t", text="x", columns=(quiet, unread, called))))
    rects = [(one.attrib["class"], one.findtext("title")) for one in root.iter("rect")]
    assert rects == [("none", "quiet"), ("unread", "unread"), ("ok", "called"), ("failed", "called")]


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9), st.booleans()), min_size=1, max_size=50))
def test_columns_stay_in_their_picture(counts: list[tuple[float, float, bool]]) -> None:
    columns = tuple(
        Column(words="w", label="l", parts=(("ok", ok), ("failed", failed)), is_unread=unread)
        for ok, failed, unread in counts
    )
    svg = plots.columns(Columns(id="c", title="t", text="x", columns=columns))
    assert all(0 <= share <= 100 for share in shares(svg))
    floor = plots._TOP + plots._BARS
    for one in parsed(svg).iter("rect"):
        y, height = float(one.attrib["y"]), float(one.attrib["height"])
        assert y >= plots._TOP - 3.5 and y + height <= floor + 0.1


def test_a_bar_runs_to_its_earliest_end_and_marks_what_may_follow() -> None:
    over = [one.attrib for one in parsed(plots.deadline_bar("w", 0.5, kind="warning", latest=0.8)).iter("rect")]
    assert [one["class"] for one in over] == ["track", "over warning", "maybe"]
    assert (over[1]["width"], over[2]["x"], over[2]["width"]) == ("40%", "80%", "20%")


@given(st.floats(-5, 5), st.one_of(st.none(), st.floats(0.01, 3)))
def test_bars_never_leave_their_track(done: float, latest: float | None) -> None:
    assert all(0 <= share <= 100 for share in shares(plots.deadline_bar("w", done, kind="good", latest=latest)))


@given(st.floats(0, 1e7), st.one_of(st.none(), st.tuples(st.floats(0, 1e6), st.floats(1e6, 1e7))))
def test_a_pace_never_leaves_its_track(seconds: float, usual: tuple[float, float] | None) -> None:
    assert all(0 <= share <= 100 for share in shares(plots.pace_bar("w", seconds, usual, is_late=False)))


def test_phases_fill_the_bar_and_the_shortest_is_seen() -> None:
    stretches = [
        Phase(kind="waiting", words="pending 1 s", length=1),
        Phase(kind="running", words="running", length=1e6),
    ]
    rects = list(parsed(plots.phases("p", "t", "x", stretches)).iter("rect"))
    widths = [float(one.attrib["width"].rstrip("%")) for one in rects]
    assert widths[0] > 0.9
    assert 98 < sum(widths) <= 100


def test_nothing_to_draw_is_nothing() -> None:
    assert plots.curve(simple(())) == plots.columns(Columns(id="c", title="", text="", columns=())) == ""
    assert plots.phases("p", "t", "x", []) == ""
