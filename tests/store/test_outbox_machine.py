"""The outbox in any order of decisions, claims, marks, kills and waits, by two owners."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.alerts.factories import NOW, make_alert
from watcher.alerts.notification import NotifyReason
from watcher.store import outbox
from watcher.store.engine import Store, connect
from watcher.store.outbox import LEASE

from .test_outbox import claim, make_notification, mark, put

RECEIVERS = ("mail", "slack")
ALERTS = [make_alert(name=name) for name in ("a", "b", "c")]


def make_machine(template: Path):
    class Outbox(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.folder = Path(tempfile.mkdtemp())
            shutil.copyfile(template, self.folder / "watcher.db")
            self.stores = [Store(connect(f"sqlite:///{self.folder / 'watcher.db'}")) for _ in range(2)]
            self.now = NOW
            self.decided = []  # notifications, in order
            self.state = {}  # by id: what it must be
            self.holder = {}  # by id: the delivery of whoever claimed it last
            self.claimed = []  # deliveries in some process's hands, their leases living or not

        def teardown(self):
            for store in self.stores:
                store.close()
            shutil.rmtree(self.folder)

        @rule(receiver=st.sampled_from(RECEIVERS), about=st.sets(st.sampled_from(range(3)), min_size=1))
        def decide(self, receiver, about):
            self.now += timedelta(milliseconds=1)
            some = [ALERTS[n] for n in sorted(about)]
            notification = make_notification(*some, receiver=receiver, reason=NotifyReason.REMINDER, at=self.now)
            put(self.stores[0], notification, now=self.now)
            self.decided.append(notification)
            self.state[notification.id] = "pending"

        @rule(who=st.sampled_from([0, 1]), receivers=st.sampled_from([RECEIVERS, ("mail",), ("slack",)]))
        def claim(self, who, receivers):
            for delivery in claim(self.stores[who], str(who), receivers=receivers, now=self.now, per_receiver=2):
                id_ = delivery.notification.id
                held = self.holder.get(id_)
                assert self.state[id_] == "pending"
                assert delivery.due_at <= self.now
                assert held is None or held.lease_until <= self.now
                assert not self.earlier_pending(delivery.notification)
                self.holder[id_] = delivery
                self.claimed.append(delivery)

        def earlier_pending(self, notification):
            about = {told.alert.id for told in notification.alerts}
            earlier = self.decided[: self.decided.index(notification)]
            return [
                other.id
                for other in earlier
                if other.receiver == notification.receiver
                and about & {told.alert.id for told in other.alerts}
                and self.state[other.id] == "pending"
            ]

        @precondition(lambda self: self.claimed)
        @rule(
            pick=st.integers(0, 99), outcome=st.sampled_from(["delivered", "dead", "pending"]), wait=st.integers(0, 60)
        )
        def mark(self, pick, outcome, wait):
            delivery = self.claimed.pop(pick % len(self.claimed))
            id_ = delivery.notification.id
            is_mine = self.holder.get(id_) is delivery and self.state[id_] == "pending"
            due_at = self.now + timedelta(seconds=wait) if outcome == "pending" else None
            assert mark(self.stores[0], delivery, state=outcome, at=self.now, due_at=due_at) is is_mine
            if is_mine:
                self.state[id_] = outcome
                del self.holder[id_]

        @precondition(lambda self: self.claimed)
        @rule(pick=st.integers(0, 99))
        def kill(self, pick):
            self.claimed.pop(pick % len(self.claimed))

        @precondition(lambda self: self.decided)
        @rule(pick=st.integers(0, 99))
        def drop(self, pick):
            id_ = self.decided[pick % len(self.decided)].id
            if self.state[id_] in ("pending", "dead"):
                self.state[id_] = "dropped"
            self.stores[1].write_now(outbox.drop, [id_], now=self.now)

        @rule(seconds=st.sampled_from([1, 10, 30]))
        def wait(self, seconds):
            self.now += timedelta(seconds=seconds)

        @invariant()
        def nothing_is_lost(self):
            states = ("pending", "delivered", "dead", "dropped")
            stored = {d.notification.id: d.state for d in self.stores[0].read_now(outbox.listed, states=states)}
            assert stored == self.state

        @invariant()
        def there_is_a_next_time_while_something_is_pending(self):
            due = self.stores[0].read_now(outbox.next_due, receivers=RECEIVERS)
            assert (due is None) == ("pending" not in self.state.values())
            if due is not None:
                assert due <= self.now + max(LEASE, timedelta(seconds=60))

    return Outbox


def test_the_outbox_keeps_its_promises_in_any_order(sqlite_template):
    run_state_machine_as_test(
        make_machine(sqlite_template),
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
