"""The replay itself: the real cycles over a store in memory, fed with what was known at each time."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

from watcher import cycles
from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification
from watcher.alerts.routing import Routing
from watcher.cycles import EVERYTHING, Judgement
from watcher.cycles.memory import Memory
from watcher.replay.comparison import Comparison, compare, entries
from watcher.replay.operators import Act, acts
from watcher.replay.steps import Step, steps
from watcher.resources.account import Account
from watcher.resources.departure import Departure
from watcher.resources.deployment import KEEP_TAG, Deployment
from watcher.resources.model import Retirement
from watcher.resources.snapshot import Gap, Known, Listing, Section, Snapshot
from watcher.rules.text import few
from watcher.store import alerts, recording, scope
from watcher.store.recording import Recording
from watcher.store.scratch import Scratch

#: What happened before the span, so that alerts that stand at its start have come in their own order.
WARM_UP = timedelta(days=7)

#: Told of how many steps of how many are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What would have been told."""

    since: datetime
    until: datetime
    standing: tuple[Alert, ...]  #: conditions that held at `since`
    messages: tuple[Notification, ...]  #: after it, oldest first
    sent: tuple[Notification, ...]  #: what was really sent in that time
    comparison: Comparison
    blind: tuple[str, ...]  #: what could not be replayed, each a sentence


@dataclass(frozen=True, slots=True)
class _Found:
    """What a discovery would have found."""

    accounts: Sequence[Account]
    gone: frozenset[str]
    subscriptions: Sequence[str]
    cloud: str
    is_complete: bool = True
    gaps: Sequence[Gap] = ()


class _Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


async def replay(
    recorded: Recording,
    *,
    judgement: Judgement,
    routing: Routing,
    since: datetime,
    until: datetime,
    progress: Progress = lambda done, total: None,
) -> Replayed:
    """What these rules and routes would have told from `since` to `until` of what is recorded."""
    begins = recorded.begins
    begin = max(since - WARM_UP, begins) if begins is not None else since
    began_before = begins is not None and begins < begin
    player = _Player(recorded, judgement, routing, begin)
    done = list(acts(recorded))
    looks = steps(
        recorded.pasts,
        recorded.judged,
        [*(at for at, _ in done), since],  # the end of a silence is waited for, like that of a mute
        begin=begin,
        end=until,
        before=judgement.cadence.deployments,
    )
    standing: tuple[Alert, ...] = ()
    try:
        player.seed(begin)
        for number, look in enumerate(looks):
            until_next = looks[number + 1].at if number + 1 < len(looks) else until
            is_start = number == 0 and began_before
            await player.look(look, [act for at, act in done if at == look.at], is_start=is_start)
            if is_start:
                player.seed_operators([act for at, act in done if at < look.at])
            elif number == 0:
                player.seed_operators([])
            if look.at == since:
                standing = player.standing()
            await player.wait(until_next)
            progress(number + 1, len(looks))
            await asyncio.sleep(0)
    finally:
        player.close()
    messages = tuple(one for one in player.told if one.created_at > since or (not began_before and begin >= since))
    return Replayed(
        since=since,
        until=until,
        standing=standing,
        messages=messages,
        sent=recorded.sent,
        comparison=compare(entries(messages), entries(recorded.sent)),
        blind=tuple(_blind(recorded, since, begin if began_before else None)),
    )


