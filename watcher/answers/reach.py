"""How far a listing reads in the store: from where its page begins, and no further than that reaches.

A cursor of a listing in another order is refused.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from watcher.answers.query import BadCursor, decode_cursor
from watcher.store.upsert import chunks

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The end of the calendar, in microseconds since then.
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
#: So many are read at once, where only a page is asked for.
_ACCOUNTS_AT_ONCE = 20


def in_parts(accounts: Sequence[T], limit: int | None) -> Iterator[Sequence[T]]:
    """Accounts in pieces, to be read one piece after the other; few at once where only a page is asked for."""
    return chunks(accounts, _ACCOUNTS_AT_ONCE if limit else 500)


def account_of(cursor: str) -> str:
    """The account with which a page begins: what comes before need not be read again."""
    first = decode_cursor(cursor)[0] if cursor else ""
    if not isinstance(first, str):
        raise BadCursor("the cursor belongs to another listing")
    return first


def seen_by(cursor: str) -> datetime | None:
    """When the last transition of the page before was seen: what is newer need not be read again."""
    first = decode_cursor(cursor)[0] if cursor else None
    if first is not None and (not isinstance(first, int) or not -_LAST < first <= 0):
        raise BadCursor("the cursor belongs to another listing")
    return None if first is None else _EPOCH - timedelta(microseconds=first)


def up_to(cursor: str) -> datetime | None:
    """The same of what is dated by others' clocks, which may know times before 1970."""
    first = decode_cursor(cursor)[0] if cursor else None
    return _EPOCH if isinstance(first, int) and first > 0 else seen_by(cursor)
