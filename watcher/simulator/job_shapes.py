"""Shapes that a fine-tuning job can take in a generated month: what it trains, how long, and how it ends. Pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from watcher.simulator.chances import Chances
from watcher.simulator.jobs import ended_at
from watcher.simulator.scenario import ZERO, Job, Pause

M, H, D = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

MODELS = (
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano-2025-04-14",
    "gpt-4o-2024-08-06",
    "gpt-4o-mini-2024-07-18",
)
REASONING = "o4-mini-2025-04-16"
TRAINING_TYPES = (None, "globalStandard", "globalstandard", "standard", "developerTier", "developertier")
HARMS = ("hate_fairness", "self_harm", "sexual", "violence")
SUFFIXES = (None, None, "v2", "support_bot", "prod-2026-01", "A1")
FAILURES = (
    ("invalid_training_file", "The job failed due to an invalid training file. Line 17 is not a valid chat example."),
    ("jsonlValidationFailed", "The training file could not be read as JSON Lines."),
    ("quotaExceeded", "The resource has no quota left for training."),
    ("E4711", "Something that no documentation knows went wrong."),
)
# Unknown words among known ones: a client has to bear both.
WORDS = (
    (("pending", ZERO), ("running", 20 * M), ("succeeded", 3 * H)),
    (("created", ZERO), ("pending", 1 * M), ("running", 30 * M), ("failed", 2 * H)),
    (("notRunning", ZERO), ("running", 40 * M), ("evaluating", 5 * H), ("succeeded", 6 * H)),
    (("validating_files", ZERO), ("queued", 3 * M), ("cancelled", 2 * H)),
)

Shape = Callable[[Chances, Job], Job]


def succeeded(chances: Chances, job: Job) -> Job:
    return replace(job, overfits=chances.happens(15))


def failed(chances: Chances, job: Job) -> Job:
    """Fails in training, for a reason that has nothing to do with safety."""
    code, message = chances.one_of(FAILURES)
    return replace(job, outcome="failed", error_code=code, error_message=message)


def failed_wordless(chances: Chances, job: Job) -> Job:
    """Fails with the service's usual text, and perhaps that in the log alone."""
    return replace(job, outcome="failed", text_in=chances.one_of(("error", "events", "both")))


def data_refused(chances: Chances, job: Job) -> Job:
    return replace(job, outcome="rai_data", **_refusal(chances))  # type: ignore[arg-type]  # fields of Job


def model_refused(chances: Chances, job: Job) -> Job:
    return replace(job, outcome="rai_model", **_refusal(chances))  # type: ignore[arg-type]  # fields of Job


def cancelled_early(chances: Chances, job: Job) -> Job:
    """Cancelled while it waits: it never trains."""
    return replace(job, outcome="cancelled", running_for=ZERO)


def cancelled_late(chances: Chances, job: Job) -> Job:
    return replace(job, outcome="cancelled")


def paused_by_user(chances: Chances, job: Job) -> Job:
    """Paused for a while, once or twice."""
    half = Pause(after=_share(job, 50), lasts=chances.length(10 * M, 5 * D))
    pauses: tuple[Pause, ...] = (half,)
    if chances.happens(30):
        pauses = (replace(half, after=_share(job, 25)), half)
    return replace(job, pauses=pauses, paused_finished_at=chances.happens(70))


def left_paused(chances: Chances, job: Job) -> Job:
    """Paused for good."""
    return replace(job, pauses=(Pause(after=_share(job, 50)),), paused_finished_at=chances.happens(70))


def preempted(chances: Chances, job: Job) -> Job:
    """Training on spot capacity, which was taken away for a while."""
    pause = Pause(after=_share(job, 33), lasts=chances.length(20 * M, 2 * D), reason="preempted")
    return replace(job, training_type=chances.one_of(("developerTier", "developertier")), pauses=(pause,))


def reinforced(chances: Chances, job: Job) -> Job:
    return replace(job, model=REASONING, method="reinforcement", id_form="ftjob-short", epochs=2)


def capped(chances: Chances, job: Job) -> Job:
    """A reinforcement job at its spending cap, resumed or not."""
    lasts = chances.length(2 * H, 3 * D) if chances.happens(50) else None
    pause = Pause(after=_share(job, 75), lasts=lasts, reason="cap")
    return replace(reinforced(chances, job), pauses=(pause,))


