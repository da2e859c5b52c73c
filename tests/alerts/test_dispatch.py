from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from watcher.alerts.alert import AlertStatus
from watcher.alerts.dispatch import Plan, explain_routes, plan, told_rows
from watcher.alerts.inhibition import LINGER
from watcher.alerts.interval import MuteInterval, TimeRange
from watcher.alerts.notification import NotifyReason
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
    make_alert,
    make_keep,
    make_routing,
    make_silence,
    raised,
)

WAIT, INTERVAL = 30 * SECOND, 5 * MINUTE
#: In UTC, 22:00 to 07:00.
NIGHTS = MuteInterval(
    name="nights",
    times=(TimeRange(start=timedelta(hours=22), end=timedelta(hours=7)),),
    except_severity=Severity.CRITICAL,
)
NIGHT = NOW + 11 * HOUR
MORNING = NOW + 19 * HOUR


def held(planned: Plan, alert_id: str) -> list[str]:
    return [str(reason) for reason in planned.held.get(alert_id, ())]


# Groups and their times


def test_nothing_to_tell() -> None:
    planned = plan([], routing=make_routing(), now=NOW)
    assert (planned.notifications, planned.next_at, planned.held) == ((), None, {})


def test_a_new_group_waits_for_its_peers() -> None:
    desk, first, second = Desk(make_routing()), make_alert(name="a"), make_alert(name="b", at=NOW + 20 * SECOND)
    early = desk.dispatch([first], NOW)
    assert (early.notifications, early.next_at) == ((), NOW + WAIT)
    assert held(early, first.id) == ["waiting for its group until 2026-11-18T12:00:30Z"]
    assert brief(desk.dispatch([first, second], NOW + WAIT)) == [("slack", "firing", ["a", "b"])]


def test_a_known_group_waits_for_its_interval() -> None:
    desk, first = Desk(make_routing()), make_alert(name="a")
    desk.dispatch([first], NOW + WAIT)
    second = make_alert(name="b", at=NOW + MINUTE)
    waiting = desk.dispatch([first, second], NOW + 2 * MINUTE)
    assert (waiting.notifications, waiting.next_at) == ((), NOW + WAIT + INTERVAL)
    assert brief(desk.dispatch([first, second], NOW + WAIT + INTERVAL)) == [("slack", "firing", ["b"])]


def test_an_old_group_waits_for_peers_again() -> None:
    """Otherwise the first of forty jobs that fail together would come alone, each time but the first."""
    desk = Desk(make_routing())
    desk.dispatch([make_alert(name="a")], NOW + WAIT)
    planned = desk.dispatch([make_alert(name="b", at=NOW + DAY)], NOW + DAY)
    assert (planned.notifications, planned.next_at) == ((), NOW + DAY + WAIT)


def test_immediate_waits_for_nothing() -> None:
    desk, alert = Desk(make_routing()), make_alert(name="a")
    assert brief(desk.dispatch([alert], NOW, immediate=True)) == [("slack", "firing", ["a"])]
    second = make_alert(name="b", at=NOW + SECOND)
    over = ended(alert, NOW + SECOND)
    assert brief(desk.dispatch([over, second], NOW + SECOND, immediate=True)) == [("slack", "firing", ["a", "b"])]


def test_the_loudest_comes_first_and_groups_are_apart() -> None:
    alerts = [
        make_alert(name="a", severity=Severity.INFO),
        make_alert(name="b", severity=Severity.CRITICAL),
        make_alert("job_failed", name="c"),
    ]
    planned = Desk(make_routing()).dispatch(alerts, NOW + WAIT)
    assert brief(planned) == [("slack", "firing", ["b", "a"]), ("slack", "firing", ["c"])]
    assert planned.notifications[0].group_labels == {"rule": "deployment_failed", "owner": "search"}
    assert planned.notifications[0].route == "route"


