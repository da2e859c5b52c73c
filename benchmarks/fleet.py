"""What many accounts cost over time: requests against fixed intervals, CPU a poll at 100 and at 3,000 hosts, memory.

    python benchmarks/fleet.py [calls] [scale] [memory] [--accounts 10000]

The server of `poll.py` stands for Azure, in another process; every measure runs in a fresh process of its own.

- `calls`: one simulated hour over 1,000 accounts, a tenth of them with a job under way, at the default intervals,
  held against polling jobs and deployments of every account each minute and its metrics each hour; and the metric
  requests of one simulated day for accounts without a deployment that nears its deletion.
- `scale`: CPU of one unchanged poll at 3,000 hosts in proportion to that at 100, over as many polls: the 100 are asked
  thirty times in a row. No more of them than half are in hand at once, or all would be answered together, and the
  loop be woken once for all; so it is with a few hosts, and with many never.
- `memory`: resident memory after unchanged cycles over 10,000 accounts (or `--accounts`) with ten jobs each. The
  first readings take most of its time; how far it is goes to standard error.

The clock is simulated and moves from due time to due time, so that an hour takes as long as its requests do.
"""

import argparse
import gc
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import poll

PORT = 18081
HOUR = timedelta(hours=1)
#: Accounts between two lines about progress.
_A_STEP = 500
#: Of `scale`: the hosts to which the many are held, and how often all are polled.
FEW, CYCLES = 100, 5


async def calls(accounts: int, port: int, span: timedelta) -> dict[str, float]:
    """Requests by kind over `span`, from the first reading on."""
    from watcher import config, logs, rounds
    from watcher.assembly.machine import assemble
    from watcher.assembly.stores import open_store
    from watcher.store import scope

    logs.configure(level="error")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    counted: Counter[str] = Counter()
    loaded = config.parse(poll.configuration(port), environ={"TOKEN": "bench-token"})
    store = open_store(loaded)
    machine = await assemble(
        loaded, store, clock=lambda: now, observer=lambda api, status, duration_s: counted.update([api])
    )
    found = await machine.discover(())
    await store.write(scope.save_accounts, found.accounts, is_complete=True, now=now)
    await rounds.poll_all(machine, found.accounts)  # the first reading is no part of it
    counted.clear()
    end = now + span
    while True:
        due = await store.read(scope.due_accounts)
        now = max(now, min(one.at or now for one in due))
        if now >= end:
            break
        await rounds.poll_all(machine, [one.account for one in due if one.at is None or one.at <= now])
    await machine.aclose()
    store.close()
    return dict(counted)


async def cpu(accounts: int, port: int, polls: int) -> dict[str, float]:
    """CPU seconds of one unchanged poll of jobs and deployments, over so many in a row."""
    figures = await poll.watcher(
        accounts, CYCLES, port, rounds_a_cycle=polls // accounts, concurrency=FEW // 4
    )  # twice as many are in hand at once as requests
    return {"cpu_ms": figures["cpu_s"] / polls * 1000}


async def memory(accounts: int, port: int) -> dict[str, float]:
    """MiB resident once the first readings and two unchanged cycles are over, and at the worst."""
    from watcher import config, logs, rounds
    from watcher.assembly.machine import assemble
    from watcher.assembly.stores import open_store
    from watcher.resources.snapshot import Section
    from watcher.store import scope

    logs.configure(level="error")
    text = poll.configuration(port)
    _apart(_prepare, text)  # a daemon does that itself at its very first start alone
    loaded = config.parse(text, environ={"TOKEN": "bench-token"})
    store = open_store(loaded)
    machine = await assemble(loaded, store)
    found = await machine.discover(())
    await store.write(scope.save_accounts, found.accounts, is_complete=True, now=machine.clock())
    sections = frozenset({Section.JOBS, Section.DEPLOYMENTS})
    for name, wanted in (("first reading", None), ("cycle 1", sections), ("cycle 2", sections)):
        for start in range(0, len(found.accounts), _A_STEP):  # to show how far it is; the bound is the program's own
            await rounds.poll_all(machine, found.accounts[start : start + _A_STEP], sections=wanted)
            done = min(start + _A_STEP, len(found.accounts))
            print(f"{name}: {done} accounts, {_resident_mib():.0f} MiB", file=sys.stderr, flush=True)
    await rounds.announce(machine)
    gc.collect()
    resident = _resident_mib()
    await machine.aclose()
    store.close()
    return {"resident_mib": resident}


