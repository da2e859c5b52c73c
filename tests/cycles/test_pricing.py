"""The price list as a cycle: when it is read, what becomes of a failure, and who sees it."""

from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import event

from tests.costs.factories import make_row
from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_job, make_snapshot
from watcher import cycles
from watcher.cycles import Judgement, Tariff, inventory_now, record, refresh_prices
from watcher.cycles.memory import Memory
from watcher.errors import UnavailableError
from watcher.resources.price import RetailList
from watcher.resources.snapshot import Listing, Section
from watcher.store import prices, scope


@dataclass
class List:
    """Azure's price list: says what it is told to, and notes when it was asked."""

    answer: object = (make_row(),)
    asked: list = field(default_factory=list)

    async def read(self, currency, *, at):
        self.asked.append((currency, at))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass(frozen=True)
class Looking:
    """A rule that notes the list that it is shown."""

    name: str = "looking"
    lists: list = field(default_factory=list, repr=False)

    def evaluate(self, view):
        self.lists.append(view.retail)
        return ()


@pytest.fixture
def azure():
    return List()


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - 2 * DAY)
    return store


async def refresh(azure, store, clock, tariff=None, **options):
    return await refresh_prices(azure.read, tariff=tariff or Tariff("USD"), store=store, clock=clock, **options)


async def test_it_is_read_once_a_day(azure, store, clock):
    tariff = Tariff("USD")
    assert await refresh(azure, store, clock, tariff)
    first = tariff.latest
    assert (first.read_at, first.prices) == (NOW, (make_row(),))
    for wait in (HOUR, 22 * HOUR, 59 * MINUTE):
        clock.move(wait)
        assert not await refresh(azure, store, clock, tariff)
    assert tariff.latest is first
    clock.move(MINUTE)
    assert await refresh(azure, store, clock, tariff)
    assert azure.asked == [("USD", NOW), ("USD", NOW + DAY)]
    assert tariff.latest.read_at == NOW + DAY


async def test_a_restart_asks_no_sooner_and_uses_what_is_stored(azure, store, clock):
    await refresh(azure, store, clock)
    clock.move(DAY - MINUTE)
    restarted = Tariff("USD")
    assert await refresh(azure, store, clock, restarted)
    assert (len(azure.asked), restarted.latest.read_at) == (1, NOW)


async def test_a_failure_is_tried_again_after_an_hour_and_harms_nothing(azure, store, clock):
    tariff = Tariff("USD")
    await refresh(azure, store, clock, tariff)
    first, azure.answer = tariff.latest, UnavailableError("no connection")
    clock.move(DAY)
    for _ in range(12):
        assert not await refresh(azure, store, clock, tariff)
        clock.move(10 * MINUTE)
    assert [at for _, at in azure.asked] == [NOW, NOW + DAY, NOW + DAY + HOUR]
    assert tariff.latest is first
    assert store.read_now(prices.load, "USD").read_at == NOW
    azure.answer = (make_row(price="2"),)
    assert await refresh(azure, store, clock, tariff)
    assert tariff.latest.read_at == clock()


async def test_a_fresh_start_without_a_list_goes_on_without_one(azure, store, clock):
    azure.answer, tariff = UnavailableError("no connection"), Tariff("USD")
    assert not await refresh(azure, store, clock, tariff)
    assert tariff.latest is None
    assert store.read_now(tariff.of) is None


async def test_the_table_alone_asks_for_nothing_and_shows_nothing(azure, watched, clock):
    await refresh(azure, watched, clock)
    none = Tariff("")
    clock.move(2 * DAY)
    assert not await refresh(azure, watched, clock, none)
    assert len(azure.asked) == 1
    assert watched.read_now(none.of) is None


def test_the_same_list_read_again_from_the_store_is_no_other_one():
    """Books of prices are kept by the very object."""
    tariff, first = Tariff("USD"), RetailList(prices=(make_row(),), read_at=NOW)
    tariff.take(first)
    tariff.take(RetailList(prices=(make_row(),), read_at=NOW))
    assert tariff.latest is first
    tariff.take(RetailList(prices=(make_row(),), read_at=NOW + DAY))
    assert tariff.latest is not first