def test_only_what_needs_telling_is_told_with_its_own_reason() -> None:
    desk = Desk(make_routing())
    told_, rising = make_alert(name="a"), make_alert(name="b", severity=Severity.INFO)
    desk.dispatch([told_, rising], NOW + WAIT)
    rising = raised(rising, NOW + MINUTE, severity=Severity.CRITICAL)
    (message,) = desk.dispatch([told_, rising, make_alert(name="c", at=NOW + MINUTE)], NOW + MINUTE).notifications
    assert message.reason is NotifyReason.FIRING
    assert [(entry.alert.id, entry.reason) for entry in message.alerts] == [
        (rising.id, NotifyReason.SEVERITY_RAISED),
        (make_alert(name="c", at=NOW + MINUTE).id, NotifyReason.FIRING),
    ]


# Steps, reminders, acknowledgement


def test_steps_are_told_at_once_and_nothing_else_reminds_of_a_countdown() -> None:
    desk = Desk(make_routing())
    idle = make_alert("deployment_idle", severity=Severity.INFO, step="7d")
    desk.dispatch([idle], NOW + WAIT)
    quiet = desk.dispatch([idle], NOW + 3 * DAY)
    assert (quiet.notifications, quiet.next_at) == ((), None)
    idle = raised(idle, NOW + 4 * DAY, severity=Severity.WARNING, step="3d")
    assert brief(desk.dispatch([idle], NOW + 4 * DAY)) == [("slack", "severity_raised", ["chat"])]
    idle = raised(idle, NOW + 4 * DAY + SECOND, step="2d")
    assert brief(desk.dispatch([idle], NOW + 4 * DAY + SECOND)) == [("slack", "reminder", ["chat"])]


def test_conditions_without_steps_are_repeated_after_the_interval() -> None:
    desk, alert = Desk(make_routing(repeat_interval=4 * HOUR)), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    assert desk.dispatch([alert], NOW + WAIT).next_at == NOW + WAIT + 4 * HOUR
    assert desk.dispatch([alert], NOW + 4 * HOUR).notifications == ()
    assert brief(desk.dispatch([alert], NOW + WAIT + 4 * HOUR)) == [("slack", "reminder", ["chat"])]
    acked = replace(alert, acked_at=NOW + 5 * HOUR)
    assert desk.dispatch([acked], NOW + DAY).notifications == ()


# Resolves


def test_a_resolve_goes_to_those_who_were_told_whatever_the_routes_say_now() -> None:
    desk, alert = Desk(make_routing(child("a", continue_=True), child("b"))), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    desk.routing = make_routing(receiver="c")
    over = ended(alert, NOW + HOUR)
    planned = desk.dispatch([over], NOW + HOUR)
    assert brief(planned) == [("a", "resolved", ["chat"]), ("b", "resolved", ["chat"])]
    assert planned.notifications[0].group_labels == {"rule": "deployment_failed", "owner": "search"}
    assert desk.dispatch([over], NOW + DAY).notifications == ()


def test_a_resolve_waits_for_the_groups_interval() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    over = ended(alert, NOW + MINUTE)
    planned = desk.dispatch([over], NOW + MINUTE)
    assert (planned.notifications, planned.next_at) == ((), NOW + WAIT + INTERVAL)
    assert brief(desk.dispatch([over], NOW + WAIT + INTERVAL)) == [("slack", "resolved", ["chat"])]


def test_what_ended_before_it_was_told_needs_nothing() -> None:
    planned = Desk(make_routing()).dispatch([ended(make_alert(), NOW + SECOND)], NOW + DAY)
    assert (planned.notifications, planned.held) == ((), {})


def test_a_resolve_comes_through_silence_and_inhibition() -> None:
    desk = Desk(make_routing())
    alert = make_alert("account_unreachable", labels={"plane": "data", "location": "x"})
    desk.dispatch([alert], NOW + WAIT)
    outage = make_alert("azure_unreachable", name="", at=NOW + HOUR, labels={"plane": "data", "location": "x"})
    silences = [make_silence("rule=account_unreachable", until=NOW + DAY)]
    planned = desk.dispatch([ended(alert, NOW + HOUR), outage], NOW + HOUR, silences=silences)
    assert ("slack", "resolved", ["chat"]) in brief(planned)


