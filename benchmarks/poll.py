"""What an unchanged poll costs: requests, CPU, wall time and memory for many accounts, beside bare aiohttp and the SDK.

    python benchmarks/poll.py [--accounts 1000] [--jobs 50] [--cycles 5]

A server in another process stands for Azure: each account has a loopback address of its own, with the same jobs and
deployments at each request. Three contenders then run one after another, each in a fresh process:

- `watcher`: the real cycles, collector, rules and SQLite store, after a first reading;
- `aiohttp`: the very same requests, read to their end and thrown away;
- `openai`: what a user would write with the SDK: list the jobs, then retrieve each (on a sample of the accounts).

Figures are for one cycle over all accounts. Compare them as ratios within one run.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/bench"
SAMPLE_OF_SDK = 20
CONCURRENCY = 64
EMPTY = {"object": "list", "data": []}


def host(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


def account_id(number: int) -> str:
    return f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/account-{number:04}"


# The server


def serve(
    accounts: int,
    jobs: int,
    port: int,
    ready: "multiprocessing.synchronize.Event",
    active_every: int = 1,
    more: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Answer GETs from prepared bytes until killed; one listening socket for each account.

    Each `active_every`-th account has a job under way; the jobs of the others have all ended. `more`: other answers
    than the usual ones, by path.
    """
    answers = _answers(accounts, jobs, port, more)

    class Protocol(asyncio.Protocol):
        def __init__(self, is_active: bool = True) -> None:
            self.is_active = is_active

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            self.buffer = b""

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
                path = self.buffer.split(b" ", 2)[1].split(b"?", 1)[0]
                is_last = b"connection: close" in self.buffer[:end].lower()
                self.buffer = self.buffer[end + 4 :]
                found = answers.get(path.decode() if self.is_active else f"quiet {path.decode()}")
                found = found or answers.get(path.decode())
                if found is None and path.startswith(b"/openai/v1/fine_tuning/jobs/"):
                    found = answers["one job"]
                found = found or answers["404"]
                if is_last:
                    self.transport.write(found.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
                    self.transport.close()
                    return
                self.transport.write(found)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(Protocol, "127.0.0.1", port, backlog=512)
        for number in range(accounts):
            make = partial(Protocol, is_active=number % active_every == 0)
            await loop.create_server(make, host(number), port, backlog=512)
        ready.set()
        await asyncio.Event().wait()

    _run(run)


def _answers(accounts: int, jobs: int, port: int, more: Mapping[str, object]) -> dict[str, bytes]:
    arm = "/subscriptions/" + SUBSCRIPTION
    listing = [
        {
            "id": account_id(number),
            "name": f"account-{number:04}",
            "location": "eastus2",
            "kind": "OpenAI",
            "tags": {"owner": "team"},
            "properties": {"endpoint": f"http://{host(number)}:{port}/", "provisioningState": "Succeeded"},
        }
        for number in range(accounts)
    ]
    answers = {
        f"{arm}/providers/Microsoft.CognitiveServices/accounts": {"value": listing},
        f"{arm}/resourcegroups": {"value": [{"name": "bench", "tags": {}}]},
        "/openai/v1/fine_tuning/jobs": {"object": "list", "data": [_job(n) for n in range(jobs)], "has_more": False},
        "quiet /openai/v1/fine_tuning/jobs": {"object": "list", "data": [_job(n + 1) for n in range(jobs)]},
        "one job": _job(0),
        "/openai/v1/files": EMPTY,
        "/openai/models": EMPTY,
        **{f"/openai/v1/fine_tuning/jobs/ftjob-{'0' * 32}/{of}": EMPTY for of in ("checkpoints", "events")},
    }
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    usual = metrics(dict.fromkeys(range(5), hour))  # so that none is idle
    for number in range(accounts):
        answers[f"{account_id(number)}/deployments"] = {"value": [_deployment(number, n) for n in range(5)]}
        answers[f"{account_id(number)}/providers/Microsoft.Insights/metrics"] = usual
    bodies = {path: json.dumps(answer).encode() for path, answer in {**answers, **more}.items()}
    head = "HTTP/1.1 {} OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"
    ready = {path: head.format(200, len(body)).encode() + body for path, body in bodies.items()}
    return {**ready, "404": head.format(404, 0).encode()}


def _job(number: int) -> dict[str, object]:
    status = "running" if number == 0 else "succeeded"
    model = None if number == 0 else f"gpt-4.1-2025-04-14.ft-{number:032x}"
    return {
        "id": f"ftjob-{number:032x}",
        "object": "fine_tuning.job",
        "created_at": 1756781454 + number,
        "finished_at": None if number == 0 else 1756785464 + number,
        "status": status,
        "model": "gpt-4.1-2025-04-14",
        "fine_tuned_model": model,
        "training_file": "file-0",
        "validation_file": None,
        "result_files": [f"file-{number}"],
        "trained_tokens": 10440,
        "hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.0},
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        "organization_id": "",
        "seed": 7,
        "error": None,
    }


def _deployment(account: int, number: int) -> dict[str, object]:
    return {
        "id": f"{account_id(account)}/deployments/d{number}",
        "name": f"d{number}",
        "sku": {"name": "GlobalStandard", "capacity": 50},
        "systemData": {"createdAt": "2026-01-02T03:04:05Z"},
        "properties": {
            "provisioningState": "Succeeded",
            "model": {"format": "OpenAI", "name": f"gpt-4.1-2025-04-14.ft-{number + 1:032x}", "version": "1"},
        },
    }


def metrics(called: Mapping[int, datetime]) -> dict[str, object]:
    """An account's calls: of each deployment some in one hour."""
    series = [
        {
            "metadatavalues": [
                {"name": {"value": "modeldeploymentname"}, "value": f"d{number}"},
                {"name": {"value": "statuscode"}, "value": "200"},
            ],
            "data": [{"timeStamp": hour.strftime("%Y-%m-%dT%H:%M:%SZ"), "total": 12.0}],
        }
        for number, hour in called.items()
    ]
    names = ("AzureOpenAIRequests", "ModelRequests")
    value = [{"name": {"value": name}, "unit": "Count", "errorCode": "Success", "timeseries": series} for name in names]
    return {"interval": "PT1H", "timespan": "", "value": value}


# The contenders; each returns what it has to say of itself


def configuration(port: int, concurrency: int = CONCURRENCY) -> str:
    """For the server of this file, on a database in a new folder."""
    return f"""
        [database]
        url = "sqlite:///{Path(tempfile.mkdtemp(prefix="watcher-bench-"), "watcher.db")}"
        [azure]
        cloud = "custom"
        management_url = "http://127.0.0.1:{port}"
        metrics_url = "http://127.0.0.1:{port}"
        credential = "static"
        token_env = "TOKEN"
        [azure.discovery]
        subscriptions = ["{SUBSCRIPTION}"]
        [poll]
        concurrency = {concurrency}
    """


async def watcher(
    accounts: int, cycles: int, port: int, *, rounds_a_cycle: int = 1, concurrency: int = CONCURRENCY
) -> dict[str, float]:
    from sqlalchemy import event

    from watcher import config, logs, rounds
    from watcher.assembly.machine import assemble
    from watcher.assembly.stores import open_store
    from watcher.resources.snapshot import Section
    from watcher.store import scope

    logs.configure(level="error")
    text = configuration(port, concurrency)
    requests = written = 0

    def observe(api: str, status: int, duration_s: float) -> None:
        nonlocal requests
        requests += 1

    loaded = config.parse(text, environ={"TOKEN": "bench-token"})
    store = open_store(loaded)
    machine = await assemble(loaded, store, observer=observe)
    found = await machine.discover(())
    await store.write(scope.save_accounts, found.accounts, is_complete=True, now=machine.clock())
    assert len(found.accounts) == accounts, found.gaps
    sections = frozenset({Section.JOBS, Section.DEPLOYMENTS})
    await rounds.poll_all(machine, found.accounts, sections=sections | {Section.METRICS})

    @event.listens_for(store.engine, "before_cursor_execute")
    def count(_c: object, _cursor: object, statement: str, parameters: list[object], _x: object, many: bool) -> None:
        nonlocal written
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            written += len(parameters) if many else 1

    requests = 0
    polled = found.accounts * rounds_a_cycle
    figures = await _measured(lambda: rounds.poll_all(machine, polled, sections=sections), cycles)
    await machine.aclose()
    store.close()
    return {**figures, "requests": requests / cycles, "written": written / cycles}


async def aiohttp(accounts: int, cycles: int, port: int) -> dict[str, float]:
    import aiohttp as client

    urls = [
        url
        for number in range(accounts)
        for url in (
            f"http://{host(number)}:{port}/openai/v1/fine_tuning/jobs?limit=100",
            f"http://127.0.0.1:{port}{account_id(number)}/deployments?api-version=2024-10-01",
        )
    ]
    gate = asyncio.Semaphore(CONCURRENCY)
    headers = {"authorization": "Bearer bench-token"}
    connector = client.TCPConnector(limit=0)
    async with client.ClientSession(connector=connector, headers=headers) as session:

        async def get(url: str) -> None:
            async with gate, session.get(url) as answer:
                await answer.read()

        async def cycle() -> None:
            await asyncio.gather(*map(get, urls))

        await cycle()
        return {**await _measured(cycle, cycles), "requests": len(urls)}


async def openai(accounts: int, cycles: int, port: int) -> dict[str, float]:
    from openai import AsyncOpenAI

    sample = min(SAMPLE_OF_SDK, accounts)
    clients = [
        AsyncOpenAI(base_url=f"http://{host(number)}:{port}/openai/v1", api_key="bench") for number in range(sample)
    ]
    requests = 0

    async def one(client: AsyncOpenAI) -> None:
        nonlocal requests
        requests += 1
        async for job in client.fine_tuning.jobs.list(limit=100):
            await client.fine_tuning.jobs.retrieve(job.id)
            requests += 1

    async def cycle() -> None:
        await asyncio.gather(*map(one, clients))

    await cycle()
    requests = 0
    figures = await _measured(cycle, 1)
    scale = accounts / sample
    figures = {key: value * scale for key, value in figures.items()}
    return {**figures, "requests": requests * scale, "sample": sample}


async def _measured(cycle: Callable[[], Awaitable[object]], cycles: int) -> dict[str, float]:
    """Wall and CPU seconds of one cycle: the median over `cycles`."""
    walls, cpus = [], []
    for _ in range(cycles):
        wall, cpu = time.perf_counter(), time.process_time()
        await cycle()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {"wall_s": sorted(walls)[cycles // 2], "cpu_s": sorted(cpus)[cycles // 2]}


CONTENDERS = {"watcher": watcher, "aiohttp": aiohttp, "openai": openai}


def _run(work: Callable[[], Awaitable[object]]) -> object:
    from watcher.loop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=18080)
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    if given.only:
        figures = _run(lambda: CONTENDERS[given.only](given.accounts, given.cycles, given.port))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**figures, "peak_mib": peak}))
        return
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=serve, args=(given.accounts, given.jobs, given.port, ready), daemon=True)
    server.start()
    try:
        if not ready.wait(60):
            sys.exit("the server did not come up")
        rows = {name: _contend(name, given) for name in CONTENDERS}
    finally:
        server.kill()
    _print(rows, given)


