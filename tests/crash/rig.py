"""The rig: one database, one pretend Azure, one sink that survives, and one daemon after the other, each killed."""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.crash import launcher
from tests.crash.launcher import BEFORE_REQUESTS, STEPS
from tests.crash.sink import SIGNING_SECRET, Sink, serve_sink
from tests.crash.story import Story, accounts
from tests.crash.verdict import Stored, Verdict, judge
from tests.flows.conftest import now
from tests.flows.forked import exit_code, fork, kill
from watcher.alerts.route import REPORT_ONLY_RULES
from watcher.simulator import TOKEN, Scenario, World
from watcher.simulator.server import Running, serve
from watcher.store import alerts, outbox, state
from watcher.store.engine import connect, revision

#: When the sink has a message and has not answered yet; all other steps are the launcher's.
ANSWERING = "answering"

#: For anything that has to come about; the machine may be busy.
PATIENCE_S = 60.0

_CONFIGURATION = """\
[watcher]
name = "crash"
[database]
url_env = "DATABASE_URL"
[azure]
cloud = "custom"
management_url = "{azure}"
metrics_url = "{azure}"
credential = "static"
token_env = "AZURE_TOKEN"
[poll]
active = "1s"
quiet = "1s"
deployments = "1s"
metrics = "1s"
timeout = "5s"
[[receivers]]
name = "hook"
type = "webhook"
url = "{sink}/hook"
signing_secret_env = "HOOK_SECRET"
[[receivers]]
name = "pager"
type = "webhook"
url = "{sink}/pager"
signing_secret_env = "HOOK_SECRET"
[route]
receiver = "hook"
group_by = ["rule"]
group_wait = "0s"
group_interval = "0s"
[[route.routes]]
match = ['severity="critical"']
receiver = "pager"
continue = true
[[route.routes]]
match = ['severity=~".*"']
receiver = "hook"
[web]
listen = "127.0.0.1:0"
[logging]
format = "json"
"""

#: What a daemon may log as an error here: nothing.
_ERRORS = frozenset({"error", "critical"})


@dataclass
class Life:
    """One daemon, until it is killed."""

    process: BaseProcess
    log: Path

    @property
    def is_over(self) -> bool:
        return exit_code(self.process) is not None

    async def end(self) -> int:
        """Kill it, if it still lives; returns its exit code."""
        kill(self.process)
        while (code := exit_code(self.process)) is None:
            await asyncio.sleep(0.005)
        return code


