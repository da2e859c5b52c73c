"""Rows as the driver has them, for what is read by the ten thousand: SQLAlchemy's own take most of the time."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select

#: Rows that are fetched at once: so few stay in the processor's own memory.
_BATCH = 500


def plain_rows(tx: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """The rows of a query, with texts and numbers as they are stored. Ask it for no time: SQLite has it as a text."""
    if tx.dialect.name != "sqlite":
        # A cursor on the server's side keeps memory small, and belongs to SQLAlchemy, which reads ahead of us.
        yield from tx.execute(query.execution_options(yield_per=_BATCH))
        return
    result = tx.execute(query)
    cursor = result.cursor
    assert cursor is not None  # a query has rows
    try:
        while rows := cursor.fetchmany(_BATCH):
            yield from rows
    finally:
        result.close()
