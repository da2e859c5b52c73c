"""The engine: SQLite or PostgreSQL through the same code, and the one thread that writes.

A write is a plain function `fn(tx, …)` that loads, decides and saves. On SQLite, writes that wait while another is
under way share one transaction, each in a savepoint of its own, so that a thousand quiet polls cost a few commits and a
failed write harms no other. (On PostgreSQL they do not: two processes whose batches lock rows in different orders would
deadlock.) Reads have their own connections and, in SQLite's WAL mode, wait for nobody.
"""

import asyncio
import concurrent.futures
import contextlib
import copy
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from watcher.errors import DatabaseUnavailableError, NewerSchemaError, OutdatedSchemaError
from watcher.store import schema

P = ParamSpec("P")
R = TypeVar("R")

_BUSY_TIMEOUT_MS = 10_000
#: Of each connection's own cache, of which there are up to seven; behind it stands that of the operating system, and
#: each commit empties those of all others.
_CACHE_KIB = 512
_MOST_IN_A_BATCH = {"sqlite": 256}


def connect(url: str, **options: Any) -> Engine:
    """An engine for a `sqlite:///` or `postgresql+psycopg://` address. Opens nothing yet.

    Args:
        options: For SQLAlchemy's `create_engine`, with SQLite only.

    Raises:
        DatabaseUnavailableError: the address is no address, or its driver is not installed.
    """
    try:
        parsed = sqlalchemy.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, options)
        return create_engine(parsed, pool_pre_ping=True, pool_size=4, max_overflow=4)
    except (sqlalchemy.exc.ArgumentError, ImportError) as exc:
        raise DatabaseUnavailableError(f"database.url cannot be used: {_first_line(exc)}") from exc


def _sqlite(url: sqlalchemy.URL, options: dict[str, Any]) -> Engine:
    if url.database and url.database != ":memory:" and not Path(url.database).absolute().parent.is_dir():
        raise DatabaseUnavailableError(f"the folder of {url.database} does not exist; create it or change database.url")
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi: Any, _record: object) -> None:
        dbapi.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = dbapi.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")  # first: the others may have to wait
        _use_wal(cursor)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", f"cache_size=-{_CACHE_KIB}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads and then writes must hold the write lock from its start: the driver's own deferred
        # BEGIN loses updates without a word when two processes do so at once.
        readonly = connection.get_execution_options().get("readonly")
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


def _use_wal(cursor: Any) -> None:
    """Of two that open a new file at once one may be refused at once: this change alone heeds no timeout."""
    until = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > until:
                raise
        time.sleep(0.01)


