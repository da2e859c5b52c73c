"""The story, told in steps.

Simulated time advances to the next moment at which something is due, and each step ends when its cycles have finished.
So the story is the same on a fast machine and a slow one; `speed` only bounds how fast it is told. It ends now: what it
leaves behind is as old as it seems.
"""

import asyncio
import io
import json
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher import config, cycles, rounds
from watcher.alerts.dispatch import Plan
from watcher.assembly.machine import Machine, assemble
from watcher.assembly.stores import open_store
from watcher.daemon import page
from watcher.demo import keeping
from watcher.demo.timeline import Tally, Timeline, show_message, summarise
from watcher.rules.text import counted
from watcher.simulator import jobs
from watcher.simulator.clock import SteppedClock
from watcher.simulator.loading import demo as demo_scenario
from watcher.simulator.scenario import Scenario
from watcher.simulator.server import serve
from watcher.simulator.world import World
from watcher.store import scope
from watcher.web.access import Rules
from watcher.web.app import create_app
from watcher.web.metrics import Metrics
from watcher.web.server import serving
from watcher.web.site import Health

#: A step is at most this long, so that time is seen to pass.
_LONGEST_STEP = timedelta(hours=6)

#: How often accounts are looked for.
_DISCOVERY = timedelta(hours=6)


async def run(
    out: Console,
    *,
    speed: timedelta,
    duration: timedelta | None = None,
    with_page: bool,
    seed: int = 0,
    keep: Path | None = None,
) -> int:
    """Tell the story once; returns the exit code.

    Args:
        out: Where the timeline goes.
        speed: Simulated time a second, at most.
        duration: Wall time after which it ends, wherever the story is; `None`: at its end, or on a terminal with
            Ctrl-C, so that the page can be looked at.
        with_page: Serve health and metrics meanwhile.
        seed: Of how long the jobs wait and run; 0: as the story is written.
        keep: The folder, which exists, in which database, configuration and messages stay; `None`: nothing stays.
    """
    scenario = _varied(demo_scenario(), seed)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - scenario.length
    clock, world, tally, messages = SteppedClock(start), World(scenario, start=start), Tally(), io.StringIO()
    async with AsyncExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="watcher-demo-")))
        else:
            folder = keep
        azure = await stack.enter_async_context(serve(world, clock))
        hook = await stack.enter_async_context(serving(_sink(tally), host="127.0.0.1", port=0))
        environ = {"DEMO_TOKEN": scenario.tokens[0], "DEMO_SIGNING_SECRET": "whsec_ZGVtby1zaWduaW5nLXNlY3JldC0wMQ=="}
        text = keeping.configuration(folder, azure=azure.url, hook=f"{hook}/alerts")
        (folder / keeping.CONFIGURATION).write_text(text, encoding="utf-8")
        loaded = config.parse(text, environ=environ)
        store = open_store(loaded)
        stack.callback(store.close)
        machine = await assemble(loaded, store, clock=clock, observer=_count(tally), stream=messages)
        stack.push_async_callback(machine.aclose)
        page = await stack.enter_async_context(_page(machine)) if with_page else None
        _open(out, scenario, azure.url, hook, page)
        timeline = Timeline(out, start, tally, jobs=_names(scenario))
        try:
            async with asyncio.timeout(None if duration is None else duration.total_seconds()):
                await _tell(machine, clock, start + scenario.length, speed, timeline)
                _close(out, tally, clock() - start, messages.getvalue(), keep)
                if with_page and out.is_terminal:
                    out.print(Text("The page stays up until Ctrl-C."))
                    await asyncio.Event().wait()
        except TimeoutError:
            if clock() < start + scenario.length:
                timeline.end_step()
                out.print(Text("\nThe time is up before the story is."))
                _close(out, tally, clock() - start, messages.getvalue(), keep)
    return 0


def _varied(scenario: Scenario, seed: int) -> Scenario:
    """The same story with other durations; what must meet (a deployment and its model) still does."""
    if not seed:
        return scenario
    chance = random.Random(seed)
    accounts = []
    for account in scenario.accounts:
        varied = [replace(job, queued_for=job.queued_for * chance.uniform(0.5, 1.2)) for job in account.jobs]
        accounts.append(replace(account, jobs=tuple(varied)))
    return replace(scenario, accounts=tuple(accounts))


