"""Rows kept from one reading to the next: only those of which something has changed since are read again."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Connection

from watcher.store.upsert import chunks

T = TypeVar("T")

#: Reads what belongs to some keys; what is not there any more is left out.
Load = Callable[[Connection, Sequence[str]], Mapping[str, T]]
#: So many are read at once.
_AT_ONCE = 500


class Gathered(Generic[T]):
    """What was read last, by key. One reader at a time."""

    def __init__(self, load: Load[T], *, every: timedelta) -> None:
        """`every`: each is read again so often though nothing has changed, since time alone changes what it says."""
        self._load = load
        self._every_s = every.total_seconds()
        self._base: object = None
        self._marks: dict[str, tuple[int, int]] = {}
        self._found: dict[str, T] = {}

    def read(self, tx: Connection, marks: Mapping[str, int], *, now: datetime, base: object) -> list[T]:
        """All that there is now, in the order of `marks`.

        Args:
            marks: By key a number that is another once something has changed.
            base: What all of it rests on besides: where it is another, all is read again.
        """
        if base != self._base:
            self._marks, self._found = {}, {}
        wanted = {key: (mark, self._turn(key, now)) for key, mark in marks.items()}
        changed = [key for key, mark in wanted.items() if self._marks.get(key) != mark]
        found = self._found.copy()
        for key in changed:
            found.pop(key, None)
        for some in chunks(changed, _AT_ONCE):
            found |= self._load(tx, some)
        self._found = {key: found[key] for key in wanted if key in found}
        self._base, self._marks = base, wanted
        return list(self._found.values())

    def _turn(self, key: str, now: datetime) -> int:
        """It changes once in `every`, for each key at a time of its own."""
        return int((now.timestamp() + zlib.crc32(key.encode()) % self._every_s) // self._every_s)
