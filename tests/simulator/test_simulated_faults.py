"""Faults: which requests they hit, and what they do to the answer, in process and over real sockets."""

import asyncio
import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from watcher.simulator import (
    TOKEN,
    Account,
    Addresses,
    Deployment,
    Drip,
    Fault,
    FaultBook,
    Job,
    Scenario,
    SteppedClock,
    World,
    create_app,
)
from watcher.simulator.jobs import job_id
from watcher.simulator.server import LOOPBACK, bind, serve, serving

H = timedelta(hours=1)


@pytest.mark.parametrize(
    ("fault", "hits"),
    [
        (Fault(), True),
        (Fault(plane="data"), True),
        (Fault(plane="arm"), False),
        (Fault(account="FT-*"), True),
        (Fault(account="dev-*"), False),
        (Fault(path="/Fine_Tuning/"), True),
        (Fault(path="/files"), False),
        (Fault(api="job*"), True),
        (Fault(api="events"), False),
        (Fault(from_=2 * H), True),
        (Fault(from_=3 * H), False),
        (Fault(until=2 * H), False),
        (Fault(until=3 * H), True),
    ],
)
def test_matches(fault, hits):
    request = {"plane": "data", "account": "ft-one", "path": "/openai/v1/fine_tuning/jobs", "api": "jobs"}
    assert fault.matches(**request, moment=2 * H) is hits


def test_strikes_as_often_as_told():
    fault = Fault(times=2, status=500)
    book = FaultBook([fault])
    request = {"plane": "arm", "account": "", "path": "/", "api": "x", "moment": H}
    assert [len(book.strike(**request)) for _ in range(4)] == [1, 1, 0, 0]
    assert book.strikes(fault) == 2
    book.remove(fault)
    assert list(book) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 503, 529])
async def test_refusals_have_the_shape_of_their_plane(build, status):
    azure = build()
    azure.world.faults.add(Fault(status=status))
    v1 = await azure.v1("/fine_tuning/jobs")
    dated = await azure.dated("/fine_tuning/jobs")
    arm = await azure.arm("/subscriptions")
    metrics = await azure.metrics()
    assert {answer.status_code for answer in (v1, dated, arm, metrics)} == {status}
    assert set(v1.json()["error"]) == {"code", "message", "param", "type", "inner_error"}
    assert set(dated.json()["error"]) == set(arm.json()["error"]) == set(metrics.json()) == {"code", "message"}


async def test_other_accounts_and_other_times_are_spared(build):
    azure = build(Scenario(accounts=(Account(name="east"), Account(name="west"))))
    azure.world.faults.add(Fault(plane="data", account="west", from_=H, until=2 * H, status=503))
    seen = []
    for hours in (0, 1, 2):
        azure.at(hours=hours)
        seen.append([(await azure.v1("/models", account)).status_code for account in ("east", "west")])
    assert seen == [[200, 200], [200, 503], [200, 200]]


@pytest.mark.parametrize(
    ("fault", "header", "value"),
    [
        (Fault(status=429, retry_after=7), "retry-after", "7"),
        (Fault(status=429, retry_after=0.5), "retry-after", "0.5"),
        (Fault(status=429, retry_after_ms=1500), "retry-after-ms", "1500"),
        (Fault(status=429, retry_after_date=90), "retry-after", "Mon, 02 Mar 2026 08:01:30 GMT"),
        (Fault(date_skew=-2 * H), "date", "Mon, 02 Mar 2026 06:00:00 GMT"),
        (Fault(), "date", "Mon, 02 Mar 2026 08:00:00 GMT"),
    ],
)
async def test_headers(build, fault, header, value):
    azure = build()
    azure.world.faults.add(fault)
    assert (await azure.v1("/models")).headers[header] == value


@pytest.mark.parametrize(
    ("body", "check"),
    [
        ("html", lambda answer: answer.text.startswith("<html>") and "html" in answer.headers["content-type"]),
        ("empty", lambda answer: answer.content == b""),
        ("garbage", lambda answer: not is_json(answer)),
        ("cut", lambda answer: not is_json(answer)),
        ("wrong_types", lambda answer: is_json(answer) and answer.json()["data"] == "none"),
    ],
)
@pytest.mark.parametrize("status", [None, 502])
async def test_bodies(build, body, check, status):
    azure = build()
    azure.world.faults.add(Fault(body=body, status=status))
    answer = await azure.v1("/models")
    assert answer.status_code == (status or 200)
    assert check(answer)
    assert int(answer.headers["content-length"]) == len(answer.content)


def is_json(answer):
    try:
        json.loads(answer.content)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("status", [403, 404, 200])
async def test_resources_can_vanish_from_lists_only(build, status):
    deployments = tuple(Deployment(name=n, model="gpt-4.1") for n in ("keep", "support-a", "support-b"))
    azure = build(deployments=deployments, jobs=(Job(name="seen"), Job(name="lost")))
    (lost,) = {j["id"] for j in (await azure.v1("/fine_tuning/jobs")).json()["data"]} - {await seen_id(azure)}
    azure.world.faults.add(Fault(hide=("support-*", lost), hidden_status=status))
    assert set(await azure.deployments()) == {"keep"}
    path = f"{azure.account_id('ft')}/deployments"
    assert (await azure.arm(f"{path}/support-a")).status_code == status
    assert (await azure.arm(f"{path}/keep")).status_code == 200
    assert [j["id"] for j in (await azure.v1("/fine_tuning/jobs")).json()["data"]] == [await seen_id(azure)]
    assert (await azure.v1(f"/fine_tuning/jobs/{lost}")).status_code == status


