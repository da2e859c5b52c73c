"""Insert or update, in the dialect at hand; and long lists of keys in pieces that every database takes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    tx: Connection,
    table: Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    only_new: Mapping[str, Any] | None = None,
) -> None:
    """Insert a row, or update the one with the same primary key.

    Args:
        key: The primary key's columns.
        values: What the row holds afterwards, in either case.
        only_new: What an inserted row holds besides, and an existing one keeps.
    """
    tx.execute(_upserting(tx.dialect.name, table, tuple(key), tuple(values)), {**key, **(only_new or {}), **values})


def upsert_all(
    tx: Connection,
    table: Table,
    key: Collection[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    only_new: Collection[str] = (),
) -> None:
    """Insert rows, or update those with the same primary key, in one statement.

    Args:
        key: Names of the primary key's columns; every row holds them, and the same others.
        only_new: Names of columns that an existing row keeps as they are.
    """
    if not rows:
        return
    values = tuple(name for name in rows[0] if name not in key and name not in only_new)
    tx.execute(_upserting(tx.dialect.name, table, tuple(key), values), list(rows))


def insert_new(tx: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Insert a row unless there is one with the same primary key; returns whether it was inserted."""
    dialect = sqlite if tx.dialect.name == "sqlite" else postgresql
    inserting = dialect.insert(table).values(**key, **values).on_conflict_do_nothing(index_elements=list(key))
    return tx.execute(inserting.returning(*(table.c[name] for name in key))).first() is not None


@cache  # to build one costs more than to run it, and there are a dozen in all
def _upserting(dialect_name: str, table: Table, key: tuple[str, ...], values: tuple[str, ...]) -> Executable:
    dialect = sqlite if dialect_name == "sqlite" else postgresql
    statement = dialect.insert(table)
    given = {name: statement.excluded[name] for name in values}
    upserting: Executable = (
        statement.on_conflict_do_update(index_elements=list(key), set_=given)
        if given
        else statement.on_conflict_do_nothing(index_elements=list(key))
    )
    return upserting


T = TypeVar("T")


def chunks(items: Sequence[T], size: int = 500) -> Iterator[list[T]]:
    """`items` in pieces."""
    return (list(items[start : start + size]) for start in range(0, len(items), size))
