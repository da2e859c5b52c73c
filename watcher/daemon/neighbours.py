"""Who else is asked when an account falls silent: whether many share one cause has to be known before anyone is told.

Accounts are polled one after the other, minutes apart, so a region that goes dark would first be told of as one
account. What a poll finds newly silent, or newly refusing the credential, is therefore not recorded until a few others
have been asked: as many as the rule about the common cause wants. Where all of these fail alike, so are a few of every
other region. Whoever is asked for another's sake asks nobody in turn, and not again within an interval; so an account
that fails alone costs one poll more, and a region that fails a handful.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.resources.account import Account
from watcher.resources.snapshot import Gap, Plane, Section, Snapshot
from watcher.rules.accounts import is_of_a_plane
from watcher.rules.configured import ConfiguredFleet
from watcher.rules.discovery import CREDENTIAL, SILENT
from watcher.rules.fleet import AzureUnreachable, CredentialFailing
from watcher.rules.rule import FleetRule

#: What is read of a neighbour to learn about a plane.
SECTION_OF = {Plane.ARM: Section.DEPLOYMENTS, Plane.DATA: Section.JOBS, Plane.METRICS: Section.METRICS}
_PLANE_OF = {section: plane for plane, section in SECTION_OF.items()}


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """A plane that an account cannot read, for a cause that others may share."""

    rule: str  #: which would tell of the common cause
    plane: Plane


def troubles(gaps: Iterable[Gap]) -> frozenset[Trouble]:
    """What these gaps may have in common with those of other accounts."""
    found = set()
    for gap in gaps:
        if is_of_a_plane(gap) and gap.reason in SILENT:
            found.add(Trouble(AzureUnreachable.name, gap.plane))
        elif is_of_a_plane(gap) and gap.reason in CREDENTIAL:
            found.add(Trouble(CredentialFailing.name, gap.plane))
    return frozenset(found)


def least(rules: Iterable[FleetRule], name: str) -> int:
    """How many accounts the rule about a common cause wants; 0: no such rule is in force."""
    for rule in rules:
        inner = rule.rule if isinstance(rule, ConfiguredFleet) else rule
        if isinstance(inner, AzureUnreachable | CredentialFailing) and inner.name == name:
            return inner.min_accounts
    return 0


@dataclass(frozen=True, slots=True)
class Place:
    """Within which accounts share a cause."""

    rule: str
    cloud: str
    location: str  #: "" for a credential, which knows no regions

    @staticmethod
    def of(account: Account, rule: str) -> "Place":
        return Place(rule, account.cloud, account.location if rule == AzureUnreachable.name else "")


class Inquiry:
    """One round of questions; those who wait for it are recorded together, at its end."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def end(self) -> None:
        self._over.set()

    async def wait(self) -> None:
        await self._over.wait()


#: What a poll under way will say.
Said = asyncio.Future[frozenset[Trouble]]
#: Has an account's sections read at once, to be recorded when the inquiry is over; not where a poll is under way.
Start = Callable[[Account, frozenset[Section], Inquiry], None]


