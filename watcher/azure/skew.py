"""How far our clock is from Azure's, by the `Date` header of its answers.

A deadline of hours is counted on our clock from times of theirs. Each answer gives a guess that is off by as much as
half its round trip and half a second more, as the header counts whole seconds; the middle one of several is good to
about a second, which is more than is needed to warn of minutes.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

#: The newest answers that count, and how few say nothing yet.
_ANSWERS, _FEWEST = 9, 3
#: An answer that took longer dates too little.
_LONGEST = timedelta(seconds=10)
#: The header leaves the fraction of its second out.
_HALF_SECOND = timedelta(seconds=0.5)


class ClockSkew:
    """What the newest answers say together; one host with a wrong clock does not outvote the others."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=_ANSWERS)
        self._at: datetime | None = None

    @property
    def skew(self) -> timedelta | None:
        """Our clock less theirs: positive where ours is ahead. `None`: too few answers yet."""
        return timedelta(seconds=median(self._samples)) if len(self._samples) >= _FEWEST else None

    @property
    def at(self) -> datetime | None:
        """When the newest answer came, by our clock."""
        return self._at

    def add(self, headers: Mapping[str, str], *, sent_at: datetime, received_at: datetime) -> None:
        """Take an answer into account; one without a date, from a cache, or late to come, is left out."""
        took = received_at - sent_at
        told = headers.get("date")
        if not told or headers.get("age") or not timedelta() <= took <= _LONGEST:
            return
        try:
            date = parsedate_to_datetime(told)
        except (ValueError, TypeError, IndexError, OverflowError):
            return
        theirs = (date if date.tzinfo else date.replace(tzinfo=UTC)) + _HALF_SECOND
        self._samples.append((sent_at + took / 2 - theirs).total_seconds())
        self._at = received_at
