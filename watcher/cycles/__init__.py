"""The verbs that drive everything: discover, poll, review, dispatch, deliver.

Each is "load, decide with pure functions, save", may be killed at any point, and is safe to repeat. They meet in the
database alone.
"""

from watcher.cycles.delivery import Delivered, deliver
from watcher.cycles.discovery import Discover, Discovery, discover, save_discovery
from watcher.cycles.dispatching import decide, dispatch, dispatch_now
from watcher.cycles.judgement import Cadence, Judgement
from watcher.cycles.memory import Memory
from watcher.cycles.polling import EVERYTHING, Collect, Recorded, poll, record, unchanged, without_secrets
from watcher.cycles.reviewing import note_itself, review, review_now

__all__ = [
    "EVERYTHING",
    "Cadence",
    "Collect",
    "Delivered",
    "Discover",
    "Discovery",
    "Judgement",
    "Memory",
    "Recorded",
    "decide",
    "deliver",
    "discover",
    "dispatch",
    "dispatch_now",
    "note_itself",
    "poll",
    "record",
    "review",
    "review_now",
    "save_discovery",
    "unchanged",
    "without_secrets",
]