@dataclass
class Rig:
    """Runs daemons on one database, and kills them."""

    name: str
    url: str
    folder: Path
    azure: Running
    sink: Sink
    story: Story
    rng: random.Random
    lease: timedelta = launcher.LEASE  #: what a killed daemon had claimed is held back for so long
    calm_s: float = 3.0  #: nothing new for so long is rest
    kills: Counter[str] = field(default_factory=Counter)  #: by step; "random" where none was waited for
    problems: list[str] = field(default_factory=list)
    _lives: int = 0

    async def start(self, step: str = "", count: int = 1) -> Life:
        """Start a daemon that kills itself when it comes to `step` for the `count`th time."""
        self._lives += 1
        log = self.folder / f"{self._lives}.log"
        log.touch()  # it may be killed before it opens it
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "DATABASE_URL": self.url,
            "AZURE_TOKEN": TOKEN,
            "HOOK_SECRET": SIGNING_SECRET,
        }
        options = {"step": step, "count": count, "lease": self.lease}
        options |= {"folder": self.folder, "log": log, "environ": environ}
        process = await asyncio.to_thread(fork, launcher.run, ["run", "--config", "config.toml"], **options)
        return Life(process, log)

    async def live(self, step: str = "", count: int = 1, *, within: float = PATIENCE_S) -> bool:
        """A daemon's life, until it comes to a step, or to a random moment; returns whether the step was reached."""
        asked = self.azure.requests.total
        life = await self.start(step if step in STEPS else "", count)
        reached = False
        try:
            if step == ANSWERING:
                reached = await self._until_a_message(life, within)
            elif step:
                if step not in BEFORE_REQUESTS:
                    await until(lambda: life.is_over or self.azure.requests.total > asked)
                reached = await until(lambda: life.is_over, within)
            else:
                await self._a_random_while(life)
        finally:
            code = await life.end()
        if code != -signal.SIGKILL:
            self.problems.append(f"a daemon ended by itself with {code}: {_tail(life.log)}")
        self.kills[step if reached else "random"] += 1
        self._read(life)
        return reached

    async def _a_random_while(self, life: Life) -> None:
        """Into its start, from its first request on, or from the first message that comes of it."""
        requests, messages = self.azure.requests.total, len(self.sink.receipts)
        match self.rng.choice(("start", "request", "request", "message", "message")):
            case "start":
                mean_s = 0.2
            case "request":
                await until(lambda: life.is_over or self.azure.requests.total > requests)
                mean_s = 1.2  # the first polls begin a second later
            case _:
                await until(lambda: life.is_over or len(self.sink.receipts) > messages, 3.0)
                mean_s = 0.1
        await until(lambda: life.is_over, self.rng.expovariate(1 / mean_s), beat=0.005)

    async def _until_a_message(self, life: Life, within: float) -> bool:
        """Kill it when a message of it has come in, before the answer goes out."""
        came: list[bool] = []
        self.sink.on_message = lambda: (kill(life.process), came.append(True))
        try:
            return await until(lambda: came, within)
        finally:
            self.sink.on_message = lambda: None

    def _is_all_told(self, telling: "asyncio.Task[None] | None") -> bool:
        return (telling is None or telling.done()) and self._has_looked() and self.is_at_rest()

    _looked: tuple[datetime, ...] = ()

    def _has_looked(self) -> bool:
        """Whether two cycles were completed since this was asked first: the second began after that."""
        if (at := self._completed_at()) is not None and at not in self._looked:
            self._looked += (at,)
        return len(self._looked) > 2

    async def rest(self, telling: "asyncio.Task[None] | None" = None) -> None:
        """A daemon that nobody kills, until the story has come to its end and all is told; then it is told to stop."""
        self.sink.is_calm = True
        life = await self.start()
        try:
            await until(lambda: life.is_over or self._is_all_told(telling), 2 * PATIENCE_S, beat=0.5)
            if not life.is_over:
                life.process.terminate()
            await until(lambda: life.is_over, 15.0)
        finally:
            code = await life.end()
        if code != 0:
            self.problems.append(f"the last daemon ended with {code}: {_tail(life.log)}")
        self._read(life)

    async def first_sight(self) -> None:
        """A daemon that is killed once it has read everything: what happens from now on is news."""
        life = await self.start()
        await until(lambda: life.is_over or self._has_first_sight(), beat=0.2)
        await life.end()
        self.kills["random"] += 1
        self._read(life)

    def _has_first_sight(self) -> bool:
        """Whether everything was read once."""
        return self._completed_at() is not None

    def _completed_at(self) -> datetime | None:
        """When the newest complete cycle ended."""
        engine = connect(self.url)
        try:
            with engine.execution_options(readonly=True).begin() as tx:
                return None if revision(tx) is None else state.at(tx, state.CYCLE_COMPLETED)
        finally:
            engine.dispose()

    _calm_since: tuple[int, float] = (-1, 0.0)

    def is_at_rest(self) -> bool:
        """Whether nothing waits, and nothing has come for a while."""
        if self._calm_since[0] != len(self.sink.receipts):
            self._calm_since = len(self.sink.receipts), time.monotonic()
        if time.monotonic() - self._calm_since[1] < self.calm_s:
            return False
        return not (self._has_unsettled() or any(one.state == "pending" for one in self.stored().deliveries))

    def _has_unsettled(self) -> bool:
        """Whether somebody is still to be told of an event, or of an end."""
        engine = connect(self.url)
        try:
            with engine.execution_options(readonly=True).begin() as tx:
                return any(one.is_event or one.ends_at is not None for one in alerts.unsettled(tx))
        finally:
            engine.dispose()

    def stored(self) -> Stored:
        engine = connect(self.url)
        try:
            with engine.execution_options(readonly=True).begin() as tx:
                states = ("pending", "delivered", "dead", "dropped", "merged")
                known = alerts.listed(tx, since=self.azure.world.start)
                return Stored(
                    alerts=[alert for alert in known if alert.finding.rule not in REPORT_ONLY_RULES],
                    deliveries=outbox.listed(tx, states=states),
                )
        finally:
            engine.dispose()

    def judge(self) -> Verdict:
        """What the ledger says, and everything else that went wrong."""
        verdict = judge(self.sink.receipts, self.stored(), self.story.happened)
        verdict.wrong += [*self.sink.faults, *self.problems]
        if self.azure.requests.refused_writes:
            verdict.wrong.append("something was to be written to Azure")
        return verdict

    def _read(self, life: Life) -> None:
        """Note the errors of a life's log, and let go of it."""
        for line in life.log.read_text(errors="replace").splitlines():
            try:
                level, event = (entry := json.loads(line)).get("level"), entry.get("event")
            except (ValueError, AttributeError):
                if line.startswith("Traceback"):
                    self.problems.append(f"life {self._lives}: {_tail(life.log)}")
                continue
            if level in _ERRORS:
                self.problems.append(f"life {self._lives} logged {event}: {line[:2000]}")
        life.log.unlink()


async def until(holds: Callable[[], object], within: float = PATIENCE_S, *, beat: float = 0.02) -> bool:
    """Wait until something holds; returns whether it came to that in time."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(beat)
    return True


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-4:])[-1500:]


@contextlib.asynccontextmanager
async def rig(name: str, url: str, folder: Path, *, seed: int) -> AsyncIterator[Rig]:
    """A rig over the database at `url`, which may be empty; its story is told until the block ends."""
    rng = random.Random(f"{seed}:{name}")
    world = World(Scenario(accounts=accounts(), metrics_delay=timedelta(0)), start=now())
    async with contextlib.AsyncExitStack() as stack:
        azure = await stack.enter_async_context(serve(world, now))
        sink = await stack.enter_async_context(serve_sink(random.Random(rng.random())))
        story = Story(world, sink, random.Random(rng.random()))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(_CONFIGURATION.format(azure=azure.url, sink=sink.url))
        yield Rig(name, url, folder, azure, sink, story, rng)
