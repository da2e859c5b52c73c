"""What was billed, from the wire to the drift: truth on the one side, our estimate on the other."""

from dataclasses import replace
from datetime import UTC, date, timedelta
from fractions import Fraction

import pytest

from tests.flows.conftest import ft
from tests.flows.machine import stepped
from watcher import rounds
from watcher.assembly.judgement import terms_of
from watcher.costs import hosting
from watcher.costs.hosting import Period, Tenancy
from watcher.costs.money import Unknown, total
from watcher.costs.prices import book_of
from watcher.costs.reconcile import reconcile
from watcher.cycles.editions import statements
from watcher.report.render import FORMATS
from watcher.report.statement import Edition
from watcher.simulator import Account, Fault
from watcher.simulator.scenario import Subscription
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
        flow.clock.advance(5 * DAY)
        await rounds.once(flow.machine)
        now, store = flow.clock(), flow.machine.store
        end = now.astimezone(UTC).replace(hour=0, minute=0, second=0) - 2 * DAY
        period = Period(begin=end - 2 * DAY, end=end)
        retail = flow.machine.judgement.tariff.latest
        book = book_of(terms_of(flow.machine.config), retail)
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


async def compiled(flow, begin, end):
    reporting = flow.machine.reporting
    made = await flow.machine.store.read(
        statements,
        {"": (Edition(), None)},
        period=Period(begin=begin, end=end),
        period_name="7d",
        as_of=flow.clock(),
        terms=reporting.terms,
        tariff=flow.machine.judgement.tariff,
    )
    return made[""]


async def test_a_report_shows_the_bill_beside_the_estimate_of_the_same_days(tmp_path):
    """From the middle of one day to that of another: the bill knows whole days, and none of the two that may grow."""
    provisioned = ft("ptu", 40 * H, sku="ProvisionedManaged")
    account = replace(ACCOUNT, deployments=(*ACCOUNT.deployments, provisioned))
    async with stepped(tmp_path, account, prices=True, more=RECONCILE) as flow:
        flow.clock.advance(5 * DAY)
        await rounds.once(flow.machine)
        now = flow.clock()
        statement = await compiled(flow, now - 4 * DAY - 5 * H, now)
        (line,) = statement.actuals
        assert (line.account, line.days, line.drift_percent) == ("ft", 1, 0.0)
        assert line.estimate.known.low == 24 * (Fraction("1.7") + Fraction("1.87"))
        assert abs(line.actual.low - line.estimate.known.low) < Fraction(1, 10**6)
        assert "provisioned deployments are left out" in line.note
        # Nothing of it is in any total: what has no price is missing there, and not taken from the bill.
        assert statement.hosting.unknown == 1
        without = replace(statement, actuals=())
        assert (without.total, without.bills) == (statement.total, statement.bills)
        for name in ("text", "markdown", "html", "json", "csv"):
            assert FORMATS[name](statement) != FORMATS[name](without), name
        text = FORMATS["text"](statement)
        assert "What Azure billed" in text and "+0.0 %" in text and "left out" in text


async def test_a_bill_that_tells_of_more_than_was_seen_shows_as_drift(tmp_path):
    """The deployment `extra` is hidden from every list by a role, and billed all the same."""
    async with stepped(tmp_path, ACCOUNT, prices=True, more=RECONCILE) as flow:
        flow.world.faults.add(Fault(plane="arm", api="deployment*", hide=("extra",)))
        more = replace(ACCOUNT, deployments=(*ACCOUNT.deployments, ft("extra", H)))
        flow.world.scenario = replace(flow.world.scenario, accounts=(more,))
        flow.clock.advance(5 * DAY)
        await rounds.once(flow.machine)
        statement = await compiled(flow, flow.clock() - 5 * DAY, flow.clock())
        (line,) = statement.actuals
        assert line.drift_percent == pytest.approx(100 * 1.7 / (1.7 + 1.87), abs=0.1)
        assert "+47.6 %" in FORMATS["text"](statement)


async def test_an_account_whose_bill_was_not_read_says_so(tmp_path):
    other = replace(ACCOUNT, name="other", subscription="00000000-0000-0000-0000-000000000002")
    async with stepped(tmp_path, ACCOUNT, prices=True, more=RECONCILE) as flow:
        flow.clock.advance(5 * DAY)
        await rounds.once(flow.machine)
        flow.world.scenario = replace(
            flow.world.scenario,
            accounts=(ACCOUNT, other),
            subscriptions=(Subscription(), Subscription(id=other.subscription)),
        )
        await flow.discover()
        await flow.step()
        statement = await compiled(flow, flow.clock() - 5 * DAY, flow.clock())
        ft_, unread = statement.actuals
        assert (ft_.account, ft_.drift_percent) == ("ft", 0.0)
        assert (unread.account, unread.days, unread.drift_percent) == ("other", 0, None)
        assert isinstance(unread.actual, Unknown) and unread.estimate.known.low > 0
        assert "no bill of these days is known" in unread.note


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
        assert (span.until, span.read_at) == (now.date() - 2 * DAY, now)
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
