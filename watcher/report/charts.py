"""Two pictures of a statement as plain numbers: what each day cost, by use; and deployments over time, with deadlines.

`render/drawing.py` makes SVG of them, `notify/chart_png.py` pictures for mails; both show the same numbers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from watcher.costs.money import Total, together
from watcher.costs.uses import State
from watcher.report.statement import DayOfUse, HostedLine, Statement
from watcher.report.wording import day_words, money, one_line

#: So many deployments are legible below one another.
TIMELINE_ROWS = 20
#: So many of those whose deletion is overdue come before what is dearer: of these no date decides anything any more.
OVERDUE_ROWS = 5
#: So many days after the period are drawn, if a deadline lies there; of a later one the date is written.
DAYS_AHEAD = 8
NAME_LIMIT = 28
_DAY = timedelta(days=1)

#: How use is called where it is drawn.
STATE_WORDS = {
    State.USED: "used",
    State.TRICKLE: "a trickle of calls",
    State.IDLE: "idle",
    State.UNKNOWN: "calls not read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One deployment in the timeline."""

    label: str
    states: tuple[str, ...]  #: day by day, a key of `STATE_WORDS`; "" where it did not stand
    calls: tuple[float, ...]  #: day by day, as far as they were read
    #: When Azure deletes it at the earliest, in days after the first one; `None`: it is called, or no rule is known.
    deadline: float | None = None
    is_overdue: bool = False  #: Azure was to have deleted it by now, at the latest; its `deadline` is drawn no more


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartData:
    """One picture. Either it has `series` (what each day cost) or `bars` (the timeline)."""

    kind: Literal["days", "timeline"]
    cid: str  #: by which the HTML of a mail refers to it
    title: str
    alt: str  #: the same in words, for those who see no pictures
    caption: str  #: what stands below it, beside a legend that has the sums
    unit: str  #: the currency
    days: tuple[str, ...]  #: ISO dates, in their order
    series: tuple[tuple[str, tuple[float, ...]], ...] = ()  #: name of the use, and the most it cost on each day
    sums: tuple[str, ...] = ()  #: of each of them in words, with both bounds
    costs: tuple[tuple[str, ...], ...] = ()  #: the same of each day; "" where it did not stand so
    bars: tuple[Bar, ...] = ()
    ahead: int = 0  #: so many days after the last one are drawn

    def is_marked(self, bar: Bar) -> bool:
        """Whether its deadline lies within the picture, where a diamond stands."""
        return not bar.is_overdue and bar.deadline is not None and 0 <= bar.deadline < len(self.days) + self.ahead - 0.5

    def is_later(self, bar: Bar) -> bool:
        """Whether it lies beyond the picture, where its date is written."""
        return not (bar.is_overdue or self.is_marked(bar)) and bar.deadline is not None and bar.deadline > 0

    @property
    def has_diamonds(self) -> bool:
        return any(map(self.is_marked, self.bars))

    @property
    def has_calls(self) -> bool:
        return any(any(bar.calls) for bar in self.bars)

    @property
    def last_day(self) -> str:
        """The last that is drawn, which is to come where some are."""
        return (date.fromisoformat(self.days[-1]) + self.ahead * _DAY).isoformat()


def charts(statement: Statement) -> tuple[ChartData, ...]:
    """What is worth drawing, which may be nothing."""
    found = (cost_by_day(statement), timeline(statement))
    return tuple(chart for chart in found if chart is not None)


def cost_by_day(statement: Statement) -> ChartData | None:
    """What hosting cost each day, by use; `None` of less than two days, or where nothing cost anything."""
    days = statement.days
    by_state = {state: [day.costs.get(state) for day in days] for state in State}
    drawn = {state: costs for state, costs in by_state.items() if any(_most(cost) for cost in costs)}
    if len(days) < 2 or not drawn:
        return None
    sums = tuple(money(together(costs, statement.currency)) for costs in drawn.values())
    told = "; ".join(f"{STATE_WORDS[state]} {text}" for state, text in zip(drawn, sums, strict=True))
    every = [cost for day in days for cost in day.costs.values()]
    is_exact = all(cost.known.is_exact for cost in every)
    span = f"{day_words(days[0].day)} to {day_words(days[-1].day)}"
    price = one_line(statement.price_words)
    limits = "" if is_exact else " The picture shows the most that it may have cost."
    if not all(cost.is_known for cost in every):
        limits += " Costs that are unknown are not in it."
    return ChartData(
        kind="days",
        cid="cost-by-day@watcher",
        title=f"Hosting cost by day and use, {statement.currency}{'' if is_exact else ' at most'}",
        alt=f"{span}, all days together: {told}.{limits}",
        caption=f"{span}. {price[:1].upper()}{price[1:]}.{limits}",
        unit=statement.currency,
        days=tuple(day.day.isoformat() for day in days),
        series=tuple((STATE_WORDS[state], tuple(map(_most, costs))) for state, costs in drawn.items()),
        sums=sums,
        costs=tuple(tuple(map(money, costs)) for costs in drawn.values()),
    )


