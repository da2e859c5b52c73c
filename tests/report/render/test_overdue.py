"""What Azure was to have deleted by now: its place among the idle, its date, and its row in the timeline."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.factories import DAY, NOW
from tests.report.factories import make_busy, make_hosted, make_place, make_statement, usd
from watcher.costs.idle import IdleMoney
from watcher.notify import chart_png
from watcher.report.charts import OVERDUE_ROWS, TIMELINE_ROWS, ChartData, timeline
from watcher.report.render import FORMATS
from watcher.report.render.drawing import name_label, svg
from watcher.report.statement import HostedLine


def overdue(name: str, cost: float = 40.8, *, since: timedelta = 30 * DAY, account: str = "contoso-ft") -> HostedLine:
    idle = IdleMoney(so_far=usd(Decimal(cost)), per_day=usd(40), until_deletion=usd(0), is_overdue=True)
    deletion = NOW - since - DAY, NOW - since
    return make_hosted(name, deletion=deletion, idle=idle, cost=usd(Decimal(cost)), place=make_place(account))


def drawn(*lines: HostedLine) -> ChartData:
    chart = timeline(make_statement(lines, ()))
    assert chart is not None
    return chart


@pytest.mark.parametrize("kind", ["text", "markdown", "html"])
def test_the_date_itself_says_that_it_is_overdue(kind: str) -> None:
    """The column of what is left may be missing where there is little room."""
    lines = tuple(overdue(f"deployment-{n}", 10.0**n, account=f"contoso-production-{n}") for n in range(7))
    told = FORMATS[kind](make_statement(lines, ())).replace("\\-", "-")
    assert told.count("overdue since 2026-10-23") >= 7
    assert not re.search(
        r"2026-10-2[23] \d\d:\d\d", told.partition("Idle: nobody calls them")[2].partition("Bill by")[0]
    )


def test_what_a_date_still_decides_comes_first_and_then_the_dearest() -> None:
    soon, late = (
        make_hosted("soon", deletion=(NOW + DAY, NOW + DAY)),
        make_hosted("late", deletion=(NOW + 9 * DAY, None)),
    )
    lines = (overdue("old-cheap", 5, since=90 * DAY), late, overdue("dear", 900), soon, overdue("cheap", 1))
    statement = make_statement(lines, ())
    assert [line.name for line in statement.idle_lines()] == ["soon", "late", "dear", "old-cheap", "cheap"]


def test_what_may_come_at_any_time_is_not_overdue() -> None:
    within = make_hosted(deletion=(NOW - DAY, NOW + DAY))
    beyond = make_hosted(deletion=(NOW - DAY, None))
    for line in (within, beyond):
        assert line.overdue_since(NOW) is None
        assert "overdue" not in FORMATS["text"](make_statement((line,), ()))
        assert not drawn(line).bars[0].is_overdue


def test_the_overdue_do_not_crowd_the_others_out_of_the_timeline() -> None:
    soon = make_hosted("soon", deletion=(NOW + DAY, NOW + DAY))
    busy = [make_busy(f"busy-{n}", cost=usd(1)) for n in range(3)]
    dear = make_busy("dear", cost=usd(5000))
    names = [bar.label for bar in drawn(*(overdue(f"old-{n}", 100 + n) for n in range(20)), *busy, dear, soon).bars]
    assert names[0] == "soon" and len(names) == TIMELINE_ROWS
    assert names[1 : 1 + OVERDUE_ROWS] == ["old-19", "old-18", "old-17", "old-16", "old-15"]
    assert names[1 + OVERDUE_ROWS] == "dear"


def test_the_legend_explains_what_is_drawn_and_nothing_else() -> None:
    soon, far = (
        make_hosted("soon", deletion=(NOW + DAY, NOW + DAY)),
        make_hosted("far", deletion=(NOW + 90 * DAY, None)),
    )
    for line, sign, words in (
        (soon, "polygon", "diamond"),
        (far, "→", "arrow"),
        (overdue("o"), ">overdue<", "overdue"),
    ):
        chart = drawn(line, make_busy())
        picture = str(svg(chart)).replace(chart.alt, "")
        assert {each for each in ("polygon", "→", ">overdue<") if each in picture} == {sign}
        assert {each for each in ("diamond", "arrow", "overdue") if each in chart.caption} == {words}
        page = FORMATS["html"](make_statement((line, make_busy()), ()))
        assert ("Azure deletes it, at the earliest" in page) is (line is soon)
    assert drawn(overdue("o"), make_busy()).ahead, "the word has room beside the cells"


def test_names_that_repeat_have_their_account_before_them() -> None:
    one = make_hosted("search-ranker-production-v2", place=make_place("contoso-production-west"))
    two = make_hosted("search-ranker-production-v2", place=make_place("contoso-production-east"))
    chart = drawn(one, two, make_busy("other"))
    labels = [bar.label for bar in chart.bars]
    assert sorted(labels)[1:] == ["contoso-production-west/search-ranker-production-v2", "other"]
    assert len({name_label(label) for label in labels}) == 3
    x = [
        float(found)
        for found in re.findall(r'<rect class="fill-[a-z]+" x="([\d.]+)" y="[\d.]+" width', str(svg(chart)))
    ]
    assert min(x) > 250, "with room for the names"


def test_the_picture_of_a_mail_has_the_mark_too() -> None:
    chart = drawn(overdue("o"))
    bare = replace(chart, bars=tuple(replace(bar, is_overdue=False, deadline=None) for bar in chart.bars))
    assert chart_png.png(chart) is not None
    assert chart_png.png(chart) != chart_png.png(bare)
