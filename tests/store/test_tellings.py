"""Who was told of what."""

from tests.alerts.factories import (
    ACCOUNT,
    NOW,
    ended,
    make_alert,
    make_subject,
    raised,
)
from watcher.alerts.alert import AlertStatus
from watcher.rules.finding import Severity
from watcher.store import tellings

from .test_outbox import make_notification, put


def test_what_a_receiver_knows_is_what_it_was_told_last(store):
    alert = make_alert()
    later = raised(alert, NOW, severity=Severity.CRITICAL)
    put(store, make_notification(alert), make_notification(alert, receiver="mail"))
    put(store, make_notification(later, at=NOW))  # in the same instant: the order of decisions counts
    told = {row.receiver: row.severity for row in store.read_now(tellings.newest, {alert.id})}
    assert told == {"slack": Severity.CRITICAL, "mail": Severity.WARNING}
    assert len(store.read_now(tellings.of_alert, alert.id)) == 3
    assert store.read_now(tellings.newest, set()) == ()


def test_a_resolve_that_another_notification_stands_for_is_told(store):
    alert, gone = make_alert("deployment_idle"), make_alert("deployment_gone")
    put(store, make_notification(gone, covers=[ended(alert, NOW)]))
    (told,) = store.read_now(tellings.newest, {alert.id})
    assert (told.status, told.notification_id) == (AlertStatus.RESOLVED, "")


def test_who_was_told_of_a_deployment(store):
    alert, over_all = make_alert(), make_alert("model_retiring", account="")
    put(store, make_notification(alert), make_notification(alert, receiver="mail"), make_notification(over_all))
    found = store.read_now(tellings.of_subjects, ACCOUNT, {make_subject(), make_subject("other")}, ended_since=NOW)
    told = {(word.rule, word.told.receiver) for word in found[make_subject()]}
    assert told == {(alert.finding.rule, "slack"), (alert.finding.rule, "mail"), ("model_retiring", "slack")}
    assert make_subject("other") not in found
