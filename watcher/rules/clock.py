"""The rule about the clocks of the machines that watch: by them the ages and deadlines of all messages are reckoned."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.rule import Fleet, HostClock
from watcher.rules.text import ago, duration, moment, rfc3339

#: A measurement says nothing of a clock that may have been set since.
_GOOD_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkewed:
    """Finds a machine's clock ahead of the service's, or behind it, by at least `after`."""

    name: ClassVar[str] = "clock_skewed"

    after: timedelta = timedelta(minutes=2)

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        if not fleet.clocks:
            yield Undecided(rule=self.name, subject=None, because="no answer of Azure has told its time yet")
        own = next((clock.skew for clock in fleet.clocks if clock.host == fleet.host), timedelta())
        for clock in fleet.clocks:
            yield self._judge(clock, now=fleet.now - own + clock.skew)

    def _judge(self, clock: HostClock, *, now: datetime) -> Answer:
        """What is to be said of one clock, at `now` by that very clock."""
        skew, subject = clock.skew, Subject(id=f"clock {clock.host}", kind=ResourceKind.WATCHER)
        found = self._finding(clock, subject, now) if abs(skew) >= self.after else None
        if now - clock.at > _GOOD_FOR:
            because = f"the service's clock was last seen {moment(clock.at)}"
            return Undecided(rule=self.name, subject=subject, because=because, since=clock.at, on_last_evidence=found)
        if found is not None:
            return found
        because = f"the clock is {_off(skew)}" if duration(abs(skew)) != "0 s" else "the clock is right"
        return Cleared(rule=self.name, subject=subject, because=because)

    def _finding(self, clock: HostClock, subject: Subject, now: datetime) -> Finding:
        skew = clock.skew
        effect = (
            "Ages come out too long and countdowns too short: warnings come early"
            if skew > timedelta()
            else "Ages come out too short and countdowns too long: warnings come late, or after a deletion"
        )
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=subject,
            labels={"host": clock.host},
            summary=f"The clock of {clock.host}, where watcher runs, is {_off(skew)}",
            description=f"{effect}. Times that Azure itself states are right; those that watcher states, such as when "
            f"something was seen, are off by {duration(abs(skew))}. Tokens and signatures may be refused.",
            action="Set the clock there by NTP. Where systemd keeps it:\ntimedatectl status\ntimedatectl set-ntp true\n"
            "In a container or virtual machine, look at the host's clock.",
            evidence=f"this clock less the Date of Azure's answers, the median of the newest: "
            f"{skew.total_seconds():+.0f} s, measured {moment(clock.at)} ({ago(clock.at, now)})",
            values={"skew_seconds": int(skew.total_seconds()), "skew_at": rfc3339(clock.at)},
        )


def _off(skew: timedelta) -> str:
    return f"{duration(abs(skew))} {'ahead of' if skew > timedelta() else 'behind'} Azure's"
