import asyncio
import gzip
import logging
from datetime import timedelta

import pytest
from azure_factories import FakeAzure, Sleeps, answer, make_client, static_credentials

from watcher.azure.auth import ApiKey
from watcher.azure.client import Allowance, RetryBudget
from watcher.errors import (
    AzureError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from watcher.transport import AsyncByteStream, ConnectError, Response

URL = "https://a.example.com/x?api-version=1&sig=secret"
TOKEN = static_credentials().for_scope("s")
OK = answer({"ok": True}, apim_request_id="r-9")


async def ask(azure, url=URL, *, auth=TOKEN, sleeps=None, lane="", allowance=None, **options):
    client = make_client(azure, sleeps, **options)
    return await client.get(url, api="test", auth=auth, lane=lane, allowance=allowance)


async def test_sends_one_get_with_a_token_and_the_address_as_it_stands():
    azure = FakeAzure({"/x": OK})
    got = await ask(azure)
    assert (got.body, got.status, got.request_id) == (b'{"ok":true}', 200, "r-9")
    (request,) = azure.requests
    assert (request.method, str(request.url)) == ("GET", URL)
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["accept"] == "application/json"
    assert "cookie" not in request.headers


async def test_sends_an_api_key_in_place_of_a_token():
    azure = FakeAzure({"/x": OK})
    await ask(azure, auth=ApiKey.of("k3y"))
    assert azure.requests[0].headers["api-key"] == "k3y"
    assert "authorization" not in azure.requests[0].headers


async def test_unpacks_gzip():
    packed = {"content": gzip.compress(b"{}"), "headers": {"content-encoding": "gzip"}}
    azure = FakeAzure({"/x": lambda _: Response(200, **packed)})
    assert (await ask(azure)).body == b"{}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
async def test_tries_again_what_may_pass(status):
    azure, sleeps = FakeAzure({"/x": [answer("", status), answer("", status), OK]}), Sleeps()
    assert (await ask(azure, sleeps=sleeps)).status == 200
    assert sleeps == [0.25, 0.5]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, AzureError), (401, UnauthorizedError), (403, ForbiddenError), (404, NotFoundError), (302, MalformedError)],
)
async def test_does_not_repeat_what_cannot_pass(status, error):
    azure = FakeAzure({"/x": answer("", status, location="https://evil.example.com/")})
    with pytest.raises(error):
        await ask(azure)
    assert len(azure.requests) == 1


async def test_gives_up_after_three_attempts():
    azure = FakeAzure({"/x": answer("", 503)})
    with pytest.raises(UnavailableError):
        await ask(azure)
    assert len(azure.requests) == 3


async def test_tries_again_after_a_failed_connection():
    azure = FakeAzure({"/x": [ConnectError("refused"), OK]})
    assert (await ask(azure)).status == 200


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ({"retry_after_ms": "1500"}, [1.5]),
        ({"retry_after": "3"}, [3.0]),
        ({"retry_after": "Sun, 22 Nov 2026 08:10:04 GMT"}, [4.0]),
        ({"retry_after": "0"}, [0.25]),
    ],
)
async def test_waits_as_long_as_it_is_told(headers, slept):
    azure, sleeps = FakeAzure({"/x": [answer("", 429, **headers), OK]}), Sleeps()
    await ask(azure, sleeps=sleeps)
    assert sleeps == slept


async def test_a_wait_beyond_the_budget_is_handed_on_at_once():
    azure, sleeps = FakeAzure({"/x": answer("", 429, retry_after="60")}), Sleeps()
    with pytest.raises(ThrottledError) as caught:
        await ask(azure, sleeps=sleeps)
    assert caught.value.retry_after == timedelta(seconds=60)
    assert (len(azure.requests), sleeps) == (1, [])


async def test_the_service_may_forbid_a_retry():
    azure = FakeAzure({"/x": answer("", 503, x_should_retry="false")})
    with pytest.raises(UnavailableError):
        await ask(azure)
    assert len(azure.requests) == 1


async def test_a_lane_that_must_wait_holds_back_its_other_requests():
    now = [100.0]
    azure = FakeAzure({"/x": [answer("", 429, retry_after="60"), OK]})
    client = make_client(azure, monotonic=lambda: now[0])
    with pytest.raises(ThrottledError):
        await client.get(URL, api="arm", auth=TOKEN, lane="arm:1")
    with pytest.raises(ThrottledError) as caught:
        await client.get(URL, api="arm", auth=TOKEN, lane="arm:1")
    assert caught.value.retry_after == timedelta(seconds=60)
    assert len(azure.requests) == 1
    assert (await client.get(URL, api="arm", auth=TOKEN, lane="arm:2")).status == 200
    now[0] += 61
    assert (await client.get(URL, api="arm", auth=TOKEN, lane="arm:1")).status == 200


