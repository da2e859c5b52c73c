"""What is known of the inside of a job's training, in words: checkpoints, rewards, what was left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobEvent
from watcher.resources.left_out import left_out
from watcher.resources.training import METRICS, Training
from watcher.rules import commands
from watcher.rules.curve import LEAST_POINTS, RISE, Best, best, parting
from watcher.rules.rule import View
from watcher.rules.text import counted, moment

_REWARDS = (("train_reward", "in training"), ("full_valid_reward", "in validation"), ("valid_reward", "in validation"))


def usable(training: Training | None) -> tuple[Checkpoint, ...]:
    """The checkpoints that bear the name by which they are deployed, by step."""
    kept = (checkpoint for checkpoint in (training.checkpoints if training else ()) if checkpoint.model)
    return tuple(sorted(kept, key=lambda checkpoint: checkpoint.step))


#: By what the better of two checkpoints is known, the surest first; and whether more is better.
_MEASURES = (
    ("full_valid_reward", "mean reward over the whole validation set", True),
    ("full_valid_loss", "loss over the whole validation set", False),
    ("valid_reward", "mean reward on a batch of validation data", True),
    ("valid_loss", "loss on a batch of validation data", False),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The checkpoint to deploy, and why that one."""

    checkpoint: Checkpoint
    because: str  #: after "step 40, "


def best_words(best: Best) -> str:
    """`validation loss was best at step 80 (1.2, by the smoothed curve)`."""
    by = "by the smoothed curve" if best.is_smoothed else "over the whole validation set"
    return f"validation {best.metric.noun} was best at step {best.step} ({best.value:.3g}, {by})"


def kept_from(best: Best, kept: Sequence[Checkpoint]) -> Checkpoint | None:
    """The newest of some checkpoints, by step, from that step or before, as finely as the curve tells."""
    return next((one for one in reversed(kept) if one.step <= best.until), None)


def choice(training: Training | None) -> Choice | None:
    """The checkpoint from where validation was best, or the nearest before; where there is no curve, the one that
    validated best, where that is known of all; else the last one. `None`: there is none."""
    kept = usable(training)
    if training is None or not kept:
        return None
    last = kept[-1]
    if len(kept) == 1:
        return Choice(last, "the only one that is listed")
    if (found := best(training.points)) is not None:
        chosen = kept_from(found, kept)
        if chosen is None:
            return Choice(kept[0], f"the nearest that is listed: {best_words(found)}, and none is from there or before")
        which = (
            "the last one" if chosen is last else "the nearest to the best" if chosen.step != found.step else "the best"
        )
        return Choice(chosen, f"{which}: {best_words(found)}")
    for name, words, is_better_high in _MEASURES:
        values = [_measured(training, checkpoint, name) for checkpoint in kept]
        known = [value for value in values if value is not None]
        if len(known) < len(kept):
            continue
        lowest = max(known) if is_better_high else min(known)
        chosen = next(one for one, value in reversed([*zip(kept, known, strict=True)]) if value == lowest)
        if chosen is last:
            return Choice(last, f"the last one and the best by {words}: {lowest:.3g}")
        return Choice(chosen, f"the best by {words}: {lowest:.3g}, and {known[-1]:.3g} at the last, step {last.step}")
    return Choice(last, "the last one; how each validated is not known")


def _measured(training: Training, checkpoint: Checkpoint, name: str) -> float | None:
    """By the curve at its step, else by its own word."""
    point = next((point for point in training.points if point.step == checkpoint.step), None)
    found = point.metrics.get(name) if point else None
    if found is None:
        found = next((checkpoint.metrics[key] for key in METRICS[name] if key in checkpoint.metrics), None)
    return found if found is not None and math.isfinite(found) else None


def rescue(view: View, job: FineTuningJob, though: str) -> tuple[str, str]:
    """What of the training is not lost: a sentence, and the command for it; both "" where no checkpoint is known.

    Args:
        though: What would make one think that nothing can be deployed: "the job failed".
    """
    training = view.training.get(job.id)
    kept = usable(training)
    if training is None or not kept:
        return "", ""
    count = counted(len(kept), "checkpoint")
    steps = ", ".join(str(checkpoint.step) for checkpoint in kept)
    sentence = (
        f"The service listed {count} of it ({'step' if len(kept) == 1 else 'steps'} {steps}; read "
        f"{moment(training.read_at)}), which could be deployed though {though}; whether the service accepts that is "
        "seen only by trying."
    )
    chosen = choice(training)
    assert chosen is not None
    deploy = commands.deploy_checkpoint(view.account, job, chosen.checkpoint)
    return sentence, f"Deploy its checkpoint of step {chosen.checkpoint.step}, {chosen.because}:\n{deploy}"


def rewards(training: Training | None) -> str:
    """How the rewards of reinforcement went, from the first to the last that is known; "": none are."""
    said: dict[str, str] = {}
    points = training.points if training else ()
    for name, where in _REWARDS:
        known = [(point.step, point.metrics[name]) for point in points if name in point.metrics]
        if known and where not in said:
            (first_step, first), (last_step, last) = known[0], known[-1]
            went = f"from {first:.3g} (step {first_step}) to {last:.3g} (step {last_step})"
            said[where] = f"{where} {went if len(known) > 1 else f'{last:.3g} (step {last_step})'}"
    return f"Mean reward: {'; '.join(said.values())}." if said else ""


def best_earlier(training: Training | None) -> str:
    """That a step before the last would be the better one to deploy; "": nothing says so."""
    parted = parting(training.points, rise=RISE, least_points=LEAST_POINTS) if training else None
    if parted is None:
        return ""
    return (
        f"Mind that validation {parted.metric.noun} was best at step {parted.best_step} of {parted.last_step}: a "
        "checkpoint from there, if one is kept, may answer better than the end."
    )


def skipped(training: Training | None, events: Sequence[JobEvent]) -> str:
    """That the service left examples or images out; in its own words, where its log has such a line; "": none known."""
    said = left_out(events)
    if said is not None:
        return f'Its log says: "{said.line}"' if said.count != 0 else ""
    if training is not None and training.skipped:
        return f"By its log the service left out {training.skipped:,} examples or images."
    return ""
