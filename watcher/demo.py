"""`watcher demo`: a simulated Azure on loopback over real HTTP, the real cycles against it, and a timeline of both.

Simulated time advances in steps, each to the next moment at which something is due, and each step ends when its cycles
have finished. So the story is the same on a fast machine and a slow one; `speed` only bounds how fast it is told.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.text import Text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher import assembly, config, cycles, rounds
from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import Plan
from watcher.assembly import Machine
from watcher.resources.changes import Change, Transition
from watcher.simulator.clock import SteppedClock
from watcher.simulator.loading import demo as demo_scenario
from watcher.simulator.scenario import Scenario
from watcher.simulator.server import serve
from watcher.simulator.world import World
from watcher.store import counts, scope
from watcher.web.app import Health, create_app
from watcher.web.metrics import Figures, Metrics
from watcher.web.server import serving

_STYLES = {"info": "blue", "warning": "yellow", "critical": "bold red", "resolved": "green"}

#: Discovery sees everything at once; a step is at most this long, so that time is seen to pass.
_LONGEST_STEP = timedelta(hours=2)

_CONFIGURATION = """
[watcher]
name = "demo"

[database]
url = "sqlite:///{database}"

[azure]
cloud = "custom"
management_url = "{azure}"
metrics_url = "{azure}"
credential = "static"
token_env = "DEMO_TOKEN"

[azure.discovery]
tag_labels = ["environment"]

[poll]
active = "30m"
quiet = "2h"
deployments = "2h"
metrics = "2h"
timeout = "3s"

[[receivers]]
name = "console"
type = "console"

[[receivers]]
name = "hook"
type = "webhook"
url = "{hook}"
signing_secret_env = "DEMO_SIGNING_SECRET"

[route]
receiver = "console"
group_by = ["rule", "account"]
group_wait = "30s"
group_interval = "5m"
repeat_interval = "7d"

[[route.routes]]
receiver = "hook"
continue = true