async def test_another_process_has_read_it(azure, open_store, clock):
    one, other, tariff = open_store(), open_store(), Tariff("USD")
    await refresh(azure, one, clock, tariff)
    clock.move(DAY)
    await refresh(azure, other, clock)
    clock.move(MINUTE)
    assert await refresh(azure, one, clock, tariff)
    assert (len(azure.asked), tariff.latest.read_at) == (2, NOW + DAY)


async def test_two_processes_at_once_ask_once(azure, open_store, clock):
    """The second looks after the first has asked, and before it has its answer."""
    one, other = open_store(), open_store()

    async def meanwhile(currency, *, at):
        assert not await refresh(azure, other, clock)
        return (make_row(),)

    assert await refresh_prices(meanwhile, tariff=Tariff("USD"), store=one, clock=clock)
    assert azure.asked == []


async def test_a_rehearsal_asks_and_writes_nothing(azure, store, clock):
    tariff = Tariff("USD")
    assert await refresh(azure, store, clock, tariff, only_look=True)
    assert tariff.latest.prices == (make_row(),)
    assert store.read_now(prices.times, "USD") == prices.Times()


async def test_currencies_are_kept_apart(azure, store, clock):
    await refresh(azure, store, clock, Tariff("USD"))
    await refresh(azure, store, clock, Tariff("eur"))
    assert [currency for currency, _ in azure.asked] == ["USD", "EUR"]


def test_rules_see_one_and_the_same_list_which_is_loaded_once(watched):
    watched.write_now(prices.save, "USD", RetailList(prices=(make_row(),), read_at=NOW))
    looking, statements = Looking(), []
    judgement = Judgement(rules=(looking,), tariff=Tariff("USD"))
    event.listen(watched.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for hours in range(3):
        watched.write_now(record, make_snapshot(at=NOW + hours * HOUR, jobs=[]), judgement)
    assert looking.lists[0] is looking.lists[1] is looking.lists[2] is judgement.tariff.latest
    assert looking.lists[0].read_at == NOW
    assert len([one for one in statements if "retail_prices" in one]) == 1


async def test_a_poll_that_finds_nothing_new_sees_a_new_list(azure, watched, clock):
    looking, memory = Looking(), Memory(watched)
    judgement = Judgement(rules=(looking,), tariff=Tariff("USD"))
    jobs = frozenset({Section.JOBS})

    async def collect(account, known, *, sections, at):
        items = None if known.jobs_digest == "d" else (make_job(),)
        return replace(make_snapshot(at=at, asked=sections), jobs=Listing(digest="d", items=items))

    async def poll():
        clock.move(HOUR)
        options = {"judgement": judgement, "store": watched, "memory": memory, "clock": clock}
        await cycles.poll(ACCOUNT, collect=collect, sections=jobs, **options)
        return looking.lists[-1]

    assert await poll() is None
    await refresh(azure, watched, clock, judgement.tariff)
    assert (await poll()).read_at == NOW + HOUR
    assert await poll() is judgement.tariff.latest


def test_the_inventory_sees_the_list_and_is_taken_anew_with_another(watched):
    looking = Looking()
    judgement = Judgement(rules=(), inventory_rules=(looking,), tariff=Tariff("USD"))
    for at, count in ((NOW, 1), (NOW, 1), (NOW + HOUR, 2)):
        found = RetailList(prices=(make_row(),), read_at=at)
        watched.write_now(prices.save, "USD", found)
        judgement.tariff.take(found)
        watched.write_now(inventory_now, judgement, NOW + 2 * HOUR)
        assert len(looking.lists) == count
        assert looking.lists[-1].read_at == at
    without = replace(judgement, tariff=Tariff(""))  # as after a reload with `source = "table"`
    watched.write_now(inventory_now, without, NOW + 2 * HOUR)
    assert looking.lists[-1] is None
