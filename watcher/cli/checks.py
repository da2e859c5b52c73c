"""`check-config`, `schema` and `health`: what can be asked without a database."""

from typing import Annotated, Any

import typer

from watcher.cli.desk import Desk, Refused
from watcher.cli.options import ConfigOption, JsonOption

#: How long the daemon may take to answer, in seconds.
_HEALTH_TIMEOUT_S = 5.0


def check_config(
    ctx: typer.Context,
    config: ConfigOption = None,
    online: Annotated[bool, typer.Option("--online", help="Also ask Azure and the channels, sending nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the configuration. Tells every mistake at once, each with its place and its cure."""
    from watcher.config import find_config, warnings
    from watcher.errors import ConfigurationError

    desk: Desk = ctx.obj
    origin, checked, mistakes = "", None, []
    try:
        origin = str(find_config(config or desk.config_path, desk.environ))
        checked = desk.config(config, needs_secrets=True)
        desk.quieten()
        _build_all(checked)
    except ConfigurationError as exc:
        mistakes = list(exc.problems)
    notes = warnings(checked) if checked is not None else []
    if as_json:
        problems = [{"path": one.path, "message": one.message, "cure": one.cure} for one in mistakes]
        desk.document({"version": 1, "file": origin or None, "mistakes": problems, "warnings": notes})
    else:
        for mistake in mistakes:
            desk.complain(str(mistake))
        for note in notes:
            desk.say(f"warning: {note}", "yellow")
        if not mistakes:
            desk.say(f"{origin}: no mistakes found", "green")
    if mistakes:
        raise typer.Exit(2)
    if online and checked is not None:
        raise typer.Exit(probe(desk, checked))


def _build_all(config: Any) -> None:
    """All of assembly that needs no network: rules, routes and receivers."""
    import asyncio

    from watcher.assembly import cloud_of, credentials_of, judgement_of, notifiers_of, routing_of
    from watcher.transport import open_client

    credentials_of(config, cloud_of(config))
    judgement_of(config)
    routing_of(config)

    async def receivers() -> None:
        client = open_client()
        try:
            notifiers_of(config, client)
        finally:
            await client.aclose()

    asyncio.run(receivers())


def probe(desk: Desk, config: Any) -> int:
    """Ask Azure for everything that a poll reads, and each channel whether it would take a message; sends nothing."""
    import asyncio

    from watcher import assembly
    from watcher.clock import system_clock
    from watcher.errors import DeliveryError, WatcherError
    from watcher.resources.snapshot import Known, Section
    from watcher.transport import open_client

    async def ask() -> bool:
        is_whole = True
        http = open_client()
        try:
            notifiers = assembly.notifiers_of(config, http)
            collector, find = assembly.eyes_of(config, http, system_clock)
            try:
                found = await find(())
            except WatcherError as exc:
                desk.say(f"azure: {exc}", "red")
                return False
            for gap in found.gaps:
                desk.say(f"discovery: {gap.reason}: {gap.message}", "red")
            desk.say(f"discovery: {len(found.accounts)} accounts", "green" if found.is_complete else "yellow")
            everything = frozenset({Section.JOBS, Section.DEPLOYMENTS, Section.METRICS})
            for account in found.accounts:
                read = await collector.collect(account, Known(), at=system_clock(), sections=everything)
                for gap in read.gaps:
                    desk.say(f"{account.label}: {gap.section} cannot be read ({gap.reason}): {gap.message}", "red")
                if not read.gaps:
                    desk.say(f"{account.label}: jobs, deployments and metrics can be read", "green")
                is_whole = is_whole and not read.gaps
            for name, notifier in notifiers.items():
                try:
                    desk.say(f"receiver {name}: {(await notifier.probe()).detail}", "green")
                except DeliveryError as exc:
                    desk.say(f"receiver {name}: {exc.kind}: {exc}", "red")
                    is_whole = False
            return is_whole and found.is_complete
        finally:
            await http.aclose()

    return 0 if asyncio.run(ask()) else 3


def schema(ctx: typer.Context) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from watcher.config import json_schema

    desk: Desk = ctx.obj
    desk.document(json_schema())


def health(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Ask the running daemon whether its loops move. Exit code 0 if so, else 1."""
    import urllib.error
    import urllib.request

    desk: Desk = ctx.obj
    listen = desk.config(config).web.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(listen.host, listen.host)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listen.port}/healthz"
    # No proxy: it is this machine's own daemon that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_HEALTH_TIMEOUT_S) as answer:
            desk.say(f"{url}: {answer.status}")
    except urllib.error.HTTPError as exc:
        exc.close()
        raise Refused(f"{url} answered {exc.code}: the daemon's loops stand still; see its log") from None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise Refused(f"{url} does not answer ({reason}): is `watcher run` up, and web.listen right?") from None