@pytest.mark.parametrize(
    ("severity", "deferred"),
    [
        pytest.param(Severity.WARNING, True, id="warning waits for the morning"),
        pytest.param(Severity.CRITICAL, False, id="critical passes"),
    ],
)
def test_a_mute_defers_a_resolve(severity: Severity, deferred: bool) -> None:
    desk = Desk(make_routing(mute=("nights",), mutes=(NIGHTS,)))
    alert = make_alert(severity=severity)
    desk.dispatch([alert], NOW + WAIT)
    over = ended(alert, NIGHT)
    assert (desk.dispatch([over], NIGHT).notifications == ()) is deferred
    assert len(desk.sent) == (1 if deferred else 2)
    desk.dispatch([over], MORNING)
    assert [n.reason for n in desk.sent] == [NotifyReason.FIRING, NotifyReason.RESOLVED]


def test_a_resolve_is_as_loud_as_what_was_told() -> None:
    desk = Desk(make_routing(mute=("nights",), mutes=(NIGHTS,)))
    alert = make_alert(severity=Severity.CRITICAL)
    desk.dispatch([alert], NOW + WAIT)
    lowered = replace(alert, finding=replace(alert.finding, severity=Severity.INFO))
    assert brief(desk.dispatch([ended(lowered, NIGHT)], NIGHT)) == [("slack", "resolved", ["chat"])]


# Held back


def test_silenced_until_the_silence_ends_and_never_lost() -> None:
    desk, event = Desk(make_routing()), make_alert("job_failed")
    silences = [make_silence("rule=job_failed", until=NOW + HOUR)]
    planned = desk.dispatch([event], NOW + MINUTE, silences=silences)
    assert (planned.notifications, planned.next_at) == ((), NOW + HOUR)
    assert held(planned, event.id) == ["silenced by sil_1 until 2026-11-18T13:00:00Z"]
    assert brief(desk.dispatch([event], NOW + HOUR, silences=silences)) == [("slack", "firing", ["chat"])]
    assert desk.dispatch([event], NOW + 9 * DAY).notifications == ()


def test_a_silence_keeps_steps_and_reminders_back_too() -> None:
    desk, alert = Desk(make_routing()), make_alert(severity=Severity.INFO)
    desk.dispatch([alert], NOW + WAIT)
    alert = raised(alert, NOW + HOUR, severity=Severity.CRITICAL)
    silences = [make_silence("deployment=chat", until=NOW + DAY)]
    assert desk.dispatch([alert], NOW + HOUR, silences=silences).notifications == ()
    assert brief(desk.dispatch([alert], NOW + DAY, silences=silences)) == [("slack", "severity_raised", ["chat"])]


def test_the_last_day_before_a_deletion_comes_through_a_silence() -> None:
    desk = Desk(make_routing())
    idle = make_alert("deployment_idle", severity=Severity.INFO, step="7d")
    silences = [make_silence("deployment=chat", until=NOW + 30 * DAY)]
    assert desk.dispatch([idle], NOW + HOUR, silences=silences).notifications == ()
    idle = raised(idle, NOW + 6 * DAY, severity=Severity.CRITICAL, step="1d")
    forced = [make_silence("deployment=chat", until=NOW + 30 * DAY, is_forced=True)]
    assert desk.dispatch([idle], NOW + 6 * DAY, silences=forced).notifications == ()
    (message,) = desk.dispatch([idle], NOW + 6 * DAY, silences=silences).notifications
    said = "comes through silence sil_1 (by operator: known), since deletion is less than 24 h away"
    assert [entry.note for entry in message.alerts] == [said]
    assert desk.dispatch([idle], NOW + 6 * DAY + HOUR, silences=silences).notifications == ()
    idle = raised(idle, NOW + 7 * DAY, step="6h")
    (message,) = desk.dispatch([idle], NOW + 7 * DAY, silences=silences).notifications
    assert (message.reason, message.alerts[0].note) == (NotifyReason.REMINDER, said)
    (message,) = desk.dispatch([ended(idle, NOW + 8 * DAY)], NOW + 8 * DAY, silences=silences).notifications
    assert (message.reason, message.alerts[0].note) == (NotifyReason.RESOLVED, "")


