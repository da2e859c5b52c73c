"""Kinds of single values in the configuration: durations, addresses, matchers, times of day.

Each has a function that turns the text of the file into a value and raises `Invalid` with a message and a cure; below
them stand the annotated types that the tables use. Whatever concerns two keys at once is in the tables themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from ipaddress import ip_address, ip_network
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from watcher.patterns import compiled

Severity = Literal["info", "warning", "critical"]


class Invalid(ValueError):
    """A value that cannot be used. `message` never holds a value that may be secret."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


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


# Addresses


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine; names are not looked up, but for `localhost`."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> None:
    """Refuse what is not https, nor plain http to loopback; the text is not repeated in the error."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Invalid("is not an address", 'write "https://host/path"') from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f]", url):
        raise Invalid("is not an address", 'write "https://host/path"')
    if parts.scheme == "http" and not is_loopback(host):
        raise Invalid("is plain http to another machine", "use https; plain http is for loopback only")


def _url(url: str) -> str:
    check_url(url)
    if urlsplit(url).password is not None:
        raise Invalid("holds a password", "leave user and password out of the address")
    return url


def _base_url(url: str) -> str:
    parts = urlsplit(_url(url))
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Invalid("is not a base address", 'write scheme, host and port only, as "https://host"')
    return url.rstrip("/")


def check_database_url(url: str) -> None:
    """Refuse all but SQLite and PostgreSQL; the text is not repeated in the error."""
    if not re.match(r"(sqlite|postgresql|postgresql\+psycopg)://", url):
        raise Invalid("is no database that watcher knows", 'write "sqlite:///watcher.db" or "postgresql+psycopg://…"')


def _database_url(url: str) -> str:
    check_database_url(url)
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise Invalid("is not an address", 'write "sqlite:///watcher.db" or "postgresql+psycopg://…"') from None
    if secret:
        raise Invalid("holds a password", "put the whole address into url_env or url_file")
    return url


class Listen(str):
    """`host:port`, with the host in brackets if it is an IPv6 address; an empty host is every interface."""

    __slots__ = ()

    @property
    def host(self) -> str:
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def _peer(text: str) -> str:
    """An address, or a network of them; it stays a text, which the page reads for itself."""
    try:
        ip_network(text)
    except ValueError:
        raise Invalid("is no address", 'write "10.1.2.3", "::1" or a whole network: "10.1.2.0/24"') from None
    return text


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", text) or text.lower() in _HEADERS_OF_OTHERS:
        raise Invalid("is no header for a user's name", 'write what the proxy sets: "X-Forwarded-User"')
    return text


#: Any client sends these for itself.
_HEADERS_OF_OTHERS = ("authorization", "cookie", "host", "origin", "referer", "user-agent", "x-csrf-token")


def parse_listen(text: object) -> Listen:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/]*):([0-9]{1,5})", text) if isinstance(text, str) else None
    if match is None or int(match[2]) > 65535:
        raise Invalid("is not host:port", 'write "127.0.0.1:8787" or "[::1]:8787"')
    return Listen(match[0])


def _mail_address(text: str) -> str:
    # Header injection and plain typos; whether the mailbox exists only its server can say.
    if not re.fullmatch(r"([^<>\r\n]*<[^@\s<>]+@[^@\s<>]+>|[^@\s<>]+@[^@\s<>]+)", text):
        raise Invalid("is not a mail address", 'write "name@example.com"')
    return text


# Labels and matchers

#: A tag that becomes a label keeps its name, hence the hyphen, which Prometheus would not allow.
LABEL_NAME = r"[a-zA-Z_][a-zA-Z0-9_.-]*"
#: What watcher itself says of an alert; a label from the configuration or a tag would make it say something else.
_OWN_LABELS = {
    *("rule", "severity", "cloud", "account", "subscription", "resource_group", "location"),
    *("job", "deployment", "model", "sku", "plane", "cause", "harm_types"),
}
_MATCHER = re.compile(
    rf'\s*(?P<name>{LABEL_NAME})\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s"{{}},]*)\s*'
)


def _matcher(text: str) -> str:
    """Check one of Alertmanager's matchers; it stays a text, which the room that matches parses for itself."""
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise Invalid("is not a matcher", """write 'label="value"', with one of = != =~ !~""")
    if match["operator"] in ("=~", "!~"):
        value = match["value"]
        pattern = (
            re.sub(r'\\(["\\n])', lambda m: "\n" if m[1] == "n" else m[1], value[1:-1]) if value[:1] == '"' else value
        )
        try:
            compiled(pattern)
        except ValueError as exc:
            raise Invalid(f"has a faulty regular expression ({exc})", "mend the expression") from None
    return text


