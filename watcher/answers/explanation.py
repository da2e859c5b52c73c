"""What `explain` says beside a dossier: what mends that something was not seen, who tells of it, and a job's cost."""

from dataclasses import dataclass

from sqlalchemy import Connection

from watcher.alerts.routing import Routing
from watcher.answers import sheets
from watcher.answers.dossier import Dossier
from watcher.answers.dossier_record import dossier_record
from watcher.answers.sheets import BookOf
from watcher.answers.unread import Unread, unread
from watcher.costs.training import Spent
from watcher.report.records import Record
from watcher.report.render.statement_record import money_record


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
                    "explained_by": one.cause.id if one.cause else None,
                }
                for one in self.unread
            ],
            "cost": None if self.cost is None else {**money_record(self.cost.cost), "basis": self.cost.basis},
        }


def explanation(tx: Connection, dossier: Dossier, book_of: BookOf, routing: Routing | None) -> Explanation:
    """What stands beside a dossier.

    Args:
        routing: Says what explains what.
    """
    return Explanation(
        dossier=dossier,
        unread=tuple(unread(tx, dossier, routing)),
        cost=None if dossier.job is None else sheets.cost_of(tx, dossier, book_of(tx)),
    )
