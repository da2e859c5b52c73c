"""`notify test` and `routes test`: whether a receiver can be reached, and who would be told of what."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.cli.table import Column, Line, table, wrap
from watcher.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.alerts.notification import Notification
    from watcher.alerts.route import Route
    from watcher.alerts.routing import Routing
    from watcher.config import Config
    from watcher.notify.notifier import Notifier, Receipt
    from watcher.report.records import Record
    from watcher.rules.finding import Severity


def notify_test(
    ctx: typer.Context,
    receivers: Annotated[
        list[str] | None, typer.Argument(metavar="[RECEIVER…]", help="By default all.", show_default=False)
    ] = None,
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help="Whose message to send.")] = "deployment_idle",
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Then send that it is over, to see how the receiver joins the two.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Really send a marked sample through each channel. Exit code 0: all took it; 3: some did not."""
    import asyncio

    from watcher.notify.sample import sample

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
    now = desk.now()
    samples = {name: sample(rule, receiver=name, now=now) for name in wanted}
    if resolved and samples[wanted[0]].alerts[0].alert.is_event:
        raise typer.BadParameter(f"{rule} is told once, and never resolved: leave it out", param_hint="--resolved")
    failed = asyncio.run(_send_all(desk, settings, samples, now, with_end=resolved))
    raise typer.Exit(3 if failed else 0)


def _check_rule(rule: str) -> None:
    from watcher.rules.registry import BUILTIN

    known = sorted(BUILTIN)
    if rule not in known:
        raise typer.BadParameter(f"{rule!r} is no rule; known are {', '.join(known)}", param_hint="--rule")


async def _send_all(
    desk: Desk, settings: "Config", samples: "dict[str, Notification]", now: "datetime", *, with_end: bool
) -> int:
    """Send to each receiver, one after the other, and say a line for each; returns how many failed."""
    from watcher.assembly.telling import context_of, receiver_options
    from watcher.errors import ConfigurationError
    from watcher.notify.registry import build_notifier
    from watcher.transport import open_client

    failed = 0
    client = open_client()
    context = context_of(settings, client, desk.out)
    try:
        for number, receiver in enumerate(settings.receivers):
            if receiver.name not in samples:
                continue
            head = f"{receiver.name} ({receiver.type})"
            try:
                notifier = build_notifier(
                    receiver.type, receiver.name, receiver_options(receiver), context, path=f"receivers[{number}]"
                )
            except ConfigurationError as exc:
                failed += 1
                desk.complain(f"{head}: cannot be used: {exc.message}")
                continue
            try:
                failed += not await _send(desk, notifier, head, samples[receiver.name], now, with_end=with_end)
            finally:
                await notifier.aclose()
    finally:
        await client.aclose()
    return failed


async def _send(
    desk: Desk, notifier: "Notifier", head: str, fired: "Notification", now: "datetime", *, with_end: bool
) -> bool:
    """Send a sample, and where wished that it is over; says one line, and returns whether all was taken."""
    from watcher.errors import DeliveryError

    said = []
    try:
        receipt = await notifier.send(fired, now=now)
        said.append(f"delivered: {receipt.detail}")
        if with_end:
            receipt = await notifier.send(_over(fired, receipt, now), now=now)
            said.append(f"its end delivered: {receipt.detail}")
    except DeliveryError as exc:
        lasting = "a retry cannot help" if exc.permanent else "a retry may help"
        failed = "its end not delivered" if said else "not delivered"
        desk.complain(f"{head}: {'; '.join([*said, failed])} ({exc.kind}, {lasting}): {exc.message}")
        return False
    desk.say(f"{head}: {'; '.join(said)}", "green")
    return True


def _over(fired: "Notification", receipt: "Receipt", now: "datetime") -> "Notification":
    """That the alert of a sample is over, with what the receiver called the first message."""
    from watcher.alerts.alert import end
    from watcher.alerts.notification import NotificationAlert, NotifyReason, notification_id
    from watcher.notify.message import SAMPLE_PREFIX

    alert = end(fired.alerts[0].alert, now=now, because="it was a test")
    over = (NotificationAlert(alert=alert, reason=NotifyReason.RESOLVED),)
    digest = notification_id(fired.receiver, over, now).removeprefix("ntf_")
    return replace(
        fired,
        id=SAMPLE_PREFIX + digest[:19],
        reason=NotifyReason.RESOLVED,
        alerts=over,
        earlier={alert.id: receipt.reference} if receipt.reference else {},
    )


