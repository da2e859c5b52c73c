"""What dispatch read last, kept by one process between its runs: thousands of alerts may stand open, and few change.

An alert of which nobody lacks anything is at rest until it changes, is told, or its reminder is due; the others are
awake, and alone are planned for. What is at rest may keep others quiet all the same.

Nothing here is needed for correctness: an empty memory costs time, and what changed since is known by stamps and by the
places of what was told. Even so all is read anew from time to time.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import told_rows
from watcher.alerts.inhibition import LINGER
from watcher.alerts.keep import Keep
from watcher.alerts.matcher import matches
from watcher.alerts.notification import Told
from watcher.alerts.routing import Routing
from watcher.alerts.silence import Silence
from watcher.store import alerts, grounds, operators, outbox, tellings
from watcher.store.grounds import Grounds
from watcher.store.outbox import Delivery

#: All is read anew, and all is decided anew, after so long.
TRUSTED_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a decision rests on, beside the time and the routing; equal where all of it is the same."""

    unsettled: tuple[int, int]
    last_told: int
    last_decided: int
    silences: tuple[Silence, ...]
    keeps: tuple[Keep, ...]


def look(tx: Connection, now: datetime) -> Grounds:
    """What is stored, at a glance."""
    return grounds.grounds(tx, now, ended_since=now - LINGER)