async def seen_id(azure):
    account = azure.world.scenario.accounts[0]
    return job_id(account, account.jobs[0])


async def test_a_metric_can_fail_on_its_own(build):
    azure = build()
    azure.world.faults.add(Fault(metric_error="InternalError"))
    answer = await azure.metrics(timespan=azure.timespan(-H, 0 * H))
    (metric,) = answer.json()["value"]
    assert answer.status_code == 200
    assert (metric["errorCode"], metric["timeseries"]) == ("InternalError", [])


async def test_delays(build):
    azure = build()
    azure.world.faults.add(Fault(delay=0.05))
    began = asyncio.get_running_loop().time()
    await azure.v1("/models")
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_without_sockets_a_hang_lasts_and_a_reset_raises(build):
    azure = build()
    azure.world.faults.add(Fault(times=1, hang=True))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await azure.v1("/models")
    azure.world.faults.add(Fault(times=1, reset=True))
    with pytest.raises(ConnectionResetError):
        await azure.v1("/models")
    azure.world.faults.add(Fault(times=1, truncate=True))
    answer = await azure.v1("/models")
    assert len(answer.content) < int(answer.headers["content-length"])
    assert [record.status for record in azure.app.state.requests] == [0, 0, 200]


@pytest.fixture
async def running():
    world = World(Scenario(accounts=(Account(name="ft", jobs=(Job(name="j"),)), Account(name="other"))))
    async with serve(world, SteppedClock(world.start), own_hosts=True) as running:
        yield running


@pytest.fixture
async def client():
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
        yield client


async def models(running, client, **more):
    return await client.get(f"{running.url}/account/ft/openai/v1/models", **more)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(times=1, reset=True), httpx.ReadError),
        (Fault(times=1, truncate=True), httpx.RemoteProtocolError),
        (Fault(times=1, hang=True), httpx.ReadTimeout),
    ],
    ids=["reset", "truncated", "hanging"],
)
async def test_over_a_socket_a_connection_can_fail_and_the_next_one_works(running, client, fault, error, caplog):
    running.world.faults.add(fault)
    with pytest.raises(error):
        await models(running, client, timeout=0.2)
    answer = await models(running, client)
    assert answer.status_code == 200 and answer.json()["object"] == "list"
    assert caplog.records == []  # nothing for an operator to puzzle over


async def test_over_a_socket_a_body_can_drip(running, client):
    whole = (await models(running, client)).content
    running.world.faults.add(Fault(drip=Drip(bytes=100, every=0.02)))
    chunks = []
    async with client.stream("GET", f"{running.url}/account/ft/openai/v1/models") as answer:
        async for chunk in answer.aiter_raw():
            chunks.append(chunk)
    assert b"".join(chunks) == whole and len(chunks) > 3


async def test_a_client_may_leave_while_a_body_drips(running, client, caplog):
    running.world.faults.add(Fault(drip=Drip(bytes=1, every=0.01), times=1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await models(running, client)
    assert (await models(running, client)).status_code == 200
    assert caplog.records == []


async def test_the_server_ends_at_once_though_an_answer_hangs(client, caplog):
    world = World(Scenario(accounts=(Account(name="ft"),)))
    world.faults.add(Fault(hang=True))
    async with serve(world, SteppedClock(world.start)) as running:
        pending = asyncio.create_task(models(running, client, timeout=30))
        while not any(world.faults.strikes(fault) for fault in world.faults):
            await asyncio.sleep(0.005)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 0.9
    with pytest.raises(httpx.HTTPError):
        await pending
    assert caplog.records == []


async def test_each_account_has_a_host_of_its_own(running, client):
    path = f"/subscriptions/{running.world.scenario.subscriptions[0].id}/providers/Microsoft.CognitiveServices/accounts"
    rows = (await client.get(f"{running.url}{path}", params={"api-version": "2024-10-01"})).json()["value"]
    endpoints = {row["name"]: row["properties"]["endpoint"] for row in rows}
    assert endpoints == {"ft": f"http://127.1.0.1:{running.port}/", "other": f"http://127.1.0.2:{running.port}/"}
    counts = {}
    for name, endpoint in endpoints.items():
        counts[name] = len((await client.get(f"{endpoint}openai/v1/fine_tuning/jobs")).json()["data"])
    assert counts == {"ft": 1, "other": 0}
    assert [record.account for record in running.requests.matching(api="jobs")] == ["ft", "other"]


async def test_the_date_is_simulated_over_a_socket_too(running, client):
    dates = (await models(running, client)).headers.get_list("date")
    assert [parsedate_to_datetime(date) for date in dates] == [running.world.start]


async def test_ready_made_sockets_can_be_given(client):
    world = World(Scenario(accounts=(Account(name="ft"),)))
    sockets = bind([LOOPBACK, "127.0.1.7"], 0)
    port = sockets[0].getsockname()[1]
    app = create_app(world, SteppedClock(world.start), addresses=Addresses(hosts={"ft": "127.0.1.7"}))
    async with serving(app, sockets):
        answer = await client.get(f"http://127.0.1.7:{port}/openai/v1/models")
    assert answer.status_code == 200


async def test_a_taken_port_is_an_os_error():
    (taken,) = bind([LOOPBACK], 0)
    taken.listen()
    world = World(Scenario())
    with taken, pytest.raises(OSError, match="in use"):
        async with serve(world, SteppedClock(world.start), port=taken.getsockname()[1]):
            pass
