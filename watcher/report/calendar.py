"""Dates to come as iCalendar (RFC 5545), for a calendar that subscribes: deletions, expiries, retirements, and the ends
of silences and exceptions.

The same dates give the same bytes. An event keeps its UID while its date moves, so a subscriber moves it along; what is
no longer to come is no longer there. Nor is what has no date that is known: the calendar's own description counts it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Calendar, Event, vText

from watcher.report.statement import Date, DateKind, Statement, Undated
from watcher.rules.text import called, clean, counted, few, one_line

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
#: So many names stand in a sentence.
_NAMED = 8


def calendar_of(statement: Statement, *, link: str = "") -> bytes:
    """The dates of a statement, and what may be missing among them."""
    missing = "\n".join(missing_from(statement, names=_NAMED))
    return calendar(statement.dates, watcher=statement.watcher, as_of=statement.as_of, link=link, missing=missing)


def missing_from(statement: Statement, *, names: int = 0) -> list[str]:
    """What may be missing among the dates, in sentences; none where all is known.

    Args:
        names: So many deployments are named with each reason.
    """
    said = []
    if statement.undated:
        count = sum(len(group.names) for group in statement.undated)
        it = "it is" if count == 1 else "they are"
        said.append(
            f"When Azure deletes {counted(count, 'deployment')} is not known, so {it} not in the calendar: "
            f"{'; '.join(_why(group, names, len(statement.undated)) for group in statement.undated)}."
        )
    if not statement.accounts and not statement.edition.owner:
        said.append("No account is known, so the calendar has no dates of deployments.")
    elif statement.lacks_dates:
        said.append(
            f"{'More' if said else 'Something'} could not be seen, so other dates may be missing or have moved."
        )
    return said


def _why(group: Undated, names: int, groups: int) -> str:
    """`of 2 the metrics could not be read: a role is missing`; of all, where there is no other reason."""
    named = few(group.names, names) if names else ""
    if groups == 1:
        return f"{group.because} ({named})" if named else group.because
    return f"of {len(group.names)}{f' ({named})' if named else ''} {group.because}"


def calendar(dates: Iterable[Date], *, watcher: str, as_of: datetime, link: str = "", missing: str = "") -> bytes:
    """The calendar.

    Args:
        as_of: When all this was known; the stamp of each event.
        link: Where more can be read; "": nowhere.
        missing: What has no date that is known; "": nothing, as far as is known.
    """
    made = Calendar()
    made.add("prodid", _PRODUCT)
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", _Text(called(one_line(watcher))))
    if missing:
        made.add("description", _Text(clean(missing)))
        made.add("x-wr-caldesc", _Text(clean(missing)))  # as calendars read it that are older than the other
    made.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    for one in sorted(dates, key=lambda one: (one.at, one.uid)):
        made.add_component(_event(one, as_of, link))
    return bytes(made.to_ical())


class _Text(vText):
    """Text that is read back as it is: the library's own takes a backslash before an N for a line break."""

    def to_ical(self) -> bytes:
        """By RFC 5545, section 3.3.11."""
        escaped = self.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
        return escaped.encode()


def _event(one: Date, as_of: datetime, link: str) -> Event:
    event, title = Event(), one_line(one.title)
    event.add("uid", f"{one.uid}@watcher")
    event.add("dtstamp", as_of.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", one.at.astimezone(UTC).replace(microsecond=0))
    event.add("summary", _Text(title if one.is_certain else f"{title} (at the earliest)"))
    event.add("description", _Text("\n\n".join(part for part in (_when(one), clean(one.text), _whose(one)) if part)))
    event.add("categories", [_CATEGORIES[one.kind]])
    event.add("status", "CONFIRMED" if one.is_certain else "TENTATIVE")
    event.add("transp", "TRANSPARENT")  # nobody is busy because of it
    if link:
        event.add("url", link)
    if one.kind in _LOST:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", _Text(title))
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
