"""The outbox, by hand; `test_outbox_machine.py` tries it in any order."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import event

from tests.alerts.factories import NOW, ended, make_alert
from watcher.alerts.dispatch import told_rows
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason, notification_id
from watcher.alerts.pace import Pace, Rate
from watcher.store import alerts as alert_store
from watcher.store import attempts, claiming, merging, outbox, redelivery, tellings
from watcher.store.attempts import Attempt, Outcome
from watcher.store.outbox import LEASE

SECOND = timedelta(seconds=1)
BOTH = ("mail", "slack")


def make_notification(*alerts, receiver="slack", reason=NotifyReason.FIRING, at=NOW, covers=()):
    told = tuple(NotificationAlert(alert=alert, reason=reason) for alert in alerts)
    return Notification(
        id=notification_id(receiver, told, at),
        receiver=receiver,
        route="route",
        group_key='route:{"rule":"x"}',
        group_labels={"rule": "x"},
        reason=reason,
        alerts=told,
        covers=tuple(covers),
        created_at=at,
    )


def put(store, *notifications, now=NOW):
    """Save the alerts and add the notifications, as dispatch does; returns how many were new."""
    about = {entry.alert.id: entry.alert for n in notifications for entry in n.alerts}
    about |= {alert.id: alert for n in notifications for alert in n.covers}

    def write(tx):
        alert_store.save(tx, about.values())
        return len(outbox.add(tx, [(n, told_rows(n)) for n in notifications], now=now))

    return store.write_now(write)


def claim(store, owner="me", *, receivers=BOTH, now=NOW, **options):
    return store.write_now(claiming.claim, owner, receivers=receivers, now=now, **options)


def mark(store, delivery, *, state="delivered", at=NOW, due_at=None, **more):
    """Record a try; `is_uncertain=True`: it failed, and may have arrived all the same."""
    outcome = {"delivered": "delivered", "pending": "retry", "dead": "dead"}[state]
    attempt = Attempt(
        at=at, duration_s=0.25, outcome=outcome, kind="" if outcome == "delivered" else "timeout", detail="x"
    )
    ended = Outcome(delivery=delivery, attempt=attempt, state=state, due_at=due_at, **more)
    return bool(store.write_now(attempts.mark_all, [ended]))


def ids(deliveries):
    return [delivery.notification.id for delivery in deliveries]


@pytest.fixture
def alert():
    return make_alert()


def test_a_notification_comes_back_as_it_was_decided(store, alert):
    notification = make_notification(alert, make_alert(name="other"))
    assert put(store, notification) == 1
    (delivery,) = claim(store)
    assert delivery.notification == notification
    assert (delivery.state, delivery.attempts, delivery.first_tried_at) == ("pending", 0, None)
    assert store.read_now(outbox.counts) == {"pending": 1}
    assert ids(store.read_now(outbox.of_alert, alert.id)) == [notification.id]


def test_what_is_told_stays_as_it_was_when_the_alert_changes(store, alert):
    put(store, make_notification(alert))
    store.write_now(alert_store.save, [ended(alert, NOW + SECOND)])
    (delivery,) = claim(store)
    assert delivery.notification.alerts[0].alert == alert


def test_the_same_decision_twice_is_one_row(store, alert):
    assert put(store, make_notification(alert)) == 1
    assert put(store, make_notification(alert)) == 0
    assert len(store.read_now(tellings.of_alert, alert.id)) == 1


def test_two_owners_claim_disjoint_deliveries(store, open_store):
    put(store, *(make_notification(make_alert(name=f"d{n}")) for n in range(6)))
    first, second = claim(store, "one", at_most=4), claim(open_store(), "two")
    assert (len(first), len(second)) == (4, 2)
    assert not set(ids(first)) & set(ids(second))
    assert claim(store, "three") == ()


def test_owners_that_claim_at_the_same_time_claim_disjoint_deliveries(store, open_store):
    put(store, *(make_notification(make_alert(name=f"d{n}")) for n in range(12)))
    stores, barrier, claimed = [open_store() for _ in range(3)], threading.Barrier(3), []

    def run(owner):
        barrier.wait()
        for _ in range(4):
            claimed.extend(ids(claim(owner, str(id(owner)), at_most=2)))

    threads = [threading.Thread(target=run, args=(owner,)) for owner in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed))
    claimed += ids(claim(store, at_most=12))  # whoever met a locked row left it to others
    assert len(claimed) == len(set(claimed)) == 12


def test_a_lease_ends_and_whoever_lost_it_marks_nothing(store, alert):
    put(store, make_notification(alert))
    (mine,) = claim(store, "one")
    assert claim(store, "two", now=NOW + LEASE - SECOND) == ()
    (theirs,) = claim(store, "two", now=NOW + LEASE)
    assert theirs.fence > mine.fence
    assert mark(store, mine, state="dead") is False
    assert store.write_now(outbox.renew_all, [mine], now=NOW + LEASE) == ()
    (delivery,) = store.read_now(outbox.listed)
    assert (delivery.state, delivery.attempts, delivery.lease_until) == ("pending", 0, NOW + LEASE + LEASE)
    assert mark(store, theirs) is True
    assert store.read_now(outbox.counts) == {"delivered": 1}


def test_a_renewed_lease_holds_for_as_long_again(store, alert):
    put(store, make_notification(alert))
    (mine,) = claim(store)
    (renewed,) = store.write_now(outbox.renew_all, [mine], now=NOW + 20 * SECOND)
    assert renewed.lease_until == NOW + 20 * SECOND + LEASE
    assert claim(store, "two", now=NOW + LEASE) == ()
    assert len(claim(store, "two", now=NOW + 20 * SECOND + LEASE)) == 1


def test_a_lease_on_what_was_dropped_is_lost(store, alert):
    """An operator gave it up while those before it were being sent: it is not sent any more."""
    put(store, make_notification(alert))
    (mine,) = claim(store)
    store.write_now(redelivery.drop, ids([mine]), now=NOW)
    assert store.write_now(outbox.renew_all, [mine], now=NOW) == ()
    assert mark(store, mine) is False
    assert store.read_now(outbox.counts) == {"dropped": 1}


def test_news_of_one_alert_reach_a_receiver_in_order_and_hold_up_no_other(store, alert):
    over = ended(alert, NOW + SECOND)
    first = {r: make_notification(alert, receiver=r) for r in BOTH}
    second = {r: make_notification(over, receiver=r, reason=NotifyReason.RESOLVED, at=NOW + SECOND) for r in BOTH}
    other = make_notification(make_alert(name="other"))
    put(store, *first.values(), other)
    claimed = {delivery.notification.id: delivery for delivery in claim(store)}
    put(store, *second.values())
    assert set(claimed) == {first["mail"].id, first["slack"].id, other.id}
    mark(store, claimed[first["mail"].id])
    # It may have arrived: so it stays what it was, and what comes after it waits.
    mark(store, claimed[first["slack"].id], state="pending", due_at=NOW + 10 * SECOND, is_uncertain=True)
    assert ids(claim(store)) == [second["mail"].id]
    (again,) = claim(store, now=NOW + 10 * SECOND)
    assert again.notification.id == first["slack"].id
    assert (again.attempts, again.first_tried_at, again.last_error) == (1, NOW, "x")
    mark(store, again, state="dead")
    assert ids(claim(store, now=NOW + 10 * SECOND)) == [second["slack"].id]


def test_news_that_stand_for_a_resolve_do_not_overtake_what_they_resolve(store, alert):
    """Told last that it will be deleted, a receiver that knew it as gone would believe in it again."""
    gone = make_alert("deployment_gone", at=NOW + SECOND)
    put(store, make_notification(alert))
    (first,) = claim(store)
    mark(store, first, state="pending", due_at=NOW + 60 * SECOND, is_uncertain=True)
    over = ended(alert, NOW + SECOND)
    put(store, make_notification(gone, covers=[over], at=NOW + SECOND))
    assert claim(store, now=NOW + SECOND) == ()
    (again,) = claim(store, now=NOW + 60 * SECOND)
    mark(store, again)
    assert [d.notification.alerts[0].alert.id for d in claim(store, now=NOW + 60 * SECOND)] == [gone.id]


def test_next_due_is_when_something_can_be_tried(store, alert):
    def due():
        return store.read_now(claiming.next_due, receivers=BOTH)

    assert due() is None
    put(store, make_notification(alert), now=NOW + SECOND)
    assert due() == NOW + SECOND
    put(store, make_notification(ended(alert, NOW), reason=NotifyReason.RESOLVED, at=NOW + SECOND))
    assert due() == NOW + SECOND  # the second waits for the first
    assert store.read_now(claiming.next_due, receivers=("mail",)) is None
    assert store.read_now(claiming.next_due, receivers=()) is None
    (delivery,) = claim(store, now=NOW + SECOND)
    assert due() == NOW + SECOND + LEASE
    mark(store, delivery, state="pending", due_at=NOW + 90 * SECOND)
    assert due() == NOW + 90 * SECOND


def test_a_receiver_that_is_not_configured_keeps_its_deliveries(store, alert):
    put(store, make_notification(alert, receiver="gone"))
    assert claim(store) == ()
    assert len(claim(store, receivers=("gone",))) == 1


def test_retry_makes_the_dead_due_again_with_a_fresh_budget(store, alert):
    notification = make_notification(alert)
    put(store, notification)
    (delivery,) = claim(store)
    mark(store, delivery, state="dead")
    later = NOW + timedelta(days=4)
    assert store.write_now(redelivery.retry, [notification.id], now=later) == 1
    (again,) = claim(store, now=later)
    assert (again.state, again.first_tried_at, again.ended_at) == ("pending", None, None)
    mark(store, again, at=later)
    assert store.write_now(redelivery.retry, [notification.id], now=later) == 0  # delivered is delivered
    (done,) = store.read_now(outbox.listed, states=("delivered",))
    assert (done.ended_at, done.last_error) == (later, "")


def test_drop_gives_up_for_good(store, alert):
    notification = make_notification(alert)
    put(store, notification)
    assert store.write_now(redelivery.drop, [notification.id], now=NOW) == 1
    assert store.write_now(redelivery.drop, [notification.id], now=NOW) == 0
    assert store.write_now(redelivery.retry, [notification.id], now=NOW) == 0
    assert claim(store) == ()


def test_groups_remember_when_each_was_last_told(store, alert):
    put(store, make_notification(alert))
    put(store, make_notification(alert, at=NOW + SECOND), make_notification(alert, receiver="mail"))
    key = 'route:{"rule":"x"}'
    assert store.read_now(outbox.groups, since=NOW) == {("slack", key): NOW + SECOND, ("mail", key): NOW}
    assert store.read_now(outbox.groups, since=NOW + SECOND) == {("slack", key): NOW + SECOND}
    assert store.read_now(outbox.groups, since=NOW + 2 * SECOND) == {}


# What a retry may say


def test_a_retry_does_not_deny_what_was_told_after_it(store, alert):
    """A fire that died is not told once its end was: the incident would stay open for ever."""
    fire = make_notification(alert)
    put(store, fire)
    mark(store, *claim(store), state="dead")
    over = make_notification(ended(alert, NOW + SECOND), reason=NotifyReason.RESOLVED, at=NOW + SECOND)
    put(store, over)
    mark(store, *claim(store))
    assert store.write_now(redelivery.retry, [fire.id], now=NOW) == 0
    assert claim(store) == ()
    (stale,) = store.read_now(outbox.listed, ids=[fire.id])
    assert (stale.state, stale.merged_into, stale.last_error) == ("merged", over.id, "later news was told")


def test_a_retry_tells_what_is_still_news_and_events_always(store, alert):
    event, other = make_alert("job_failed", name="job"), make_alert(name="other")
    whole, elsewhere = make_notification(alert, event, other), make_notification(alert, receiver="mail")
    put(store, whole, elsewhere)
    for delivery in claim(store):
        mark(store, delivery, state="dead")
    put(store, make_notification(ended(alert, NOW), reason=NotifyReason.RESOLVED, at=NOW + SECOND))
    mark(store, *claim(store))
    assert store.write_now(redelivery.retry, [whole.id, elsewhere.id], now=NOW) == 2
    again = {one.notification.receiver: one.notification for one in claim(store)}
    assert [entry.alert.id for entry in again["slack"].alerts] == [event.id, other.id]
    assert again["slack"].notes == ("1 left out: later news was told",)
    assert again["mail"] == elsewhere, "nobody told them anything since"


@pytest.mark.parametrize(
    ("fate", "is_untold"),
    [("dead", True), ("dropped", True), ("delivered", False), ("uncertain", False), ("claimed", False)],
)
def test_an_end_says_whether_its_beginning_was_ever_told(store, alert, fate, is_untold):
    fire = make_notification(alert)
    put(store, fire)
    if fate != "dropped":
        (mine,) = claim(store)
    if fate in ("dead", "delivered"):
        mark(store, mine, state=fate)
    elif fate == "uncertain":
        mark(store, mine, state="dead", is_uncertain=True)
    else:  # "claimed": whoever held it was killed, and it was dropped then
        store.write_now(redelivery.drop, [fire.id], now=NOW)
    put(store, make_notification(ended(alert, NOW + SECOND), reason=NotifyReason.RESOLVED, at=NOW + SECOND))
    (end,) = claim(store, now=NOW + 2 * LEASE)
    assert [entry.was_untold for entry in end.notification.alerts] == [is_untold]


# Clocks that are set back


def test_leases_and_waits_from_a_clock_that_was_ahead_are_over(store, alert):
    ahead = NOW + timedelta(days=1)
    put(store, make_notification(alert), now=ahead)
    assert len(claim(store, now=ahead)) == 1
    assert len(claim(store, "other", now=NOW)) == 1
    waits, own = make_notification(make_alert(name="other")), NOW + timedelta(hours=7)
    put(store, waits, now=own)
    assert claim(store, now=NOW) == (), "as long as a wait can be, it is one"


def test_a_lease_by_a_clock_a_little_ahead_holds(store, alert):
    put(store, make_notification(alert))
    assert len(claim(store, now=NOW + 20 * SECOND)) == 1
    assert claim(store, "other", now=NOW) == ()


# What is asked of the outbox


def test_ids_are_found_by_their_beginnings(store):
    notifications = [make_notification(make_alert(name=f"d{n}")) for n in range(40)]
    put(store, *notifications)
    known = [n.id for n in notifications]
    beginning = known[3][:7]
    assert store.read_now(outbox.ids_like, [beginning]) == tuple(id_ for id_ in known if id_.startswith(beginning))
    assert store.read_now(outbox.ids_like, ["", "ntf%", "NTF_", "nope"]) == ()
    assert store.read_now(outbox.ids_like, ["ntf_"]) == tuple(known)


def test_what_is_undelivered_is_counted_and_listed_without_the_rest(store):
    put(store, *(make_notification(make_alert(name=f"d{n}")) for n in range(4)))
    first, second, *_ = claim(store)
    mark(store, first)
    mark(store, second, state="dead")
    assert store.read_now(outbox.undelivered) == {"pending": 2, "dead": 1}
    assert [one.state for one in store.read_now(outbox.listed)] == ["dead", "pending", "pending"]
    asked = []
    with store.engine.connect() as tx, tx.begin():
        event.listen(tx, "before_cursor_execute", lambda _c, _k, sql, args, *_: asked.append((sql, args)))
        outbox.undelivered(tx)
        outbox.listed(tx)
        selects = [(sql, args) for sql, args in asked if sql.startswith("SELECT")]
        assert len(selects) == 4
        if tx.dialect.name == "sqlite":  # PostgreSQL reads so few rows without any index
            plans = [tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", args).all() for sql, args in selects]
            assert all("ix_notifications_" in row[3] for plan in plans for row in plan)


def test_many_waits_are_merged_a_part_at_a_time(store):
    """Nobody else writes while they are; what is left for later is not told in two messages meanwhile."""
    some = [make_alert(name=f"d{n}") for n in range(merging.MOST_MERGED + 20)]
    put(store, *(make_notification(one) for one in some))
    put(store, *(make_notification(ended(one, NOW), reason=NotifyReason.RESOLVED, at=NOW + SECOND) for one in some))
    told = []
    while claimed := claim(store, at_most=1000):
        told += [entry for one in claimed for entry in one.notification.alerts]
        for delivery in claimed:
            mark(store, delivery)
    assert sorted(entry.alert.id for entry in told) == sorted(one.id for one in some)
    assert all(entry.was_untold for entry in told)
    assert store.read_now(outbox.counts) == {"delivered": len(some), "merged": 2 * len(some)}


def test_what_failed_often_alone_takes_no_others_down_with_it(store):
    """More waits than the rate allows, and goes as one message: all but the one that may be at fault itself."""
    bad, *others = (make_notification(make_alert(name=f"d{n}")) for n in range(4))
    put(store, bad)
    for _ in range(3):
        (tried,) = claim(store, heedless=True)
        mark(store, tried, state="pending", due_at=NOW)
    put(store, *others)
    claimed = claim(store, paces={"slack": Pace(rate=Rate(messages=2, per=timedelta(hours=1)))}, heedless=True)
    assert [{entry.alert.id for entry in one.notification.alerts} for one in claimed] == [
        {entry.alert.id for entry in bad.alerts},
        {entry.alert.id for one in others for entry in one.alerts},
    ]
