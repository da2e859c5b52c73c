"""What was billed, from the wire to the drift: truth on the one side, our estimate on the other."""

from datetime import UTC, date, timedelta
from fractions import Fraction

import pytest

from tests.flows.conftest import ft
from tests.flows.machine import stepped
from watcher import assembly, rounds
from watcher.costs import hosting
from watcher.costs.hosting import Period, Tenancy
from watcher.costs.money import total
from watcher.costs.prices import book_of
from watcher.costs.reconcile import reconcile
from watcher.simulator import Account, Fault
from watcher.store import actuals, deployments

H, DAY = timedelta(hours=1), timedelta(days=1)
RECONCILE = "[pricing]\nreconcile = true"
ACCOUNT = Account(
    name="ft",
    location="eastus2",
    deployments=(
        ft("bot", 50 * H),
        ft("zone", 20 * H + timedelta(minutes=7, seconds=1), sku="DataZoneStandard"),
        ft("test", 3 * H, sku="DeveloperTier", expires=False),
    ),
)


def asked(flow, api="costs"):
    return flow.azure.requests.matching(plane=api)


async def test_estimate_and_bill_agree_where_nothing_was_hidden(tmp_path):
    async with stepped(tmp_path, ACCOUNT, prices=True, more=RECONCILE) as flow:
        flow.clock.advance(3 * DAY)
        await rounds.once(flow.machine)
        now, store = flow.clock(), flow.machine.store
        end = now.astimezone(UTC).replace(hour=0, minute=0, second=0)
        period = Period(begin=end - 2 * DAY, end=end)
        retail = flow.machine.judgement.tariff.latest
        book = book_of(assembly.terms_of(flow.machine.config), retail)
        key = flow.world.account_id(ACCOUNT).lower()
        standing = await store.read(deployments.living, key)
        costs = [
            hosting.cost(
                Tenancy(
                    key=one.key,
                    incarnation=one.incarnation,
                    account="ft",
                    name=one.name,
                    model="gpt-4.1-2025-04-14",
                    sku=one.sku,
                    location="eastus2",
                    begin=one.created_at,
                ),
                book,
                period,
            )
            for one in standing
        ]
        known = await store.read(actuals.load, since=period.begin.date(), until=period.end.date())
        (found,) = reconcile({key: total(costs, "USD")}, known, period)
        assert (found.why, found.days, found.drift_percent) == ("", 2, 0)
        # The bill comes as floating numbers.
        assert abs(found.drift.low) < Fraction(1, 10**6)
        assert found.estimate.known.low == 48 * (Fraction("1.7") + Fraction("1.87"))


async def test_it_asks_once_a_day_and_from_the_start_of_the_month_before(tmp_path):
    async with stepped(tmp_path, ACCOUNT, more=RECONCILE) as flow:
        for wait, count in ((0 * H, 1), (H, 1), (22 * H, 1), (H, 2)):
            flow.clock.advance(wait)
            await rounds.once(flow.machine)
            assert len(asked(flow)) == count
        assert {one.method for one in asked(flow)} == {"POST"}
        assert flow.azure.requests.refused_writes == 0
        known = await flow.machine.store.read(actuals.load, since=date.min, until=date.max)
        (span,) = known.spans.values()
        now = flow.clock()
        assert (span.until, span.read_at) == (now.date(), now)
        assert (span.since.day, (now.date().replace(day=1) - span.since).days in (28, 29, 30, 31)) == (1, True)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 403},
        {"status": 429},
        {"status": 500},
        {"body": "garbage"},
        {"body": "wrong_types"},
    ],
    ids=str,
)
async def test_a_bill_that_cannot_be_read_is_no_gap_and_waits_for_tomorrow(tmp_path, fault):
    async with stepped(tmp_path, ACCOUNT, more=RECONCILE) as flow:
        flow.world.faults.add(Fault(plane="costs", **fault))
        done = await rounds.once(flow.machine)
        assert done.gaps == ()
        tries = len(asked(flow))
        assert tries >= 1
        await rounds.once(flow.machine)
        assert len(asked(flow)) == tries
        flow.world.faults.clear()
        flow.clock.advance(DAY)
        await rounds.once(flow.machine)
        known = await flow.machine.store.read(actuals.load, since=date.min, until=date.max)
        assert known.lines


async def test_it_is_off_unless_it_is_wanted(tmp_path):
    async with stepped(tmp_path, ACCOUNT) as flow:
        await rounds.once(flow.machine)
        assert asked(flow) == []


async def test_a_rehearsal_asks_for_no_bill(tmp_path):
    async with stepped(tmp_path, ACCOUNT, more=RECONCILE) as flow:
        await rounds.rehearse(flow.machine)
        assert asked(flow) == []
