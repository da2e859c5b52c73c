"""Times and spans in the configuration: durations, rates, weekdays, times of day, schedules, time zones.

Each has a function that turns the text of the file into a value, or raises `Invalid`; below them stand the annotated
types that the tables use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from watcher.config.values import Invalid, text_schema

# Durations

_UNITS: Mapping[str, timedelta] = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_DURATION = r"^(?=[0-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
#: Longer ones overflow calendar arithmetic somewhere later.
_LONGEST = timedelta(days=36525)


def parse_duration(text: object) -> timedelta:
    """`"30s"`, `"5m"`, `"4h"`, `"7d"`, `"2w"` or larger before smaller in one, `"1h30m"`; a timedelta passes."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not re.match(_DURATION, text, re.ASCII) or text.endswith("\n"):
        raise Invalid("is not a duration", 'write "30s", "5m", "4h" or "7d"')
    # Digits are capped before int(): a number of some hundred digits is a mistake, and no timedelta holds it.
    parts = re.findall(r"([0-9]+)([wdhms])", text)
    if any(len(number.lstrip("0")) > 10 for number, _ in parts):
        raise Invalid("is longer than 100 years", "write a shorter duration")
    total = sum((int(number) * _UNITS[unit] for number, unit in parts), timedelta())
    if total > _LONGEST:
        raise Invalid("is longer than 100 years", "write a shorter duration")
    return total


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads as `duration`; whole seconds, at least zero; days are the top."""
    rest, text = duration, ""
    for unit, size in _UNITS.items():
        if unit != "w" and rest >= size:
            number, rest = divmod(rest, size)
            text += f"{number}{unit}"
    return text or "0s"


def _at_least_a_second(duration: timedelta) -> timedelta:
    if duration < timedelta(seconds=1):
        raise Invalid("is too short", 'write "1s" or more')
    return duration


#: In place of a lifetime: Azure does not delete such deployments by this clock.
NEVER = "never"


def parse_lifetime(value: object) -> timedelta | None:
    """A duration of at least a second; `None` for `"never"`."""
    if value is None or value == NEVER:
        return None
    try:
        return _at_least_a_second(parse_duration(value))
    except Invalid as exc:
        raise Invalid(exc.message, f'{exc.cure}, or "{NEVER}"') from None


def _format_lifetime(lifetime: timedelta | None) -> str:
    return NEVER if lifetime is None else format_duration(lifetime)


def _sku_pattern(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.*?\[\]!-]+", text):
        raise Invalid("is no pattern of a SKU's name", 'write a name such as "globalstandard", or "provisioned*"')
    return text


def _frozen_table(value: Mapping[str, timedelta | None]) -> Mapping[str, timedelta | None]:
    return MappingProxyType(dict(value))


def _format_table(value: Mapping[str, timedelta | None]) -> dict[str, str]:
    return {sku: _format_lifetime(lifetime) for sku, lifetime in value.items()}


def _steps(steps: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not steps:
        raise Invalid("is empty", 'name at least one step, or switch the rule off with "enabled = false"')
    if min(steps) <= timedelta():
        raise Invalid("has a step of no length", "each step must be longer than 0s")
    if any(later >= earlier for earlier, later in pairwise(steps)):
        raise Invalid("is out of order", 'write the longest step first and each once: ["7d", "3d", "1d"]')
    return steps


# Rates

_RATE = r"^[0-9]+/([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
#: More in one go than anything takes; and a figure that no arithmetic has to fear.
_MOST_MESSAGES = 100_000


class RateValue(NamedTuple):
    """So many messages in so long."""

    messages: int
    per: timedelta


def parse_rate(text: object) -> RateValue:
    """`"30/1m"`: 30 messages a minute; a `RateValue` passes."""
    if isinstance(text, RateValue):
        return text
    cure = 'write messages and a duration: "30/1m", "1/1s"'
    count, slash, span = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not slash or not re.fullmatch(r"[0-9]{1,10}", count, re.ASCII):
        raise Invalid("is not a rate", cure)
    if not 1 <= int(count) <= _MOST_MESSAGES:
        raise Invalid(f"allows {count} messages", f"write a number from 1 to {_MOST_MESSAGES}")
    try:
        per = _at_least_a_second(parse_duration(span))
    except Invalid as exc:
        raise Invalid(f"has a duration that {exc.message}", cure) from None
    return RateValue(int(count), per)


def _format_rate(rate: RateValue) -> str:
    return f"{rate.messages}/{format_duration(rate.per)}"


# Times

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _weekday(text: str) -> int:
    """0 is Monday, as in `datetime.weekday`."""
    word = text.strip().lower()
    for number, (short, long) in enumerate(zip(WEEKDAYS, _WEEKDAY_NAMES, strict=True)):
        if word in (short, long):
            return number
    raise Invalid("names an unknown weekday", f"use {', '.join(WEEKDAYS)}")


def parse_weekdays(value: object) -> tuple[int, ...]:
    """`["mon-fri"]`, `["sat", "sun"]`, or one of them as a plain text, as sorted numbers, Monday 0; may wrap."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not texts:
        raise Invalid("is not a list of weekdays", 'write ["mon-fri"] or ["sat", "sun"]')
    days: set[int] = set()
    for text in texts:
        if not isinstance(text, str):
            raise Invalid("is not a list of weekdays", 'write ["mon-fri"] or ["sat", "sun"]')
        first, dash, last = text.partition("-")
        start = _weekday(first)
        end = _weekday(last) if dash else start
        days.update((start + offset) % 7 for offset in range((end - start) % 7 + 1))
    return tuple(sorted(days))


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of the day, as distances from local midnight. `end` at or before `start` is on the next day."""

    start: timedelta
    end: timedelta

    def __str__(self) -> str:
        return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in map(_minutes, (self.start, self.end)))


def _minutes(distance: timedelta) -> int:
    return distance // timedelta(minutes=1)


def _time_of_day(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text.strip())
    if match is None or int(match[2]) > 59 or (int(match[1]), int(match[2])) > (24, 0):
        raise Invalid("has no time of day", 'write "08:00", from "00:00" to "24:00"')
    return timedelta(hours=int(match[1]), minutes=int(match[2]))


def parse_time_range(text: object) -> TimeRange:
    """`"22:00-07:00"`."""
    if isinstance(text, TimeRange):
        return text
    if not isinstance(text, str) or "-" not in text:
        raise Invalid("is not a time range", 'write "22:00-07:00"')
    first, _, last = text.partition("-")
    start, end = _time_of_day(first), _time_of_day(last)
    if start == end or start == timedelta(hours=24):
        raise Invalid("is a time range without length", 'the whole day is "00:00-24:00"')
    return TimeRange(start, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Weekly or monthly, in the configured time zone; exactly one of `weekday` and `day` is set."""

    #: Monday 0.
    weekday: int | None = None
    #: Of the month, 1 to 28.
    day: int | None = None
    at: time


