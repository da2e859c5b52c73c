"""The mark: it changes with what a page shows, and with nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from tests.factories import make_account, make_deployment, make_snapshot
from watcher.cycles import Judgement, record
from watcher.rules.registry import build_rules
from watcher.store import marks, operators, reports, scope
from watcher.store.engine import Store
from watcher.store.reports import Issue

ACCOUNT = make_account()


def poll(store: Store, at: Any, **changes: Any) -> None:
    judgement = Judgement(rules=build_rules({}, ()).rules)
    assert not store.write_now(record, make_snapshot(account=ACCOUNT, at=at, **changes), judgement).is_stale


@pytest.fixture
def seen(store: Store, clock: Any) -> str:
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=clock())
    poll(store, clock(), deployments=[make_deployment()], usage=[])
    return store.read_now(marks.mark)


def test_a_poll_that_finds_all_as_it_was_changes_nothing(store: Store, clock: Any, seen: str) -> None:
    poll(store, clock() + timedelta(minutes=1), deployments=[make_deployment()], usage=[])
    assert store.read_now(marks.mark) == seen


def test_a_deployment_more_changes_it(store: Store, clock: Any, seen: str) -> None:
    poll(store, clock() + timedelta(minutes=1), deployments=[make_deployment(), make_deployment("b")], usage=[])
    assert store.read_now(marks.mark) != seen


def test_an_account_more_changes_it(store: Store, clock: Any, seen: str) -> None:
    store.write_now(scope.save_accounts, [make_account("new")], is_complete=False, now=clock())
    assert store.read_now(marks.mark) != seen


def test_what_an_operator_does_changes_it(store: Store, clock: Any, seen: str) -> None:
    store.write_now(operators.record, author="Kim", action="ack", subject="x", comment="", now=clock())
    assert store.read_now(marks.mark) != seen


def test_a_report_that_waits_changes_it_and_again_when_it_is_dead(store: Store, clock: Any, seen: str) -> None:
    now = clock()
    issue = Issue(
        name="weekly",
        edition="all",
        receiver="mail",
        period_name="7d",
        begin=now,
        end=now,
        as_of=now,
        due_at=now,
        queued_at=now,
    )
    store.write_now(reports.add, [issue])
    waits = store.read_now(marks.mark)
    store.write_now(reports.give_up, issue.id, because="x", now=now)
    assert len({seen, waits, store.read_now(marks.mark)}) == 3