def _names(scenario: Scenario) -> dict[str, str]:
    """What to call each job, by its id: its suffix, as alerts do."""
    return {
        jobs.job_id(account, job): job.suffix for account in scenario.accounts for job in account.jobs if job.suffix
    }


def _open(out: Console, scenario: Scenario, azure: str, hook: str, page: str | None) -> None:
    out.print(Text(f"{scenario.title}: {counted(scenario.length.days, 'day')}, told in steps", "bold"))
    out.print(Text(f"Simulated Azure at {azure}, webhook receiver at {hook}"))
    if page is not None:
        out.print(Text(f"Page at {page}"))
    out.print(Text("Day and time, then: · a change, ● an alert, ✓ its end; → who was told of it\n"))


def _close(out: Console, tally: Tally, length: timedelta, messages: str, keep: Path | None) -> None:
    show_message(out, messages)
    summarise(out, tally, length)
    out.print()
    if keep is None:
        out.print(Text("Nothing is kept. `watcher demo --keep FOLDER` leaves the database for `watcher explain`."))
        return
    (keep / keeping.MESSAGES).write_text(messages, encoding="utf-8")
    out.print(Text(f"Kept in {keep}: database, configuration and messages. To go on:"))
    for command in keeping.next_commands(keep, tally.alerts.values()):
        out.print(Text(f"  {command}"))


async def _tell(machine: Machine, clock: SteppedClock, end: datetime, speed: timedelta, timeline: Timeline) -> None:
    """Step through the story: advance, discover and poll what is due, take inventory, review, dispatch, deliver."""
    start, began = clock(), time.monotonic()
    discovery_at = start
    while clock() <= end:
        now = clock()
        if discovery_at <= now:
            await _discover(machine, timeline)
            discovery_at = now + _DISCOVERY
        await rounds.refresh_prices(machine)
        due = await machine.store.read(scope.due_accounts)
        ready = [one.account for one in due if one.at is None or one.at <= now]
        await rounds.poll_all(machine, ready, tell=timeline)
        await rounds.take_inventory(machine, tell=timeline)
        next_at = await _announce(machine, timeline)
        await rounds.deliver_due(machine, tell=timeline)
        await rounds.note_complete(machine)
        timeline.end_step()
        due = await machine.store.read(scope.due_accounts)
        moments = [one.at for one in due if one.at is not None]
        upcoming = min([*moments, now + _LONGEST_STEP, discovery_at, *([next_at] if next_at else [])])
        clock.move_to(max(upcoming, now + timedelta(seconds=1)))
        ahead = (clock() - start).total_seconds() / speed.total_seconds() - (time.monotonic() - began)
        if ahead > 0:
            await asyncio.sleep(ahead)


async def _discover(machine: Machine, timeline: Timeline) -> None:
    _, lost = await cycles.discover(
        machine.discover,
        judgement=machine.judgement,
        store=machine.store,
        clock=machine.clock,
        read_log=machine.read_log,
    )
    for one in lost:
        timeline(one)


async def _announce(machine: Machine, timeline: Timeline) -> datetime | None:
    plans: list[Plan] = []

    def keep(news: object) -> None:
        if isinstance(news, Plan):
            plans.append(news)
        timeline(news)

    await rounds.announce(machine, tell=keep)
    return plans[-1].next_at if plans else None


def _sink(tally: Tally) -> Starlette:
    async def take(request: Request) -> Response:
        json.loads(await request.body())
        tally.received += 1
        tally.signed += "webhook-signature" in request.headers
        return Response(status_code=204)

    return Starlette(routes=[Route("/alerts", take, methods=["POST"])])


def _count(tally: Tally) -> Callable[[str, int, float], None]:
    def observe(api: str, status: int, duration_s: float) -> None:
        tally.requests += 1

    return observe


def _page(machine: Machine) -> Any:
    health = Health(is_alive=True, not_ready=())
    site = page.site_of(lambda: machine, health=lambda: health, wake=lambda: None)
    metrics = Metrics(lambda: page.figures(machine, machine.clock()))
    app = create_app(site, metrics=metrics, rules=Rules(), hosts=("127.0.0.1", "localhost"))
    return serving(app, host="127.0.0.1", port=0)
