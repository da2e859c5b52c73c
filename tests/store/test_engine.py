import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError

from tests.factories import NOW, make_account
from watcher.errors import DatabaseUnavailableError
from watcher.store import schema, scope, state
from watcher.store.upsert import upsert

from .dumps import dump

TABLE = schema.state


def add_one(tx):
    """Reads and then writes what it read: two of these at once lose an update unless they take turns."""
    row = tx.execute(select(TABLE.c.fence).where(TABLE.c.name == "n").with_for_update()).scalar_one()
    tx.execute(TABLE.update().where(TABLE.c.name == "n").values(fence=row + 1))


def count(tx):
    return tx.execute(select(TABLE.c.fence).where(TABLE.c.name == "n")).scalar_one()


@pytest.fixture
def counter(store):
    store.write_now(lambda tx: tx.execute(insert(TABLE).values(name="n")))
    return store


async def test_concurrent_writes_of_one_store_lose_nothing(counter):
    await asyncio.gather(*(counter.write(add_one) for _ in range(50)))
    assert await counter.read(count) == 50


async def test_concurrent_writes_of_two_stores_lose_nothing(counter, open_store):
    other = open_store()
    await asyncio.gather(*(store.write(add_one) for _ in range(25) for store in (counter, other)))
    assert await counter.read(count) == 50


def test_a_write_holds_the_lock_from_its_start_on_sqlite(counter, open_store, backend):
    """Not only from its first statement that writes: what it reads before would be out of date by then."""
    if backend != "sqlite":
        pytest.skip("PostgreSQL locks rows, and they are locked by name where it matters")
    other, has_begun, go_on, order = open_store(), threading.Event(), threading.Event(), []

    def slow(tx):
        seen = count(tx)
        has_begun.set()
        assert go_on.wait(5)
        tx.execute(TABLE.update().values(fence=seen + 1))
        order.append("slow")

    thread = threading.Thread(target=counter.write_now, args=(slow,))
    thread.start()
    assert has_begun.wait(5)
    quick = other._submit(lambda tx: (order.append("quick"), add_one(tx)))
    go_on.set()
    thread.join()
    quick.result(5)
    assert order == ["slow", "quick"]
    assert counter.read_now(count) == 2


def test_a_reader_waits_for_no_writer(counter, open_store):
    other = open_store()

    def write_and_read(tx):
        add_one(tx)
        return other.read_now(count)

    assert counter.write_now(write_and_read) == 0


class Fault(Exception):
    pass


def fail(tx):
    add_one(tx)
    raise Fault


async def in_one_batch(store, *writes):
    """Let `writes` wait behind one that is under way, so that SQLite commits them together."""
    has_begun, go_on = threading.Event(), threading.Event()

    def hold(tx):
        has_begun.set()
        assert go_on.wait(5)

    first = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(has_begun.wait, 5)
    tasks = [asyncio.create_task(store.write(write)) for write in writes]
    await asyncio.sleep(0)  # each task hands its write over
    go_on.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_failing_write_takes_back_only_its_own(counter):
    outcomes = await in_one_batch(counter, add_one, fail, add_one)
    assert [type(outcome) for outcome in outcomes] == [type(None), Fault, type(None)]
    assert await counter.read(count) == 2


async def test_a_write_that_the_database_refuses_takes_back_only_its_own(counter):
    def twice(tx):
        add_one(tx)
        tx.execute(insert(TABLE).values(name="n"))

    outcomes = await in_one_batch(counter, add_one, twice, add_one)
    assert [type(outcome) for outcome in outcomes] == [type(None), DatabaseUnavailableError, type(None)]
    assert "the database refused" in str(outcomes[1])
    assert await counter.read(count) == 2


async def test_a_full_disk_fails_the_write_that_met_it_and_none_that_was_told_committed(counter, backend):
    if backend != "sqlite":
        pytest.skip("SQLite may end the whole transaction by itself")

    def fill(tx):
        tx.exec_driver_sql("PRAGMA max_page_count = 1")  # counts as the present size
        tx.execute(insert(schema.audit).values(at=NOW, author="", action="", subject="", comment="x" * 10_000_000))

    outcomes = await in_one_batch(counter, add_one, fill, add_one)
    told_committed = sum(outcome is None for outcome in outcomes)
    assert isinstance(outcomes[1], DatabaseUnavailableError)
    assert "is full" in str(outcomes[1])
    assert await counter.read(count) == told_committed


