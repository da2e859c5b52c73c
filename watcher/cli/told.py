"""What the texts of `explain` share: paragraphs, lists, and how old the readings are on which they rest."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from watcher.cli.table import Line, wrap
from watcher.resources.snapshot import Section
from watcher.rules.sight import REASONS
from watcher.rules.text import ago, moment, sentence

if TYPE_CHECKING:
    from watcher.answers.explanation import Explanation

_INDENT = 2


def title(text: str, width: int) -> Iterator[Line]:
    """A heading."""
    yield from wrap(text, width, style="bold", breaks_words=False)


def paragraph(text: str, width: int, *, style: str = "", indent: int = 0) -> Iterator[Line]:
    """Running text and an empty line; commands stand on lines of their own. Nothing where there is no text."""
    if text.strip():
        yield from wrap(text.strip(), width, style=style, indent=indent, breaks_words=False)
        yield ()


def listed(rows: Iterable[tuple[str, str]], width: int) -> Iterator[Line]:
    """A time or name at the left, and what is said of it beside it."""
    for left, text in rows:
        indent = _INDENT + len(left) + 2
        first, *rest = wrap(text, width, indent=indent, breaks_words=False)
        yield ((" " * _INDENT + left + "  ", "dim"), (first[0][0][indent:], ""))
        yield from rest


def sources(whole: "Explanation", now: datetime, width: int) -> Iterator[Line]:
    """On which readings all of it rests, and what was not seen."""
    dossier = whole.dossier
    reading = dossier.reading
    if reading is None:
        return
    times = {
        Section.JOBS: reading.jobs_at,
        Section.DEPLOYMENTS: reading.deployments_at,
        Section.METRICS: reading.usage_at,
    }
    if dossier.job is not None:
        times = {Section.JOBS: reading.jobs_at}
    elif dossier.deployment is None:  # the account as a whole, or a file or model in it
        times |= {Section.FILES: reading.files_at, Section.MODELS: reading.models_at}
    read = [
        f"{section.value} read {ago(at, now)}" if at else f"{section.value} never read" for section, at in times.items()
    ]
    if dossier.job is not None and dossier.training is not None:
        read.append(f"its checkpoints and curve read {ago(dossier.training.read_at, now)}")
    yield from paragraph(f"This rests on what was seen of {reading.account.label}: {', '.join(read)}.", width)
    told = {file.alert.id for file in dossier.alerts}
    for one in whole.unread:
        gap = one.gap
        what = f"the {gap.section.value}" if gap.section is not Section.ACCOUNT else "the account"
        subject = f" of {gap.subject.rpartition('/')[2]}" if gap.subject else ""
        text = f"Not seen: {what}{subject}, since {moment(gap.at)} ({ago(gap.at, now)}): {REASONS[gap.reason]}."
        text += f" Azure or the network says: {sentence(gap.message)}"
        if one.alert is None or one.alert.id not in told:  # else that stands there
            text += f"\nWhat helps: {one.first_step}" if one.cure else ""
        if one.cause is not None and one.alert is not None and one.cause.id not in told:
            explains = f"{one.cause.finding.rule}, which explains {one.alert.finding.rule}"
            text += f"\nTold by {explains}:\nwatcher explain {one.cause.id}"
        elif one.alert is not None and one.alert.id not in told:
            text += f"\nTold by {one.alert.finding.rule}:\nwatcher explain {one.alert.id}"
        yield from paragraph(text, width, style="yellow")
