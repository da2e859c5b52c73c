"""Times and words of the whole: when discovery last ran, when a cycle was last complete, what the daemon is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, select

from watcher.resources.snapshot import Gap
from watcher.rules.rule import HostClock
from watcher.store import schema
from watcher.store.upsert import upsert

#: Names of the rows.
DISCOVERED = "discovered"  #: its word: see `DiscoveryState`; "" after a complete discovery
CYCLE_COMPLETED = "cycle.completed"
INVENTORY = "inventory"  #: its word says of what the newest was taken
RETIREMENTS = "retirements"  #: when the catalogues of the regions were last read
CALLS_KEPT_SINCE = "calls.kept_since"  #: calls of the time before were let go of
_CLOCK = "clock.skew "  #: and the host's name; its word: seconds that the host's clock is ahead of the service's


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryState:
    """What the newest discovery could not read, and where it asked."""

    gaps: tuple[Gap, ...] = ()  #: each dated from when it was first met
    subscriptions: tuple[str, ...] = ()
    cloud: str = "public"


_DISCOVERY = msgspec.json.Decoder(DiscoveryState)


def put(tx: Connection, name: str, *, at: datetime, value: str = "") -> None:
    """Remember a time, and a word with it."""
    upsert(tx, schema.state, {"name": name}, {"at": at, "value": value})


def at(tx: Connection, name: str) -> datetime | None:
    """The remembered time, or `None`."""
    found: datetime | None = tx.execute(select(schema.state.c.at).where(schema.state.c.name == name)).scalar()
    return found


def value(tx: Connection, name: str) -> str:
    """The remembered word, or ""."""
    return tx.execute(select(schema.state.c.value).where(schema.state.c.name == name)).scalar() or ""


#: A machine of which nothing was heard for so long, while another goes on, watches no more or bears another name now.
_CLOCK_KEPT_FOR = timedelta(days=1)


def put_clock(tx: Connection, clock: HostClock) -> None:
    """Remember how far a machine's clock is ahead of the service's, and forget machines that are heard of no more."""
    put(tx, _CLOCK + clock.host, at=clock.at, value=f"{clock.skew.total_seconds():.1f}")
    for other in clocks(tx):
        if clock.measured_at - other.measured_at > _CLOCK_KEPT_FOR:
            tx.execute(delete(schema.state).where(schema.state.c.name == _CLOCK + other.host))


def clocks(tx: Connection) -> tuple[HostClock, ...]:
    """How far the clocks of the machines that watch are ahead of the service's, as last measured, by name."""
    c = schema.state.c
    rows = tx.execute(select(c.name, c.at, c.value).where(c.name.startswith(_CLOCK)).order_by(c.name))
    return tuple(
        HostClock(host=name.removeprefix(_CLOCK), skew=timedelta(seconds=float(seconds)), at=at)
        for name, at, seconds in rows
    )


def clock(tx: Connection, host: str) -> HostClock | None:
    """The clock of one machine; `None`: it was never measured."""
    return next((one for one in clocks(tx) if one.host == host), None)


def put_discovery(
    tx: Connection, gaps: Iterable[Gap], *, cloud: str, subscriptions: Sequence[str], at: datetime
) -> None:
    """Remember that discovery ran, and what it could not read."""
    first_met = {(gap.subject, gap.reason): gap.at for gap in discovery_gaps(tx)}
    dated = tuple(replace(gap, at=min(gap.at, first_met.get((gap.subject, gap.reason), gap.at))) for gap in gaps)
    found = DiscoveryState(gaps=dated, subscriptions=tuple(subscriptions), cloud=cloud)
    put(tx, DISCOVERED, at=at, value=msgspec.json.encode(found).decode() if dated else "")


def discovery(tx: Connection) -> DiscoveryState:
    """What the newest discovery could not read; nothing where none has run, or an older watcher noted no more."""
    try:
        return _DISCOVERY.decode(value(tx, DISCOVERED) or "{}")
    except msgspec.MsgspecError:
        return DiscoveryState()


def discovery_gaps(tx: Connection) -> tuple[Gap, ...]:
    """What the newest discovery could not read, each dated from when it was first met."""
    return discovery(tx).gaps
