"""What `explain` says of a fine-tuning job."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher.cli.table import Line
from watcher.cli.told import listed, paragraph, title
from watcher.costs.money import Unknown
from watcher.costs.prices import Price
from watcher.costs.training import Spent, billed_tokens
from watcher.resources.changes import ESTIMATED_FINISH, STATUS, Transition, started_at
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.resources.training import CurvePoint
from watcher.rules.checkpoints import best_words, rewards, skipped, usable
from watcher.rules.curve import best
from watcher.rules.labels import job_name
from watcher.rules.offer import offer
from watcher.rules.pace import pace_key, percentile
from watcher.rules.sight import REASONS
from watcher.rules.text import ago, counted, duration, moment, sentence

if TYPE_CHECKING:
    from watcher.answers.dossier import Dossier

#: Lines of the job's own log; `--json` has them all.
_MOST_LINES = 8
#: From so many jobs on, the usual span leaves out a tenth at either end.
_ENOUGH = 10

_ENDS = {JobStatus.SUCCEEDED: "It succeeded", JobStatus.FAILED: "It failed", JobStatus.CANCELLED: "It was cancelled"}


def job_text(dossier: "Dossier", cost: Spent | None, now: datetime, width: int) -> Iterator[Line]:
    """All that is known of a job, what matters first."""
    assert dossier.job is not None and dossier.account is not None
    yield from title(job_name(dossier.account, dossier.job.job), width)
    yield from paragraph(_standing(dossier, now), width)
    yield from paragraph(_what(dossier), width)
    yield from paragraph(_cost(cost, now, has_ended=dossier.job.job.status.has_ended), width)
    yield from paragraph(" ".join(filter(None, (_announced(dossier, now), _pace(dossier, now)))), width)
    yield from title("How it went", width)
    yield from listed(_timeline(dossier), width)
    yield ()
    yield from paragraph(_curve(dossier), width)
    yield from _checkpoints(dossier, now, width)
    yield from paragraph(_lineage(dossier), width)
    if dossier.events:
        yield from title("The end of its own log", width)
        lines = dossier.events[-_MOST_LINES:]
        yield from listed(((moment(event.created_at), f"{event.level}: {event.message}") for event in lines), width)
        yield ()


def _standing(dossier: "Dossier", now: datetime) -> str:
    assert dossier.job is not None
    one, job = dossier.job, dossier.job.job
    last = next((change for change in dossier.transitions if change.attribute == STATUS), None)
    began = _began(dossier, last) if last is not None else None
    at, is_dated = began or one.status_since, one.is_status_dated or began is not None
    since = f"{moment(at)} ({ago(at, now)})"
    if job.status in _ENDS:
        text = f"{_ENDS[job.status]} on {since}." if is_dated else f"{_ENDS[job.status]}, as watcher saw on {since}."
    elif is_dated:
        text = f"It has been {job.raw_status or job.status.value} since {since}."
    else:
        text = f"It is {job.raw_status or job.status.value}, and watcher has seen it so since {since}."
    if job.fine_tuned_model:
        text += f" It made {job.fine_tuned_model}."
    if job.error is not None:
        code = f" (code {job.error.code})" if job.error.code else ""
        text += f" The service says{code}: {sentence(job.error.message or 'nothing more')}"
    if not one.is_listed:
        text += " The newest complete listing of jobs no longer names it: somebody has deleted it."
    return text


def _what(dossier: "Dossier") -> str:
    assert dossier.job is not None
    job = dossier.job.job
    how = f"{job.method or 'method unknown'}, training type {job.training_type or 'standard'}"
    epochs = job.hyperparameters.get("n_epochs", "")
    if epochs and epochs not in ("auto", "-1"):
        how += (
            f", {counted(int(epochs), 'epoch')}" if re.fullmatch("[0-9]{1,9}", epochs) else f", n_epochs {epochs[:20]}"
        )
    verb = "trained" if job.status.has_ended else "trains"
    data = f"It {verb} {job.model or 'an unknown base'} ({how}) on {job.training_file or 'an unknown file'}, "
    data += f"validated with {job.validation_file}." if job.validation_file else "without a validation file."
    if job.trained_tokens is not None:
        billed = billed_tokens(dossier.events)
        rest = "" if billed is None else f"; by its own log {billed:,} are billed"
        data += f" {job.trained_tokens:,} tokens were trained{rest}."
    owner = dossier.owner
    whose = f" Its owner is {owner.name} ({owner.source})." if owner.source else " Nobody is named as its owner."
    return f"{data}{whose} Its id is {job.id}."


def _cost(spent: Spent | None, now: datetime, *, has_ended: bool) -> str:
    """What its training costs, and how that is known."""
    if spent is None:
        return ""
    cost, price = spent.cost, spent.price
    if isinstance(cost, Unknown):
        known = dict.fromkeys((cost.because, spent.basis))
        return f"Cost: unknown ({'; '.join(known)})."
    known = dict.fromkeys((spent.basis, price.origin(now) if isinstance(price, Price) else ""))
    return f"Cost{'' if has_ended else ' so far'}: {cost.text} ({'; '.join(filter(None, known))})."


def _announced(dossier: "Dossier", now: datetime) -> str:
    """What the service says of the end, and how often it has changed its mind."""
    assert dossier.job is not None
    job, seen = dossier.job.job, dossier.estimates.seen
    if job.status.has_ended or not seen:
        return ""
    end = job.estimated_finish_at or seen[-1][1]
    if end < now:
        text = f"The service had estimated its end for {moment(end)}, which has passed."
    else:
        text = f"The service estimates its end for {moment(end)}, in {duration(end - now)}; it may be wrong."
    if len(seen) > 1:
        first = seen[0][1]
        later = f"{duration(end - first)} later" if end > first else f"{duration(first - end)} earlier"
        moved = "once" if len(seen) == 2 else f"{len(seen) - 1} times"
        text += f" It has moved that estimate {moved}; the first was {moment(first)}, so it is now {later}."
    return text


def _pace(dossier: "Dossier", now: datetime) -> str:
    """How long such jobs take, and how this one compares."""
    assert dossier.job is not None and dossier.account is not None
    job, pace = dossier.job.job, dossier.pace
    if pace is None:
        return "" if job.status.has_ended else "How long such jobs usually take is unknown: none was seen to its end."
    parts = []
    for verb, seconds in (("waited", pace.queued), ("ran", pace.ran)):
        if seconds:
            parts.append(f"{verb} {_span(seconds)} (n = {len(seconds)})")
    words = (
        pace_key(dossier.account, job).model,
        dossier.account.location,
        job.training_type or "standard",
        job.method or "unknown method",
    )
    kind = ", ".join(words)
    return f"Such jobs ({kind}) {' and '.join(parts)}, by what watcher has seen." if parts else ""


def _span(seconds: Sequence[float]) -> str:
    enough = len(seconds) >= _ENOUGH
    low = percentile(seconds, 0.1) if enough else seconds[0]
    high = percentile(seconds, 0.9) if enough else seconds[-1]
    least, most = duration(timedelta(seconds=low)), duration(timedelta(seconds=high))
    if least == most:
        return least
    (number, unit), (_, other) = least.split()[:2], most.split()[:2]
    is_short = unit == other and len(least.split()) == len(most.split()) == 2
    return f"{number}–{most}" if is_short else f"{least} – {most}"  # a span is written with a dash


def _timeline(dossier: "Dossier") -> Iterator[tuple[str, str]]:
    """Each step by the service's own time where it gives one, with how long the one before lasted."""
    assert dossier.job is not None
    job = dossier.job.job
    before, is_dated = job.created_at, True
    if job.created_at is not None:
        yield moment(job.created_at), "created"
    for change in reversed(dossier.transitions):
        if change.attribute == ESTIMATED_FINISH:
            ends = [moment(datetime.fromisoformat(end)) if end else "none" for end in (change.before, change.after)]
            yield moment(change.observed_at), f"the service's estimate of its end: {ends[0]} → {ends[1]}"
            continue
        began = change.occurred_at or _began(dossier, change)
        at = began or change.observed_at
        seen = "" if began else ", as seen by watcher"
        if change.attribute == STATUS:
            least = "" if is_dated or not began else "at least "  # it may have begun before watcher saw it
            after = f" after {least}{duration(at - before)}" if before is not None and at > before else ""
            was = f"{change.before} → " if change.before else ""
            yield moment(at), f"{was}{change.after}{after}{seen}"
            before, is_dated = at, began is not None
        elif change.attribute:
            what = change.attribute.replace("_", " ")
            yield moment(at), f"{what}: {change.before or 'none'} → {change.after or 'none'}{seen}"
        else:
            yield moment(at), f"{change.change.value}{seen}"


