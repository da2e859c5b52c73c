"""What a period's statement is compiled from: all accounts as they were known at one time, with the period's history.

Nothing in it was observed after `as_of`, except where the record cannot tell: tags, owners and regions are as they are
now; an hour whose calls were still coming has as many as came; and the last hours before `as_of` count as read where
anything was read later, so that of a time that the daemon slept through nothing tells once it has woken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from watcher.alerts.keep import Keep
from watcher.alerts.silence import Silence
from watcher.costs.idle import Trickle
from watcher.costs.uses import Answered
from watcher.resources.account import Account
from watcher.resources.changes import Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.resources.lineage import Holding, Inventory
from watcher.resources.snapshot import Gap


class RecordedLife(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a custom deployment that stood at some time of the period, or stands."""

    deployment: Deployment
    first_seen_at: datetime
    #: When it was last seen alive, and when seen to be gone or replaced; `None`: it stood by the newest reading.
    end: tuple[datetime, datetime] | None = None
    #: How it ended: "gone", "replaced", "moved" with its account, or "left" with the scope; "" while it lives.
    outcome: str = ""
    #: Of one that came with an account that was moved: since when it counts under this id, its creation lies before.
    since: datetime | None = None
    departure: Departure | None = None  #: what the activity log said of its end
    paused: tuple[tuple[datetime, datetime | None], ...] = ()
    running_since: datetime | None = None  #: of one that runs and was seen paused in this life
    usage: Usage | None = None  #: of its name; of one that has ended, up to its end
    is_counted_down: bool = False  #: an alert that counts down to its deletion fired at that time
    told_at: datetime | None = None  #: when an alert about its idleness or waste first reached somebody


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJob:
    """A job that ended in the period or later, or is under way."""

    job: FineTuningJob  #: as it was known
    ended_at: datetime | None  #: by the service, else when that was seen; `None`: it is under way
    left_at: datetime | None = None  #: of one that had not ended: since when it is listed no longer
    phases: tuple[Transition, ...] = ()  #: how its status changed, oldest first
    events: tuple[JobEvent, ...] = ()  #: lines of its log that may tell why it ended so, and what was billed


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAccount:
    """One account."""

    holding: Holding  #: as known at the time; its usage and calls are in `lives` and `answered`
    usage_at: datetime | None = None  #: when its metrics were read last
    lives: tuple[RecordedLife, ...] = ()
    jobs: tuple[RecordedJob, ...] = ()
    #: By deployment's name in lower case: of the period and the last month; "": calls that bear no name.
    answered: Mapping[str, Answered] = field(default_factory=dict)
    #: The same, of calls that may be answered ones of a deployment: of unknown status, or of no name.
    unclear: Mapping[str, Answered] = field(default_factory=dict)
    closed: tuple[tuple[Gap, datetime], ...] = ()  #: gaps that were open in the period and have closed, with when
    removed_at: datetime | None = None  #: when it left the scope; `None`: it is watched
    is_gone: bool = False  #: since its own address answered 404: it was deleted, or moved to another id

    @property
    def account(self) -> Account:
        return self.holding.account


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # compared by identity: it is long
class Records:
    """All accounts, and what operators said."""

    as_of: datetime
    accounts: Sequence[RecordedAccount]  #: by label
    inventory: Inventory  #: of what exists, as known at the time
    keeps: tuple[Keep, ...] = ()  #: that had been said by then, with those that ran out in the period
    silences: tuple[Silence, ...] = ()  #: that were active then
    undiscovered: tuple[Gap, ...] = ()  #: what discovery could not read, so that accounts may be missing
    #: For which the calls were loaded: what was called more often in the period was loaded no further back, as that
    #: tells already that it is none.
    trickle: Trickle = field(default_factory=Trickle)
    begins: datetime | None = None  #: when the first account was seen; `None`: none ever was
    #: What was worked out of it, kept for the next edition.
    worked_out: dict[object, object] = field(default_factory=dict, repr=False)
