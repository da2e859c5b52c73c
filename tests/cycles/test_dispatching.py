"""Dispatch from stored state: what escalates stays on the list, and what comes and goes is known for it."""

from dataclasses import replace

from sqlalchemy import select

from tests.alerts.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    child,
    ended,
    make_alert,
    make_routing,
    make_silence,
    raised,
)
from watcher.alerts.alert import open_alert
from watcher.cycles import dispatching
from watcher.rules.finding import Severity
from watcher.store import alerts, operators, outbox, schema, tellings

WAIT = 30 * SECOND
ESCALATING = make_routing(escalate_after=HOUR, escalate_to=("pager",))


def save(store, *changed):
    store.write_now(alerts.save, changed)


def dispatch(store, at, routing=ESCALATING, **options):
    return store.write_now(dispatching.dispatch_now, routing, at, at, **{"immediate": False, **options})


def sent(store):
    """Receiver, reason and notes of all that was decided, in order."""
    found = store.read_now(outbox.listed, states=("pending", "delivered"))
    return [
        (one.notification.receiver, one.notification.reason.value, [entry.note for entry in one.notification.alerts])
        for one in found
    ]


def unsettled(store):
    return {alert.id for alert in store.read_now(alerts.unsettled)}


def test_an_event_escalates_once_over_restarts(open_store):
    store, event = open_store(), make_alert("job_failed")
    save(store, event)
    plan = dispatch(store, NOW + WAIT)
    assert plan.next_at == NOW + WAIT + HOUR
    assert unsettled(store) == {event.id}, "somebody may have to be told of it yet"
    dispatch(open_store(), NOW + 30 * MINUTE)
    dispatch(open_store(), NOW + WAIT + HOUR)
    dispatch(open_store(), NOW + 9 * HOUR)
    assert [(receiver, reason) for receiver, reason, _ in sent(store)] == [("slack", "firing"), ("pager", "firing")]
    assert sent(store)[1][2] == ["escalated: nobody has acknowledged this since slack was told at 2026-11-18 12:00 UTC"]
    assert unsettled(store) == set()


def test_an_event_that_is_acknowledged_does_not_escalate_and_is_settled(store):
    event = make_alert("job_failed")
    save(store, event)
    dispatch(store, NOW + WAIT)
    store.write_now(operators.acknowledge, event, author="operator", comment="on it", now=NOW + MINUTE)
    dispatch(store, NOW + 2 * HOUR)
    assert [receiver for receiver, _, _ in sent(store)] == ["slack"]
    assert unsettled(store) == set()


def test_an_event_that_does_not_escalate_is_settled_at_once(store):
    save(store, make_alert("job_failed"))
    dispatch(store, NOW + WAIT, make_routing())
    assert unsettled(store) == set()


def test_escalation_counts_from_the_first_word_and_not_from_the_newest(store):
    """The store keeps every telling, and the plan must be given them all."""
    routing, alert = (
        make_routing(repeat_interval=HOUR, escalate_after=150 * MINUTE, escalate_to=("pager",)),
        make_alert(),
    )
    save(store, alert)
    for at in (WAIT, WAIT + HOUR, WAIT + 2 * HOUR, WAIT + 150 * MINUTE):
        dispatch(store, NOW + at, routing)
    assert [(receiver, reason) for receiver, reason, _ in sent(store)] == [
        ("slack", "firing"),
        ("slack", "reminder"),
        ("slack", "reminder"),
        ("pager", "firing"),
    ]


def come_and_go(store, *began, account=ACCOUNT):
    """Lives of one condition of a minute each, the last of which goes on."""
    finding = make_alert().finding
    lives = [open_alert(finding, account=account, now=at) for at in began]
    for alert in lives[:-1]:
        save(store, alert)
        save(store, ended(alert, alert.starts_at + MINUTE))
    save(store, lives[-1])
    return lives[-1]


