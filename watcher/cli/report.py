"""`report`: what fine-tuned models cost, what is wasted and what to do; to the terminal, a file, or a receiver."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.files import write_file
from watcher.cli.options import ConfigOption, JsonOption, since, span_of
from watcher.errors import Refused

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.cycles.editions import Concerns
    from watcher.report.periods import Length
    from watcher.report.statement import Edition, Statement

#: Something could not be seen or delivered.
_INCOMPLETE = 3
_FORMATS = ("text", "markdown", "html", "json", "csv")
#: What a file's name asks for.
_SUFFIXES = {".txt": "text", ".md": "markdown", ".html": "html", ".htm": "html", ".json": "json", ".csv": "csv"}
_EDITIONS = ("all", "finance")


def report(
    ctx: typer.Context,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(_FORMATS),
            help="By default as the name of --output ends, else text.",
            show_default=False,
        ),
    ] = None,
    period: Annotated[
        str, typer.Option("--period", metavar="SPAN", help='How far back, "7d" or "30d"; or "month", so far.')
    ] = "7d",
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="TIME", help='What was known then: a date, which is its beginning, a time, or "12h" ago.'
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option("--owner", metavar="NAME", help="Only what this owner has, or [[owners]] of this name match."),
    ] = None,
    edition: Annotated[
        str, typer.Option("--edition", metavar="|".join(_EDITIONS), help="finance: the money alone.")
    ] = "all",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it there, over what was there.")
    ] = None,
    send: Annotated[
        list[str] | None,
        typer.Option("--send", metavar="RECEIVER", help="Really send it; may be repeated.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What fine-tuned models cost, what of it is wasted, and what to do. Exit code 3: something was not seen, or not
    sent."""
    from watcher.report.periods import period_until

    desk: Desk = ctx.obj
    chosen = _format(format_, as_json=as_json, output=output)
    length = _length(period)
    if edition not in _EDITIONS:
        raise typer.BadParameter(f"{edition!r} is neither {' nor '.join(_EDITIONS)}", param_hint="--edition")
    if owner is not None and edition != "all":
        raise typer.BadParameter("does not go with --owner", param_hint="--edition")
    settings = desk.config(config)
    desk.quieten()
    now = desk.now()
    zone = settings.watcher.timezone
    at = since(as_of, now=now, zone=zone, option="--as-of") or now
    if at > now:
        raise typer.BadParameter(f"{as_of!r} is still to come", param_hint="--as-of")
    receivers = _receivers(settings, send or ())
    from watcher.assembly.reports import edition_of

    with _progress(desk) as step:
        statement = _statement(
            desk,
            settings,
            edition_of(settings, owner, edition),
            period=period_until(at, length, zone),
            period_name=period,
            as_of=at,
            is_past=as_of is not None,
        )
        step("putting it into words")
        text = _rendered(statement, chosen or "text")
    is_shown = bool(chosen) or not send
    if output is not None:
        write_file(output, text.encode())
    elif is_shown:
        desk.out.write(text)
        desk.out.flush()
    # What a program reads from standard output stays one document.
    say = desk.complain if is_shown and output is None else desk.say
    failed = asyncio.run(_send_all(desk, settings, receivers, statement, now, say)) if receivers else 0
    unseen = _unseen(statement, owner)
    if unseen:
        desk.complain(f"watcher: {unseen}")
    if failed or statement.has_gaps:
        raise typer.Exit(_INCOMPLETE)


def _format(given: str | None, *, as_json: bool, output: Path | None) -> str:
    """The format that is asked for; "": none is."""
    if given is not None and given not in _FORMATS:
        raise typer.BadParameter(f"{given!r} is none of {', '.join(_FORMATS)}", param_hint="--format")
    if as_json and given not in (None, "json"):
        raise typer.BadParameter(f"does not go with --format {given}", param_hint="--json")
    if as_json or given:
        return given or "json"
    if output is None:
        return ""
    found = _SUFFIXES.get(output.suffix.lower())
    if found is None and output.suffix:
        raise typer.BadParameter(
            f"{output.name!r} ends in none of {', '.join(_SUFFIXES)}; name one of these, or say --format "
            f"{'|'.join(_FORMATS)}",
            param_hint="--output",
        )
    return found or "text"


def _length(period: str) -> "Length":
    if period == "month":
        return "month"
    try:
        return span_of(period, option="--period")
    except typer.BadParameter:
        message = f'{period!r} is no period; write "7d", "30d" or "12h", or "month" for this month so far'
        raise typer.BadParameter(message, param_hint="--period") from None


def _statement(desk: Desk, settings: "Config", edition: "tuple[Edition, Concerns]", **about: Any) -> "Statement":
    from watcher.assembly.judgement import tariff_of, terms_of
    from watcher.assembly.reports import report_terms_of, statement_of

    with desk.store(settings) as store:
        terms, tariff = report_terms_of(settings, terms_of(settings)), tariff_of(settings)
        owners = [one.name for one in settings.owners]
        return store.read_now(statement_of, edition, terms=terms, tariff=tariff, owners=owners, **about)


