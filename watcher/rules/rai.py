"""Recognises refusals of the responsible-AI (RAI) checks by their text, and names the harms in one spelling.

Azure documents no error code for them, only two sample messages; everything else here is a cautious guess at wordings
that nobody has written down. The original text is always kept beside the verdict.

Source: Azure's page on the safety evaluation of fine-tuned models, both "Sample message" boxes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus

#: The harms that Azure names. Only these become a label; other words stay in the text.
KNOWN_HARMS = frozenset({"hate_fairness", "self_harm", "sexual", "violence"})
_ALIASES = {
    "fairness": "hate_fairness",
    "hate": "hate_fairness",
    "hate_and_fairness": "hate_fairness",
    "hate_unfairness": "hate_fairness",
    "selfharm": "self_harm",
    "sexual_content": "sexual",
}


class RaiStage(StrEnum):
    """Which of the two checks refused."""

    DATA = "data"  #: before training: the training data
    MODEL = "model"  #: after training: the model, which then cannot be deployed
    UNKNOWN = "unknown"  #: an RAI refusal in words that do not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A text in which the service refuses on RAI grounds."""

    stage: RaiStage
    harm_types: tuple[str, ...]  #: the known ones, in one spelling, sorted; may be empty
    text: str  #: the service's own words, whole
    is_known_wording: bool  #: one of the two documented messages; otherwise "RAI, unclassified"


_DATA_FORM = re.compile(r"failed\s+RAI\s+checks\s+for\s+harm\s+types:?\s*\[([^\]]*)\]", re.IGNORECASE)
_MODEL_FORM = re.compile(r"scores\s+above\s+acceptable\s+thresholds\s+for:?\s*\[([^\]]*)\]", re.IGNORECASE)

_SURE_TOPIC = re.compile(r"\bRAI\s+checks?\b|unable\s+to\s+be\s+deployed", re.IGNORECASE)
_TOPIC = re.compile(
    r"\bRAI\b|responsible\s+AI|content\s+safety|\bmoderation\b|harm\s+types?|model\s+evaluation", re.IGNORECASE
)
_REFUSING = re.compile(
    r"fail|reject|block|refus|flagg|violat|exceed|unable|cannot|\bnot\s+(?:allow|meet|comply|permit|deploy|accept)"
    r"|above\s+acceptable",
    re.IGNORECASE,
)
_PASSING = re.compile(r"\bpass(?:ed|es)?\b|\bsucceeded\b|\bno\s+harm|\bcompleted\b|\bstarted\b", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\]]*)\]")

_SAYS_MODEL = re.compile(
    r"model\s+evaluation|be\s+deployed|deployable|(?:fine[- ]?tuned|trained)\s+model", re.IGNORECASE
)
_SAYS_DATA = re.compile(r"(?:training|validation)[- _]?\s*(?:data|file|example)|provided\s+data", re.IGNORECASE)


def harm_type(name: str) -> str:
    """One spelling for a harm's name: `Self Harm` → `self_harm`, `Hate/Fairness` → `hate_fairness`."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return _ALIASES.get(word, word)


def known_harms(names: str) -> tuple[str, ...]:
    """The known harms in a comma-separated list, sorted, each once."""
    return tuple(sorted({harm_type(name) for name in re.split(r"[,;]", names)} & KNOWN_HARMS))


def read_refusal(text: str) -> Refusal | None:
    """What `text` refuses, if it is one of the documented messages or is very likely to mean the same."""
    if found := _DATA_FORM.findall(text):
        return Refusal(
            stage=RaiStage.DATA, harm_types=known_harms(",".join(found)), text=text.strip(), is_known_wording=True
        )
    if found := _MODEL_FORM.findall(text):
        return Refusal(
            stage=RaiStage.MODEL, harm_types=known_harms(",".join(found)), text=text.strip(), is_known_wording=True
        )
    harms = known_harms(",".join(_BRACKETS.findall(text)))
    if not _is_likely_refusal(text, harms):
        return None
    return Refusal(stage=_stage_said(text), harm_types=harms, text=text.strip(), is_known_wording=False)


def _is_likely_refusal(text: str, harms: tuple[str, ...]) -> bool:
    """A line that says the check passed, or begins, is none; nor is a failure that has nothing to do with harm."""
    if _PASSING.search(text) and not re.search(r"fail|reject|unable", text, re.IGNORECASE):
        return False
    if _SURE_TOPIC.search(text):
        return True
    return bool((harms or _TOPIC.search(text)) and _REFUSING.search(text))


def _stage_said(text: str) -> RaiStage:
    # The documented refusal of a model speaks of "your training data set" too, so the model is asked for first.
    if _SAYS_MODEL.search(text):
        return RaiStage.MODEL
    return RaiStage.DATA if _SAYS_DATA.search(text) else RaiStage.UNKNOWN


def find_refusal(texts: Iterable[str]) -> Refusal | None:
    """The first text in a documented wording, else the first that is likely a refusal, else `None`."""
    refusals = [refusal for text in texts if (refusal := read_refusal(text))]
    return next((r for r in refusals if r.is_known_wording), refusals[0] if refusals else None)


def refusal_of(job: FineTuningJob, events: Sequence[JobEvent]) -> Refusal | None:
    """The refusal in a job's error, else in its events, newest first."""
    error = [job.error.message] if job.error else []
    # Progress lines speak of checks too ("Running RAI checks"): of those without a fault's level, only plain refusals.
    lines = [
        event.message
        for event in reversed(events)
        if event.level.lower() in ("error", "warning", "warn") or _REFUSING.search(event.message)
    ]
    return find_refusal((*error, *lines))


def refused(job: FineTuningJob, events: Sequence[JobEvent]) -> Refusal | None:
    """By what the service has refused a job that ended; `None`: it did not, or the job is under way or was cancelled.

    One that is called succeeded may be refused all the same: see `outcome`.
    """
    may_be = job.status.has_ended and job.status is not JobStatus.CANCELLED
    return refusal_of(job, events) if may_be else None


def has_trained(job: FineTuningJob, events: Sequence[JobEvent]) -> bool:
    """Whether a job shows any sign of having begun its training."""
    return bool(job.trained_tokens or job.fine_tuned_model) or any(
        event.type == "metrics" or event.message.lower().startswith("job started") for event in events
    )
