"""Escalation: to whom an alert goes that nobody acknowledges."""

from dataclasses import replace
from datetime import timedelta

import pytest

from watcher.alerts.alert import Alert
from watcher.alerts.interval import MuteInterval, TimeRange
from watcher.rules.finding import Severity

from .factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Desk,
    brief,
    child,
    ended,
    held,
    make_alert,
    make_routing,
    make_silence,
    notes,
    raised,
)

ALL = 'rule=~".*"'
WAIT = 30 * SECOND
TOLD = NOW + WAIT
DUE = TOLD + HOUR
SAID = "escalated: nobody has acknowledged this since slack was told at 2026-11-18 12:00 UTC"


def desk(**options) -> Desk:
    return Desk(make_routing(**{"escalate_after": HOUR, "escalate_to": ("pager",), **options}))


def acked(alert: Alert) -> Alert:
    return replace(alert, acked_at=NOW + MINUTE, acked_by="operator")


@pytest.mark.parametrize("rule", ["deployment_failed", "job_failed"])
def test_others_are_told_of_what_nobody_acknowledged(rule: str) -> None:
    one, alert = desk(), make_alert(rule)
    first = one.dispatch([alert], TOLD)
    assert held(first, alert) == [("pager", "escalates if nobody acknowledges it until 2026-11-18T13:00:30Z")]
    assert first.next_at == DUE
    waiting = one.dispatch([alert], DUE - SECOND)
    assert (waiting.notifications, waiting.next_at) == ((), DUE)
    assert held(waiting, alert) == held(first, alert), "so an event stays on the list"
    planned = one.dispatch([alert], DUE)
    assert brief(planned) == [("pager", "firing", ["chat"])]
    assert notes(planned) == [("pager", (), [SAID])]
    assert one.dispatch([alert], DUE + HOUR).notifications == ()
    assert held(one.plan([alert], DUE + HOUR), alert) == []


@pytest.mark.parametrize("rule", ["deployment_failed", "job_failed"])
def test_what_was_acknowledged_before_never_escalates(rule: str) -> None:
    one, alert = desk(), make_alert(rule)
    one.dispatch([alert], TOLD)
    planned = one.dispatch([acked(alert)], DUE)
    assert (planned.notifications, held(planned, alert), planned.next_at) == ((), [], None)


def test_what_ended_before_does_not_escalate() -> None:
    one, alert = desk(), make_alert()
    one.dispatch([alert], TOLD)
    assert brief(one.dispatch([ended(alert, NOW + 30 * MINUTE)], DUE)) == [("slack", "resolved", ["chat"])]


def test_all_who_were_told_hear_the_end() -> None:
    one, alert = desk(), make_alert()
    one.dispatch([alert], TOLD)
    one.dispatch([alert], DUE)
    over = ended(acked(alert), DUE + HOUR)
    assert brief(one.dispatch([over], DUE + HOUR)) == [("pager", "resolved", ["chat"]), ("slack", "resolved", ["chat"])]


def test_reminders_to_the_first_put_nothing_off() -> None:
    one, alert = desk(escalate_after=30 * HOUR), make_alert()
    one.dispatch([alert], TOLD)
    assert brief(one.dispatch([alert], TOLD + DAY)) == [("slack", "reminder", ["chat"])]
    assert brief(one.dispatch([alert], TOLD + 30 * HOUR)) == [("pager", "firing", ["chat"])]


def test_whom_it_escalated_to_hears_what_is_worse_and_no_reminders() -> None:
    one, idle = desk(), make_alert("deployment_idle", severity=Severity.WARNING, step="3d")
    one.dispatch([idle], TOLD)
    one.dispatch([idle], DUE)
    idle = raised(idle, NOW + DAY, severity=Severity.CRITICAL, step="1d")
    assert brief(one.dispatch([acked(idle)], NOW + DAY)) == [
        ("pager", "severity_raised", ["chat"]),
        ("slack", "severity_raised", ["chat"]),
    ]
    one, alert = desk(), make_alert()
    one.dispatch([alert], TOLD)
    one.dispatch([alert], DUE)
    assert brief(one.dispatch([alert], TOLD + 2 * DAY)) == [("slack", "reminder", ["chat"])]


def test_what_has_just_become_worse_was_not_told_before() -> None:
    """Or a countdown of which slack knew for days would page the moment it became critical."""
    one = Desk(make_routing(child("slack", "severity=critical", escalate_after=HOUR, escalate_to=("pager",))))
    alert = make_alert(severity=Severity.INFO)
    one.dispatch([alert], TOLD)
    alert = raised(alert, NOW + 5 * HOUR, severity=Severity.CRITICAL)
    assert brief(one.dispatch([alert], NOW + 5 * HOUR)) == [("slack", "severity_raised", ["chat"])]
    assert brief(one.dispatch([alert], NOW + 6 * HOUR)) == [("pager", "firing", ["chat"])]


def test_whom_the_routes_reach_anyway_is_told_once() -> None:
    routes = child("hook", ALL, continue_=True), child("pager", "rule=deployment_failed")
    one = Desk(make_routing(*routes, escalate_after=HOUR, escalate_to=("pager", "hook")))
    alert = make_alert()
    one.dispatch([alert], TOLD)
    assert sorted(n.receiver for n in one.sent) == ["hook", "pager"]
    assert one.dispatch([alert], DUE + HOUR).notifications == ()
    assert brief(one.dispatch([alert], TOLD + DAY)) == [("hook", "reminder", ["chat"]), ("pager", "reminder", ["chat"])]


