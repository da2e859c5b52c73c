"""What a rule answers: a finding, an all-clear with its cause, or that it cannot say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from watcher.resources.changes import ResourceKind


class Severity(StrEnum):
    """How loud. Ordered by `rank`."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class FindingKind(StrEnum):
    """How long it lasts."""

    EVENT = "event"  #: happened: told once, never repeated, never resolved
    CONDITION = "condition"  #: holds for as long as its rule finds it, and is resolved to those who were told


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about; with the rule's name it is the alert's identity.

    Severity, owner, tags and text are no part of it: they may change while the alert stays the same.
    """

    id: str  #: ARM id in lower case (of a job: its account's); for what has no ARM id, a stable word
    kind: ResourceKind
    incarnation: str = ""  #: deployments: which life; jobs: the job's id; accounts and regions: the plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that deserves attention."""

    rule: str
    kind: FindingKind
    severity: Severity
    subject: Subject
    labels: Mapping[str, str]  #: identity and routing, of low variety; `rule` and `severity` are added by the alert
    summary: str  #: one line, plain text
    description: str = ""  #: plain text, a few lines at most
    action: str = ""  #: what to do, with the exact command or request
    evidence: str = ""  #: the inputs and their age, and what is assumed
    values: Mapping[str, str | float | int | None] = field(default_factory=dict)  #: times as RFC 3339 with `Z`
    links: Mapping[str, str] = field(default_factory=dict)
    #: The step of a countdown that was crossed, as configured ("3d"; "overdue" past the end); "" where there is none.
    #: Crossing one tells at once, and nothing else reminds of a countdown.
    step: str = ""
    occurred_at: datetime | None = None  #: when it happened or began by the service's word; `None`: when it was seen
    is_older: bool = False  #: it was only first seen at `occurred_at`, and may have begun before


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The rule cannot say, because what it needs was not read.

    Nothing new fires and nothing resolves. An alert that fires goes on along `on_last_evidence`, marked "not verified".
    """

    rule: str
    subject: Subject | None  #: `None`: every subject of this rule in the account
    because: str
    since: datetime | None = None  #: when what it needs was last read
    on_last_evidence: Finding | None = None


class Cleared(NamedTuple):
    """The rule looked and found nothing, and can say why: "called again at …". Absence of any answer clears too."""

    rule: str
    subject: Subject
    because: str


Answer = Finding | Undecided | Cleared
