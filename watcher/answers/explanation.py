"""What `explain` says beside a dossier: what mends that something was not seen, who tells of it, and a job's cost."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.answers import sheets
from watcher.answers.dossier import Dossier
from watcher.answers.dossier_record import dossier_record
from watcher.answers.sheets import BookOf
from watcher.costs.training import Spent
from watcher.report.records import Record
from watcher.report.render.statement_record import money_record
from watcher.resources.account import Account
from watcher.resources.snapshot import PLANE_OF, Gap, GapReason, Section
from watcher.rules.accounts import (
    REFUSED,
    THROTTLED,
    UNREACHABLE,
    AccountForbidden,
    AccountThrottled,
    AccountUnreachable,
    plane_subject,
)
from watcher.rules.cures import cure, reach
from watcher.store import alerts

_TELLS = (
    (REFUSED, AccountForbidden.name),
    (UNREACHABLE, AccountUnreachable.name),
    (THROTTLED, AccountThrottled.name),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Something that could not be read."""

    gap: Gap
    cure: str  #: what mends it; "": nothing is known to help but waiting
    alert: Alert | None  #: the one that fires about it

    @property
    def first_step(self) -> str:
        """The first line of the cure, with the command that it announces."""
        lines = self.cure.split("\n")
        return "\n".join(lines[: 2 if lines[0].endswith(":") else 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A dossier, and what stands beside it."""

    dossier: Dossier
    unread: tuple[Unread, ...]  #: one for each of its gaps
    cost: Spent | None  #: `None`: it is about no job

    def record(self) -> Record:
        """For programs."""
        return {
            **dossier_record(self.dossier),
            "unread": [
                {
                    "section": one.gap.section.value,
                    "subject": one.gap.subject or None,
                    "cure": one.cure or None,
                    "alert": one.alert.id if one.alert else None,
                }
                for one in self.unread
            ],
            "cost": None if self.cost is None else {**money_record(self.cost.cost), "basis": self.cost.basis},
        }


def explanation(tx: Connection, dossier: Dossier, book_of: BookOf) -> Explanation:
    """What stands beside a dossier."""
    return Explanation(
        dossier=dossier,
        unread=tuple(_unread(tx, dossier)),
        cost=None if dossier.job is None else sheets.cost_of(tx, dossier, book_of(tx)),
    )


def cure_of(account: Account, section: Section | None, reason: GapReason) -> str:
    """What mends that a section of an account cannot be read; "": nothing is known to help but waiting."""
    plane = PLANE_OF[section or Section.ACCOUNT]
    if reason in REFUSED:
        return cure(account, plane, reason)
    return reach(account, plane, reason) if reason in UNREACHABLE else ""


def _unread(tx: Connection, dossier: Dossier) -> Iterator[Unread]:
    account = dossier.account
    if account is None or not dossier.gaps:
        return
    firing = alerts.firing(tx, account.key)
    for gap in dossier.gaps:
        rule = next((rule for reasons, rule in _TELLS if gap.reason in reasons), "")
        subject = plane_subject(account, gap.plane)
        # Of checkpoints and curves alone no alert tells.
        about = (one for one in firing if one.finding.rule == rule and one.finding.subject == subject)
        alert = None if gap.section is Section.TRAINING else next(about, None)
        yield Unread(gap=gap, cure=cure_of(account, gap.section, gap.reason), alert=alert)
