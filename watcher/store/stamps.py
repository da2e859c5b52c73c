"""Stamps: whether something changed since it was read is seen from a number, without reading it again."""

import random


def new_stamp() -> int:
    """A number that no former one of the same row equals, but for one chance in two thousand million."""
    return random.getrandbits(31)