def _most(cost: Total | None) -> float:
    """The upper bound of what is known."""
    return 0.0 if cost is None else float(cost.known.most)


def timeline(statement: Statement) -> ChartData | None:
    """The deployments that matter most over the days of the period and up to the last deadline shown; else `None`."""
    zone = ZoneInfo(statement.zone)
    lines = [line for line in statement.hosted if line.days]
    shown = _drawn(lines, statement.as_of)
    names = Counter(line.name for line in shown)
    days = sorted({day.day for line in shown for day in line.days})
    if not shown or len(days) < 2:
        return None
    first = days[0]
    days = [first + _DAY * n for n in range((days[-1] - first).days + 1)]
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    bars = tuple(
        Bar(
            label=_label(line, is_repeated=names[line.name] > 1),
            states=tuple(_prevailing(by_day.get(day)) for day in days),
            calls=tuple(by_day[day].calls if day in by_day else 0.0 for day in days),
            deadline=(line.deletion[0] - begin) / _DAY if line.deletion and line.idle_since else None,
            is_overdue=_is_overdue(line, statement.as_of),
        )
        for line in shown
        for by_day in ({day.day: day for day in line.days},)
    )
    left = len(lines) - len(shown)
    of_all = f" The {len(shown)} of {len(lines):,} that end soonest or cost most are drawn." if left else ""
    chart = ChartData(
        kind="timeline",
        cid="timeline@watcher",
        title="Deployments: use, calls and deadlines",
        alt="",
        caption="",
        unit=statement.currency,
        days=tuple(day.isoformat() for day in days),
        bars=bars,
        ahead=DAYS_AHEAD if any(bar.deadline is not None for bar in bars) else 0,
    )
    words = f"{'; '.join(_signs(chart))}.{of_all}"
    return replace(chart, alt=words, caption=words)


def _signs(chart: ChartData) -> Iterator[str]:
    """What is drawn, and no other sign."""
    yield "Each row is a deployment, each cell a day with the number of answered calls"
    if chart.has_diamonds:
        yield "a diamond marks the earliest time at which Azure deletes one that nobody calls"
    if any(map(chart.is_later, chart.bars)):
        yield "a date with an arrow is that time, where it lies beyond the picture"
    if any(bar.is_overdue for bar in chart.bars):
        yield "“overdue” stands where Azure was to have deleted it before"


def _drawn(lines: Sequence[HostedLine], as_of: datetime) -> list[HostedLine]:
    """Of those that nobody calls the soonest to be deleted first, then some of the overdue, then all by their cost."""
    dated = [line for line in lines if line.deletion and line.idle_since and not _is_overdue(line, as_of)]
    overdue = sorted((line for line in lines if _is_overdue(line, as_of)), key=_dearest)
    others = [line for line in lines if not (line.deletion and line.idle_since)]
    rest = sorted((*overdue[OVERDUE_ROWS:], *others), key=_dearest)
    return [*sorted(dated, key=_soonest), *overdue[:OVERDUE_ROWS], *rest][:TIMELINE_ROWS]


def _is_overdue(line: HostedLine, as_of: datetime) -> bool:
    return line.idle_since is not None and line.overdue_since(as_of) is not None


def _soonest(line: HostedLine) -> tuple[float, str, str]:
    return line.deletion[0].timestamp() if line.deletion else 0.0, line.place.account, line.name


def _dearest(line: HostedLine) -> tuple[float, str, str]:
    return -float(getattr(line.cost, "high", 0)), line.place.account, line.name


def _label(line: HostedLine, *, is_repeated: bool) -> str:
    """Its name; with its account before it where another one that is drawn has the same."""
    name = one_line(line.name, NAME_LIMIT)
    return f"{one_line(line.place.account, NAME_LIMIT)}/{name}" if is_repeated else name


def _prevailing(day: DayOfUse | None) -> str:
    """The state that took most of a day's money; of a day without a known cost, the first told."""
    if day is None or not day.costs:
        return ""
    return max(day.costs, key=lambda state: float(getattr(day.costs[state], "high", 0))).value
