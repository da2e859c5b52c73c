"""How much a channel takes: its rate, as a bucket of tokens that fills steadily, and how many messages at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many messages in so long: as many at once, and after that one by one as time allows."""

    messages: int  #: at least one
    per: timedelta

    def tokens(self, left: float | None, at: datetime | None, now: datetime) -> float:
        """How many messages may go out at `now`, where `left` were left at `at`; `None`: nothing was sent yet.

        A clock that was set back costs the wait of one bucket at most.
        """
        if left is None or at is None or at > now + self.per:
            return float(self.messages)
        gained = max((now - at) / self.per, 0.0) * self.messages
        return min(left + gained, float(self.messages))

    def ready_at(self, left: float | None, at: datetime | None) -> datetime | None:
        """When the next message may go out; `None`: at once."""
        if left is None or at is None or left >= 1:
            return None
        # A little later than reckoned: at that very instant rounding must not find the token short.
        return at + self.per * ((1 - left) / self.messages) + timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a receiver is told."""

    rate: Rate | None = None  #: `None`: as fast as it goes
    at_once: int = 1  #: so many messages about different alerts may be under way at a time


#: One message after the other, as fast as that goes.
STEADY = Pace()