class _Player:
    """The real cycles, with a record in place of Azure."""

    def __init__(self, recorded: Recording, judgement: Judgement, routing: Routing, begin: datetime) -> None:
        self._recorded = recorded
        self._pasts = {past.account.key: past for past in recorded.pasts}
        self._metered = {key: frozenset(past.metered) for key, past in self._pasts.items()}
        self._judgement = judgement
        self._routing = routing
        self._store = Scratch()
        self._memory = Memory(self._store)
        self._clock = _Clock(begin)
        self._watched: frozenset[str] = frozenset()
        self._wake_at: datetime | None = None
        self._stock_taken_on: date | None = None
        self._blind: set[str] = set()  #: keys of the accounts with gaps
        self.told: list[Notification] = []

    def close(self) -> None:
        self._store.close()

    def seed(self, begin: datetime) -> None:
        self._store.write_now(recording.seed, self._recorded, before=begin)

    def seed_operators(self, done: Iterable[Act]) -> None:
        """What operators had said already when it began. Who was told before a silence is not told after it."""
        self._store.write_now(recording.seed_silences, self._recorded)
        for act in done:
            self._store.write_now(act)

    def standing(self) -> tuple[Alert, ...]:
        """The conditions that hold now."""
        found = self._store.read_now(alerts.unsettled)
        return tuple(one for one in found if not one.is_event and one.status is AlertStatus.FIRING)

    async def look(self, step: Step, done: Iterable[Act], *, is_start: bool) -> None:
        """Do what is due at a step.

        Args:
            is_start: What holds now had been told long ago: no mute holds it back any more.
        """
        self._clock.at = step.at
        done = list(done)
        for act in done:
            self._store.write_now(act)
        is_news = await self._discover() or bool(done) or not step.accounts or is_start
        due = {one.account.key: one for one in await self._store.read(scope.due_accounts)}
        wanted = sorted(key for key in step.accounts & due.keys() if self._pasts[key].was_read(step.at))
        recorded = await asyncio.gather(*(self._poll(due[key]) for key in wanted))
        # Most looks find nothing new; what is said of many accounts changes with their gaps alone.
        is_news |= any(one is not None and (one.transitions or one.alerts) for one in recorded)
        blind = {one.account.key for one in recorded if one is not None and one.gaps}
        is_news |= bool(blind | self._blind.intersection(wanted))
        self._blind = self._blind.difference(wanted) | blind
        if is_news or step.at.date() != self._stock_taken_on:
            self._stock_taken_on = step.at.date()
            await cycles.take_inventory(_no_catalogues, judgement=self._judgement, store=self._store, clock=self._clock)
            is_news = True
        if is_news or (self._wake_at is not None and self._wake_at <= step.at):
            await self._announce(is_start=is_start)

    async def wait(self, until: datetime) -> None:
        """Dispatch again where it asked for that: a group's wait is over, or a mute."""
        while self._wake_at is not None and self._clock.at < self._wake_at < until:
            self._clock.at = self._wake_at
            await self._announce(is_start=False)

    async def _poll(self, due: scope.DueAccount) -> cycles.Recorded | None:
        """All sections but the metrics, which are read at their own pace, and where it is known that they were."""
        key, at = due.account.key, self._clock.at
        sections = EVERYTHING
        if Section.METRICS not in due.sections(at) and at not in self._metered[key]:
            sections = EVERYTHING - {Section.METRICS}
        return await cycles.poll(
            due.account,
            collect=self._collect,
            judgement=self._judgement,
            store=self._store,
            memory=self._memory,
            clock=self._clock,
            sections=sections,
        )

    async def _collect(self, account: Account, known: Known, *, sections: frozenset[Section], at: datetime) -> Snapshot:
        snapshot = self._pasts[account.key].snapshot(at, known=known, sections=sections)
        return replace(snapshot, account=account, deployments=_without_keep_tags(snapshot.deployments))

    async def _discover(self) -> bool:
        """Returns whether an account came or went."""
        at = self._clock.at
        watched = {key for key, past in self._pasts.items() if past.is_watched(at)}
        if watched == self._watched:
            return False
        self._watched = frozenset(watched)
        gone = frozenset(key for key, past in self._pasts.items() if past.is_gone(at))
        accounts = [replace(self._pasts[key].account, provisioning_state="Succeeded") for key in sorted(watched)]
        found = _Found(accounts, gone, self._recorded.subscriptions, self._recorded.cloud)

        async def find(_: Sequence[Account]) -> _Found:
            return found

        await cycles.discover(
            find, judgement=self._judgement, store=self._store, clock=self._clock, read_log=self._read_log
        )
        return True

    async def _read_log(
        self,
        account: Account,
        gone: Sequence[Deployment],
        again: Sequence[Deployment],
        *,
        since: datetime | None,
        at: datetime,
        doubted: Mapping[str, datetime | None],
    ) -> Mapping[str, Departure]:
        said = self._pasts[account.key].departures(at)
        return {one.key: said[one.key] for one in (*gone, *again) if one.key in said}

    async def _announce(self, *, is_start: bool) -> None:
        await cycles.review(
            judgement=self._judgement, store=self._store, clock=self._clock, wall_clock=self._clock, host=""
        )
        plan = await cycles.dispatch(
            routing=replace(self._routing, mutes={}) if is_start else self._routing,
            store=self._store,
            clock=self._clock,
            wall_clock=self._clock,
            immediate=is_start,
        )
        self._wake_at = plan.next_at
        if plan.notifications:
            self.told.extend(plan.notifications)
            await self._store.write(partial(recording.mark_delivered, now=self._clock.at))


async def _no_catalogues(_: Sequence[Account]) -> tuple[Sequence[Retirement], frozenset[str]]:
    """The dates of retirement are those that were read last."""
    return (), frozenset()


def _without_keep_tags(listing: Listing[Deployment] | None) -> Listing[Deployment] | None:
    """Tags are known as they are now alone; that one kept its deployment, the audit has with its time."""
    if listing is None or listing.items is None:
        return listing
    items = (
        replace(one, tags={name: value for name, value in one.tags.items() if name.lower() != KEEP_TAG})
        for one in listing.items
    )
    return replace(listing, items=tuple(items))


def _blind(recorded: Recording, since: datetime, stood_at: datetime | None) -> Iterable[str]:
    """What could not be replayed, the same of many accounts once.

    Args:
        stood_at: When it began, if that was not when the record did: what held then is taken for told at that time.
    """
    begins = recorded.begins
    if begins is None:
        yield "nothing is recorded yet"
        return
    if begins > since:
        yield f"nothing is recorded of the time before {begins:%Y-%m-%d %H:%M} UTC"
    if stood_at is not None:
        yield f"when reminders came of what fired before {stood_at:%Y-%m-%d %H:%M} UTC: they are counted from then"
    accounts: dict[str, list[str]] = {}
    for past in recorded.pasts:
        for what in past.blind(since):
            accounts.setdefault(what, []).append(past.account.label)
    for what, labels in accounts.items():
        yield f"{what} ({few(sorted(labels), 3)})"
    yield "owners, tags and labels are those of now, and dates of retirement those that were read last"
    yield "how deliveries failed, what discovery could not read, and how far clocks were off"
    yield "a watcher that stood still: the replay watches all the time"
