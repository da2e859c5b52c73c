"""From a finding to the webhook received: `watcher` and Prometheus Alertmanager side by side.

    python benchmarks/alerts.py [latency] [burst] [memory] [--samples 200] [--alerts 1000] [--active 10000]

One sink in another process takes what both send, over real HTTP on loopback. Each contender is a process of its own and
waits for no group. Times are of the system's monotonic clock, from before the finding is handed over:

- `watcher`: alerts are committed to a SQLite database on disk as a poll does it, and the daemon's own loops are woken;
  they commit the decision with the outbox, send, and mark.
- `alertmanager`: the same alerts by one POST to /api/v2/alerts. It commits nothing before it sends.

What is measured:

- `latency`: one finding at a time, the two in turn; p50 and p99.
- `burst`: many findings at once, each a message of its own, and in groups, until the last has come; and what CPU time
  the contender took for each finding, which means something on a busy machine too. (Alertmanager sends a group's first
  alerts at once and the others after `group_interval`, which is 1 s here for both.)
- `memory`: resident with many active alerts.

Without `prometheus-alertmanager` (Debian's package of that name) `watcher` is measured alone.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

PEER = "prometheus-alertmanager"
GROUPS = 20  #: in a grouped burst
PATIENCE_S = 120.0
_TEXT = "No call for 12 d 1 h; Azure deletes deployments of fine-tuned models after 15 d without one. " * 4


def labels(number: int, run: str) -> dict[str, str]:
    return {
        "rule": "deployment_idle",
        "cloud": "public",
        "account": f"account-{number % GROUPS:02}",
        "subscription": "00000000-0000-0000-0000-000000000001",
        "resource_group": "bench",
        "location": "eastus2",
        "owner": "search-team",
        "deployment": f"{run}-{number}",
        "model": "gpt-4.1-mini-2025-04-14.ft-0123456789abcdef0123456789abcdef",
        "sku": "Standard",
    }


def annotations(number: int, run: str) -> dict[str, str]:
    return {"summary": f"{run}-{number} is deleted in 2 d 23 h", "description": _TEXT, "action": _TEXT[:120]}


# The sink


def sink(port: int, pipe: Connection) -> None:
    """Take POSTs until killed; for each, say when it had come in, and how many alerts it held."""

    class Taker(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.buffer = transport, b""

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
                head = self.buffer[:end].lower()
                length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                if len(self.buffer) < end + 4 + length:
                    return
                at = time.monotonic()
                body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                pipe.send((at, len(json.loads(body)["alerts"])))

    async def run() -> None:
        await asyncio.get_running_loop().create_server(Taker, "127.0.0.1", port, backlog=512)
        await asyncio.Event().wait()

    _run(run)


# The contenders


class Contender(Protocol):
    """Takes findings and tells the sink."""

    name: str
    pid: int

    def post(self, first: int, count: int, run: str) -> float:
        """Hand over so many new findings at once; returns when that began."""
        ...


class Alertmanager:
    """Debian's, without its cluster."""

    name = "alertmanager"

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.pid = process.pid
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, first: int, count: int, run: str) -> float:
        alerts = [
            {"labels": {"alertname": "deployment_idle", **labels(number, run)}, "annotations": annotations(number, run)}
            for number in range(first, first + count)
        ]
        body = json.dumps(alerts)
        began = time.monotonic()
        self._client.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        answer = self._client.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"alertmanager refused the alerts: {answer.status}")
        return began