def _contend(name: str, given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--only", name, "--port", str(given.port)]
    command += ["--accounts", str(given.accounts), "--cycles", str(given.cycles)]
    environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ, timeout=600)
    return json.loads(done.stdout.splitlines()[-1])


def _print(rows: dict[str, dict[str, float]], given: argparse.Namespace) -> None:
    print(
        f"{given.accounts} accounts, {given.jobs} jobs and 5 deployments each; one unchanged cycle, median of "
        f"{given.cycles}; {os.cpu_count()} cores"
    )
    print(
        f"{'':<10}{'requests':>10}{'req/acct':>10}{'wall s':>9}{'CPU s':>9}"
        f"{'CPU ms/acct':>13}{'req/s':>9}{'peak MiB':>10}"
    )
    for name, row in rows.items():
        print(
            f"{name:<10}{row['requests']:>10.0f}{row['requests'] / given.accounts:>10.1f}{row['wall_s']:>9.2f}"
            f"{row['cpu_s']:>9.2f}{row['cpu_s'] / given.accounts * 1000:>13.2f}{row['requests'] / row['wall_s']:>9.0f}"
            f"{row['peak_mib']:>10.0f}"
        )
    ours, bare, sdk = rows["watcher"], rows["aiohttp"], rows["openai"]
    print(f"rate against bare aiohttp:   {100 * bare['wall_s'] / ours['wall_s']:.0f} % (aim: at least 40 %)")
    print(
        f"CPU against the SDK's loop:  1/{sdk['cpu_s'] / ours['cpu_s']:.0f} (aim: at most 1/40; "
        f"measured on {sdk['sample']:.0f} accounts)"
    )
    print(f"rows written an account:     {ours['written'] / given.accounts:.2f} (1: its due times)")


if __name__ == "__main__":
    main()
