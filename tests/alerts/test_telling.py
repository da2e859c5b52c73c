"""The decision at the heart of dispatch: what one receiver lacks of one alert."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import NotifyReason, Told
from watcher.alerts.telling import Need, histories, need
from watcher.rules.finding import Severity

from .factories import DAY, HOUR, MINUTE, NOW, make_alert, make_routing, raised

FIRING, RAISED, REMINDER = NotifyReason.FIRING, NotifyReason.SEVERITY_RAISED, NotifyReason.REMINDER
ROUTE = make_routing(repeat_interval=DAY).root


def told(at: datetime = NOW, severity: Severity = Severity.WARNING, **changes: Any) -> Told:
    row = Told(
        alert_id="alr_1",
        receiver="slack",
        status=AlertStatus.FIRING,
        severity=severity,
        step="",
        at=at,
        notification_id="ntf_1",
        group_key="route:{}",
        route="route",
    )
    return replace(row, **changes)


LATER = NOW + DAY
CONDITION = make_alert()
IDLE = make_alert("deployment_idle", step="3d")
ACKED = replace(CONDITION, acked_at=NOW, acked_by="operator")
ACKED_IDLE = replace(IDLE, acked_at=NOW, acked_by="operator")


@pytest.mark.parametrize(
    ("alert", "row", "expected"),
    [
        pytest.param(CONDITION, None, Need(reason=FIRING), id="untold condition waits for its group"),
        pytest.param(make_alert("job_failed"), None, Need(reason=FIRING), id="untold event waits for its group"),
        pytest.param(make_alert("deployment_gone"), None, Need(reason=FIRING, at=NOW), id="gone is urgent"),
        pytest.param(IDLE, None, Need(reason=FIRING), id="untold countdown"),
        pytest.param(make_alert("job_failed"), told(NOW - 9 * DAY), None, id="told event: never again"),
        pytest.param(
            make_alert("job_failed", severity=Severity.CRITICAL), told(NOW), None, id="told event, severity differs"
        ),
        pytest.param(CONDITION, told(status=AlertStatus.RESOLVED), None, id="told as resolved"),
        pytest.param(CONDITION, told(), Need(reason=REMINDER, at=NOW + DAY), id="reminder to come"),
        pytest.param(CONDITION, told(NOW - DAY), Need(reason=REMINDER, at=NOW), id="reminder due"),
        pytest.param(make_alert("job_paused"), told(NOW - DAY), None, id="paused job: reminds after days of its own"),
        pytest.param(
            raised(make_alert("job_paused"), NOW, step="3d"),
            told(NOW - 3 * DAY),
            Need(reason=REMINDER, at=NOW),
            id="paused job: once those are over",
        ),
        pytest.param(ACKED, told(NOW - DAY), None, id="acknowledged: no reminder"),
        pytest.param(
            raised(ACKED, NOW, severity=Severity.CRITICAL),
            told(),
            Need(reason=RAISED, at=NOW),
            id="acknowledged, raised",
        ),
        pytest.param(
            raised(CONDITION, NOW, severity=Severity.CRITICAL), told(), Need(reason=RAISED, at=NOW), id="severity rose"
        ),
        pytest.param(
            CONDITION,
            told(severity=Severity.CRITICAL),
            Need(reason=REMINDER, at=NOW + DAY),
            id="severity fell: no news",
        ),
        pytest.param(IDLE, told(step="3d"), None, id="step told"),
        pytest.param(raised(IDLE, NOW - 30 * DAY), told(NOW - 30 * DAY, step="3d"), None, id="countdown: no interval"),
        pytest.param(raised(IDLE, NOW + MINUTE), told(step="3d"), None, id="told by a clock that lags behind"),
        pytest.param(IDLE, told(step="7d"), Need(reason=REMINDER, at=NOW), id="next step"),
        pytest.param(ACKED_IDLE, told(step="7d"), Need(reason=REMINDER, at=NOW), id="acknowledged, next step"),
        pytest.param(IDLE, told(step="1d"), None, id="step went back"),
        pytest.param(raised(IDLE, LATER), told(step="1d"), Need(reason=REMINDER, at=NOW), id="begins anew, farther"),
        pytest.param(raised(IDLE, LATER), told(step="3d"), Need(reason=REMINDER, at=NOW), id="begins anew, same step"),
        pytest.param(raised(IDLE, LATER), told(LATER, step="3d"), None, id="begins anew, told"),
        pytest.param(
            IDLE,
            told(severity=Severity.INFO, step="7d"),
            Need(reason=RAISED, at=NOW),
            id="next step raises the severity",
        ),
    ],
)
def test_need(alert: Alert, row: Told | None, expected: Need | None) -> None:
    assert need(alert, row, ROUTE, NOW) == expected


def test_no_reminders_without_an_interval() -> None:
    assert need(CONDITION, told(), replace(ROUTE, repeat_interval=timedelta()), NOW) is None


def test_histories_keep_the_order_of_telling() -> None:
    """A clock that was put back must not make an old row of a new one: the resolve would be told for ever."""
    fired, resolved = told(NOW + HOUR), told(NOW, status=AlertStatus.RESOLVED)
    other = told(alert_id="alr_2")
    assert histories([fired, other, resolved]) == {"alr_1": [fired, resolved], "alr_2": [other]}
