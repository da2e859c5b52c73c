"""The control plane (ARM): subscriptions, accounts, resource groups, deployments, models, metrics, the activity log.

Source: azure-rest-api-specs, Microsoft.CognitiveServices 2024-10-01, Microsoft.Resources 2021-04-01 and 2022-12-01,
Microsoft.Insights 2024-02-01 (metrics) and 2015-04-01 (activity log). Newer versions of
Microsoft.CognitiveServices are not live in every cloud.
"""

from functools import partial
from urllib.parse import quote

from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.decode_arm import (
    ResourceGroup,
    Subscription,
    decode_account,
    decode_accounts,
    decode_deployment,
    decode_resource_groups,
    decode_subscriptions,
    split_id,
)
from watcher.azure.lenient import BadItem
from watcher.azure.paging import Bodies, decode_pages, linked_pages
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment

API_VERSION = "2024-10-01"
SUBSCRIPTIONS_VERSION = "2022-12-01"
GROUPS_VERSION = "2021-04-01"
METRICS_VERSION = "2024-02-01"
_ACTIVITY_VERSION = "2015-04-01"

_PROVIDER = "providers/Microsoft.CognitiveServices/accounts"


class Management:
    """ARM, as one credential sees it. Every listing is read to its end or raises; see `AzureClient.get` for errors.

    Args:
        auth: For the cloud's management scope.
        api_version: Of Microsoft.CognitiveServices.
    """

    def __init__(self, client: AzureClient, cloud: Cloud, auth: Authorizer, *, api_version: str = API_VERSION) -> None:
        self._client = client
        self._cloud = cloud
        self._auth = auth
        self._base = cloud.management_url
        self._metrics_base = cloud.metrics_url
        self._version = f"?api-version={api_version}"

    @property
    def cloud(self) -> Cloud:
        return self._cloud

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Those that the credential sees."""
        bodies = await self._pages(f"{self._base}/subscriptions?api-version={SUBSCRIPTIONS_VERSION}", "arm", None)
        return decode_pages(bodies, decode_subscriptions, lambda subscription: subscription.id.lower())[0]

    async def accounts(
        self, subscription: str, resource_group: str = ""
    ) -> tuple[tuple[Account, ...], tuple[BadItem, ...]]:
        """The accounts of every kind in a subscription or in one of its groups, and those that could not be read."""
        group = f"/resourceGroups/{quote(resource_group, safe='')}" if resource_group else ""
        url = f"{self._base}/subscriptions/{quote(subscription, safe='')}{group}/{_PROVIDER}{self._version}"
        bodies = await self._pages(url, f"arm:{subscription.lower()}", None)
        return decode_pages(bodies, partial(decode_accounts, cloud=self._cloud), lambda account: account.key)

    async def account(self, resource_id: str, allowance: Allowance | None = None) -> Account:
        """One account by its id."""
        answer = await self._get(f"{self._base}{_path(resource_id)}{self._version}", resource_id, allowance)
        return decode_account(answer, cloud=self._cloud)

    async def resource_groups(self, subscription: str) -> tuple[ResourceGroup, ...]:
        """The resource groups of a subscription, for their tags."""
        url = f"{self._base}/subscriptions/{quote(subscription, safe='')}/resourcegroups?api-version={GROUPS_VERSION}"
        bodies = await self._pages(url, f"arm:{subscription.lower()}", None)
        return decode_pages(bodies, decode_resource_groups, lambda group: group.name.lower())[0]

    async def deployment_pages(
        self, account: Account, allowance: Allowance | None = None, *, known_digest: str = ""
    ) -> Bodies:
        """The pages of an account's deployments, for `decode_deployments`."""
        url = f"{self._base}{_path(account.id)}/deployments{self._version}"
        return await self._pages(url, f"arm:{account.subscription.lower()}", allowance, known_digest)

    async def deployment(self, resource_id: str, account: str, allowance: Allowance | None = None) -> Deployment:
        """One deployment by its id; `NotFoundError` is one of the two signs that it is gone."""
        answer = await self._get(f"{self._base}{_path(resource_id)}{self._version}", resource_id, allowance)
        return decode_deployment(answer, account=account)

    async def model_pages(self, subscription: str, location: str) -> Bodies:
        """The pages of what a region offers to a subscription, for `decode_location_models`."""
        path = f"/subscriptions/{quote(subscription, safe='')}/providers/Microsoft.CognitiveServices/locations"
        url = f"{self._base}{path}/{quote(location, safe='')}/models{self._version}"
        return await self._pages(url, f"arm:{subscription.lower()}", None)

    async def activity_pages(self, subscription: str, condition: str, allowance: Allowance | None = None) -> Bodies:
        """The pages of a subscription's activity log under an OData filter, for `decode_activity`."""
        url = self._base + activity_path(subscription, condition)
        lane = f"activity:{subscription.lower()}"
        return await linked_pages(self._client, url, api="activity", auth=self._auth, lane=lane, allowance=allowance)

    async def metrics(self, account: Account, query: str, allowance: Allowance | None = None) -> bytes:
        """The answer to a query on an account's metrics; `query` comes from `metrics.query_of`."""
        url = (
            f"{self._metrics_base}{_path(account.id)}/providers/Microsoft.Insights/metrics"
            f"?api-version={METRICS_VERSION}&{query}"
        )
        lane = f"metrics:{account.subscription.lower()}"
        answer = await self._client.get(url, api="metrics", auth=self._auth, lane=lane, allowance=allowance)
        return answer.body

    async def _get(self, url: str, resource_id: str, allowance: Allowance | None) -> bytes:
        lane = f"arm:{split_id(resource_id).get('subscriptions', '').lower()}"
        answer = await self._client.get(url, api="arm", auth=self._auth, lane=lane, allowance=allowance)
        return answer.body

    async def _pages(self, url: str, lane: str, allowance: Allowance | None, known_digest: str = "") -> Bodies:
        return await linked_pages(
            self._client, url, api="arm", auth=self._auth, lane=lane, allowance=allowance, known_digest=known_digest
        )


def activity_path(subscription: str, condition: str) -> str:
    """Where a subscription's activity log is read under an OData filter."""
    scope = f"/subscriptions/{quote(subscription, safe='')}"
    log = "providers/Microsoft.Insights/eventtypes/management/values"
    return f"{scope}/{log}?api-version={_ACTIVITY_VERSION}&$filter={quote(condition, safe='')}"


def _path(resource_id: str) -> str:
    """An ARM id as a path: what is no part of a path (`?`, `#`) is quoted."""
    return "/" + quote(resource_id.strip("/"), safe="/()")