def test_inhibited_while_the_source_fires() -> None:
    desk, labels = Desk(make_routing()), {"plane": "data", "location": "x"}
    target = make_alert("account_unreachable", labels=labels)
    source = make_alert("azure_unreachable", name="", labels=labels)
    planned = desk.dispatch([target, source], NOW + WAIT)
    assert brief(planned) == [("slack", "firing", [""])]
    assert held(planned, target.id) == [f"inhibited by azure_unreachable ({source.id})"]
    assert ("slack", "firing", ["chat"]) in brief(desk.dispatch([target, ended(source, NOW + HOUR)], NOW + HOUR))


def test_what_a_source_held_back_is_told_only_when_it_outlasts_a_look() -> None:
    desk, labels = Desk(make_routing(group_wait=timedelta())), {"plane": "data", "location": "x"}
    mended, broken = (make_alert("account_unreachable", name=name, labels=labels) for name in ("mended", "broken"))
    source = make_alert("azure_unreachable", name="", account="", labels=labels)
    desk.dispatch([mended, broken, source], NOW)
    over = ended(source, NOW + HOUR)
    planned = desk.dispatch([mended, broken, over], NOW + HOUR, ended=[over])
    assert brief(planned) == [("slack", "resolved", [""])]
    assert held(planned, broken.id) == [
        f"inhibited by azure_unreachable ({source.id}), which has ended, until it has been looked at again "
        "until 2026-11-18T13:15:00Z"
    ]
    assert planned.next_at == NOW + HOUR + LINGER
    later = desk.dispatch([ended(mended, NOW + HOUR + MINUTE), broken], planned.next_at, ended=[over])
    assert brief(later) == [("slack", "firing", ["broken"])]


def test_a_single_pass_has_looked_at_all_and_waits_for_nothing_that_ended() -> None:
    labels = {"plane": "data", "location": "x"}
    broken = make_alert("account_unreachable", labels=labels)
    over = ended(make_alert("azure_unreachable", name="", account="", labels=labels), NOW)
    assert brief(Desk(make_routing()).dispatch([broken], NOW, ended=[over], immediate=True))


def test_of_two_sources_the_same_one_is_named_whatever_the_order() -> None:
    labels = {"plane": "data", "location": "x"}
    target = make_alert("account_unreachable", labels=labels)
    late, early = (
        make_alert("azure_unreachable", name=n, at=at, labels=labels) for n, at in (("a", NOW + SECOND), ("b", NOW))
    )
    desk = Desk(make_routing())
    for alerts in ([target, late, early], [early, late, target]):
        assert held(desk.plan(alerts, NOW + WAIT), target.id) == [f"inhibited by azure_unreachable ({early.id})"]


def test_muted_is_deferred_but_the_excepted_severity_passes() -> None:
    desk = Desk(make_routing(mute=("nights",), mutes=(NIGHTS,)))
    calm = make_alert(name="calm", at=NIGHT)
    loud = make_alert(name="loud", at=NIGHT, severity=Severity.CRITICAL)
    planned = desk.dispatch([calm, loud], NIGHT + WAIT)
    assert brief(planned) == [("slack", "firing", ["loud"])]
    assert planned.next_at == MORNING
    assert held(planned, calm.id) == ["muted by nights until 2026-11-19T07:00:00Z"]
    assert brief(desk.dispatch([calm, loud], MORNING)) == [("slack", "firing", ["calm"])]