def parse_schedule(text: object) -> Schedule:
    """`"mon 08:00"` or `"1st 08:00"`."""
    if isinstance(text, Schedule):
        return text
    words = text.split() if isinstance(text, str) else []
    if len(words) != 2:
        raise Invalid("is not a schedule", 'write "mon 08:00" or "1st 08:00"')
    distance = _time_of_day(words[1])
    if distance >= timedelta(days=1):
        raise Invalid("has no time of day", 'write "08:00", from "00:00" to "23:59"')
    at = time(_minutes(distance) // 60, _minutes(distance) % 60)
    ordinal = re.fullmatch(r"([0-9]{1,2})(st|nd|rd|th)", words[0].lower())
    if ordinal is None:
        return Schedule(weekday=_weekday(words[0]), at=at)
    if not 1 <= int(ordinal[1]) <= 28:
        raise Invalid("names a day that not every month has", 'use "1st" to "28th"')
    return Schedule(day=int(ordinal[1]), at=at)


def _period(value: object) -> timedelta | Literal["month"]:
    if value == "month":
        return "month"
    try:
        return _at_least_a_second(parse_duration(value))
    except Invalid:
        raise Invalid("is not a period", 'write "7d", or "month" for the calendar month before') from None


def _timezone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("is not a time zone", 'write a name of the IANA database, as "Europe/Berlin"') from None


# The types that the tables use.

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    text_schema(_DURATION, examples=["30s", "5m", "4h", "7d"]),
]
Interval = Annotated[Duration, AfterValidator(_at_least_a_second)]
Lifetime = Annotated[
    timedelta | None,
    PlainValidator(parse_lifetime),
    text_schema(rf"^{NEVER}$|{_DURATION}", examples=["15d", NEVER]),
]
#: By glob on a SKU's name without case; the order is that of the file, and the first that fits counts.
Lifetimes = Annotated[
    Mapping[Annotated[str, AfterValidator(_sku_pattern)], Lifetime],
    AfterValidator(_frozen_table),
    PlainSerializer(_format_table, return_type=dict[str, str]),
]
#: Non-empty, longest first.
Steps = Annotated[tuple[Duration, ...], AfterValidator(_steps), Field(json_schema_extra={"minItems": 1})]
RateLimit = Annotated[
    RateValue,
    PlainValidator(parse_rate),
    PlainSerializer(_format_rate, return_type=str),
    text_schema(_RATE, examples=["30/1m", "1/1s"]),
]
Weekdays = Annotated[
    tuple[int, ...],
    PlainValidator(parse_weekdays),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
DayTimes = Annotated[
    TimeRange, PlainValidator(parse_time_range), text_schema(r"^[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}$")
]
ReportSchedule = Annotated[Schedule, PlainValidator(parse_schedule), text_schema(r"^\S+ [0-9]{1,2}:[0-9]{2}$")]
Period = Annotated[
    timedelta | Literal["month"],
    PlainValidator(_period),
    text_schema(rf"^month$|{_DURATION}", examples=["7d", "month"]),
]
TimeZone = Annotated[
    ZoneInfo, PlainValidator(_timezone), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]
