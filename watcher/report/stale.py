"""Which readings are too old to tell of the present, whether or not anything was tried since.

A gap tells that a reading failed. Where none was even tried, as while the daemon is stopped, nothing is on record but
how old the last one is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from watcher.report.recorded import RecordedAccount
from watcher.report.terms import ReportTerms
from watcher.resources.snapshot import Section
from watcher.rules.text import counted, duration, few, moment

#: The sections on which a statement of the present rests. Models and files rest for long, and little hangs on them.
SECTIONS = (Section.DEPLOYMENTS, Section.JOBS, Section.METRICS)
#: Readings of a group that lie further apart are told apart.
_TOGETHER = timedelta(hours=1)


def read_at(recorded: RecordedAccount, section: Section) -> datetime | None:
    """When it was last read; `None`: never, or there is nothing that it could tell of."""
    holding = recorded.holding
    if section is Section.METRICS:
        return recorded.usage_at if any(life.end is None for life in recorded.lives) else None
    return holding.jobs_at if section is Section.JOBS else holding.deployments_at


def stale_sections(recorded: RecordedAccount, as_of: datetime, terms: ReportTerms) -> tuple[Section, ...]:
    """What was read too long ago, and of which no gap tells already."""
    limits = {
        Section.DEPLOYMENTS: terms.deployments_stale_after,
        Section.JOBS: terms.jobs_stale_after,
        Section.METRICS: terms.metrics_stale_after,
    }
    told = {gap.section for gap in recorded.holding.gaps if not gap.subject}
    if Section.ACCOUNT in told:
        return ()
    return tuple(
        section
        for section in SECTIONS
        if section not in told and (at := read_at(recorded, section)) is not None and as_of - at > limits[section]
    )


def stale(
    accounts: Iterable[RecordedAccount], as_of: datetime, terms: ReportTerms, matters: Mapping[Section, str], names: int
) -> Iterator[str]:
    """First the accounts of which nothing at all was read any more, then by section.

    Args:
        matters: What is not known without a section.
        names: So many accounts are named in a sentence.
    """
    silent: list[tuple[str, datetime]] = []
    by_section: dict[Section, list[tuple[str, datetime]]] = {section: [] for section in SECTIONS}
    for recorded in accounts:
        found = stale_sections(recorded, as_of, terms)
        if not found:
            continue
        label, last = recorded.account.label, _last_read_at(recorded)
        if as_of - last > min(terms.deployments_stale_after, terms.jobs_stale_after):
            silent.append((label, last))
            continue
        for section in found:
            by_section[section].append((label, read_at(recorded, section) or as_of))
    if silent:
        yield (
            f"Nothing of {counted(len(silent), 'account')} was read since {_since(silent, as_of)}: what has been "
            f"deployed, deleted, trained or called since is not known: {few([label for label, _ in silent], names)}."
        )
    for section, some in by_section.items():
        if some:
            yield (
                f"The {section.value} of {counted(len(some), 'account')} were not read since {_since(some, as_of)}: "
                f"{matters[section]}: {few([label for label, _ in some], names)}."
            )


def _last_read_at(recorded: RecordedAccount) -> datetime:
    """When anything of it was read last; something was."""
    holding = recorded.holding
    times = (holding.deployments_at, holding.jobs_at, holding.models_at, holding.files_at, recorded.usage_at)
    return max(at for at in times if at is not None)


def _since(some: Sequence[tuple[str, datetime]], as_of: datetime) -> str:
    """From when on it holds of all, and of the first."""
    first, last = min(at for _, at in some), max(at for _, at in some)
    earlier = f", of some since {moment(first)}" if last - first > _TOGETHER else ""
    return f"{moment(last)} ({duration(as_of - last)} before this report){earlier}"
