"""When a report is due: weekly or monthly, at a local time of day, whatever the clocks do meanwhile."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Among so many days there is one of each month and each week.
_LOOK_BACK = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """A day of each week, or of each month; exactly one of `weekday` and `day` is set."""

    weekday: int | None = None  #: Monday 0
    day: int | None = None  #: of the month, 1 to 28
    at: time
    zone: ZoneInfo

    def newest(self, now: datetime) -> datetime:
        """The newest time at or before `now` at which it was due.

        Where the clock skips that time of day, it is due as long after the change as it would have been after
        midnight; where the clock shows it twice, the first one counts.
        """
        today = now.astimezone(self.zone).date() + timedelta(days=1)  # a zone may be a day ahead of what it was
        for back in range(_LOOK_BACK):
            day = today - timedelta(days=back)
            if self._is_on(day) and (due_at := datetime.combine(day, self.at, self.zone).astimezone(UTC)) <= now:
                return due_at
        raise AssertionError(f"no day of {self} within {_LOOK_BACK} days before {now}")

    def _is_on(self, day: date) -> bool:
        return day.day == self.day if self.weekday is None else day.weekday() == self.weekday

    def __str__(self) -> str:
        """As it is remembered: another text is another timetable."""
        day = f"day {self.day}" if self.weekday is None else _WEEKDAYS[self.weekday]
        return f"{day} {self.at:%H:%M} {self.zone}"


def remembered(text: str) -> Timetable | None:
    """The timetable that was remembered as this text; `None`: none was, or its zone is known no more."""
    try:
        day, at, zone = text.removeprefix("day ").split(" ")
        weekday = _WEEKDAYS.index(day) if day in _WEEKDAYS else None
        found = Timetable(
            weekday=weekday,
            day=int(day) if weekday is None else None,
            at=time.fromisoformat(at),
            zone=ZoneInfo(zone),
        )
    except (ValueError, ZoneInfoNotFoundError):
        return None
    return found if str(found) == text else None


def due(timetable: Timetable, *, since: datetime | None, now: datetime) -> datetime | None:
    """When a report was due, where that has passed and it was not made since; of several times the newest alone.

    Args:
        since: When it was last due and made, or was first heard of; `None`: now it is, and begins with the next time.
    """
    newest = timetable.newest(now)
    return newest if since is not None and newest > since else None