class Neighbours:
    """Asks around. It knows who is in trouble, and who was asked for another's sake, since this process began."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._troubles: dict[str, frozenset[Trouble]] = {}  #: by account's key, as last heard
        self._asked_at: dict[str, datetime] = {}  #: for another's sake
        self._polls: dict[str, Said] = {}  #: under way
        self._inquiries: dict[Place, Inquiry] = {}

    def listen(self, account: Account) -> Said:
        """A poll of this account begins; `close` is to be called at its end."""
        said = self._polls[account.key] = asyncio.get_running_loop().create_future()
        return said

    def close(self, account: Account, said: Said) -> None:
        """A poll is over, heard or not."""
        said.cancel()  # without effect where it was heard
        if self._polls.get(account.key) is said:
            del self._polls[account.key]

    def hear(self, account: Account, snapshot: Snapshot) -> frozenset[Trouble]:
        """Take over what an account said; returns the troubles that it did not have before."""
        found = troubles(snapshot.gaps)
        before = self._troubles.get(account.key, frozenset())
        heard = {_PLANE_OF[section] for section in snapshot.asked if section in _PLANE_OF}
        self._troubles[account.key] = found | {old for old in before if old.plane not in heard}
        said = self._polls.get(account.key)
        if said is not None and not said.done():
            said.set_result(found)
        return found - before

    def forget_others(self, keys: Collection[str]) -> None:
        """Keep what concerns these accounts alone."""
        self._troubles = {key: found for key, found in self._troubles.items() if key in keys}
        self._asked_at = {key: at for key, at in self._asked_at.items() if key in keys}

    async def ask(
        self,
        account: Account,
        new: Collection[Trouble],
        accounts: Mapping[str, Account],
        *,
        rules: Sequence[FleetRule],
        now: datetime,
        interval: timedelta,
        patience: timedelta,
    ) -> None:
        """Return once it is known, as far as that can be, whether others share these troubles.

        Args:
            accounts: All that are watched, by key.
            interval: An account is asked once in this time at most.
            patience: How long to wait for those nearby, and once more for those of other regions.
        """
        for name in sorted({trouble.rule for trouble in new}):
            round_ = _Round(
                account=account,
                place=Place.of(account, name),
                troubles=frozenset(trouble for trouble in new if trouble.rule == name),
                least=least(rules, name),
                spared_since=now - interval,
                now=now,
            )
            if (running := self._inquiries.get(round_.place)) is not None:
                await running.wait()
            elif round_.least:
                await self._inquire(round_, accounts, patience.total_seconds())

    async def _inquire(self, round_: "_Round", accounts: Mapping[str, Account], patience_s: float) -> None:
        inquiry = self._inquiries[round_.place] = Inquiry()
        try:
            others = [other for other in accounts.values() if other.key != round_.account.key]
            near = [other for other in others if Place.of(other, round_.place.rule) == round_.place]
            said = await self._hear_all(self._choose(near, round_, round_.least - 1), round_, inquiry, patience_s)
            shared = round_.troubles.intersection(*said)
            if said and shared:
                wider = replace(round_, troubles=shared)
                chosen = [
                    one for region in _regions(others, round_) for one in self._choose(region, wider, round_.least)
                ]
                await self._hear_all(chosen, wider, inquiry, patience_s)
        finally:
            del self._inquiries[round_.place]
            inquiry.end()

    def _choose(self, others: Iterable[Account], round_: "_Round", count: int) -> list[Account]:
        """Those that are not known to be in this trouble; better idle ones that were not asked before."""
        free = [
            other
            for other in others
            if not round_.troubles <= self._troubles.get(other.key, frozenset())
            and not round_.spared_since < self._asked_at.get(other.key, round_.spared_since) <= round_.now
        ]
        free.sort(key=lambda other: (other.key in self._polls, other.key in self._asked_at, other.label))
        return free[: max(0, count)]

    async def _hear_all(
        self, chosen: Iterable[Account], round_: "_Round", inquiry: Inquiry, patience_s: float
    ) -> list[frozenset[Trouble]]:
        """What each of these says; nothing of those that were not heard in time."""
        sections = frozenset(SECTION_OF[trouble.plane] for trouble in round_.troubles)
        waiting = []
        for other in chosen:
            if other.key not in self._polls:
                self._asked_at[other.key] = round_.now
                self._start(other, sections, inquiry)
            if (said := self._polls.get(other.key)) is not None:
                waiting.append(said)
        if not waiting:
            return []
        done, _ = await asyncio.wait(waiting, timeout=patience_s)
        return [said.result() for said in done if not said.cancelled()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What is asked, and for whose sake."""

    account: Account
    place: Place
    troubles: frozenset[Trouble]  #: of one rule
    least: int
    spared_since: datetime
    now: datetime


def _regions(others: Iterable[Account], round_: _Round) -> list[list[Account]]:
    """The accounts of each other region of the same cloud."""
    regions: defaultdict[str, list[Account]] = defaultdict(list)
    for other in others:
        there = Place.of(other, round_.place.rule)
        if there.cloud == round_.place.cloud and there.location not in ("", round_.place.location):
            regions[there.location].append(other)
    return [regions[location] for location in sorted(regions)]
