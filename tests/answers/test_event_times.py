"""When an event happened, was seen, and was told of."""

import pytest

from tests.alerts.factories import make_alert
from tests.factories import HOUR, NOW
from watcher.answers.event_times import EventTimes, event_times
from watcher.rules.text import rfc3339


@pytest.mark.parametrize("name", ["seen_at", "seen_gone_at"])
def test_three_times_that_lie_apart(name):
    alert = make_alert(at=NOW, values={name: rfc3339(NOW - 3 * HOUR)}, occurred_at=NOW - 4 * HOUR)
    assert event_times(alert) == EventTimes(seen_at=NOW - 3 * HOUR, happened_at=NOW - 4 * HOUR, raised_at=NOW)


def test_what_is_one_time_is_told_once():
    alert = make_alert(at=NOW, values={"seen_at": rfc3339(NOW)}, occurred_at=NOW)
    assert event_times(alert) == EventTimes(seen_at=NOW, happened_at=None, raised_at=None)


def test_of_what_does_not_say_when_it_was_seen_the_alert_s_own_time_is_taken():
    assert event_times(make_alert(at=NOW)) == EventTimes(seen_at=NOW, happened_at=None, raised_at=None)


def test_what_was_seen_when_it_happened_is_not_told_twice_though_its_alert_came_later():
    alert = make_alert(at=NOW, values={"seen_at": rfc3339(NOW - HOUR)}, occurred_at=NOW - HOUR)
    assert event_times(alert) == EventTimes(seen_at=NOW - HOUR, happened_at=None, raised_at=NOW)
