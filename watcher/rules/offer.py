"""What of a job's training is offered for deployment: its model, one of its checkpoints, or nothing, and why not.

Whoever shows a command to deploy asks here, so that none is shown for what the service has refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from watcher.resources.account import Account
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.training import Training
from watcher.rules import commands
from watcher.rules.checkpoints import Choice, choice, usable
from watcher.rules.rai import refused

REFUSED = (
    "Nothing of this training is offered for deployment: the service's RAI checks have refused the job, and its "
    "checkpoints are of the same training."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What to deploy of a job."""

    command: str = ""  #: "": nothing can be deployed
    chosen: Choice | None = None  #: the checkpoint, which may be the end of the training; `None`: none is known
    is_checkpoint: bool = False  #: the command deploys `chosen` by its own name, not the model that the job made
    refused: str = ""  #: why nothing is offered, in a sentence; "": the service has not refused it


def offer(account: Account, job: FineTuningJob, training: Training | None, events: Sequence[JobEvent]) -> Offer:
    """What to deploy of a job.

    Args:
        events: The lines of its log, oldest first: a refusal may stand there alone.
    """
    if refused(job, events) is not None:
        return Offer(refused=REFUSED)
    chosen = choice(training)
    is_made = bool(job.fine_tuned_model) and job.status is JobStatus.SUCCEEDED
    if chosen is not None and not (is_made and chosen.checkpoint is usable(training)[-1]):
        deploy = commands.deploy_checkpoint(account, job, chosen.checkpoint)
        return Offer(command=deploy, chosen=chosen, is_checkpoint=True)
    return Offer(command=commands.deploy_model(account, job) if is_made else "", chosen=chosen)
