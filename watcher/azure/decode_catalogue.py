"""ARM's catalogue of a region's models → when they retire. Pure.

Source: `Azure/azure-rest-api-specs`, Microsoft.CognitiveServices 2024-10-01, "Models – List" (`deprecation`,
`lifecycleStatus`, and in later versions `deprecationStatus`). The word `Deprecated` there means retired, and
`Deprecating` is what the documentation calls deprecated.
"""

from typing import Any

import msgspec

from watcher.azure.decode_arm import page_of
from watcher.azure.lenient import Page, text_of, when
from watcher.errors import MalformedError
from watcher.resources.model import Certainty, Retirement


class _Model(msgspec.Struct, rename="camel"):
    name: str
    version: Any = None
    lifecycle_status: str | None = None
    deprecation: Any = None


class _Item(msgspec.Struct):
    model: _Model


class _Items(msgspec.Struct, rename="camel"):
    value: list[_Item]
    next_link: str | None = None


_ITEMS = msgspec.json.Decoder(_Items)

_CERTAINTIES = {"planned": Certainty.PLANNED, "tentative": Certainty.TENTATIVE}


def decode_location_models(body: bytes, *, location: str) -> Page[Retirement]:
    """A page of a region's models, each with what is said of its retirement, which may be nothing.

    Args:
        location: The region, in lower case.

    Raises:
        MalformedError: this is no list of anything.
    """
    return page_of(body, _ITEMS, _Item, lambda raw: _retirement(raw.model, location))


def _retirement(raw: _Model, location: str) -> Retirement:
    if not raw.name:
        raise MalformedError("a model without a name")
    said = raw.deprecation if isinstance(raw.deprecation, dict) else {}
    version = text_of(raw.version)
    return Retirement(
        model=f"{raw.name}-{version}" if version else raw.name,
        location=location,
        lifecycle=raw.lifecycle_status or "",
        fine_tune_until=when(said.get("fineTune")),
        inference_until=when(said.get("inference")),
        certainty=_CERTAINTIES.get(text_of(said.get("deprecationStatus")).lower(), Certainty.UNSTATED),
    )
