"""Replay: what the present configuration would have told of the time that is recorded. Nothing is sent or written."""

from watcher.replay.comparison import Comparison, Entry, compare
from watcher.replay.play import Replayed, replay

__all__ = ["Comparison", "Entry", "Replayed", "compare", "replay"]
