"""`outbox`: what did not arrive, why, what is in it, and how each channel does."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import issues
from watcher.cli.desk import Desk
from watcher.cli.options import AuthorOption, ConfigOption, JsonOption, WhyOption, author_or_user
from watcher.cli.table import Column, Line, cut, printable, table, wrap

if TYPE_CHECKING:
    from watcher.answers.deliveries import DeliveryRow
    from watcher.store.channels import Channel
    from watcher.store.outbox import Delivery

_STYLES = {"dead": "red", "pending": "yellow"}

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID…]", help="As `outbox list` shows them, or their beginnings.", show_default=False),
]


def outbox_list(
    ctx: typer.Context,
    ids: IdsArgument = None,
    config: ConfigOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were delivered, dropped or merged.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Notifications that are waiting, or dead, in the order in which they were decided; by id each attempt at them.

    And the channels that take none at present."""
    from watcher.answers import deliveries
    from watcher.report.records import document

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    states = deliveries.STATES if all_ else deliveries.UNDELIVERED
    with desk.store(settings) as store:
        found = store.read_now(deliveries.load, ids or None, states)
    if as_json:
        known = {"channels": [deliveries.channel_record(channel) for channel in found.channels]}
        known["reports"] = [row.record() for row in found.issues]
        desk.document(document("notifications", [row.record() for row in found.notifications], now=now, **known))
        return
    issued = list(issues.listing(found.issues, now, desk.width, with_tries=bool(ids)))
    if ids:
        lines = [line for row in found.notifications for line in _details(row, now, desk.width)][:-1]
        desk.lines([*lines, *(issued if lines else issued[1:])])
    else:
        listed = _listing([row.one for row in found.notifications], now, desk.width)
        desk.lines([*listed, *issued, *_failing(found.channels, now, desk.width)])


def _listing(found: "Sequence[Delivery]", now: datetime, width: int) -> Iterator[Line]:
    """A row for each, what is in it, and why it did not arrive."""
    from watcher.cli.wording import past

    if not found:
        yield (("nothing is waiting, and nothing is dead", ""),)
        return
    columns = [
        Column("ID", 28, is_id=True),
        Column("RECEIVER", 8),
        Column("STATE", 9),
        Column("CREATED", 6, is_whole=True),
        Column("TRIES", 5, is_number=True),
        Column("NEXT", 4, is_whole=True),
    ]
    rows: list[list[Any]] = [
        [
            one.notification.id,
            one.notification.receiver,
            (state_of(one), _STYLES.get(one.state, "")),
            past(one.notification.created_at, now),
            str(one.attempts),
            _next(one, now),
        ]
        for one in found
    ]
    head, *lines = table(columns, rows, width)
    yield head
    for line, one in zip(lines, found, strict=True):
        yield line
        yield ((f"  {cut(printable(contents_of(one)), width - 2, keeps_end=False)}", "dim"),)
        if one.last_error:
            yield from wrap(one.last_error, width, indent=2, style=_STYLES.get(one.state, "dim"))


def state_of(one: "Delivery") -> str:
    """The state in a word: waiting, delivered, dead, dropped, merged."""
    return "waiting" if one.state == "pending" else one.state


def contents_of(one: "Delivery") -> str:
    """What a notification says, in a line: why, of what, and how many more."""
    first, *rest = one.notification.alerts
    more = f" (+ {len(rest)} more)" if rest else ""
    return f"{one.notification.reason.value}{more}: {first.alert.finding.rule}, {first.alert.finding.summary}"


def _next(one: "Delivery", now: datetime) -> str:
    from watcher.cli.wording import ahead

    if one.state != "pending":
        return ""
    return "now" if one.due_at <= now else ahead(one.due_at, now)