@contextlib.contextmanager
def alertmanager(sink_port: int, *, grouped: bool) -> Iterator[Alertmanager]:
    folder, port = Path(tempfile.mkdtemp(prefix="watcher-bench-")), _free_port()
    by = "rule, account" if grouped else "'...'"
    (folder / "config.yml").write_text(
        f"route: {{receiver: hook, group_by: [{by}], group_wait: 0s, group_interval: 1s, repeat_interval: 24h}}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{sink_port}/'}}]}}]\n"
    )
    command = [
        PEER,
        f"--config.file={folder / 'config.yml'}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield Alertmanager(process, port)
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


class Watcher:
    """The daemon's loops that tell, in a process that is asked over a pipe."""

    name = "watcher"

    def __init__(self, process: "multiprocessing.process.BaseProcess", pipe: Connection) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._pipe = pipe

    def post(self, first: int, count: int, run: str) -> float:
        self._pipe.send((first, count, run))
        began: float = self._pipe.recv()
        return began


@contextlib.contextmanager
def watcher(sink_port: int, *, grouped: bool) -> Iterator[Watcher]:
    folder = Path(tempfile.mkdtemp(prefix="watcher-bench-"))
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=tell, args=(folder, sink_port, grouped, theirs), daemon=True)
    process.start()
    try:
        if ours.recv() != "ready":
            sys.exit("watcher did not come up")
        yield Watcher(process, ours)
    finally:
        process.kill()
        process.join()
        shutil.rmtree(folder, ignore_errors=True)


def tell(folder: Path, sink_port: int, grouped: bool, pipe: Connection) -> None:
    """Record what the pipe asks for and tell the sink, until killed."""
    from watcher.loop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_tell(folder, sink_port, grouped, pipe))


async def _tell(folder: Path, sink_port: int, grouped: bool, pipe: Connection) -> None:
    from watcher import config, logs
    from watcher.assembly.machine import assemble
    from watcher.assembly.stores import open_store
    from watcher.clock import system_clock
    from watcher.daemon.current import Current
    from watcher.daemon.progress import Progress
    from watcher.daemon.teller import Teller
    from watcher.store import alerts
    from watcher.web.metrics import Figures, Metrics

    logs.configure(level="error")
    by = ["rule", "account"] if grouped else ["..."]
    loaded = config.parse(_configuration(folder, sink_port, by), environ={"TOKEN": "bench-token"})
    store = open_store(loaded)
    machine = await assemble(loaded, store)
    teller = Teller(Current(machine), clock=system_clock, metrics=Metrics(Figures), progress=Progress())
    loops = (
        teller.dispatch_forever,
        teller.deliver_forever,
        teller.look_aside_forever,
        teller.refresh_forever,
    )
    tasks = [asyncio.create_task(work()) for work in loops]
    loop, asked = asyncio.get_running_loop(), asyncio.Queue[tuple[int, int, str]]()
    loop.add_reader(pipe.fileno(), lambda: asked.put_nowait(pipe.recv()))
    pipe.send("ready")
    while True:
        first, count, run = await asked.get()
        found = [_alert(number, run) for number in range(first, first + count)]
        began = time.monotonic()
        await store.write(alerts.save, found)
        teller.wake()
        pipe.send(began)
        if any(task.done() for task in tasks):
            sys.exit("a loop of watcher's has ended")


def _alert(number: int, run: str) -> Any:
    from watcher.alerts.alert import open_alert
    from watcher.resources.changes import ResourceKind
    from watcher.rules.finding import Finding, FindingKind, Severity, Subject

    texts = annotations(number, run)
    known = labels(number, run)
    key = f"/subscriptions/s/resourcegroups/bench/providers/microsoft.cognitiveservices/accounts/{known['account']}"
    finding = Finding(
        rule=known.pop("rule"),
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=Subject(id=f"{key}/deployments/{run}-{number}", kind=ResourceKind.DEPLOYMENT, incarnation="1"),
        labels=known,
        summary=texts["summary"],
        description=texts["description"],
        action=texts["action"],
        step="3d",
    )
    return open_alert(finding, account=key, now=datetime.now(UTC))


def _configuration(folder: Path, sink_port: int, group_by: list[str]) -> str:
    return f"""
        [database]
        url = "sqlite:///{folder / "watcher.db"}"
        [azure]
        cloud = "custom"
        management_url = "http://127.0.0.1:1"
        metrics_url = "http://127.0.0.1:1"
        credential = "static"
        token_env = "TOKEN"
        [[receivers]]
        name = "hook"
        type = "webhook"
        url = "http://127.0.0.1:{sink_port}/"
        [route]
        receiver = "hook"
        group_by = {json.dumps(group_by)}
        group_wait = "0s"
        group_interval = "1s"
    """


