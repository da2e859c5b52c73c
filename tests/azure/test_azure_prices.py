"""Azure's public price list: what is asked, what is taken for a price, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from azure_factories import NOW, FakeAzure, Sleeps, answer, make_client

from watcher.azure.client import AzureClient
from watcher.azure.clouds import CHINA, PUBLIC, USGOVERNMENT, custom_cloud
from watcher.azure.decode_prices import decode_prices
from watcher.azure.prices import PriceList
from watcher.costs.prices import Per, PriceBook, Source
from watcher.errors import AzureError, IncompleteError, MalformedError, ThrottledError, UnavailableError
from watcher.resources.price import RetailList, RetailPrice
from watcher.simulator import Account, Fault, Price, Scenario, SteppedClock, World
from watcher.simulator.server import serve
from watcher.transport import open_client

PATH = "/api/retail/prices"


def raw(meter="gpt-4o-FTuned Deployment Hosting Unit", price=1.7, **more):
    given = {"meterName": meter, "retailPrice": price, "unitPrice": price, "currencyCode": "USD"}
    given |= {"armRegionName": "eastus2", "unitOfMeasure": "1 Hour", "type": "Consumption", "tierMinimumUnits": 0.0}
    return {**given, "effectiveStartDate": "2025-04-01T00:00:00Z", **more}


def page(*items, **more):
    return {"BillingCurrency": "USD", "Items": list(items), "NextPageLink": None, "Count": len(items), **more}


def decode(*items, at=NOW, **more):
    return decode_prices(json.dumps(page(*items, **more)).encode(), at=at)


async def read(replies, currency="USD", **options):
    azure = FakeAzure({PATH: replies})
    return await PriceList(make_client(azure, **options), PUBLIC).read(currency, at=NOW), azure


def test_a_row_becomes_a_price():
    body = page(raw(productName="Azure OpenAI", skuName="s", serviceName="Foundry Models", armRegionName="EastUS2"))
    assert decode_prices(json.dumps(body).encode(), at=NOW).items == (
        RetailPrice(
            meter_name="gpt-4o-FTuned Deployment Hosting Unit",
            product_name="Azure OpenAI",
            sku_name="s",
            region="eastus2",
            unit="1 Hour",
            price=Decimal("1.7"),
            currency="USD",
            effective_from=datetime(2025, 4, 1, tzinfo=UTC),
            service_name="Foundry Models",
        ),
    )


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        pytest.param({"type": "Reservation"}, 0, id="a reservation"),
        pytest.param({"type": None}, 1, id="no word for its type"),
        pytest.param({"tierMinimumUnits": 100}, 0, id="beyond the first unit"),
        pytest.param({"effectiveEndDate": "2026-11-22T08:10:00Z"}, 0, id="over by now"),
        pytest.param({"effectiveEndDate": "2026-11-22T08:10:01Z"}, 1, id="over soon"),
        pytest.param({"retailPrice": None}, 1, id="only unitPrice"),
        pytest.param({"retailPrice": -1}, 1, id="a negative one, and unitPrice"),
        pytest.param({"retailPrice": "1.7", "unitPrice": True}, 0, id="no number"),
        pytest.param({"retailPrice": 1e300, "unitPrice": 1e-300}, 0, id="no price on earth"),
        pytest.param({"retailPrice": 0}, 1, id="free"),
        pytest.param({"meterName": ""}, 0, id="nameless"),
        pytest.param({"currencyCode": None}, 1, id="the page's currency"),
        pytest.param({"armRegionName": None, "unitOfMeasure": 3}, 1, id="what is missing is empty"),
    ],
)
def test_only_what_is_a_price_by_the_hour_or_token_is_kept(changes, count):
    found = decode({**raw(), **changes}).items
    assert len(found) == count
    assert {price.currency for price in found} <= {"USD"}


def test_one_bad_row_costs_that_row():
    found = decode(raw(), "row", None, raw("other"))
    assert ([price.meter_name for price in found.items][1], len(found.bad)) == ("other", 2)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"Items": 3}', b"{}", b"<html>", b'{"Items":[],"NextPageLink":7}'])
def test_what_is_no_page_is_malformed(body):
    with pytest.raises(MalformedError):
        decode_prices(body, at=NOW)


async def test_asks_for_the_services_and_meters_in_use_in_a_currency_and_without_a_credential():
    found, azure = await read(answer(page(raw(currencyCode="EUR"))), currency="eur")
    (request,) = azure.requests
    assert len(found) == 1
    assert (request.url.host, request.url.path) == ("prices.azure.com", PATH)
    query = dict(request.url.params)
    assert query["currencyCode"] == "'EUR'"
    for words in ("'Foundry Models'", "'Cognitive Services'", "contains(meterName,'Hosting Unit')", "'Training'"):
        assert words in query["$filter"]
    assert not {"authorization", "api-key", "cookie"} & {name.lower() for name in request.headers}


@pytest.mark.parametrize("last", [{"NextPageLink": None}, {"NextPageLink": ""}, {}], ids=["null", "empty", "absent"])
async def test_follows_the_pages_to_the_last(last):
    # As the service writes it: with the port that goes without saying.
    link = f"https://prices.azure.com:443{PATH}?$filter=x&$skip=1"
    final = page(raw("b"), raw("a"))
    del final["NextPageLink"]
    found, azure = await read([answer(page(raw("a"), NextPageLink=link)), answer(final | last)])
    assert [price.meter_name for price in found] == ["a", "b"]
    assert dict(azure.requests[1].url.params) == {"$filter": "x", "$skip": "1"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(page(raw(), NextPageLink="https://evil.example/x"), MalformedError, id="another host"),
        pytest.param(page(raw(), NextPageLink=f"http://prices.azure.com{PATH}"), MalformedError, id="plain http"),
        pytest.param(page(raw(), NextPageLink=f"https://prices.azure.com{PATH}?a"), IncompleteError, id="a circle"),
        pytest.param(page(), MalformedError, id="nothing"),
        pytest.param(page(raw(currencyCode="JPY")), MalformedError, id="nothing in this currency"),
        pytest.param("<html>", MalformedError, id="no JSON"),
    ],
)
async def test_a_list_that_is_not_whole_is_none(reply, error):
    with pytest.raises(error):
        await read(answer(reply))


async def test_pages_without_end_are_left_off():
    numbers = iter(range(10_000))

    def endless(request):
        return answer(page(raw(), NextPageLink=f"https://prices.azure.com{PATH}?$skip={next(numbers)}"))

    azure = FakeAzure({PATH: endless})
    with pytest.raises(IncompleteError, match="after 200 pages"):
        await PriceList(make_client(azure), PUBLIC).read("USD", at=NOW)


async def test_a_page_beyond_all_bounds_is_not_read():
    with pytest.raises(MalformedError, match="larger"):
        await read(answer(b" " * (8 * 1024 * 1024 + 1)))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer("", 503), UnavailableError),
        (answer("", 429, retry_after="7200"), ThrottledError),
        (answer("", 400), AzureError),
        (ConnectionResetError(), UnavailableError),
    ],
    ids=["503", "429", "400", "reset"],
)
async def test_a_refusal_is_one_of_our_errors(reply, error):
    with pytest.raises(error):
        await read(reply)


def test_a_cloud_without_a_documented_list_has_none():
    custom = custom_cloud(management_url="https://arm.example")
    own = custom_cloud(management_url="https://arm.example", prices_url="https://prices.example/")
    assert [cloud.prices_url for cloud in (PUBLIC, USGOVERNMENT, CHINA, custom, own)] == [
        "https://prices.azure.com",
        "",
        "",
        "",
        "https://prices.example",
    ]


@pytest.fixture
async def served():
    """Reads the list of a world over real HTTP."""
    scenario = Scenario(
        accounts=tuple(Account(name=place, location=place) for place in ("eastus2", "westus", "uksouth"))
    )
    world = World(scenario)
    clock = SteppedClock(world.start)
    http = open_client()

    async with serve(world, clock) as running:
        client = AzureClient(http, timeout_s=5, clock=clock, sleep=Sleeps())
        cloud = custom_cloud(management_url=running.url, prices_url=running.url)
        yield PriceList(client, cloud), running
    await http.aclose()


async def test_the_simulated_list_is_read_whole_and_understood(served):
    prices, running = served
    at = running.world.start
    found = await prices.read("USD", at=at)
    asked = running.requests.matching(plane="prices")
    assert len(asked) > 1  # pages
    wanted = [row for row in running.world.prices() if row.type == "Consumption" and not row.tier_minimum_units]
    wanted = [row for row in wanted if "Hosting Unit" in row.meter or "Training" in row.meter]
    assert sorted((one.meter_name, one.region, float(one.price)) for one in found) == sorted(
        (row.meter, row.region, row.price) for row in wanted
    )
    book = PriceBook(retail=RetailList(prices=found, read_at=at))
    for sku, model, figure in (
        ("Standard", "gpt-4.1-2025-04-14", "1.70"),
        ("DataZoneStandard", "gpt-4.1-2025-04-14", "1.87"),
        ("GlobalStandard", "o4-mini-2025-04-16", "1.70"),  # by the other spelling of the unit
        ("Standard", "gpt-35-turbo-0125", "3.00"),  # by the older name of the service
    ):
        price = book.hosting(model=model, sku=sku, location="westus")
        assert (price.source, price.rate.least, price.is_estimate) == (Source.RETAIL, Decimal(figure), False), model
    training = book.training(model="gpt-4.1-2025-04-14", training_type="GlobalStandard", location="westus")
    assert (training.per, training.rate.least) == (Per.MILLION_TOKENS, Decimal("2.00"))


async def test_the_simulated_list_in_another_currency(served):
    prices, running = served
    (one,) = {price.price for price in await prices.read("EUR", at=running.world.start) if "70b" in price.meter_name}
    assert one == Decimal("2.16")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 429, "retry_after": 7200},
        {"reset": True},
        {"truncate": True},
        {"body": "html"},
        {"body": "wrong_types"},
        {"body": "cut"},
        {"body": "garbage"},
    ],
    ids=str,
)
async def test_no_trouble_on_the_way_is_more_than_an_azure_error(served, fault):
    prices, running = served
    running.world.faults.add(Fault(plane="prices", **fault))
    with pytest.raises(AzureError):
        await prices.read("USD", at=running.world.start)


async def test_a_price_that_has_not_begun_is_read_and_not_used(served):
    prices, running = served
    meter, region = "gpt-4o-FTuned Deployment Hosting Unit", "westus"
    soon = running.world.start + timedelta(days=1)
    running.world.scenario = Scenario(
        accounts=running.world.scenario.accounts,
        prices=(Price(meter=meter, price=1.7, region=region), Price(meter=meter, price=9, region=region, since=soon)),
    )
    found = await prices.read("USD", at=running.world.start)
    book = PriceBook(retail=RetailList(prices=found, read_at=running.world.start))
    assert len(found) == 2
    assert book.hosting(model="gpt-4o-2024-08-06", sku="Standard", location=region).rate.most == Decimal("1.70")
