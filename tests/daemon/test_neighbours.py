"""Who is asked when an account falls silent; what they say is handed in, and no poll is made."""

import asyncio
from datetime import timedelta

import pytest

from tests.factories import NOW, make_account, make_gap, make_snapshot
from watcher.daemon.neighbours import Neighbours, Trouble, least, troubles
from watcher.resources.snapshot import GapReason, Plane, Section
from watcher.rules.configured import ConfiguredFleet
from watcher.rules.fleet import AzureUnreachable, CredentialFailing

SILENT = make_gap(Section.JOBS, GapReason.UNREACHABLE, at=NOW)
REFUSED = make_gap(Section.JOBS, GapReason.CREDENTIAL, at=NOW)
INTERVAL = timedelta(minutes=10)
RULES = (AzureUnreachable(), CredentialFailing())


class Town:
    """Accounts that answer at once with the gaps that they were given, and the order in which they were asked."""

    def __init__(self, gaps=None, *, rules=RULES, **accounts: str) -> None:
        self.accounts = {a.key: a for a in (make_account(name, location=where) for name, where in accounts.items())}
        self.gaps = gaps or {}
        self.rules = rules
        self.asked: list[str] = []
        self.held = []
        self.neighbours = Neighbours(self._start)

    def _start(self, account, sections, inquiry) -> None:
        self.asked.append(account.name)
        self.held.append(inquiry)
        said = self.neighbours.listen(account)
        asyncio.get_running_loop().call_soon(self._answer, account, sections, said)

    def _answer(self, account, sections, said) -> None:
        self.hear(account.name, sections)
        self.neighbours.close(account, said)

    def account(self, name):
        return next(account for account in self.accounts.values() if account.name == name)

    def hear(self, name, sections=frozenset({Section.JOBS})):
        snapshot = make_snapshot(account=self.account(name), asked=sections, gaps=self.gaps.get(name, ()))
        return self.neighbours.hear(self.account(name), snapshot)

    async def poll(self, name: str, *, after: timedelta = timedelta(0)) -> list[str]:
        """Who is asked because of what this account says."""
        before = len(self.asked)
        new = self.hear(name)
        await self.neighbours.ask(
            self.account(name),
            new,
            self.accounts,
            rules=self.rules,
            now=NOW + after,
            interval=INTERVAL,
            patience=timedelta(seconds=5),
        )
        return self.asked[before:]


EAST = {"a": "east", "b": "east", "c": "east", "d": "east"}
WEST = {"w": "west", "x": "west", "y": "west"}


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        pytest.param({}, [], id="all well"),
        pytest.param({"a": (SILENT,)}, ["b"], id="it alone"),
        pytest.param({"a": (SILENT,), "b": (SILENT,)}, ["b", "w", "x"], id="a region: others look as well"),
        pytest.param({"a": (SILENT,), "b": (REFUSED,)}, ["b"], id="the other for another reason"),
        pytest.param({"a": (REFUSED,)}, ["b"], id="the credential, alone"),
        pytest.param({"a": (REFUSED,), "b": (REFUSED,)}, ["b"], id="a credential knows no regions"),
        pytest.param({"a": (make_gap(Section.JOBS, GapReason.ROLE),)}, [], id="a missing role is its own"),
        pytest.param({"a": (make_gap(Section.JOBS, GapReason.BROKEN, subject="ftjob-1"),)}, [], id="a single job"),
        pytest.param({"a": (make_gap(Section.FILES),)}, [], id="what is read seldom"),
    ],
)
async def test_who_is_asked(gaps, expected):
    assert await Town(gaps, **EAST, **WEST).poll("a") == expected


async def test_as_many_are_asked_as_the_rule_wants():
    strict = ConfiguredFleet(rule=AzureUnreachable(min_accounts=3))
    assert least([strict], "azure_unreachable") == 3
    assert await Town({"a": (SILENT,)}, rules=(strict,), **EAST).poll("a") == ["b", "c"]