async def test_an_outage_is_not_met_with_three_times_the_load():
    azure = FakeAzure({"/x": answer("", 503)})
    client = make_client(azure, budget=RetryBudget(size=10))
    for _ in range(40):
        with pytest.raises(UnavailableError):
            await client.get(URL, api="test", auth=TOKEN)
    assert len(azure.requests) == 50


def test_success_gives_retries_back():
    budget = RetryBudget(size=1, refill=0.5)
    assert (budget.take(), budget.take()) == (True, False)
    budget.give_back()
    assert not budget.take()
    budget.give_back()
    assert budget.take()


async def hang(_):
    await asyncio.sleep(60)
    raise AssertionError


async def test_what_hangs_is_ended_and_not_repeated():
    azure = FakeAzure({"/x": hang})
    with pytest.raises(UnavailableError, match="no whole answer within"):
        await ask(azure, timeout_s=0.05)
    assert len(azure.requests) == 1


async def test_the_time_of_an_account_is_charged_and_ends():
    azure, allowance = FakeAzure({"/x": hang}), Allowance(0.08)
    client = make_client(azure, timeout_s=0.05)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await client.get(URL, api="test", auth=TOKEN, allowance=allowance)
    assert allowance.seconds <= 0
    assert (len(azure.requests), allowance.requests) == (2, 2)


async def test_waiting_for_our_own_turn_is_not_charged():
    async def slow(_):
        await asyncio.sleep(0.05)
        return answer({})

    client = make_client(FakeAzure({"/x": slow}), concurrency=1, timeout_s=0.2)
    allowances = [Allowance(10) for _ in range(5)]
    await asyncio.gather(*(client.get(URL, api="t", auth=TOKEN, allowance=one) for one in allowances))
    assert all(one.seconds > 9.8 for one in allowances)


async def test_no_more_requests_are_under_way_than_allowed():
    running, most = 0, 0

    async def slow(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return answer({})

    client = make_client(FakeAzure({"/x": slow}), concurrency=3)
    await asyncio.gather(*(client.get(URL, api="t", auth=TOKEN) for _ in range(20)))
    assert most == 3


async def test_a_body_beyond_the_limit_is_not_kept():
    packed = {"content": gzip.compress(b"0" * 10_000), "headers": {"content-encoding": "gzip"}}
    azure = FakeAzure({"/x": lambda _: Response(200, **packed)})
    with pytest.raises(MalformedError, match="larger than 1000"):
        await ask(azure, max_body_bytes=1000)
    assert len(azure.requests) == 1


class OneChunk(AsyncByteStream):
    def __init__(self, chunk):
        self.chunk = chunk

    async def __aiter__(self):
        yield self.chunk


async def test_a_body_that_cannot_be_unpacked_is_malformed():
    spoilt = FakeAzure(
        {"/x": lambda _: Response(200, headers={"content-encoding": "gzip"}, stream=OneChunk(b"no gzip"))}
    )
    with pytest.raises(MalformedError, match="unpacked"):
        await ask(spoilt)


@pytest.mark.parametrize("url", ["https://a.example.com/x\x00", "https://a.example.com/" + "x" * 70_000])
async def test_an_address_that_is_none_is_malformed(url):
    with pytest.raises(MalformedError, match="not an address"):
        await ask(FakeAzure({"/x": OK}), url)


async def test_the_observer_hears_of_each_attempt():
    heard = []
    azure = FakeAzure({"/x": [answer("", 503), ConnectError("x"), OK]})
    await ask(azure, observer=lambda api, status, duration: heard.append((api, status, duration >= 0)))
    assert heard == [("test", 503, True), ("test", 0, True), ("test", 200, True)]


async def test_the_log_tells_neither_query_nor_token(caplog, capsys):
    caplog.set_level(logging.DEBUG, logger="watcher.azure")
    await ask(FakeAzure({"/x": [answer({"error": {"message": "slow"}}, 503), OK]}))
    told = capsys.readouterr().out + caplog.text
    assert "azure.refused" in told
    assert "r-9" in told
    assert "sig=" not in told
    assert "t0ken" not in told
