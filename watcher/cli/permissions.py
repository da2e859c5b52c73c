"""`permissions`: which Azure actions are needed, which of them this credential has, and the least role to paste."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.cli.table import Line, wrap
from watcher.errors import Refused

if TYPE_CHECKING:
    from watcher.azure.discovery import Discovery
    from watcher.azure.rights import Holder
    from watcher.config import Config

#: Something is missing, or could not be told.
_INCOMPLETE = 3


def permissions(
    ctx: typer.Context,
    config: ConfigOption = None,
    role: Annotated[
        bool, typer.Option("--role", help="Print only the least role, for az role definition create.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Which Azure actions are needed, which of them this credential has, and a custom role to paste.

    Exit code 3 where one is missing or cannot be told."""
    from watcher.azure.permissions import role_definition
    from watcher.cli.online import holder_record
    from watcher.cli.rights import is_lacking
    from watcher.report.records import document

    desk: Desk = ctx.obj
    settings = desk.config(config)
    azure = settings.azure
    secrets = [azure.token, azure.client_secret, *(account.api_key for account in azure.accounts)]
    if any(secret is not None and secret.is_missing for secret in secrets):  # those of receivers are not needed
        settings = desk.config(config, needs_secrets=True)  # tells which
    desk.quieten()
    found, holders = asyncio.run(_ask(desk, settings))
    scopes = _subscriptions(found)
    if role:
        if not scopes:
            raise Refused("no subscription is seen, so that the role would have no scope: name some in azure.discovery")
        reconcile = settings.pricing.reconcile
        desk.document(role_definition(scopes, read_results=settings.azure.read_results, reconcile=reconcile))
        return 0
    lacking = [right for holder in holders for right in holder.rights if is_lacking(right)]
    if as_json:
        record = {
            "credential": settings.azure.credential,
            "cloud": settings.azure.cloud,
            "is_complete": found.is_complete,
            "scopes": [holder_record(holder) for holder in holders],
            "role": role_definition(scopes, read_results=True, reconcile=settings.pricing.reconcile),
            "role_without_results": role_definition(scopes, read_results=False, reconcile=settings.pricing.reconcile),
        }
        desk.document(document("permissions", record, now=desk.now()))
    else:
        desk.lines(_screen(settings, found, holders, scopes, desk.width))
    return 0 if found.is_complete and not lacking and holders else _INCOMPLETE


async def _ask(desk: Desk, settings: "Config") -> "tuple[Discovery, tuple[Holder, ...]]":
    from watcher.assembly.azure import discovery_settings, eyes_of
    from watcher.azure.discovery import discover
    from watcher.cli.rights import survey
    from watcher.transport import open_client

    http = open_client(connections=settings.poll.concurrency + 8)
    try:
        collector, _ = eyes_of(settings, http, desk.clock)
        found = await discover(collector.management, discovery_settings(settings), at=desk.now())
        return found, await survey(
            settings, http, subscriptions=found.subscriptions, accounts=found.accounts, at=desk.now()
        )
    finally:
        await http.aclose()


def _subscriptions(found: "Discovery") -> list[str]:
    """Those that were asked or hold an account, each once."""
    names = [*found.subscriptions, *(account.subscription for account in found.accounts)]
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


def _screen(
    settings: "Config", found: "Discovery", holders: "Sequence[Holder]", scopes: Sequence[str], width: int
) -> Iterator[Line]:
    from watcher.cli.online import rights_text

    azure = settings.azure
    title = f'What watcher may read with credential = "{azure.credential}" in cloud = "{azure.cloud}"'
    yield from wrap(title, width, style="bold")
    yield ()
    for gap in found.gaps:
        what = gap.subject or "the subscriptions"
        yield from wrap(f"Not seen: {what} ({gap.reason.value}): {gap.message}", width, style="yellow")
    if not found.accounts:
        text = "No account was found: either none exists, or no role lets this credential see one."
        yield from wrap(text, width, style="yellow")
        yield ()
    yield from rights_text(holders, width)
    yield from _role(azure.read_results, scopes, width, reconcile=settings.pricing.reconcile)


def _role(read_results: bool, scopes: Sequence[str], width: int, *, reconcile: bool) -> Iterator[Line]:
    from watcher.azure.permissions import ANY_OPENAI_READ, RESULTS, role_definition

    yield (("The least role", "bold"),)
    if not scopes:
        yield from wrap("No subscription is seen, so that it would have no scope.", width)
        return
    yield from wrap("Save this as role.json (`watcher permissions --role` prints nothing else), then run:", width)
    yield from wrap("az role definition create --role-definition role.json", width, indent=2, breaks_words=False)
    yield ()
    definition = role_definition(scopes, read_results=read_results, reconcile=reconcile)
    for line in json.dumps(definition, indent=2).splitlines():
        yield ((line, ""),)
    yield ()
    if read_results:
        yield from wrap(
            f"{ANY_OPENAI_READ} covers result files, which watcher downloads for loss curves; it never downloads any "
            "other. With read_results = false under [azure] this role has three named data actions in its place, and "
            f"reads no file's content; then {RESULTS.without}.",
            width,
        )
    else:
        yield from wrap(
            f"It reads no file's content, so that {RESULTS.without}. The names of its data actions are inferred from "
            f"Azure's built-in roles; should az refuse one, write {ANY_OPENAI_READ} in their place, which reads the "
            "content of files too.",
            width,
        )
