"""The outbox in any order of decisions, claims, failures, kills and waits, by two owners; merging and fallback too.

What must hold: nothing is lost, each alert's news reach a receiver in order and once, and a merged message says the
newest of what it stands for.
"""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.alerts.factories import NOW, ended, make_alert, make_routing
from watcher.alerts.alert import AlertStatus
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, notification_id, reason_of
from watcher.alerts.pace import Pace, Rate
from watcher.cycles.settling import Sent, settle
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt, RetryPolicy
from watcher.store import channels, claiming, outbox, redelivery
from watcher.store.engine import Store, connect

from .test_outbox import put

#: What dies at "mail" is told to "pager"; nothing else is told there.
RECEIVERS = ("mail", "pager", "slack")
ROUTING = make_routing(receiver="mail", fallback=("pager",))
PACES = {"slack": Pace(rate=Rate(messages=2, per=timedelta(seconds=20)))}
STATES = ("pending", "delivered", "dead", "dropped", "merged")
FAILURES = {
    "lost": DeliveryError("no answer", permanent=False, kind="timeout", maybe_delivered=True),
    "failed": DeliveryError("503", permanent=False, kind="server"),
    "refused": DeliveryError("400", permanent=True, kind="bad_request"),
    "delivered": None,
}


def make_machine(template: Path):
    class Outbox(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.folder = Path(tempfile.mkdtemp())
            shutil.copyfile(template, self.folder / "watcher.db")
            self.stores = [Store(connect(f"sqlite:///{self.folder / 'watcher.db'}")) for _ in range(2)]
            self.now = NOW
            self.order = []  # ids, in the order of their decisions
            self.notifications = {}  # by id
            self.state = {}  # by id: what it must be
            self.holder = {}  # by id: the delivery of whoever claimed it last
            self.claimed = []  # deliveries in some process's hands, their leases living or not
            self.sent = set()  # ids that may have reached the receiver
            self.lives = {}  # by receiver and number: the alert that fires there
            self.births = 0
            self.stories = {}  # by receiver and alert id: the entries that were taken, in order
            self.broken = set()  # receiver and alert id: of which something was given up

        def teardown(self):
            try:
                self.finish()
            finally:
                for store in self.stores:
                    store.close()
                shutil.rmtree(self.folder)

        # What may happen

        @rule(
            receiver=st.sampled_from(("mail", "slack")),
            about=st.sets(st.sampled_from(range(2)), min_size=1),
            ends=st.booleans(),
        )
        def decide(self, receiver, about, ends):
            self.now += timedelta(milliseconds=1)
            entries = []
            for number in sorted(about):
                alert = self.lives.get((receiver, number))
                if alert is None:
                    self.births += 1
                    alert = make_alert(name=f"d{number}-{self.births}", at=self.now)
                    entries.append(NotificationAlert(alert=alert, reason=NotifyReason.FIRING))
                elif ends:
                    alert = ended(alert, self.now)
                    entries.append(NotificationAlert(alert=alert, reason=NotifyReason.RESOLVED))
                else:
                    entries.append(NotificationAlert(alert=alert, reason=NotifyReason.REMINDER))
                self.lives[receiver, number] = alert if alert.status is AlertStatus.FIRING else None
            notification = Notification(
                id=notification_id(receiver, entries, self.now),
                receiver=receiver,
                route="route",
                group_key="route",
                group_labels={},
                reason=reason_of([entry.reason for entry in entries]),
                alerts=tuple(entries),
                created_at=self.now,
            )
            put(self.stores[0], notification, now=self.now)
            self.know(notification)

        def know(self, notification):
            self.order.append(notification.id)
            self.notifications[notification.id] = notification
            self.state[notification.id] = "pending"

        @rule(who=st.sampled_from([0, 1]), receivers=st.sampled_from([RECEIVERS, ("mail",), ("slack",), ("pager",)]))
        def claim(self, who, receivers):
            store = self.stores[who]
            due = store.read_now(claiming.next_due, receivers=receivers, paces=PACES)
            before = store.read_now(channels.of, receivers)
            claimed = self.claim_now(store, receivers)
            after = store.read_now(claiming.next_due, receivers=receivers, paces=PACES)
            assert claimed or due is None or due > self.now or after > self.now, "no busy loop"
            for name in receivers:
                mine = [one for one in claimed if one.notification.receiver == name]
                channel = before.get(name)
                if channel is not None and channel.retry_at is not None:
                    assert len(mine) <= (channel.retry_at <= self.now), "one at its time, and none before"
                if name == "slack":
                    assert len(mine) <= 2

        def claim_now(self, store, receivers):
            claimed = store.write_now(claiming.claim, "x", receivers=receivers, now=self.now, paces=PACES, at_most=2)
            self.learn_of_merging()
            for delivery in claimed:
                id_ = delivery.notification.id
                held = self.holder.get(id_)
                assert self.state[id_] == "pending"
                assert delivery.due_at <= self.now
                assert held is None or held.lease_until <= self.now
                assert not self.earlier_pending(delivery.notification)
                self.holder[id_] = delivery
                self.claimed.append(delivery)
                self.sent.add(id_)
            return claimed

        def learn_of_merging(self):
            rows = self.rows()
            fresh = [row for row in rows.values() if row.notification.id not in self.state]
            for row in sorted(fresh, key=lambda row: row.sequence):
                parts = [one for one in rows.values() if one.merged_into == row.notification.id]
                assert len(parts) > 1
                said = {entry.alert.id: entry for entry in row.notification.alerts}
                for part in sorted(parts, key=lambda part: part.sequence):
                    assert self.state.get(part.notification.id, "pending") == "pending"
                    assert part.notification.id not in self.sent, "what may have arrived stays what it is"
                    self.state[part.notification.id] = "merged"
                    newest = {entry.alert.id: entry.alert for entry in part.notification.alerts}
                assert all(said[id_].alert == alert for id_, alert in newest.items())
                assert said.keys() == {e.alert.id for part in parts for e in part.notification.alerts}
                self.know(row.notification)

        def rows(self):
            return {row.notification.id: row for row in self.stores[0].read_now(outbox.listed, states=STATES)}

        def earlier_pending(self, notification):
            about = {told.alert.id for told in notification.alerts}
            return [
                id_
                for id_ in self.order[: self.order.index(notification.id)]
                if (other := self.notifications[id_]).receiver == notification.receiver
                and about & {told.alert.id for told in other.alerts}
                and self.state[id_] == "pending"
            ]

        @precondition(lambda self: self.claimed)
        @rule(pick=st.integers(0, 99), outcome=st.sampled_from(sorted(FAILURES)))
        def settle(self, pick, outcome):
            self.settle_now(self.claimed.pop(pick % len(self.claimed)), outcome)

        def settle_now(self, delivery, outcome):
            id_, notification = delivery.notification.id, delivery.notification
            is_mine = self.holder.get(id_) is delivery and self.state[id_] == "pending"
            receipt = Receipt("ok") if outcome == "delivered" else None
            sent = Sent(delivery=delivery, at=self.now, duration_s=0.1, receipt=receipt, failure=FAILURES[outcome])
            settled = self.stores[0].write_now(
                settle,
                [sent],
                receiver=notification.receiver,
                unsent=(),
                policy=RetryPolicy(),
                routing=ROUTING,
                heedless=False,
                now=self.now,
                wall_now=self.now,
            )
            assert bool(settled.instead) <= (is_mine and notification.receiver == "mail" and outcome == "refused")
            for instead in settled.instead:
                self.know(instead)
            if outcome == "delivered":
                self.take(notification, id_)
            if is_mine:
                self.state[id_] = {"delivered": "delivered", "refused": "dead"}.get(outcome, "pending")
                del self.holder[id_]
                if (
                    outcome in ("failed", "refused")
                    and delivery.fence == delivery.attempts + 1
                    and not delivery.is_uncertain
                ):
                    self.sent.discard(id_)
                if outcome == "refused":
                    self.give_up(notification)

        def take(self, notification, id_):
            """The receiver drops what it has seen under the same id."""
            for entry in notification.alerts:
                story = self.stories.setdefault((notification.receiver, entry.alert.id), [])
                if all(told != id_ for told, _ in story):
                    story.append((id_, entry))

        def give_up(self, notification):
            self.broken |= {(notification.receiver, entry.alert.id) for entry in notification.alerts}

        @precondition(lambda self: self.claimed)
        @rule(pick=st.integers(0, 99))
        def kill(self, pick):
            self.claimed.pop(pick % len(self.claimed))

        @precondition(lambda self: self.order)
        @rule(pick=st.integers(0, 99))
        def drop(self, pick):
            id_ = self.order[pick % len(self.order)]
            if self.state[id_] in ("pending", "dead"):
                self.state[id_] = "dropped"
                self.give_up(self.notifications[id_])
            self.stores[1].write_now(redelivery.drop, [id_], now=self.now)

        @precondition(lambda self: "dead" in self.state.values())
        @rule()
        def retry(self):
            dead = [id_ for id_, state in self.state.items() if state == "dead"]
            count = self.stores[1].write_now(redelivery.retry, dead, now=self.now)
            rows = self.rows()
            for id_ in dead:
                before, after = self.notifications[id_], rows[id_].notification
                old = {entry.alert.id for entry in before.alerts if self.is_told_later(before, entry.alert.id)}
                news = tuple(entry for entry in before.alerts if entry.alert.id not in old)
                self.state[id_] = "pending" if news else "merged"
                if news:
                    assert after.alerts == news, "what is older than the newest word stays untold"
                    self.notifications[id_] = after
            assert count == sum(self.state[id_] == "pending" for id_ in dead)

        def is_told_later(self, notification, alert_id):
            return any(
                alert_id in {entry.alert.id for entry in other.alerts}
                for id_ in self.order[self.order.index(notification.id) + 1 :]
                if (other := self.notifications[id_]).receiver == notification.receiver
            )

        @rule(seconds=st.sampled_from([12, 30, 300]))
        def wait(self, seconds):
            self.now += timedelta(seconds=seconds)

        # What must hold

        @invariant()
        def nothing_is_lost(self):
            assert {id_: row.state for id_, row in self.rows().items()} == self.state

        @invariant()
        def there_is_a_next_time_while_something_is_pending(self):
            due = self.stores[0].read_now(claiming.next_due, receivers=RECEIVERS, paces=PACES)
            assert (due is None) == ("pending" not in self.state.values())
            assert due is None or due <= self.now + timedelta(hours=2)

        @invariant()
        def each_story_is_faithful(self):
            for key, story in self.stories.items():
                reasons = [entry.reason for _, entry in story]
                first = story[0][1]
                if key in self.broken:
                    knows = [entry.reason is not NotifyReason.RESOLVED or entry.was_untold for _, entry in story]
                    assert knows[0] or self.may_have_heard(key, story[0][0]), "it never heard that it fired"
                    assert NotifyReason.RESOLVED not in reasons[:-1], "nothing after its end"
                    continue
                assert first.reason is NotifyReason.FIRING or first.was_untold, "no resolve without its fire"
                assert NotifyReason.FIRING not in reasons[1:], "told once"
                assert NotifyReason.RESOLVED not in reasons[:-1], "and nothing after its end"

        def may_have_heard(self, key, before):
            """Whether what came before may have arrived, for all that is on record."""
            receiver, alert_id = key
            return any(
                alert_id in {entry.alert.id for entry in other.alerts} and id_ in self.sent
                for id_ in self.order[: self.order.index(before)]
                if (other := self.notifications[id_]).receiver == receiver
            )

        def finish(self):
            """Once everything works, all that was decided arrives."""
            for _ in range(200):
                self.now += timedelta(hours=1)
                for delivery in self.claim_now(self.stores[0], RECEIVERS):
                    self.settle_now(delivery, "delivered")
                self.claimed.clear()
                self.nothing_is_lost()
                self.each_story_is_faithful()
                if "pending" not in self.state.values():
                    return
            raise AssertionError(f"still waiting: {self.state}")

    return Outbox


def test_the_outbox_keeps_its_promises_in_any_order(sqlite_template):
    run_state_machine_as_test(
        make_machine(sqlite_template),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
