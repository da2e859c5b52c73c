"""The daemon: the scheduler, the loops that a commit wakes, signals, the page, and a graceful stop.

`service` holds the daemon itself: it starts the page, the scheduler and the loops, and ends them. Polls are started by
`poller`, from a heap of due times; `teller` dispatches and delivers, in loops that sleep until they are woken;
`reloading` swaps the machine that they all run. The other files are small: what they share, and what they tell outside.
"""

from watcher.daemon.progress import STUCK_AFTER_S
from watcher.daemon.service import DRAIN_S, Daemon, run

__all__ = ["DRAIN_S", "STUCK_AFTER_S", "Daemon", "run"]