def mark(tx: Connection, now: datetime, found: Grounds | None = None) -> Mark:
    """The mark of what is stored."""
    found = found or look(tx, now)
    return Mark(
        unsettled=(found.unsettled, found.stamps),
        last_told=found.last_told,
        last_decided=found.last_decided,
        silences=operators.silences(tx, since=now) if found.silences else (),
        keeps=operators.keeps(tx, since=now) if found.keeps else (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A decision by which nobody was told anything: it stands until something changes, or its time comes."""

    mark: Mark
    routing: Routing
    at: datetime
    next_at: datetime | None

    def holds(self, routing: Routing, now: datetime) -> bool:
        """Whether it still stands, if the mark is the same."""
        ends_at = self.at + TRUSTED_FOR if self.next_at is None else min(self.next_at, self.at + TRUSTED_FOR)
        return routing is self.routing and self.at <= now < ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What there is to plan for."""

    awake: tuple[Alert, ...]
    told: tuple[Told, ...]  #: of those
    bystanders: tuple[Alert, ...]  #: at rest, and they may keep others quiet
    groups: Mapping[tuple[str, str], datetime]
    lost: frozenset[str]  #: ids of the notifications that were given up; known where something escalates


@dataclass(slots=True)
class Recall:
    """One for each process and store. Not for two runs at once."""

    quiet: Quiet | None = None  #: the last decision, where it was such a one
    _read_at: datetime | None = None  #: when all was read
    _routing: Routing | None = None  #: by which it is known what is at rest
    _alerts: dict[str, tuple[int, Alert]] = field(default_factory=dict)  #: by id, with the stamp
    _stamps: int = 0  #: the sum of those
    _newest: int = 0  #: the greatest of them, of all that were ever read
    _told: dict[str, tuple[Told, ...]] = field(default_factory=dict)
    _groups: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _last_decided: int = 0
    _lost: frozenset[str] = frozenset()
    _awake: set[str] = field(default_factory=set)
    _rests_until: dict[str, datetime | None] = field(default_factory=dict)
    _wakes: list[tuple[datetime, str]] = field(default_factory=list)  #: a heap; some of it is out of date
    _sources: dict[str, Alert] = field(default_factory=dict)  #: those that may keep others quiet
    _unread: frozenset[str] = frozenset()  #: ids of the silences that cannot be read

    def forget(self) -> None:
        """Read all anew next time: what was read may never have been committed."""
        self.quiet, self._read_at = None, None

    def newly_unread(self, silences: Iterable[Silence]) -> tuple[Silence, ...]:
        """Those that cannot be read, each once in the life of the process."""
        found = {silence.id: silence for silence in silences if silence.unread_because}
        fresh = tuple(silence for id_, silence in found.items() if id_ not in self._unread)
        self._unread |= found.keys()
        return fresh

    @property
    def next_at(self) -> datetime | None:
        """When the first of those at rest wakes by itself."""
        while self._wakes and self._rests_until.get(self._wakes[0][1]) != self._wakes[0][0]:
            heapq.heappop(self._wakes)
        return self._wakes[0][0] if self._wakes else None

    def read(self, tx: Connection, found: Grounds, routing: Routing, now: datetime) -> Known:
        """What planning needs, of what is new and of what is awake; `found` was read before in this transaction."""
        is_trusted = self._read_at is not None and timedelta() <= now - self._read_at < TRUSTED_FOR
        if not is_trusted or routing is not self._routing or found.last_decided < self._last_decided:
            self._begin(tx, found, routing, now)
        # What comes between two of these reads is read twice, or again next time; nothing is missed.
        fresh, told = self._take_changes(tx, found)
        self._take_told(tx, found, fresh, told)
        if any(route.escalate_to for route in routing.root.walk()):
            self._lost = tellings.lost(tx)  # it says how an escalation is worded, and not when it is due
        while (at := self.next_at) is not None and at <= now:
            self._wake(heapq.heappop(self._wakes)[1])
        awake = tuple(self._alerts[id_][1] for id_ in self._awake)
        return Known(
            awake=awake,
            told=tuple(row for alert in awake for row in self._told.get(alert.id, ())),
            bystanders=tuple(alert for id_, alert in self._sources.items() if id_ not in self._awake),
            groups=self._groups,
            lost=self._lost,
        )

    def note(
        self, *, at_rest: Mapping[str, datetime | None], told: Iterable[Delivery], settled: Collection[str]
    ) -> None:
        """What was decided, in the same transaction: it is known without being read.

        Args:
            at_rest: See `Plan.at_rest`.
            told: What was added to the outbox.
        """
        for id_, until in at_rest.items():
            self._awake.discard(id_)
            self._rests_until[id_] = until
            if until is not None:
                heapq.heappush(self._wakes, (until, id_))
        for one in told:
            self._last_decided = max(self._last_decided, one.sequence)
            self._note_group(one.notification.receiver, one.notification.group_key, one.notification.created_at)
            self._append(told_rows(one.notification))
        for id_ in settled:
            self._drop(id_)

    def _begin(self, tx: Connection, found: Grounds, routing: Routing, now: datetime) -> None:
        longest = max(route.group_interval for route in routing.root.walk())
        self._read_at, self._routing, self._groups = now, routing, outbox.groups(tx, since=now - longest)
        self._stamps, self._newest, self._last_decided = 0, 0, found.last_decided
        for memory in (self._alerts, self._told, self._awake, self._rests_until, self._wakes, self._sources):
            memory.clear()

    def _take_changes(self, tx: Connection, found: Grounds) -> tuple[frozenset[str], frozenset[str]]:
        """Read the alerts that are new or changed; returns their ids, and of these those of which somebody was told."""
        if (found.unsettled, found.stamps) == (len(self._alerts), self._stamps):
            return frozenset(), frozenset()
        fresh, told = alerts.changed_since(tx, self._newest)  # all of them, where nothing is known yet
        if not self._adds_up(found, fresh):
            stamps = alerts.stamps(tx)
            for id_ in self._alerts.keys() - stamps.keys():
                self._drop(id_)
            changed = [id_ for id_, stamp in stamps.items() if self._stamp(id_) != stamp]
            fresh = {alert.id: (stamps[alert.id], alert) for alert in alerts.of_ids(tx, changed)}
            told = frozenset(fresh)
        for id_, (stamp, alert) in fresh.items():
            self._drop(id_)
            self._alerts[id_] = (stamp, alert)
            self._stamps += stamp
            self._newest = max(self._newest, stamp)
            self._awake.add(id_)
            if self._may_inhibit(alert):
                self._sources[id_] = alert
        return frozenset(fresh), told

    def _adds_up(self, found: Grounds, fresh: Mapping[str, tuple[int, Alert]]) -> bool:
        """Whether these are all the changes since."""
        count = len(self._alerts) + sum(id_ not in self._alerts for id_ in fresh)
        stamps = self._stamps + sum(stamp - (self._stamp(id_) or 0) for id_, (stamp, _) in fresh.items())
        return (found.unsettled, found.stamps) == (count, stamps)

    def _stamp(self, id_: str) -> int | None:
        return self._alerts[id_][0] if id_ in self._alerts else None

    def _may_inhibit(self, alert: Alert) -> bool:
        if alert.is_event or alert.status is not AlertStatus.FIRING or self._routing is None:
            return False
        labels = alert.labels
        return any(matches(rule.source, labels) for rule in self._routing.inhibitions)

    def _take_told(self, tx: Connection, found: Grounds, fresh: frozenset[str], told: frozenset[str]) -> None:
        if found.last_decided != self._last_decided:
            self._append(row for row in tellings.after(tx, self._last_decided) if row.alert_id not in fresh)
            for (receiver, key), at in grounds.groups_after(tx, self._last_decided).items():
                self._note_group(receiver, key, at)
        self._last_decided = found.last_decided
        for row in tellings.for_planning(tx, told):
            self._told[row.alert_id] = (*self._told.get(row.alert_id, ()), row)

    def _append(self, rows: Iterable[Told]) -> None:
        for row in rows:
            if row.alert_id in self._alerts:
                self._told[row.alert_id] = (*self._told.get(row.alert_id, ()), row)
                self._wake(row.alert_id)

    def _note_group(self, receiver: str, key: str, at: datetime) -> None:
        self._groups[receiver, key] = max(at, self._groups.get((receiver, key), at))

    def _wake(self, id_: str) -> None:
        self._rests_until.pop(id_, None)
        self._awake.add(id_)

    def _drop(self, id_: str) -> None:
        stamp, _ = self._alerts.pop(id_, (0, None))
        self._stamps -= stamp
        for memory in (self._told, self._rests_until, self._sources):
            memory.pop(id_, None)
        self._awake.discard(id_)
