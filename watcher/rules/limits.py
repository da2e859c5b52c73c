"""The rule about Azure's limits for one account, for reports and the page.

It is asked when an inventory is taken, every few hours: what fills a limit and goes within that time is not seen, as
queued and running jobs often do.

Source: Azure's page "quotas and limits". The figures change often, hence the configuration may name others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.resources.lineage import Holding, Inventory
from watcher.resources.snapshot import Section
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.holdings import as_of, unread
from watcher.rules.labels import account_labels, owner_of, portal_link
from watcher.rules.text import size


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """How much of one limit an account uses."""

    name: str  #: as its option is called
    section: Section  #: where it is counted
    used: int
    limit: int
    what: str  #: in words: "fine-tuned deployments"
    consequence: str  #: of reaching it
    cure: str

    @property
    def percent(self) -> int:
        return self.used * 100 // self.limit

    @property
    def amount(self) -> str:
        """`97 of 100`."""
        if self.name == "file_bytes":
            return f"{size(self.used)} of {size(self.limit)}"
        return f"{self.used} of {self.limit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNear:
    """Finds accounts that use `at_percent` of one of Azure's limits, or more. A limit of 0 is not watched."""

    name: ClassVar[str] = "limit_near"

    at_percent: int = 80
    files: int = 100
    file_bytes: int = 1_000_000_000
    jobs: int = 100
    #: Of fine-tuned models.
    deployments: int = 10
    queued: int = 20
    #: Jobs at once, of standard and global training together.
    running: int = 3
    running_developer: int = 5

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        for holding in inventory.holdings:
            for level in self._levels(holding):
                if level.limit:
                    yield from self._judge(inventory, holding, level)

    def _judge(self, inventory: Inventory, holding: Holding, level: _Level) -> Iterator[Answer]:
        is_near = level.used * 100 >= level.limit * self.at_percent
        found = self._finding(inventory, holding, level) if is_near else None
        doubt = unread(holding, level.section)
        if doubt is not None:
            yield Undecided(
                rule=self.name,
                subject=_subject(holding, level),
                because=doubt.because,
                since=doubt.since,
                on_last_evidence=found,
            )
        elif found is not None:
            yield found
        else:
            yield Cleared(rule=self.name, subject=_subject(holding, level), because=f"{level.what}: {level.amount} now")

    def _finding(self, inventory: Inventory, holding: Holding, level: _Level) -> Finding:
        where = "is past" if level.used > level.limit else "is at" if level.used == level.limit else "nears"
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=_subject(holding, level),
            labels={**account_labels(holding.account), "limit": level.name},
            summary=f"{holding.account.label} {where} Azure's limit for {level.what}: {level.amount}",
            description=f"That is {level.percent} % of the limit. {level.consequence}",
            action=f"{level.cure} If Azure has granted this account another limit, set it as `{level.name}` in "
            "[rules.limit_near].",
            evidence=f"{as_of(holding, level.section, inventory.now)}; limit as documented or configured, not read "
            "from the service",
            values={
                "limit_name": level.name,
                "used": level.used,
                "limit": level.limit,
                "percent": level.percent,
                # In words too: figures alone are no news to the life of an alert, and here they are all the news.
                "level": level.amount,
                "owner_source": owner_of(holding.account).source,
            },
            links=portal_link(holding.account),
        )

    def _levels(self, holding: Holding) -> Iterator[_Level]:
        files = holding.files or ()
        yield _Level(
            name="files",
            section=Section.FILES,
            used=len(files),
            limit=self.files,
            what="files",
            consequence="Beyond it, uploads can be expected to fail.",
            cure="Delete files that no job needs; `watcher files` lists them.",
        )
        yield _Level(
            name="file_bytes",
            section=Section.FILES,
            used=sum(file.bytes or 0 for file in files),
            limit=self.file_bytes,
            what="the size of all files",
            consequence="Beyond it, uploads can be expected to fail."
            + (" Of some files the size is not known; they are not counted." if _is_partial(holding) else ""),
            cure="Delete files that no job needs; `watcher files` lists them with their sizes.",
        )
        yield _Level(
            name="jobs",
            section=Section.JOBS,
            used=holding.job_count,
            limit=self.jobs,
            what="fine-tuning jobs, ended ones included",
            consequence="Beyond it, new jobs can be expected to be refused.",
            cure="Delete jobs that have ended and that nobody needs to look up.",
        )
        yield _Level(
            name="deployments",
            section=Section.DEPLOYMENTS,
            used=len(holding.deployments or ()),
            limit=self.deployments,
            what="fine-tuned deployments",
            consequence="Beyond it, deployments of further fine-tuned models can be expected to fail.",
            cure="Delete deployments that nobody calls; `watcher deployments` lists them, and their models stay.",
        )
        yield _Level(
            name="queued",
            section=Section.JOBS,
            used=holding.queued,
            limit=self.queued,
            what="queued jobs",
            consequence="Beyond it, new jobs can be expected to be refused.",
            cure="Cancel queued jobs that are no longer wanted, or start new ones in another account.",
        )
        developer = sum(count for kind, count in holding.running.items() if _is_developer(kind))
        yield _Level(
            name="running",
            section=Section.JOBS,
            used=sum(holding.running.values()) - developer,
            limit=self.running,
            what="jobs that train at once (standard and global together)",
            consequence="At the limit, further jobs can be expected to wait in the queue.",
            cure="Nothing needs doing if they may wait. Otherwise start new jobs in another account.",
        )
        yield _Level(
            name="running_developer",
            section=Section.JOBS,
            used=developer,
            limit=self.running_developer,
            what="developer jobs that train at once",
            consequence="At the limit, further developer jobs can be expected to wait in the queue.",
            cure="Nothing needs doing if they may wait. Otherwise start new jobs in another account.",
        )


def _subject(holding: Holding, level: _Level) -> Subject:
    return Subject(id=holding.account.key, kind=ResourceKind.ACCOUNT, incarnation=level.name)


def _is_developer(training_type: str) -> bool:
    return training_type.lower().startswith("developer")


def _is_partial(holding: Holding) -> bool:
    return any(file.bytes is None for file in holding.files or ())
