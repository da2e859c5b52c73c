"""Receivers that routes, tags or owners have come to lead to: told of what fires already in one message each."""

from dataclasses import replace

from watcher.alerts.alert import Alert
from watcher.alerts.dispatch import NEWCOMER_NOTE
from watcher.alerts.interval import MuteInterval
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
    make_alert,
    make_routing,
    notes,
    raised,
)

WAIT, INTERVAL = 30 * SECOND, 5 * MINUTE
RULES = ("deployment_failed", "model_retiring", "job_stalled")


def fleet() -> list[Alert]:
    return [make_alert(rule, name=name) for rule in RULES for name in "ab"]


def owned(alert: Alert, owner: str, at=NOW) -> Alert:
    finding = replace(alert.finding, labels={**alert.finding.labels, "owner": owner})
    return replace(alert, finding=finding, updated_at=at)


def test_an_added_receiver_gets_one_message_and_the_others_none() -> None:
    desk, alerts = Desk(make_routing()), fleet()
    assert len(desk.dispatch(alerts, NOW + WAIT).notifications) == 3
    desk.routing = make_routing(child("mail", 'rule=~".*"', continue_=True), child("slack"))
    planned = desk.dispatch(alerts, NOW + HOUR)
    assert [(n.receiver, len(n.alerts), n.group_key, n.notes) for n in planned.notifications] == [
        ("mail", 6, "first-sight", (NEWCOMER_NOTE,))
    ]
    assert {entry.note for entry in planned.notifications[0].alerts} == {""}
    assert desk.dispatch(alerts, NOW + 2 * HOUR).notifications == ()


def test_so_for_an_owner() -> None:
    desk, alerts = Desk(make_routing()), fleet()
    desk.dispatch(alerts, NOW + WAIT)
    desk.routing = make_routing(owners={"owner=search": ["search-mail"]})
    assert [(n.receiver, len(n.alerts)) for n in desk.dispatch(alerts, NOW + HOUR).notifications] == [
        ("search-mail", 6)
    ]


def test_so_for_tags_which_come_account_by_account() -> None:
    desk, alerts = Desk(make_routing(owners={"owner=ads": ["ads-mail"]})), fleet()
    desk.dispatch(alerts, NOW + WAIT)
    first = owned(alerts[0], "ads", at=NOW + HOUR)
    waiting = desk.dispatch([first, *alerts[1:]], NOW + HOUR)
    assert (waiting.notifications, waiting.next_at) == ((), NOW + HOUR + WAIT)
    alerts = [owned(alert, "ads", at=NOW + HOUR + 20 * SECOND) for alert in alerts[1:]]
    assert [len(n.alerts) for n in desk.dispatch([first, *alerts], NOW + HOUR + WAIT).notifications] == [6]


def test_whoever_is_told_late_for_its_group_alone_is_no_newcomer() -> None:
    routes = child("hook", 'rule=~".*"', continue_=True, group_wait=10 * MINUTE), child("slack")
    desk, alerts = Desk(make_routing(*routes)), fleet()
    assert {n.receiver for n in desk.dispatch(alerts, NOW + WAIT).notifications} == {"slack"}
    assert notes(desk.dispatch(alerts, NOW + 10 * MINUTE)) == [("hook", (), ["", ""])] * 3


def test_whoever_was_muted_is_no_newcomer() -> None:
    mornings = MuteInterval(name="always", weekdays=frozenset({2}))  # NOW is a Wednesday
    routes = child("hook", 'rule=~".*"', continue_=True, mute=("always",)), child("slack")
    desk, alerts = Desk(make_routing(*routes, mutes=(mornings,))), fleet()
    desk.dispatch(alerts, NOW + WAIT)
    assert notes(desk.dispatch(alerts, NOW + 12 * HOUR)) == [("hook", (), ["", ""])] * 3


def test_whoever_is_told_since_it_became_worse_is_no_newcomer() -> None:
    desk = Desk(make_routing(child("hook", "severity=critical", continue_=True), child("slack")))
    alert = make_alert()
    desk.dispatch([alert], NOW + WAIT)
    alert = raised(alert, NOW + HOUR, severity=Severity.CRITICAL)
    planned = desk.dispatch([alert], NOW + HOUR)
    assert notes(planned) == [("hook", (), [""]), ("slack", (), [""])]
    assert {n.group_key.partition(":")[0] for n in planned.notifications} == {"route.routes[0]", "route.routes[1]"}


def test_an_escalation_is_no_newcomer() -> None:
    desk, alerts = Desk(make_routing()), fleet()
    desk.dispatch(alerts, NOW + WAIT)
    desk.routing = make_routing(escalate_after=HOUR, escalate_to=("pager",))
    planned = desk.dispatch(alerts, NOW + DAY - HOUR)
    assert [n.notes for n in planned.notifications] == [(), (), ()]
    assert all(entry.note.startswith("escalated: ") for n in planned.notifications for entry in n.alerts)


def test_beside_what_fires_anew_each_has_its_own_note() -> None:
    desk, old = Desk(make_routing()), make_alert(name="old")
    desk.dispatch([old], NOW + WAIT)
    desk.routing = make_routing(receiver="mail")
    new = make_alert(name="new", first_sight=True, at=NOW + HOUR)
    planned = desk.dispatch([old, new], NOW + HOUR + WAIT)
    assert brief(planned) == [("mail", "firing", ["old", "new"])]
    assert notes(planned) == [("mail", (), [NEWCOMER_NOTE, ""])]


def test_a_known_group_of_late_news_waits_for_its_interval() -> None:
    desk, alerts = Desk(make_routing(owners={"owner=ads": ["ads-mail"]})), fleet()
    desk.dispatch(alerts, NOW + WAIT)
    one = owned(alerts[0], "ads")
    assert brief(desk.dispatch([one, *alerts[1:]], NOW + HOUR)) == [("ads-mail", "firing", ["a"])]
    two = owned(alerts[1], "ads", at=NOW + HOUR)
    planned = desk.dispatch([one, two, *alerts[2:]], NOW + HOUR + MINUTE)
    assert (planned.notifications, planned.next_at) == ((), NOW + HOUR + INTERVAL)
