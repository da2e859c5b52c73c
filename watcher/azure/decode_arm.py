"""The control plane's JSON → accounts, deployments, resource groups, subscriptions. Pure.

Source: `Azure/azure-rest-api-specs`, Microsoft.CognitiveServices 2024-10-01 (`systemData` is left out in its examples)
and 2025-10-01-preview (`deploymentState`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from watcher.azure.clouds import Cloud, is_safe_base
from watcher.azure.lenient import BadItem, Page, int_of, parse_object, shape, text_of, texts_of, when
from watcher.errors import MalformedError
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment, ProvisioningState

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


class _SystemData(msgspec.Struct, rename="camel"):
    created_at: Any = None
    created_by: str | None = None
    last_modified_at: Any = None


class _AccountProperties(msgspec.Struct, rename="camel"):
    provisioning_state: str | None = None
    endpoint: str | None = None
    endpoints: Any = None
    disable_local_auth: bool | None = None
    date_created: Any = None


class _Account(msgspec.Struct, rename="camel"):
    id: str
    name: str | None = None
    location: str | None = None
    kind: str | None = None
    tags: Any = None
    properties: _AccountProperties | None = None
    system_data: _SystemData | None = None


class _Model(msgspec.Struct, rename="camel"):
    name: str
    format: str | None = None
    version: Any = None
    source: str | None = None
    source_account: str | None = None


class _DeploymentProperties(msgspec.Struct, rename="camel"):
    model: _Model
    provisioning_state: str | None = None
    deployment_state: str | None = None
    rai_policy_name: Any = None
    version_upgrade_option: Any = None
    error: Any = None


class _Sku(msgspec.Struct):
    name: str | None = None
    capacity: Any = None


class _Deployment(msgspec.Struct, rename="camel"):
    id: str
    properties: Any  # shaped apart, as is `sku`: what no field here knows is kept too
    name: str | None = None
    sku: Any = None
    tags: Any = None
    system_data: _SystemData | None = None


class _Accounts(msgspec.Struct, rename="camel"):
    value: list[_Account]
    next_link: str | None = None


class _Deployments(msgspec.Struct, rename="camel"):
    value: list[_Deployment]
    next_link: str | None = None


class _Group(msgspec.Struct):
    name: str
    tags: Any = None


class _Groups(msgspec.Struct, rename="camel"):
    value: list[_Group]
    next_link: str | None = None


class _Subscription(msgspec.Struct, rename="camel"):
    subscription_id: str
    display_name: str | None = None
    state: str | None = None


class _Subscriptions(msgspec.Struct, rename="camel"):
    value: list[_Subscription]
    next_link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceGroup:
    """A resource group, for its tags."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription that the credential sees."""

    id: str
    name: str = ""
    state: str = "Enabled"


_ACCOUNTS = msgspec.json.Decoder(_Accounts)
_DEPLOYMENTS = msgspec.json.Decoder(_Deployments)
_GROUPS = msgspec.json.Decoder(_Groups)
_SUBSCRIPTIONS = msgspec.json.Decoder(_Subscriptions)

#: What a deployment tells by place that is no setting beside its fields: read-only by the specification, or a state
#: (`scaleSettings` is what `sku` was once). Any other name is kept: the version that tells it takes it in a PUT. So is
#: `dynamicThrottlingEnabled`, which is read-only in the specification, while the article on dynamic quota sets it.
_NO_SETTINGS: Mapping[str, frozenset[str]] = {
    "properties": frozenset(
        {
            *("model", "raiPolicyName", "versionUpgradeOption"),
            *("provisioningState", "callRateLimit", "capabilities", "rateLimits", "error"),
            *("deploymentState", "currentCapacity", "scaleSettings"),
        }
    ),
    "model": frozenset({"format", "name", "version", "source", "sourceAccount", "callRateLimit"}),
    "sku": frozenset({"name", "capacity"}),
}

#: Kinds of account that can hold fine-tuning jobs.
KINDS = frozenset({"openai", "aiservices"})

_STATES = {state.value.lower(): state for state in ProvisioningState}


def decode_accounts(body: bytes, *, cloud: Cloud) -> Page[Account]:
    """A page of accounts, of every kind; `kind` tells which can fine-tune. Their `label` is their `name`."""
    return page_of(body, _ACCOUNTS, _Account, lambda raw: _account(raw, cloud))


def decode_account(body: bytes, *, cloud: Cloud) -> Account:
    return _account(shape(parse_object(body), _Account), cloud)


def decode_deployments(body: bytes, *, account: str) -> Page[Deployment]:
    """A page of deployments. `account` is the account's key."""
    return page_of(body, _DEPLOYMENTS, _Deployment, lambda raw: _deployment(raw, account))


def decode_deployment(body: bytes, *, account: str) -> Deployment:
    return _deployment(shape(parse_object(body), _Deployment), account)


def decode_resource_groups(body: bytes) -> Page[ResourceGroup]:
    return page_of(body, _GROUPS, _Group, lambda raw: ResourceGroup(name=raw.name, tags=texts_of(raw.tags)))


