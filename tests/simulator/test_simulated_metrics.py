"""Azure Monitor: buckets, dimensions, `top`, delay, and what it says when there is nothing to say."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.simulator import Account, Calls, Deployment, Scenario
from watcher.simulator.odata import FilterError, parse_filter
from watcher.simulator.traffic import calls_between, calls_in_buckets, microseconds

H, D, M = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
BY_NAME = {"$filter": "ModelDeploymentName eq '*'"}
BY_BOTH = {"$filter": "ModelDeploymentName eq '*' and StatusCode eq '*'"}


def deployment(name: str = "d", *calls: Calls, **more: Any) -> Deployment:
    return Deployment(**({"name": name, "model": "gpt-4.1", "calls": calls, "created": -90 * D} | more))


def series(answer: Any) -> dict[tuple[str, ...], list[float | None]]:
    """Dimension values → totals, None for a point without samples."""
    assert answer.status_code == 200, answer.text
    (metric,) = answer.json()["value"]
    return {
        tuple(pair["value"] for pair in row["metadatavalues"]): [point.get("total") for point in row["data"]]
        for row in metric["timeseries"]
    }


@pytest.mark.parametrize(
    ("interval", "totals"),
    [
        ("PT1H", [60.0, 60.0, None, 20.0]),
        ("P1D", [140.0]),
        ("FULL", [140.0]),
        ("PT30M", [30.0, 30.0, 30.0, 30.0, None, None, 20.0, None]),
    ],
)
async def test_counts_calls_in_buckets(build, interval, totals):
    calls = (Calls(from_=0 * H, until=2 * H, per_hour=60), Calls(from_=3 * H, per_hour=60, count=20))
    azure = build(deployments=(deployment("d", *calls),)).at(hours=9)
    span = azure.timespan(0 * H, 4 * H)
    assert series(await azure.metrics(timespan=span, interval=interval, **BY_NAME)) == {("d",): totals}


async def test_minutes_are_the_usual_grain(build):
    azure = build(deployments=(deployment("d", Calls(from_=0 * H, per_hour=60)),)).at(hours=2)
    answer = await azure.metrics(timespan=azure.timespan(0 * H, H))
    assert series(answer) == {(): [1.0] * 60}
    assert answer.json()["interval"] == "PT1M"


async def test_shape_of_the_official_example(build, example):
    azure = build(deployments=(deployment("d", Calls(from_=0 * H)),)).at(hours=9)
    answer = (await azure.metrics(timespan=azure.timespan(0 * H, 4 * H), interval="PT1H", **BY_NAME)).json()
    official = example("monitor-2024-02-01-GetMetric")
    assert set(answer) >= set(official)
    assert set(answer["value"][0]) >= set(official["value"][0])
    ours, theirs = answer["value"][0]["timeseries"][0], official["value"][0]["timeseries"][0]
    assert set(ours) == set(theirs)
    assert ours["metadatavalues"][0]["name"] == {
        "value": "modeldeploymentname",
        "localizedValue": "modeldeploymentname",
    }
    assert ours["data"][0]["timeStamp"] == "2026-03-02T08:00:00Z"


async def test_a_point_without_samples_has_only_its_time(build):
    azure = build(deployments=(deployment("d", Calls(from_=0 * H, count=1)),)).at(hours=9)
    answer = await azure.metrics(timespan=azure.timespan(0 * H, 2 * H), interval="PT1H", **BY_NAME)
    points = answer.json()["value"][0]["timeseries"][0]["data"]
    assert points == [{"timeStamp": "2026-03-02T08:00:00Z", "total": 1.0}, {"timeStamp": "2026-03-02T09:00:00Z"}]


async def test_no_calls_no_series(build):
    azure = build(deployments=(deployment("quiet"), deployment("busy", Calls(from_=0 * H)))).at(hours=9)
    span = azure.timespan(0 * H, 4 * H)
    assert set(series(await azure.metrics(timespan=span, interval="PT1H", **BY_NAME))) == {("busy",)}
    early = azure.timespan(-5 * H, -4 * H)
    assert series(await azure.metrics(timespan=early, interval="PT1H", **BY_NAME)) == {}


async def test_splits_by_deployment_and_status_together(build):
    calls = (Calls(from_=0 * H, per_hour=4), Calls(from_=0 * H, per_hour=2, status=429))
    azure = build(deployments=(deployment("d", *calls), deployment("e", calls[0]))).at(hours=9)
    span = azure.timespan(0 * H, H)
    assert series(await azure.metrics(timespan=span, interval="PT1H", **BY_BOTH)) == {
        ("d", "200"): [4.0],
        ("e", "200"): [4.0],
        ("d", "429"): [2.0],
    }
    both = {"$filter": "StatusCode eq '429' or StatusCode eq '500'"}
    assert series(await azure.metrics(timespan=span, interval="PT1H", **both)) == {("429",): [2.0]}
    one = {"$filter": "ModelDeploymentName eq 'E' and StatusCode eq '*'"}
    assert series(await azure.metrics(timespan=span, interval="PT1H", **one)) == {("e", "200"): [4.0]}


async def test_calls_may_be_booked_under_empty(build):
    calls = (Calls(from_=0 * H, per_hour=4, dimension="__Empty"),)
    azure = build(deployments=(deployment("d", *calls),)).at(hours=9)
    span = azure.timespan(0 * H, H)
    assert series(await azure.metrics(timespan=span, interval="PT1H", **BY_NAME)) == {("__Empty",): [4.0]}


@pytest.mark.parametrize(("top", "kept"), [(None, 10), ("5", 5), ("1000", 14)])
async def test_top_is_ten_when_a_filter_is_given(build, top, kept):
    deployments = tuple(deployment(f"d{n:02}", Calls(from_=0 * H, per_hour=n)) for n in range(1, 15))
    azure = build(deployments=deployments).at(hours=9)
    more = BY_NAME if top is None else BY_NAME | {"top": top}
    found = series(await azure.metrics(timespan=azure.timespan(0 * H, H), interval="PT1H", **more))
    assert len(found) == kept
    assert ("d14",) in found  # the busiest are kept, the quiet ones vanish without a word


async def test_the_newest_minutes_are_missing(build):
    azure = build(deployments=(deployment("d", Calls(from_=0 * H, per_hour=60)),)).at(hours=1)
    span = azure.timespan(0 * H, H)
    assert series(await azure.metrics(timespan=span, interval="PT1H", **BY_NAME)) == {("d",): [57.0]}
    azure.at(hours=1, minutes=3)
    assert series(await azure.metrics(timespan=span, interval="PT1H", **BY_NAME)) == {("d",): [60.0]}
    azure.world.scenario = replace(azure.world.scenario, metrics_delay=30 * M)
    assert series(await azure.metrics(timespan=span, interval="PT1H", **BY_NAME)) == {("d",): [33.0]}


async def test_calls_stop_with_the_deployment_and_stay_on_record(build):
    azure = build(deployments=(deployment("d", Calls(from_=0 * H, per_hour=60), deleted=90 * M),)).at(hours=9)
    span = azure.timespan(0 * H, 3 * H)
    assert series(await azure.metrics(timespan=span, interval="PT1H", **BY_NAME)) == {("d",): [60.0, 30.0, None]}


async def test_history_reaches_93_days_back(build):
    azure = build(deployments=(deployment("d", Calls(from_=0 * D, per_hour=1)),)).at(days=100)
    (found,) = series(await azure.metrics(timespan=azure.timespan(0 * D, 10 * D), interval="P1D", **BY_NAME)).values()
    assert found[:6] == [None] * 6 and found[8] == 24.0


async def test_an_account_may_emit_one_of_the_two_metrics(build):
    account = Account(name="ft", metrics=("AzureOpenAIRequests",), deployments=(deployment("d", Calls(from_=0 * H)),))
    azure = build(Scenario(accounts=(account,))).at(hours=9)
    names = {"metricnames": "ModelRequests,AzureOpenAIRequests"}
    answer = await azure.metrics(timespan=azure.timespan(0 * H, 4 * H), interval="PT1H", **names, **BY_NAME)
    empty, full = answer.json()["value"]
    assert empty["timeseries"] == [] and empty["errorCode"] == "Success"
    assert len(full["timeseries"]) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"metricnames": "TotalCalls"},
        {"metricnames": ""},
        {"interval": "PT7M"},
        {"timespan": "yesterday/today"},
        {"timespan": "2026-03-02T09:00:00Z/2026-03-02T08:00:00Z"},
        {"top": "0"},
        {"$filter": "ModelDeploymentName is '*'"},
    ],
)
async def test_refuses_nonsense_with_a_bare_error(build, bad):
    azure = build(deployments=(deployment("d"),))
    answer = await azure.metrics(**({"timespan": azure.timespan(-H, 0 * H)} | bad))
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message"}


async def test_batch_answers_for_many_accounts(build, example):
    accounts = tuple(Account(name=n, deployments=(deployment("d", Calls(from_=0 * H)),)) for n in ("a", "b"))
    azure = build(Scenario(accounts=accounts)).at(hours=9)
    subscription = azure.world.scenario.subscriptions[0].id
    parameters = {
        "api-version": "2024-02-01",
        "metricnamespace": "Microsoft.CognitiveServices/accounts",
        "metricnames": "ModelRequests",
        "starttime": "2026-03-02T08:00:00Z",
        "endtime": "2026-03-02T10:00:00Z",
        "interval": "PT1H",
        "filter": "ModelDeploymentName eq '*'",
    }
    path = f"/subscriptions/{subscription}/metrics:getBatch"
    body = {
        "resourceids": [
            azure.account_id("a").upper().replace(subscription.upper(), subscription),
            azure.account_id("b"),
        ]
    }
    answer = await azure.client.post(path, params=parameters, json=body)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["values"]
    assert [row["resourceid"] for row in rows] == body["resourceids"]
    assert set(rows[0]) == set(example("monitor-2024-02-01-MetricBatchExample2")["values"][0])
    refused = await azure.client.post(path, params=parameters, json={"resourceids": []})
    assert set(refused.json()) == {"error"}
    assert azure.app.state.requests.refused_writes == 0


LENGTHS = st.timedeltas(min_value=-3 * D, max_value=3 * D)


@given(
    calls=st.builds(
        Calls,
        from_=LENGTHS,
        until=st.none() | LENGTHS,
        per_hour=st.sampled_from([0.01, 0.3, 1.0, 7.0, 500.0]),
        count=st.none() | st.integers(min_value=0, max_value=50),
    ),
    bounds=st.tuples(LENGTHS, LENGTHS),
    edges=st.lists(LENGTHS, min_size=2, max_size=9).map(sorted),
)
def test_buckets_hold_the_calls_between_their_edges(calls, bounds, edges):
    since, until = bounds
    counted = calls_in_buckets(calls, [microseconds(edge) for edge in edges], since=since, until=until)
    assert counted == [calls_between(calls, max(begin, since), min(end, until)) for begin, end in pairwise(edges)]


ROW = {"a": "One", "b": "2026-01-02T00:00:00Z", "c": "it's"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a eq 'one'", True),
        ("a ne 'one'", False),
        ("A eq '*'", True),
        ("z eq '*'", False),
        ("contains(a, 'N')", True),
        ("startswith(a,'x')", False),
        ("a sw 'o'", True),
        ("a eq 'x' or a eq 'one'", True),
        ("a eq 'x' or a eq 'one' and b ge '2027-01-01'", False),
        ("(a eq 'x' or a eq 'one') and b ge '2026-01-01T00:00:00Z'", True),
        ("b le '2026-01-01T23:59:59.999Z'", False),
        ("b gt '2026-01-01T00:00:00+00:00' and b lt '2026-01-03T00:00:00Z'", True),
        ("c eq 'it''s'", True),
    ],
)
def test_filters(text, holds):
    assert parse_filter(text).test(ROW.get) is holds


@pytest.mark.parametrize(
    "text", ["", "a", "a eq", "a eq 'x' and", "(a eq 'x'", "a like 'x'", "a eq 'x' b", "'x' eq a", "%"]
)
def test_bad_filters(text):
    with pytest.raises(FilterError):
        parse_filter(text)