Start = Callable[..., "contextlib.AbstractContextManager[Contender]"]


# What is measured


def report_latency(contenders: list[Start], port: int, came: Connection, samples: int) -> None:
    with contextlib.ExitStack() as stack:
        racing = [stack.enter_context(start(port, grouped=False)) for start in contenders]
        found: dict[str, list[float]] = {each.name: [] for each in racing}
        for number in range(-10, samples):  # the first ones warm up
            for each in racing:
                began = each.post(number, 1, f"one{number}")
                at, _ = _next(came)
                if number >= 0:
                    found[each.name].append((at - began) * 1000)
                time.sleep(0.02)  # what follows the answer is no part of the next
    for name, times in found.items():
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"latency, {len(times)} findings one by one: {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    if len(found) == 2:
        ours, theirs = (statistics.median(found[name]) for name in ("watcher", "alertmanager"))
        print(f"  {ours / theirs:.1f} times Alertmanager's p50 (aim: within 5 ms, better within 2 times)")


def report_burst(contenders: list[Start], port: int, came: Connection, alerts: int) -> None:
    for grouped in (False, True):
        took: dict[str, list[float]] = {}
        used_ms: dict[str, list[float]] = {}
        messages: dict[str, int] = {}
        for _ in range(3):
            for start in contenders:
                with start(port, grouped=grouped) as each:
                    each.post(0, 1, "warm")
                    _next(came)
                    cpu_s = _cpu_s(each.pid)
                    began = each.post(0, alerts, "burst")
                    count = seen = 0
                    while seen < alerts:
                        at, held = _next(came)
                        count, seen = count + 1, seen + held
                    used_ms.setdefault(each.name, []).append((_cpu_s(each.pid) - cpu_s) / alerts * 1000)
                took.setdefault(each.name, []).append(at - began)
                messages[each.name] = count
        for name, times in took.items():
            what = f"in {messages[name]} messages"
            cpu = f"{min(used_ms[name]):.2f} ms of CPU a finding"
            print(f"burst, {alerts} findings at once, {what}: {name}: {min(times):.2f} s (of {_list(times)}), {cpu}")
    print("  aim: within 1 s as messages of their own, better 0.6 s")


def report_memory(contenders: list[Start], port: int, came: Connection, active: int) -> None:
    for start in contenders:
        with start(port, grouped=True) as each:
            empty, seen = _resident_mib(each.pid), 0
            for first in range(0, active, 1000):
                each.post(first, min(1000, active - first), "held")
            while seen < active and came.poll(20):  # Alertmanager names all of a group's alerts each time
                seen += came.recv()[1]
            while came.poll(3):
                came.recv()
            resident, peak = _resident_mib(each.pid), _peak_mib(each.pid)
        held = f"{resident:.0f} MiB (empty {empty:.0f}, at worst {peak:.0f})"
        print(f"memory, {active} active alerts: {each.name}: {held}")


def _list(times: list[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in times)


def _next(came: Connection) -> tuple[float, int]:
    if not came.poll(PATIENCE_S):
        sys.exit(f"nothing came within {PATIENCE_S:g} s")
    found: tuple[float, int] = came.recv()
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def _run(work: Callable[[], Any]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work())
    else:
        uvloop.run(work())


#: Each measure, and the option that says over how many findings it goes.
REPORTS = {
    "latency": (report_latency, "samples"),
    "burst": (report_burst, "alerts"),
    "memory": (report_memory, "active"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(REPORTS)}; all if left out")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--active", type=int, default=10_000)
    given = parser.parse_args()
    if unknown := set(given.what) - REPORTS.keys():
        parser.error(f"there is no {sorted(unknown)[0]!r}")
    contenders: list[Start] = [watcher]
    if shutil.which(PEER):
        contenders.append(alertmanager)
    else:
        print(f"{PEER} is missing, so watcher is measured alone; on Debian: apt-get install {PEER}")
    port = _free_port()
    came, says = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=sink, args=(port, says), daemon=True)
    server.start()
    try:
        _wait_for(port)
        for name in given.what or REPORTS:
            report, option = REPORTS[name]
            report(contenders, port, came, getattr(given, option))
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
