"""`rules test`: what the present configuration would have told of the time that is recorded."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption, moment_of
from watcher.cli.options import since as since_of
from watcher.cli.table import Column, Line, table, wrap
from watcher.errors import Refused
from watcher.rules.text import counted

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.replay import Entry, Replayed
    from watcher.report.records import Record
    from watcher.store.recording import Recording


def rules_test(
    ctx: typer.Context,
    config: ConfigOption = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help='A span back ("12h", "30d"), a date or an RFC 3339 time.')
    ] = "30d",
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="The same; by default now.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the recorded history under the present configuration, and print what would have been sent.

    Nothing is sent, and the database is only read."""
    from watcher.replay.comparison import entries

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    begin, end = _span(since, until, settings, now)
    desk.quieten()
    replayed = _replay(desk, settings, begin, end)
    if as_json:
        desk.document(_document(replayed, now))
        return
    told = entries(replayed.messages)
    zone = settings.watcher.timezone
    desk.say(f"From {_when(begin, zone)} to {_when(end, zone)}, by the configuration of now:")
    _standing(desk, replayed)
    if told:
        desk.lines(_table(told, desk.width, zone))
    else:
        desk.say("nothing would have been sent")
    _totals(desk, replayed, told)
    _comparison(desk, replayed, zone)
    if replayed.blind:
        desk.say("")
        desk.say("Not replayed, or not as it was:")
        for sentence in replayed.blind:
            desk.lines(wrap(f"- {sentence}", desk.width, indent=2))


def _span(since: str, until: str | None, settings: "Config", now: datetime) -> tuple[datetime, datetime]:
    zone = settings.watcher.timezone
    begin = since_of(since, now=now, zone=zone) or now
    end = now if until is None else _until(until, settings, now)
    if begin >= now:
        raise typer.BadParameter(f"{since!r} is not past: nothing is recorded of it", param_hint="--since")
    if end > now:
        raise typer.BadParameter(f"{until!r} is still to come: nothing is recorded of it", param_hint="--until")
    if end <= begin:
        raise typer.BadParameter(f"{until!r} is not after --since {since!r}", param_hint="--until")
    return begin, end


def _until(text: str, settings: "Config", now: datetime) -> datetime:
    """As `--since`; but a date counts to its end, and that of today to now."""
    zone = settings.watcher.timezone
    if len(text) != len("2026-12-31"):
        return since_of(text, now=now, zone=zone) or now
    at = moment_of(text, option="--until", zone=zone, is_end=True)
    return min(at, now) if text == f"{now.astimezone(zone):%Y-%m-%d}" else at


