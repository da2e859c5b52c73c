"""What is decided is leased in the same commit where it can go out at once; where it cannot, claiming has the say."""

import pytest

from tests.alerts.factories import HOUR, MINUTE, NOW, SECOND, child, ended, make_alert, make_routing, raised
from tests.conftest import SteppedClock
from tests.store.test_outbox import claim, mark
from watcher import cycles
from watcher.alerts.notification import NotifyReason
from watcher.alerts.pace import Pace, Rate
from watcher.rules.finding import Severity
from watcher.store import alerts, channels, outbox
from watcher.store.outbox import LEASE

ROUTING = make_routing(child("mail", 'owner="night"'), group_by=("...",), group_wait=0 * SECOND)
BOTH = frozenset({"slack", "mail"})


class Process:
    """Dispatches as a daemon does."""

    def __init__(self, store, owner="me"):
        self.store, self.owner, self.clock = store, owner, SteppedClock(NOW)
        self.recall = cycles.Recall()

    async def dispatch(self, receivers=BOTH, paces=None, routing=ROUTING):
        claims = cycles.Claims(owner=self.owner, receivers=receivers, paces=paces or {})
        return await cycles.dispatch_and_claim(
            routing=routing,
            store=self.store,
            clock=self.clock,
            wall_clock=self.clock,
            recall=self.recall,
            claims=claims,
            has_news=True,
        )

    def find(self, *names, at=None, **options):
        found = [make_alert(name=name, at=at or self.clock(), **options) for name in names]
        self.store.write_now(alerts.save, found)
        return found

    def waiting(self):
        """Receiver and fence of what is in nobody's hands."""
        pending = self.store.read_now(outbox.listed, states=("pending",))
        return [(one.notification.receiver, one.fence) for one in pending if one.lease_until is None]


@pytest.fixture
def process(store):
    return Process(store)


async def test_it_is_leased_as_by_a_claim_and_equals_what_is_stored(process):
    process.find("a", "b")
    done = await process.dispatch()
    assert done.is_all_claimed
    assert [(one.fence, one.lease_until, one.attempts) for one in done.claimed] == 2 * [(1, NOW + LEASE, 0)]
    assert process.store.read_now(outbox.listed, states=("pending",)) == done.claimed
    assert claim(process.store, receivers=BOTH, now=NOW) == ()


async def test_what_was_leased_and_not_sent_goes_out_by_another_once_the_lease_is_over(process):
    process.find("a")
    (mine,) = (await process.dispatch()).claimed
    (theirs,) = claim(process.store, receivers=BOTH, now=NOW + LEASE + SECOND)
    assert (theirs.notification, theirs.fence) == (mine.notification, 2)
    mark(process.store, mine)
    assert process.store.read_now(outbox.counts) == {"pending": 1}, "a lost lease marks nothing"
    mark(process.store, theirs)
    assert process.store.read_now(outbox.counts) == {"delivered": 1}


async def test_it_is_not_merged_with_later_news_since_it_may_have_been_sent(process):
    (found,) = process.find("a")
    (mine,) = (await process.dispatch()).claimed
    process.clock.move(LEASE + SECOND)
    process.store.write_now(alerts.save, [raised(found, process.clock(), severity=Severity.CRITICAL)])
    assert (await process.dispatch()).claimed == (), "the earlier one still waits"
    (first,) = claim(process.store, receivers=BOTH, now=process.clock())
    assert first.notification.id == mine.notification.id
    assert process.store.read_now(outbox.counts) == {"pending": 2}


async def test_only_for_receivers_that_are_free(process):
    process.find("a")
    process.find("b", labels={"owner": "night"})
    done = await process.dispatch(receivers=frozenset({"mail"}))
    assert [one.notification.receiver for one in done.claimed] == ["mail"]
    assert not done.is_all_claimed
    assert process.waiting() == [("slack", 0)]


async def test_nothing_overtakes_what_waits_at_a_receiver(process):
    process.find("a")
    await process.dispatch(receivers=frozenset())
    process.find("b", at=process.clock.move(SECOND))
    assert (await process.dispatch()).claimed == ()
    assert process.waiting() == 2 * [("slack", 0)]


