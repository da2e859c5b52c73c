"""Faults: which requests go wrong, when, and how.

A `Fault` matches requests and names effects; a `FaultBook` holds those in force and counts how often each struck.
How an effect looks on the wire is `wire`'s business.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

Plane = Literal["arm", "data", "metrics", "activity", "prices", "costs", "*"]
Paging = Literal["short", "endless"]
Body = Literal["error", "html", "empty", "garbage", "wrong_types", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """A body that arrives `bytes` at a time, `every` so many real seconds."""

    bytes: int = 16
    every: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A match (all that is given must hold) and its effects (all that are given happen).

    `from_` and `until` are simulated, since the scenario's start; `delay` and `drip` are real seconds.
    """

    plane: Plane = "*"
    account: str = "*"  # glob over the account's name; a request about no account matches only "*"
    path: str = ""  # substring of the request's path, without case
    api: str = "*"  # glob over the operation's name, such as "jobs", "deployment*", "metrics"
    from_: timedelta | None = None
    until: timedelta | None = None
    times: int | None = None  # strikes at most so often; None: always

    status: int | None = None  # answered instead of the real answer
    body: Body | None = None  # None: "error" with a `status`, else the real body
    code: str | None = None  # error code in place of the usual one for the status
    message: str | None = None
    retry_after: float | None = None  # `Retry-After`, seconds
    retry_after_date: float | None = None  # `Retry-After`, as an HTTP date so many simulated seconds ahead
    retry_after_ms: int | None = None  # `retry-after-ms`
    delay: float = 0.0
    hang: bool = False  # never answers
    reset: bool = False  # the connection is reset before an answer
    drip: Drip | None = None
    truncate: bool = False  # half of the promised body, then the connection closes
    date_skew: timedelta | None = None  # on the `Date` header
    metric: str = "*"  # glob: the metrics that the next four are about
    metric_error: str | None = None  # their `errorCode`, without series
    metrics_delay: timedelta | None = None  # instead of the scenario's
    gap: tuple[timedelta, timedelta] | None = None  # calls of that time, since the scenario's start, are missing
    gap_points: Literal["absent", "blank"] = "blank"  # no points at all in a gap, or points without a number
    paging: Paging | None = None  # short: a list's first page claims to be the last; endless: no page does
    hide: tuple[str, ...] = ()  # globs: names (or ids) silently missing from lists
    hidden_status: int = 403  # what a GET of a hidden resource's own address answers; 200: the resource

    def matches(self, *, plane: str, account: str, path: str, api: str, moment: timedelta) -> bool:
        """Whether a request falls under this fault; how often it struck is not asked here."""
        return (
            self.plane in ("*", plane)
            and fnmatchcase(account.lower(), self.account.lower())
            and fnmatchcase(api, self.api)
            and self.path.lower() in path.lower()
            and (self.from_ is None or moment >= self.from_)
            and (self.until is None or moment < self.until)
        )

    def concerns(self, metric: str) -> bool:
        """Whether what this fault does to metrics, it does to that one."""
        return fnmatchcase(metric.lower(), self.metric.lower())

    def hides(self, *names: str) -> bool:
        """Whether a resource known by any of `names` is left out of lists."""
        return any(fnmatchcase(name.lower(), glob.lower()) for name in names for glob in self.hide)


class FaultBook:
    """The faults in force. Faults can be added and removed while the simulator runs."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._entries: list[_Entry] = [_Entry(fault) for fault in faults]

    def __iter__(self) -> Iterator[Fault]:
        return (entry.fault for entry in self._entries)

    def add(self, *faults: Fault) -> None:
        """Put faults in force, after those that already are."""
        self._entries.extend(_Entry(fault) for fault in faults)

    def clear(self) -> None:
        """Everything works again."""
        self._entries.clear()

    def remove(self, fault: Fault) -> None:
        """Lift one fault; without effect when it is not in force."""
        self._entries = [entry for entry in self._entries if entry.fault != fault]

    def strike(self, *, plane: str, account: str, path: str, api: str, moment: timedelta) -> tuple[Fault, ...]:
        """The faults that hit this request, oldest first. Each counts as having struck once more."""
        hits = []
        for entry in self._entries:
            fault = entry.fault
            spent = fault.times is not None and entry.strikes >= fault.times
            if not spent and fault.matches(plane=plane, account=account, path=path, api=api, moment=moment):
                entry.strikes += 1
                hits.append(fault)
        return tuple(hits)

    def strikes(self, fault: Fault) -> int:
        """How many requests this fault has hit."""
        return sum(entry.strikes for entry in self._entries if entry.fault == fault)


@dataclass(slots=True)
class _Entry:
    fault: Fault
    strikes: int = 0