def endless(chances: Chances, job: Job) -> Job:
    """Trains for the whole month."""
    return replace(job, outcome="none", running_for=60 * D)


def in_other_words(chances: Chances, job: Job) -> Job:
    """Status words served as they stand, some of them unknown."""
    return replace(job, timeline=chances.one_of(WORDS))


def at_once(chances: Chances, job: Job) -> Job:
    """Over before anybody looks twice."""
    quick = replace(job, validating_for=20 * timedelta(seconds=1), queued_for=ZERO, running_for=3 * M, steps=10)
    return replace(quick, outcome=chances.one_of(("succeeded", "failed", "cancelled")))


SHAPES: tuple[tuple[int, Shape], ...] = (
    (30, succeeded),
    (6, failed),
    (4, failed_wordless),
    (8, data_refused),
    (8, model_refused),
    (4, cancelled_early),
    (4, cancelled_late),
    (6, paused_by_user),
    (2, left_paused),
    (4, preempted),
    (4, reinforced),
    (4, capped),
    (2, endless),
    (5, in_other_words),
    (5, at_once),
)


def drawn_job(chances: Chances, name: str) -> Job:
    """A job of any shape: ended before the month, under way when it begins, or created in it."""
    created = chances.weighted(
        (
            (30, chances.moment(-70 * D, -3 * D)),
            (15, chances.moment(-20 * H, -1 * M)),
            (55, chances.moment(ZERO, 28 * D)),
        )
    )
    plain = _plain(chances, name, created)
    return chances.weighted(SHAPES)(chances, plain)


def deployable(job: Job, moment: timedelta) -> bool:
    """Whether the job had succeeded a while before `moment`."""
    ended = ended_at(job)
    return ended is not None and ended + 5 * M <= moment and job.outcome == "succeeded" and not job.timeline


def _share(job: Job, percent: int) -> timedelta:
    """A part of the training time, in whole seconds."""
    return timedelta(seconds=job.running_for // timedelta(seconds=1) * percent // 100)


def _plain(chances: Chances, name: str, created: timedelta) -> Job:
    """What has nothing to do with how it ends."""
    plain = Job(
        name=name,
        created=created,
        model=chances.one_of(MODELS),
        validating_for=chances.length(20 * timedelta(seconds=1), 20 * M),
        queued_for=chances.weighted(
            ((20, ZERO), (60, chances.length(4 * M, 2 * H)), (20, chances.length(6 * H, 2 * D)))
        ),
        running_for=chances.length(20 * M, 14 * H),
        id_form=chances.weighted(((75, "ftjob-hex"), (25, "ft-hex"))),
        blanks=chances.one_of((None, "absent", "null", "empty")),
        suffix=chances.one_of(SUFFIXES),
        seed=chances.number(1, 9999),
        epochs=chances.number(1, 4),
        steps=10 * chances.number(2, 8),
        trained_tokens=1000 * chances.number(10, 4000),
        training_type=chances.one_of(TRAINING_TYPES),
        method=chances.weighted(((85, "supervised"), (15, "dpo"))),
        metadata={"team": "search"} if chances.happens(15) else {},
        validation=chances.happens(80),
        older_results=created < -30 * D and chances.happens(50),
        skipped_images=chances.number(1, 40) if chances.happens(8) else 0,
    )
    return _estimated(chances, plain)


def _estimated(chances: Chances, job: Job) -> Job:
    """With no estimate, with one that holds, or with one that slips."""
    first = chances.length(1 * H, 10 * H)
    slips = ((2 * H, first + 3 * H), (5 * H, first + 9 * H))
    estimated = replace(job, estimated=first)
    return chances.weighted(((60, job), (25, estimated), (15, replace(estimated, estimates=slips))))


def _refusal(chances: Chances) -> dict[str, object]:
    """Where the reason of a safety refusal stands; its code is documented nowhere."""
    return {
        "harm_types": chances.some(HARMS, 1, 3),
        "text_in": chances.one_of(("error", "events", "both")),
        "error_code": chances.one_of((None, "RaiFailed", "contentFilter")),
    }
