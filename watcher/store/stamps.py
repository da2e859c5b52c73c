"""Stamps: whether something changed since it was read is seen from a number, without reading it again.

They grow with time, so that what changed last is found without a look at the rest. That is no promise: clocks differ
and are put back, and transactions end in another order than they began. Whoever relies on it compares the sum of all.
"""

import threading
import time

#: From which stamps count, as Unix time in seconds, and how many there are in a second: the sum over a million rows
#: stays far below what 64 bits hold.
_EPOCH_S, _PER_S = 1_735_689_600, 10_000

_turn = threading.Lock()
_newest = 0


def new_stamp() -> int:
    """A number that no former one of the same row equals: each of this process is greater than all before it."""
    global _newest
    with _turn:
        _newest = max(_newest + 1, int((time.time() - _EPOCH_S) * _PER_S))
        return _newest
