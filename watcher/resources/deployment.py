"""Deployments: models served under a name in an account, and how much they are called."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from watcher.resources.model import model_of


class ProvisioningState(StrEnum):
    """A deployment's ARM state, Azure's spelling kept. The set is Azure's and open: see `UNKNOWN`."""

    ACCEPTED = "Accepted"
    CREATING = "Creating"
    DELETING = "Deleting"
    MOVING = "Moving"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"
    DISABLED = "Disabled"
    CANCELED = "Canceled"
    UNKNOWN = "Unknown"


class SkuKind(StrEnum):
    """How a deployment is billed and how long it may live, whatever its SKU's spelling."""

    STANDARD = "standard"  #: Standard, GlobalStandard, DataZoneStandard: hosting by the hour
    DEVELOPER = "developer"  #: no hosting fee, removed 24 h after its creation
    PROVISIONED = "provisioned"  #: by PTU-hour; whether the idle rule covers it is not said
    BATCH = "batch"
    OTHER = "other"


_SKU_KINDS = {
    "standard": SkuKind.STANDARD,
    "globalstandard": SkuKind.STANDARD,
    "datazonestandard": SkuKind.STANDARD,
    "developer": SkuKind.DEVELOPER,
    "developertier": SkuKind.DEVELOPER,
    "provisionedmanaged": SkuKind.PROVISIONED,
    "globalprovisionedmanaged": SkuKind.PROVISIONED,
    "datazoneprovisionedmanaged": SkuKind.PROVISIONED,
    "globalbatch": SkuKind.BATCH,
    "datazonebatch": SkuKind.BATCH,
}


@lru_cache(maxsize=64)  # every rule about deployments asks this of each at every poll
def sku_kind(sku: str) -> SkuKind:
    """The kind behind a SKU's name, in any of the spellings that Azure's pages use."""
    return _SKU_KINDS.get(sku.lower(), SkuKind.OTHER)


_SAME_SKUS = (frozenset({"developer", "developertier"}),)


def sku_spellings(sku: str) -> frozenset[str]:
    """All names that Azure's pages and answers have for a SKU, in lower case."""
    name = sku.lower()
    return next((names for names in _SAME_SKUS if name in names), frozenset({name}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment, in one of its lives: a name may be deleted and created again."""

    id: str  #: ARM id, spelt as Azure spelt it
    name: str
    account: str  #: key of the account
    incarnation: str = ""  #: which life of this name: its `createdAt`, else when first seen; see `merging.living`
    model: str
    model_format: str = "OpenAI"
    model_version: str = ""
    model_source: str = ""  #: the account that the model comes from, where it is another one
    model_source_account: str = ""  #: the same, where Azure names it as an account of another tenant
    sku: str = ""
    capacity: int | None = None
    rai_policy: str = ""  #: name of its content filter
    upgrade_option: str = ""  #: what becomes of it when its model's version changes
    #: What else of it can be set, as ARM tells it, by place: `properties`, `model`, `sku`.
    further: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provisioning_state: ProvisioningState = ProvisioningState.SUCCEEDED
    raw_provisioning_state: str = "Succeeded"
    deployment_state: str = ""  #: `Running`, `Paused`, or "" in older API versions
    created_at: datetime | None = None  #: `None`: unknown, and no age may be guessed
    created_by: str = ""
    modified_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""  #: the service's text where provisioning failed

    @property
    def key(self) -> str:
        """The ARM id in lower case."""
        return self.id.lower()

    @property
    def sku_kind(self) -> SkuKind:
        return sku_kind(self.sku)

    @property
    def is_paused(self) -> bool:
        return self.deployment_state.lower() == "paused"


_FINE_TUNED = re.compile(r"\.ft-|^ft:|^ftchkpt-", re.IGNORECASE)


def is_fine_tuned(model: str, custom_models: Collection[str] = ()) -> bool:
    """Whether a deployment's model is a customised one; base models never go idle.

    What is known of jobs and models goes first, whatever the name looks like; only then does the name decide, and
    loosely, for a customised model taken for a base model would be deleted without a warning.

    Args:
        model: `properties.model.name` of the deployment.
        custom_models: Names of models and checkpoints that known jobs have made, ids of checkpoints, and models that
            their account lists with the job that made them. A checkpoint of a known model need not be among them.

    Source: Azure names fine-tuned models `<base>.ft-<job>[-suffix][:ckpt-step-N]`, and allows the deployment of a
    checkpoint by its id `ftchkpt-…`; models of the OpenAI platform begin with `ft:`.
    """
    if custom_models and (model in custom_models or model_of(model) in custom_models):
        return True
    return _is_named_fine_tuned(model)


@lru_cache(maxsize=256)  # every rule about deployments asks this of each at every poll
def _is_named_fine_tuned(model: str) -> bool:
    return bool(_FINE_TUNED.search(model))


#: A tag with a date, or a time in RFC 3339, until which a deployment is wanted.
KEEP_TAG = "watcher-keep-until"


def keep_until(deployment: Deployment) -> datetime | None:
    """Until when the deployment's own tag wants it to be kept; `None` without one that can be read.

    A date counts to its end, in UTC.
    """
    return _read_keep_tag(_keep_tag(deployment))


def unreadable_keep_tag(deployment: Deployment) -> str:
    """What the tag that wants the deployment to be kept says, where that is no time; "" where it is, or is not set."""
    text = _keep_tag(deployment)
    return text if text and _read_keep_tag(text) is None else ""


def _keep_tag(deployment: Deployment) -> str:
    return next((value for name, value in deployment.tags.items() if name.lower() == KEEP_TAG), "").strip()


#: Further than these a time cannot be told in every zone.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def _read_keep_tag(text: str) -> datetime | None:
    try:
        if len(text) == len("2026-12-31"):
            at = datetime.combine(date.fromisoformat(text), time(), UTC)
            return _LAST if at >= _LAST else max(at + timedelta(days=1), _FIRST)
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(_FIRST, min(at if at.tzinfo else at.replace(tzinfo=UTC), _LAST)).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the metrics tell of one deployment's calls. A time is the start of the hour (or minute) that holds calls.

    The span from `read_from` to `read_to` was read without a gap; outside it nothing is known.
    """

    deployment: str  #: name, in lower case: dimension values compare without case
    read_from: datetime
    read_to: datetime  #: exclusive; the newest minutes, still incomplete at Azure, are left out
    last_success_at: datetime | None = None  #: last bucket with a 2xx answer; `None`: none inside the span
    last_failure_at: datetime | None = None  #: last bucket with any other answer
    bucket_seconds: int = 3600
    #: Last bucket with calls that may be this one's: without a deployment's name in the account, or without a status.
    last_unclear_at: datetime | None = None

    @property
    def is_ambiguous(self) -> bool:
        """Whether calls that may be its own came after the last that surely was."""
        unclear, success = self.last_unclear_at, self.last_success_at
        return unclear is not None and (success is None or unclear > success)
