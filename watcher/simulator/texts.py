"""What Azure writes into jobs and their events, word for word where a source has the words.

Sources: specification example of events; recorded output of one gpt-4.1 job; how-to article on safety evaluation,
section "Sample message" (two texts). Those marked *invented* stand where no source shows a text.
"""

ENQUEUED = "Job enqueued. Waiting for jobs ahead to complete."
STARTED = "Job started."
SUCCEEDED = "Job succeeded."
EVALUATION_PASSED = "Model Evaluation Passed."
FAILED = "Job failed."  # invented
CANCELLED = "Job cancelled."  # invented
RESUMED = "Job resumed."  # invented
PAUSED = {  # invented
    "user": "Job paused.",
    "preempted": "Job paused: capacity was reclaimed. It resumes when capacity is available.",
    "cap": "Job paused: the spending limit was reached.",
}
INTERNAL_FAILURE = "The job failed because of an internal error. Please submit it again."  # invented

HARMS = {  # where a scenario names none
    "rai_data": ("hate_fairness", "self_harm", "violence"),
    "rai_model": ("violence", "self_harm"),
}
_TITLES = {"hate_fairness": "Hate/Fairness", "self_harm": "Self Harm", "sexual": "Sexual", "violence": "Violence"}


def harms_named(outcome: str, harm_types: tuple[str, ...]) -> tuple[str, ...]:
    """The harm types that a job's text lists; none unless it was refused for safety."""
    return (harm_types or HARMS[outcome]) if outcome in HARMS else ()


def training_data_refused(harm_types: tuple[str, ...]) -> str:
    """The data check's text; it lists harm types in snake_case."""
    harms = ", ".join(harms_named("rai_data", harm_types))
    return f"The provided training data failed RAI checks for harm types: [{harms}]. Please fix the data and try again."


def model_refused(harm_types: tuple[str, ...]) -> str:
    """The model evaluation's text; it lists harm types in title case. Other spellings are left as they are."""
    harms = ", ".join(_TITLES.get(harm, harm) for harm in harms_named("rai_model", harm_types))
    return (
        "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
        f"acceptable thresholds for [{harms}]. Please review your training data set and resubmit the job."
    )


def skipped_images(number: int) -> str:
    """A line about training data; *invented*."""
    return f"{number} images were skipped because they could not be used for training."


def results_file(file_id: str) -> str:
    return f"Completed results file: {file_id}"


def billed(tokens: int) -> str:
    return f"Training tokens billed: {tokens}"


def step(number: int, loss: float) -> str:
    return f"Step {number}: training loss={loss}"
