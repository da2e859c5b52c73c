"""What comes and goes is told once it has stood for a while; what is over by then, to nobody."""

from datetime import datetime, timedelta

import pytest

from watcher.alerts.alert import Alert
from watcher.alerts.flapping import Flapping, damped_because, flapping
from watcher.rules.finding import Severity

from .factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Desk,
    brief,
    ended,
    held,
    make_alert,
    make_routing,
    notes,
    raised,
)

BEFORE = [NOW - 5 * HOUR, NOW - 3 * HOUR, NOW - HOUR]
FOURTH = "comes and goes: 4th time since 2026-11-18 07:00 UTC"


def lives(alert: Alert, began: list[datetime]) -> dict[str, list[datetime]]:
    return {alert.fingerprint: began}


@pytest.mark.parametrize(
    ("alert", "began", "times"),
    [
        pytest.param(make_alert(), [], None, id="first"),
        pytest.param(make_alert(), [NOW - HOUR], None, id="second"),
        pytest.param(make_alert(), [NOW - 2 * HOUR, NOW - HOUR], 3, id="third"),
        pytest.param(make_alert(), BEFORE, 4, id="fourth"),
        pytest.param(make_alert(), [*BEFORE, NOW], 4, id="its own life counts once"),
        pytest.param(make_alert(), [NOW - 6 * HOUR, NOW - HOUR], None, id="six hours ago"),
        pytest.param(make_alert(severity=Severity.CRITICAL), BEFORE, None, id="critical"),
        pytest.param(make_alert("deployment_idle", step="3d"), BEFORE, None, id="countdown"),
        pytest.param(make_alert("job_failed"), BEFORE, None, id="event"),
    ],
)
def test_flapping(alert: Alert, began: list[datetime], times: int | None) -> None:
    found = flapping(alert, lives(alert, began))
    assert (None if found is None else found.times) == times


@pytest.mark.parametrize(
    ("times", "said"), [(3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (22, "22nd"), (113, "113th")]
)
def test_ordinals(times: int, said: str) -> None:
    assert f" {said} time since " in str(Flapping(times=times, since=NOW, stands_at=NOW))


def test_told_when_it_has_stood_for_ten_minutes() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    planned = desk.dispatch([alert], NOW + MINUTE, lives=lives(alert, BEFORE))
    assert (planned.notifications, planned.next_at) == ((), NOW + 10 * MINUTE)
    assert held(planned, alert) == [("slack", f"{FOURTH} until 2026-11-18T12:10:00Z")]
    planned = desk.dispatch([alert], NOW + 10 * MINUTE, lives=lives(alert, BEFORE))
    assert notes(planned) == [("slack", (), [FOURTH])]
    assert brief(desk.dispatch([ended(alert, NOW + HOUR)], NOW + HOUR)) == [("slack", "resolved", ["chat"])]


def test_over_before_it_stood_is_told_to_nobody() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    desk.dispatch([alert], NOW + MINUTE, lives=lives(alert, BEFORE))
    over = ended(alert, NOW + 9 * MINUTE)
    assert desk.dispatch([over], NOW + HOUR, lives=lives(alert, BEFORE)).notifications == ()
    assert damped_because(over, desk.told) == "ended 9 min after it fired, before anyone was told"


def test_what_became_critical_is_told_at_once() -> None:
    desk, alert = Desk(make_routing(group_wait=timedelta())), make_alert()
    assert desk.dispatch([alert], NOW, lives=lives(alert, BEFORE)).notifications == ()
    alert = raised(alert, NOW + MINUTE, severity=Severity.CRITICAL)
    assert brief(desk.dispatch([alert], NOW + MINUTE, lives=lives(alert, BEFORE))) == [("slack", "firing", ["chat"])]


def test_a_reminder_says_nothing_of_it() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    desk.dispatch([alert], NOW + 10 * MINUTE, lives=lives(alert, BEFORE))
    planned = desk.dispatch([alert], NOW + 2 * DAY, lives=lives(alert, BEFORE))
    assert (brief(planned), notes(planned)) == ([("slack", "reminder", ["chat"])], [("slack", (), [""])])


def test_a_clock_that_was_put_back_does_not_hold_it_longer() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    planned = desk.dispatch([alert], NOW - 5 * HOUR, lives=lives(alert, BEFORE))
    assert brief(planned) == [("slack", "firing", ["chat"])]


def test_damped_because() -> None:
    alert = make_alert()
    desk = Desk(make_routing())
    assert damped_because(ended(alert, NOW + 12 * SECOND), ()) == "ended 12 s after it fired, before anyone was told"
    assert damped_because(alert, ()) == ""
    assert damped_because(make_alert("job_failed"), ()) == ""
    desk.dispatch([alert], NOW + MINUTE)
    assert damped_because(ended(alert, NOW + HOUR), desk.told) == ""