@pytest.mark.parametrize("back", [True, False], ids=["back", "forward"])
def test_what_is_muted_over_a_change_of_the_clock_is_told_once_at_its_end(back: bool) -> None:
    nights = replace(NIGHTS, timezone=ZoneInfo("Europe/Berlin"))
    desk = Desk(make_routing(mute=("nights",), mutes=(nights,)))
    evening = datetime(2026, 10, 24, 21, tzinfo=UTC) if back else datetime(2026, 3, 28, 22, tzinfo=UTC)
    morning = datetime(2026, 10, 25, 6, tzinfo=UTC) if back else datetime(2026, 3, 29, 5, tzinfo=UTC)
    calm, event = make_alert(at=evening), make_alert("job_failed", at=evening)
    loud = make_alert(name="loud", at=evening, severity=Severity.CRITICAL)
    at = evening
    while at < morning:
        planned = desk.dispatch([calm, event, loud], at)
        at += 10 * MINUTE
    assert planned.next_at == morning
    assert [n.alerts[0].alert for n in desk.sent] == [loud]
    for later in (timedelta(), HOUR, 2 * HOUR):
        desk.dispatch([calm, event, loud], morning + later)
    assert sorted(entry.alert.id for n in desk.sent for entry in n.alerts) == sorted([calm.id, event.id, loud.id])


def test_kept_until_the_last_day() -> None:
    desk, keeps = Desk(make_routing()), [make_keep(NOW + 30 * DAY)]
    idle = make_alert("deployment_idle", severity=Severity.INFO, step="7d")
    planned = desk.dispatch([idle], NOW + HOUR, keeps=keeps)
    assert held(planned, idle.id) == ["kept by operator until 2026-12-18T12:00:00Z"]
    idle = raised(idle, NOW + 6 * DAY, severity=Severity.CRITICAL, step="1d")
    assert brief(desk.dispatch([idle], NOW + 6 * DAY, keeps=keeps)) == [("slack", "firing", ["chat"])]
    idle = raised(idle, NOW + 7 * DAY, step="6h")
    assert brief(desk.dispatch([idle], NOW + 7 * DAY, keeps=keeps)) == [("slack", "reminder", ["chat"])]


def test_report_only() -> None:
    alert = make_alert("deployment_wasting", severity=Severity.INFO)
    planned = Desk(make_routing()).dispatch([alert], NOW + DAY)
    assert (planned.notifications, held(planned, alert.id)) == ((), ["report only"])
    named = make_routing(child("finops", "rule=deployment_wasting"))
    assert brief(Desk(named).dispatch([alert], NOW + DAY)) == [("finops", "firing", ["chat"])]


# First sight


def test_what_held_at_first_sight_is_one_message_a_receiver() -> None:
    desk = Desk(make_routing(child("hook", "severity=critical", continue_=True), child("slack")))
    alerts = [
        make_alert("deployment_failed", name="a", first_sight=True, severity=Severity.CRITICAL),
        make_alert("deployment_idle", name="b", first_sight=True, step="7d", at=NOW + SECOND),
        make_alert("model_retiring", name="c", first_sight=True, at=NOW + 2 * SECOND),
    ]
    assert desk.dispatch(alerts, NOW + 2 * SECOND).next_at == NOW + WAIT
    planned = desk.dispatch(alerts, NOW + WAIT)
    assert brief(planned) == [("hook", "firing", ["a"]), ("slack", "firing", ["a", "b", "c"])]
    assert {(n.group_key, len(n.group_labels)) for n in planned.notifications} == {("first-sight", 0)}
    nearer = raised(alerts[1], NOW + DAY, step="3d")
    (message,) = desk.dispatch([alerts[0], nearer, alerts[2]], NOW + DAY - HOUR).notifications
    assert message.group_labels == {"rule": "deployment_idle", "owner": "search"}


def test_first_sight_waits_as_long_as_the_root_says() -> None:
    desk = Desk(make_routing(child("slack", 'rule=~".*"', group_wait=timedelta())))
    alert = make_alert(first_sight=True)
    assert desk.dispatch([alert], NOW).next_at == NOW + WAIT
    assert brief(desk.dispatch([alert], NOW + WAIT)) == [("slack", "firing", ["chat"])]