def test_what_is_worse_is_told_once_to_whom_the_routes_reach_anyway() -> None:
    routes = child("slack", ALL, continue_=True, escalate_after=HOUR, escalate_to=("pager",)), child("pager", ALL)
    one, idle = Desk(make_routing(*routes)), make_alert("deployment_idle", step="3d")
    one.dispatch([idle], TOLD)
    planned = one.dispatch([raised(idle, NOW + DAY, step="1d")], NOW + DAY)
    assert brief(planned) == [("pager", "reminder", ["chat"]), ("slack", "reminder", ["chat"])]


@pytest.mark.parametrize("wait", [2 * HOUR, HOUR + WAIT], ids=["its group is not due", "its group is due now"])
def test_whom_its_own_route_would_tell_later_is_told_once_by_escalation(wait: timedelta) -> None:
    routes = child("slack", ALL, continue_=True, escalate_after=HOUR, escalate_to=("pager",)), child("pager", ALL)
    one, alert = Desk(make_routing(*routes[:1], replace(routes[1], group_wait=wait))), make_alert("job_failed")
    assert brief(one.dispatch([alert], TOLD)) == [("slack", "firing", ["chat"])]
    assert notes(one.dispatch([alert], DUE)) == [("pager", (), [SAID])]
    later = one.dispatch([alert], DUE + 5 * HOUR)
    assert (later.notifications, held(later, alert)) == ((), [])


def test_two_routes_escalate_to_one_receiver_once_at_the_earlier_time() -> None:
    routes = (
        child("a", 'rule=~".*"', continue_=True, escalate_after=2 * HOUR, escalate_to=("pager",)),
        child("b", 'rule=~".*"', escalate_after=HOUR, escalate_to=("pager", "phone")),
    )
    one, alert = Desk(make_routing(*routes)), make_alert()
    one.dispatch([alert], TOLD)
    assert brief(one.dispatch([alert], DUE)) == [("pager", "firing", ["chat"]), ("phone", "firing", ["chat"])]
    assert one.dispatch([alert], DUE + 2 * HOUR).notifications == ()


def test_nothing_escalates_that_its_own_receiver_was_not_told() -> None:
    one, alert = desk(), make_alert()
    silences = [make_silence("deployment=chat", until=NOW + DAY)]
    assert held(one.dispatch([alert], NOW + 5 * HOUR, silences=silences), alert) == [
        ("slack", "silenced by sil_1 until 2026-11-19T12:00:00Z")
    ]


NIGHTS = MuteInterval(
    name="nights",
    times=(TimeRange(start=timedelta(hours=22), end=timedelta(hours=7)),),
    except_severity=Severity.CRITICAL,
)


@pytest.mark.parametrize(
    ("severity", "told_at_night"),
    [pytest.param(Severity.WARNING, False, id="muted"), pytest.param(Severity.CRITICAL, True, id="excepted")],
)
def test_the_mute_of_the_route_holds(severity: Severity, told_at_night: bool) -> None:
    one = Desk(make_routing(mute=("nights",), mutes=(NIGHTS,), escalate_after=HOUR, escalate_to=("pager",)))
    evening, morning = NOW + 9 * HOUR + 30 * MINUTE, NOW + 19 * HOUR
    alert = make_alert("job_failed", severity=severity, at=evening - WAIT)
    one.dispatch([alert], evening)
    night = one.dispatch([alert], evening + HOUR)
    assert bool(night.notifications) is told_at_night
    if not told_at_night:
        assert held(night, alert) == [("pager", "muted by nights until 2026-11-19T07:00:00Z")]
        assert brief(one.dispatch([alert], morning)) == [("pager", "firing", ["chat"])]
    assert [n.receiver for n in one.sent] == ["slack", "pager"]


def test_the_resolve_to_whom_it_escalated_waits_for_the_morning_too() -> None:
    one = Desk(make_routing(mute=("nights",), mutes=(NIGHTS,), escalate_after=HOUR, escalate_to=("pager",)))
    alert = make_alert()
    one.dispatch([alert], TOLD)
    one.dispatch([alert], DUE)
    over = ended(alert, NOW + 12 * HOUR)
    assert one.dispatch([over], NOW + 12 * HOUR).notifications == ()
    assert len(one.dispatch([over], NOW + 19 * HOUR).notifications) == 2


def test_a_silence_holds() -> None:
    one, alert = desk(), make_alert()
    one.dispatch([alert], TOLD)
    silences = [make_silence("deployment=chat", until=DUE + HOUR)]
    assert one.dispatch([alert], DUE, silences=silences).notifications == ()
    assert brief(one.dispatch([alert], DUE + HOUR, silences=silences)) == [("pager", "firing", ["chat"])]


def test_a_fleet_found_at_first_sight_escalates_in_one_message() -> None:
    one = desk()
    alerts = [make_alert(rule, first_sight=True) for rule in ("deployment_failed", "model_retiring", "job_stalled")]
    one.dispatch(alerts, TOLD)
    assert brief(one.dispatch(alerts, DUE)) == [("pager", "firing", ["chat", "chat", "chat"])]
