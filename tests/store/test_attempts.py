"""Tries on record; `test_outbox.py` and `test_outbox_machine.py` tell what becomes of deliveries by them."""

from tests.alerts.factories import NOW, make_alert
from watcher.store import attempts
from watcher.store.outbox import LEASE

from .test_outbox import SECOND, claim, make_notification, mark, put


def test_both_tries_at_one_delivery_are_on_record(store):
    notification = make_notification(make_alert())
    put(store, notification)
    (mine,) = claim(store, "one")
    (theirs,) = claim(store, "two", now=NOW + LEASE)
    mark(store, theirs, at=NOW + LEASE)
    mark(store, mine, state="pending", at=NOW + LEASE + SECOND, due_at=NOW)
    tries = store.read_now(attempts.of, notification.id)
    assert [attempt.outcome for attempt in tries] == ["delivered", "retry"]
    assert tries[0].duration_s == 0.25
