"""Dates to come as iCalendar (RFC 5545), for a calendar that subscribes: deletions, expiries, retirements, and the ends
of silences and exceptions.

The same dates give the same bytes. An event keeps its UID while its date moves, so a subscriber moves it along; what is
no longer to come is no longer there.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Calendar, Event

from watcher.report.statement import Date, DateKind
from watcher.rules.text import clean, one_line

_PRODUCT = "-//watcher//Azure OpenAI fine-tuning//EN"
#: Of what is lost for good, one is reminded so long before.
_REMINDER = timedelta(days=1)
_LOST = frozenset({DateKind.DELETION, DateKind.EXPIRY})
_CATEGORIES = {
    DateKind.DELETION: "Deletion",
    DateKind.EXPIRY: "Expiry",
    DateKind.RETIREMENT: "Retirement",
    DateKind.SILENCE_END: "End of a silence",
    DateKind.EXCEPTION_END: "End of an exception",
}
#: How often a subscriber is asked to look again.
_REFRESH = timedelta(hours=1)


def calendar(dates: Iterable[Date], *, watcher: str, as_of: datetime, link: str = "") -> bytes:
    """The calendar.

    Args:
        as_of: When all this was known; the stamp of each event.
        link: Where more can be read; "": nowhere.
    """
    made = Calendar()
    made.add("prodid", _PRODUCT)
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", f"watcher {one_line(watcher)}")
    made.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    for one in sorted(dates, key=lambda one: (one.at, one.uid)):
        made.add_component(_event(one, as_of, link))
    return bytes(made.to_ical())


def _event(one: Date, as_of: datetime, link: str) -> Event:
    event, title = Event(), one_line(one.title)
    event.add("uid", f"{one.uid}@watcher")
    event.add("dtstamp", as_of.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", one.at.astimezone(UTC).replace(microsecond=0))
    event.add("summary", title if one.is_certain else f"{title} (at the earliest)")
    event.add("description", "\n\n".join(part for part in (_when(one), clean(one.text), _whose(one)) if part))
    event.add("categories", [_CATEGORIES[one.kind]])
    event.add("status", "CONFIRMED" if one.is_certain else "TENTATIVE")
    event.add("transp", "TRANSPARENT")  # nobody is busy because of it
    if link:
        event.add("url", link)
    if one.kind in _LOST:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", title)
        alarm.add("trigger", -_REMINDER)
        event.add_component(alarm)
    return event


def _when(one: Date) -> str:
    """From when to when it may be; "" where the start says it all."""
    if one.latest is not None and one.latest != one.at:
        return f"Between {_moment(one.at)} and {_moment(one.latest)}."
    return "" if one.is_certain else f"Not before {_moment(one.at)}; the latest time is not known."


def _whose(one: Date) -> str:
    parts = (("Account", one.account), ("Owner", one.owner))
    return "\n".join(f"{what}: {one_line(value)}" for what, value in parts if value)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
