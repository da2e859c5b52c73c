"""Charts: the numbers behind them, the SVG of the page, and the pictures of mails."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from tests.factories import DAY, NOW
from tests.report.factories import (
    FIRST_DAY,
    UNKNOWN,
    WEEK,
    make_busy,
    make_days,
    make_hosted,
    make_quiet,
    make_statement,
    make_unread,
    usd,
)
from tests.report.render import samples
from watcher.costs.money import total
from watcher.costs.uses import State
from watcher.notify import chart_png
from watcher.report.charts import TIMELINE_ROWS, charts, cost_by_day, timeline
from watcher.report.render import FORMATS
from watcher.report.render.drawing import label_step, legend, name_label, scale, svg
from watcher.report.statement import DayOfCost, Statement

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_days_are_stacked_by_use_and_come_to_the_hosting_cost() -> None:
    statement = make_statement((make_hosted(), make_busy(), make_unread()), ())
    chart = cost_by_day(statement)
    assert chart is not None
    assert [name for name, _ in chart.series] == ["used", "idle", "calls not read"]
    assert sum(sum(values) for _, values in chart.series) == pytest.approx(float(statement.hosting.known.least))
    assert chart.series[1][1] == (0, 0, 0, 40.8, 40.8, 40.8, 40.8)


def test_what_a_bar_shows_at_most_is_told_with_both_bounds() -> None:
    """As the figures of the same report have it."""
    day = DayOfCost(day=FIRST_DAY, costs={State.IDLE: total([usd(Decimal("40.80"))], "USD")})
    last = DayOfCost(day=FIRST_DAY + DAY, costs={State.IDLE: total([usd(20, Decimal("25.10"))], "USD")})
    chart = cost_by_day(make_quiet(days=(day, last)))
    assert chart is not None
    assert legend(chart) == (("idle", "idle 60.80 to 65.90 USD"),)
    assert "idle 60.80 to 65.90 USD. The picture shows the most that it may have cost." in chart.alt
    assert chart.title == "Hosting cost by day and use, USD at most"
    page = FORMATS["html"](make_quiet(days=(day, last)))
    figure = re.sub(r"(?s)<svg.*?</svg>", "", page.partition("<figure")[2].partition("</figure>")[0])
    assert figure.count("60.80 to 65.90 USD") == 1, "what the legend says, the caption need not"
    rects = parsed(svg(chart)).iter(f"{SVG}rect")
    assert [rect.findtext(f"{SVG}title") for rect in rects] == [
        "2026-11-15, idle: 40.80 USD",
        "2026-11-16, idle: 20.00 to 25.10 USD",
    ]
    exact = cost_by_day(make_quiet(days=(day, replace(day, day=last.day))))
    assert exact is not None and "most" not in exact.title + exact.alt


def test_a_day_of_unknown_cost_is_told_and_not_drawn() -> None:
    days = tuple(
        DayOfCost(day=FIRST_DAY + timedelta(days=n), costs={State.USED: total([UNKNOWN], "USD")} if n else {})
        for n in range(3)
    )
    busy = make_quiet().days[:1]
    chart = cost_by_day(make_quiet(days=(*busy, *days[1:])))
    assert chart is not None and "unknown are not in it" in chart.alt
    assert cost_by_day(make_quiet(days=days)) is None


@pytest.mark.parametrize("days", [(), make_quiet().days[:1]], ids=["none", "one"])
def test_less_than_two_days_are_no_chart(days: tuple[DayOfCost, ...]) -> None:
    assert cost_by_day(make_quiet(days=days)) is None
    assert charts(samples.unseen()) == ()


def test_timeline_shows_first_what_is_deleted_first() -> None:
    late = make_hosted("late", deletion=(NOW + 9 * DAY, None))
    soon = make_hosted("soon", deletion=(NOW + 2 * DAY, None))
    chart = timeline(make_statement((make_busy("busy"), late, soon), ()))
    assert chart is not None
    assert [bar.label for bar in chart.bars] == ["soon", "late", "busy"]
    # The report's days are Berlin's, whose midnight is an hour before that of UTC.
    assert chart.bars[0].deadline == pytest.approx((NOW + 2 * DAY - WEEK.begin + timedelta(hours=1)) / DAY)
    assert chart.bars[2].deadline is None, "what is called has no deadline yet"
    assert chart.bars[0].states == ("used",) * 3 + ("idle",) * 4
    assert chart.bars[0].calls[:4] == (12, 12, 12, 0)


def test_timeline_says_how_many_it_leaves_out() -> None:
    chart = timeline(samples.huge(60))
    assert chart is not None and len(chart.bars) == TIMELINE_ROWS
    assert f"The {TIMELINE_ROWS} of 60" in chart.alt


def test_a_day_on_which_it_did_not_stand_is_empty() -> None:
    brief = make_busy("brief", days=make_days(used=[1, 1]))
    chart = timeline(make_statement((brief, make_busy()), ()))
    assert chart is not None
    assert next(bar for bar in chart.bars if bar.label == "brief").states == ("used", "used", "", "", "", "", "")


@pytest.mark.parametrize("make", [samples.rich, make_quiet, lambda: samples.hostile(samples.HOSTILE[0])])
def test_svg_is_well_formed_named_and_without_colours_alone(make: Callable[[], Statement]) -> None:
    for chart in charts(make()):
        root = parsed(svg(chart))
        assert root.get("role") == "img"
        title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title is not None and title.text == chart.title
        assert desc is not None and desc.text == chart.alt
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        fills = {rect.get("class", "").removeprefix("fill-") for rect in root.iter(f"{SVG}rect")} - {"calls"}
        assert fills == {fill for fill, words in legend(chart) if words}
        assert root.findall(".//*[@fill]") == [] and root.findall(".//script") == []


def test_bars_are_as_high_as_their_money_and_say_it() -> None:
    chart = cost_by_day(make_statement((make_hosted(), make_busy()), ()))
    assert chart is not None
    rects = [rect for rect in parsed(svg(chart)).iter(f"{SVG}rect")]
    heights = [float(rect.get("height", 0)) for rect in rects if rect.get("class") == "fill-used"]
    assert heights[0] == pytest.approx(2 * heights[-1], abs=0.2)
    assert (rects[0].findtext(f"{SVG}title") or "").endswith("used: 81.60 USD")


def test_everything_is_drawn_within_the_picture() -> None:
    for chart in charts(samples.rich()):
        root = parsed(svg(chart))
        _, _, width, height = map(float, root.get("viewBox", "").split())
        for rect in root.iter(f"{SVG}rect"):
            x, y, wide, high = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
            assert 0 <= x <= x + wide <= width + 0.1 and 0 <= y <= y + high <= height


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("support-bot-v2", "support-bot-v2"),
        ("n" * 16, "n" * 16),
        ("contract-review-assistant-v2", "contrac…stant-v2"),
        ("contract-review-assistant-v3", "contrac…stant-v3"),
    ],
)
def test_a_long_name_keeps_both_ends_and_fits_beside_its_row(name: str, shown: str) -> None:
    assert name_label(name) == shown and len(shown) <= 16
    chart = timeline(make_statement((make_hosted(name), make_busy()), ()))
    assert chart is not None
    assert shown in {text.text for text in parsed(svg(chart)).iter(f"{SVG}text")}


@pytest.mark.parametrize(
    ("most", "top", "step"),
    [(0.04, 0.04, 0.01), (1, 1, 0.2), (4.9, 5, 1), (5.1, 6, 2), (1185, 1500, 500), (82_000, 100_000, 20_000)],
)
def test_scale_holds_what_is_drawn_in_round_steps(most: float, top: float, step: float) -> None:
    assert scale(most) == pytest.approx((top, step))


@pytest.mark.parametrize(("count", "step"), [(7, 1), (14, 2), (31, 5), (92, 14)])
def test_days_are_named_as_far_as_there_is_room(count: int, step: int) -> None:
    assert label_step(count) == step


@pytest.mark.parametrize("kind", [0, 1], ids=["days", "timeline"])
def test_png_is_a_picture_and_the_same_each_time(kind: int) -> None:
    chart = charts(make_statement((make_hosted("a$b$ 名前"), make_busy()), ()))[kind]
    drawn = chart_png.png(chart)
    assert drawn is not None and drawn.startswith(b"\x89PNG\r\n\x1a\n") and drawn == chart_png.png(chart)
    width = int.from_bytes(drawn[16:20], "big")
    assert width == 1200


def test_without_matplotlib_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    (chart, *_) = charts(make_quiet())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not chart_png.can_draw()
    assert chart_png.png(chart) is None