class Store:
    """Reads and writes for the asynchronous edges. Close it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(readonly=True)
        self._readers = concurrent.futures.ThreadPoolExecutor(max_workers=4, thread_name_prefix="store-read")
        self._beside = concurrent.futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-beside")
        self._most_in_a_batch = _MOST_IN_A_BATCH.get(engine.dialect.name, 1)
        self._jobs: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._closed = threading.Event()
        self._writer = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._writer.start()

    def beside(self) -> "Store":
        """The same store, with two threads of its own to read in: however much is asked there, polls need not wait.

        It ends with this one.
        """
        other = copy.copy(self)
        other._readers = self._beside
        return other

    async def read(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn` in a transaction that only reads."""
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, lambda: self.read_now(fn, *args, **kwargs)
        )

    def read_now(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `read`, from a thread that may wait."""
        with translated(), self._reader.begin() as tx:
            return fn(tx, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn` in a transaction on the writer's thread; returns once it is committed.

        When the caller is cancelled meanwhile, the write is done whole or, if it had not begun, not at all.
        """
        return await asyncio.wrap_future(self._submit(lambda tx: fn(tx, *args, **kwargs)))

    def write_now(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `write`, from a thread that may wait."""
        return self._submit(lambda tx: fn(tx, *args, **kwargs)).result()

    async def rehearse(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn` in a transaction that writes, and take everything back."""

        def run() -> R:
            with translated(), self.engine.connect() as tx, tx.begin() as transaction:
                try:
                    return fn(tx, *args, **kwargs)
                finally:
                    transaction.rollback()

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def close(self) -> None:
        """Finish what was handed over, and let go of the database."""
        with self._door:
            self._closed.set()
            self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._beside.shutdown()
        self.engine.dispose()

    def _submit(self, fn: Callable[[Connection], R]) -> "concurrent.futures.Future[R]":
        write = _Write(fn)
        with self._door:  # nothing is handed over behind the writer's back, where it would wait for ever
            if self._closed.is_set():
                raise DatabaseUnavailableError("the database is closed: this process is ending")
            self._jobs.put(write)
        return write.future

    def _write_forever(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            batch, is_last = [first], False
            with contextlib.suppress(queue.Empty):
                while len(batch) < self._most_in_a_batch:
                    write = self._jobs.get_nowait()
                    if write is None:
                        is_last = True
                        break
                    batch.append(write)
            self._commit([write for write in batch if write.future.set_running_or_notify_cancel()])
            if is_last:
                return

    def _commit(self, batch: "list[_Write]") -> None:
        """One transaction for all; each write's own failure rolls back that write alone."""
        outcomes: list[tuple[_Write, Any, BaseException | None]] = []
        try:
            with translated(), self.engine.begin() as tx:
                for write in batch:
                    outcomes.append(write.run(tx, in_savepoint=len(batch) > 1))
        except BaseException as exc:
            for write in batch:
                own = next((error for done, _, error in outcomes if done is write and error is not None), exc)
                write.future.set_exception(own)
            return
        for write, value, error in outcomes:
            if error is not None:
                write.future.set_exception(error)
            else:
                write.future.set_result(value)


class _Write:
    """One function waiting for the writer."""

    def __init__(self, fn: Callable[[Connection], Any]) -> None:
        self.fn = fn
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run(self, tx: Connection, *, in_savepoint: bool) -> "tuple[_Write, Any, BaseException | None]":
        if not in_savepoint:
            return self, self.fn(tx), None
        savepoint = tx.begin_nested()
        try:
            with translated():
                value = self.fn(tx)
                savepoint.commit()
        except Exception as exc:
            if not tx.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                raise  # a full disk, say: SQLite has taken back the whole transaction by itself, and so the whole batch
            savepoint.rollback()
            return self, None, exc
        return self, value, None


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the database's own errors into ours, so that nobody outside this room knows SQLAlchemy's."""
    try:
        yield
    except OperationalError as exc:
        raise DatabaseUnavailableError(f"the database cannot be used: {_first_line(exc.orig or exc)}") from exc
    except DBAPIError as exc:
        raise DatabaseUnavailableError(f"the database refused: {_first_line(exc.orig or exc)}") from exc


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


def revision(tx: Connection) -> str | None:
    """The migration that the database stands at; `None` for an empty one."""
    if not sqlalchemy.inspect(tx).has_table("alembic_version"):
        return None
    found: str | None = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def check_schema(engine: Engine) -> None:
    """Refuse a database that this version cannot work with; changes nothing.

    Raises:
        OutdatedSchemaError: it is empty or older; `watcher run` or `watcher db upgrade` brings it up to date.
        NewerSchemaError: a newer `watcher` has written it.
    """
    with translated(), engine.execution_options(readonly=True).begin() as tx:
        found = revision(tx)
    if found is not None and found > schema.HEAD:
        raise NewerSchemaError(
            f"the database is at schema {found}, and this watcher knows {schema.HEAD}: install the newer watcher again"
        )
    if found != schema.HEAD:
        at = "is empty" if found is None else f"is at schema {found}, and this watcher needs {schema.HEAD}"
        raise OutdatedSchemaError(f"the database {at}: start `watcher run`, or run `watcher db upgrade`")


def upgrade(engine: Engine) -> bool:
    """Bring the schema up to date; returns whether anything had to be done. Safe to repeat, and by two at once.

    Raises:
        NewerSchemaError: a newer `watcher` has written the database.
    """
    try:
        check_schema(engine)
    except OutdatedSchemaError:
        from watcher.store import migrate  # alembic takes half a second to load, and is hardly ever needed

        with translated():
            migrate.to_head(engine)
        return True
    return False