def _failing(channels: "Sequence[Channel]", now: datetime, width: int) -> Iterator[Line]:
    """The channels that take nothing at present."""
    from watcher.cli.wording import ahead, past

    failing = [channel for channel in channels if channel.is_failing]
    if not failing:
        return
    yield ()
    yield (("Channels that fail", "bold"),)
    columns = [
        Column("RECEIVER", 8),
        Column("SINCE", 9, is_whole=True),
        Column("FAILURES", 8, is_number=True),
        Column("NEXT TRY", 8, is_whole=True),
        Column("WHY", 16, keeps_end=False),
    ]
    rows: list[list[Any]] = [
        [
            channel.receiver,
            past(channel.failing_since, now),
            str(channel.failures),
            ahead(channel.retry_at, now) if channel.is_closed(now) else "now",
            ": ".join(filter(None, (channel.kind, channel.detail))),
        ]
        for channel in failing
    ]
    yield from table(columns, rows, width)


def _details(row: "DeliveryRow", now: datetime, width: int) -> Iterator[Line]:
    """One notification: what it says, what became of it, and each attempt."""
    from watcher.rules.text import ago, moment

    one, notification = row.one, row.one.notification
    head = f"{notification.id} to {notification.receiver}: "
    yield ((head, "bold"), (state_of(one), _STYLES.get(one.state, "")))
    group = ", ".join(f"{name}={value}" for name, value in notification.group_labels.items())
    decided = f"decided {moment(notification.created_at)} ({ago(notification.created_at, now)})"
    by = f" by {notification.route}" if notification.route else ""
    yield from wrap(f"{decided}{by}; group: {group or 'one for all'}", width, indent=2)
    for told in notification.alerts:
        alert = told.alert
        note = f" ({told.note})" if told.note else ""
        text = f"{told.reason.value}: {alert.finding.rule}, {alert.severity.value}, {alert.id}"
        yield from wrap(f"{text}: {alert.finding.summary}{note}", width, indent=2)
    for note in notification.notes:
        yield from wrap(note, width, indent=2)
    yield from issues.tries(row.attempts, width)
    if one.is_uncertain:
        yield from wrap("it may have arrived all the same: no answer came to a try", width, indent=2)
    yield from wrap(_outcome(one, now), width, indent=2, breaks_words=False)
    yield ()


def _outcome(one: "Delivery", now: datetime) -> str:
    from watcher.rules.text import moment

    ended = f" at {moment(one.ended_at)}" if one.ended_at else ""
    return {
        "pending": f"next try: {_next(one, now)}",
        "dead": f"given up{ended}; to try again:\nwatcher outbox retry {one.notification.id}",
        "dropped": f"dropped{ended}: it is never sent",
        "merged": f"merged: {one.merged_into} says it",
    }.get(one.state, f"{one.state}{ended}")


def outbox_retry(
    ctx: typer.Context,
    ids: IdsArgument = None,
    comment: WhyOption = "",
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Make waiting and dead notifications due at once; by default all."""
    _change(ctx, ids, author, comment, config, action="retry")


def outbox_drop(
    ctx: typer.Context,
    ids: IdsArgument = None,
    all_: Annotated[bool, typer.Option("--all", help="All that are waiting or dead.")] = False,
    comment: WhyOption = "",
    author: AuthorOption = None,
    config: ConfigOption = None,
) -> None:
    """Give notifications up: they are never sent."""
    if not ids and not all_:
        raise typer.BadParameter("name ids, or say --all: what is dropped is never sent", param_hint="ID")
    if ids and all_:
        raise typer.BadParameter("does not go with ids", param_hint="--all")
    _change(ctx, ids, author, comment, config, action="drop")


def _change(
    ctx: typer.Context, ids: list[str] | None, author: str | None, comment: str, config: Any, *, action: str
) -> None:
    from watcher.answers import deliveries
    from watcher.store.redelivery import LATER_NEWS

    desk: Desk = ctx.obj
    who = author_or_user(author)
    settings = desk.config(config)
    act = deliveries.retry if action == "retry" else deliveries.drop
    with desk.store(settings) as store:
        done = store.write_now(act, ids or None, author=who, comment=comment.strip(), now=desk.now())
    became = "made due at once" if action == "retry" else "dropped"
    more = f"; {done.left} not: {LATER_NEWS}" if done.left else ""
    also = f" and {done.reports} report{'' if done.reports == 1 else 's'}" if done.reports else ""
    desk.say(f"{done.notifications} notification{'' if done.notifications == 1 else 's'}{also} {became}{more}")
