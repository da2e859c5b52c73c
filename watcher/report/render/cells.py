"""The cells and columns that tables of a report are made of."""

from datetime import datetime
from zoneinfo import ZoneInfo

from watcher.costs.money import Cost, Total
from watcher.report.render.outline import Column
from watcher.report.statement import HostedLine, Statement
from watcher.report.wording import NAME_LIMIT, deadline_words, money, one_line
from watcher.rules.text import duration


def name(text: str) -> str:
    """One name from outside."""
    return one_line(text, NAME_LIMIT)


def names(*texts: str) -> tuple[str, ...]:
    return tuple(map(name, texts))


def figure(cost: Cost | Total | None) -> str:
    """Without the currency, which the column's title has."""
    return money(cost).rpartition(" ")[0] or money(cost)


def some(cost: Total) -> str:
    """The same; "" of what is surely nothing."""
    return figure(cost) if cost.known.most or cost.reasons else ""


def minute(at: datetime | None, statement: Statement) -> str:
    return "" if at is None else f"{at.astimezone(ZoneInfo(statement.zone)):%Y-%m-%d %H:%M}"


def day(at: datetime | None, statement: Statement) -> str:
    return "" if at is None else f"{at.astimezone(ZoneInfo(statement.zone)):%Y-%m-%d}"


def deadline(times: tuple[datetime, datetime | None], statement: Statement) -> str:
    return deadline_words(times, ZoneInfo(statement.zone))


def deletion(line: HostedLine, statement: Statement) -> str:
    """The same of what Azure deletes; `overdue since 2026-05-28` where that should have been."""
    if line.deletion is None:
        return "not known"
    overdue = line.overdue_since(statement.as_of)
    return f"overdue since {day(overdue, statement)}" if overdue else deadline(line.deletion, statement)


def left(times: tuple[datetime, datetime | None], statement: Statement) -> str:
    """Until the earliest of `times`; "" where even the latest is over, which its date says."""
    earliest, latest = times
    if earliest > statement.as_of:
        return duration(earliest - statement.as_of)
    return "any time now" if latest is None or latest > statement.as_of else ""


def number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"


def texts(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title=title) for title in titles)


def minor(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title=title, is_minor=True) for title in titles)


def times(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title=title, is_whole=True) for title in titles)


def numbers(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title=title, is_number=True, is_whole=True) for title in titles)
