"""Alerts as they are stored, found and looked at again."""

from dataclasses import replace

import pytest

from tests.alerts.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    ended,
    make_alert,
    make_subject,
    raised,
)
from watcher.errors import DatabaseUnavailableError
from watcher.rules.finding import Severity
from watcher.store import alerts, operators, tellings

from .test_outbox import make_notification, put


def save(store, *changed):
    store.write_now(alerts.save, changed)


def test_an_alert_comes_back_as_it_was_saved(store):
    alert = replace(
        make_alert(
            first_sight=True,
            values={"price": 1.7, "count": 3, "at": "2026-11-22T08:00:00Z", "none": None},
            links={"portal": "https://portal"},
            description="søk\n搜索",
            step="3d",
            occurred_at=NOW - DAY,
        ),
        unverified_since=NOW - HOUR,
        unverified_because="no answer came",
        acked_at=NOW,
        acked_by="operator",
    )
    save(store, alert)
    assert store.read_now(alerts.firing, ACCOUNT) == (alert,)
    assert store.read_now(alerts.find, alert.id) == alert


def test_saving_again_updates_and_keeps_the_acknowledgement(store):
    """A poll that loaded the alert before somebody acknowledged it must not take that back."""
    alert = make_alert()
    save(store, alert)
    store.write_now(operators.acknowledge, alert, author="operator", comment="on it", now=NOW)
    save(store, raised(alert, NOW + HOUR, severity=Severity.CRITICAL))
    (found,) = store.read_now(alerts.firing, ACCOUNT)
    assert (found.severity, found.acked_by, found.acked_at) == (Severity.CRITICAL, "operator", NOW)
    (entry,) = store.read_now(operators.audit, subject=alert.id)
    assert (entry.author, entry.action, entry.comment, entry.at) == ("operator", "ack", "on it", NOW)


def test_one_fingerprint_is_open_once(store, open_store):
    """Whatever else fails to keep two processes apart."""
    save(store, make_alert())
    with pytest.raises(DatabaseUnavailableError, match="refused"):
        save(open_store(), make_alert(at=NOW + HOUR))
    assert len(store.read_now(alerts.firing, ACCOUNT)) == 1


def test_two_transactions_that_open_the_same_alert_at_the_same_time_open_one(store, open_store):
    save(store, make_alert())
    save(open_store(), make_alert())
    assert len(store.read_now(alerts.firing, ACCOUNT)) == 1


def test_what_ended_may_fire_again_as_another_alert(store):
    first = make_alert()
    second = make_alert(at=NOW + DAY)
    save(store, first)
    save(store, ended(first, NOW + HOUR))
    save(store, second)
    assert store.read_now(alerts.firing, ACCOUNT) == (second,)
    assert store.read_now(alerts.listed) == (second, ended(first, NOW + HOUR))
    assert store.read_now(alerts.listed, firing_only=True) == (second,)
    assert store.read_now(alerts.listed, since=NOW + 2 * HOUR) == (second,)
    assert store.read_now(alerts.counts) == {("deployment_failed", "warning"): 1}


def test_events_are_neither_firing_nor_forgotten(store):
    event, condition = make_alert("job_failed"), make_alert()
    save(store, event, condition)
    assert store.read_now(alerts.firing, ACCOUNT) == (condition,)
    prints = {event.fingerprint, condition.fingerprint, "unknown"}
    assert store.read_now(alerts.recorded_events, prints) == {event.fingerprint}
    assert store.read_now(alerts.recorded_events, set()) == set()


def test_dispatch_looks_at_what_is_unsettled_and_again_at_what_changes(store):
    one, other = make_alert(), make_alert(name="other", at=NOW + HOUR)
    save(store, other, one)
    assert store.read_now(alerts.unsettled) == (one, other)
    store.write_now(alerts.settle, [one.id, other.id])
    store.write_now(alerts.settle, [])
    assert store.read_now(alerts.unsettled) == ()
    save(store, ended(one, NOW + HOUR))
    assert store.read_now(alerts.unsettled) == (ended(one, NOW + HOUR),)


def test_more_alerts_than_a_statement_takes_parameters(store):
    some = [make_alert(name=f"d{n}") for n in range(1200)]
    save(store, *some)
    assert len(store.read_now(alerts.unsettled)) == 1200
    put(store, make_notification(*some))
    assert len(store.read_now(tellings.newest, {alert.id for alert in some})) == 1200


def test_an_alert_is_found_by_the_beginning_of_its_id_or_fingerprint(store):
    old, new, other = make_alert(), make_alert(at=NOW + DAY), make_alert(name="other")
    save(store, ended(old, NOW + HOUR), new, other)
    assert store.read_now(alerts.find, new.id[:12]) == new
    assert store.read_now(alerts.find, new.fingerprint[:10]) == new
    for ambiguous in ("alr_", "alr%", "alr\\", "_", "nothing"):
        assert store.read_now(alerts.find, ambiguous) is None


def test_a_deployments_alerts_are_listed_newest_first(store):
    old, new = make_alert(), make_alert("deployment_idle", at=NOW + DAY)
    save(store, old, new, make_alert(name="other", subject=make_subject("other", incarnation="life-9")))
    assert store.read_now(alerts.of_subject, ACCOUNT, "life-1") == (new, old)