def _replay(desk: Desk, settings: "Config", begin: datetime, end: datetime) -> "Replayed":
    import asyncio

    from watcher.assembly.judgement import judgement_of
    from watcher.assembly.telling import routing_of
    from watcher.replay import replay
    from watcher.store import recording

    routing = routing_of(settings)
    if routing is None:
        raise Refused(
            "the configuration has no route: nobody is told of anything; add [[receivers]] and [route]", code=2
        )
    with desk.store(settings) as store:
        recorded: Recording = store.read_now(recording.load, since=begin, until=end)
    if recorded.begins is None or recorded.begins >= end:
        seen = "nothing is recorded yet" if recorded.begins is None else "nothing is recorded of that time"
        raise Refused(f"{seen}: start `watcher run`, and look again once it has watched for a while")
    judgement = judgement_of(settings)
    if not desk.is_terminal:
        return asyncio.run(replay(recorded, judgement=judgement, routing=routing, since=begin, until=end))
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=desk.err), transient=True) as bar:
        task = bar.add_task("replaying", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return asyncio.run(
            replay(recorded, judgement=judgement, routing=routing, since=begin, until=end, progress=progress)
        )


def _when(at: datetime, zone: Any) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _standing(desk: Desk, replayed: "Replayed") -> None:
    if not replayed.standing:
        return
    counts = Counter(alert.finding.rule for alert in replayed.standing)
    named = ", ".join(f"{rule} {count}" for rule, count in sorted(counts.items()))
    desk.lines(wrap(f"standing at the start, and so not told again: {named}", desk.width, indent=2))


def _table(told: "Iterable[Entry]", width: int, zone: Any) -> list[Line]:
    columns = [
        Column("WHEN", 11, is_whole=True),
        Column("RECEIVER", 8),
        Column("REASON", 8),
        Column("RULE", 12),
        Column("WHAT", 20, keeps_end=False),
    ]
    rows: list[Sequence[Any]] = [
        [
            f"{one.at.astimezone(zone):%m-%d %H:%M}",
            one.receiver,
            one.reason.value.replace("severity_", ""),
            one.alert.finding.rule,
            _what(one),
        ]
        for one in told
    ]
    return list(table(columns, rows, width))


def _what(entry: "Entry") -> str:
    from watcher.alerts.summary import summary_at

    return entry.alert.ended_because or summary_at(entry.alert, entry.at)


def _totals(desk: Desk, replayed: "Replayed", told: "Sequence[Entry]") -> None:
    messages = Counter(one.receiver for one in replayed.messages)
    words = Counter(one.receiver for one in told)
    desk.say("")
    for receiver, count in sorted(messages.items()):
        told_in = "" if words[receiver] == count else f", in which alerts are told {words[receiver]} times"
        desk.say(f"{receiver}: {counted(count, 'message')}{told_in}")
    rules = Counter(one.alert.finding.rule for one in told)
    if rules:
        named = ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items()))
        desk.lines(wrap(f"by rule: {named}", desk.width, indent=2))


def _comparison(desk: Desk, replayed: "Replayed", zone: Any) -> None:
    found = replayed.comparison
    desk.say("")
    if not (found.only_now or found.only_then):
        desk.say("The same was really sent in that time." if found.both else "Nothing was really sent in that time.")
        return
    were = "was" if found.both == 1 else "were"
    desk.say(f"Of what would be sent, {counted(found.both, 'alert')} {were} really told of in that time.")
    for title, some in (
        ("Would be sent now, and was not then", found.only_now),
        ("Was sent then, and would not be now", found.only_then),
    ):
        if some:
            desk.say(f"{title}:")
            desk.lines(_table(some, desk.width, zone))


def _document(replayed: "Replayed", now: datetime) -> "Record":
    from watcher.replay.comparison import entries
    from watcher.report.records import alert_record, document
    from watcher.rules.text import rfc3339

    told = entries(replayed.messages)
    return document(
        "messages",
        [
            {
                "at": rfc3339(one.created_at),
                "receiver": one.receiver,
                "reason": one.reason.value,
                "group": dict(one.group_labels),
                "alerts": [{"reason": each.reason.value, **alert_record(each.alert)} for each in one.alerts],
            }
            for one in replayed.messages
        ],
        now=now,
        since=rfc3339(replayed.since),
        until=rfc3339(replayed.until),
        standing=[alert_record(alert) for alert in replayed.standing],
        totals={
            "messages": len(replayed.messages),
            "receivers": dict(sorted(Counter(one.receiver for one in replayed.messages).items())),
            "rules": dict(sorted(Counter(one.alert.finding.rule for one in told).items())),
        },
        sent=len(replayed.sent),
        same=replayed.comparison.both,
        only_now=list(_records(replayed.comparison.only_now)),
        only_then=list(_records(replayed.comparison.only_then)),
        not_replayed=list(replayed.blind),
    )


def _records(some: "Iterable[Entry]") -> "Iterator[Record]":
    from watcher.rules.text import rfc3339

    for one in some:
        finding = one.alert.finding
        yield {
            "at": rfc3339(one.at),
            "receiver": one.receiver,
            "reason": one.reason.value,
            "rule": finding.rule,
            "severity": one.alert.severity.value,
            "step": finding.step or None,
            "subject": finding.subject.id,
            "summary": _what(one),
        }
