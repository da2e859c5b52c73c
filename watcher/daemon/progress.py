"""Whether the loops move: what `/healthz` tells, and what systemd's watchdog is fed by."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

#: Without progress of any loop for this long the daemon is stuck: `/healthz` says so, and systemd is not told "alive".
STUCK_AFTER_S = 120.0


@dataclass(slots=True)
class Progress:
    """When each loop last got on, on a clock that does not jump."""

    at: dict[str, float] = field(default_factory=dict)
    last_at: datetime | None = None

    def note(self, loop: str) -> None:
        """`loop` got on; from now on it must do so again and again."""
        self.at[loop] = time.monotonic()
        self.note_once()

    def note_once(self) -> None:
        """Something got on that may rest for longer than a stuck loop."""
        self.last_at = datetime.now(UTC)

    @property
    def is_alive(self) -> bool:
        now = time.monotonic()
        return bool(self.at) and all(now - at < STUCK_AFTER_S for at in self.at.values())
