"""What the page of a job says: each step by the service's own time, the curves, and what became of its model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from watcher.answers.dossier import Dossier
from watcher.answers.sheets import JobSheet
from watcher.costs.money import Unknown
from watcher.costs.prices import Price
from watcher.notify.wording import localise
from watcher.report import plots
from watcher.report.plots import Curve, Line, Phase
from watcher.resources.changes import ESTIMATED_FINISH, STATUS, Transition
from watcher.resources.fine_tuning import WAITING, JobStatus
from watcher.resources.training import CurvePoint, Training
from watcher.rules.checkpoints import Choice, best_words, rewards, skipped, usable
from watcher.rules.curve import LEAST_POINTS, RISE, Parting, best, parting
from watcher.rules.offer import Offer, offer
from watcher.rules.pace import percentile
from watcher.rules.rai import Refusal, refusal_of
from watcher.rules.text import counted, duration, one_line, sentence
from watcher.web.pages.money import grouped

_KINDS = {
    "succeeded": "good",
    "failed": "critical",
    "cancelled": "plain",
    "paused": "warning",
    "pausing": "warning",
    "unknown": "unknown",
}


def status_kind(status: str) -> str:
    """The sheet's class for a job's status."""
    return _KINDS.get(status, "info")


#: So many say what is usual.
_ENOUGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the timeline."""

    at: datetime
    text: str
    is_seen: bool = False  #: dated by when watcher saw it, as the service gives no time
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture, with what its colours mean and what it says in words."""

    picture: Markup
    legend: Markup
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointShown:
    """A checkpoint that can be deployed."""

    step: int
    model: str
    created_at: datetime | None
    losses: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobShown:
    """All that the template needs beside the sheet."""

    title: str
    kind: str
    phases: Markup
    phase_legend: Markup
    steps: Sequence[Step]
    plots: Sequence[Plot]
    no_plot: str  #: why there is none
    overfitting: str
    refusal: Refusal | None
    usual: Sequence[str]
    cost: str
    basis: str
    origin: str
    checkpoints: Sequence[CheckpointShown]
    offer: Offer
    remarks: Sequence[str]


def job_shown(sheet: JobSheet, *, now: datetime, zone: ZoneInfo) -> JobShown:
    """The words and pictures of a job."""
    file = sheet.file
    assert file.job is not None and file.account is not None
    job, inside = file.job.job, file.training
    steps = tuple(_steps(file))
    stretches = _stretches(file, now)
    parted = parting(inside.points, rise=RISE, least_points=LEAST_POINTS) if inside else None
    offered = offer(file.account, job, inside, file.events)
    cost, price = sheet.cost.cost, sheet.cost.price
    return JobShown(
        title=one_line(job.suffix or job.id),
        kind=status_kind(job.status.value),
        phases=plots.phases("phases", "Time in each state", _spell(stretches), stretches),
        phase_legend=plots.legend((f"phase {one.kind}", one.words) for one in stretches),
        steps=steps,
        plots=tuple(_plots(inside, parted, offered.chosen)) if inside else (),
        no_plot=_no_plot(file),
        overfitting=_overfitting(parted),
        refusal=refusal_of(job, file.events),
        usual=tuple(_usual(file, now)),
        cost="unknown" if isinstance(cost, Unknown) else grouped(cost.text),
        basis=" ".join(
            _sentences(dict.fromkeys((*([cost.because] if isinstance(cost, Unknown) else []), sheet.cost.basis)))
        ),
        origin=price.origin(now) if isinstance(price, Price) else "",
        checkpoints=tuple(_checkpoints(inside, offered.chosen)),
        offer=offered,
        remarks=[localise(text, zone) for text in (rewards(inside), skipped(inside, file.events)) if text],
    )


def _sentences(texts: Iterable[str]) -> list[str]:
    return [sentence(text[:1].upper() + text[1:]) for text in texts if text]


def _steps(file: Dossier) -> Iterator[Step]:
    """Oldest first, with how long the state before lasted."""
    assert file.job is not None
    before = file.job.job.created_at
    if before is not None:
        yield Step(at=before, text="created")
    for change in sorted(reversed(file.transitions), key=_time):
        at = _time(change)
        is_seen = change.occurred_at is None
        if change.attribute == ESTIMATED_FINISH:
            ends = [
                f"{datetime.fromisoformat(end):%Y-%m-%d %H:%M} UTC" if end else "none"
                for end in (change.before, change.after)
            ]
            yield Step(at=change.observed_at, text=f"the service expects its end: {ends[0]} → {ends[1]}", is_seen=True)
        elif change.attribute == STATUS:
            after = f" after {duration(at - before)}" if before is not None and at > before else ""
            was = f"{change.before} → " if change.before else ""
            yield Step(at=at, text=f"{was}{change.after}{after}", is_seen=is_seen, kind=status_kind(change.after or ""))
            before = at
        elif change.attribute:
            text = f"{change.attribute.replace('_', ' ')}: {change.before or 'none'} → {change.after or 'none'}"
            yield Step(at=at, text=text, is_seen=is_seen)
        else:
            yield Step(at=at, text=change.change.value, is_seen=is_seen)


def _time(change: Transition) -> datetime:
    return change.occurred_at or change.observed_at


def _stretches(file: Dossier, now: datetime) -> list[Phase]:
    """The time in each state, as far as it is known; of one that is over without what came after."""
    assert file.job is not None
    job = file.job.job
    changes = sorted((one for one in reversed(file.transitions) if one.attribute == STATUS), key=_time)
    marks: list[tuple[datetime, str]] = [(_time(one), (one.after or "").lower()) for one in changes]
    if job.created_at is not None and (not marks or marks[0][0] > job.created_at):
        first = (changes[0].before or "") if changes else job.status.value
        known = first.lower() or "before it was seen"
        if not first and changes and job.status.has_ended and len(changes) == 1:
            known = "waiting and running"
        marks.insert(0, (job.created_at, known))
    ends = [at for at, _ in marks[1:]] + [file.job.status_since if job.status.has_ended else now]
    found = []
    for (at, status), end in zip(marks, ends, strict=True):
        if end > at and status not in _ENDS:
            length = (end - at).total_seconds()
            found.append(Phase(kind=_phase_kind(status), words=f"{status} {duration(end - at)}", length=length))
    return found


_ENDS = frozenset(status.value for status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED))
_WAITING = frozenset(status.value for status in WAITING)


def _phase_kind(status: str) -> str:
    if status in _WAITING:
        return "waiting"
    if status in ("running", "resuming"):
        return "running"
    return "paused" if status in ("paused", "pausing") else "unknown"


def _spell(stretches: Sequence[Phase]) -> str:
    return ", ".join(one.words for one in stretches) or "unknown"


#: What is drawn on one plot: its id, its title, the most that it can be, and the series.
_PICTURES = (
    (
        "loss",
        "Loss",
        None,
        (
            ("train_loss", "train", "training"),
            ("valid_loss", "valid", "validation, by batch"),
            ("full_valid_loss", "full", "validation, whole set"),
        ),
    ),
    (
        "accuracy",
        "Token accuracy",
        1.0,
        (
            ("train_accuracy", "train", "training"),
            ("valid_accuracy", "valid", "validation, by batch"),
            ("full_valid_accuracy", "full", "validation, whole set"),
        ),
    ),
    (
        "reward",
        "Mean reward",
        None,
        (
            ("train_reward", "train", "training"),
            ("valid_reward", "valid", "validation, by batch"),
            ("full_valid_reward", "full", "validation, whole set"),
        ),
    ),
)


def _plots(inside: Training, parted: Parting | None, chosen: Choice | None) -> Iterator[Plot]:
    lowest = best(inside.points)
    for id_, title, most, series in _PICTURES:
        lines = [
            Line(kind=kind, words=words, points=points, is_dotted=kind == "full" or len(points) < 3)
            for name, kind, words in series
            if (points := _series(inside.points, name))
        ]
        if not lines:
            continue
        is_parted = parted is not None and parted.metric.noun == id_
        is_told = lowest is not None and lowest.metric.noun == id_
        mark = (float(lowest.step), f"best, step {lowest.step}") if lowest is not None and is_told else None
        kept = tuple(
            (
                float(one.step),
                f"checkpoint of step {one.step}"
                + (", the one to deploy" if chosen and one is chosen.checkpoint else ""),
            )
            for one in usable(inside)
        )
        said = [f"{line.words}: {_course(line.points)}" for line in lines]
        said += [best_words(lowest)] if lowest is not None and is_told else []
        text = " ".join(_sentences(said))
        entries = [(line.kind, line.words) for line in lines] + ([("kept", "checkpoint")] if kept else [])
        if is_parted:
            entries.append(("worse", "validation gets worse"))
        picture = plots.curve(
            Curve(
                id=id_,
                title=f"{title} by step",
                text=text,
                lines=tuple(lines),
                best=mark,
                worse_from=float(parted.best_step) if parted is not None and is_parted else None,
                kept=kept,
                most=most,
            )
        )
        yield Plot(picture=picture, legend=plots.legend(entries), title=title, text=text)


def _series(points: Sequence[CurvePoint], name: str) -> tuple[tuple[float, float], ...]:
    found = ((float(point.step), point.metrics.get(name)) for point in points)
    return tuple((step, value) for step, value in found if value is not None and abs(value) < 1e9)


def _course(points: Sequence[tuple[float, float]]) -> str:
    (first_step, first), (last_step, last) = points[0], points[-1]
    if first_step == last_step:
        return f"{first:.3g} at step {first_step:g}"
    return f"{first:.3g} at step {first_step:g}, {last:.3g} at step {last_step:g}"


def _overfitting(parted: Parting | None) -> str:
    if parted is None:
        return ""
    return (
        f"V{best_words(parted.of)[1:]} and is {parted.worse_by:.0%} worse at step {parted.last_step}, while training "
        "still gained: it overfits from there."
    )


def _no_plot(file: Dossier) -> str:
    if file.training is None:
        if file.waits_beside is not None:
            return "Its results have not been read yet; a next poll does."
        return (
            "Its checkpoints and curve have not been read: that is done while a job runs, and when watcher sees it end."
        )
    return f"There is no curve{': ' + file.training.remark if file.training.remark else ''}."


def _usual(file: Dossier, now: datetime) -> Iterator[str]:
    """How long such jobs take."""
    assert file.job is not None
    if file.pace is None:
        yield "How long such jobs take is unknown: no other of its kind was seen to its end."
        return
    for verb, seconds in (("waited", file.pace.queued), ("ran", file.pace.ran)):
        if seconds:
            if len(seconds) < _ENOUGH:
                spans = " and ".join(duration(timedelta(seconds=each)) for each in seconds)
                were = "was" if len(seconds) == 1 else "were"
                yield f"Only {counted(len(seconds), 'such job')} {were} seen: {verb} {spans}."
                continue
            half, most = (duration(timedelta(seconds=percentile(seconds, share))) for share in (0.5, 0.95))
            yield f"Of {counted(len(seconds), 'such job')} half {verb} under {half}, nearly all under {most}."


def _checkpoints(inside: Training | None, chosen: Choice | None) -> Iterator[CheckpointShown]:
    for one in usable(inside):
        losses = [
            f"{words} {value:.4g}"
            for name, words in (("train_loss", "training loss"), ("full_valid_loss", "validation loss"))
            if (value := one.metrics.get(name)) is not None
        ]
        yield CheckpointShown(
            step=one.step,
            model=one.model,
            created_at=one.created_at,
            losses=", ".join(losses),
            is_chosen=chosen is not None and one is chosen.checkpoint,
        )