def decode_subscriptions(body: bytes) -> Page[Subscription]:
    return page_of(
        body,
        _SUBSCRIPTIONS,
        _Subscription,
        lambda raw: Subscription(id=raw.subscription_id, name=raw.display_name or "", state=raw.state or "Enabled"),
    )


def split_id(resource_id: str) -> Mapping[str, str]:
    """An ARM id's names by their type in lower case: `subscriptions`, `resourcegroups`, `accounts`, `deployments`."""
    parts = [part for part in resource_id.split("/") if part]
    return {kind.lower(): name for kind, name in zip(parts[::2], parts[1::2], strict=False)}


def page_of(body: bytes, decoder: msgspec.json.Decoder[Any], raw_type: type[R], noun: Callable[[R], T]) -> Page[T]:
    try:
        fast = decoder.decode(body)
        raws, next_link = fast.value, fast.next_link
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = parse_object(body)
        raws, next_link = answer.get("value"), answer.get("nextLink")
        if not isinstance(raws, list):
            raise MalformedError("the answer holds no list `value`") from None
        if not (next_link is None or isinstance(next_link, str)):
            raise MalformedError("`nextLink` is not an address") from None
    items: list[T] = []
    bad: list[BadItem] = []
    for raw in raws:
        try:
            items.append(noun(raw if isinstance(raw, raw_type) else shape(raw, raw_type)))
        except MalformedError as exc:
            found = raw.get("id") if isinstance(raw, dict) else getattr(raw, "id", "")
            bad.append(BadItem(found if isinstance(found, str) else "", exc.message))
    return Page(tuple(items), tuple(bad), next_link=next_link or "")


def _account(raw: _Account, cloud: Cloud) -> Account:
    segments = split_id(raw.id)
    name = raw.name or segments.get("accounts", "")
    if not name or "subscriptions" not in segments:
        raise MalformedError(f"{raw.id!r} is no id of an account")
    given = raw.properties or _AccountProperties()
    made = raw.system_data or _SystemData()
    return Account(
        id=raw.id,
        name=name,
        label=name,
        subscription=segments["subscriptions"],
        resource_group=segments.get("resourcegroups", ""),
        location=raw.location or "",
        cloud=cloud.name,
        kind=raw.kind or "",
        endpoint=endpoint_of(given.endpoint or "", given.endpoints, cloud),
        tags=texts_of(raw.tags),
        created_at=when(made.created_at) or when(given.date_created),
        local_auth_disabled=bool(given.disable_local_auth),
        provisioning_state=given.provisioning_state or "Succeeded",
    )


def endpoint_of(endpoint: str, endpoints: Any, cloud: Cloud) -> str:
    """The data plane's base without a slash at its end; "" where there is none that a token may be sent to.

    An AIServices account names several, under keys that no source settles: the best end of a host name wins. Where no
    known end is found, as in a custom cloud, it is `endpoint` as ARM gave it.
    """
    named = [entry for entry in endpoints.values() if isinstance(entry, str)] if isinstance(endpoints, dict) else []
    candidates = [base for url in (endpoint, *named) if (base := _base(url))]
    for suffix in cloud.host_suffixes:
        for base in candidates:
            if (urlsplit(base).hostname or "").endswith(suffix):
                return base
    return _base(endpoint) or next(iter(candidates), "")


def _base(url: str) -> str:
    """An address without a slash, query or fragment at its end; "" where it is not safe to send a token to."""
    if not is_safe_base(url):
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _deployment(raw: _Deployment, account: str) -> Deployment:
    name = raw.name or split_id(raw.id).get("deployments", "")
    if not raw.id or not name:
        raise MalformedError("a deployment without an id or a name")
    given, made = shape(raw.properties, _DeploymentProperties), raw.system_data or _SystemData()
    sku = shape(raw.sku, _Sku) if isinstance(raw.sku, dict) else _Sku()
    state = given.provisioning_state or ""
    return Deployment(
        id=raw.id,
        name=name,
        account=account,
        model=given.model.name,
        model_format=given.model.format or "OpenAI",
        model_version=text_of(given.model.version),
        model_source=given.model.source_account or given.model.source or "",
        model_source_account=given.model.source_account or "",
        sku=sku.name or "",
        capacity=int_of(sku.capacity),
        rai_policy=text_of(given.rai_policy_name),
        upgrade_option=text_of(given.version_upgrade_option),
        further=_further({"properties": raw.properties, "model": raw.properties["model"], "sku": raw.sku}),
        provisioning_state=_STATES.get(state.lower(), ProvisioningState.UNKNOWN),
        raw_provisioning_state=state,
        deployment_state=given.deployment_state or "",
        created_at=when(made.created_at),
        created_by=made.created_by or "",
        modified_at=when(made.last_modified_at),
        tags=texts_of(raw.tags),
        failure=text_of(given.error.get("message")) if isinstance(given.error, dict) else text_of(given.error),
    )


def _further(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What can be set beside the fields, by place; empty places are left out."""
    found: dict[str, dict[str, Any]] = {}
    for place, fields in told.items():
        for name, value in fields.items() if isinstance(fields, dict) else ():
            if value is not None and name not in _NO_SETTINGS[place]:
                found.setdefault(place, {})[name] = value
    return found