async def test_a_channel_that_fails_is_not_tried_before_its_time(process):
    def fail(tx):
        channel = channels.locked(tx, "slack")
        failing = channel.failed(kind="server", detail="500", at=NOW, retry_at=NOW + MINUTE)
        channels.put(tx, channel, failing)

    process.store.write_now(fail)
    process.find("a")
    assert (await process.dispatch()).claimed == ()
    assert process.waiting() == [("slack", 0)]


async def test_a_rate_pays_for_what_goes_out_and_merges_what_is_more(process):
    paces = {"slack": Pace(rate=Rate(messages=3, per=HOUR))}
    process.find("a", "b")
    assert len((await process.dispatch(paces=paces)).claimed) == 2
    assert process.store.read_now(channels.of, ["slack"])["slack"].tokens == 1
    for one in process.store.read_now(outbox.listed, states=("pending",)):
        mark(process.store, one)
    process.find("c", "d", at=process.clock.move(SECOND))
    assert (await process.dispatch(paces=paces)).claimed == ()
    assert process.store.read_now(channels.of, ["slack"])["slack"].tokens == 1, "nothing was taken for what waits"


async def test_no_more_than_one_claim_would_take(process):
    process.find(*(f"d{number:02}" for number in range(20)))
    done = await process.dispatch()
    placed = process.store.read_now(outbox.listed, states=("pending",))
    assert [one.sequence for one in done.claimed] == [one.sequence for one in placed][:8], "the first, in order"
    assert process.waiting() == 12 * [("slack", 0)]


@pytest.mark.parametrize(("state", "was_untold"), [("delivered", False), ("dead", True)])
async def test_an_end_says_so_where_the_beginning_never_arrived(process, state, was_untold):
    (found,) = process.find("a")
    await process.dispatch(receivers=frozenset())
    (beginning,) = claim(process.store, receivers=BOTH, now=NOW)
    mark(process.store, beginning, state=state)
    process.store.write_now(alerts.save, [ended(found, process.clock.move(HOUR))])
    (end,) = (await process.dispatch()).claimed
    assert [(one.reason, one.was_untold) for one in end.notification.alerts] == [(NotifyReason.RESOLVED, was_untold)]


async def test_a_notifier_learns_what_it_called_its_first_message(process):
    (found,) = process.find("a")
    (first,) = (await process.dispatch()).claimed
    mark(process.store, first, reference="ts-1")
    worse = raised(found, process.clock.move(HOUR), severity=Severity.CRITICAL)
    process.store.write_now(alerts.save, [worse])
    (second,) = (await process.dispatch()).claimed
    assert second.notification.earlier == {found.id: "ts-1"}


async def test_a_decision_taken_twice_is_one_message(process):
    """The same moment, the same alert, and no memory of what was told: as after a telling was taken back."""
    routing = make_routing(group_wait=0 * SECOND, group_interval=0 * SECOND)
    process.find("a")
    await process.dispatch(receivers=frozenset(), routing=routing)

    def take_back(tx):
        tx.exec_driver_sql("DELETE FROM told")
        outbox.look_again(tx, {alert.id for alert in alerts.unsettled(tx)})

    process.store.write_now(take_back)
    done = await process.dispatch(routing=routing)
    assert (len(done.plan.notifications), done.claimed) == (1, ())
    assert process.store.read_now(outbox.counts) == {"pending": 1}


async def test_two_processes_tell_it_once(open_store):
    one, other = Process(open_store()), Process(open_store(), owner="other")
    one.find("a")
    first, second = await one.dispatch(), await other.dispatch()
    assert (len(first.claimed), len(second.claimed)) == (1, 0)
    one.find("b", at=other.clock.move(SECOND))
    one.clock.move(SECOND)
    mark(one.store, first.claimed[0])
    assert [len((await each.dispatch()).claimed) for each in (other, one)] == [1, 0]


async def test_a_failed_commit_leaves_no_lease_and_nothing_believed(process):
    process.find("a")
    process.store.write_now(lambda tx: tx.exec_driver_sql("ALTER TABLE told RENAME COLUMN route TO elsewhere"))
    with pytest.raises(Exception, match="route"):
        await process.dispatch()
    process.store.write_now(lambda tx: tx.exec_driver_sql("ALTER TABLE told RENAME COLUMN elsewhere TO route"))
    assert process.store.read_now(outbox.counts) == {}
    assert len((await process.dispatch()).claimed) == 1
