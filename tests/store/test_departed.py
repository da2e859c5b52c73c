"""What receivers that left were told, and will not hear the end of."""

from tests.alerts.factories import NOW, ended, make_alert
from watcher.rules.finding import FindingKind
from watcher.store import departed

from .test_outbox import make_notification, put


def test_counts_each_condition_that_fires_once_for_each_receiver_that_left(store):
    a, b, over = make_alert(name="a"), make_alert(name="b"), make_alert(name="over")
    event = make_alert("job_failed", name="e", kind=FindingKind.EVENT)
    put(store, make_notification(a, over, event, receiver="old"), make_notification(a, b, receiver="older"))
    put(store, make_notification(a, receiver="old", at=NOW.replace(minute=30)), make_notification(b, receiver="mail"))
    put(store, make_notification(ended(over, NOW), receiver="mail"))
    assert store.read_now(departed.owed, ("mail",)) == {"old": 1, "older": 2}
    assert store.read_now(departed.owed, ("mail", "old", "older")) == {}
