"""What has ended of a first message is handed over with each claim that tells of an end, from what is stored alone."""

from datetime import timedelta

from tests.alerts.factories import NOW, ended, make_alert
from watcher.alerts.notification import NotifyReason

from .test_outbox import claim, make_notification, mark, put

RESOLVED = NotifyReason.RESOLVED
HOUR = timedelta(hours=1)


def tell(store, *alerts, reason=NotifyReason.FIRING, at=NOW, reference=""):
    """Decide, claim and deliver; returns what was handed to the notifier."""
    put(store, make_notification(*alerts, reason=reason, at=at))
    (claimed,) = claim(store, now=at)
    mark(store, claimed, at=at, reference=reference)
    return claimed.notification


def ids(*alerts):
    return {alert.id for alert in alerts}


def test_the_last_end_comes_with_those_before_it(store):
    a, b, c = (make_alert(name=name) for name in "abc")
    tell(store, a, b, reference="head")
    tell(store, c, at=NOW + HOUR, reference="other")
    first = tell(
        store, ended(a, NOW + HOUR), ended(c, NOW + HOUR), reason=RESOLVED, at=NOW + 2 * HOUR, reference="head"
    )
    assert {reference: ids(*some) for reference, some in first.under.items()} == {"head": ids(a), "other": ids(c)}
    last = tell(store, ended(b, NOW + 2 * HOUR), reason=RESOLVED, at=NOW + 3 * HOUR, reference="head")
    assert {reference: ids(*some) for reference, some in last.under.items()} == {"head": ids(a, b)}
    assert all(alert.ends_at is not None for alert in last.under["head"])


def test_what_was_over_when_the_message_told_of_it_is_none_of_its_own(store):
    a, b = make_alert(name="a"), make_alert(name="b")
    tell(store, a, ended(b, NOW), reference="head")
    told = tell(store, ended(a, NOW + HOUR), reason=RESOLVED, at=NOW + HOUR, reference="head")
    assert ids(*told.under["head"]) == ids(a)


def test_what_another_message_told_first_stays_that_one_s(store):
    a, b = make_alert(name="a"), make_alert(name="b")
    tell(store, a, reference="head")
    tell(store, a, b, reason=NotifyReason.REMINDER, at=NOW + HOUR, reference="second")
    tell(store, ended(a, NOW + HOUR), reason=RESOLVED, at=NOW + 2 * HOUR, reference="head")
    told = tell(store, ended(b, NOW + 2 * HOUR), reason=RESOLVED, at=NOW + 3 * HOUR, reference="second")
    assert {reference: ids(*some) for reference, some in told.under.items()} == {"second": ids(b)}


def test_without_an_end_or_a_first_message_nothing_is_handed_ended(store):
    a, b = make_alert(name="a"), make_alert(name="b")
    tell(store, a, reference="head")
    assert tell(store, a, reason=NotifyReason.REMINDER, at=NOW + HOUR, reference="head").under == {}
    tell(store, b, at=NOW + HOUR)
    assert tell(store, ended(b, NOW + HOUR), reason=RESOLVED, at=NOW + 2 * HOUR).under == {}