def routes_test(
    ctx: typer.Context,
    labels: Annotated[
        list[str], typer.Argument(metavar="LABEL=VALUE…", help="rule=deployment_idle severity=critical owner=search")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which route, receiver and group an alert with these labels takes.

    With what mutes it, to whom it escalates, and who stands in where the receiver stays dead."""
    from watcher.alerts.route import REPORT_ONLY_RULES, group_labels
    from watcher.alerts.routing import receivers
    from watcher.assembly.telling import routing_of
    from watcher.report.records import document

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
    now = desk.now()
    severity = _severity(given.get("severity", ""))
    routes = receivers(routing, given)
    if as_json:
        records = [_record(route, given, routing, settings, severity, now) for route in routes]
        desk.document(document("routes", records, now=now))
        return
    if not routes:
        told = given.get("rule", "") in REPORT_ONLY_RULES
        desk.say("no receiver" + (": this rule is for reports, unless a route names it in a matcher" if told else ""))
        return
    rows: list[list[Any]] = []
    for route in routes:
        group = " ".join(f"{name}={value}" for name, value in group_labels(route, given).items())
        owner = _owner(route, settings)
        path = f"{route.path} ({owner})" if owner else route.path
        rows.append([path, route.receiver, group or "(one group for all)"])
    columns = [Column("ROUTE", 12), Column("RECEIVER", 10), Column("GROUP", 20, keeps_end=False)]
    head, *lines = table(columns, rows, desk.width)
    shown: list[Line] = [head]
    for line, route in zip(lines, routes, strict=True):
        shown.append(line)
        for remark in _remarks(route, routing, settings, severity, now):
            shown += wrap(remark, desk.width, indent=2, style="dim")
    desk.lines(shown)


def _severity(text: str) -> "Severity | None":
    from watcher.rules.finding import Severity

    return next((severity for severity in Severity if severity.value == text), None)


def _owner(route: "Route", settings: "Config") -> str:
    """The name of the owner by whose table this receiver is told; "" where it is told by the tree."""
    paths = {f"owners[{number}]": owner.name for number, owner in enumerate(settings.owners)}
    return paths.get(route.path, "")


def _remarks(
    route: "Route", routing: "Routing", settings: "Config", severity: "Severity | None", now: "datetime"
) -> Iterator[str]:
    """What becomes of it on this route, beside being told."""
    from watcher.alerts.interval import muted_until
    from watcher.rules.text import duration, moment

    mutes = routing.mutes_of(route)
    for mute in mutes:
        passes = f"; {mute.except_severity.value} and louder pass" if mute.except_severity else ""
        if severity is not None and mute.lets_pass(severity):
            passes = f"; {severity.value} passes"
        yield f"mute {mute.name}: {'quiet now' if mute.is_muted(now) else 'not quiet now'}{passes}"
    if (until := muted_until(mutes, now, severity)) is not None:
        unless = ", if it does not pass" if severity is None and any(mute.except_severity for mute in mutes) else ""
        yield f"it would be told at {moment(until)}, when the quiet ends{unless}"
    if route.escalate_after is not None and route.escalate_to:
        names = ", ".join(route.escalate_to)
        yield f"escalates to {names} {duration(route.escalate_after)} after it was told, unless acknowledged"
    if route.fallback:
        yield f"falls back on {', '.join(route.fallback)} where {route.receiver} stays dead"


def _record(
    route: "Route",
    labels: dict[str, str],
    routing: "Routing",
    settings: "Config",
    severity: "Severity | None",
    now: "datetime",
) -> "Record":
    from watcher.alerts.interval import muted_until
    from watcher.alerts.route import group_labels
    from watcher.report.records import route_record
    from watcher.rules.text import rfc3339

    mutes = routing.mutes_of(route)
    after = route.escalate_after
    return {
        **route_record((route.path, route.receiver, group_labels(route, labels))),
        "owner": _owner(route, settings) or None,
        "mute": [mute.name for mute in mutes],
        "muted_until": rfc3339(muted_until(mutes, now, severity)),
        "escalate_after_seconds": None if after is None or not route.escalate_to else int(after.total_seconds()),
        "escalate_to": list(route.escalate_to),
        "fallback": list(route.fallback),
    }
