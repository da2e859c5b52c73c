"""Metrics of many accounts by one question, and each by itself where that is refused."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from azure_factories import (
    NOW,
    SUBSCRIPTION,
    FakeAzure,
    answer,
    make_account,
    make_client,
    make_deployment,
    raw_metrics,
    raw_series,
    static_credentials,
)

from watcher.azure.auth import Credentials, StaticToken
from watcher.azure.client import Allowance
from watcher.azure.clouds import CHINA, PUBLIC, USGOVERNMENT, custom_cloud
from watcher.azure.collector import Collector
from watcher.azure.metrics import Span, batch_query_of, query_of
from watcher.azure.metrics_batch import MOST, REFUSED_S, MetricsBatch
from watcher.errors import ThrottledError, UnavailableError
from watcher.resources.deployment import Usage
from watcher.resources.snapshot import GapReason, Known, Section
from watcher.transport import Response

HOUR = timedelta(hours=1)
SPAN = Span(start=NOW - 5 * HOUR, end=NOW)
BATCH = f"/subscriptions/{SUBSCRIPTION}/metrics:getBatch"
SINGLE = "/providers/microsoft.insights/metrics"
CALLED = raw_series("d", "200", ("2026-11-22T05:00:00Z", 1))
METRICS = frozenset({Section.METRICS})


def named(name, **changes):
    base = f"/subscriptions/{changes.get('subscription', SUBSCRIPTION)}/resourceGroups/rg-ml"
    return make_account(id=f"{base}/providers/Microsoft.CognitiveServices/accounts/{name}", name=name, **changes)


def batch_answer(request):
    """An entry for each account that is asked for, ids spelt otherwise than in the question."""
    ids = json.loads(request.content)["resourceids"]
    query = parse_qs(request.url.query.decode())
    times = {"starttime": query["starttime"][0], "endtime": query["endtime"][0]}
    return answer({"values": [raw_metrics(CALLED, **times, resourceid=one.upper()) for one in reversed(ids)]})


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def batch_over(azure, clock=None, cloud=PUBLIC):
    credentials = static_credentials()
    return MetricsBatch(make_client(azure), cloud, credentials.for_scope("s"), monotonic=clock or Clock())


def ids_of(request):
    return [one.rpartition("/")[2] for one in json.loads(request.content)["resourceids"]]


async def ask_all(batch, *accounts, span=SPAN):
    return await asyncio.gather(*(batch.ask(account, span, Allowance(60)) for account in accounts))


async def test_accounts_that_ask_together_are_asked_about_together():
    azure = FakeAzure({BATCH: batch_answer})
    accounts = [named(f"a{number}") for number in range(7)]
    replies = await ask_all(batch_over(azure), *accounts)
    assert [reply.answer["resourceid"].lower() for reply in replies] == [account.key for account in accounts]
    (request,) = azure.requests
    assert (request.method, request.url.host) == ("POST", "eastus2.metrics.monitor.azure.com")
    assert ids_of(request) == [f"a{number}" for number in range(7)]
    assert (request.headers["content-type"], request.headers["authorization"]) == ("application/json", "Bearer t0ken")


async def test_a_batch_is_asked_the_single_question_in_its_own_spelling():
    single, batch = parse_qs(query_of(SPAN)), parse_qs(batch_query_of(SPAN))
    assert batch.pop("filter") == single.pop("$filter")
    start, _, end = single.pop("timespan")[0].partition("/")
    assert (batch.pop("starttime"), batch.pop("endtime")) == ([start], [end])
    assert batch.pop("metricnamespace") == ["microsoft.cognitiveservices/accounts"]
    assert batch == single


async def test_no_question_holds_more_than_fifty():
    azure = FakeAzure({BATCH: batch_answer})
    replies = await ask_all(batch_over(azure), *(named(f"a{number:03}") for number in range(2 * MOST + 1)))
    assert all(replies)
    assert [len(ids_of(request)) for request in azure.requests] == [MOST, MOST, 1]


async def test_each_region_and_subscription_is_asked_by_itself():
    other = "99999999-2222-3333-4444-555555555555"
    azure = FakeAzure({"/metrics:getBatch": batch_answer})
    accounts = [
        named("a"),
        named("b", location="Sweden Central"),
        named("c", subscription=other),
        named("d", location="EASTUS2", subscription=SUBSCRIPTION.upper()),
    ]
    assert all(await ask_all(batch_over(azure), *accounts))
    assert Counter((request.url.host.partition(".")[0], len(ids_of(request))) for request in azure.requests) == {
        ("eastus2", 2): 1,
        ("eastus2", 1): 1,
        ("swedencentral", 1): 1,
    }


async def test_who_comes_while_a_question_is_under_way_goes_along_in_the_next():
    go = asyncio.Event()

    async def slow(request):
        await go.wait()
        return batch_answer(request)

    azure = FakeAzure({BATCH: slow})
    batch = batch_over(azure)
    first = asyncio.create_task(batch.ask(named("a"), SPAN, Allowance(60)))
    while not azure.requests:
        await asyncio.sleep(0)
    later = [asyncio.create_task(batch.ask(named(name), SPAN, Allowance(60))) for name in ("b", "c")]
    await asyncio.sleep(0)
    go.set()
    assert all(await asyncio.gather(first, *later))
    assert [ids_of(request) for request in azure.requests] == [["a"], ["b", "c"]]


async def test_the_widest_span_is_asked_for_and_told():
    azure = FakeAzure({BATCH: batch_answer})
    batch = batch_over(azure)
    spans = [SPAN, Span(start=NOW - 9 * HOUR, end=NOW - HOUR), Span(start=NOW - HOUR, end=NOW + HOUR)]
    asked = (batch.ask(named(f"a{n}"), span, Allowance(60)) for n, span in enumerate(spans))
    widest = Span(start=NOW - 9 * HOUR, end=NOW + HOUR)
    assert {reply.span for reply in await asyncio.gather(*asked)} == {widest}
    assert f"starttime={widest.start:%Y-%m-%dT%H}" in azure.requests[0].url.query.decode()


@pytest.mark.parametrize(
    "reply",
    [
        *(answer({"error": {"code": "x"}}, status) for status in (400, 401, 403, 404, 529)),
        answer("?"),
        answer({"values": 3}),
    ],
    ids=[400, 401, 403, 404, 529, "no JSON", "no list"],
)
async def test_a_refusal_holds_for_an_hour(reply):
    azure, clock = FakeAzure({BATCH: reply}), Clock()
    batch = batch_over(azure, clock)
    assert await ask_all(batch, named("a"), named("b")) == [None, None]
    asked = len(azure.requests)
    clock.now += REFUSED_S - 1
    assert await ask_all(batch, named("a")) == [None]
    assert len(azure.requests) == asked
    azure.replies[BATCH] = [batch_answer]
    clock.now += 1
    assert all(await ask_all(batch, named("a")))


async def test_too_large_an_answer_sends_everybody_to_ask_alone():
    client = make_client(FakeAzure({BATCH: batch_answer}), max_body_bytes=100)
    batch = MetricsBatch(client, PUBLIC, static_credentials().for_scope("s"), monotonic=Clock())
    assert await ask_all(batch, named("a"), named("b")) == [None, None]


async def test_a_refusal_is_that_of_its_region_alone():
    other = named("b", location="westus")

    def by_region(request):
        return answer("", 403) if request.url.host.startswith("eastus2") else batch_answer(request)

    batch = batch_over(FakeAzure({BATCH: by_region}))
    first, second = await ask_all(batch, named("a"), other)
    assert (first, second is None) == (None, False)


async def test_those_who_wait_are_sent_away_by_the_refusal_too():
    azure = FakeAzure({BATCH: answer("", 403)})
    replies = await ask_all(batch_over(azure), *(named(f"a{number}") for number in range(MOST + 20)))
    assert (set(replies), len(azure.requests)) == ({None}, 1)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer("", 429, retry_after="900"), ThrottledError),
        (answer("", 500), UnavailableError),
    ],
)
async def test_any_other_failure_is_that_of_each_who_asked(reply, error):
    azure = FakeAzure({BATCH: reply})
    batch = batch_over(azure)
    results = await asyncio.gather(
        *(batch.ask(named(name), SPAN, Allowance(60)) for name in ("a", "b")), return_exceptions=True
    )
    assert [type(result) for result in results] == [error, error]
    azure.replies[BATCH] = [batch_answer]
    batch._client._closed_until.clear()
    assert all(await ask_all(batch, named("a")))


async def test_a_fault_of_our_own_is_told_to_each_who_asked_and_cancels_nobody():
    azure = FakeAzure({BATCH: [KeyError("a fault of our own"), batch_answer]})
    batch = batch_over(azure)
    results = await asyncio.gather(
        *(batch.ask(named(name), SPAN, Allowance(60)) for name in ("a", "b")), return_exceptions=True
    )
    assert [type(result) for result in results] == [KeyError, KeyError]
    assert all(await ask_all(batch, named("a")))


async def test_without_a_token_for_batches_each_is_asked_by_itself():
    class Picky:
        def get_token_info(self, *scopes):
            if "metrics.monitor" in scopes[0]:
                raise RuntimeError("AADSTS500011: the resource principal was not found")
            return StaticToken("t0ken")

    azure = FakeAzure({SINGLE: answer(raw_metrics(CALLED))})
    collector = Collector(make_client(azure), PUBLIC, Credentials(Picky), batch=True)
    known = Known(deployments=(make_deployment("d"),))
    snapshot = await collector.collect(make_account(), known, at=NOW, sections=METRICS)
    assert (list(snapshot.usage), snapshot.gaps, len(azure.requests)) == (["d"], (), 1)


async def test_an_account_that_the_answer_leaves_out_is_asked_by_itself():
    def without_b(request):
        values = json.loads(batch_answer(request).content)["values"]
        return answer(
            {"values": [one for one in values if not one["resourceid"].endswith("/B")] + [None, {}, {"x": 1}]}
        )

    first, second = await ask_all(batch_over(FakeAzure({BATCH: without_b})), named("a"), named("b"))
    assert (first is None, second) == (False, None)


async def test_one_who_gives_up_spoils_it_for_nobody():
    go = asyncio.Event()

    async def slow(request):
        await go.wait()
        return batch_answer(request)

    azure = FakeAzure({BATCH: slow})
    batch = batch_over(azure)
    asked = [asyncio.create_task(batch.ask(named(name), SPAN, Allowance(60))) for name in ("a", "b")]
    while not azure.requests:
        await asyncio.sleep(0)
    asked[0].cancel()
    waiting = asyncio.create_task(batch.ask(named("c"), SPAN, Allowance(60)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await asked[1]
    assert await ask_all(batch, named("d"))
    assert [ids_of(request) for request in azure.requests] == [["a", "b"], ["d"]]


@pytest.mark.parametrize("location", ["", "evil.example.com/", "eastus2@x", "{region}"])
async def test_a_region_that_is_none_is_no_part_of_an_address(location):
    azure = FakeAzure({"": batch_answer})
    assert await ask_all(batch_over(azure), named("a", location=location)) == [None]
    assert azure.requests == []


@pytest.mark.parametrize(
    ("cloud", "address", "scope"),
    [
        (PUBLIC, "https://eastus2.metrics.monitor.azure.com", "https://metrics.monitor.azure.com/.default"),
        (USGOVERNMENT, "https://eastus2.metrics.monitor.azure.us", "https://metrics.monitor.azure.us/.default"),
        (CHINA, "https://eastus2.metrics.monitor.azure.cn", "https://metrics.monitor.azure.cn/.default"),
        (
            custom_cloud(management_url="https://arm.example.com", metrics_url="http://127.0.0.1:9"),
            "http://127.0.0.1:9",
            "http://127.0.0.1:9/.default",
        ),
    ],
    ids=["public", "usgovernment", "china", "custom"],
)
async def test_each_cloud_has_its_address(cloud, address, scope):
    azure = FakeAzure({BATCH: batch_answer})
    assert all(await ask_all(batch_over(azure, cloud=cloud), named("a")))
    assert str(azure.requests[0].url).startswith(f"{address}/subscriptions/")
    assert cloud.metrics_batch_scope == scope


def collector_over(azure, **options):
    return Collector(make_client(azure), PUBLIC, static_credentials(), **options)


async def test_the_collector_reads_the_same_either_way():
    replies = {BATCH: batch_answer, SINGLE: lambda _: answer(raw_metrics(CALLED, timespan=told))}
    known = Known(deployments=(make_deployment("d"), make_deployment("mute")))
    told = "2026-11-06T08:00:00Z/2026-11-22T08:10:00Z"
    single, batched = [
        await collector_over(FakeAzure(replies), batch=batch).collect(make_account(), known, at=NOW, sections=METRICS)
        for batch in (False, True)
    ]
    assert single.usage == batched.usage
    assert set(batched.usage) == {"d", "mute"}
    assert batched.requests == 1


async def test_the_collector_falls_back_and_remembers():
    azure = FakeAzure({BATCH: answer("", 403), SINGLE: answer(raw_metrics(CALLED))})
    collector = collector_over(azure, batch=True)
    known = Known(deployments=(make_deployment("d"),))
    for _ in range(3):
        snapshot = await collector.collect(make_account(), known, at=NOW, sections=METRICS)
        assert (list(snapshot.usage), snapshot.gaps) == (["d"], ())
    assert (len(azure.asked(BATCH)), len(azure.asked(SINGLE))) == (1, 3)


async def test_what_a_batch_says_of_one_account_spoils_no_other():
    def half_bad(request):
        values = json.loads(batch_answer(request).content)["values"]
        for one in values:
            if one["resourceid"].endswith("/B"):
                one["value"][0]["errorCode"] = "InternalError"
        return answer({"values": values})

    collector = collector_over(FakeAzure({BATCH: half_bad}), batch=True)
    known = Known(deployments=(make_deployment("d"),))
    good, bad = await asyncio.gather(
        *(collector.collect(named(name), known, at=NOW, sections=METRICS) for name in ("a", "b"))
    )
    assert isinstance(good.usage["d"], Usage)
    assert (bad.usage, bad.gap(Section.METRICS).reason) == (None, GapReason.BROKEN)


async def test_off_by_default_no_batch_is_asked_for():
    azure = FakeAzure({BATCH: batch_answer, SINGLE: lambda _: Response(200, json=raw_metrics(CALLED))})
    known = Known(deployments=(make_deployment("d"),))
    await collector_over(azure).collect(make_account(), known, at=NOW, sections=METRICS)
    assert [request.method for request in azure.requests] == ["GET"]


def test_a_closed_loop_leaves_nothing_behind():
    """Whoever waits when the program ends is cancelled along with the question."""

    async def hang(_):
        await asyncio.sleep(60)
        raise AssertionError

    async def main():
        batch = batch_over(FakeAzure({BATCH: hang}))
        task = asyncio.create_task(ask_all(batch, named("a"), named("b")))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(main())
