"""What the page costs: how fast it answers while polling goes on, how much it slows the polls, what open streams hold.

    python benchmarks/web.py [--accounts 400] [--jobs 50] [--seconds 20] [--rate 10] [--path /]

The real daemon runs in a process of its own against the server of `poll.py` in another: 400 accounts with five
deployments and fifty jobs each, a quarter of them with a job under way, 80 deployments near their deletion. A third
process asks for the page `--rate` times a second, whether earlier answers have come or not, and counts from the moment
at which each request was due; so what is told holds the wait for a busy loop too.

- `paced`: each account is polled every ten seconds. `flat out`: every second, which is more than the daemon can do, so
  that whatever the page takes is missing from the polls. Polls a second are counted with requests and without, in
  turns, since a machine may have other work as well.
- `page alone`: the daemon's CPU time for one page while nothing is polled: what other work on the machine spoils least.
- `streams`: how much the daemon's memory grows by open event streams, beside what it grows by without them.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import aiohttp
import poll

AZURE_PORT = 18082
PAGE = "http://127.0.0.1:18083"
STREAMS = 100
#: An interval at which nothing is polled while a measure lasts.
NEVER = "1h"
PACES = {"paced": "10s", "flat out": "1s"}


def azure(accounts: int, jobs: int, ready: "multiprocessing.synchronize.Event") -> None:
    """The server of `poll.py`; in each tenth account one deployment was last called 12 days ago, and one never."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    stale = poll.metrics({0: hour - timedelta(days=12), 2: hour, 3: hour, 4: hour})
    more = {f"{poll.account_id(n)}/providers/Microsoft.Insights/metrics": stale for n in range(0, accounts, 10)}
    poll.serve(accounts, jobs, AZURE_PORT, ready, 4, more)


@contextmanager
def azure_beside(accounts: int, jobs: int) -> Iterator[None]:
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=azure, args=(accounts, jobs, ready), daemon=True)
    server.start()
    try:
        if not ready.wait(60):
            sys.exit("the server did not come up")
        yield
    finally:
        server.kill()
        server.join()


