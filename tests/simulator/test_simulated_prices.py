"""The public price list as the simulator serves it."""

from dataclasses import replace

import pytest

from watcher.simulator import Account, Fault, Scenario

WORLD = Scenario(accounts=(Account(name="a"), Account(name="b", location="westus")))
HOSTING = "contains(meterName, 'Deployment Hosting Unit')"


async def rows(azure, **query):
    answer = await azure.get(
        "/api/retail/prices", **{"$filter" if key == "filter" else key: query[key] for key in query}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["Items"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"{HOSTING} and armRegionName eq 'westus'", 6 * 3 + 1 + 3),
        ("serviceName eq 'Cognitive Services' and (armRegionName eq 'westus' or armRegionName eq 'nowhere')", 2),
        ("startswith(skuName,'gpt-4o-mini') and armRegionName eq 'EastUS2'", 6),
        ("meterName eq 'nothing'", 0),
    ],
)
async def test_prices_are_filtered_and_ask_for_no_token(build, text, count):
    azure = build(WORLD)
    del azure.client.headers["authorization"]
    assert len(await rows(azure, filter=text)) == count


async def test_a_page_has_a_hundred_rows_and_the_link_leads_to_the_rest(build):
    azure = build(Scenario(accounts=tuple(Account(name=place, location=place) for place in ("x", "y", "z"))))
    url, sizes, seen = "/api/retail/prices?currencyCode='USD'&$filter=type ne 'nothing'", [], []
    while url:
        page = (await azure.client.get(url)).json()
        assert page["Count"] == len(page["Items"])
        sizes.append(page["Count"])
        seen += [
            (item["meterName"], item["armRegionName"], item["type"], item["retailPrice"]) for item in page["Items"]
        ]
        url = page["NextPageLink"]
    assert sizes[:-1] == [100] * (len(sizes) - 1)
    assert len(sizes) > 1
    assert len(set(seen)) == len(seen) == len(azure.world.prices())


async def test_it_has_both_units_both_services_and_every_tier(build):
    hosting = await rows(build(WORLD), filter=HOSTING)
    assert {row["unitOfMeasure"] for row in hosting} == {"1 Hour", "1/Hour"}
    assert {row["serviceName"] for row in hosting} == {"Foundry Models", "Cognitive Services"}
    named = {row["meterName"]: row["retailPrice"] for row in hosting if row["type"] == "Consumption"}
    assert named["gpt-4o-FTuned Deployment Hosting Unit"] == named["gpt-4o-FTuned Glbl Deployment Hosting Unit"] == 1.7
    assert named["gpt-4o-FTuned DZ Deployment Hosting Unit"] == 1.87
    training = await rows(build(WORLD), filter="contains(meterName,'Training') and armRegionName eq 'westus'")
    assert {row["unitOfMeasure"] for row in training} == {"1K", "1 Hour"}


async def test_prices_come_in_the_currency_that_is_asked_for(build):
    azure = build(WORLD)
    (row,) = await rows(azure, currencyCode="'EUR'", filter="armRegionName eq 'westus' and contains(meterName,'70b')")
    assert (row["currencyCode"], row["retailPrice"], row["unitPrice"]) == ("EUR", 2.16, 2.16)
    assert (await azure.get("/api/retail/prices", currencyCode="'XAU'")).status_code == 400
    assert (await azure.get("/api/retail/prices", **{"$skip": "x"})).status_code == 400
    assert (await azure.get("/api/retail/prices", **{"$filter": "x y"})).status_code == 400


async def test_it_fails_as_other_planes_do_and_is_counted(build):
    azure = build(replace(WORLD, faults=(Fault(plane="prices", status=503, times=1),)))
    assert (await azure.get("/api/retail/prices")).status_code == 503
    assert (await azure.get("/api/retail/prices")).status_code == 200
    assert azure.app.state.requests.by_api["prices", "prices", 503] == 1
    azure.world.faults.add(Fault(plane="prices", paging="endless"))
    assert (await azure.get("/api/retail/prices", **{"$skip": "500"})).json()["NextPageLink"]
