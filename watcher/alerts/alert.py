"""An alert: a finding with a life. Resolved is a time, not a flag; muting is no state of it."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watcher.rules.finding import Finding, FindingKind, Severity, Subject


class AlertStatus(StrEnum):
    """What an alert does now."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One finding, from when it fired to when it ended. An event never ends: it happened."""

    id: str  #: of this life; a condition that fires again later gets another
    fingerprint: str  #: the same whenever the same rule finds the same subject
    finding: Finding  #: as last found
    account: str  #: key of the account; "" where it spans accounts
    starts_at: datetime
    ends_at: datetime | None = None
    ended_because: str = ""
    updated_at: datetime  #: when severity, step or texts last changed
    #: When a countdown's step last moved on or, without one, the severity last went up; `starts_at` until then, and
    #: again from when the countdown was put off.
    raised_at: datetime
    unverified_since: datetime | None = None  #: what it rests on was last read then; `None`: verified
    unverified_because: str = ""
    is_first_sight: bool = False  #: held already when its account was first read
    acked_at: datetime | None = None
    acked_by: str = ""

    @property
    def status(self) -> AlertStatus:
        return AlertStatus.FIRING if self.ends_at is None else AlertStatus.RESOLVED

    @property
    def is_event(self) -> bool:
        return self.finding.kind is FindingKind.EVENT

    @property
    def severity(self) -> Severity:
        return self.finding.severity

    @property
    def labels(self) -> dict[str, str]:
        """What routes, silences and inhibitions match: the finding's labels, the rule and the severity."""
        return {**self.finding.labels, "rule": self.finding.rule, "severity": self.finding.severity.value}


def fingerprint(rule: str, subject: Subject) -> str:
    """Who and what, never how bad or whose: 32 hex digits."""
    text = "\x1f".join((rule, subject.id.lower(), subject.kind, subject.incarnation))
    # A name may hold half of a character pair, which UTF-8 has no bytes for.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def open_alert(finding: Finding, *, account: str, now: datetime, is_first_sight: bool = False) -> Alert:
    """A new alert. Two processes that open the same one at the same time give it the same id."""
    print_ = fingerprint(finding.rule, finding.subject)
    digest = hashlib.sha256(f"{print_}\x1f{now.isoformat()}".encode()).hexdigest()[:16]
    return Alert(
        id=f"alr_{digest}",
        fingerprint=print_,
        finding=finding,
        account=account,
        starts_at=now,
        updated_at=now,
        raised_at=now,
        is_first_sight=is_first_sight,
    )


def end(alert: Alert, *, now: datetime, because: str) -> Alert:
    """The alert, resolved at `now`."""
    return replace(
        alert, ends_at=now, ended_because=because, updated_at=now, unverified_since=None, unverified_because=""
    )