def test_resolves_of_first_sight_come_together() -> None:
    desk = Desk(make_routing())
    alerts = [make_alert(rule, first_sight=True) for rule in ("deployment_failed", "model_retiring")]
    desk.dispatch(alerts, NOW + WAIT)
    planned = desk.dispatch([ended(alert, NOW + HOUR) for alert in alerts], NOW + HOUR)
    assert brief(planned) == [("slack", "resolved", ["chat", "chat"])]


# Gone


def test_gone_is_told_at_once_and_stands_for_the_resolve() -> None:
    desk = Desk(make_routing())
    idle = make_alert("deployment_idle", step="1d")
    desk.dispatch([idle], NOW + WAIT)
    gone, over = make_alert("deployment_gone", at=NOW + MINUTE), ended(idle, NOW + MINUTE)
    (message,) = desk.dispatch([over, gone], NOW + MINUTE).notifications
    assert [entry.alert for entry in message.alerts] == [gone]
    assert message.covers == (over,)
    rows = told_rows(message)
    assert [(r.alert_id, r.status, r.notification_id) for r in rows] == [
        (gone.id, AlertStatus.FIRING, message.id),
        (idle.id, AlertStatus.RESOLVED, ""),
    ]
    assert desk.dispatch([over, gone], NOW + DAY).notifications == ()


def test_those_who_do_not_get_gone_get_the_resolve() -> None:
    desk = Desk(
        make_routing(child("gone", "rule=deployment_gone", continue_=True), child("idle", "rule=deployment_idle"))
    )
    idle = make_alert("deployment_idle", step="1d")
    desk.dispatch([idle], NOW + WAIT)
    gone, over = make_alert("deployment_gone", at=NOW + HOUR), ended(idle, NOW + HOUR)
    planned = desk.dispatch([over, gone], NOW + HOUR)
    assert sorted(brief(planned)) == [("gone", "firing", ["chat"]), ("idle", "resolved", ["chat"])]
    assert [n.covers for n in planned.notifications] == [(), ()]


def test_gone_of_another_life_stands_for_nothing() -> None:
    desk = Desk(make_routing())
    idle = make_alert("deployment_idle", step="1d")
    desk.dispatch([idle], NOW + WAIT)
    gone = make_alert("deployment_gone", at=NOW + HOUR)
    other = replace(gone, finding=replace(gone.finding, subject=replace(gone.finding.subject, incarnation="life-2")))
    assert sorted(brief(desk.dispatch([ended(idle, NOW + HOUR), other], NOW + HOUR))) == [
        ("slack", "firing", ["chat"]),
        ("slack", "resolved", ["chat"]),
    ]


def test_the_resolve_waits_for_gone_that_is_held_back() -> None:
    desk = Desk(make_routing())
    idle = make_alert("deployment_idle", step="1d")
    desk.dispatch([idle], NOW + WAIT)
    alerts = [ended(idle, NOW + HOUR), make_alert("deployment_gone", at=NOW + HOUR)]
    silences = [make_silence("rule=deployment_gone", until=NOW + DAY)]
    planned = desk.dispatch(alerts, NOW + 2 * HOUR, silences=silences)
    assert (planned.notifications, held(planned, idle.id)) == ((), ["waiting for deployment_gone"])
    (message,) = desk.dispatch(alerts, NOW + DAY, silences=silences).notifications
    assert message.covers == (alerts[0],)


def test_gone_that_passes_a_mute_takes_the_muted_resolve_along() -> None:
    desk = Desk(make_routing(mute=("nights",), mutes=(NIGHTS,)))
    idle = make_alert("deployment_idle", severity=Severity.WARNING, step="3d")
    desk.dispatch([idle], NOW + WAIT)
    alerts = [ended(idle, NIGHT), make_alert("deployment_gone", severity=Severity.CRITICAL, at=NIGHT)]
    (message,) = desk.dispatch(alerts, NIGHT).notifications
    assert message.covers == (alerts[0],)
    assert desk.dispatch(alerts, MORNING).notifications == ()


