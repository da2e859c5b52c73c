"""What a database holds, to be compared."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Engine

from watcher.store import schema


def dump(engine: Engine) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with engine.execution_options(readonly=True).begin() as tx:
        return {
            table.name: sorted(map(tuple, tx.execute(sqlalchemy.select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }


def changed_tables(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@contextmanager
def statements(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is executed meanwhile, with its parameters."""
    heard: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        heard.append((statement, parameters))

    sqlalchemy.event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", hear)
