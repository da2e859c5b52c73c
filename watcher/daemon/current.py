"""The machine of the present, in one place for all who run it."""

from dataclasses import dataclass

from watcher.assembly.machine import Machine


@dataclass(slots=True)
class Current:
    """Holds the machine in force. A reload swaps it: a poll or a delivery takes it from here once, and ends on it."""

    machine: Machine
