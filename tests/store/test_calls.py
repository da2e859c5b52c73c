"""Calls by the hour in the store: joined, kept, and let go of."""

from dataclasses import replace

import pytest

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_deployment, make_snapshot, make_usage
from watcher.cycles import Judgement, record
from watcher.resources.calls import Calls, Coverage, HourOfCalls
from watcher.store import calls, retention, scope

from .dumps import changed_tables, dump, statements

KEY = ACCOUNT.key
QUIET = Judgement(rules=())
MIDNIGHT = NOW.replace(hour=0)


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def made(**hours):
    """`h3=5`: five good calls in the hour from 03:00 on."""
    found = {MIDNIGHT + int(name[1:]) * HOUR: HourOfCalls(ok=number) for name, number in hours.items()}
    return {"support-bot": Calls(deployment="support-bot", hours=found)}


def save(store, found, *, at=NOW, **changes):
    usage = [make_usage(read_to=at, **changes)]
    snapshot = make_snapshot(at=at, deployments=[make_deployment()], usage=usage, calls=found)
    return store.write_now(record, snapshot, QUIET)


def ok(store, begin=MIDNIGHT - 400 * DAY, end=MIDNIGHT + 9 * DAY):
    found = store.read_now(calls.load, KEY, begin, end)
    return {hour: one.ok for hour, one in found["support-bot"].hours.items()} if found else {}


def coverage(store):
    return store.read_now(calls.coverage, KEY)


def test_what_comes_late_is_added_and_nothing_is_taken_back(watched):
    save(watched, made(h3=5, h4=2))
    save(watched, made(h4=7, h5=1), at=NOW + HOUR)
    save(watched, made(h3=1), at=NOW + 2 * HOUR)
    assert ok(watched) == {MIDNIGHT + 3 * HOUR: 5, MIDNIGHT + 4 * HOUR: 7, MIDNIGHT + 5 * HOUR: 1}
    found = watched.read_now(calls.load, KEY, MIDNIGHT, NOW)["support-bot"].hours
    assert [one.seen_at for _, one in sorted(found.items())] == [NOW, NOW, NOW + HOUR]


def test_one_row_a_day_and_only_days_that_changed_are_written(watched):
    save(watched, made(h3=5, h30=1))
    assert len(dump(watched.engine)["calls"]) == 2
    with statements(watched.engine) as said:
        save(watched, made(h3=5, h31=1), at=NOW + HOUR)
    written = str([parameters for text, parameters in said if "INSERT INTO calls" in text])
    assert "2026-11-23" in written and "2026-11-22" not in written
    before = dump(watched.engine)
    save(watched, made(h3=5, h31=1), at=NOW + 2 * HOUR)
    assert changed_tables(before, dump(watched.engine)) == {"accounts", "usage"}


def test_without_calls_nothing_is_asked_of_the_table_and_nothing_written(watched):
    save(watched, {})
    with statements(watched.engine) as said:
        save(watched, {}, at=NOW + HOUR)
    assert not [text for text, _ in said if "calls" in text or "readings" in text]


def test_a_day_without_a_row_is_zero_where_it_was_read_and_unknown_elsewhere(watched):
    assert coverage(watched) == Coverage()
    save(watched, made(h3=5), read_from=NOW - 2 * DAY)
    assert coverage(watched).holds(NOW - 2 * DAY, NOW)
    assert not coverage(watched).holds(NOW - 3 * DAY, NOW)
    assert ok(watched, MIDNIGHT - DAY, MIDNIGHT) == {}


def test_a_span_that_the_next_one_does_not_adjoin_is_kept(watched):
    save(watched, {}, read_from=NOW - 2 * DAY)
    save(watched, {}, at=NOW + 9 * DAY, read_from=NOW + 8 * DAY)
    torn = Coverage(spans=((NOW - 2 * DAY, NOW), (NOW + 8 * DAY, NOW + 9 * DAY)))
    assert coverage(watched) == torn
    save(watched, {}, at=NOW + 10 * DAY, read_from=NOW - DAY)  # the hole was read after all
    assert coverage(watched) == Coverage(spans=((NOW - 2 * DAY, NOW + 10 * DAY),))


def test_hours_are_not_claimed_of_what_was_read_by_the_day(watched):
    save(watched, {}, bucket_seconds=86400)
    assert coverage(watched) == Coverage()


def test_old_days_go_and_are_not_taken_for_days_without_calls(watched):
    save(watched, made(h3=5, h30=1, h54=1), at=NOW + 3 * DAY, read_from=MIDNIGHT)
    pruned = watched.write_now(retention.prune, before=MIDNIGHT + DAY + 5 * HOUR)
    assert pruned.calls == 1
    assert sorted(ok(watched)) == [MIDNIGHT + 30 * HOUR, MIDNIGHT + 54 * HOUR]
    assert coverage(watched) == Coverage(spans=((MIDNIGHT + DAY, NOW + 3 * DAY),))
    assert watched.write_now(retention.prune, before=MIDNIGHT + DAY + 5 * HOUR).calls == 0


def test_an_account_that_is_let_go_of_takes_its_calls_and_spans_along(watched):
    save(watched, made(h3=5), read_from=NOW - 2 * DAY)
    save(watched, {}, at=NOW + 9 * DAY, read_from=NOW + 8 * DAY)
    watched.write_now(scope.save_accounts, [], is_complete=True, now=NOW + 9 * DAY)
    watched.write_now(retention.prune, before=NOW + 30 * DAY)
    assert dump(watched.engine)["calls"] == dump(watched.engine)["readings"] == []


def test_calls_go_along_with_an_account_that_was_moved(watched):
    other = replace(ACCOUNT, id=ACCOUNT.id.replace("contoso", "moved"), name="moved", label="moved")
    watched.write_now(scope.save_accounts, [ACCOUNT, other], is_complete=True, now=NOW)
    save(watched, made(h3=5), read_from=NOW - 2 * DAY)
    save(watched, {}, at=NOW + 9 * DAY, read_from=NOW + 8 * DAY)
    watched.write_now(calls.carry_over, KEY, other.key)
    assert watched.read_now(calls.load, other.key, MIDNIGHT, NOW)["support-bot"].hours.keys() == {MIDNIGHT + 3 * HOUR}
    assert watched.read_now(calls.coverage, other.key).holds(NOW - 2 * DAY, NOW)
    assert not watched.read_now(calls.coverage, other.key).holds(NOW - 2 * DAY, NOW + MINUTE)
