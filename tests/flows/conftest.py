"""The rig of the flows: the real program as a process, a simulated Azure and receivers, all over real sockets.

Nothing here sleeps for its own sake: `until` looks at a condition again and again, for a bounded time.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows import forked
from tests.flows.forked import Forked
from tests.flows.sink import Sink, serve_sink
from watcher.simulator import TOKEN, Account, Deployment, Job, Scenario, World
from watcher.simulator.jobs import job_id
from watcher.simulator.server import Running, serve

#: For everything that has to come about; far more than it takes, since the machine may be busy.
PATIENCE_S = 15.0

CONFIGURATION = """\
[watcher]
name = "flow"

[database]
{database}

[azure]
cloud = "custom"
management_url = "{azure}"
metrics_url = "{azure}"
credential = "static"
token_env = "AZURE_TOKEN"
{azure_more}

[poll]
active = "1s"
quiet = "{interval}"
deployments = "{interval}"
metrics = "{interval}"
timeout = "{timeout}"

[[receivers]]
name = "hook"
type = "webhook"
url = "{sink}/alerts"
signing_secret_env = "HOOK_SECRET"

{receivers}

[route]
receiver = "hook"
group_by = ["rule", "account", "job", "deployment"]
group_wait = "0s"
group_interval = "0s"
{routes}

[web]
listen = "127.0.0.1:0"
{web}

[logging]
level = "{level}"

{more}
"""


async def until(holds: Callable[[], Any], what: str = "", *, within: float = PATIENCE_S) -> Any:
    """What `holds` gives, as soon as that is true; fails when it never is."""
    deadline = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what or holds}"
        await asyncio.sleep(0.05)
    return found


def now() -> datetime:
    return datetime.now(UTC)


def ft(name: str, age: timedelta = timedelta(days=1), **more: Any) -> Deployment:
    """A fine-tuned deployment of this age, never called unless `calls` says so."""
    model = more.pop("model", f"gpt-4.1-2025-04-14.ft-{name:0<32}"[:60])
    return Deployment(name=name, created=-age, model=model, **more)


def running_job(name: str, **more: Any) -> Job:
    """A job that runs until it is told otherwise, see `Flow.end`."""
    return Job(name=name, created=timedelta(minutes=-30), timeline=(("running", timedelta(0)),), **more)


@dataclass
class Program:
    """One process of the program with its output; only this very process is ever signalled."""

    process: asyncio.subprocess.Process | Forked
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    @property
    def stdout(self) -> str:
        return self.out.read_text()

    @property
    def stderr(self) -> str:
        return self.err.read_text()

    def log(self, event: str | None = None) -> list[dict[str, Any]]:
        """The lines of the log, or those of one event."""
        lines = []
        for line in self.stderr.splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return [line for line in lines if event in (None, line.get("event"))]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def wait(self, within: float = PATIENCE_S) -> int:
        """The exit code."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def kill(self) -> None:
        if self.is_running:
            self.send(signal.SIGKILL)
        await self.wait()


@dataclass
class Daemon(Program):
    """`watcher run`, and its page."""

    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=5))

    async def page(self) -> str:
        """The page's address, once it is known."""

        def address() -> str | None:
            assert self.is_running, f"the daemon ended: {self.stderr}"
            return next((line["page"] for line in self.log("daemon.started")), None)

        return await until(address, "daemon.started")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(await self.page() + path, headers=headers)

    async def ready(self) -> None:
        """Wait for the first complete cycle: from then on nothing is first sight."""
        await self.page()
        deadline = time.monotonic() + PATIENCE_S
        while (answer := await self.get("/readyz")).status_code != 200:
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """SIGTERM, and the exit code, which has to come within 10 s."""
        self.send(signal.SIGTERM)
        return await self.wait(within=10)

    async def kill(self) -> None:
        await super().kill()
        await self.client.aclose()


