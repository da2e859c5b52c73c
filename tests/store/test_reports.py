"""Issues of reports in the database: one each, claimed by one process, marked by whoever holds it."""

import threading
from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, MINUTE, NOW
from watcher.store import attempts, reports
from watcher.store.attempts import Attempt
from watcher.store.outbox import LEASE
from watcher.store.reports import Issue


def tried(at, outcome="delivered", kind="", detail=""):
    return Attempt(at=at, duration_s=0.5, outcome=outcome, kind=kind, detail=detail)


def make_issue(receiver="finops", **changes):
    defaults = {
        "name": "weekly",
        "edition": "all",
        "receiver": receiver,
        "period_name": "7d",
        "begin": NOW - 7 * DAY,
        "end": NOW - 8 * HOUR,
        "as_of": NOW,
        "due_at": NOW,
        "queued_at": NOW,
    }
    return Issue(**(defaults | changes))


def queue(store, *issues):
    return store.write_now(reports.add, issues or (make_issue(),))


def claim(store, issue, now=NOW, owner="one"):
    return store.write_now(reports.claim, issue.id, owner, clock=lambda: now)


def waiting(store, now=NOW, **options):
    return [issue.receiver for issue in store.read_now(reports.waiting, now=now, **options)]


def test_an_issue_comes_back_as_it_was_queued(store):
    queue(store)
    [found] = store.read_now(reports.waiting, now=NOW)
    assert found == make_issue()
    assert found.id == make_issue().id
    assert found.id.startswith("rpt_")


def test_an_issue_is_queued_once(store):
    assert queue(store, make_issue(), make_issue("ml"), make_issue(edition="owner Search")) == 3
    again = make_issue(as_of=NOW + HOUR, due_at=NOW + HOUR)
    assert queue(store, again, make_issue("ml"), make_issue(end=NOW + DAY)) == 1
    assert len({issue.id for issue in store.read_now(reports.listed)}) == 4


def test_two_processes_that_queue_at_once_queue_it_once(store, open_store):
    other, start, counts = open_store(), threading.Barrier(2), []

    def work(one):
        start.wait()
        counts.append(queue(one, *(make_issue(f"r{number}") for number in range(20))))

    threads = [threading.Thread(target=work, args=(one,)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 20
    assert len(waiting(store)) == 20


def test_who_claims_holds_it_until_the_lease_ends(store, open_store):
    queue(store)
    other = open_store()
    mine = claim(store, make_issue())
    assert mine.fence == 1
    assert claim(other, make_issue(), owner="two") is None
    assert waiting(other) == []
    assert store.read_now(reports.in_other_hands, now=NOW + timedelta(seconds=10)) == LEASE - timedelta(seconds=10)
    later = NOW + LEASE
    assert waiting(other, later) == ["finops"]
    theirs = claim(other, make_issue(), later, owner="two")
    assert theirs.fence == 2
    assert store.write_now(reports.mark, mine, tried(later), state="delivered") is False
    [still] = store.read_now(reports.listed)
    assert (still.state, still.attempts) == ("pending", 0)
    assert other.write_now(reports.mark, theirs, tried(later, detail="taken"), state="delivered") is True
    assert store.read_now(reports.in_other_hands, now=later) is None
    assert waiting(store, later + DAY) == []
    # Of who had lost it the try is on record all the same.
    tries = store.read_now(attempts.of, mine.id)
    assert tries == (tried(later), tried(later, detail="taken"))


def test_of_many_that_claim_at_once_one_gets_it(store, open_store):
    queue(store)
    stores, start, got = [store, open_store(), open_store()], threading.Barrier(3), []

    def work(number):
        start.wait()
        got.append(claim(stores[number], make_issue(), owner=str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in got) == 1


def test_a_lease_by_a_clock_that_was_put_back_holds_nobody_up(store):
    queue(store)
    claim(store, make_issue(), NOW + DAY)
    assert waiting(store, NOW) == ["finops"]


def test_what_failed_waits_for_its_time_unless_somebody_is_heedless(store):
    queue(store)
    mine = claim(store, make_issue())
    later = NOW + 10 * MINUTE
    attempt = tried(NOW, "retry", "timeout", "timeout: none")
    store.write_now(reports.mark, mine, attempt, state="pending", due_at=later, is_uncertain=True)
    [issue] = store.read_now(reports.listed)
    assert (issue.attempts, issue.first_tried_at, issue.last_error) == (1, NOW, "timeout: none")
    assert issue.is_uncertain
    assert waiting(store, NOW + MINUTE) == []
    assert waiting(store, NOW + MINUTE, heedless=True) == ["finops"]
    assert waiting(store, later) == ["finops"]
    assert waiting(store, NOW - 30 * DAY) == ["finops"]  # set by a clock that was put back since


def test_the_dead_are_listed_until_they_are_tried_again_or_dropped(store):
    queue(store, make_issue(), make_issue("ml"), make_issue("ops"))
    for receiver in ("finops", "ml"):
        assert store.write_now(reports.give_up, make_issue(receiver).id, because="gone", now=NOW)
    held = claim(store, make_issue("ops"))
    assert not store.write_now(reports.give_up, held.id, because="gone", now=NOW)  # somebody is sending it
    assert store.read_now(reports.undelivered) == {"dead": 2, "pending": 1}
    assert [issue.last_error for issue in store.read_now(reports.listed, states=("dead",))] == ["gone", "gone"]
    assert store.write_now(reports.retry, [make_issue().id], now=NOW + DAY) == 1
    assert waiting(store, NOW + DAY) == ["finops", "ops"]
    assert store.write_now(reports.drop, [make_issue("ml").id, "rpt_other"], now=NOW) == 1
    assert [issue.state for issue in store.read_now(reports.listed, ids=[make_issue("ml").id])] == ["dropped"]
    assert store.write_now(reports.retry, [make_issue("ml").id], now=NOW) == 0


@pytest.mark.parametrize("detail", ["a\x00b", "ü" * 5000])
def test_whatever_a_receiver_says_can_be_kept(store, detail):
    queue(store)
    mine = claim(store, make_issue())
    assert store.write_now(reports.mark, mine, tried(NOW, "dead", "server", detail), state="dead")
    [issue] = store.read_now(reports.listed)
    assert len(issue.last_error) == len(detail)
    assert [len(one.detail) for one in store.read_now(attempts.of, issue.id)] == [len(detail)]
    assert store.read_now(reports.ids_like, [issue.id[:12]]) == (issue.id,)


def test_a_schedule_is_remembered_by_name(store):
    assert store.read_now(reports.made_until, "weekly") == (None, "")
    store.write_now(reports.note_made, "weekly", until=NOW, timetable="mon 08:00 UTC")
    assert store.read_now(reports.made_until, "weekly") == (NOW, "mon 08:00 UTC")
    assert store.read_now(reports.made_until, "monthly") == (None, "")
