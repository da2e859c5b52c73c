"""Where metrics are read seldom, no answer takes them for missing sooner than the rule about idleness does."""

from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, NOW, make_deployment
from tests.store.test_period import World
from watcher.answers import dossier, listings, status
from watcher.answers.query import Frame
from watcher.report.standing import Risk
from watcher.rules.metrics_pace import stale_after


def test_the_limit_follows_the_interval_and_has_a_least() -> None:
    assert [stale_after(every) for every in (timedelta(minutes=5), HOUR, 12 * HOUR)] == [3 * HOUR, 3 * HOUR, 24 * HOUR]


@pytest.mark.parametrize(("every", "risk"), [(HOUR, Risk.UNKNOWN), (12 * HOUR, Risk.AT_RISK)])
def test_all_answers_hold_metrics_for_old_after_the_same_time(every: timedelta, risk: Risk) -> None:
    world = World()
    world.call("support-bot", NOW - 10 * DAY)
    world.poll(NOW, [make_deployment()])
    frame = Frame(now=NOW + 20 * HOUR, stale_after=stale_after(every))
    summary = world.store.read_now(status.load, frame)
    (row,) = world.store.read_now(listings.deployments, frame).items
    found = world.store.read_now(dossier.find, "support-bot", frame, routing=None)
    (counted,) = (*summary.at_risk, *summary.unknown)
    standings = counted.standing, row.standing, found.standing
    assert [one.risk for one in standings if one is not None] == [risk] * 3
