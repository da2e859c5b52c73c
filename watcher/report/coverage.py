"""What of the accounts could be seen and what could not, section by section, as of when and why. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.resources.snapshot import Gap, GapReason, Reading, Section

#: The sections that every account has, in the order in which they are told.
SECTIONS = (Section.JOBS, Section.DEPLOYMENTS, Section.METRICS)
#: Those that are read seldom: that they were not read yet makes no account unseen.
SELDOM = (Section.FILES, Section.MODELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How much of one section was seen, over all accounts."""

    section: Section
    whole: int  #: accounts in which it was read, and no gap is open
    oldest_at: datetime | None  #: the oldest reading among those, and those of `partly`
    never: int = 0  #: accounts in which it was not read yet
    partly: int = 0  #: accounts in which it was read but for a few
    missing: tuple[str, ...] = ()  #: those few, as `account/name`


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Accounts of which one section, or some of it, could not be read, for one reason."""

    section: Section | None  #: `None`: nothing at all was read yet
    reason: GapReason | None  #: `None`: not read yet
    accounts: tuple[str, ...]  #: labels
    since: datetime | None  #: when the first of these gaps was met
    last_read_at: datetime | None  #: the oldest reading that is used in place; `None`: one of them was never read
    message: str = ""
    subjects: tuple[str, ...] = ()  #: as `account/name` what could not be read, where the rest was; else it is all


def read_at(reading: Reading, section: Section) -> datetime | None:
    """When a section was last read whole."""
    return {
        Section.ACCOUNT: max((at for at in (reading.jobs_at, reading.deployments_at) if at), default=None),
        Section.JOBS: reading.jobs_at,
        Section.DEPLOYMENTS: reading.deployments_at,
        Section.METRICS: reading.usage_at,
        Section.FILES: reading.files_at,
        Section.MODELS: reading.models_at,
        Section.TRAINING: reading.jobs_at,
    }[section]


def seen(section: Section, readings: Sequence[Reading]) -> Seen:
    """How much of a section was seen."""
    read = [
        (at, tuple(_missing(section, reading)))
        for reading in readings
        if (at := read_at(reading, section)) is not None and not _whole_gaps(section, reading)
    ]
    return Seen(
        section=section,
        whole=sum(not missing for _, missing in read),
        oldest_at=min((at for at, _ in read), default=None),
        never=sum(read_at(reading, section) is None for reading in readings),
        partly=sum(bool(missing) for _, missing in read),
        missing=tuple(name for _, missing in read for name in missing),
    )


def _whole_gaps(section: Section, reading: Reading) -> dict[GapReason, Gap]:
    """Those that cover all of a section."""
    return {gap.reason: gap for gap in reversed(reading.gaps) if gap.section is section and not gap.subject}


def _missing(section: Section, reading: Reading) -> Iterator[str]:
    """What of a section could not be read, where the rest was."""
    yield from dict.fromkeys(_named(reading, gap) for gap in reading.gaps if gap.section is section and gap.subject)


def _named(reading: Reading, gap: Gap) -> str:
    return f"{reading.account.label}/{gap.subject.rpartition('/')[2]}"


def unseen(readings: Sequence[Reading]) -> tuple[Unseen, ...]:
    """Gaps by section and reason; where all accounts of one reason stand together, a thousand of them are one line."""
    found: dict[tuple[Section | None, GapReason | None, bool], list[tuple[Reading, Gap | None]]] = {}
    for reading in readings:
        if not reading.gaps and all(read_at(reading, section) is None for section in SECTIONS):
            found.setdefault((None, None, True), []).append((reading, None))
            continue
        for section in (Section.ACCOUNT, *SECTIONS, *SELDOM, Section.TRAINING):
            gaps = _whole_gaps(section, reading)
            for reason, gap in gaps.items():
                found.setdefault((section, reason, True), []).append((reading, gap))
            if gaps:
                continue
            if section in SECTIONS and read_at(reading, section) is None:
                found.setdefault((section, None, True), []).append((reading, None))
            for gap in reading.gaps:
                if gap.section is section:
                    found.setdefault((section, gap.reason, False), []).append((reading, gap))
    return tuple(
        _unseen_group(section, reason, members, is_whole=is_whole)
        for (section, reason, is_whole), members in found.items()
    )


def _unseen_group(
    section: Section | None,
    reason: GapReason | None,
    members: Sequence[tuple[Reading, Gap | None]],
    *,
    is_whole: bool,
) -> Unseen:
    times = [read_at(reading, section) if section else None for reading, _ in members]
    subjects = () if is_whole else tuple(_named(reading, gap) for reading, gap in members if gap is not None)
    return Unseen(
        section=section,
        reason=reason,
        accounts=tuple(dict.fromkeys(reading.account.label for reading, _ in members)),
        since=min((gap.at for _, gap in members if gap is not None), default=None),
        last_read_at=None if None in times else min(at for at in times if at is not None),
        message=next((gap.message for _, gap in members if gap is not None and gap.message), ""),
        subjects=tuple(dict.fromkeys(subjects)),
    )
