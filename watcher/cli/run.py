"""`run`, `demo` and `simulate`: what goes on until it is told to stop, and `run --once`, which ends by itself."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, span_of
from watcher.errors import Refused

if TYPE_CHECKING:  # for annotations alone: what these name costs most of a second, and `--help` needs none of it
    from watcher.config import Config
    from watcher.rounds import Summary

#: Something could not be seen or delivered.
_INCOMPLETE = 3


def run(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One complete cycle, a summary, exit.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --once: say what would be recorded and sent, and do neither.")
    ] = False,
    config: ConfigOption = None,
) -> int:
    """Watch, in the foreground, until SIGTERM or Ctrl-C; SIGHUP reloads the configuration."""
    desk: Desk = ctx.obj
    if dry_run and not once:
        raise typer.BadParameter("goes with --once", param_hint="--dry-run")
    if once:
        return _once(desk, desk.config(config, needs_secrets=True), dry_run=dry_run)
    from watcher import daemon
    from watcher.config import find_config

    source = find_config(config or desk.config_path, desk.environ)
    daemon.run(lambda: desk.config(source, needs_secrets=True), source=str(source))
    return 0


def _once(desk: Desk, config: "Config", *, dry_run: bool) -> int:
    from watcher import rounds
    from watcher.assembly.machine import assemble
    from watcher.assembly.stores import open_for_rehearsal, open_store
    from watcher.loop import new_event_loop

    _log_quietly(desk, config)

    async def work() -> "Summary":
        store = open_for_rehearsal(config) if dry_run else open_store(config)
        try:
            machine = await assemble(config, store, stream=desk.out)
            try:
                if dry_run:
                    return await rounds.rehearse(machine)
                with _progress(desk) as show:
                    return await rounds.once(machine, tell=show)
            finally:
                await machine.aclose()
        finally:
            store.close()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        summary = runner.run(work())
    _tell(desk, summary, dry_run=dry_run)
    return 0 if summary.is_whole else _INCOMPLETE


def _log_quietly(desk: Desk, config: "Config") -> None:
    """The log goes to standard error, and only what is wrong: the summary tells the rest."""
    from watcher import logs
    from watcher.assembly.machine import secrets_of

    level = "debug" if config.logging.level == "debug" else "warning"
    logs.configure(format=config.logging.format, level=level, stream=desk.err)
    logs.hide(secrets_of(config))


@contextlib.contextmanager
def _progress(desk: Desk) -> Iterator[Callable[[object], None]]:
    """A bar over the accounts, where somebody looks."""
    from watcher.cycles import Recorded
    from watcher.rounds import Begun

    if not desk.err.isatty():
        yield lambda news: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=desk.err), transient=True) as bar:
        task = bar.add_task("discovering", total=None)

        def show(news: object) -> None:
            if isinstance(news, Begun):
                bar.update(task, description="reading accounts", total=news.accounts)
            elif isinstance(news, Recorded):
                bar.advance(task)

        yield show


def _tell(desk: Desk, summary: "Summary", *, dry_run: bool) -> None:
    """The summary; what could not be seen or delivered has a line of its own."""
    from watcher.alerts.summary import summary_at
    from watcher.resources.changes import Change
    from watcher.rules.text import counted

    would = "would be " if dry_run else ""
    for transition in summary.transitions:
        if not transition.is_history and dry_run:
            missing = "gone" if transition.change is Change.GONE else "none"
            change = f"{transition.attribute} {transition.before or '(new)'} → {transition.after or missing}"
            desk.say(f"would record  {transition.kind} {transition.name}: {change}")
    for notification in summary.notifications if dry_run else ():
        for told in notification.alerts:
            about = summary_at(told.alert, notification.created_at)
            desk.say(f"would send    to {notification.receiver} ({told.reason}): {about}")
    for account, gap in summary.gaps:
        where = f"{account.label}: " if account is not None else "discovery: "
        what = f"{gap.section}{' of ' + gap.subject.rpartition('/')[2] if gap.subject else ''}"
        desk.say(f"not read      {where}{what} ({gap.reason}): {gap.message}", "yellow")
    if not summary.accounts and not summary.gaps:
        desk.say(
            "not read      no account was found: does the credential have a role on a subscription with Azure OpenAI? "
            "does [azure.discovery] leave all out?",
            "yellow",
        )
    for account in summary.failed:
        desk.say(f"failed        {account.label}: see the log", "red")
    for delivery in summary.undelivered:
        why = delivery.last_error or "not tried"
        desk.say(f"undelivered   {delivery.notification.id} to {delivery.notification.receiver}: {why}", "yellow")
    for issue in summary.undelivered_reports:
        why = issue.last_error or "not tried"
        desk.say(f"undelivered   {issue.id}, report {issue.name}, to {issue.receiver}: {why}", "yellow")
    for issue in summary.due_reports:
        desk.say(f"would report  {issue.name} ({issue.edition}) to {issue.receiver}")
    for one in summary.reported:
        if one.state == "delivered":
            desk.say(f"report        {one.issue.name} ({one.issue.edition}) to {one.issue.receiver}: {one.detail}")
    desk.say(
        f"{counted(summary.accounts, 'account')} read, {counted(len(summary.transitions), 'transition')} "
        f"{would}recorded, {counted(len(summary.alerts), 'alert')} {would}new or changed, "
        f"{counted(len(summary.notifications), 'notification')} {would}planned"
        + ("" if dry_run else f", {summary.delivered} delivered")
    )


def demo(
    ctx: typer.Context,
    speed: Annotated[str, typer.Option("--speed", metavar="SPAN", help="Simulated time a second, at most.")] = "1d",
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="SPAN", help="End after this long.", show_default=False)
    ] = None,
    no_web: Annotated[bool, typer.Option("--no-web", help="Serve no page.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of how long jobs wait in the story.")] = 0,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FOLDER", help="Leave database and configuration there.", show_default=False),
    ] = None,
) -> int:
    """A simulated Azure on loopback, and the real cycles against it: no account needed."""
    from rich.console import Console

    from watcher import demo as story
    from watcher import logs
    from watcher.loop import new_event_loop

    desk: Desk = ctx.obj
    if keep is not None:
        if name := story.in_the_way(keep):
            raise Refused(f"{keep} holds a {name} already, which a demo would write over: name another folder", code=2)
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise Refused(f"{keep} cannot be made a folder: {exc.strerror}; name another", code=2) from exc
    logs.configure(format="auto", level="error", stream=desk.err)
    console = Console(file=desk.out, highlight=False, markup=False, emoji=False, soft_wrap=True)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(
            story.run(
                console,
                speed=span_of(speed, option="--speed"),
                duration=span_of(duration, option="--duration") if duration else None,
                with_page=not no_web,
                seed=seed,
                keep=keep,
            )
        )


def simulate(
    ctx: typer.Context,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="By default the demo's.", show_default=False)
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="SPAN", help='Simulated time a second: "1s" is wall time.')
    ] = "1s",
) -> int:
    """Only the simulated Azure: prints its address and a ready configuration."""
    from watcher.loop import new_event_loop

    desk: Desk = ctx.obj
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_simulate(desk, port=port, file=scenario, speed=span_of(speed, option="--speed")))
    return 0


_READY_CONFIGURATION = """\
# config.toml: watches this simulated Azure
[azure]
cloud = "custom"
management_url = "{url}"
metrics_url = "{url}"
prices_url = "{url}"
credential = "static"
token_env = "AZURE_TOKEN"      # export AZURE_TOKEN={token}

[[receivers]]
name = "console"
type = "console"

[route]
receiver = "console"
"""


async def _simulate(desk: Desk, *, port: int, file: Path | None, speed: timedelta) -> None:
    from watcher.simulator.clock import FastClock
    from watcher.simulator.loading import ScenarioError, demo, load
    from watcher.simulator.server import serve
    from watcher.simulator.world import World

    try:
        scenario = demo() if file is None else load(file)
    except (ScenarioError, OSError) as exc:
        raise Refused(str(exc), code=2) from exc
    start = scenario.start or datetime.now(UTC)
    clock = FastClock(start, speed=speed.total_seconds())
    try:
        async with serve(World(scenario, start=start), clock, port=port, with_control=True) as running:
            desk.say(f"simulated Azure at {running.url}, from {start:%Y-%m-%d %H:%M} UTC; Ctrl-C ends it")
            desk.out.write("\n" + _READY_CONFIGURATION.format(url=running.url, token=scenario.tokens[0]))
            desk.out.flush()
            await asyncio.Event().wait()
    except OSError as exc:
        raise Refused(f"port {port} cannot be bound: {exc.strerror}; choose another") from exc
