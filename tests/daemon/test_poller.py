"""What wakes dispatch, and when an account is polled again."""

import asyncio
from dataclasses import replace

from tests.alerts.factories import make_alert
from tests.factories import HOUR, MINUTE, NOW, make_account, make_gap
from tests.flows.machine import stepped
from watcher import rounds
from watcher.cycles import Recorded
from watcher.daemon.current import Current
from watcher.daemon.poller import News, Poller
from watcher.daemon.progress import Progress
from watcher.resources.snapshot import GapReason, Section
from watcher.simulator import Account
from watcher.store import scope
from watcher.web.metrics import Figures, Metrics

ONE, OTHER = make_account("one"), make_account("other")


def recorded(*gaps, account=ONE, alerts=()):
    return Recorded(account=account, gaps=gaps, alerts=alerts)


def gap(section=Section.JOBS, reason=GapReason.UNREACHABLE, at=NOW):
    return make_gap(section, reason, at=at)


def test_a_gap_is_news_when_it_opens_changes_or_closes_and_not_while_it_goes_on():
    news = News()
    assert not news.has(recorded())
    assert news.has(recorded(gap()))
    assert not news.has(recorded(gap(at=NOW + MINUTE)))
    assert news.has(recorded(gap(), account=OTHER)), "of each account by itself"
    assert news.has(recorded(gap(), gap(Section.METRICS)))
    assert news.has(recorded(gap(reason=GapReason.CREDENTIAL), gap(Section.METRICS)))
    assert news.has(recorded())
    assert not news.has(recorded())


def test_an_alert_is_news_beside_a_gap_that_goes_on():
    news = News()
    news.has(recorded(gap()))
    assert news.has(recorded(gap(), alerts=(make_alert(),)))


class Counting:
    """Collects, and counts how many accounts are in hand at once; tells when each was asked."""

    def __init__(self, machine, accounts):
        self._machine = machine
        self._untold = accounts
        self.in_hand = self.most = 0
        self.all_told = asyncio.Event()

    async def __call__(self, account, known, *, sections, at):
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        snapshot = await self._machine.collect(account, known, sections=sections, at=at)
        self.in_hand -= 1
        self._untold -= 1
        if not self._untold:
            self.all_told.set()
        return snapshot


def poller_of(machine, clock):
    """One that tells nobody."""
    return Poller(
        Current(machine),
        clock=clock,
        metrics=Metrics(Figures),
        progress=Progress(),
        tell=lambda: None,
        discover_at=lambda _: None,
        first_complete=lambda: None,
    )


def narrow(machine):
    """With one request under way at once."""
    poll = machine.config.poll.model_copy(update={"concurrency": 1})
    return replace(machine, config=machine.config.model_copy(update={"poll": poll}))


async def test_no_more_accounts_are_in_hand_than_keep_the_requests_busy_and_all_get_their_turn(tmp_path):
    """Each in hand holds in memory what it says: with all of ten thousand at once, that would fill it."""
    async with stepped(tmp_path, *(Account(name=f"a{number}") for number in range(5))) as flow:
        counting = Counting(flow.machine, accounts=5)
        poller = poller_of(replace(narrow(flow.machine), collect=counting), flow.clock)
        flow.clock.advance(HOUR)
        await poller.discover()
        await poller.tick()
        assert len(poller.polls) == 2
        async with asyncio.timeout(30):
            await counting.all_told.wait()
        await asyncio.gather(*poller.polls.tasks())
        assert counting.most == 2


async def test_a_pass_over_all_accounts_has_no_more_in_hand_either(tmp_path):
    async with stepped(tmp_path, *(Account(name=f"a{number}") for number in range(5))) as flow:
        counting = Counting(flow.machine, accounts=5)
        accounts = [one.account for one in await flow.machine.store.read(scope.due_accounts)]
        flow.clock.advance(HOUR)
        recorded = await rounds.poll_all(replace(narrow(flow.machine), collect=counting), accounts)
        assert (len(recorded), counting.most) == (5, 2)


async def test_a_poll_that_a_clock_that_was_put_back_makes_stale_is_not_repeated_at_once(tmp_path):
    asked = []
    async with stepped(tmp_path, Account(name="one")) as flow:

        async def collect(account, known, *, sections, at):
            asked.append(at)
            return await flow.machine.collect(account, known, sections=sections, at=at)

        poller = poller_of(replace(flow.machine, collect=collect), flow.clock)
        flow.clock.jump(-10 * MINUTE)
        await flow.machine.store.write(scope.bring_forward, dict.fromkeys(scope.NEXT_COLUMNS, flow.clock()))
        await poller.discover()
        for _ in range(3):
            await poller.tick()
            await asyncio.gather(*poller.polls.tasks())
        assert asked == [flow.clock()], "what was recorded last is newer, so all that it says is dropped"
        flow.clock.jump(flow.machine.judgement.cadence.active)
        await poller.tick()
        await asyncio.gather(*poller.polls.tasks())
        assert len(asked) == 2