class Daemon:
    """The process, its configuration, and what it says of itself."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "config.toml"
        self._log = folder / "log"
        self._base = poll.configuration(AZURE_PORT)
        self._write(NEVER)
        environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "watcher", "run", "--config", str(self._config)],
                env={**environ, "TOKEN": "bench-token", "MALLOC_ARENA_MAX": "2"},  # as the unit and the image have it
                stdout=log,
                stderr=log,
            )

    def _write(self, interval: str) -> None:
        self._config.write_text(
            f"""{self._base}
            active = "{interval}"
            quiet = "{interval}"
            deployments = "{interval}"
            [web]
            listen = "{PAGE.removeprefix("http://")}"
            [logging]
            level = "warning"
            """
        )

    def set_pace(self, interval: str) -> None:
        """Poll each account so often from now on."""
        self._write(interval)
        self.process.send_signal(signal.SIGHUP)

    def check(self) -> None:
        if self.process.poll() is not None:
            sys.exit(f"the daemon ended: {self._log.read_text()[-2000:]}")

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if found := re.search(r'"sqlite:///(.+)/watcher.db"', self._base):
            shutil.rmtree(found[1], ignore_errors=True)  # a hundred megabytes


@dataclass(frozen=True)
class Asked:
    """What came of requests at a steady rate."""

    took_s: tuple[float, ...]  #: from when each was due to the last byte of its answer
    refused: int  #: answers other than 200
    size: int  #: of one answer, in bytes as sent

    def ms(self, share: float) -> float:
        ranked = sorted(self.took_s)
        return ranked[min(int(share * len(ranked)), len(ranked) - 1)] * 1000

    @property
    def refusals(self) -> str:
        return f"; {self.refused} of {len(self.took_s)} were refused" if self.refused else ""


async def ask(client: aiohttp.ClientSession, path: str, *, rate: float, seconds: float) -> Asked:
    """Ask for `path` at a steady rate, whatever becomes of earlier requests."""
    began = time.perf_counter()
    took: list[float] = []
    refused = size = 0

    async def one(due: float) -> None:
        nonlocal refused, size
        async with client.get(PAGE + path, headers={"accept-encoding": "identity"}) as answer:
            size = len(await answer.read())
        took.append(time.perf_counter() - due)
        refused += answer.status != 200

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    return Asked(took_s=tuple(took), refused=refused, size=size)


async def ask_in_turn(client: aiohttp.ClientSession, path: str, count: int) -> Asked:
    """Ask for `path` again and again, each time once the last answer has come."""
    asked = [await ask(client, path, rate=1, seconds=1) for _ in range(count)]
    return Asked(
        took_s=tuple(one.took_s[0] for one in asked), refused=sum(one.refused for one in asked), size=asked[-1].size
    )


async def polls(client: aiohttp.ClientSession) -> float:
    """How many polls the daemon has made so far."""
    async with client.get(f"{PAGE}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("watcher_polls_total{"))


async def polls_a_second(client: aiohttp.ClientSession, seconds: float) -> float:
    before, began = await polls(client), time.perf_counter()
    await asyncio.sleep(seconds)
    return (await polls(client) - before) / (time.perf_counter() - began)


async def beside_polls(client: aiohttp.ClientSession, path: str, *, rate: float, seconds: float) -> tuple[Asked, float]:
    before, began = await polls(client), time.perf_counter()
    asked = await ask(client, path, rate=rate, seconds=seconds)
    return asked, (await polls(client) - before) / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def streams(client: aiohttp.ClientSession, count: int) -> AsyncIterator[list[int]]:
    """Open event streams that read whatever comes; gives how many chunks each has had. Empty: there are no streams."""
    chunks: list[int] = []

    async def read(answer: aiohttp.ClientResponse, number: int) -> None:
        async for _ in answer.content.iter_any():
            chunks[number] += 1

    async with contextlib.AsyncExitStack() as stack:
        tasks = []
        for number in range(count):
            answer = await stack.enter_async_context(client.get(f"{PAGE}/events", timeout=aiohttp.ClientTimeout()))
            if answer.status != 200:
                print(f"/events answers {answer.status} to stream {number + 1}", file=sys.stderr)
                break
            chunks.append(0)
            tasks.append(asyncio.create_task(read(answer, number)))
        yield chunks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure(given: argparse.Namespace, daemon: Daemon) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as client:
        await ready(client, daemon)
        await page_alone(client, daemon, given)
        for pace, interval in PACES.items():
            await settle(client, daemon, interval, given.accounts)
            await at_pace(client, daemon, given, pace)
        await settle(client, daemon, PACES["paced"], given.accounts)
        await held_by_streams(client, daemon, given)


async def ready(client: aiohttp.ClientSession, daemon: Daemon) -> None:
    """Wait for the first complete cycle."""
    began = time.perf_counter()
    while time.perf_counter() - began < 300:
        daemon.check()
        with contextlib.suppress(aiohttp.ClientError):
            async with client.get(f"{PAGE}/readyz") as answer:
                if answer.status == 200:
                    print(f"first cycle whole after {time.perf_counter() - began:.0f} s", file=sys.stderr)
                    await asyncio.sleep(5)  # what follows it: inventory, dispatch
                    return
        await asyncio.sleep(0.5)
    sys.exit("the first cycle never ended")


async def settle(client: aiohttp.ClientSession, daemon: Daemon, interval: str, accounts: int) -> None:
    """Change the pace, and wait until all accounts were polled twice at it."""
    before = await polls(client)
    daemon.set_pace(interval)
    began = time.perf_counter()
    while await polls(client) < before + 2 * accounts:
        daemon.check()
        if time.perf_counter() - began > 180:
            sys.exit("the polls do not come at their new pace")
        await asyncio.sleep(0.5)


async def page_alone(client: aiohttp.ClientSession, daemon: Daemon, given: argparse.Namespace) -> None:
    for _ in range(20):  # until what follows the first cycle is over
        began, before = time.perf_counter(), daemon.cpu_s
        await asyncio.sleep(5)
        idle = (daemon.cpu_s - before) / (time.perf_counter() - began)
        if idle < 0.05:
            break
    print(f"{'page alone':<18}{'CPU ms':>9}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}{'KiB':>7}")
    for path in (given.path, "/metrics", "/healthz"):
        await ask_in_turn(client, path, 3)
        began, before = time.perf_counter(), daemon.cpu_s
        asked = await ask_in_turn(client, path, 30)
        spent = daemon.cpu_s - before - idle * (time.perf_counter() - began)
        print(
            f"{path:<18}{spent / 30 * 1000:>9.1f}{asked.ms(0.5):>9.1f}{asked.ms(0.95):>9.1f}{asked.ms(1):>9.1f}"
            f"{asked.size / 1024:>7.0f}" + asked.refusals,
            flush=True,
        )


async def at_pace(client: aiohttp.ClientSession, daemon: Daemon, given: argparse.Namespace, pace: str) -> None:
    """With requests and without, in turns of a few seconds."""
    turns = max(2, round(given.seconds / 5))
    resting, loaded, took, refused, spent = [], [], [], 0, [0.0, 0.0]
    for _ in range(turns):
        cpu = daemon.cpu_s
        resting.append(await polls_a_second(client, 5))
        spent[0] += daemon.cpu_s - cpu
        cpu = daemon.cpu_s
        asked, rate = await beside_polls(client, given.path, rate=given.rate, seconds=5)
        spent[1] += daemon.cpu_s - cpu
        loaded.append(rate)
        took += asked.took_s
        refused += asked.refused
    daemon.check()
    asked = Asked(took_s=tuple(took), refused=refused, size=0)
    without, beside = median(resting), median(loaded)
    slower = 100 * (without - beside) / without
    print(
        f"{pace + ', ' + given.path:<18}p50 {asked.ms(0.5):.0f} ms, p95 {asked.ms(0.95):.0f} ms (aim: at most 100), "
        f"max {asked.ms(1):.0f} ms at {given.rate:g} a second" + asked.refusals
    )
    print(
        f"{pace + ', polls':<18}{without:.1f} a second without requests, {beside:.1f} with them: {slower:.0f} % slower "
        "(aim: at most 10 %)"
    )
    shares = [f"{one / turns / 5 * 100:.0f} %" for one in spent]
    print(
        f"{pace + ', CPU':<18}{shares[0]} of a core without requests, {shares[1]} with them; "
        f"load of the machine {os.getloadavg()[0]:.1f}",
        flush=True,
    )


async def held_by_streams(client: aiohttp.ClientSession, daemon: Daemon, given: argparse.Namespace) -> None:
    start = daemon.resident_mib
    await asyncio.sleep(given.seconds / 2)
    before = daemon.resident_mib
    async with streams(client, STREAMS) as chunks:
        await asyncio.sleep(given.seconds / 2)
        grown, heard = daemon.resident_mib - before, sum(chunks)
    print(
        f"streams: {len(chunks)} open, {heard} chunks: {grown:.1f} MiB more than before (aim for 100: under 20), "
        f"beside {before - start:.1f} MiB more in as much time without them; {before + grown:.0f} MiB resident"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--path", default="/")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    print(
        f"{given.accounts} accounts, {5 * given.accounts} deployments, {given.jobs * given.accounts} jobs; "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    with azure_beside(given.accounts, given.jobs), tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder))
        try:
            asyncio.run(measure(given, daemon))
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
