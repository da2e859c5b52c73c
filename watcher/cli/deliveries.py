"""`notify test`, `routes test` and `outbox`: who would be told, whether it works, and what did not arrive."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk, Refused
from watcher.cli.options import AuthorOption, ConfigOption, JsonOption, author_or_user
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.config import Config


def notify_test(
    ctx: typer.Context,
    receivers: Annotated[
        list[str] | None, typer.Argument(metavar="[RECEIVER…]", help="By default all.", show_default=False)
    ] = None,
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help="Whose message to send.")] = "deployment_idle",
    config: ConfigOption = None,
) -> None:
    """Really send a marked sample through each channel. Exit code 0: all took it; 3: some did not."""
    import asyncio

    desk: Desk = ctx.obj
    settings = desk.config(config, needs_secrets=True)
    desk.quieten()
    known = [receiver.name for receiver in settings.receivers]
    wanted = list(dict.fromkeys(receivers or known))
    if unknown := [name for name in wanted if name not in known]:
        have = ", ".join(known) or "none"
        raise Refused(f"no receiver is named {unknown[0]}; the configuration has: {have}", code=2)
    if not wanted:
        raise Refused("the configuration has no receiver; add a table [[receivers]]", code=2)
    _check_rule(rule)
    failed = asyncio.run(_send_all(desk, settings, wanted, rule, desk.now()))
    raise typer.Exit(3 if failed else 0)


def _check_rule(rule: str) -> None:
    from watcher.rules.registry import BUILTIN

    known = sorted(BUILTIN)
    if rule not in known:
        raise typer.BadParameter(f"{rule!r} is no rule; known are {', '.join(known)}", param_hint="--rule")


async def _send_all(desk: Desk, settings: "Config", wanted: list[str], rule: str, now: "datetime") -> int:
    """Send to each receiver, one after the other, and say a line for each; returns how many failed."""
    from watcher.assembly import receiver_options
    from watcher.errors import ConfigurationError, DeliveryError
    from watcher.notify.registry import Context, build_notifier
    from watcher.notify.sample import sample
    from watcher.transport import open_client

    failed = 0
    client = open_client()
    context = Context(
        watcher_name=settings.watcher.name,
        zone=settings.watcher.timezone,
        public_url=settings.watcher.public_url or "",
        client=client,
        stream=desk.out,
    )
    try:
        for number, receiver in enumerate(settings.receivers):
            if receiver.name not in wanted:
                continue
            head = f"{receiver.name} ({receiver.type})"
            try:
                notifier = build_notifier(
                    receiver.type, receiver.name, receiver_options(receiver), context, path=f"receivers[{number}]"
                )
                try:
                    receipt = await notifier.send(sample(rule, receiver=receiver.name, now=now), now=now)
                finally:
                    await notifier.aclose()
            except ConfigurationError as exc:
                failed += 1
                desk.complain(f"{head}: cannot be used: {exc.message}")
            except DeliveryError as exc:
                failed += 1
                lasting = "a retry cannot help" if exc.permanent else "a retry may help"
                desk.complain(f"{head}: not delivered ({exc.kind}, {lasting}): {exc.message}")
            else:
                desk.say(f"{head}: delivered: {receipt.detail}", "green")
    finally:
        await client.aclose()
    return failed


def routes_test(
    ctx: typer.Context,
    labels: Annotated[
        list[str], typer.Argument(metavar="LABEL=VALUE…", help="rule=deployment_idle severity=critical owner=search")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which route, receiver and group an alert with these labels takes."""
    from watcher.alerts.dispatch import explain_routes
    from watcher.alerts.route import REPORT_ONLY_RULES
    from watcher.assembly import routing_of
    from watcher.report.records import document, route_record

    desk: Desk = ctx.obj
    given: dict[str, str] = {}
    for text in labels:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{text!r} is no label; write owner=search", param_hint="LABEL=VALUE")
        given[name.strip()] = value.strip().strip('"')
    settings = desk.config(config)
    routing = routing_of(settings)
    if routing is None:
        raise Refused(
            "the configuration has no route: nobody is told of anything; add [[receivers]] and [route]", code=2
        )
    routes = explain_routes(given, routing)
    if as_json:
        desk.document(document("routes", [route_record(route) for route in routes], now=desk.now()))
        return
    if not routes:
        told = given.get("rule", "") in REPORT_ONLY_RULES
        desk.say("no receiver" + (": this rule is for reports, unless a route names it in a matcher" if told else ""))
        return
    rows: list[list[Any]] = [
        [path, receiver, " ".join(f"{name}={value}" for name, value in group.items()) or "(one group for all)"]
        for path, receiver, group in routes
    ]
    columns = [Column("ROUTE", 12), Column("RECEIVER", 10), Column("GROUP", 20, keeps_end=False)]
    desk.lines(table(columns, rows, desk.width))


