"""`status`: one screen of what could be seen and what needs attention."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption, SinceOption
from watcher.cli.options import since as since_of
from watcher.cli.table import Column, Line, cut, printable, wrap
from watcher.cli.wording import section

if TYPE_CHECKING:
    from watcher.answers.handover import HandOver
    from watcher.report.summary import Summary

#: Lines about what could not be seen, in the hand-over of a shift.
_MOST_UNSEEN = 4
#: Accounts named in a line about what could not be seen.
_MOST_NAMED = 3


def status(
    ctx: typer.Context, config: ConfigOption = None, since: SinceOption = None, as_json: JsonOption = False
) -> None:
    """One screen of what matters; with --since the hand-over of a shift.

    What could be seen and as of when, jobs under way, deployments at risk, firing alerts, undelivered notifications.
    The hand-over: what fires, what comes next, what is kept quiet, who was told, what happened, ended and was done."""
    from watcher.answers import handover
    from watcher.answers.status import load, stopped_at
    from watcher.assembly.telling import routing_of
    from watcher.report.summary_record import summary_record
    from watcher.settings import frame_of

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    with desk.store(settings) as store:
        routing, shift = routing_of(settings), None
        summary = store.read_now(load, frame_of(settings, now), since_at, routing=routing)
        if since_at is not None:
            shift = store.read_now(handover.load, summary, routing, since_at)
    if as_json:
        document = summary_record(summary, name=settings.watcher.name, since=since_at)
        document["status"]["handover"] = handover.handover_record(shift, now) if shift is not None else None
        desk.document(document)
    else:
        stopped = stopped_at(summary.newest_at, now, every=max(settings.poll.active, settings.poll.quiet))
        lines = list(_screen(summary, settings.watcher.name, desk.width, shift, stopped=stopped))
        desk.lines(lines if lines[-1] else lines[:-1])


def _screen(
    summary: "Summary", name: str, width: int, shift: "HandOver | None", *, stopped: datetime | None
) -> Iterator[Line]:
    from watcher.cli.wording import past
    from watcher.rules.text import called, duration

    cycle = past(summary.last_complete_cycle_at, summary.now, missing="never")
    tail = f" · last complete cycle {cycle}"
    if shift is not None:
        tail = f" · the last {duration(summary.now - shift.since)}{tail}"
    yield ((cut(called(printable(name)), width - len(tail)), "bold"), (tail, ""))
    yield ()
    if shift is not None:
        from watcher.cli.handover_screen import handover_lines

        yield from _coverage(summary, width, stopped=stopped, is_short=True)
        yield from handover_lines(shift, summary, width)
        return
    yield from _coverage(summary, width, stopped=stopped)
    yield from _jobs(summary, width)
    yield from _deployments(summary, width)
    yield from _alerts(summary, width)
    yield from _undelivered(summary, width)


def _coverage(summary: "Summary", width: int, *, stopped: datetime | None, is_short: bool = False) -> Iterator[Line]:
    from watcher.cli.wording import ever_since, past
    from watcher.report.coverage import SELDOM
    from watcher.rules.sight import REASONS
    from watcher.rules.text import counted, few, moment

    of = f"{summary.whole} of {counted(summary.accounts, 'account')}"
    if stopped is None:
        style = "green" if summary.whole == summary.accounts and summary.accounts else "yellow"
        yield (("Coverage: ", "bold"), (f"{of} seen whole", style))
    else:
        yield (("Coverage: ", "bold"), (f"NOTHING was read {ever_since(stopped, summary.now)}", "yellow"))
        text = f"Does watcher run? Nothing below is newer than {moment(stopped)}; until then {of} had been seen whole"
        yield from wrap(text, width, indent=2, style="yellow")
    if not summary.accounts:
        yield from wrap("no account is known yet: nothing was discovered, or no cycle has run", width, indent=2)
    if not summary.is_discovery_complete:
        yield from wrap("discovery was incomplete: there may be accounts that are not known", width, indent=2)
    for seen in summary.seen if summary.accounts and not is_short else ():
        oldest = "" if seen.oldest_at is None else f", the oldest reading {past(seen.oldest_at, summary.now)}"
        never = f"; not read yet in {seen.never}" if seen.never and seen.section in SELDOM else ""
        missing = f", but for {few(seen.missing, _MOST_NAMED)}" if seen.missing else ""
        read = seen.whole + seen.partly
        yield from wrap(f"{seen.section.value}: seen in {read}{missing}{oldest}{never}", width, indent=2)
    if not is_short or (summary.clock is not None and abs(summary.clock.skew) >= _SKEW):
        yield from wrap(_clock(summary), width, indent=2)
    most = _MOST_UNSEEN if is_short else len(summary.unseen)
    for unseen in summary.unseen[:most]:
        section = unseen.section.value if unseen.section else "anything"
        line = f"NOT SEEN {section} of {few(unseen.accounts, _MOST_NAMED)}: "
        if unseen.subjects:
            line = f"NOT SEEN {few(unseen.subjects, _MOST_NAMED)} ({section}): "
        if unseen.reason is None:
            line += "not read yet"
        else:
            last = f"last read {past(unseen.last_read_at, summary.now)}" if unseen.last_read_at else "never read"
            last = f"the rest was {last}" if unseen.subjects else last
            since = f" {ever_since(unseen.since, summary.now)}" if unseen.since else ""
            line += f"{REASONS[unseen.reason]}{since}; {last}"
        yield from wrap(line, width, indent=2, style="yellow")
    if len(summary.unseen) > most:
        yield from wrap(f"… and {len(summary.unseen) - most} more: watcher status", width, indent=2, style="yellow")
    yield ()


#: Beyond this, times of the service and of this machine should not be compared by eye.
_SKEW = timedelta(seconds=30)


def _clock(summary: "Summary") -> str:
    from watcher.cli.wording import past
    from watcher.rules.text import duration

    clock = summary.clock
    if clock is None:
        return "clock against the service's: unknown, not measured yet"
    measured = f", measured {past(clock.at, summary.now)}"
    if abs(clock.skew) < _SKEW:
        return f"clock of {clock.host} against the service's: right{measured}"
    side = "ahead" if clock.skew > timedelta() else "behind"
    return f"clock of {clock.host} against the service's: {duration(abs(clock.skew))} {side}{measured}"


def _jobs(summary: "Summary", width: int) -> Iterator[Line]:
    from watcher.cli.wording import JOB_STYLES, eta, lasting

    columns = [
        Column("ACCOUNT", 10),
        Column("JOB", 14, keeps_end=False),
        Column("MODEL", 10),
        Column("STATUS", 9),
        Column("FOR", 9, is_whole=True),
        Column("ETA", 13, is_whole=True),
    ]
    rows: list[list[Any]] = [
        [
            one.account.label,
            one.job.id,
            one.job.model,
            (one.job.raw_status or one.job.status.value, JOB_STYLES.get(one.job.status.value, "")),
            lasting(one.status_since, summary.now, is_dated=one.is_status_dated),
            eta(one.job, summary.now),
        ]
        for one in summary.jobs
    ]
    unread = f"; unknown in {summary.jobs_unknown_in}: never read" if summary.jobs_unknown_in else ""
    title = "Jobs under way"
    yield from section(title, columns, rows, width, nothing=f"none{unread}", more="jobs")


def _deployments(summary: "Summary", width: int) -> Iterator[Line]:
    from watcher.cli.wording import ever_since, past, remaining

    columns = [
        Column("ACCOUNT", 10),
        Column("DEPLOYMENT", 12, is_id=True),
        Column("DELETION", 16, is_whole=True),
        Column("NOTE", 8, keeps_end=False),
    ]
    rows: list[list[Any]] = []
    for one in summary.at_risk:
        standing = one.standing
        note = ""
        if standing.unknown_because:
            since = f" {ever_since(standing.unknown_since, summary.now)}" if standing.unknown_since else ""
            note = f"not verified{since}"
        elif standing.usage and standing.usage.last_success_at:
            note = f"last call {past(standing.usage.last_success_at, summary.now)}"
        rows.append([one.account.label, one.deployment.name, remaining(standing, summary.now), note])
    nothing = "none known"
    yield from section(
        "Deployments at risk", columns, rows, width, nothing=nothing, more="deployments --status at_risk"
    )
    if summary.unknown:
        columns = [Column("ACCOUNT", 10), Column("DEPLOYMENT", 12, is_id=True), Column("WHY", 20, keeps_end=False)]
        rows = [[one.account.label, one.deployment.name, one.standing.unknown_because] for one in summary.unknown]
        title, more = "Deployments whose risk is unknown", "deployments --status unknown"
        yield from section(title, columns, rows, width, nothing="", more=more)


def _alerts(summary: "Summary", width: int) -> Iterator[Line]:
    from watcher.alerts.summary import summary_at
    from watcher.cli.wording import past, severity
    from watcher.report.summary import explained_words, folded

    columns = [
        Column("ID", 8, keeps_end=False),
        Column("SEVERITY", 8),
        Column("SINCE", 9, is_whole=True),
        Column("ABOUT", 20, keeps_end=False),
    ]
    rows: list[list[Any]] = []
    below = []
    for one, explained in folded(summary.firing):
        marks = [mark for mark, holds in (("acked", one.alert.acked_at), ("silenced", one.silences)) if holds]
        about = (f"[{', '.join(marks)}] " if marks else "") + summary_at(one.alert, summary.now)
        since = past(one.alert.starts_at, summary.now).removesuffix(" ago")
        rows.append([one.alert.id[:12], severity(one.alert.severity), since, about])
        below.append(explained_words(explained))
    hidden = len(summary.firing) - len(rows)
    remark = f", and {hidden} that these explain" if hidden else ""
    yield from section("Firing alerts", columns, rows, width, nothing="none", more="alerts", below=below, remark=remark)
    if summary.for_reports:
        named = ", ".join(f"{rule} {count}" for rule, count in summary.for_reports.items())
        yield from wrap(f"For reports alone: {named}: watcher alerts --status firing", width, style="dim")
        yield ()


def _undelivered(summary: "Summary", width: int) -> Iterator[Line]:
    from watcher.cli.wording import ahead, past

    columns = [
        Column("ID", 12, is_id=True),
        Column("RECEIVER", 8),
        Column("STATE", 7),
        Column("CREATED", 11, is_whole=True),
        Column("TRIES", 5, is_number=True),
    ]
    rows: list[list[Any]] = []
    below = []
    for one in summary.undelivered:
        due = "" if one.state == "dead" or one.due_at <= summary.now else f"next try {ahead(one.due_at, summary.now)}; "
        state = (one.state, "red" if one.state == "dead" else "yellow")
        error = one.last_error or "not tried yet"
        rows.append([one.id[:12], one.receiver, state, past(one.created_at, summary.now), str(one.attempts)])
        below.append(due + error)
    title, more = "Undelivered notifications", "outbox list"
    yield from section(title, columns, rows, width, nothing="none", more=more, below=below)
