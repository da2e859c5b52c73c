from datetime import timedelta

import pytest

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW
from watcher.cycles import Judgement, note_skew, review_now
from watcher.rules.registry import build_rules
from watcher.store import scope, state

FLEET = build_rules({}, plugins=()).fleet_rules


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def review(store, now, host="one"):
    changed = store.write_now(review_now, Judgement(rules=(), fleet_rules=FLEET), now, host)
    return [(alert.finding.rule, alert.ends_at) for alert in changed]


async def test_a_clock_that_is_off_is_told_until_it_is_right(watched):
    assert review(watched, NOW) == []
    await note_skew((timedelta(minutes=-7), NOW), host="one", store=watched)
    assert review(watched, NOW) == [("clock_skewed", None)]
    await note_skew((timedelta(seconds=1), NOW + HOUR), host="one", store=watched)
    assert review(watched, NOW + HOUR) == [("clock_skewed", NOW + HOUR)]


async def test_the_skew_is_written_where_it_is_news_and_now_and_then(watched):
    await note_skew(None, host="one", store=watched)
    assert watched.read_now(state.clocks) == ()
    for seconds, after, noted in ((3, 0 * MINUTE, 3), (5, MINUTE, 3), (9, 2 * MINUTE, 9), (10, 3 * HOUR, 10)):
        await note_skew((timedelta(seconds=seconds), NOW + after), host="one", store=watched)
        assert watched.read_now(state.clock, "one").skew == timedelta(seconds=noted)


async def test_the_clocks_of_two_machines_on_one_database_are_told_apart(watched):
    for minute in range(3):
        now = NOW + minute * MINUTE
        await note_skew((timedelta(minutes=-7), now), host="one", store=watched)
        await note_skew((timedelta(), now), host="other", store=watched)
        changed = [review(watched, now, "one"), review(watched, now, "other")]
        assert changed == [[("clock_skewed", None)] if minute == 0 else [], []]


async def test_a_machine_that_is_heard_of_no_more_is_forgotten_once_another_goes_on(watched):
    await note_skew((timedelta(minutes=-7), NOW), host="one", store=watched)
    assert review(watched, NOW) == [("clock_skewed", None)]
    later = NOW + DAY + HOUR
    assert review(watched, later) == [("clock_skewed", None)]  # not verified: nobody has heard Azure's clock since
    await note_skew((timedelta(), later), host="other", store=watched)
    assert review(watched, later, "other") == [("clock_skewed", later)]
    assert [clock.host for clock in watched.read_now(state.clocks)] == ["other"]