@dataclass
class Flow:
    """A test's own Azure, sink, configuration and processes."""

    folder: Path
    azure: Running
    sink: Sink
    stack: AsyncExitStack
    environ: dict[str, str]
    database: str = ""
    is_anew: bool = False  #: each process begins with the interpreter, as a user's does, and not as a fork
    programs: list[Program] = field(default_factory=list)
    #: Log events at error level that the test provokes.
    expected_errors: set[str] = field(default_factory=set)

    @property
    def world(self) -> World:
        return self.azure.world

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def database_file(self) -> Path:
        return self.folder / "watcher.db"

    # Configuration and processes

    def configure(self, **parts: str) -> Path:
        """Write the configuration; `parts` fill its places, see `CONFIGURATION`."""
        self.environ["DATABASE_URL"] = self.database or f"sqlite:///{self.database_file}"
        values = {
            "database": 'url_env = "DATABASE_URL"',
            "azure": self.azure.url,
            "sink": self.sink.url,
            "interval": "1s",
            "timeout": "3s",
            "level": "info",
            **dict.fromkeys(("azure_more", "receivers", "routes", "web", "more"), ""),
            **parts,
        }
        self.config.write_text(CONFIGURATION.format(**values))
        return self.config

    async def start(self, *arguments: str, kind: type[Program] = Program, shell: str = "", **environ: str) -> Any:
        """Start `watcher …`; `shell`: what the same process does before, such as `ulimit`."""
        number = len(self.programs)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        out.touch()
        err.touch()
        environ = {**self.environ, **environ}
        process: asyncio.subprocess.Process | Forked
        if shell or self.is_anew:
            command = (sys.executable, "-m", "watcher", *arguments)
            if shell:
                command = ("sh", "-c", f'{shell}; exec "$@"', "sh", *command)
            with out.open("wb") as stdout, err.open("wb") as stderr:
                process = await asyncio.create_subprocess_exec(
                    *command, stdout=stdout, stderr=stderr, cwd=self.folder, env=environ
                )
        else:
            options = {"out": out, "err": err, "folder": self.folder, "environ": environ}
            process = Forked(await asyncio.to_thread(forked.fork, forked.run, arguments, **options))
        program = kind(process, out, err)
        self.programs.append(program)
        self.stack.push_async_callback(program.kill)
        return program

    async def daemon(self, *, shell: str = "", **environ: str) -> Daemon:
        """A daemon that has read everything once."""
        if not self.config.exists():
            self.configure()
        daemon = await self.start_daemon(shell=shell, **environ)
        await daemon.ready()
        return daemon

    async def start_daemon(self, *, shell: str = "", **environ: str) -> Daemon:
        daemon = await self.start("run", "--config", str(self.config), kind=Daemon, shell=shell, **environ)
        assert isinstance(daemon, Daemon)
        return daemon

    async def once(self, *more: str, within: float = PATIENCE_S) -> tuple[int, Program]:
        """`watcher run --once`, to its end."""
        if not self.config.exists():
            self.configure()
        program = await self.start("run", "--once", *more, "--config", str(self.config))
        return await program.wait(within), program

    # Azure

    def end(self, account: str, job: Job, status: str, **changes: Any) -> str:
        """Let a `running_job` come to `status` now; returns its id as Azure has it."""
        at = self.world.moment(now()) - job.created
        self.world.replace_job(account, replace(job, timeline=(*job.timeline, (status, at)), **changes))
        return self.job_id(account, job)

    def job_id(self, account: str, job: Job) -> str:
        return job_id(next(one for one in self.world.scenario.accounts if one.key == account), job)

    async def polls(self, account: str, count: int = 1, *, api: str = "jobs") -> None:
        """Wait until `count` more polls of this account, begun from now on, have been answered and recorded."""

        def answered() -> int:
            return len(self.azure.requests.matching(api=api, account=account))

        target = answered() + count + 1  # one may be under way, and the last one is recorded before the next begins
        await until(lambda: answered() >= target, f"{count} polls of {account}")

    # The database

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on the SQLite database, beside whoever else uses it."""
        with contextlib.closing(sqlite3.connect(self.database_file, timeout=10)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def outbox(self, state: str) -> list[str]:
        """The ids of notifications in a state."""
        if not self.database_file.exists():
            return []
        with contextlib.suppress(sqlite3.OperationalError):  # not created yet
            return [row[0] for row in self.sql("SELECT id FROM notifications WHERE state = ?", state)]
        return []

    def raw_database(self) -> bytes:
        """Every byte of the database, write-ahead log included."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("watcher.db*")))


@pytest.fixture
async def build(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Callable[..., Any]]:
    """Makes a `Flow` over some accounts. At the end nothing was written to Azure, and no error was logged unasked.

    Its database stands at the newest schema, since the migration costs each first start most of a second; a test that
    wants none removes the file.
    """
    flows: list[Flow] = []
    async with AsyncExitStack() as stack:

        async def make(*accounts: Account) -> Flow:
            world = World(Scenario(accounts=accounts, metrics_delay=timedelta(0)), start=now())
            azure = await stack.enter_async_context(serve(world, now))
            sink = await stack.enter_async_context(serve_sink())
            environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(tmp_path), "AZURE_TOKEN": TOKEN}
            flow = Flow(
                folder=tmp_path,
                azure=azure,
                sink=sink,
                stack=stack,
                environ={**environ, "HOOK_SECRET": sink.secret},
            )
            shutil.copyfile(sqlite_template, flow.database_file)
            flows.append(flow)
            return flow

        yield make
        for flow in flows:
            for program in flow.programs:
                await program.kill()
    for flow in flows:
        assert flow.azure.requests.refused_writes == 0
        for program in flow.programs:
            errors = {line["event"] for line in program.log() if line.get("level") in ("error", "critical")}
            assert errors <= flow.expected_errors, program.stderr
            assert "Traceback" not in program.stderr + program.stdout, program.stderr
