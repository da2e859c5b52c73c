"""What is asked at every poll, dispatch or scrape is answered from an index, however much is kept."""

import re

import pytest

from tests.alerts.factories import ACCOUNT, NOW, make_alert
from watcher.rules.finding import Severity
from watcher.store import alerts, claiming, history, listings, period_scope, schema, tellings
from watcher.store.grounds import grounds

from .dumps import statements
from .test_outbox import make_notification, put

ASKED = {
    "unsettled": (lambda tx: alerts.unsettled(tx), "ix_alerts_unsettled"),
    "stamps": (lambda tx: alerts.stamps(tx), "ix_alerts_unsettled"),
    "changed since": (lambda tx: alerts.changed_since(tx, 7), "ix_alerts_unsettled"),
    "grounds: unsettled": (lambda tx: grounds(tx, NOW, ended_since=NOW), "ix_alerts_unsettled"),
    "grounds: told": (lambda tx: grounds(tx, NOW, ended_since=NOW), "ix_told_sequence"),
    "grounds: ended": (lambda tx: grounds(tx, NOW, ended_since=NOW), "ix_alerts_ended"),
    "due times": (lambda tx: claiming.due_times(tx, receivers=["slack"]), "ix_notifications_pending"),
    "firing": (lambda tx: alerts.firing(tx, ACCOUNT), "ix_alerts_firing"),
    "counts": (lambda tx: alerts.counts(tx), "ix_alerts_firing"),
    "firing at": (lambda tx: alerts.firing_at(tx, "slack"), "ix_alerts_firing"),
    "ended": (lambda tx: alerts.ended(tx, ACCOUNT, since=NOW), "ix_alerts_ended"),
    "undecided": (lambda tx: history.undecided(tx, ACCOUNT), "ix_transitions_undecided"),
    "newest jobs": (lambda tx: list(listings.newest_jobs(tx)), "ix_jobs_created_at"),
    "scope since": (lambda tx: period_scope.load(tx, NOW, NOW), "ix_transitions_observed_at"),
    "told after": (lambda tx: tellings.after(tx, 7), "ix_told_sequence"),
}

#: What tests before left behind, pages and statistics, would move the planner to other plans: these forget it.
_AS_NEW = (
    "TRUNCATE " + ", ".join(f'"{table.name}"' for table in schema.metadata.sorted_tables),
    "DELETE FROM pg_statistic",
)


@pytest.mark.parametrize(("ask", "index"), ASKED.values(), ids=ASKED)
def test_it_is_answered_from_an_index(store, ask, index):
    is_sqlite = store.engine.dialect.name == "sqlite"
    with statements(store.engine) as heard:
        store.read_now(ask)
    statement, parameters = next(one for one in heard if one[0].startswith("SELECT"))
    with store.engine.connect() as tx:
        if not is_sqlite:
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a small table it would read whole
            for forget in _AS_NEW:
                tx.exec_driver_sql(forget)
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        lines = [str(row) for row in tx.exec_driver_sql(f"{explain} {statement}", parameters).all()]
    plan = "\n".join(lines)
    # Of what is open there are two indexes, and a small table lets the planner take either.
    assert index in plan or (index == "ix_alerts_firing" and "uq_alerts_open" in plan)
    assert not any("SCAN told" in line or re.search("Seq Scan on (?!silences|keeps|gaps)", line) for line in lines)


def test_who_was_told_is_asked_for_each_condition_that_fires_alone(store):
    told, untold, event = make_alert(name="a"), make_alert(name="b"), make_alert("job_failed", name="c")
    put(store, make_notification(told, event, receiver="slack"), make_notification(untold, receiver="mail"))
    assert store.read_now(alerts.firing_at, "slack") == (told,)
    assert store.read_now(alerts.firing, ACCOUNT) == tuple(sorted((told, untold), key=lambda one: one.id))
    assert store.read_now(alerts.counts) == {(told.finding.rule, told.severity.value): 2}


def test_reminders_of_months_are_not_all_read(store):
    alert = make_alert(severity=Severity.WARNING)
    days = [
        make_notification(alert, at=NOW.replace(hour=hour, minute=minute)) for hour in range(20) for minute in (1, 2)
    ]
    put(store, *days)
    assert len(store.read_now(tellings.of_alert, alert.id)) == 40
    rows = store.read_now(tellings.for_planning, {alert.id})
    assert [row.notification_id for row in rows] == [days[0].id, days[-1].id]