def test_what_comes_and_goes_is_told_once_it_has_stood(store):
    alert = come_and_go(store, NOW - 5 * HOUR, NOW - 3 * HOUR, NOW - HOUR, NOW)
    plan = dispatch(store, NOW + MINUTE, make_routing())
    assert plan.next_at == NOW + 10 * MINUTE
    assert [str(one) for one in plan.held[alert.id]] == [
        "comes and goes: 4th time since 2026-11-18 07:00 UTC until 2026-11-18T12:10:00Z"
    ]
    dispatch(store, NOW + 10 * MINUTE, make_routing())
    assert sent(store) == [("slack", "firing", ["comes and goes: 4th time since 2026-11-18 07:00 UTC"])]


def test_what_came_for_the_second_time_or_long_ago_is_told_as_any(store):
    come_and_go(store, NOW - 9 * HOUR, NOW - 8 * HOUR, NOW - HOUR, NOW)
    dispatch(store, NOW + MINUTE, make_routing())
    assert sent(store) == [("slack", "firing", [""])]


def test_recent_lives(store):
    mine = come_and_go(store, NOW - 5 * HOUR, NOW - 3 * HOUR, NOW)
    other = make_alert(name="other", at=NOW - HOUR)
    save(store, other, ended(other, NOW))
    event = make_alert("job_failed", at=NOW - HOUR)
    save(store, event)
    lives = store.read_now(alerts.recent_lives, [mine, event], since=NOW - 4 * HOUR)
    assert lives == {mine.fingerprint: (NOW - 3 * HOUR,)}
    assert store.read_now(alerts.recent_lives, [], since=NOW - DAY) == {}


def test_an_added_receiver_gets_one_message_after_a_restart(open_store):
    store = open_store()
    save(store, make_alert(name="a"), make_alert("job_stalled", name="b"), make_alert("model_retiring", name="c"))
    dispatch(store, NOW + WAIT, make_routing())
    wider = make_routing(child("mail", 'rule=~".*"', continue_=True), child("slack"))
    dispatch(open_store(), NOW + HOUR, wider)
    dispatch(open_store(), NOW + HOUR, wider)
    (message,) = [one.notification for one in store.read_now(outbox.listed) if one.notification.receiver == "mail"]
    assert len(message.alerts) == 3
    assert message.notes == ("already firing; others were told before, and this receiver is new to it",)


def test_a_note_is_stored_with_what_is_told(store):
    idle = make_alert("deployment_idle", step="7d", severity=Severity.INFO)
    save(store, idle)
    silence = make_silence("deployment=chat", until=NOW + 30 * DAY)
    store.write_now(
        operators.add_silence, ["deployment=chat"], ends_at=silence.ends_at, author="operator", comment="known", now=NOW
    )
    assert dispatch(store, NOW + WAIT).notifications == ()
    save(store, raised(idle, NOW + 6 * DAY, step="1d", severity=Severity.CRITICAL))
    dispatch(store, NOW + 6 * DAY)
    ((receiver, reason, (note,)),) = sent(store)
    assert (receiver, reason) == ("slack", "firing")
    assert note.endswith(" (by operator: known), since deletion is less than 24 h away")


def test_all_that_was_told_is_read_in_order(store):
    """By a clock that was put back too."""
    alert = make_alert(severity=Severity.INFO)
    save(store, alert)
    dispatch(store, NOW + WAIT)
    louder = raised(alert, NOW - DAY, severity=Severity.CRITICAL)
    save(store, louder)
    dispatch(store, NOW - DAY)
    over = replace(ended(louder, NOW - DAY + MINUTE))
    save(store, over)
    dispatch(store, NOW - DAY + HOUR)
    told = store.read_now(tellings.for_planning, {alert.id})
    assert [(row.receiver, row.severity.value, row.status.value) for row in told if row.receiver == "slack"] == [
        ("slack", "info", "firing"),
        ("slack", "critical", "firing"),
        ("slack", "critical", "resolved"),
    ]
    assert dispatch(store, NOW + DAY).notifications == ()
    assert unsettled(store) == set()


def test_no_alert_of_another_is_read(store):
    one, other = make_alert(name="a"), make_alert(name="b")
    save(store, one, other)
    dispatch(store, NOW + WAIT)
    assert {row.alert_id for row in store.read_now(tellings.for_planning, {one.id})} == {one.id}
    assert store.read_now(lambda tx: len(tx.execute(select(schema.told)).all())) == 2
