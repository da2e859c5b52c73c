"""What many visitors see is made once, and is never older than it may be."""

import asyncio

import pytest
from sqlalchemy import Connection

from tests.factories import NOW, make_account
from watcher.errors import DatabaseUnavailableError
from watcher.store import operators, scope
from watcher.store.engine import Store
from watcher.web import kept
from watcher.web.kept import Kept


class Counted:
    """Makes numbers, one after the other, and notes how many accounts there were."""

    def __init__(self) -> None:
        self.made = 0
        self.fails = False

    def __call__(self, tx: Connection) -> tuple[int, int]:
        if self.fails:
            raise DatabaseUnavailableError("the database cannot be used: gone")
        self.made += 1
        return self.made, len(scope.due_accounts(tx))


def discover(store: Store, name: str) -> None:
    store.write_now(scope.save_accounts, [make_account(name)], is_complete=False, now=NOW)


def act(store: Store) -> None:
    store.write_now(operators.record, author="ops", action="ack", subject="x", comment="", now=NOW)


async def test_a_crowd_that_comes_at_once_has_it_made_once(store: Store) -> None:
    make = Counted()
    one = Kept(store, make)
    assert await asyncio.gather(*(one.get() for _ in range(20))) == [(1, 0)] * 20
    assert make.made == 1


async def test_nothing_is_made_while_nothing_changes(store: Store) -> None:
    make = Counted()
    one = Kept(store, make)
    for _ in range(3):
        assert await one.get() == (1, 0)
        assert await one.get(is_live=True) == (1, 0)


async def test_a_visitor_gets_what_is_kept_and_the_next_one_the_change(store: Store) -> None:
    one = Kept(store, Counted(), pace=0)
    await one.get()
    discover(store, "contoso-new")
    assert await one.get() == (1, 0), "nobody waits for what polls have changed"
    await until_made(one)
    assert await one.get() == (2, 1)


async def test_a_page_that_was_told_of_a_change_gets_it(store: Store) -> None:
    one = Kept(store, Counted(), pace=0)
    await one.get()
    discover(store, "contoso-new")
    assert await one.get(is_live=True) == (2, 1)


async def test_what_an_operator_did_shows_at_once_however_dear_it_is(store: Store) -> None:
    one = Kept(store, Counted(), pace=10**9)
    await one.get()
    discover(store, "contoso-new")
    assert await one.get() == (1, 0)
    act(store)
    assert await one.get() == (2, 1)


async def test_another_configuration_shows_at_once_however_dear_it_is(store: Store) -> None:
    settings = [object()]
    one = Kept(store, Counted(), pace=10**9, under=lambda: settings[0])
    assert await one.get() == await one.get() == (1, 0)
    settings[0] = object()
    assert await one.get() == await one.get() == (2, 0)


async def test_a_dear_one_is_not_made_for_each_change(store: Store) -> None:
    make = Counted()
    one = Kept(store, make, pace=10**9)
    await one.get()
    for number in range(3):
        discover(store, f"contoso-{number}")
        assert await one.get() == (1, 0)
    assert make.made == 1


async def test_ages_move_on_though_nothing_changes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LONGEST_S", 0.0)
    one = Kept(store, Counted(), pace=0)
    await one.get()
    assert await one.get() == (2, 0)


async def test_whoever_comes_while_an_older_one_is_made_for_another_waits_for_a_newer(store: Store) -> None:
    one = Kept(store, Counted(), pace=0)
    await one.get()
    discover(store, "contoso-a")
    await one.get()  # begins the making of what has one account
    discover(store, "contoso-b")
    act(store)
    assert (await one.get())[1] == 2


async def test_a_making_that_fails_is_told_and_tried_again(store: Store) -> None:
    make = Counted()
    make.fails = True
    one = Kept(store, make)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError):
            await one.get()
    make.fails = False
    assert await one.get() == (1, 0)


async def until_made(one: Kept[tuple[int, int]]) -> None:
    making = one._making
    assert making is not None
    await making
