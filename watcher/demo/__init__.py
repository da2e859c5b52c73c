"""`watcher demo`: a simulated Azure on loopback over real HTTP, the real cycles against it, and a timeline of both."""

from watcher.demo.keeping import in_the_way
from watcher.demo.play import run

__all__ = ["in_the_way", "run"]
