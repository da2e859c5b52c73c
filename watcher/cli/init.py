"""`init`: looks around with the credential, asks who is to be told, and writes a first configuration."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.desk import Desk
from watcher.errors import Refused

if TYPE_CHECKING:
    from watcher.azure.discovery import Discovery
    from watcher.cli.starter import Channel
    from watcher.config import Config

#: Written, but not all of it can be seen or told.
_INCOMPLETE = 3
_MOST_NAMED = 10


def init(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Never overwritten.")] = Path(
        "config.toml"
    ),
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", metavar="TYPE", help="Who is told: console, slack, email or webhook."),
    ] = None,
    url_env: Annotated[
        str | None, typer.Option("--url-env", metavar="NAME", help="The variable with the webhook's address.")
    ] = None,
    smtp_host: Annotated[str | None, typer.Option("--smtp-host", metavar="HOST", help="With email.")] = None,
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="With email.")] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ADDRESS", help="With email; may be repeated.")
    ] = None,
    username: Annotated[str | None, typer.Option("--username", metavar="NAME", help="With email.")] = None,
    password_env: Annotated[
        str | None, typer.Option("--password-env", metavar="NAME", help="With email: the password's variable.")
    ] = None,
    cloud: Annotated[str | None, typer.Option("--cloud", metavar="NAME", help="public, usgovernment or china.")] = None,
    credential: Annotated[
        str | None,
        typer.Option("--credential", metavar="KIND", help="As [azure] credential; by default whatever is there."),
    ] = None,
    tenant_id: Annotated[str | None, typer.Option("--tenant-id", metavar="ID")] = None,
    client_id: Annotated[str | None, typer.Option("--client-id", metavar="ID")] = None,
    client_secret_env: Annotated[str | None, typer.Option("--client-secret-env", metavar="NAME")] = None,
    token_env: Annotated[str | None, typer.Option("--token-env", metavar="NAME", hidden=True)] = None,
    management_url: Annotated[str | None, typer.Option("--management-url", metavar="URL", hidden=True)] = None,
    metrics_url: Annotated[str | None, typer.Option("--metrics-url", metavar="URL", hidden=True)] = None,
) -> int:
    """Write a first configuration: looks at subscriptions and accounts, asks who is to be told, checks it online.

    Without a terminal, and without --receiver, messages go to standard output."""
    from watcher.cli.starter import Access, azure_table, starter
    from watcher.config import parse

    desk: Desk = ctx.obj
    _refuse_existing(output)
    is_custom = management_url is not None
    given = {
        "cloud": "custom" if is_custom else cloud,
        "management_url": management_url,
        "metrics_url": metrics_url or management_url,
        "credential": credential,
        "tenant_id": tenant_id,
        "client_id": client_id,
        "client_secret_env": client_secret_env,
        "token_env": token_env,
    }
    access = Access(keys={key: value for key, value in given.items() if value is not None})
    looking = parse(azure_table(access), environ=desk.environ, origin=output)
    options = {
        "url_env": url_env,
        "smtp_host": smtp_host,
        "sender": sender,
        "username": username,
        "password_env": password_env,
    }
    channel = _channel(desk, receiver, {key: value for key, value in options.items() if value}, tuple(to or ()))
    desk.quieten()
    found = asyncio.run(_look(desk, looking))
    _tell(desk, found)
    text = starter(access, found.accounts, channel, at=desk.now())
    written = parse(text, environ=desk.environ, origin=output, is_lenient=True)  # before it stands there
    _write(output, text)
    desk.say(f"wrote {output}", "green")
    return _check(desk, written, output)


def _refuse_existing(output: Path) -> None:
    if output.exists() or output.is_symlink():
        raise Refused(f"{output} is there already and is not overwritten: name another with --output", code=2)


def _channel(desk: Desk, kind: str | None, options: Mapping[str, str], to: tuple[str, ...]) -> "Channel":
    """From the options; what they leave open is asked for where somebody sits at a terminal."""
    from watcher.cli.starter import RECEIVERS, SECRET_VARIABLES, Channel

    is_asked = kind is None and desk.stdin.isatty()
    if is_asked:
        desk.say(f"Who is to be told? {', '.join(RECEIVERS)}. Its secret stays in a variable of the environment.")
        kind = desk.ask("receiver", "console")
    kind = (kind or "console").strip().lower()
    if kind not in RECEIVERS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(RECEIVERS)}", param_hint="--receiver")
    asked = dict(options)
    if is_asked and kind in ("slack", "webhook"):
        asked.setdefault("url_env", desk.ask("variable with the webhook's address", SECRET_VARIABLES[kind]))
    if is_asked and kind == "email":
        asked.setdefault("smtp_host", desk.ask("host of the mail server"))
        asked.setdefault("sender", desk.ask("from which address"))
        to = to or tuple(desk.ask("to which addresses (parted by spaces)").replace(",", " ").split())
        asked.setdefault("username", desk.ask("user name there, if it wants one", ""))
        if asked["username"]:
            asked.setdefault("password_env", desk.ask("variable with the password", SECRET_VARIABLES[kind]))
    if kind == "email":
        lacking = [
            name
            for name, value in (("--smtp-host", asked.get("smtp_host")), ("--from", asked.get("sender")))
            if not value
        ] + ([] if to else ["--to"])
        if lacking:
            raise typer.BadParameter(f"email needs {', '.join(lacking)} too", param_hint="--receiver")
    secret = asked.get("password_env" if kind == "email" else "url_env", "")
    return Channel(
        type=kind,
        secret_env=secret or SECRET_VARIABLES.get(kind, ""),
        smtp_host=asked.get("smtp_host", ""),
        username=asked.get("username", ""),
        sender=asked.get("sender", ""),
        to=to,
    )


async def _look(desk: Desk, looking: "Config") -> "Discovery":
    """Subscriptions and accounts, as this credential sees them.

    Raises:
        Refused: nothing could be asked for at all.
    """
    from watcher.assembly.azure import discovery_settings, eyes_of
    from watcher.azure.discovery import discover
    from watcher.transport import open_client

    http = open_client(connections=looking.poll.concurrency + 8)
    try:
        collector, _ = eyes_of(looking, http, desk.clock)
        found = await discover(collector.management, discovery_settings(looking), at=desk.now())
    finally:
        await http.aclose()
    if not found.subscriptions and found.gaps:
        gap = found.gaps[0]
        raise Refused(
            f"Azure could not be asked ({gap.reason.value}): {gap.message}; log in with `az login`, or say with "
            "--credential how to"
        )
    return found


def _tell(desk: Desk, found: "Discovery") -> None:
    from watcher.rules.text import counted, few

    named = few([account.label for account in found.accounts], _MOST_NAMED)
    subscriptions = counted(len(found.subscriptions), "subscription")
    if found.accounts:
        desk.say(f"{subscriptions}, {counted(len(found.accounts), 'account')} with Azure OpenAI: {named}")
    else:
        desk.say(f"{subscriptions}, no account with Azure OpenAI: does a role let this credential see one?", "yellow")
    for gap in found.gaps:
        desk.say(f"not seen: {gap.subject or 'the subscriptions'} ({gap.reason.value}): {gap.message}", "yellow")


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        _refuse_existing(output)
    except OSError as exc:
        raise Refused(f"{output} cannot be written ({exc.strerror}); name another place with --output") from exc


def _check(desk: Desk, written: "Config", output: Path) -> int:
    """Offline it has been checked already; now all that it reaches for."""
    from watcher.cli.checks import probe

    missing = [secret for secret in written.secrets() if secret.is_missing]
    asked = written if not missing else written.model_copy(update={"receivers": (), "route": None})
    answers = probe(desk, asked)
    desk.lines(answers.lines(desk.width))
    again = f"watcher check-config --online --config {output}"
    if missing:
        desk.say(f"The receiver's variable is not set yet, so it was not tried: export it, then run {again}", "yellow")
    found = answers.found is not None and bool(answers.found.accounts)
    desk.say(f"Next: watcher run --once --dry-run --config {output}")
    return 0 if answers.is_whole and found and not missing else _INCOMPLETE
