"""Chance with a seed: draws that come out alike on every machine and Python version.

Only `Random.random()` is promised to stay as it is, so every draw is made from it, with whole numbers where rounding
could differ.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")

_SECOND = timedelta(seconds=1)


class Chances:
    """A stream of draws; those of other names are independent, so that one more draw here changes nothing there."""

    def __init__(self, *path: object) -> None:
        self._path = path
        self._random = Random("/".join(map(str, path)))

    def fork(self, *path: object) -> "Chances":
        """The stream of this name beneath this one."""
        return Chances(*self._path, *path)

    def happens(self, percent: int) -> bool:
        """True so many times in a hundred."""
        return self._random.random() * 100 < percent

    def number(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + int(self._random.random() * (most - least + 1))

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.number(0, len(choices) - 1)]

    def weighted(self, choices: Sequence[tuple[int, T]]) -> T:
        """One of the choices, each as often as its weight says."""
        left = self.number(1, sum(weight for weight, _ in choices))
        for weight, choice in choices:
            left -= weight
            if left <= 0:
                return choice
        raise AssertionError("weights add up to less than they are")

    def some(self, choices: Sequence[T], least: int, most: int) -> tuple[T, ...]:
        """So many different choices, in the order in which they stand."""
        left = list(range(len(choices)))
        taken = [left.pop(self.number(0, len(left) - 1)) for _ in range(min(self.number(least, most), len(choices)))]
        return tuple(choices[index] for index in sorted(taken))

    def moment(self, earliest: timedelta, latest: timedelta) -> timedelta:
        """A whole second between the two; `earliest` where they are the wrong way round."""
        return earliest + self.number(0, max(0, (latest - earliest) // _SECOND)) * _SECOND

    def length(self, shortest: timedelta, longest: timedelta) -> timedelta:
        """A length between the two: each doubling of `shortest` is as likely as the next."""
        doublings = 0
        while shortest * 2 ** (doublings + 1) <= longest:
            doublings += 1
        base = shortest * 2 ** self.number(0, doublings)
        return self.moment(base, min(base * 2, longest))