def outbox_list(
    ctx: typer.Context,
    config: ConfigOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were delivered or dropped.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Notifications that are waiting, or dead, in the order in which they were decided."""
    from watcher.cli.wording import ahead, past
    from watcher.report.records import document
    from watcher.rules.text import rfc3339
    from watcher.store import outbox

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    states = ("pending", "dead", "delivered", "dropped") if all_ else ("pending", "dead")
    with desk.store(settings) as store:
        found = store.read_now(outbox.listed, states=states)
    if as_json:
        records = [
            {
                "id": one.notification.id,
                "receiver": one.notification.receiver,
                "route": one.notification.route,
                "group": dict(one.notification.group_labels),
                "reason": one.notification.reason.value,
                "alerts": [told.alert.id for told in one.notification.alerts],
                "state": one.state,
                "created_at": rfc3339(one.notification.created_at),
                "due_at": rfc3339(one.due_at) if one.state == "pending" else None,
                "ended_at": rfc3339(one.ended_at),
                "attempts": one.attempts,
                "last_error": one.last_error or None,
            }
            for one in found
        ]
        desk.document(document("notifications", records, now=now))
        return
    columns = [
        Column("ID", 28, is_id=True),
        Column("RECEIVER", 8),
        Column("STATE", 7),
        Column("CREATED", 6),
        Column("TRIES", 5, is_number=True),
        Column("NEXT", 4),
        Column("LAST ERROR", 10, keeps_end=False),
    ]
    rows: list[list[Any]] = [
        [
            one.notification.id,
            one.notification.receiver,
            (one.state, {"dead": "red", "pending": "yellow"}.get(one.state, "")),
            past(one.notification.created_at, now),
            str(one.attempts),
            ("now" if one.due_at <= now else ahead(one.due_at, now)) if one.state == "pending" else "",
            one.last_error,
        ]
        for one in found
    ]
    desk.lines(table(columns, rows, desk.width))


IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID…]", help="As `outbox list` shows them.", show_default=False)
]


def outbox_retry(
    ctx: typer.Context,
    ids: IdsArgument = None,
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Make waiting and dead notifications due at once; by default all."""
    _change(ctx, ids, author, config, action="retry")


def outbox_drop(
    ctx: typer.Context,
    ids: IdsArgument = None,
    all_: Annotated[bool, typer.Option("--all", help="All that are waiting or dead.")] = False,
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Give notifications up: they are never sent."""
    if not ids and not all_:
        raise typer.BadParameter("name ids, or say --all: what is dropped is never sent", param_hint="ID")
    _change(ctx, ids, author, config, action="drop")


def _change(ctx: typer.Context, ids: list[str] | None, author: str | None, config: Any, *, action: str) -> None:
    from watcher.store import alerts, outbox

    desk: Desk = ctx.obj
    who = author_or_user(author)
    settings = desk.config(config)
    now = desk.now()
    with desk.store(settings) as store:
        undelivered = {one.notification.id for one in store.read_now(outbox.listed)}
        wanted = list(dict.fromkeys(ids)) if ids else sorted(undelivered)
        if missing := [id_ for id_ in wanted if id_ not in undelivered]:
            raise Refused(f"{missing[0]} is neither waiting nor dead: see `watcher outbox list`")

        def apply(tx: Any) -> int:
            for id_ in wanted:
                alerts.record(tx, author=who, action=f"outbox.{action}", subject=id_, comment="", now=now)
            return (outbox.retry if action == "retry" else outbox.drop)(tx, wanted, now=now)

        count = store.write_now(apply) if wanted else 0
    done = "made due at once" if action == "retry" else "dropped"
    desk.say(f"{count} notification{'' if count == 1 else 's'} {done}")
