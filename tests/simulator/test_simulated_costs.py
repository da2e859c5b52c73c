"""Cost Management's query as the simulator answers it: figures from the world's own truth."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watcher.simulator import TOKEN, Account, Deployment, Fault, Job, Scenario, Subscription

ONE, TWO = "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000"
MODEL = "gpt-4o-2024-08-06.ft-0123456789abcdef0123456789abcdef"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
H = timedelta(hours=1)


def life(name, **more):
    return Deployment(**{"name": name, "model": MODEL, "created": -20 * H, "idle_deletion": False, **more})


def world(*deployments, **more):
    account = Account(name="a", subscription=ONE, deployments=deployments, jobs=(Job(name="j", created=-90 * H),))
    subscriptions = (Subscription(id=ONE), Subscription(id=TWO))
    return Scenario(start=START, subscriptions=subscriptions, accounts=(account,), **more)


def question(first="2026-03-01", last="2026-03-31", **dataset):
    given = {
        "granularity": "Daily",
        "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
        "grouping": [{"type": "Dimension", "name": "ResourceId"}, {"type": "Dimension", "name": "Meter"}],
    }
    return {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": f"{first}T00:00:00Z", "to": f"{last}T23:59:59Z"},
        "dataset": given | dataset,
    }


async def ask(azure, body=None, subscription=ONE, version="2023-11-01", **query):
    path = f"/subscriptions/{subscription}/providers/Microsoft.CostManagement/query"
    return await azure.client.post(path, params={"api-version": version, **query}, json=body or question())


def table(answer):
    assert answer.status_code == 200, answer.text
    properties = answer.json()["properties"]
    names = [column["name"] for column in properties["columns"]]
    return [dict(zip(names, row, strict=True)) for row in properties["rows"]]


async def test_hours_that_stood_times_the_price_by_day(build):
    azure = build(world(life("bot"), life("gone", created=-10 * H, deleted=-8.5 * H))).at(hours=17)  # 01:00 on the 3rd
    rows = table(await ask(azure))
    found = {(row["UsageDate"], row["Meter"]): row["Cost"] for row in rows}
    meter = "gpt-4o-FTuned Deployment Hosting Unit"
    # The 1st: 12 hours from noon, and an hour and a half from 22:00; the 2nd: all of it; of the 3rd nothing is known.
    assert found == {(20260301, meter): pytest.approx(13.5 * 1.7), (20260302, meter): pytest.approx(24 * 1.7)}
    assert {row["ResourceId"] for row in rows} == {azure.account_id("a").lower()}
    assert {row["Currency"] for row in rows} == {"USD"}


@pytest.mark.parametrize(
    ("changes", "per_hour"),
    [
        ({"sku": "GlobalStandard"}, 1.7),
        ({"sku": "DataZoneStandard"}, 1.87),
        ({"model": None, "job": "j"}, 1.7),
        ({"model": "gpt-35-turbo-0125.ft-0123456789abcdef0123456789abcdef"}, None),  # a version that is no date
        ({"sku": "DeveloperTier"}, None),
        ({"sku": "ProvisionedManaged"}, None),
        ({"model": "gpt-4o-2024-08-06"}, None),  # not fine-tuned
    ],
    ids=str,
)
async def test_the_price_is_that_of_the_model_and_the_tier(build, changes, per_hour):
    azure = build(world(life("bot", **changes))).at(hours=4)
    answer = await ask(azure)
    if per_hour is None:
        assert (answer.status_code, answer.content) == (204, b"")
    else:
        assert sum(row["Cost"] for row in table(answer)) == pytest.approx(24 * per_hour)


async def test_sums_are_grouped_and_cut_as_asked(build):
    azure = build(world(life("bot"), billing_currency="EUR")).at(hours=4)
    (whole,) = table(await ask(azure, question(granularity="None", grouping=[])))
    assert whole == {"Cost": pytest.approx(24 * 1.7 * 0.9), "Currency": "EUR"}
    (day,) = table(await ask(azure, question(first="2026-03-02", last="2026-03-02", grouping=[])))
    assert (day["UsageDate"], day["Cost"]) == (20260302, pytest.approx(12 * 1.7 * 0.9))
    other = {"dimensions": {"name": "ResourceType", "operator": "In", "values": ["microsoft.compute/disks"]}}
    assert (await ask(azure, question(filter=other))).status_code == 204
    assert (await ask(azure, subscription=TWO)).status_code == 204


async def test_rows_come_in_pages(build):
    azure = build(world(life("bot", created=-90 * H), page_size=2)).at(hours=4)
    first = await ask(azure, question(first="2026-02-01"))
    assert len(table(first)) == 2
    link = first.json()["properties"]["nextLink"]
    second = await azure.client.post(link, json=question(first="2026-02-01"))
    assert len(table(second)) == 2
    days = [row["UsageDate"] for row in table(first) + table(second)]
    assert days == sorted(set(days))


async def test_a_fifth_query_within_a_minute_is_refused_for_that_scope(build):
    azure = build(world(life("bot")))
    for _ in range(4):
        assert (await ask(azure)).status_code == 200
    azure.clock.advance(timedelta(seconds=20))
    refused = await ask(azure)
    waits = {name: value for name, value in refused.headers.items() if "retry-after" in name}
    prefix = "x-ms-ratelimit-microsoft.costmanagement"
    assert (refused.status_code, waits) == (
        429,
        {f"{prefix}-entity-retry-after": "5", f"{prefix}-client-retry-after": "40"},
    )
    assert (await ask(azure, subscription=TWO)).status_code == 204
    azure.clock.advance(timedelta(seconds=40))
    assert (await ask(azure)).status_code == 200
    assert azure.app.state.requests.by_api["costs", "cost_query", 429] == 1


async def test_it_is_authorized_as_arm_and_takes_no_nonsense(build):
    azure = build(world(life("bot")))
    assert (await ask(azure, version="2019-01-01")).status_code == 400
    assert (await ask(azure, question(first="soon"))).status_code == 400
    assert (await ask(azure, question(grouping=[{"name": "Color"}]))).status_code == 400
    assert (await ask(azure, question() | {"timeframe": "Always"})).status_code == 400
    assert (
        await azure.arm(f"/subscriptions/{ONE}/providers/Microsoft.CostManagement/query", "2023-11-01")
    ).status_code == 405
    assert (await ask(azure, subscription="33333333-0000-0000-0000-000000000000")).status_code == 404
    assert azure.app.state.requests.refused_writes == 0
    azure.client.headers["authorization"] = f"Bearer not-{TOKEN}"
    assert (await ask(azure)).status_code == 401
    azure.world.faults.add(Fault(plane="costs", status=403))
    assert (await ask(azure)).status_code == 403


async def test_two_tenants_do_not_pay_for_one_another(build):
    scenario = world(life("bot"))
    (account,) = scenario.accounts
    other = replace(account, subscription=TWO, subdomain="b")
    azure = build(replace(scenario, accounts=(account, other))).at(hours=4)
    sums = [sum(row["Cost"] for row in table(await ask(azure, subscription=one))) for one in (ONE, TWO)]
    assert sums == [pytest.approx(24 * 1.7)] * 2
