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


def review(store, now):
    changed = store.write_now(review_now, Judgement(rules=(), fleet_rules=FLEET), now)
    return [(alert.finding.rule, alert.ends_at) for alert in changed]


async def test_a_clock_that_is_off_is_told_until_it_is_right(watched):
    assert review(watched, NOW) == []
    await note_skew((timedelta(minutes=-7), NOW), store=watched)
    assert review(watched, NOW) == [("clock_skewed", None)]
    await note_skew((timedelta(seconds=1), NOW + HOUR), store=watched)
    assert review(watched, NOW + HOUR) == [("clock_skewed", NOW + HOUR)]


async def test_the_skew_is_written_where_it_is_news_and_now_and_then(watched):
    await note_skew(None, store=watched)
    assert watched.read_now(state.skew) is None
    for seconds, after, noted in ((3, 0 * MINUTE, 3), (5, MINUTE, 3), (9, 2 * MINUTE, 9), (10, 3 * HOUR, 10)):
        await note_skew((timedelta(seconds=seconds), NOW + after), store=watched)
        assert watched.read_now(state.skew) == timedelta(seconds=noted)
