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

_TITLES = {"hate_fairness": "Hate/Fairness", "self_harm": "Self Harm", "sexual": "Sexual", "violence": "Violence"}


def training_data_refused(harm_types: tuple[str, ...]) -> str:
    """The data check's text; it lists harm types in snake_case."""
    harms = ", ".join(harm_types or ("hate_fairness", "self_harm", "violence"))
    return f"The provided training data failed RAI checks for harm types: [{harms}]. Please fix the data and try again."


def model_refused(harm_types: tuple[str, ...]) -> str:
    """The model evaluation's text; it lists harm types in title case. Other spellings are left as they are."""
    harms = ", ".join(_TITLES.get(harm, harm) for harm in harm_types or ("violence", "self_harm"))
    return (
        "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
        f"acceptable thresholds for [{harms}]. Please review your training data set and resubmit the job."
    )


def results_file(file_id: str) -> str:
    return f"Completed results file: {file_id}"


def billed(tokens: int) -> str:
    return f"Training tokens billed: {tokens}"


def step(number: int, loss: float) -> str:
    return f"Step {number}: training loss={loss}"
