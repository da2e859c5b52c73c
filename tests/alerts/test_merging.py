"""What waited is told as one: each alert once, in its newest state."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alerts.factories import HOUR, MINUTE, NOW, ended, make_alert, raised
from watcher.alerts.merging import merge
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, notification_id
from watcher.rules.finding import Severity

FIRING, RAISED, REMINDER, RESOLVED = NotifyReason


def told(alert, reason=FIRING, **more):
    return NotificationAlert(alert=alert, reason=reason, **more)


def note(*entries, at=NOW, labels=None, covers=(), notes=(), receiver="slack"):
    return Notification(
        id=notification_id(receiver, entries, at),
        receiver=receiver,
        route="route",
        group_key='route:{"rule":"x"}',
        group_labels={"rule": "x", "owner": "search"} if labels is None else labels,
        reason=min((entry.reason for entry in entries), key=list(NotifyReason).index),
        alerts=tuple(entries),
        covers=tuple(covers),
        created_at=at,
        notes=tuple(notes),
    )


def merged(*notifications):
    return merge(notifications, because="x")


ALERT = make_alert()
LOUD = raised(ALERT, NOW + MINUTE, severity=Severity.CRITICAL)
OVER = ended(ALERT, NOW + HOUR)


@pytest.mark.parametrize(
    ("entries", "alert", "reason", "was_untold"),
    [
        pytest.param([told(ALERT), told(LOUD, RAISED)], LOUD, FIRING, False, id="fired, then worse"),
        pytest.param([told(ALERT), told(OVER, RESOLVED)], OVER, RESOLVED, True, id="fired, then over"),
        pytest.param([told(ALERT), told(LOUD, RAISED), told(OVER, RESOLVED)], OVER, RESOLVED, True, id="all three"),
        pytest.param([told(LOUD, RAISED), told(OVER, RESOLVED)], OVER, RESOLVED, False, id="known, then over"),
        pytest.param([told(ALERT, REMINDER), told(LOUD, RAISED)], LOUD, RAISED, False, id="known, then worse"),
        pytest.param([told(OVER, RESOLVED, was_untold=True)], OVER, RESOLVED, True, id="untold stays untold"),
    ],
)
def test_an_alert_stands_once_in_its_newest_state(entries, alert, reason, was_untold):
    one = merged(*(note(entry, at=NOW + n * MINUTE) for n, entry in enumerate(entries)))
    (entry,) = one.alerts
    assert (entry.alert, entry.reason, entry.was_untold) == (alert, reason, was_untold)
    assert one.reason is reason


def test_it_fires_where_anything_of_it_fires():
    other = make_alert(name="other", severity=Severity.CRITICAL)
    one = merged(note(told(ALERT)), note(told(other)), note(told(OVER, RESOLVED)))
    assert one.reason is FIRING
    assert [entry.alert for entry in one.alerts] == [other, OVER], "loudest first"


def test_what_another_stands_for_is_not_named():
    """Told that it is gone, nobody wants to hear in the same message that it may be deleted."""
    gone = make_alert("deployment_gone")
    one = merged(note(told(ALERT)), note(told(gone), covers=[OVER]))
    assert [entry.alert for entry in one.alerts] == [gone]
    assert one.covers == (OVER,)


def test_its_labels_are_what_all_share_and_its_notes_count():
    first = note(told(ALERT), labels={"rule": "a", "owner": "search"}, notes=["found late"])
    second = note(told(make_alert(name="b")), labels={"rule": "b", "owner": "search"}, notes=["found late"])
    one = merged(first, second)
    assert one.group_labels == {"owner": "search"}
    assert one.notes == ("found late", "2 messages in one: x")
    assert merged(one, note(told(make_alert(name="c")))).notes[-1] == "3 messages in one: x"


def test_notes_of_both_tellings_are_kept():
    one = merged(note(told(ALERT, note="escalated")), note(told(LOUD, RAISED, note="comes and goes")))
    assert one.alerts[0].note == "escalated; comes and goes"


def test_its_id_comes_from_theirs():
    first, second = note(told(ALERT)), note(told(make_alert(name="b")), at=NOW + MINUTE)
    one = merged(first, second)
    assert one.id == merged(second, first).id
    assert one.id not in (first.id, second.id, merged(first).id)
    assert one.created_at == second.created_at


def test_receivers_are_not_mixed():
    with pytest.raises(ValueError, match="do not merge"):
        merged(note(told(ALERT)), note(told(ALERT), receiver="mail"))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_merging_loses_no_alert_and_repeats_none(stories):
    """By pieces or at once, the same is told."""
    known: dict[int, object] = {}
    parts = []
    for n, (which, ends) in enumerate(stories):
        alert = known.get(which) or make_alert(name=f"d{which}")
        if alert.ends_at is not None:
            continue
        at = NOW + n * MINUTE
        reason = RAISED if which in known else FIRING
        alert = ended(alert, at) if ends and which in known else replace(alert, updated_at=at)
        parts.append(note(told(alert, RESOLVED if alert.ends_at else reason), at=at))
        known[which] = alert
    whole = merged(*parts)
    assert sorted(entry.alert.id for entry in whole.alerts) == sorted(alert.id for alert in known.values())
    assert all(entry.alert in known.values() for entry in whole.alerts), "newest"
    assert all(entry.was_untold == (entry.alert.ends_at is not None) for entry in whole.alerts)
    stepwise = parts[0]
    for part in parts[1:]:
        stepwise = merged(stepwise, part)
    assert stepwise.alerts == whole.alerts
