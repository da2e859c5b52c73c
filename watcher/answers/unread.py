"""What of a dossier could not be read: what mends that, and which alert tells of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.inhibition import Inhibitor
from watcher.alerts.routing import Routing
from watcher.answers.dossier import Dossier
from watcher.resources.snapshot import Gap, Section
from watcher.rules.accounts import cure_of, plane_subject, rule_of
from watcher.store import alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Something that could not be read."""

    gap: Gap
    cure: str  #: what mends it; "": nothing is known to help but waiting
    alert: Alert | None  #: the one that fires about it
    cause: Alert | None  #: what explains that one, and is told in its place; `None`: it stands for itself

    @property
    def told_by(self) -> Alert | None:
        """The alert that is told."""
        return self.cause or self.alert

    @property
    def first_step(self) -> str:
        """The first line of the cure, with the command that it announces."""
        lines = self.cure.split("\n")
        return "\n".join(lines[: 2 if lines[0].endswith(":") else 1])


def unread(tx: Connection, dossier: Dossier, routing: Routing | None) -> Iterator[Unread]:
    """One for each gap of a dossier.

    Args:
        routing: Says what explains what.
    """
    account = dossier.account
    if account is None or not dossier.gaps:
        return
    firing = alerts.firing(tx, account.key)
    inhibitor = None
    for gap in dossier.gaps:
        rule, subject = rule_of(gap.reason), plane_subject(account, gap.plane)
        # Of checkpoints and curves alone no alert tells.
        about = (one for one in firing if one.finding.rule == rule and one.finding.subject == subject)
        alert = None if gap.section is Section.TRAINING else next(about, None)
        if alert is not None and inhibitor is None and routing is not None:
            inhibitor = Inhibitor(routing.inhibitions, alerts.listed(tx, firing_only=True))
        yield Unread(
            gap=gap,
            cure=cure_of(account, gap.section, gap.reason),
            alert=alert,
            cause=inhibitor.first_cause(alert) if inhibitor is not None and alert is not None else None,
        )
