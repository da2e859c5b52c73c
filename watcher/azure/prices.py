"""Azure's public price list: what an hour of hosting and a million tokens of training cost, by region.

It is public: no credential goes along. A help, like the catalogue of models: where it cannot be read, prices come from
elsewhere, and no account has a gap.

Source: learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices. The service was renamed, so both
names are asked for; names of meters are matched loosely, since those of the present models are not documented.
"""

from datetime import datetime
from urllib.parse import quote

from watcher.azure.auth import Header
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.decode_prices import decode_prices
from watcher.azure.paging import PAGE_CAP, is_same_origin
from watcher.errors import IncompleteError, MalformedError
from watcher.resources.price import RetailPrice

_FILTER = (
    "(serviceName eq 'Foundry Models' or serviceName eq 'Cognitive Services')"
    " and (contains(meterName,'Hosting Unit') or contains(meterName,'Training'))"
)
#: A page has at most a thousand rows of less than a kilobyte.
_PAGE_BYTES = 8 * 1024 * 1024
_ALL_BYTES = 64 * 1024 * 1024
#: The whole list may take so many time limits of one request.
_LIMITS = 3


class Nobody:
    """Authorises nothing: the header that it gives is one that goes along anyway."""

    async def header(self) -> Header:
        return "accept", "application/json"

    def refused(self, header: Header) -> bool:
        return False


class PriceList:
    """The price list of one cloud; of one that publishes none it cannot be read."""

    def __init__(self, client: AzureClient, cloud: Cloud) -> None:
        self._client = client
        self._base = cloud.prices_url

    async def read(self, currency: str, *, at: datetime) -> tuple[RetailPrice, ...]:
        """What is in force at `at` in `currency`: hosting and training, of all regions; at least one price.

        Raises:
            AzureError: it could not be read to its end, or holds nothing of that.
        """
        named = quote(f"'{currency.upper()}'", safe="")
        url = f"{self._base}/api/retail/prices?currencyCode={named}&$filter={quote(_FILTER, safe='')}"
        first_url, left = url, _ALL_BYTES
        allowance = Allowance(_LIMITS * self._client.timeout_s)
        found: dict[RetailPrice, None] = {}  # a row that slips from page to page while we read is one all the same
        seen: set[str] = set()
        while url:
            if url in seen or len(seen) >= PAGE_CAP or left <= 0:
                raise IncompleteError(f"the price list does not come to an end after {len(seen)} pages", url=url)
            seen.add(url)
            most = min(_PAGE_BYTES, left)
            answer = await self._client.get(
                url, api="prices", auth=Nobody(), lane="prices", allowance=allowance, most=most
            )
            left -= len(answer.body)
            page = decode_prices(answer.body, at=at)
            found.update((price, None) for price in page.items if price.currency == currency.upper())
            url = page.next_link
            if url and not is_same_origin(url, first_url):
                raise MalformedError("`NextPageLink` leads to another host: refused", url=first_url)
        if not found:
            raise MalformedError(f"the price list names no price of hosting or training in {currency}", url=first_url)
        return tuple(found)