def _began(dossier: "Dossier", change: Transition) -> datetime | None:
    """When a job began to run that was first seen running, by its own log."""
    is_start = change.attribute == STATUS and change.before is None and change.after == JobStatus.RUNNING
    return started_at(dossier.events) if is_start else None


def _curve(dossier: "Dossier") -> str:
    """The losses in one line."""
    inside, waiting = dossier.training, _waiting(dossier)
    if inside is None and waiting:
        return waiting
    if inside is None:
        return (
            "Its checkpoints and loss curve have not been read: that is done while a job runs, and when watcher sees "
            "it end."
        )
    parts = []
    for name, words in (
        ("train_loss", "training loss"),
        ("valid_loss", "validation loss"),
        ("full_valid_loss", "loss over the whole validation set"),
    ):
        if text := _course(inside.points, name):
            parts.append(f"{words} {text}")
    said = [f"By {inside.source.value}: {'; '.join(parts)}." if parts and inside.source else ""]
    if (found := best(inside.points)) is not None:
        said.append(sentence(f"V{best_words(found)[1:]}"))
    if not parts:
        said = [f"There is no loss curve{': ' + inside.remark if inside.remark else ''}."]
    said += [rewards(inside), skipped(inside, dossier.events), waiting]
    return " ".join(filter(None, said))


