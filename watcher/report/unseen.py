"""What a statement does not know, and what it assumes, in sentences."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from watcher.costs.hosting import Period
from watcher.costs.prices import PriceBook
from watcher.costs.savings import METHOD
from watcher.costs.uses import State
from watcher.report.hosted import Hosted
from watcher.report.recorded import RecordedAccount, Records
from watcher.report.stale import stale, stale_sections
from watcher.report.statement import Undated
from watcher.report.terms import ReportTerms
from watcher.resources.snapshot import Gap, GapReason, Section
from watcher.rules.sight import REASONS
from watcher.rules.text import counted, few, moment

#: So many names stand in a sentence.
_NAMED = 8
#: The sections on which a statement rests, and what it does not know without them.
_MATTERS = {
    Section.ACCOUNT: "nothing new is known of what they hold",
    Section.DEPLOYMENTS: "what has been deployed or deleted since is not known",
    Section.METRICS: "which deployments are called since is not known",
    Section.JOBS: "what has been trained since is not known",
    Section.MODELS: "models that are deployed nowhere may be missing",
    Section.FILES: "files that no job uses may be missing",
}
#: Where nothing is known at all.
_NEVER = (
    "No account has been read yet, so nothing is known of what is deployed, trained and spent: `watcher status` shows "
    "what is watched, and `watcher check-config --online` what cannot be read."
)
_NO_LONGER = (
    "No account is watched any more: of what there is now, nothing is known. `watcher check-config --online` shows "
    "which accounts are found."
)


def is_seen(recorded: RecordedAccount, as_of: datetime, terms: ReportTerms) -> bool:
    """Whether everything of an account was read, and lately."""
    holding = recorded.holding
    read = [holding.deployments_at, holding.jobs_at]
    if recorded.lives:
        read.append(recorded.usage_at)
    if None in read or any(gap.section in _MATTERS for gap in holding.gaps):
        return False
    return not stale_sections(recorded, as_of, terms)


def has_read(records: Records) -> bool:
    """Whether anything was ever read: before that no zero is one, for nobody."""
    holdings = (one.holding for one in records.accounts)
    return any(one.deployments_at is not None or one.jobs_at is not None for one in holdings)


def begins(records: Records, period: Period) -> datetime | None:
    """When the record begins, where that is later than the period; `None`: it reaches back, or there is none."""
    return records.begins if records.begins is not None and records.begins > period.begin else None


def unseen(
    records: Records,
    accounts: Sequence[RecordedAccount],
    hosted: Collection[Hosted],
    period: Period,
    terms: ReportTerms,
    *,
    is_whole: bool = True,
) -> Iterator[str]:
    """That nothing is read, what was not read of late, gaps by section and reason, what was never read, deletions
    without a date, calls that were not read in the period, and what lies before the record.

    Args:
        is_whole: The edition selects nothing; an owner may well hold nothing in what was read.
    """
    if not (accounts or has_read(records)):
        yield _NEVER
    elif is_whole and not accounts:
        yield _NO_LONGER
    yield from stale(accounts, records.as_of, terms, _MATTERS, _NAMED)
    yield from _gaps(accounts)
    yield from _never_read(accounts)
    yield from _unread_before(accounts, period)
    for group in undated(hosted):
        count = len(group.names)
        yield (
            f"When Azure deletes {counted(count, 'deployment')} if nobody calls {'it' if count == 1 else 'them'} is "
            f"not known, as {group.because}: {few(group.names, _NAMED)}."
        )
    unknown = [one for one in hosted if one.line.calls is None]
    unread = [one for one in unknown if not (one.is_unclear or one.is_resting)]
    if unread:
        names = [f"{one.line.place.account}/{one.line.name}" for one in unread]
        their = "its" if len(unread) == 1 else "their"
        yield (
            f"The calls of {counted(len(unread), 'deployment')} were not read in all of the period, so what use was "
            f"made of {their} unread time is unknown: {few(names, _NAMED)}."
        )
    if unclear := [one for one in unknown if one.is_unclear]:
        names = [f"{one.line.place.account}/{one.line.name}" for one in unclear]
        yield (
            f"Calls without a deployment's name or a status may be those of {counted(len(unclear), 'deployment')}, so "
            f"that their use in the hours of such calls is unknown: {few(names, _NAMED)}."
        )
    for gap in records.undiscovered:
        where = f" of {gap.subject}" if gap.subject else ""
        yield (
            f"Accounts{where} may be missing, as discovery could not read all since {moment(gap.at)}: "
            f"{REASONS[gap.reason]}."
        )
    # The last: no failure to see, and nothing that anybody could repair.
    if (since := begins(records, period)) is not None:
        yield (
            f"The record begins {moment(since)}, and not with the period: deployments that had ended before, and jobs "
            "that Azure listed no longer, are missing from every total."
        )


#: The sections that tell of dates: what is deployed, what is trained on, and until when a model may be called. Calls
#: only put a deletion off, and files have no dates.
_DATING = frozenset({Section.ACCOUNT, Section.DEPLOYMENTS, Section.JOBS, Section.MODELS})


def lacks_dates(
    records: Records, accounts: Iterable[RecordedAccount], hosted: Iterable[Hosted], terms: ReportTerms
) -> bool:
    """Whether dates may be missing or have moved, beside the deletions that have none."""
    if (
        not has_read(records)
        or records.undiscovered
        or any(one.line.called_until is not None and one.undated is None for one in hosted)
    ):
        return True
    for one in accounts:
        read = one.holding.deployments_at, one.holding.jobs_at
        blind = {gap.section for gap in one.holding.gaps} | set(stale_sections(one, records.as_of, terms))
        if None in read or blind & _DATING:
            return True
    return False


def _gaps(accounts: Iterable[RecordedAccount]) -> Iterator[str]:
    found: dict[tuple[Section, GapReason, bool], list[tuple[str, Gap]]] = {}
    for recorded in accounts:
        seen = set()
        for gap in recorded.holding.gaps:
            kind = gap.section, gap.reason, bool(gap.subject)
            if gap.section in _MATTERS and kind not in seen:
                seen.add(kind)
                found.setdefault(kind, []).append((recorded.account.label, gap))
    for (section, reason, is_item), some in sorted(found.items()):
        part = "Some of the" if is_item else "The"
        since = min(gap.at for _, gap in some)
        what = f"{part} {section.value}" if section is not Section.ACCOUNT else part
        of = f"{what} of " if section is not Section.ACCOUNT else ""
        yield (
            f"{of}{counted(len(some), 'account')} could not be read since {moment(since)}: {REASONS[reason]}; "
            f"{_MATTERS[section]}: {few([label for label, _ in some], _NAMED)}."
        )


def _never_read(accounts: Sequence[RecordedAccount]) -> Iterator[str]:
    for section in (Section.DEPLOYMENTS, Section.JOBS, Section.METRICS):
        labels = [
            one.account.label
            for one in accounts
            if _is_unread(one, section) and not _has_gap(one.holding.gaps, section)
        ]
        if labels:
            whose = counted(len(labels), "account")
            yield f"The {section.value} of {whose} have never been read: {few(labels, _NAMED)}."


def _is_unread(one: RecordedAccount, section: Section) -> bool:
    if section is Section.METRICS:
        return one.usage_at is None and bool(one.lives)
    return (one.holding.jobs_at if section is Section.JOBS else one.holding.deployments_at) is None


def _has_gap(gaps: Iterable[Gap], section: Section) -> bool:
    return any(gap.section is section and not gap.subject for gap in gaps)


def _unread_before(accounts: Iterable[RecordedAccount], period: Period) -> Iterator[str]:
    """Of deployments and jobs: what came and went meanwhile was never seen. Of metrics the unread calls tell."""
    for section in (Section.DEPLOYMENTS, Section.JOBS):
        spans = [
            (one.account.label, max(gap.at, period.begin), min(ends_at, period.end))
            for one in accounts
            for gap, ends_at in one.closed
            if gap.section is section and not gap.subject and gap.at < period.end and ends_at > period.begin
        ]
        if spans:
            labels = list(dict.fromkeys(label for label, _, _ in spans))
            first, last = min(begin for _, begin, _ in spans), max(end for _, _, end in spans)
            yield (
                f"The {section.value} of {counted(len(labels), 'account')} could not be read for some time between "
                f"{moment(first)} and {moment(last)}: {few(labels, _NAMED)}."
            )


def undated(hosted: Iterable[Hosted]) -> tuple[Undated, ...]:
    """The deployments whose deletion has no date that is known, by the reason, the most first."""
    found: dict[str, list[Hosted]] = {}
    for one in hosted:
        if one.undated is not None:
            found.setdefault("" if one.undated.is_old else one.undated.because, []).append(one)
    groups = [
        Undated(
            because=because or _too_old(some), names=tuple(f"{one.line.place.account}/{one.line.name}" for one in some)
        )
        for because, some in found.items()
    ]
    return tuple(sorted(groups, key=lambda group: (-len(group.names), group.because)))


def _too_old(some: Iterable[Hosted]) -> str:
    """One reason for all whose calls were read too long ago, however long."""
    ends = [one.undated.since for one in some if one.undated is not None and one.undated.since is not None]
    earlier = " or earlier" if len(set(ends)) > 1 else ""
    return f"the metrics read end {moment(max(ends))}{earlier}, which is too old"


def remarks(
    records: Records,
    hosted: Collection[Hosted],
    book: PriceBook,
    *,
    has_trained: bool,
    has_saved: bool,
) -> Iterator[str]:
    """What is assumed."""
    if _is_later(book.retail.read_at if book.retail else None, records.as_of):
        yield "Prices are those of the price list as it is stored now, which was read after the time of this report."
    if hosted:
        yield (
            "Hosting is counted from the creation of each deployment, by the hour, whether it is called or not; tokens "
            "are billed on top and are no part of this."
        )
        yield (
            "In the bill a deployment is idle on each day without an answered call, and from the hour of its last one "
            "in the period on, as Azure's own clock has it, once a whole hour without a call was read."
        )
    fresh = [one.read_to for one in hosted if one.line.end is None and _awaits_metrics(one) and one.read_to]
    if fresh:
        yield (
            f"Calls are read every few hours: those of {counted(len(fresh), 'deployment')} were read until "
            f"{moment(min(fresh))} or later, and the time since counts neither as used nor as idle."
        )
    if gone := sum(one.line.end is not None and _awaits_metrics(one) for one in hosted):
        yield (
            f"Of {counted(gone, 'deployment')} that ended in the period, calls of the last hours before the end were "
            "not read; that time counts neither as used nor as idle."
        )
    if has_trained:
        yield "Training is billed when a job ends; what is under way at the period's end counts to a later period."
    if has_saved:
        yield METHOD


def _awaits_metrics(one: Hosted) -> bool:
    """Whether nothing of its calls is missing but those of the newest hours."""
    return one.is_resting or (one.line.calls is not None and State.UNKNOWN in one.line.by_state)


def _is_later(at: datetime | None, than: datetime) -> bool:
    return at is not None and at > than