def _rendered(statement: "Statement", format_: str) -> str:
    from watcher.report.render import FORMATS

    text = FORMATS[format_](statement)
    return text if text.endswith("\n") else text + "\n"


def _unseen(statement: "Statement", owner: str | None) -> str:
    """What whoever reads only the last line must know."""
    if not statement.accounts and owner is None:
        return "no account has been read, so there is nothing to tell of; see `watcher status`"
    if statement.has_gaps:
        count = len(statement.unseen) - (statement.begins is not None)
        return f"{count} {'thing' if count == 1 else 'things'} could not be seen; the report says which"
    if owner is not None and not (statement.hosted or statement.trained or statement.undeployed or statement.orphans):
        return f"nothing of an owner {owner!r} is known in this period; `watcher deployments` shows the owners"
    return ""


@contextlib.contextmanager
def _progress(desk: Desk) -> "Iterator[Callable[[str], None]]":
    """What is done at the moment, where somebody looks."""
    if not desk.err.isatty():
        yield lambda doing: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=desk.err), transient=True) as bar:
        task = bar.add_task("reading the history", total=None)
        yield lambda doing: bar.update(task, description=doing)


# Sending it


def _receivers(settings: "Config", names: Sequence[str]) -> list[tuple[int, str]]:
    """The places of the receivers that are named, and their names; refuses what cannot take a report.

    Raises:
        ConfigurationError: a secret of one is missing.
        Refused: there is no such receiver, or it takes no reports.
    """
    from watcher.assembly.telling import receiver_options
    from watcher.config.models import TYPES_WITHOUT_REPORTS
    from watcher.config.values import Invalid
    from watcher.errors import ConfigurationError

    places = {receiver.name: number for number, receiver in enumerate(settings.receivers)}
    for name in names:
        if name not in places:
            raise Refused(f"no receiver is named {name}; the configuration has: {', '.join(places) or 'none'}", code=2)
        receiver = settings.receivers[places[name]]
        if receiver.type in TYPES_WITHOUT_REPORTS:
            raise Refused(f"{name} is of type {receiver.type}, which takes no reports; name another", code=2)
        try:
            receiver_options(receiver)
        except Invalid as exc:
            raise ConfigurationError([(f"receivers[{places[name]}]", exc.message, exc.cure)]) from None
    return [(places[name], name) for name in dict.fromkeys(names)]


async def _send_all(
    desk: Desk,
    settings: "Config",
    receivers: Sequence[tuple[int, str]],
    statement: "Statement",
    now: datetime,
    say: "Callable[[str], None]",
) -> int:
    """Send to one after the other, and say a line for each; returns how many failed."""
    from watcher.assembly.telling import context_of, receiver_options
    from watcher.errors import ConfigurationError
    from watcher.notify.registry import build_notifier
    from watcher.transport import open_client

    failed = 0
    page = f"{settings.watcher.public_url}/report" if settings.watcher.public_url else ""
    client = open_client()
    context = context_of(settings, client, desk.out)
    try:
        for number, name in receivers:
            receiver = settings.receivers[number]
            head = f"{receiver.name} ({receiver.type})"
            try:
                options = receiver_options(receiver)
                notifier = build_notifier(receiver.type, name, options, context, path=f"receivers[{number}]")
            except ConfigurationError as exc:
                failed += 1
                desk.complain(f"{head}: cannot be used: {exc.message}")
                continue
            try:
                failed += not await _send(desk, notifier, head, statement, now, say, page)
            finally:
                await notifier.aclose()
    finally:
        await client.aclose()
    return failed


async def _send(
    desk: Desk,
    notifier: Any,
    head: str,
    statement: "Statement",
    now: datetime,
    say: "Callable[[str], None]",
    page: str,
) -> bool:
    from watcher.cycles.editions import address_of, message
    from watcher.errors import DeliveryError
    from watcher.notify.report import takes_reports
    from watcher.store.reports import report_id

    if not takes_reports(notifier):
        desk.complain(f"{head}: takes no reports: name a receiver that a person reads")
        return False
    made = message(
        statement,
        id_=report_id("by hand", statement.edition.title, notifier.name, now),
        link=address_of(page, statement),
        made_at=now,
        with_pictures=getattr(notifier, "wants_pictures", False),
    )
    try:
        receipt = await notifier.send_report(made, now=now)
    except DeliveryError as exc:
        lasting = "a retry cannot help" if exc.permanent else "a retry may help"
        desk.complain(f"{head}: not delivered ({exc.kind}, {lasting}): {exc.message}")
        return False
    say(f"{head}: delivered: {receipt.detail}")
    return True