async def test_a_write_whose_waiter_left_is_done_whole_or_not_at_all(counter):
    has_begun, go_on = threading.Event(), threading.Event()

    def slow(tx):
        has_begun.set()
        assert go_on.wait(5)
        add_one(tx)

    under_way = asyncio.create_task(counter.write(slow))
    await asyncio.to_thread(has_begun.wait, 5)
    waiting = asyncio.create_task(counter.write(add_one))
    await asyncio.sleep(0)  # it hands its write over
    under_way.cancel()
    waiting.cancel()
    await asyncio.wait([under_way, waiting])
    go_on.set()
    await counter.write(lambda tx: None)  # the writer is still alive, and has finished the others
    assert await counter.read(count) == 1


async def test_a_rehearsal_answers_and_leaves_no_trace(counter):
    before = dump(counter.engine)

    def run(tx):
        add_one(tx)
        scope.save_accounts(tx, [make_account()], is_complete=True, now=NOW)
        return count(tx), len(scope.due_accounts(tx))

    assert await counter.rehearse(run) == (1, 1)
    with pytest.raises(Fault):
        await counter.rehearse(fail)
    assert dump(counter.engine) == before


async def test_closing_finishes_what_was_handed_over(counter, open_store):
    other = open_store()
    writes = [other._submit(add_one) for _ in range(20)]
    other.close()
    assert all(write.done() for write in writes)
    assert counter.read_now(count) == 20


async def test_a_closed_store_refuses_instead_of_waiting_for_ever(open_store):
    store = open_store()
    store.close()
    with pytest.raises(DatabaseUnavailableError, match="closed"):
        await store.write(add_one)


async def test_reads_beside_hold_up_no_others_and_end_with_the_store(open_store):
    store = open_store()
    beside = store.beside()
    held, let_go = threading.Semaphore(0), threading.Event()

    def hold(_tx):
        held.release()
        let_go.wait(30)

    asked = [asyncio.ensure_future(beside.read(hold)) for _ in range(8)]
    try:
        await asyncio.to_thread(held.acquire)
        await asyncio.to_thread(held.acquire)
        assert await asyncio.wait_for(store.read(lambda _tx: "read"), 20) == "read"
        assert not held.acquire(blocking=False)  # the others wait for the first two
    finally:
        let_go.set()
        await asyncio.gather(*asked)
    store.close()
    with pytest.raises(DatabaseUnavailableError, match="closed"):
        await beside.write(add_one)
    with pytest.raises(RuntimeError, match="after shutdown"):
        await beside.read(hold)


# Columns and single statements


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
        datetime(1970, 1, 1, tzinfo=UTC),
    ],
    ids=["microseconds", "another zone", "long ago"],
)
def test_times_come_back_equal_and_in_utc(store, at):
    store.write_now(state.put, "t", at=at)
    found = store.read_now(state.at, "t")
    assert found == at
    assert found.tzinfo is UTC


def test_times_compare_across_zones(store):
    store.write_now(state.put, "t", at=NOW.astimezone(timezone(timedelta(hours=13))))
    later = NOW.astimezone(timezone(-timedelta(hours=11))) + timedelta(microseconds=1)
    names = store.read_now(lambda tx: tx.execute(select(TABLE.c.name).where(TABLE.c.at < later)).scalars().all())
    assert names == ["t"]


def test_a_naive_time_is_refused(store):
    with pytest.raises(StatementError, match="naive datetime"):
        store.write_now(state.put, "t", at=NOW.replace(tzinfo=None))


def test_state_remembers_a_time_and_a_word(store):
    assert store.read_now(state.at, "t") is None
    assert store.read_now(state.value, "t") == ""
    store.write_now(state.put, "t", at=NOW, value="one")
    store.write_now(state.put, "t", at=NOW + timedelta(hours=1), value="two")
    assert store.read_now(state.at, "t") == NOW + timedelta(hours=1)
    assert store.read_now(state.value, "t") == "two"


def test_upsert_inserts_then_updates_and_keeps_what_only_a_new_row_gets(store):
    for value, fence in (("one", 1), ("two", 2)):
        store.write_now(upsert, TABLE, {"name": "u"}, {"value": value}, only_new={"fence": fence})
    store.write_now(upsert, TABLE, {"name": "u"}, {})
    rows = store.read_now(lambda tx: tx.execute(select(TABLE.c.value, TABLE.c.fence)).all())
    assert rows == [("two", 1)]


def test_every_connection_to_sqlite_waits_holds_foreign_keys_and_caches_little(engine, backend):
    if backend != "sqlite":
        pytest.skip("pragmas are SQLite's")
    reader = engine.execution_options(readonly=True)
    with reader.connect() as one, reader.connect() as other:
        for connection in (one, other):
            answers = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous", "cache_size")
            ]
            assert answers == ["wal", 1, 10_000, 1, -512]


def test_a_row_of_an_unknown_account_is_refused(engine):
    values = {"account": "nobody", "deployment": "x", "noun": None}
    with pytest.raises(sqlalchemy.exc.IntegrityError), engine.begin() as tx:
        tx.execute(insert(schema.usage).values(values))
