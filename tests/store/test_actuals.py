"""What Azure billed, as it is kept."""

from datetime import date, timedelta
from decimal import Decimal

from tests.factories import DAY, HOUR, NOW
from watcher.resources.price import Actual, BilledSpan
from watcher.store import actuals, retention

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TODAY = NOW.date()
ONE_DAY = timedelta(days=1)


def line(day=TODAY - ONE_DAY, cost="40.8", **more):
    given = {"account": "/a", "meter": "m", "day": day, "cost": Decimal(cost), "currency": "USD"}
    return Actual(**(given | more))


def save(store, *lines, since=TODAY - 20 * ONE_DAY, until=TODAY, now=NOW, subscription=SUBSCRIPTION):
    store.write_now(actuals.claim, subscription, now=now)
    store.write_now(actuals.save, subscription, lines, since=since, until=until, now=now)


def load(store, since=TODAY - 400 * ONE_DAY, until=TODAY + 400 * ONE_DAY):
    return store.read_now(actuals.load, since=since, until=until)


def test_a_bill_comes_back_as_it_was(store):
    lines = (
        line(TODAY - 2 * ONE_DAY, "-0.000000000001"),
        line(),
        line(currency="EUR"),
        line(account="/b", meter="nul \x01"),
    )
    save(store, *lines, subscription=SUBSCRIPTION.upper())
    found = load(store)
    assert sorted(found.lines, key=repr) == sorted(lines, key=repr)
    assert found.spans == {SUBSCRIPTION: BilledSpan(since=TODAY - 20 * ONE_DAY, until=TODAY, read_at=NOW)}
    assert [one.day for one in load(store, since=TODAY - ONE_DAY, until=TODAY).lines] == [TODAY - ONE_DAY] * 3
    assert load(store, since=TODAY, until=TODAY + ONE_DAY).lines == ()


def test_days_that_are_read_again_are_replaced_and_earlier_ones_stay(store):
    old = TODAY - 30 * ONE_DAY
    save(store, line(old, "1"), line(TODAY - 5 * ONE_DAY, "2"), since=old, until=TODAY - 4 * ONE_DAY)
    save(store, line(TODAY - 5 * ONE_DAY, "3"), since=TODAY - 10 * ONE_DAY)
    save(store, line(TODAY - ONE_DAY, "9"), subscription="other")
    found = load(store)
    assert [(one.day, one.cost) for one in found.lines] == [
        (old, Decimal(1)),
        (TODAY - 5 * ONE_DAY, Decimal(3)),
        (TODAY - ONE_DAY, Decimal(9)),
    ]
    assert (found.spans[SUBSCRIPTION].since, found.spans[SUBSCRIPTION].until) == (old, TODAY)


def test_a_hole_between_two_readings_is_not_taken_for_known(store):
    save(store, since=date(2026, 8, 1), until=date(2026, 9, 1))
    save(store, since=date(2026, 10, 1), until=TODAY)
    assert load(store).spans[SUBSCRIPTION].since == date(2026, 10, 1)


def test_it_is_claimed_once_a_day_whatever_came_of_it(store):
    def claim(now):
        return store.write_now(actuals.claim, SUBSCRIPTION, now=now)

    assert [claim(NOW), claim(NOW), claim(NOW + 23 * HOUR), claim(NOW + DAY), claim(NOW + DAY)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert claim(NOW - DAY)  # the clock was set back
    assert load(store).spans == {}


def test_old_days_are_let_go_of(store):
    save(store, line(TODAY - 9 * ONE_DAY), line(TODAY - ONE_DAY))
    assert store.write_now(retention.prune, before=NOW - 5 * DAY).actuals == 1
    found = load(store)
    assert [one.day for one in found.lines] == [TODAY - ONE_DAY]
    assert found.spans[SUBSCRIPTION].since == TODAY - 5 * ONE_DAY
    store.write_now(retention.prune, before=NOW + 5 * DAY)
    assert load(store).lines == ()
    assert load(store).spans == {}