def _apart(work: Callable[[str], None], text: str) -> None:
    """Do some work in a process of its own, whose memory goes with it."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(text,))
    process.start()
    process.join()


def _prepare(text: str) -> None:
    """The database's schema."""
    from watcher import config
    from watcher.assembly.stores import open_store

    open_store(config.parse(text, environ={"TOKEN": "bench-token"})).close()


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def azure(accounts: int, jobs: int, active_every: int) -> Iterator[None]:
    """The server, for as long as it is needed."""
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=poll.serve, args=(accounts, jobs, PORT, ready, active_every), daemon=True)
    server.start()
    try:
        if not ready.wait(120):
            sys.exit("the server did not come up")
        yield
    finally:
        server.kill()
        server.join()


def apart(measure: str, *arguments: object) -> dict[str, float]:
    """One measure in a fresh process, with its peak; what it says of its progress is passed on."""
    command = [sys.executable, __file__, "--measure", measure, *map(str, arguments)]
    environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environ["MALLOC_ARENA_MAX"] = "2"  # as the unit and the image run the daemon
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environ, timeout=3600)
    if done.returncode:
        sys.exit(f"{measure} failed")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str, arguments: list[str]) -> None:
    numbers = [int(text) for text in arguments]
    work = {
        "hour": lambda: calls(numbers[0], PORT, HOUR),
        "day": lambda: calls(numbers[0], PORT, 24 * HOUR),
        "cpu": lambda: cpu(numbers[0], PORT, numbers[1]),
        "memory": lambda: memory(numbers[0], PORT),
    }[name]
    figures = poll._run(work)
    assert isinstance(figures, dict)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**figures, "peak_mib": peak}))


def report_calls(accounts: int) -> None:
    with azure(accounts, jobs=10, active_every=10):
        began = time.perf_counter()
        hour = apart("hour", accounts)
        took = time.perf_counter() - began
    total = sum(value for key, value in hour.items() if key != "peak_mib")
    fixed = accounts * (60 + 60 + 1)
    print(f"{accounts} accounts, a tenth active, one simulated hour ({took:.0f} s): {total:.0f} requests", end="")
    print(f", by kind {', '.join(f'{key} {value:.0f}' for key, value in sorted(hour.items()) if key != 'peak_mib')}")
    print(f"  against fixed intervals of a minute: {100 * total / fixed:.1f} % (aim: at most 20 %)")
    few = 20
    with azure(few, jobs=10, active_every=few):
        day = apart("day", few)
    print(f"metric requests an account and day, far from any deadline: {day.get('metrics', 0) / few:.1f}")


def report_scale(many: int) -> None:
    cost = {}
    for accounts in (FEW, many):
        with azure(accounts, jobs=50, active_every=1):
            cost[accounts] = apart("cpu", accounts, many)["cpu_ms"]
    print(f"CPU a poll: {cost[FEW]:.2f} ms at {FEW} hosts, {cost[many]:.2f} ms at {many}: ", end="")
    print(f"{cost[many] / cost[FEW]:.2f} times (aim: at most 1.2)")


def report_memory(accounts: int) -> None:
    with azure(accounts, jobs=10, active_every=10):
        found = apart("memory", accounts)
    print(f"{accounts} accounts, {accounts * 10} jobs, {accounts * 5} deployments: ", end="")
    print(f"{found['resident_mib']:.0f} MiB resident, {found['peak_mib']:.0f} MiB at the worst (aim: at most 150)")


#: Each measure, and over how many accounts it goes as a rule.
REPORTS = {"calls": (report_calls, 1000), "scale": (report_scale, 3000), "memory": (report_memory, 10_000)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(REPORTS)}; all if left out")
    parser.add_argument("--accounts", type=int, help="in place of each measure's own number")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(32768, hard), hard))
    if given.measure:
        measure(given.measure, given.what)
        return
    unknown = set(given.what) - REPORTS.keys()
    if unknown:
        parser.error(f"there is no {sorted(unknown)[0]!r}")
    for name in given.what or REPORTS:
        report, accounts = REPORTS[name]
        report(given.accounts or accounts)


if __name__ == "__main__":
    main()
