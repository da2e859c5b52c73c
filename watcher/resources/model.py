"""Models: what their names tell, those that an account's jobs have made, and when base models retire.

Azure names a fine-tuned model `<base>.ft-<32 hex>[-suffix]` and a checkpoint of it `…:ckpt-step-N`; a checkpoint may
also be deployed by its id, `ftchkpt-…`, which tells nothing. Models of the OpenAI platform are named
`ft:<base>:<organisation>:<suffix>:<id>`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A fine-tuned model as the data plane lists it; it stays when its deployment or even its job is gone."""

    id: str  #: its name, as deployments bear it
    account: str  #: key of the account that holds it
    base: str = ""  #: what it was trained from: a base model's name, or a custom model's
    job: str = ""  #: id of the job that made it; "" where the service does not say
    created_at: datetime | None = None
    raw_status: str = ""
    inference_until: datetime | None = None  #: retirement, where the listing names it


class Certainty(StrEnum):
    """How firm a retirement date is."""

    PLANNED = "planned"
    TENTATIVE = "tentative"
    UNSTATED = "unstated"  #: the service gives the date and says no more
    TABLE = "table"  #: from the table in Azure's documentation that this version ships, not from the service


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """When a base model can no longer be trained on, and no longer be served."""

    model: str  #: full name, `gpt-4o-2024-08-06`: name and version
    location: str = ""  #: region in lower case; "": everywhere
    lifecycle: str = ""  #: ARM's word: `GenerallyAvailable`, `Deprecating`, `Deprecated` (which means retired), …
    fine_tune_until: datetime | None = None
    inference_until: datetime | None = None
    certainty: Certainty = Certainty.UNSTATED


_CHECKPOINT = re.compile(r":ckpt-step-\d+$", re.IGNORECASE)
_CHECKPOINT_ID = re.compile(r"^ftchkpt-", re.IGNORECASE)
_TUNED = re.compile(r"^(?P<base>.+?)\.ft-(?:[0-9a-f]{32}(?:-(?P<suffix>.+))?|.*)$", re.IGNORECASE)
_PLATFORM = re.compile(r"^ft:(?P<base>[^:]+)(?::[^:]*(?::(?P<suffix>[^:]*))?)?", re.IGNORECASE)
#: The version at the end of a base model's name: a date, or four digits in older names.
_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")


def model_of(name: str) -> str:
    """The model that a deployment's `properties.model.name` means: the name without its checkpoint's step."""
    return _CHECKPOINT.sub("", name) if ":" in name else name


def is_checkpoint_id(name: str) -> bool:
    """Whether it is a checkpoint's id, which names neither its model nor its base."""
    return bool(_CHECKPOINT_ID.match(name))


@lru_cache(maxsize=256)  # asked of each job under way at each poll
def base_of(name: str) -> str:
    """The full name of the base model within a fine-tuned model's name: `gpt-4o-2024-08-06`.

    Any other name is its own base; "" for a checkpoint's id, of which the base is not known.
    """
    if is_checkpoint_id(name):
        return ""
    found = _TUNED.match(name) or _PLATFORM.match(name)
    return found["base"] if found else model_of(name)


def suffix_of(name: str) -> str:
    """The suffix that somebody gave to the job that made the model; "" without one."""
    found = _TUNED.match(model_of(name)) or _PLATFORM.match(model_of(name))
    return (found["suffix"] or "") if found else ""


def family(name: str) -> str:
    """The base model without its version, in lower case: `gpt-4o-mini`."""
    return _VERSION.sub("", base_of(name).lower())
