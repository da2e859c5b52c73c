"""The loops that tell: what a commit wakes goes out at once, and what keeps nobody waiting comes after it."""

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from tests.alerts.factories import make_alert, make_routing
from tests.store.dumps import statements
from watcher import config
from watcher.assembly.machine import assemble
from watcher.clock import system_clock
from watcher.daemon import teller as module
from watcher.daemon.current import Current
from watcher.daemon.progress import Progress
from watcher.daemon.teller import Teller
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt
from watcher.store import alerts, outbox
from watcher.web.metrics import Figures, Metrics

PATIENCE_S = 20
CONFIGURATION = """
    [database]
    url = "sqlite:///not-used.db"
    [azure]
    cloud = "custom"
    management_url = "http://127.0.0.1:1"
    metrics_url = "http://127.0.0.1:1"
    credential = "static"
    token_env = "TOKEN"
    [[receivers]]
    name = "hook"
    type = "webhook"
    url = "http://127.0.0.1:1/"
    [route]
    receiver = "hook"
"""
ROUTING = make_routing(receiver="hook", group_by=("...",), group_wait=timedelta())


@dataclass
class Box:
    """Takes what it is sent, once it is open."""

    name: str = "hook"
    type = "memory"
    got: list = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    comes: asyncio.Queue = field(default_factory=asyncio.Queue)
    fails: bool = False

    async def send(self, notification, *, now):
        self.comes.put_nowait(notification)
        await self.is_open.wait()
        if self.fails:
            raise DeliveryError("no", permanent=True, kind="bad_request")
        self.got.append(notification)
        return Receipt("ok")

    async def next(self):
        """The names of what the next message tells of."""
        notification = await asyncio.wait_for(self.comes.get(), PATIENCE_S)
        return [entry.alert.labels.get("deployment", "") for entry in notification.alerts]


@pytest.fixture
async def telling(store):
    """A teller and its box; the loops of a test are its own."""
    loaded = config.parse(CONFIGURATION, environ={"TOKEN": "x"})
    machine = await assemble(loaded, store)
    box = Box()
    box.is_open.set()
    current = Current(replace(machine, notifiers={"hook": box}, routing=ROUTING))
    yield Teller(current, clock=system_clock, metrics=Metrics(Figures), progress=Progress()), box, current
    await machine.aclose()


@contextmanager
def hooked(engine, name, hook):
    """Calls `hook` meanwhile whenever the database comes to this event."""
    sqlalchemy.event.listen(engine, name, hook)
    try:
        yield
    finally:
        sqlalchemy.event.remove(engine, name, hook)


@asynccontextmanager
async def running(*loops):
    tasks = [asyncio.create_task(loop()) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def find(store, *names, **options):
    found = [make_alert(name=name, at=datetime.now(UTC), **options) for name in names]
    store.write_now(alerts.save, found)


async def settled(teller, store, count):
    """Wait until so many are delivered."""
    async with asyncio.timeout(PATIENCE_S):
        while store.read_now(outbox.counts).get("delivered", 0) < count:
            await asyncio.wait(teller.lanes.tasks() or [asyncio.create_task(asyncio.sleep(0))])


async def test_what_is_found_is_sent_without_another_commit(store, telling):
    teller, box, _ = telling
    async with running(teller.dispatch_forever):  # and no loop that delivers
        find(store, "a")
        with statements(store.engine) as heard:
            teller.wake()
            assert await box.next() == ["a"]
            await settled(teller, store, 1)
    leased = [statement for statement, _ in heard if "RETURNING" in statement and "lease_owner" in statement]
    assert leased == [], "no claim of its own"


async def test_what_comes_while_a_receiver_is_busy_follows(store, telling):
    teller, box, _ = telling
    box.is_open.clear()
    async with running(teller.dispatch_forever, teller.deliver_forever):
        find(store, "a")
        teller.wake()
        assert await box.next() == ["a"]
        find(store, "b", "c")
        teller.wake()
        box.is_open.set()
        assert sorted([*await box.next(), *await box.next()]) == ["b", "c"]
        await settled(teller, store, 3)
    assert len(box.got) == 3


async def test_what_was_leased_for_a_receiver_that_is_gone_meanwhile_is_let_go(store, telling):
    teller, box, current = telling
    find(store, "a")
    reloaded = replace(current.machine, notifiers={})

    def reload(_connection):
        current.machine = reloaded

    with hooked(store.engine, "commit", reload):  # behind the decision, and before the loop hears of that
        await teller._dispatch_once()
    (left,) = store.read_now(outbox.listed)
    assert (left.lease_until, left.fence, box.got) == (None, 0, [])


async def test_a_channel_that_loses_a_message_is_reviewed_beside(store, telling, monkeypatch):
    monkeypatch.setattr(module, "ASIDE_S", 0.0)
    teller, box, current = telling
    other = Box("mail")
    other.is_open.set()
    box.fails = True
    routing = replace(ROUTING, receivers=("hook", "mail"))
    judgement = replace(current.machine.judgement, receivers=frozenset({"hook", "mail"}))
    current.machine = replace(
        current.machine, notifiers={"hook": box, "mail": other}, routing=routing, judgement=judgement
    )
    async with running(teller.dispatch_forever, teller.deliver_forever, teller.look_aside_forever):
        find(store, "a")
        teller.wake()
        assert await box.next() == ["a"]
        notification = await asyncio.wait_for(other.comes.get(), PATIENCE_S)
    assert [entry.alert.finding.rule for entry in notification.alerts] == ["delivery_failing"]


async def test_nothing_is_written_where_nothing_is_due(store, telling):
    teller, _, _ = telling
    with statements(store.engine) as heard:
        assert await teller._deliver_once() is None
    assert not any(statement.startswith(("UPDATE", "INSERT")) for statement, _ in heard)
    assert not teller.lanes.tasks()
