"""A process that remembers what it read decides as one that reads all; where nothing is new it hardly reads."""

from dataclasses import replace

import pytest
import structlog

from tests.alerts.factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    ended,
    make_alert,
    make_keep,
    make_routing,
    raised,
)
from tests.conftest import SteppedClock
from tests.store.dumps import statements
from tests.store.test_outbox import claim, mark
from watcher import cycles
from watcher.rules.finding import Severity
from watcher.store import alerts, operators, outbox

ROUTING = make_routing(escalate_after=3 * HOUR, escalate_to=("pager",))
ONE = make_alert(name="one", severity=Severity.WARNING)
TWO = make_alert(name="two", severity=Severity.WARNING)


class Process:
    def __init__(self, store):
        self.store, self.recall, self.clock = store, cycles.Recall(), SteppedClock(NOW)

    async def dispatch(self, routing=ROUTING):
        """What this process tells, and what one without a memory would have told."""
        options = {"routing": routing, "wall_now": self.clock(), "now": self.clock(), "immediate": False}
        fresh = await self.store.rehearse(cycles.dispatch_now, **options)
        plan = await cycles.dispatch(
            routing=routing, store=self.store, clock=self.clock, wall_clock=self.clock, recall=self.recall
        )
        assert plan.notifications == fresh.notifications
        return plan


@pytest.fixture
async def quiet(store):
    """A process to which nothing is new."""
    process = Process(store)
    store.write_now(alerts.save, [ONE, TWO])
    process.clock.move(MINUTE)
    assert len((await process.dispatch()).notifications) == 1
    process.clock.move(MINUTE)
    await process.dispatch()
    assert process.recall.quiet is not None
    return process


def acknowledge(tx):
    operators.acknowledge(tx, ONE, author="me", comment="", now=NOW + 3 * MINUTE)


def tell_elsewhere(tx):
    """Another process, by other routes."""
    routing = make_routing(receiver="mail")
    cycles.dispatch_now(tx, routing, NOW + 3 * MINUTE, NOW + 3 * MINUTE, immediate=True)


CHANGES = {
    "nothing": lambda tx: None,
    "a new one": lambda tx: alerts.save(tx, [make_alert(name="three")]),
    "a worse one": lambda tx: alerts.save(tx, [raised(ONE, NOW + 2 * MINUTE, severity=Severity.CRITICAL)]),
    "an end": lambda tx: alerts.save(tx, [ended(ONE, NOW + 2 * MINUTE)]),
    "all ends": lambda tx: alerts.save(tx, [ended(ONE, NOW + 2 * MINUTE), ended(TWO, NOW + 2 * MINUTE)]),
    "an event": lambda tx: alerts.save(tx, [make_alert("deployment_gone", severity=Severity.CRITICAL)]),
    "an acknowledgement": acknowledge,
    "told elsewhere": tell_elsewhere,
    "a silence": lambda tx: operators.add_silence(
        tx, ["rule=~'.*'"], ends_at=NOW + 30 * HOUR, author="me", comment="", now=NOW + 2 * MINUTE
    ),
    "a keep": lambda tx: operators.save_keep(tx, make_keep(NOW + 9 * DAY), now=NOW + 2 * MINUTE),
    "a telling taken back": lambda tx: _take_back(tx),
}


def _take_back(tx):
    for delivery in outbox.listed(tx):
        alert_ids = {entry.alert.id for entry in delivery.notification.alerts}
        tx.exec_driver_sql("DELETE FROM told")
        outbox.look_again(tx, alert_ids)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_it_decides_as_one_that_reads_all(quiet, change):
    quiet.clock.move(MINUTE)
    quiet.store.write_now(change)
    for wait in (0 * MINUTE, MINUTE, 10 * MINUTE, 3 * HOUR, DAY, 2 * DAY):
        quiet.clock.move(wait)
        await quiet.dispatch()


async def test_what_changes_is_told_at_once(quiet):
    quiet.store.write_now(alerts.save, [raised(ONE, quiet.clock.move(MINUTE), severity=Severity.CRITICAL)])
    (told,) = (await quiet.dispatch()).notifications
    assert [entry.alert.labels["deployment"] for entry in told.alerts] == ["one"]


async def test_where_nothing_is_new_next_to_nothing_is_read_and_nothing_written(quiet):
    quiet.clock.move(MINUTE)
    before = quiet.recall.quiet
    with statements(quiet.store.engine) as heard:
        plan = await cycles.dispatch(
            routing=ROUTING, store=quiet.store, clock=quiet.clock, wall_clock=quiet.clock, recall=quiet.recall
        )
    asked = [statement for statement, _ in heard if statement.startswith(("SELECT", "INSERT", "UPDATE"))]
    assert len(asked) == 1
    assert not any("finding" in statement or not statement.startswith("SELECT") for statement in asked)
    assert (plan.notifications, plan.next_at) == ((), before.next_at)


