"""The verdict notices each thing that a crash could spoil."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.crash.sink import Receipt
from tests.crash.verdict import Stored, Verdict, judge
from tests.notify.factories import NOW, make_alert, make_event, make_finding, make_notification
from watcher.alerts.alert import Alert, end
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason
from watcher.notify.payload import encode
from watcher.rules.finding import Severity
from watcher.store.outbox import Delivery

WARNED = make_alert(make_finding(name="a"))
CRITICAL = replace(WARNED, finding=make_finding(name="a", severity=Severity.CRITICAL))
OVER = end(WARNED, now=NOW + timedelta(hours=1), because="it was called again")
EVENT = make_alert(make_event(name="e"))

FIRE = make_notification(WARNED)
RAISE = make_notification(CRITICAL, reason=NotifyReason.SEVERITY_RAISED, at=NOW + timedelta(minutes=1))
RESOLVE = make_notification(OVER, reason=NotifyReason.RESOLVED, at=NOW + timedelta(hours=1))
PAIR = make_notification(
    NotificationAlert(alert=OVER, reason=NotifyReason.RESOLVED, was_untold=True), at=NOW + timedelta(hours=1)
)
HAPPENED = make_notification(EVENT)


def came(notification: Notification, *, is_taken: bool = True, later_s: int = 0) -> Receipt:
    at = NOW + timedelta(seconds=later_s)
    body = encode(notification, watcher="crash", public_url="", now=at)
    return Receipt(id=notification.id, body=body, is_taken=is_taken)


def stored(alerts: Sequence[Alert], *notifications: Notification, state: str = "delivered") -> Stored:
    """The outbox in this order, all in one state."""
    deliveries = [
        Delivery(
            notification=one,
            sequence=number,
            state=state,
            due_at=NOW,
            queued_at=NOW,
            first_tried_at=NOW,
            attempts=1,
            fence=1,
            lease_until=None,
            ended_at=NOW,
            last_error="",
        )
        for number, one in enumerate(notifications, start=1)
    ]
    return Stored(alerts=alerts, deliveries=deliveries)


def faults(verdict: Verdict) -> tuple[int, int, int]:
    return len(verdict.lost), len(verdict.repeated), len(verdict.wrong)


def test_a_faithful_story_has_no_fault():
    receipts = [came(FIRE, is_taken=False), came(FIRE), came(FIRE, later_s=5), came(HAPPENED), came(RESOLVE)]
    verdict = judge(receipts, stored([OVER, EVENT], FIRE, HAPPENED, RESOLVE), [("job_failed", "e")])
    assert verdict.faults == []
    assert (verdict.messages, verdict.repeats) == (3, 2)


def test_a_pair_needs_no_fire():
    assert judge([came(PAIR)], stored([OVER], PAIR), []).faults == []


def test_news_that_stand_for_the_end_are_the_end():
    gone = replace(HAPPENED, covers=(OVER,))
    assert judge([came(FIRE), came(gone)], stored([OVER, EVENT], FIRE, gone), []).faults == []


def test_a_fire_may_become_one_with_the_news_that_stand_for_its_end():
    gone = replace(HAPPENED, covers=(OVER,))
    held = stored([OVER, EVENT], gone)
    assert judge([came(gone)], held, []).wrong == [
        f"hook: deployment_idle of a ({OVER.id}): resolved without its fire ({gone.id})"
    ]
    merged = stored([], FIRE, state="merged").deliveries
    assert judge([came(gone)], replace(held, deliveries=[*merged, *held.deliveries]), []).faults == []


def test_a_condition_over_before_anybody_was_told_is_counted():
    verdict = judge([], stored([OVER]), [])
    assert (verdict.faults, verdict.untold) == ([], 1)


@pytest.mark.parametrize(
    ("receipts", "held"),
    [
        ([], stored([EVENT])),
        ([], stored([WARNED])),
        ([came(FIRE)], stored([OVER], FIRE)),  # of its end nobody heard
        ([came(FIRE)], stored([replace(CRITICAL, id=WARNED.id)], FIRE)),  # by the hook; the pager is not told here
        ([came(HAPPENED, is_taken=False)], stored([EVENT], HAPPENED)),
        ([came(HAPPENED)], stored([EVENT], HAPPENED, state="pending")),
        ([came(HAPPENED)], stored([EVENT], HAPPENED, state="dead")),
    ],
    ids=["event", "condition", "end", "raise", "refused", "pending", "dead"],
)
def test_notices_what_is_lost(receipts, held):
    lost, repeated, wrong = faults(judge(receipts, held, []))
    assert lost
    assert (repeated, wrong) == (0, 0)


def test_notices_what_the_database_itself_forgot():
    assert faults(judge([], stored([]), [("job_failed", "e")])) == (1, 0, 0)


def test_what_is_critical_goes_to_the_pager_too():
    alert = replace(EVENT, finding=make_event(name="e", severity=Severity.CRITICAL))
    told = make_notification(alert)
    paged = make_notification(alert, receiver="pager")
    assert faults(judge([came(told)], stored([alert], told), [])) == (1, 0, 0)
    assert judge([came(told), came(paged)], stored([alert], told, paged), []).faults == []


@pytest.mark.parametrize(
    ("story", "alert"),
    [
        ((HAPPENED, replace(HAPPENED, id="ntf_other")), EVENT),
        ((FIRE, replace(FIRE, id="ntf_other")), WARNED),
        ((FIRE, RESOLVE, replace(RESOLVE, id="ntf_other")), OVER),
        ((FIRE, PAIR), OVER),
    ],
    ids=["event", "fire", "end", "pair"],
)
def test_notices_what_is_told_again_under_another_id(story, alert):
    lost, repeated, wrong = faults(judge([came(one) for one in story], stored([alert], *story), []))
    assert repeated == 1
    assert (lost, wrong) == (0, 0)


def test_notices_an_event_under_two_alerts():
    again = replace(EVENT, id="alr_other")
    other = make_notification(again)
    assert faults(judge([came(HAPPENED), came(other)], stored([EVENT, again], HAPPENED, other), [])) == (0, 1, 0)


def test_notices_that_what_was_taken_was_merged():
    verdict = judge([came(FIRE), came(RESOLVE)], stored([OVER], FIRE, RESOLVE, state="merged"), [])
    assert len(verdict.repeated) == 2


@pytest.mark.parametrize(
    ("receipts", "held"),
    [
        ([came(RESOLVE)], stored([OVER], RESOLVE)),
        ([came(FIRE), came(RESOLVE), came(FIRE)], stored([OVER], FIRE, RESOLVE)),
        ([came(RAISE), came(FIRE)], stored([CRITICAL], FIRE, RAISE)),
        ([came(FIRE)], stored([WARNED])),
    ],
    ids=["resolve without fire", "repeat after later news", "raise before fire", "not on record"],
)
def test_notices_a_wrong_order(receipts, held):
    assert judge(receipts, held, []).wrong


def test_notices_another_body_under_the_same_id():
    changed = came(FIRE)
    body = json.loads(changed.body) | {"notes": ["changed"]}
    assert judge([came(FIRE), replace(changed, body=json.dumps(body).encode())], stored([WARNED], FIRE), []).wrong == [
        f"{FIRE.id} came again with another body"
    ]
