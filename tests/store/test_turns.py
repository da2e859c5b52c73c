"""What two processes may not do at once on PostgreSQL: whoever comes second waits before it reads anything."""

import pytest

from tests.factories import ACCOUNT, NOW, make_account, make_snapshot
from watcher.cycles import Judgement, note_itself, review_now
from watcher.errors import DatabaseUnavailableError
from watcher.rules.itself import configuration_rejected
from watcher.store import alerts, observations, outbox, scope


def note(tx):
    return note_itself(tx, [configuration_rejected("bad", "c.toml", NOW)], Judgement(rules=()), now=NOW)


TURNS = {
    "dispatch": outbox.lock_dispatch,
    "fleet": alerts.lock_fleet,
    "review": lambda tx: review_now(tx, Judgement(rules=()), NOW),
    "note_itself": note,
    "discovery": lambda tx: scope.save_accounts(tx, [], is_complete=False, now=NOW),
    "record": lambda tx: observations.stored(tx, ACCOUNT.key, of=make_snapshot()),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_whoever_comes_second_waits(store, open_store, backend, turn):
    if backend == "sqlite":
        pytest.skip("SQLite's writers take turns anyway, see test_engine.py")
    other = open_store()
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)

    def impatient(tx):
        tx.exec_driver_sql("SET LOCAL lock_timeout = 1")
        turn(tx)

    with store.engine.begin() as tx:
        turn(tx)
        with pytest.raises(DatabaseUnavailableError, match="lock timeout"):
            other.write_now(impatient)
    other.write_now(turn)


def test_polls_of_different_accounts_do_not_wait_for_each_other(store, open_store):
    other, far = open_store(), make_account("far-away")
    store.write_now(scope.save_accounts, [ACCOUNT, far], is_complete=True, now=NOW)
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    with store.engine.begin() as tx:
        observations.stored(tx, ACCOUNT.key, of=make_snapshot())
        assert other.write_now(observations.stored, far.key, of=make_snapshot()) is not None
