"""What is known of the inside of a job's training, in words: checkpoints, rewards, what was left out."""

from collections.abc import Sequence

from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobEvent
from watcher.resources.left_out import left_out
from watcher.resources.training import Training
from watcher.rules import commands
from watcher.rules.curve import LEAST_POINTS, RISE, parting
from watcher.rules.rule import View
from watcher.rules.text import counted, moment

_REWARDS = (("train_reward", "in training"), ("full_valid_reward", "in validation"), ("valid_reward", "in validation"))


def usable(training: Training | None) -> tuple[Checkpoint, ...]:
    """The checkpoints that bear the name by which they are deployed, by step."""
    kept = (checkpoint for checkpoint in (training.checkpoints if training else ()) if checkpoint.model)
    return tuple(sorted(kept, key=lambda checkpoint: checkpoint.step))


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
    newest = kept[-1]
    deploy = commands.deploy_checkpoint(view.account, job, newest)
    return sentence, f"Deploy its checkpoint of step {newest.step}:\n{deploy}"


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
