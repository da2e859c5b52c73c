"""How a report writes amounts, times and foreign names, in whatever format. Escaping is left to each format."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from watcher.costs.hosting import Period
from watcher.costs.money import Amount, Cost, Total
from watcher.rules import text as text_of
from watcher.rules.text import counted, duration

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MOMENT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
#: Of a name or a text from outside, in a table.
NAME_LIMIT = 120
TEXT_LIMIT = 400


def one_line(text: str, limit: int = TEXT_LIMIT) -> str:
    """Foreign text on one line, without what could hide or reorder, and cut with `…` past `limit` characters."""
    line = text_of.one_line(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def lines_of(text: str, limit: int = 4000) -> str:
    """Foreign text with its line breaks, as a command has them."""
    whole = text_of.clean(text)
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def figure(value: Decimal) -> str:
    """`12,345.60`."""
    return f"{value:,.2f}"


def money(cost: Cost | Total | None) -> str:
    """`12,345.60 USD`, `120.00 to 140.80 USD`, `at least 571.20 USD`, `unknown`; "" where there is none to tell."""
    match cost:
        case None:
            return ""
        case Amount():
            if cost.is_exact or cost.least == cost.most:
                return f"{cost.least:,.2f} {cost.currency}"
            return f"{cost.least:,.2f} to {cost.most:,.2f} {cost.currency}"
        case Total():
            if cost.is_unknown:
                return "unknown"
            return money(cost.known) if cost.is_known else f"at least {cost.known.least:,.2f} {cost.currency}"
        case _:
            return "unknown"


def not_known(unread: Total) -> str:
    """`, 1,136.74 USD not known`; "" where nothing is missing. Behind idleness wherever that is told as one figure.

    Args:
        unread: What time costs of which nobody knows the use: it may be idle too.
    """
    if unread.is_unknown:
        return ", the rest not known"
    return f", {money(unread)} not known" if unread.known.most or unread.reasons else ""


def day_words(day: date, *, with_year: bool = True) -> str:
    """`16 November 2026`."""
    return f"{day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if with_year else "")


def local(at: datetime, zone: ZoneInfo) -> str:
    """`2026-11-22 09:00 CET`, in the report's zone."""
    there = at.astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M} {there.tzname() or 'UTC'}"


def interval(times: tuple[datetime, datetime | None], zone: ZoneInfo) -> str:
    """Both bounds where they differ by more than a minute."""
    earliest, latest = times
    if latest is None:
        return f"{local(earliest, zone)} or later"
    if latest - earliest < timedelta(minutes=1):
        return local(earliest, zone)
    return f"{local(earliest, zone)} to {local(latest, zone)}"


def deadline_words(times: tuple[datetime, datetime | None], zone: ZoneInfo) -> str:
    """`2026-11-29 00:00`; `2026-11-29 to 12-04` where it may come over a day later; `2026-11-29 or later`."""
    earliest, latest = times[0].astimezone(zone), times[1]
    if latest is None:
        return f"{earliest:%Y-%m-%d} or later"
    if latest - times[0] <= _DAY:
        return f"{earliest:%Y-%m-%d %H:%M}"
    until = latest.astimezone(zone)
    return f"{earliest:%Y-%m-%d} to {until:{'%m-%d' if until.year == earliest.year else '%Y-%m-%d'}}"


def period_words(period: Period, zone: ZoneInfo) -> str:
    """`16 to 22 November 2026` of whole days, else both times."""
    begin, end = period.begin.astimezone(zone), period.end.astimezone(zone)
    if any(each.hour or each.minute or each.second for each in (begin, end)) or period.begin == period.end:
        return f"{local(begin, zone)} to {local(end, zone)}"
    first, last = begin.date(), (end - _MOMENT).date() if end > begin else begin.date()
    if first == last:
        return day_words(first)
    if (first.year, first.month) == (last.year, last.month):
        month = f"{_MONTHS[first.month - 1]} {first.year}"
        return month if _is_month(first, last) else f"{first.day} to {day_words(last)}"
    return f"{day_words(first, with_year=first.year != last.year)} to {day_words(last)}"


def short_period(period: Period, zone: ZoneInfo) -> str:
    """`16 to 22 Nov 2026`: the days, for where there is little room; of a part of a day all of it."""
    begin, end = period.begin.astimezone(zone), period.end.astimezone(zone)
    first, last = begin.date(), (end - _MOMENT).date() if end > begin else begin.date()
    until = f"{last.day} {_MONTHS[last.month - 1][:3]} {last.year}"
    if first == last:
        return until
    if (first.year, first.month) == (last.year, last.month):
        return until[until.index(" ") + 1 :] if _is_month(first, last) else f"{first.day} to {until}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {_MONTHS[first.month - 1][:3]}{year} to {until}"


def within_words(period: Period, zone: ZoneInfo) -> str:
    """`In this month`, `In these 7 days` of whole days, else `In these 6 d 23 h`."""
    begin, end = period.begin.astimezone(zone), period.end.astimezone(zone)
    days = (end.date() - begin.date()).days
    if begin.time() != end.time() or not days:
        span = duration(period.end - period.begin)
        return "In this hour" if span == "1 h" else f"In these {span}"
    if _is_month(begin.date(), (end - _MOMENT).date()) and not begin.hour:
        return "In this month"
    if days == 1 and (begin.hour or begin.minute):
        return f"In these {(period.end - period.begin) // timedelta(hours=1)} h"
    if days == 1:
        return "On this day"
    return f"In these {counted(days, 'day')}"


def _is_month(first: date, last: date) -> bool:
    same = (first.year, first.month) == (last.year, last.month)
    return same and first.day == 1 and (last + timedelta(days=1)).day == 1


def utc(at: datetime) -> str:
    """`2026-11-22T08:00:00Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