[[route.routes]]
receiver = "console"
"""


@dataclass(slots=True)
class _Tally:
    """What the summary counts."""

    transitions: int = 0
    fired: dict[str, int] = field(default_factory=dict)
    resolved: int = 0
    delivered: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)  #: by the webhook sink


async def run(
    out: Console, *, speed: timedelta, duration: timedelta | None = None, with_page: bool, seed: int = 0
) -> int:
    """Tell the story once; returns the exit code.

    Args:
        out: Where the timeline goes, and the messages of the receiver `console`.
        speed: Simulated time a second, at most.
        duration: Wall time after which it ends, wherever the story is; `None`: at its end, or on a terminal with
            Ctrl-C, so that the page can be looked at.
        with_page: Serve health and metrics meanwhile.
        seed: Of how long the jobs wait and run; 0: as the story is written.
    """
    scenario = _varied(demo_scenario(), seed)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock, world, tally = SteppedClock(start), World(scenario, start=start), _Tally()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="watcher-demo-"))
        azure = await stack.enter_async_context(serve(world, clock))
        hook = await stack.enter_async_context(serving(_sink(tally), host="127.0.0.1", port=0))
        environ = {"DEMO_TOKEN": scenario.tokens[0], "DEMO_SIGNING_SECRET": "whsec_ZGVtby1zaWduaW5nLXNlY3JldC0wMQ=="}
        text = _CONFIGURATION.format(database=Path(folder, "watcher.db"), azure=azure.url, hook=f"{hook}/alerts")
        loaded = config.parse(text, environ=environ)
        store = assembly.open_store(loaded)
        stack.callback(store.close)
        machine = await assembly.assemble(
            loaded, store, clock=clock, observer=_count(tally), stream=cast(TextIO, out.file)
        )
        stack.push_async_callback(machine.aclose)
        out.print(Text(f"Simulated Azure at {azure.url} · webhook sink at {hook} · database in a temporary folder"))
        if with_page:
            page = await stack.enter_async_context(_page(machine))
            out.print(Text(f"Page at {page} (/healthz, /readyz, /metrics)"))
        out.print(Text(f"{scenario.title}: {scenario.length.days} days, told in steps.\n"))
        teller = _Teller(out, start, tally)
        try:
            async with asyncio.timeout(None if duration is None else duration.total_seconds()):
                await _tell(machine, clock, start + scenario.length, speed, teller)
                _summarise(out, tally, clock() - start)
                if with_page and out.is_terminal:
                    out.print(Text("The page stays up until Ctrl-C."))
                    await asyncio.Event().wait()
        except TimeoutError:
            if clock() < start + scenario.length:
                out.print(Text("\nThe time is up before the story is."))
                _summarise(out, tally, clock() - start)
    return 0


def _varied(scenario: Scenario, seed: int) -> Scenario:
    """The same story with other durations; what must meet (a deployment and its model) still does."""
    if not seed:
        return scenario
    chance = random.Random(seed)
    accounts = []
    for account in scenario.accounts:
        jobs = [replace(job, queued_for=job.queued_for * chance.uniform(0.5, 1.2)) for job in account.jobs]
        accounts.append(replace(account, jobs=tuple(jobs)))
    return replace(scenario, accounts=tuple(accounts))


async def _tell(
    machine: Machine,
    clock: SteppedClock,
    end: datetime,
    speed: timedelta,
    teller: "_Teller",
) -> None:
    """Step through the story: advance, poll what is due, review, dispatch, deliver."""
    start, began = clock(), time.monotonic()
    await cycles.discover(machine.discover, judgement=machine.judgement, store=machine.store, clock=clock)
    next_at: datetime | None = start
    while clock() <= end:
        due = await machine.store.read(scope.due_accounts)
        now = clock()
        ready = [one.account for one in due if one.at is None or one.at <= now]
        await rounds.poll_all(machine, ready, tell=teller)
        next_at = await _announce(machine, teller)
        await rounds.deliver_due(machine, tell=teller)
        due = await machine.store.read(scope.due_accounts)
        moments = [one.at for one in due if one.at is not None]
        upcoming = min([*moments, clock() + _LONGEST_STEP, *([next_at] if next_at else [])])
        clock.move_to(max(upcoming, clock() + timedelta(seconds=1)))
        ahead = (clock() - start).total_seconds() / speed.total_seconds() - (time.monotonic() - began)
        if ahead > 0:
            await asyncio.sleep(ahead)


async def _announce(machine: Machine, teller: "_Teller") -> datetime | None:
    plans: list[Plan] = []

    def keep(news: object) -> None:
        if isinstance(news, Plan):
            plans.append(news)
        teller(news)

    await rounds.announce(machine, tell=keep)
    return plans[-1].next_at if plans else None


class _Teller:
    """Prints what happens, a line each, with the simulated time."""

    def __init__(self, out: Console, start: datetime, tally: _Tally) -> None:
        self._out, self._start, self._tally = out, start, tally

    def __call__(self, news: object) -> None:
        if isinstance(news, cycles.Recorded):
            for transition in news.transitions:
                if not transition.is_history:
                    self._transition(news.account.label, transition)
            for alert in news.alerts:
                self._alert(alert)
        elif isinstance(news, cycles.Delivered):
            self._delivery(news)
        elif isinstance(news, tuple):
            for alert in news:
                self._alert(alert)

    def _transition(self, account: str, transition: Transition) -> None:
        self._tally.transitions += 1
        name = transition.name if len(transition.name) <= 22 else f"{transition.name[:14]}…{transition.name[-6:]}"
        what = {
            Change.DISCOVERED: f"appeared: {transition.after}",
            Change.GONE: "gone",
            Change.REPLACED: "replaced",
        }.get(transition.change, f"{transition.attribute} {transition.before} → {transition.after}")
        self._line(transition.observed_at, Text(f"{transition.kind.value:<10} {account}/{name}  {what}", "dim"))

    def _alert(self, alert: Alert) -> None:
        if alert.status is AlertStatus.RESOLVED:
            self._tally.resolved += 1
            text = Text("resolved   ", "green").append(alert.finding.rule, "bold green")
            text.append(f"  {alert.finding.labels.get('deployment') or alert.finding.labels.get('account', '')}")
            self._line(alert.updated_at, text.append(f": {alert.ended_because}"))
            return
        if alert.starts_at == alert.updated_at:
            rule = alert.finding.rule
            self._tally.fired[rule] = self._tally.fired.get(rule, 0) + 1
        style = _STYLES[alert.severity.value]
        word = "event" if alert.is_event else "firing"
        text = Text(f"{word:<10} ", style).append(alert.finding.rule, f"bold {style}")
        text.append(f" [{alert.severity.value}{' ' + alert.finding.step if alert.finding.step else ''}]", style)
        self._line(alert.updated_at, text.append(f"  {alert.finding.summary}"))

    def _delivery(self, delivered: cycles.Delivered) -> None:
        notification = delivered.delivery.notification
        tally = self._tally.delivered
        tally[notification.receiver] = tally.get(notification.receiver, 0) + (delivered.state == "delivered")
        rules = ", ".join(sorted({one.alert.finding.rule for one in notification.alerts}))
        text = Text(f"{delivered.state:<10} ", "cyan").append(f"to {notification.receiver}", "bold cyan")
        text.append(f"  {notification.reason.value}: {rules}")
        if len(notification.alerts) > 1:
            text.append(f" ({len(notification.alerts)} alerts)")
        self._line(notification.created_at, text)

    def _line(self, at: datetime, text: Text) -> None:
        passed = at - self._start
        hours, minutes = divmod(passed.seconds // 60, 60)
        stamp = Text(f"day {passed.days:>2} {hours:02}:{minutes:02}  ", "dim")
        self._out.print(stamp.append(text))


def _summarise(out: Console, tally: _Tally, length: timedelta) -> None:
    out.print()
    out.print(Text(f"Summary of {round(length / timedelta(days=1))} simulated days", "bold"))
    out.print(Text(f"  requests to Azure     {tally.requests}"))
    out.print(Text(f"  transitions recorded  {tally.transitions}"))
    out.print(Text(f"  alerts fired          {sum(tally.fired.values())}, {tally.resolved} resolved"))
    for rule, count in sorted(tally.fired.items()):
        out.print(Text(f"    {rule:<24}{count:>3}"))
    for receiver, count in sorted(tally.delivered.items()):
        out.print(Text(f"  delivered to {receiver:<9}{count}"))
    out.print(Text(f"  received by the sink  {len(tally.received)}, each signed"))


def _sink(tally: _Tally) -> Starlette:
    async def take(request: Request) -> Response:
        tally.received.append(json.loads(await request.body()))
        return Response(status_code=204)

    return Starlette(routes=[Route("/alerts", take, methods=["POST"])])


def _count(tally: _Tally) -> Callable[[str, int, float], None]:
    def observe(api: str, status: int, duration_s: float) -> None:
        tally.requests += 1

    return observe


def _page(machine: Machine) -> Any:
    def figures() -> Figures:
        found = machine.store.read_now(counts.counts, machine.clock())
        return Figures(accounts=found.accounts, jobs=found.jobs, alerts=found.alerts, outbox=found.outbox)

    health = Health(is_alive=True, not_ready=())
    app = create_app(health=lambda: health, metrics=Metrics(figures), hosts=("127.0.0.1", "localhost"))
    return serving(app, host="127.0.0.1", port=0)