def _label_name(text: str) -> str:
    if not re.fullmatch(LABEL_NAME, text):
        raise Invalid("is not a label's name", "use letters, digits, _, - and .")
    return text


def _group_label(text: str) -> str:
    return text if text == "..." else _label_name(text)  # Alertmanager's "...": each alert is a group of its own


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


# Texts and numbers


def _whole(value: object) -> object:
    if isinstance(value, bool):  # which Python takes for 0 or 1
        raise Invalid("must be a whole number", "write it in digits")
    return value


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise Invalid("is not a currency's code", 'write "USD" or "EUR"')
    return text


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Invalid("is empty or holds control characters", "write a plain name")
    return text


_RESOURCE_ID = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.CognitiveServices/accounts/[^/\s]+",
    re.IGNORECASE,
)


def _resource_id(text: str) -> str:
    if not _RESOURCE_ID.fullmatch(text):
        raise Invalid(
            "is not the ARM id of an Azure OpenAI account",
            "copy it from `az cognitiveservices account show --query id`",
        )
    return text


def _free_label(name: str) -> str:
    if _label_name(name) in _OWN_LABELS:
        raise Invalid("is a label that watcher sets itself", "choose another name")
    return name


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def _frozen_table(value: Mapping[str, timedelta | None]) -> Mapping[str, timedelta | None]:
    return MappingProxyType(dict(value))


def _format_table(value: Mapping[str, timedelta | None]) -> dict[str, str]:
    return {sku: _format_lifetime(lifetime) for sku, lifetime in value.items()}


def _text(pattern: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


# The types that the tables use.

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _text(_DURATION, examples=["30s", "5m", "4h", "7d"]),
]
Interval = Annotated[Duration, AfterValidator(_at_least_a_second)]
Lifetime = Annotated[
    timedelta | None,
    PlainValidator(parse_lifetime),
    _text(rf"^{NEVER}$|{_DURATION}", examples=["15d", NEVER]),
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
    _text(_RATE, examples=["30/1m", "1/1s"]),
]
Url = Annotated[str, AfterValidator(_url)]
#: Scheme, host and port; no slash at the end.
BaseUrl = Annotated[str, AfterValidator(_base_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
ListenAddress = Annotated[Listen, PlainValidator(parse_listen), _text(r"^.*:[0-9]{1,5}$")]
HeaderName = Annotated[str, AfterValidator(_header_name)]
#: An address, or a network in its short form.
Peer = Annotated[str, AfterValidator(_peer)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Matcher = Annotated[str, AfterValidator(_matcher)]
Matchers = tuple[Matcher, ...]
LabelName = Annotated[str, AfterValidator(_label_name)]
#: A label that the configuration may add.
FreeLabel = Annotated[str, AfterValidator(_free_label)]
GroupLabel = Annotated[str, AfterValidator(_group_label)]
Labels = Annotated[
    Mapping[FreeLabel, str], AfterValidator(_frozen_mapping), PlainSerializer(dict, return_type=dict[str, str])
]
Name = Annotated[str, AfterValidator(_name)]
#: For an int; last of its annotations, so that the limits before it reach the JSON Schema.
WHOLE = BeforeValidator(_whole)
Currency = Annotated[str, AfterValidator(_currency)]
ResourceId = Annotated[str, AfterValidator(_resource_id)]
Weekdays = Annotated[
    tuple[int, ...],
    PlainValidator(parse_weekdays),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
DayTimes = Annotated[TimeRange, PlainValidator(parse_time_range), _text(r"^[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}$")]
ReportSchedule = Annotated[Schedule, PlainValidator(parse_schedule), _text(r"^\S+ [0-9]{1,2}:[0-9]{2}$")]
Period = Annotated[
    timedelta | Literal["month"], PlainValidator(_period), _text(rf"^month$|{_DURATION}", examples=["7d", "month"])
]
TimeZone = Annotated[
    ZoneInfo, PlainValidator(_timezone), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]
