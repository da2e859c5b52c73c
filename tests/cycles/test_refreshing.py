"""A refresh beside another process that tells of an end."""

from tests.alerts.factories import HOUR, MINUTE, NOW, ended, make_alert
from tests.store.test_outbox import make_notification, put
from watcher import cycles
from watcher.notify.notifier import RetryPolicy
from watcher.store import alerts


class Slow:
    """While it says what fires, another process records and tells that it is over."""

    type, name, refresh_every = "memory", "hook", MINUTE

    def __init__(self, store, over):
        self.store, self.over, self.said = store, over, []

    async def refresh(self, told, *, now):
        self.said.append([(alert.id, alert.status.value) for alert in told])
        self.store.write_now(alerts.save, [self.over])


async def test_what_ended_while_it_was_said_to_fire_is_said_to_have_ended(store, clock):
    one, other = make_alert(name="one"), make_alert(name="other")
    put(store, make_notification(one, other, receiver="hook"))
    slow = Slow(store, ended(one, NOW + HOUR))
    await cycles.refresh({"hook": slow}, policy=RetryPolicy(), store=store, clock=clock, wall_clock=clock)
    first, second = slow.said
    assert sorted(first) == sorted([(one.id, "firing"), (other.id, "firing")])
    assert second == [(one.id, "resolved")]
