"""However long a process remembers, and whatever others do meanwhile, it decides as one that reads all each time."""

import random
from dataclasses import replace

import pytest
from sqlalchemy import text

from tests.alerts.factories import (
    DAY,
    EVENTS,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    child,
    ended,
    make_alert,
    make_routing,
    raised,
)
from tests.conftest import SteppedClock
from tests.store.test_outbox import mark
from watcher import cycles
from watcher.alerts.inhibition import InhibitRule
from watcher.alerts.interval import MuteInterval, TimeRange
from watcher.alerts.matcher import parse_matchers
from watcher.cycles.recall import look
from watcher.rules.finding import Severity
from watcher.store import alerts, claiming, operators, outbox, redelivery

STEPS = 70
OFFICE = MuteInterval(name="office", times=(TimeRange(start=12 * HOUR + 20 * MINUTE, end=13 * HOUR),))
ROUTING = replace(
    make_routing(
        child("mail", 'rule="job_failed"', escalate_after=4 * MINUTE, escalate_to=("pager",)),
        child("night", 'owner="night"', mute=("office",)),
        child("slack", 'rule="deployment_idle"', group_by=("...",), group_wait=0 * SECOND),
        mutes=(OFFICE,),
        repeat_interval=10 * MINUTE,
        escalate_after=6 * MINUTE,
        escalate_to=("pager",),
    ),
    inhibitions=(
        InhibitRule(
            source=parse_matchers(['rule="azure_unreachable"']),
            target=parse_matchers(['rule=~"account_.*"']),
            equal=("cloud",),
        ),
        InhibitRule(
            source=parse_matchers(['severity="critical"']), target=parse_matchers(['severity="info"']), equal=("owner",)
        ),
    ),
)
OTHER = make_routing(receiver="mail", repeat_interval=10 * MINUTE)
RULES = ("deployment_failed", "deployment_idle", "account_unreachable", "job_failed", "deployment_gone", "job_stalled")


class Walk:
    """What happens, at random: one thing after the other, by this process or another."""

    def __init__(self, store, seed):
        self.store, self.random = store, random.Random(seed)
        self.clock, self.recall, self.routing = SteppedClock(NOW), cycles.Recall(), ROUTING
        self.open, self.count = [], 0

    def write(self, fn, *args, **kwargs):
        return self.store.write_now(fn, *args, **kwargs)

    def change(self, alert):
        self.write(alerts.save, [alert])
        self.open = [one for one in self.open if one.id != alert.id]
        if alert.ends_at is None and not alert.is_event:
            self.open.append(alert)

    def begin(self):
        self.count += 1
        rule, of = self.random.choice(RULES), self.random
        fired = make_alert(
            rule,
            name=f"d{self.count}" if rule in EVENTS or of.random() < 0.7 else "again",
            at=self.clock(),
            severity=of.choice(list(Severity)),
            first_sight=of.random() < 0.2,
            labels={"owner": of.choice(["search", "night"])},
            step=of.choice(["3d", "1d"]) if rule == "deployment_idle" else "",
        )
        if all(one.fingerprint != fired.fingerprint for one in self.open):
            self.change(fired)

    def begin_everywhere(self):
        if not any(one.account == "" for one in self.open):
            self.change(make_alert("azure_unreachable", name="all", at=self.clock(), account=""))

    def worsen(self):
        if self.open:
            one = self.random.choice(self.open)
            self.change(raised(one, self.clock(), severity=self.random.choice(list(Severity))))

    def change_by_a_clock_behind(self):
        """Another machine's stamps need not be greater than all before them."""
        if self.open:
            self.worsen()
            where = {"id": self.open[-1].id, "stamp": self.random.randrange(1, 10**6)}
            self.write(lambda tx: tx.execute(text("UPDATE alerts SET stamp = :stamp WHERE id = :id"), where))

    def end(self):
        if self.open:
            self.change(ended(self.random.choice(self.open), self.clock()))

    def acknowledge(self):
        if self.open:
            one = self.random.choice(self.open)
            self.write(operators.acknowledge, one, author="me", comment="", now=self.clock())
            self.change(replace(one, acked_at=self.clock(), acked_by="me"))

    def silence(self):
        match = self.random.choice(["owner=search", "rule=deployment_failed", "severity=info"])
        until = self.clock() + self.random.choice([MINUTE, HOUR])
        comment = str(self.random.random())  # its id tells it from others
        self.write(operators.add_silence, [match], ends_at=until, author="me", comment=comment, now=self.clock())

    def unsilence(self):
        for one in self.store.read_now(operators.silences, since=self.clock()):
            self.write(operators.expire_silence, one.id, author="me", now=self.clock())

    def deliver(self):
        """Another process, or this one: some arrive, some die, some of those are told after all."""
        state = self.random.choice(["delivered", "delivered", "dead"])
        names = ("slack", "mail", "night", "pager")
        for one in self.write(claiming.claim, "x", receivers=names, now=self.clock()):
            mark(self.store, one, state=state)
        if self.random.random() < 0.3:
            dead = [one.notification.id for one in self.store.read_now(outbox.listed, states=("dead",))]
            self.write(redelivery.retry, dead, now=self.clock())

    def take_back(self):
        def forget(tx):
            redelivery.forget(tx, outbox.listed(tx, states=("pending",)))

        if self.random.random() < 0.2:
            self.write(forget)

    def dispatch_elsewhere(self):
        self.write(cycles.dispatch_now, self.routing, self.clock(), self.clock(), immediate=False)

    def reconfigure(self):
        if self.random.random() < 0.3:
            self.routing = OTHER if self.routing is ROUTING else ROUTING

    def wait(self):
        """Mostly so little that what is remembered is trusted."""
        self.clock.move(self.random.choice([SECOND, 30 * SECOND, MINUTE, 3 * MINUTE, 5 * MINUTE]))

    def wait_long(self):
        self.clock.move(self.random.choice([40 * MINUTE, 6 * HOUR, DAY]))

    def put_clock_back(self):
        if self.random.random() < 0.2:
            self.clock.move(-self.random.choice([SECOND, HOUR]))

    async def dispatch(self):
        now = self.clock()
        fresh = await self.store.rehearse(cycles.dispatch_now, self.routing, now, now, immediate=False)
        done = await cycles.dispatch_and_claim(
            routing=self.routing,
            store=self.store,
            clock=self.clock,
            wall_clock=self.clock,
            recall=self.recall,
            has_news=self.random.random() < 0.5,
        )
        assert done.plan.notifications == fresh.notifications
        assert done.plan.next_at == fresh.next_at
        return fresh


