"""What `watcher` itself cannot do: a configuration that was refused, told by whoever met it, and receivers that take no
messages."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject
from watcher.rules.rule import ChannelState, Fleet
from watcher.rules.text import counted, duration, moment, rfc3339

CONFIGURATION_REJECTED = "configuration_rejected"


def configuration_rejected(problem: str, path: str, now: datetime) -> Finding:
    """That a reload was refused and the old configuration stays in force; one subject, so one alert.

    Args:
        problem: What is wrong, without any value that may be secret; may have several lines.
        path: The configuration file.
    """
    lines = problem.strip().splitlines() or ["it could not be read"]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return Finding(
        rule=CONFIGURATION_REJECTED,
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=Subject(id="configuration", kind=ResourceKind.WATCHER),
        labels={},
        summary=f"The configuration {path} was refused: {lines[0]}{more}",
        description="\n".join((*lines, "The configuration in force before stays in force.")),
        action=f"Mend it, try it with `watcher check-config --config {path}`, and reload again (SIGHUP).",
        evidence=f"read {moment(now)}",
        occurred_at=now,
    )


#: So long a message that died is told even where others were taken after it.
_FRESH = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailing:
    """Finds receivers at which a message died, or which have not taken one for `after` though they were asked to."""

    name: ClassVar[str] = "delivery_failing"

    after: timedelta = timedelta(hours=1)

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        for channel in fleet.channels:
            yield self._judge(channel)

    def _judge(self, channel: ChannelState) -> Answer:
        subject = Subject(id=f"receiver {channel.receiver}", kind=ResourceKind.WATCHER)
        lasts = channel.failing_since is not None and channel.failing_for >= self.after
        if lasts or _lost_one(channel) or self._keeps_one(channel):
            return self._finding(channel, subject)
        if channel.failing_since is not None:
            because = f"no message is given up there any more, and it has not failed for {duration(self.after)} yet"
        elif channel.last_ok_at is not None:
            because = f"it last took a message {moment(channel.last_ok_at)}"
        else:
            because = "no message is given up there any more"
        return Cleared(rule=self.name, subject=subject, because=because)

    def _keeps_one(self, channel: ChannelState) -> bool:
        """Whether one message fails all the time, by its own fault or the notifier's: its channel may look well."""
        return channel.stuck_since is not None and channel.stuck_for >= self.after

    def _finding(self, channel: ChannelState, subject: Subject) -> Finding:
        name, counts = channel.receiver, f"{channel.waiting} waiting, {channel.dead} dead"
        if channel.failing_since is not None:
            since = moment(channel.failing_since)
            summary = f"Receiver {name} has taken no message since {since}: {channel.because}; {counts}"
        elif _lost_one(channel):
            summary = f"{name} was not told something: {channel.died_because}; {counts}"
        else:
            waiting = f"a message that waits since {moment(channel.stuck_since)}"
            summary = f"{name} does not take {waiting}: {channel.stuck_because}; {counts}"
        taken = "never, as far as is on record" if channel.last_ok_at is None else moment(channel.last_ok_at)
        quoted = shlex.quote(name)
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.CRITICAL,
            subject=subject,
            labels={"receiver": name},
            summary=summary,
            description="What waits is tried again, up to 72 h after it was decided; what is dead is not. What dies "
            "there is told to the fallback of its route, where one is configured.",
            action=f"See what does not arrive, and find out whether it works:\nwatcher outbox list\n"
            f"watcher notify test {quoted}\nOnce it does, send what is waiting or dead at once:\nwatcher outbox retry",
            evidence=f"{counted(channel.failures, 'failure')} in a row; last taken: {taken}",
            values={"waiting": channel.waiting, "dead": channel.dead, "last_taken_at": rfc3339(channel.last_ok_at)},
            occurred_at=channel.failing_since or channel.died_at or channel.stuck_since,
        )


def _lost_one(channel: ChannelState) -> bool:
    """Whether a message died there and nothing was taken since, or it died only just now."""
    if not channel.dead or channel.died_at is None:
        return False
    return channel.last_ok_at is None or channel.died_at >= channel.last_ok_at or channel.died_for < _FRESH