def test_other_alerts_of_a_gone_deployment_are_resolved_by_themselves() -> None:
    desk = Desk(make_routing())
    failed = make_alert("deployment_failed")
    desk.dispatch([failed], NOW + WAIT)
    alerts = [ended(failed, NOW + HOUR), make_alert("deployment_gone", at=NOW + HOUR)]
    assert sorted(brief(desk.dispatch(alerts, NOW + HOUR))) == [
        ("slack", "firing", ["chat"]),
        ("slack", "resolved", ["chat"]),
    ]


# Nothing twice


def test_two_routes_to_one_receiver_tell_it_once_by_the_first() -> None:
    desk = Desk(make_routing(child("slack", continue_=True, group_by=()), child("slack")))
    (message,) = desk.dispatch([make_alert()], NOW + WAIT).notifications
    assert (message.route, message.group_labels) == ("route.routes[0]", {})
    assert desk.dispatch([make_alert()], NOW + HOUR).notifications == ()


def test_regrouping_rerouting_and_relabelling_say_nothing_again() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    desk.routing = make_routing(child("slack", 'rule=~".*"', group_by=("account",)))
    alert = replace(alert, finding=replace(alert.finding, labels={**alert.finding.labels, "owner": "ads"}))
    assert desk.dispatch([alert], NOW + HOUR).notifications == ()


def test_a_new_receiver_is_told_and_the_old_one_still_gets_its_resolve() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    desk.routing = make_routing(receiver="mail")
    assert brief(desk.dispatch([alert], NOW + HOUR)) == [("mail", "firing", ["chat"])]
    over = ended(alert, NOW + 2 * HOUR)
    assert brief(desk.dispatch([over], NOW + 2 * HOUR)) == [
        ("mail", "resolved", ["chat"]),
        ("slack", "resolved", ["chat"]),
    ]


def test_a_plan_that_was_not_stored_is_made_again() -> None:
    desk, alerts = Desk(make_routing()), [make_alert(name=name) for name in "abc"]
    one = desk.plan(alerts, NOW + WAIT)
    assert one == desk.plan(alerts[::-1], NOW + WAIT)
    assert one.notifications[0].id.startswith("ntf_")


def test_explain_routes() -> None:
    routing = make_routing(child("hook", "severity=critical", continue_=True), child(None, 'severity=~".*"'))
    assert explain_routes({"rule": "job_failed", "severity": "critical"}, routing) == [
        ("route.routes[0]", "hook", {"rule": "job_failed"}),
        ("route.routes[1]", "slack", {"rule": "job_failed"}),
    ]


# A clock that is put back


def test_a_clock_put_back_by_a_day_keeps_no_group_waiting() -> None:
    desk, one = Desk(make_routing()), make_alert(name="a")
    desk.dispatch([one], NOW + WAIT)
    two, three = make_alert(name="b", at=NOW + MINUTE), make_alert(name="c", at=NOW - DAY)
    assert brief(desk.dispatch([one, two, three], NOW - DAY + WAIT)) == [("slack", "firing", ["c", "b"])]


def test_a_step_told_by_a_clock_put_back_is_not_told_again_and_again() -> None:
    desk = Desk(make_routing())
    idle = make_alert("deployment_idle", step="7d")
    desk.dispatch([idle], NOW + WAIT)
    idle = raised(idle, NOW + 2 * HOUR, step="3d")
    assert brief(desk.dispatch([idle], NOW + HOUR)) == [("slack", "reminder", ["chat"])]
    for minutes in range(0, 180, 7):
        assert desk.dispatch([idle], NOW + HOUR + minutes * MINUTE).notifications == ()


def test_a_resolve_told_by_a_clock_put_back_is_told_once() -> None:
    desk, alert = Desk(make_routing()), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    over = ended(alert, NOW - DAY)
    assert brief(desk.dispatch([over], NOW - DAY)) == [("slack", "resolved", ["chat"])]
    for hours in range(0, 48, 5):
        assert desk.dispatch([over], NOW - DAY + hours * HOUR).notifications == ()