def _waiting(dossier: "Dossier") -> str:
    """That what is left of an ended job's training is still to be read; "": it is not."""
    others = dossier.waits_beside
    if others is None:
        return ""
    since = "" if dossier.training is None else f"; the above was read {moment(dossier.training.read_at)}, while it ran"
    gap = next((gap for gap in dossier.gaps if gap.section is Section.TRAINING), None)
    if gap is not None:
        return f"Its results could not be read so far ({REASONS[gap.reason]}), and are asked for again{since}."
    if not others:
        return f"Its results have not been read yet: the next poll does{since}."
    are = "is another job" if others == 1 else f"are {others} other jobs"
    return (
        f"Its results have not been read yet: there {are} of this account whose results wait too, and each poll reads "
        f"a few{since}."
    )


def _course(points: Sequence[CurvePoint], name: str) -> str:
    """`2.1 → 0.8 over steps 20 to 80`."""
    known = [(point.step, point.metrics[name]) for point in points if name in point.metrics]
    if not known:
        return ""
    (first_step, first), (last_step, last) = known[0], known[-1]
    if first_step == last_step:
        return f"{first:.3g} at step {first_step}"
    return f"{first:.3g} → {last:.3g} over steps {first_step} to {last_step}"


def _checkpoints(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    assert dossier.job is not None and dossier.account is not None
    kept = usable(dossier.training)
    if not kept:
        return
    yield from title("Checkpoints (the service keeps the last three)", width)
    for one in kept:
        losses = [
            f"{words} {one.metrics[name]:.3g}"
            for name, words in (("train_loss", "training loss"), ("full_valid_loss", "validation loss"))
            if name in one.metrics
        ]
        made = f"made {ago(one.created_at, now)}" if one.created_at else ""
        yield from listed([(f"step {one.step}", ", ".join(filter(None, (*losses, made))) or one.model)], width)
    found = offer(dossier.account, dossier.job.job, dossier.training, dossier.events)
    if found.chosen is None:
        yield from paragraph(found.refused, width, style="yellow")
        return
    which = f"step {found.chosen.checkpoint.step}, {found.chosen.because}"
    yield from paragraph(f"To deploy that of {which}:\n{found.command}", width)


def _lineage(dossier: "Dossier") -> str:
    """Where its model is deployed."""
    assert dossier.job is not None
    job = dossier.job.job
    if not job.fine_tuned_model and not dossier.served:
        return ""
    places = [f"{one.label}/{one.deployment.name} ({one.deployment.sku})" for one in dossier.served]
    text = f"Its model is deployed as {', '.join(places)}" if places else "Its model is deployed nowhere"
    if not places and dossier.unread_in:
        text += " that watcher can see"
    if dossier.served_as_of is not None:
        text += f", by readings of which the oldest is from {moment(dossier.served_as_of)}"
    text += "."
    if dossier.unread_in:
        text += f" The deployments of {', '.join(dossier.unread_in[:5])} were not all read: there may be more."
    return text