ACTS = (
    *(4 * [Walk.begin]),
    *(6 * [Walk.wait]),
    *(2 * [Walk.end, Walk.deliver]),
    Walk.begin_everywhere,
    Walk.worsen,
    Walk.change_by_a_clock_behind,
    Walk.wait_long,
    Walk.acknowledge,
    Walk.silence,
    Walk.unsilence,
    Walk.take_back,
    Walk.dispatch_elsewhere,
    Walk.reconfigure,
    Walk.put_clock_back,
)


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_at_rest_is_not_missed(store, seed):
    walk, told = Walk(store, seed), 0
    for _ in range(STEPS):
        for _ in range(walk.random.choice([0, 1, 1, 3])):
            walk.random.choice(ACTS)(walk)
        told += len((await walk.dispatch()).notifications)
    assert told > 5, "something was to be told"


async def test_work_grows_with_what_is_new_and_not_with_what_stands_open(store):
    """A hundred conditions stand; one more is found."""
    clock, recall = SteppedClock(NOW), cycles.Recall()
    options = {"routing": make_routing(group_wait=0 * SECOND), "store": store, "clock": clock, "wall_clock": clock}
    store.write_now(alerts.save, [make_alert(name=f"d{number}") for number in range(100)])
    await cycles.dispatch(**options, recall=recall)
    clock.move(MINUTE)
    await cycles.dispatch(**options, recall=recall)
    clock.move(MINUTE)
    found = make_alert("job_stalled", name="new", at=clock())
    store.write_now(alerts.save, [found])
    read = []

    def seen(tx):
        known = recall.read(tx, look(tx, clock()), options["routing"], clock())
        read.append((known.awake, known.told, known.bystanders))

    store.write_now(seen)
    assert read == [((found,), (), ())]


async def test_a_group_that_another_process_told_waits_for_its_interval(store):
    clock, recall = SteppedClock(NOW), cycles.Recall()
    routing = make_routing(group_wait=0 * SECOND, group_interval=5 * MINUTE)
    options = {"routing": routing, "store": store, "clock": clock, "wall_clock": clock}
    store.write_now(alerts.save, [make_alert("job_stalled", name="other")])
    await cycles.dispatch(**options, recall=recall)
    store.write_now(alerts.save, [make_alert(name="a", at=clock.move(MINUTE))])
    store.write_now(cycles.dispatch_now, routing, clock(), clock(), immediate=False)
    store.write_now(alerts.save, [make_alert(name="b", at=clock.move(SECOND))])
    plan = await cycles.dispatch(**options, recall=recall)
    assert (plan.notifications, plan.next_at) == ((), NOW + 6 * MINUTE)