async def test_nobody_is_asked_where_no_rule_tells_of_a_common_cause():
    assert await Town({"a": (SILENT,)}, rules=(), **EAST).poll("a") == []


async def test_a_trouble_that_lasts_is_asked_about_once():
    town = Town({"a": (SILENT,)}, **EAST)
    assert await town.poll("a") == ["b"]
    assert await town.poll("a") == []


async def test_an_account_that_flickers_asks_each_neighbour_once_in_an_interval():
    town = Town({"a": (SILENT,)}, **EAST)
    asked = []
    for _ in range(10):
        asked += await town.poll("a")
        town.gaps = {}
        asked += await town.poll("a")
        town.gaps = {"a": (SILENT,)}
    assert asked == ["b", "c", "d"]
    assert await town.poll("a", after=INTERVAL) == ["b"]


async def test_those_known_to_be_in_the_same_trouble_are_not_asked_again():
    town = Town({"a": (SILENT,), "b": (SILENT,)}, **EAST)
    town.hear("b")
    assert await town.poll("a") == ["c"]


async def test_all_who_were_asked_are_held_until_all_have_spoken():
    town = Town({"a": (SILENT,), "b": (SILENT,)}, **EAST, **WEST)
    await town.poll("a")
    assert len(town.held) == 3
    assert len(set(map(id, town.held))) == 1
    async with asyncio.timeout(1):
        await town.held[0].wait()


async def test_one_that_fails_during_an_inquiry_waits_for_it_and_asks_nobody():
    town = Town({name: (SILENT,) for name in EAST}, **EAST, **WEST)
    await asyncio.gather(town.poll("a"), town.poll("d"))
    assert town.asked == ["b", "w", "x"]


async def test_one_whose_poll_is_under_way_is_listened_to():
    town = Town({"a": (SILENT,), "b": (SILENT,)}, a="east", b="east", w="west", x="west")
    said = town.neighbours.listen(town.account("b"))
    inquiry = asyncio.create_task(town.poll("a"))
    await asyncio.sleep(0)
    assert not inquiry.done()
    town._answer(town.account("b"), frozenset({Section.JOBS}), said)
    assert await inquiry == ["w", "x"]


async def test_a_poll_that_ends_unheard_is_not_waited_for():
    town = Town({"a": (SILENT,)}, a="east", b="east")
    said = town.neighbours.listen(town.account("b"))
    inquiry = asyncio.create_task(town.poll("a"))
    await asyncio.sleep(0)
    town.neighbours.close(town.account("b"), said)
    async with asyncio.timeout(1):
        assert await inquiry == []


def test_troubles_go_by_plane_and_cause():
    gaps = [SILENT, make_gap(Section.DEPLOYMENTS, GapReason.BROKEN), make_gap(Section.METRICS, GapReason.CREDENTIAL)]
    assert troubles(gaps) == {
        Trouble("azure_unreachable", Plane.DATA),
        Trouble("azure_unreachable", Plane.ARM),
        Trouble("credential_failing", Plane.METRICS),
    }


async def test_an_account_that_is_alone_in_its_region_asks_nobody_elsewhere():
    assert await Town({"a": (SILENT,)}, a="east", **WEST).poll("a") == []


async def test_one_that_fails_during_an_inquiry_is_not_recorded_before_its_end():
    town = Town({"a": (SILENT,), "c": (SILENT,)}, a="east", b="east", c="east")
    said = town.neighbours.listen(town.account("b"))
    town.neighbours.listen(town.account("c"))
    first = asyncio.create_task(town.poll("a"))
    await asyncio.sleep(0)
    second = asyncio.create_task(town.poll("c"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second.done()
    town._answer(town.account("b"), frozenset({Section.JOBS}), said)
    async with asyncio.timeout(1):
        await asyncio.gather(first, second)
