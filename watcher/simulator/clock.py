"""Clocks for simulated time: one moved by hand, one that runs at a multiple of wall time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


class SteppedClock:
    """Stands still until `advance` or `move_to`. Calling it gives the present simulated time, aware UTC."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._now = start.astimezone(UTC)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward and return the new time. Raises ValueError for a negative step: time does not run back."""
        if by < timedelta(0):
            raise ValueError("a clock cannot run backwards")
        self._now += by
        return self._now

    def move_to(self, when: datetime) -> datetime:
        """Move forward to `when` and return it. Raises ValueError when that lies in the past."""
        return self.advance(when - self._now)


class FastClock:
    """Runs by itself: `speed` simulated seconds for each second of the machine's monotonic clock."""

    def __init__(self, start: datetime, *, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._start = start.astimezone(UTC)
        self._speed = speed
        self._monotonic = monotonic
        self._began = monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=(self._monotonic() - self._began) * self._speed)
