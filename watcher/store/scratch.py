"""A store in memory that lives in its caller's thread: for what is tried out and thrown away."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.pool import StaticPool

from watcher.store import engine, schema
from watcher.store.engine import Store, translated

P = ParamSpec("P")
R = TypeVar("R")


class Scratch(Store):
    """An empty database with the schema of now. Nothing waits, and nothing is kept."""

    def __init__(self) -> None:  # in place of the store's own, which starts its threads
        self.engine = engine.connect("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        schema.metadata.create_all(self.engine)
        self._tx = self.engine.connect()
        # What is copied into it may name what is not: the times of an account's jobs stand beside no account yet.
        raw: Any = self._tx.connection.dbapi_connection  # inside of a transaction the pragma does nothing
        raw.execute("PRAGMA foreign_keys=OFF")

    async def read(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.write_now(fn, *args, **kwargs)

    def read_now(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.write_now(fn, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.write_now(fn, *args, **kwargs)

    def write_now(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        with translated(), self._tx.begin():
            return fn(self._tx, *args, **kwargs)

    def close(self) -> None:
        self._tx.close()
        self.engine.dispose()
