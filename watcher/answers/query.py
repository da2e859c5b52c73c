"""What is asked for in a listing, and a page of what was found."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from watcher.rules.lifetimes import Lifetimes
from watcher.rules.metrics_pace import STALE_AFTER

T = TypeVar("T")
#: The place of an item in its listing. It never changes, so that a cursor stays good while things come and go.
Key = tuple[int | str, ...]

#: Azure's own.
_USUAL = Lifetimes()


class BadCursor(ValueError):
    """A cursor is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every answer goes by."""

    now: datetime
    owner_tag: str = "owner"  #: names the owner of a deployment or a job
    lifetimes: Lifetimes = _USUAL  #: as the rules have them
    stale_after: timedelta = STALE_AFTER  #: near a deletion, metrics that end longer ago say nothing of the present


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which items; globs without regard to case, and none at all means all."""

    accounts: tuple[str, ...] = ()  #: names or labels
    statuses: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    since: datetime | None = None

    def fits_account(self, *names: str) -> bool:
        return fits(self.accounts, *names)

    def fits_status(self, *words: str) -> bool:
        return fits(self.statuses, *words)

    def fits_owner(self, owner: str) -> bool:
        return fits(self.owners, owner)


#: Everything.
ALL = Query()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where to go on."""

    items: tuple[T, ...]
    cursor: str | None = None  #: of the last item; `None`: nothing follows


def fits(globs: Iterable[str] | None, *names: str) -> bool:
    """Whether one of the names fits one of the globs, without regard to case; no globs: all do."""
    patterns = [glob.lower() for glob in globs or ()]
    return not patterns or any(fnmatchcase(name.lower(), glob) for glob in patterns for name in names)


def moment_at(text: str, zone: tzinfo, *, is_end: bool = False) -> datetime:
    """The time that a date or time means; without an offset it is by `zone`.

    Args:
        is_end: A date counts to its end, and not from its beginning.

    Raises:
        ValueError: It is none.
    """
    try:
        if len(text) == 10:
            day = date.fromisoformat(text) + timedelta(days=int(is_end))
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(text) from exc


def paged(items: Iterable[T], key: Callable[[T], Key], *, limit: int | None = None, cursor: str = "") -> Page[T]:
    """The first `limit` items behind `cursor`.

    Args:
        items: In the order of their keys.
        limit: At least 1; `None`: all.
        cursor: Of an earlier page; "": from the beginning.

    Raises:
        BadCursor: It is none.
    """
    after = decode_cursor(cursor) if cursor else None
    found: list[T] = []
    for item in items:
        if after is not None and not _is_behind(key(item), after):
            continue
        if len(found) == limit:
            return Page(tuple(found), encode_cursor(key(found[-1])))
        found.append(item)
    return Page(tuple(found))


def _is_behind(key: Key, after: Key) -> bool:
    try:
        return key > after
    except TypeError:
        raise BadCursor("the cursor belongs to another listing") from None


def encode_cursor(key: Key) -> str:
    """The key as a word for addresses."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Key:
    """The key that `encode_cursor` made a word of.

    Raises:
        BadCursor: It did not.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise BadCursor("this is no cursor") from None
    if not isinstance(found, list) or not found or not all(type(part) in (int, str) for part in found):
        raise BadCursor("this is no cursor")
    return tuple(found)


def newest_first(at: datetime | None) -> int:
    """A part of a key that puts later times first, and what has none last."""
    return 0 if at is None else -int(at.timestamp() * 1_000_000)
