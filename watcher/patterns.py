"""Regular expressions that people type: compiled where matching them cannot take for ever, else refused.

Python's `re` tries one way to match after the other, and nothing else runs meanwhile. Of `(a|a)*!` there are twice as
many ways with each character more, so one line in a silence could stop the daemon. What bounds the ways is read off the
parsed expression: a choice multiplies them, so a repeat of what has a choice within it raises them to a power.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from math import prod

# The parser of `re` itself, and so always of the same mind; it has no public name since 3.11.
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

#: Of a pattern, in characters.
LONGEST = 200
#: Ways that a simple repeat counts for: four of them in a row are as many as are taken.
_REPEAT = 32
_MOST_WAYS = _REPEAT**4
_REPEATS = frozenset({ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT})


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to match.

    Raises:
        ValueError: It is none, is too long, or could take for ever; in one line.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"a regular expression has at most {LONGEST} characters, and this one {len(pattern)}")
    try:
        made = re.compile(pattern)
        ways = _of_all(parser.parse(pattern))
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{pattern!r} is not a regular expression: {exc}") from exc
    except _Endless as exc:
        raise ValueError(f"{pattern!r} could take for ever: {exc}") from None
    if ways > _MOST_WAYS:
        raise ValueError(f"{pattern!r} could take for ever: it has too many repeats and alternatives; write fewer")
    return made


class _Endless(Exception):
    """A repeat whose ways to match have no sane bound."""


def _of_all(parts: Iterable[tuple[Any, Any]]) -> int:
    """In how many ways parts that follow one another can match, at most."""
    return min(prod(_of_one(op, of) for op, of in parts), _MOST_WAYS + 1)


def _of_one(op: Any, of: Any) -> int:
    if op in _REPEATS:
        return _of_repeat(*of)
    if op is ops.BRANCH:
        return sum(map(_of_all, of[1]))
    if op is ops.GROUPREF_EXISTS:
        return sum(_of_all(arm) for arm in of[1:] if arm is not None)
    if op in (ops.SUBPATTERN, ops.ASSERT, ops.ASSERT_NOT):
        return _of_all(of[-1])
    return _of_all(of) if op is ops.ATOMIC_GROUP else 1


def _of_repeat(least: int, most: int, part: Any) -> int:
    ways = _of_all(part)
    if most <= 1:
        return most - least + ways
    if part.getwidth()[0] == 0:
        raise _Endless("it repeats what may be empty")
    if ways == 1:
        return min(most - least + 1, _REPEAT)
    if most > _REPEAT:
        raise _Endless("it repeats what has a repeat or alternatives within it")
    return sum(ways**count for count in range(least, most + 1))
