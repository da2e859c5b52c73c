"""How to make a deployment again: all that ARM needs, taken down while it lives. The model survives its deployment, the
settings do not.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from watcher.resources.deployment import Deployment

_API_VERSION = "2024-10-01"
#: The first version that Azure's own sample makes a Developer deployment with.
_DEVELOPER_API_VERSION = "2025-07-01-preview"
_DEVELOPER_SKU = "DeveloperTier"
#: `json.dumps` with such an option would make an encoder each time.
_json = json.JSONEncoder(ensure_ascii=False).encode


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One request to ARM that makes a deployment as it was."""

    id: str  #: ARM id of the deployment
    body: Mapping[str, Any]
    api_version: str = _API_VERSION
    missing: tuple[str, ...] = ()  #: what the deployment did not tell, and Azure chooses then
    obstacle: str = ""  #: what is in the command's way, in sentences; "": nothing that is known

    @property
    def command(self) -> str:
        """The command; `az` puts the address of its own cloud before the path."""
        path = f"{self.id}?api-version={self.api_version}"
        body = _json(self.body)
        return f"az rest --method put --url {shlex.quote(path)} --body {shlex.quote(body)}"


def recipe(deployment: Deployment, *, obstacle: str = "") -> Recipe:
    """The deployment as it is."""
    missing = []
    sku: dict[str, Any] = {"name": deployment.sku or "Standard"}
    if not deployment.sku:
        missing.append("its SKU, taken to be Standard")
    if deployment.capacity is None:
        missing.append("its capacity")
    else:
        sku["capacity"] = deployment.capacity
    sku.update(deployment.further.get("sku", {}))
    model: dict[str, Any] = {
        "format": deployment.model_format or "OpenAI",
        "name": deployment.model,
        "version": deployment.model_version or "1",
    }
    if deployment.model_source_account:
        model["sourceAccount"] = deployment.model_source_account
    elif deployment.model_source:
        model["source"] = deployment.model_source
    model.update(deployment.further.get("model", {}))
    properties: dict[str, Any] = {"model": model}
    if deployment.rai_policy:
        properties["raiPolicyName"] = deployment.rai_policy
    else:
        missing.append("its content filter")
    if deployment.upgrade_option:
        properties["versionUpgradeOption"] = deployment.upgrade_option
    properties.update(deployment.further.get("properties", {}))
    body: dict[str, Any] = {"sku": sku, "properties": properties}
    if deployment.tags:
        body["tags"] = dict(sorted(deployment.tags.items()))
    version = _DEVELOPER_API_VERSION if "developer" in deployment.sku.lower() else _API_VERSION
    return Recipe(id=deployment.id, body=body, api_version=version, missing=tuple(missing), obstacle=obstacle)


def as_sku(deployment: Deployment, sku: str) -> Deployment:
    """The same under another SKU: what is set further of it may be for its own alone, but for its model."""
    kept = {place: more for place, more in deployment.further.items() if place == "model"}
    return replace(deployment, sku=sku, further=kept)


def as_developer(deployment: Deployment) -> Recipe:
    """The same deployment as a Developer one: without a fee by the hour, and gone after 24 h."""
    return recipe(as_sku(deployment, _DEVELOPER_SKU))
