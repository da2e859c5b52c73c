"""`check-config`, `schema` and `health`: what can be asked without a database."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.errors import Refused

if TYPE_CHECKING:
    from watcher.cli.online import Answers
    from watcher.config import Config
    from watcher.errors import Problem

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
    notes = [] if checked is None else warnings(checked)
    if checked is not None and not mistakes:
        notes += [str(odd) for odd in _odd_routes(checked)]
    answers = probe(desk, checked) if online and checked is not None and not mistakes else None
    if as_json:
        problems = [{"path": one.path, "message": one.message, "cure": one.cure} for one in mistakes]
        record = {"version": 1, "file": origin or None, "mistakes": problems, "warnings": notes}
        desk.document(record | ({"online": answers.record()} if answers is not None else {}))
    else:
        for mistake in mistakes:
            desk.complain(str(mistake))
        for note in notes:
            desk.say(f"warning: {note}", "yellow")
        if not mistakes:
            desk.say(f"{origin}: no mistakes found", "green")
        if answers is not None:
            desk.lines(answers.lines(desk.width))
    if mistakes:
        raise typer.Exit(2)
    if answers is not None and not answers.is_whole:
        raise typer.Exit(3)


def _odd_routes(config: "Config") -> list["Problem"]:
    """What the routes say that cannot be meant."""
    from watcher.alerts.lint import lint
    from watcher.assembly.telling import routing_of
    from watcher.settings import known_of

    routing = routing_of(config)
    if routing is None:
        return []
    return lint(
        routing,
        known=known_of(config),
        receivers=[receiver.name for receiver in config.receivers],
        otherwise_used={name for report in config.reports for name in report.receivers},
    )


def _build_all(config: Any) -> None:
    """All of assembly that needs no network: rules, routes and receivers."""
    import asyncio

    from watcher.assembly.azure import cloud_of, credentials_of
    from watcher.assembly.judgement import judgement_of
    from watcher.assembly.telling import notifiers_of, routing_of
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


def probe(desk: Desk, config: Any) -> "Answers":
    """Ask Azure for everything that a poll reads, and each channel whether it would take a message; sends nothing."""
    import asyncio

    from watcher.assembly.azure import eyes_of
    from watcher.assembly.telling import notifiers_of
    from watcher.cli.online import Answers, ChannelAnswer
    from watcher.cli.rights import survey
    from watcher.errors import DeliveryError, WatcherError
    from watcher.transport import open_client

    async def ask() -> Answers:
        http = open_client(connections=config.poll.concurrency + 8)
        try:
            channels = []
            for name, notifier in notifiers_of(config, http).items():
                try:
                    answer = ChannelAnswer(name=name, takes=True, detail=(await notifier.probe()).detail)
                except DeliveryError as exc:
                    answer = ChannelAnswer(name=name, takes=False, detail=f"{exc.kind}: {exc}")
                finally:
                    await notifier.aclose()
                channels.append(answer)
            try:
                _, find = eyes_of(config, http, desk.clock)
                found = await find(())
                holders = await survey(
                    config,
                    http,
                    subscriptions=found.subscriptions,
                    accounts=found.accounts,
                    at=desk.now(),
                    only_try=True,
                )
            except WatcherError as exc:
                return Answers(problem=str(exc), channels=tuple(channels))
            return Answers(found=found, holders=holders, channels=tuple(channels))
        finally:
            await http.aclose()

    return asyncio.run(ask())


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
