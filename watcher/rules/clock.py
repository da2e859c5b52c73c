"""The rule about this machine's own clock: by it the ages and deadlines are reckoned that every message tells."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.rule import Fleet
from watcher.rules.text import ago, duration, moment, rfc3339

#: A measurement says nothing of a clock that may have been set since.
_GOOD_FOR = timedelta(hours=1)

_SUBJECT = Subject(id="clock", kind=ResourceKind.WATCHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkewed:
    """Finds this machine's clock ahead of the service's, or behind it, by at least `after`."""

    name: ClassVar[str] = "clock_skewed"

    after: timedelta = timedelta(minutes=2)

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        skew, at = fleet.skew, fleet.skew_at
        if skew is None:
            yield Undecided(rule=self.name, subject=_SUBJECT, because="no answer of Azure has told its time yet")
            return
        found = self._finding(fleet, skew) if abs(skew) >= self.after else None
        if at is not None and fleet.now - at > _GOOD_FOR:
            because = f"the service's clock was last seen {moment(at)}"
            yield Undecided(rule=self.name, subject=_SUBJECT, because=because, since=at, on_last_evidence=found)
        elif found is not None:
            yield found
        else:
            because = f"the clock is {_off(skew)}" if duration(abs(skew)) != "0 s" else "the clock is right"
            yield Cleared(rule=self.name, subject=_SUBJECT, because=because)

    def _finding(self, fleet: Fleet, skew: timedelta) -> Finding:
        effect = (
            "Ages come out too long and countdowns too short: warnings come early"
            if skew > timedelta()
            else "Ages come out too short and countdowns too long: warnings come late, or after a deletion"
        )
        at = f", measured {moment(fleet.skew_at)} ({ago(fleet.skew_at, fleet.now)})" if fleet.skew_at else ""
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=_SUBJECT,
            labels={},
            summary=f"The clock of the machine that watcher runs on is {_off(skew)}",
            description=f"{effect}. Times that Azure itself states are right; those that watcher states, such as when "
            f"something was seen, are off by {duration(abs(skew))}. Tokens and signatures may be refused.",
            action="Set the clock there by NTP. Where systemd keeps it:\ntimedatectl status\ntimedatectl set-ntp true\n"
            "In a container or virtual machine, look at the host's clock.",
            evidence=f"this clock less the Date of Azure's answers, the median of the newest: "
            f"{skew.total_seconds():+.0f} s{at}",
            values={"skew_seconds": int(skew.total_seconds()), "skew_at": rfc3339(fleet.skew_at)},
        )


def _off(skew: timedelta) -> str:
    return f"{duration(abs(skew))} {'ahead of' if skew > timedelta() else 'behind'} Azure's"
