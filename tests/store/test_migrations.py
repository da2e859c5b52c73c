import subprocess
import sys
import threading

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from watcher.errors import DatabaseUnavailableError, NewerSchemaError, OutdatedSchemaError
from watcher.store import migrate, schema
from watcher.store.engine import check_schema, connect, revision, upgrade


@pytest.fixture
def empty(empty_url):
    engine = connect(empty_url)
    yield engine
    engine.dispose()


def set_revision(engine, number):
    with engine.begin() as tx:
        tx.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = :n"), {"n": number})


def test_the_migrations_make_the_tables_of_the_schema(empty):
    upgrade(empty)
    with empty.connect() as connection:
        # (alembic takes the default '' on SQLite for a change)
        options = {"compare_type": True, "compare_server_default": empty.dialect.name != "sqlite"}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


def test_the_migrations_make_the_partial_and_unique_indexes_of_the_schema(empty):
    """`compare_metadata` does not look at the conditions of partial indexes."""
    upgrade(empty)
    with empty.begin() as tx:
        migrated = index_definitions(tx)
        schema.metadata.drop_all(tx)
        schema.metadata.create_all(tx)
        assert index_definitions(tx) == migrated
        assert any("ends_at IS NULL" in definition for definition in migrated)


def index_definitions(tx):
    if tx.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    return sorted(tx.execute(sqlalchemy.text(query)).scalars())


def test_the_known_head_is_the_newest_script():
    scripts = ScriptDirectory.from_config(migrate.configuration())
    assert scripts.get_heads() == [schema.HEAD]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)  # newer is greater as text: `check_schema` relies on it


def test_an_empty_database_is_refused_until_it_is_upgraded(empty):
    with pytest.raises(OutdatedSchemaError, match=r"is empty.*watcher db upgrade"):
        check_schema(empty)
    assert upgrade(empty) is True
    check_schema(empty)
    assert upgrade(empty) is False


def test_an_older_schema_is_refused_by_name(engine):
    set_revision(engine, "0000")
    with pytest.raises(OutdatedSchemaError, match=rf"at schema 0000, and this watcher needs {schema.HEAD}"):
        check_schema(engine)


def test_a_newer_schema_is_refused_and_left_alone(engine):
    set_revision(engine, "9999")
    for attempt in (check_schema, upgrade):
        with pytest.raises(NewerSchemaError, match=rf"at schema 9999.*knows {schema.HEAD}.*newer watcher"):
            attempt(engine)
    with engine.connect() as tx:
        assert revision(tx) == "9999"


def faults_at_once(url, attempt, *, threads):
    """What `attempt` raised in any of so many threads that begin together, each with an engine of its own."""
    engines = [connect(url) for _ in range(threads)]
    barrier, faults = threading.Barrier(threads), []

    def run(engine):
        barrier.wait()
        try:
            attempt(engine)
        except BaseException as exc:
            faults.append(exc)

    running = [threading.Thread(target=run, args=(engine,)) for engine in engines]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for engine in engines:
        engine.dispose()
    return faults


def test_two_threads_may_upgrade_at_once(empty_url):
    def attempt(engine):
        upgrade(engine)
        check_schema(engine)

    assert faults_at_once(empty_url, attempt, threads=4) == []


@pytest.mark.parametrize("_", range(30))
def test_many_may_open_a_new_file_at_once(tmp_path, _):
    """SQLite refuses some of those that change the journal's mode at once, whatever the timeout."""

    def attempt(engine):
        with engine.connect() as tx:
            tx.exec_driver_sql("SELECT 1")

    assert faults_at_once(f"sqlite:///{tmp_path / 'new.db'}", attempt, threads=8) == []


def test_two_processes_may_upgrade_at_once(empty_url):
    program = (
        "import sys; from watcher.store.engine import check_schema, connect, upgrade; "
        "engine = connect(sys.argv[1]); sys.stdin.readline(); upgrade(engine); check_schema(engine); engine.dispose()"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    answers = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path):
    path = tmp_path / "watcher.db"
    path.write_text("this is a shopping list, " * 50)
    engine = connect(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailableError, match="file is not a database"):
        check_schema(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////no/such/folder/watcher.db", "the folder of /no/such/folder/watcher.db does not exist"),
        ("no address at all", "database.url cannot be used"),
        ("nosuchdatabase://x", "database.url cannot be used"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_in_words(url, words):
    with pytest.raises(DatabaseUnavailableError, match=words):
        connect(url)


def test_a_server_that_does_not_answer_is_refused_in_words(tmp_path):
    engine = connect(f"postgresql+psycopg://watcher@/watcher?host={tmp_path}")
    with pytest.raises(DatabaseUnavailableError, match="the database cannot be used"):
        check_schema(engine)
    engine.dispose()
