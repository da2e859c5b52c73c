"""`[pricing] reconcile`: what Azure billed the accounts of a subscription, to hold estimates against.

A query is a read, though it goes out with a body. Few are answered (about four a minute), so there is one a day.

Source: azure-rest-api-specs, Microsoft.CostManagement 2023-11-01, "Query – Usage". Costs go down to account and meter,
not to the deployment.
"""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from urllib.parse import quote

import msgspec

from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.decode_actuals import COST, decode_actuals
from watcher.azure.paging import PAGE_CAP, is_same_origin
from watcher.errors import IncompleteError, MalformedError
from watcher.resources.price import Actual

VERSION = "2023-11-01"
_PAGE_BYTES = 16 * 1024 * 1024
#: The whole answer may take so many time limits of one request.
_LIMITS = 3


class Bills:
    """Asks what was billed. See `AzureClient.get` for errors.

    Args:
        auth: For the cloud's management scope.
    """

    def __init__(self, client: AzureClient, cloud: Cloud, auth: Authorizer) -> None:
        self._client = client
        self._base = cloud.management_url
        self._auth = auth

    async def read(self, subscription: str, *, since: date, last: date) -> tuple[Actual, ...]:
        """What each account's meters cost on each day from `since` to `last`, both included; one line for each.

        Raises:
            AzureError: it could not be read to its end.
        """
        base = self._base
        path = f"/subscriptions/{quote(subscription, safe='')}/providers/Microsoft.CostManagement/query"
        query = f"?api-version={VERSION}"
        question = msgspec.json.encode(_question(since, last))
        sums: dict[tuple[str, str, date, str], Decimal] = defaultdict(Decimal)
        allowance = Allowance(_LIMITS * self._client.timeout_s)
        seen: set[str] = set()
        while query:
            if query in seen or len(seen) >= PAGE_CAP:
                raise IncompleteError(f"the bill does not come to an end after {len(seen)} pages", url=base + path)
            seen.add(query)
            answer = await self._client.get(
                f"{base}{path}{query}",
                api="costs",
                auth=self._auth,
                lane=f"costs:{subscription.lower()}",
                allowance=allowance,
                most=_PAGE_BYTES,
                question=question,
            )
            page = decode_actuals(answer.body)
            for line in page.items:
                sums[line.account, line.meter, line.day, line.currency] += line.cost
            query = _rest(page.next_link, base, path)
        return tuple(
            Actual(account=account, meter=meter, day=day, cost=cost, currency=currency)
            for (account, meter, day, currency), cost in sorted(sums.items())
        )


def _rest(link: str, base: str, path: str) -> str:
    """The query of the next page's address, which must be this very one otherwise: our token and our question go there.

    Raises:
        MalformedError: it is another.
    """
    if not link:
        return ""
    address, mark, query = link.partition("?")
    place = address.partition("://")[2].partition("/")[2].lower()
    if not mark or not is_same_origin(link, base) or f"/{place}" != path.lower():
        raise MalformedError("`nextLink` leads elsewhere: refused, the token stays here", url=base + path)
    return f"?{query}"


def _question(since: date, last: date) -> dict[str, object]:
    return {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": f"{since:%Y-%m-%d}T00:00:00Z", "to": f"{last:%Y-%m-%d}T23:59:59Z"},
        "dataset": {
            "granularity": "Daily",
            "aggregation": {"totalCost": {"name": COST, "function": "Sum"}},
            "grouping": [{"type": "Dimension", "name": "ResourceId"}, {"type": "Dimension", "name": "Meter"}],
            "filter": {
                "dimensions": {
                    "name": "ResourceType",
                    "operator": "In",
                    "values": ["microsoft.cognitiveservices/accounts"],
                }
            },
        },
    }
