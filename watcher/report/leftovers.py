"""What lies about: custom models that are deployed nowhere, and uploaded files that no job uses. As the rules say."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from watcher.report.hosted import Places
from watcher.report.recorded import Records
from watcher.report.statement import Leftover
from watcher.report.terms import ReportTerms
from watcher.resources.lineage import Holding, Lineage, Model
from watcher.rules.files import FileOrphaned, orphans_doubt
from watcher.rules.holdings import model_labels, unread_deployments
from watcher.rules.labels import account_labels, owner_of
from watcher.rules.undeployed import ModelUndeployed


class Lying(NamedTuple):
    """A leftover, and what tells the labels by which it is somebody's: seldom asked for, of thousands."""

    leftover: Leftover
    holding: Holding
    model: Model | None = None  #: `None`: it is a file

    def labels(self, lineage: Lineage) -> Mapping[str, str]:
        if self.model is None:
            return account_labels(self.holding.account)
        return model_labels(self.holding, lineage, self.model)


def undeployed(records: Records, terms: ReportTerms) -> tuple[Lying, ...]:
    """The models of which it is known, the oldest first."""
    inventory, places = records.inventory, Places(terms)
    unseen = unread_deployments(inventory.holdings)
    owners = {holding.account.key: owner_of(holding.account).name for holding in inventory.holdings}
    note = f"it may be deployed in another subscription unseen: {unseen.because}" if unseen else ""
    found = [
        Lying(
            leftover=Leftover(
                place=places.of(holding.account, model.owner or owners[model.account]),
                id=model.id,
                name=model.id,
                since=model.created_at,
                note=note,
            ),
            holding=holding,
            model=model,
        )
        for holding, model, doubt in ModelUndeployed(after=terms.undeployed_after).judged(inventory)
        if doubt is None
    ]
    return tuple(sorted(found, key=_oldest_first))


def orphans(records: Records, terms: ReportTerms) -> tuple[Lying, ...]:
    """The files of accounts of which all jobs were read, the oldest first."""
    rule, places = FileOrphaned(after=terms.orphaned_after), Places(terms)
    found = [
        Lying(
            leftover=Leftover(
                place=places.of(holding.account, owner_of(holding.account).name),
                id=file.id,
                name=file.filename or file.id,
                since=file.created_at,
                bytes=file.bytes,
            ),
            holding=holding,
        )
        for holding in records.inventory.holdings
        if orphans_doubt(holding) is None
        for file in rule.orphans(records.as_of, holding)
    ]
    return tuple(sorted(found, key=_oldest_first))


def _oldest_first(one: Lying) -> tuple[datetime, str, str]:
    return one.leftover.since or _NEVER, one.leftover.place.account, one.leftover.id


_NEVER = datetime.max.replace(tzinfo=UTC)
