"""The summary of the store: what is for reports alone is counted, and not even read."""

import pytest

from tests.alerts.factories import child, ended, make_alert, make_routing
from tests.factories import DAY, HOUR, NOW
from watcher.answers import handover, overview, status
from watcher.answers.query import Frame
from watcher.costs.prices import LIST_PRICES, book_of
from watcher.report.summary_record import summary_record
from watcher.rules.finding import Severity
from watcher.store import alerts

FRAME = Frame(now=NOW)
SINCE = NOW - DAY
FIRES = make_alert("deployment_idle", name="a", at=NOW - HOUR)
IDLE_MODELS = [make_alert("model_undeployed", name=f"m{n}", at=NOW - HOUR, severity=Severity.INFO) for n in range(4)]
OVER = ended(make_alert("file_orphaned", name="f", at=NOW - 2 * HOUR, severity=Severity.INFO), NOW - HOUR)
ROUTINGS = {"none": None, "to nobody": make_routing(), "by another rule": make_routing(child("pager", 'rule="x"'))}


@pytest.fixture
def full(store):
    store.write_now(alerts.save, [FIRES, *IDLE_MODELS, OVER])
    return store


def unreadable(store):
    store.write_now(
        lambda tx: tx.exec_driver_sql(
            "UPDATE alerts SET finding = '{' WHERE rule IN ('model_undeployed', 'file_orphaned')"
        )
    )


@pytest.mark.parametrize("routing", ROUTINGS.values(), ids=ROUTINGS)
def test_what_is_for_reports_alone_is_counted_without_being_read(full, routing):
    unreadable(full)
    summary = full.read_now(status.load, FRAME, SINCE, routing=routing)
    assert [one.alert for one in summary.firing] == [FIRES]
    assert [one.alert for one in summary.happened] == [FIRES.id]
    assert summary.for_reports == {"model_undeployed": 4}
    counts = summary_record(summary, name="prod", since=SINCE)["status"]["counts"]
    assert (counts["alerts"], counts["for_reports"]) == (1, 4)
    shift = full.read_now(handover.load, summary, routing, SINCE)
    assert (shift.fired, shift.ended, shift.for_reports) == ((FIRES,), (), {"model_undeployed": 4})


def test_what_a_route_asks_for_by_its_rule_is_listed_and_the_rest_of_the_rule_is_counted(full):
    routing = make_routing(child("pager", 'rule="model_undeployed"', 'deployment=~"m[01]"'))
    summary = full.read_now(status.load, FRAME, SINCE, routing=routing)
    assert {one.alert.id for one in summary.firing} == {FIRES.id, IDLE_MODELS[0].id, IDLE_MODELS[1].id}
    assert {one.alert for one in summary.happened} == {FIRES.id, IDLE_MODELS[0].id, IDLE_MODELS[1].id}
    assert summary.for_reports == {"model_undeployed": 2}
    assert status.unrouted(routing) == status.unrouted(None) - {"model_undeployed"}


def test_the_overview_names_those_that_somebody_made_louder(full):
    loud = make_alert("model_undeployed", name="loud", at=NOW, severity=Severity.WARNING)
    full.write_now(alerts.save, [loud])
    found = full.read_now(overview.load, FRAME, lambda tx: book_of(LIST_PRICES))
    assert {one.alert.id for one in found.heard} == {FIRES.id, loud.id}
    assert found.advice == (("model_undeployed", 4),)
    assert full.read_now(status.load, FRAME).for_reports == {"model_undeployed": 5}


def test_a_hand_over_for_programs_is_as_long_as_was_asked_for(store):
    fired = [make_alert(name=f"a{n}", at=NOW - HOUR) for n in range(5)]
    over = [ended(make_alert(name=f"o{n}", at=NOW - 2 * HOUR), NOW - HOUR) for n in range(4)]
    events = [make_alert("job_failed", name=f"e{n}", at=NOW - HOUR) for n in range(3)]
    store.write_now(alerts.save, [*fired, *over, *events])
    summary = store.read_now(status.load, FRAME, SINCE)
    shift = store.read_now(handover.load, summary, None, SINCE)
    record = handover.handover_record(shift, NOW, most=2)
    assert [len(record[name]) for name in ("fired", "ended", "events")] == [2, 2, 2]
    assert record["counts"] == {"fired": 5, "ended": 4, "events": 3, "done": 0, "coming": 0}
    whole = handover.handover_record(shift, NOW)
    assert [len(whole[name]) for name in ("fired", "ended", "events")] == [5, 4, 3]
