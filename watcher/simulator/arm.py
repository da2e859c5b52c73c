"""Azure Resource Manager: subscriptions, resource groups, accounts, deployments, the model catalogue.

Sources: SPEC models.tsp and Deployment.tsp with their examples.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from watcher.simulator import catalogue
from watcher.simulator.deployments import Life, deployment_payload, stamp, word_at
from watcher.simulator.ids import guid, hex32
from watcher.simulator.scenario import Account, ResourceGroup
from watcher.simulator.serving import Context, Refusal

# Version folders and markers in the specification. A data-plane version such as 2024-10-21 is not among them.
COGNITIVE_VERSIONS = frozenset(
    {
        "2023-05-01",
        "2024-10-01",
        "2025-06-01",
        "2025-07-01-preview",
        "2025-10-01-preview",
        "2026-03-01",
        "2026-05-01",
        "2026-07-01",
        "2026-09-01",
        "2026-09-15-preview",
    }
)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


def subscriptions(context: Context) -> Mapping[str, object]:
    require_version(context)
    rows = [
        {
            "id": f"/subscriptions/{subscription.id}",
            "subscriptionId": subscription.id,
            "tenantId": guid("tenant"),
            "displayName": subscription.name,
            "state": "Enabled",
        }
        for subscription in context.world.scenario.subscriptions
        if context.listed(subscription.id, subscription.name)
    ]
    return paged(context, rows)


def resource_groups(context: Context) -> Mapping[str, object]:
    require_version(context)
    subscription = known_subscription(context)
    rows = [
        {
            "id": f"/subscriptions/{subscription}/resourceGroups/{group.name}",
            "name": group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": group.location,
            "tags": dict(group.tags),
            "properties": {"provisioningState": "Succeeded"},
        }
        for group in context.world.resource_groups(subscription)
        if context.listed(group.name)
    ]
    return paged(context, rows)


def accounts(context: Context) -> Mapping[str, object]:
    """Accounts of the subscription, or of the resource group if the path names one."""
    require_version(context, COGNITIVE_VERSIONS)
    subscription = known_subscription(context)
    group = context.request.path_params.get("group")
    if group is not None:
        known_group(context, subscription, group)
    rows = [
        account_payload(context, account)
        for account in context.world.accounts(context.moment)
        if context.world.subscription_of(account).lower() == subscription.lower()
        and (group is None or account.resource_group.lower() == group.lower())
        and context.listed(account.name)
    ]
    return paged(context, rows)


def account(context: Context) -> Mapping[str, object]:
    require_version(context, COGNITIVE_VERSIONS)
    found = known_account(context)
    context.check_visible(found.name)
    return account_payload(context, found)


def deployments(context: Context) -> Mapping[str, object]:
    require_version(context, COGNITIVE_VERSIONS)
    found = known_account(context)
    rows = [
        _deployment(context, found, life)
        for life in context.world.standing(found, context.moment)
        if context.listed(life.deployment.name)
    ]
    return paged(context, rows)


def deployment(context: Context) -> Mapping[str, object]:
    require_version(context, COGNITIVE_VERSIONS)
    found = known_account(context)
    name = context.parameter("deployment")
    context.check_visible(name)
    for life in context.world.standing(found, context.moment):
        if life.deployment.name.lower() == name.lower():
            return _deployment(context, found, life)
    where = f"{context.world.account_id(found)}/deployments/{name}"
    raise Refusal(404, "ResourceNotFound", f"The resource '{where}' was not found.")


def location_models(context: Context) -> Mapping[str, object]:
    require_version(context, COGNITIVE_VERSIONS)
    known_subscription(context)
    return paged(context, [catalogue.location_model_payload(model) for model in context.world.models()])


def account_payload(context: Context, account: Account) -> dict[str, object]:
    """An account as ARM serves it."""
    world = context.world
    scheme = context.request.url.scheme
    created = stamp(world.start, account.created)
    age = context.moment - account.created
    return {
        "id": world.account_id(account),
        "name": account.name,
        "type": "Microsoft.CognitiveServices/accounts",
        "location": account.location,
        "kind": account.kind,
        "sku": {"name": "S0"},
        "tags": dict(account.tags),
        "etag": f'"{hex32("account", account.key)}"',
        "systemData": {"createdAt": created, "createdByType": "User"},
        "properties": {
            "provisioningState": word_at(account.provisioning, age) or account.provisioning_state,
            "endpoint": context.addresses.endpoint(account, scheme, context.netloc),
            "endpoints": context.addresses.endpoints(account, scheme, context.netloc),
            "customSubDomainName": account.key,
            "publicNetworkAccess": "Enabled",
            "disableLocalAuth": account.disable_local_auth,
            "dateCreated": created,
        },
    }


def require_version(context: Context, known: frozenset[str] | None = None) -> None:
    """Refuse a missing, malformed or unknown `api-version`."""
    version = context.query("api-version")
    if version is None:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refusal(400, "MissingApiVersionParameter", text)
    if not _VERSION.fullmatch(version):
        raise Refusal(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
    if known is not None and version not in known:
        text = f"No registered resource provider found for API version '{version}'."
        raise Refusal(400, "NoRegisteredProviderFound", text)


def known_subscription(context: Context) -> str:
    wanted = context.parameter("subscription")
    for subscription in context.world.scenario.subscriptions:
        if subscription.id.lower() == wanted.lower():
            return subscription.id
    raise Refusal(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")


def known_group(context: Context, subscription: str, name: str) -> ResourceGroup:
    for group in context.world.resource_groups(subscription):
        if group.name.lower() == name.lower():
            return group
    raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def known_account(context: Context) -> Account:
    subscription = known_subscription(context)
    group = context.parameter("group")
    known_group(context, subscription, group)
    name = context.parameter("account")
    where = (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/{name}"
    )
    found = context.world.account_by_id(where, context.moment)
    if found is None:
        raise Refusal(404, "ResourceNotFound", f"The Resource '{where}' was not found.")
    return found


def paged(context: Context, rows: Sequence[object]) -> dict[str, object]:
    """One page of an ARM list; `nextLink` is absolute and absent from the last page."""
    size = context.world.scenario.page_size
    paging = context.paging
    token = context.query("$skiptoken") or "0"
    if not token.isdecimal():
        raise Refusal(400, "InvalidSkipToken", "The skip token is invalid.")
    offset = int(token)
    page: dict[str, object] = {"value": list(rows[offset : offset + size])}
    if paging == "endless" or (paging is None and offset + size < len(rows)):
        page["nextLink"] = link(context, {"$skiptoken": str(offset + size)})
    return page


def _deployment(context: Context, account: Account, life: Life) -> dict[str, object]:
    world = context.world
    return deployment_payload(account, world.account_id(account), life, context.moment, world.start)


def link(context: Context, changed: Mapping[str, str]) -> str:
    """The address that was asked, with some of its query changed."""
    query = dict(context.request.query_params) | dict(changed)
    return f"{context.request.url.scheme}://{context.netloc}{context.request.url.path}?{urlencode(query)}"