async def test_its_own_time_other_routes_and_a_clock_put_back_are_looked_into(quiet):
    assert quiet.recall.quiet.next_at == NOW + MINUTE + 3 * HOUR, "nobody acknowledged"
    quiet.clock.move(MINUTE)
    (told,) = (await quiet.dispatch(replace(ROUTING, root=make_routing(receiver="mail").root))).notifications
    assert told.receiver == "mail"
    quiet.clock.now = NOW - DAY
    await quiet.dispatch()
    quiet.clock.now = NOW + MINUTE + 3 * HOUR
    assert [one.receiver for one in (await quiet.dispatch()).notifications] == ["pager"]


async def test_a_failed_write_leaves_nothing_believed(quiet):
    quiet.clock.move(MINUTE)
    quiet.store.write_now(alerts.save, [make_alert("job_failed", name="x")])
    quiet.store.write_now(lambda tx: tx.exec_driver_sql("ALTER TABLE notifications RENAME COLUMN notes TO elsewhere"))
    with pytest.raises(Exception, match="notes"):
        await cycles.dispatch(
            routing=ROUTING, store=quiet.store, clock=quiet.clock, wall_clock=quiet.clock, recall=quiet.recall
        )
    assert quiet.recall.quiet is None
    quiet.store.write_now(lambda tx: tx.exec_driver_sql("ALTER TABLE notifications RENAME COLUMN elsewhere TO notes"))
    quiet.clock.move(MINUTE)
    assert len((await quiet.dispatch()).notifications) == 1


async def test_without_a_receiver_events_do_not_pile_up(store):
    """Months of them would come as one message to the first receiver that is configured."""
    process, old = Process(store), make_alert("job_failed", name="old")
    store.write_now(alerts.save, [old, ONE])
    process.clock.now = NOW + 2 * DAY
    new = replace(make_alert("job_failed", name="new"), starts_at=NOW + 2 * DAY - HOUR)
    store.write_now(alerts.save, [new])
    await cycles.let_go(store=store, clock=process.clock)
    assert {alert.id for alert in store.read_now(alerts.unsettled)} == {new.id, ONE.id}


@pytest.mark.parametrize("state", ["delivered", "dead"])
async def test_an_escalation_does_not_say_that_somebody_was_told_who_could_not_be(store, state):
    process = Process(store)
    store.write_now(alerts.save, [ONE])
    process.clock.move(MINUTE)
    await process.dispatch()
    (delivery,) = claim(store, receivers=("slack",), now=process.clock())
    mark(store, delivery, state=state)
    process.clock.move(3 * HOUR)
    (told,) = (await process.dispatch()).notifications
    at = "2026-11-18 12:01 UTC"
    assert (
        told.alerts[0].note
        == {
            "delivered": f"escalated: nobody has acknowledged this since slack was told at {at}",
            "dead": f"escalated: slack could not be told of this at {at}, and nobody has acknowledged it",
        }[state]
    )


async def test_a_silence_that_cannot_be_read_is_logged_once_and_hides_nothing(store):
    """It may have been taken by an older version, or written by hand."""
    process = Process(store)
    known = {"ends_at": NOW + DAY, "author": "kim", "comment": "", "now": NOW}
    unread = store.write_now(operators.add_silence, ['rule=~"(a+)+!"'], **known)
    hides = store.write_now(operators.add_silence, ["deployment=two"], **known)
    store.write_now(alerts.save, [ONE, make_alert(name="two", severity=Severity.WARNING)])
    process.clock.move(MINUTE)
    with structlog.testing.capture_logs() as logged:
        plan = await process.dispatch()
        process.clock.move(MINUTE)
        store.write_now(alerts.save, [make_alert(name="three")])
        await process.dispatch()
    assert [entry.alert.labels["deployment"] for one in plan.notifications for entry in one.alerts] == ["one"]
    assert f"silenced by {hides.id}" in {held.because for found in plan.held.values() for held in found}
    told = [line for line in logged if line["event"] == "silence.unread" and line["author"] == "kim"]
    # Each of the two dispatches is rehearsed before by one that remembers nothing, and says it anew.
    assert [line["silence"] for line in told] == [unread.id] * 3
    assert "could take for ever" in told[0]["because"]
