"""The hand-over of a shift as two screens at most: what is now and what comes first, then what was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from watcher.alerts.summary import summary_at
from watcher.answers.handover import HandOver, about
from watcher.cli.table import Column, Line, Piece, wrap
from watcher.cli.wording import ahead, ever_since, past, remaining, section, severity
from watcher.report.summary import by_rule, folded
from watcher.rules.text import counted, duration, moment

if TYPE_CHECKING:
    from watcher.alerts.alert import Alert
    from watcher.answers.handover import Coming
    from watcher.report.summary import Summary

#: Rows of a section, so that all of them together fit on two screens.
_MOST_FIRING, _MOST, _MOST_OF_TWO_LINES = 8, 5, 4


def handover_lines(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    """All sections, each with an empty line after it."""
    yield from _firing(handover, summary, width)
    yield from _coming(handover, summary, width)
    yield from _quiet(handover, summary, width)
    yield from _told(handover, summary, width)
    yield from _events(handover, summary, width)
    yield from _ended(handover, summary, width)
    yield from _done(handover, summary, width)
    unread = f" (unknown in {counted(summary.jobs_unknown_in, 'account')})" if summary.jobs_unknown_in else ""
    unknown = f", of {len(summary.unknown)} it is unknown" if summary.unknown else ""
    jobs = f"{counted(len(summary.jobs), 'job')} under way{unread}"
    text = f"Besides: {jobs}; {counted(len(summary.at_risk), 'deployment')} at risk{unknown}: watcher status"
    yield from wrap(text, width, style="dim")
    if handover.for_reports:
        named = ", ".join(f"{rule} {count}" for rule, count in handover.for_reports.items())
        yield from wrap(f"For reports alone: {named}: watcher alerts --status firing", width, style="dim")
    yield ()


def _firing(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    columns = [
        Column("ID", 12, is_id=True),
        Column("SEVERITY", 8),
        Column("SINCE", 7, is_whole=True),
        Column("RULE", 12),
        Column("STATE", 5, keeps_end=False),
    ]
    rows: list[list[Any]] = []
    muted = {alert.id: one.until for one in reversed(handover.mutes) for alert in one.alerts}
    shown = folded(handover.firing)
    for one, explained in shown:
        alert = one.alert
        marks = ["new"] if alert.starts_at >= handover.since else []
        marks += [f"explains {len(explained)} more"] if explained else []
        marks += ["silenced"] if one.silences else []
        marks += [f"muted until {_clock(until, summary.now)}"] if (until := muted.get(alert.id)) else []
        marks += ["not verified"] if alert.unverified_since else []
        marks += [f"acked by {alert.acked_by}"] if alert.acked_at else []
        since = past(alert.starts_at, summary.now).removesuffix(" ago")
        rows.append([alert.id[:12], severity(alert.severity), since, alert.finding.rule, ", ".join(marks)])
    below = [summary_at(one.alert, summary.now) for one, _ in shown]
    fresh = sum(one.alert.starts_at >= handover.since for one, _ in shown)
    new = "" if not fresh else ", all new" if fresh == len(rows) else f", {fresh} of them new"
    hidden = len(handover.firing) - len(rows)
    new += f", and {hidden} that these explain" if hidden else ""
    yield from section(
        "Fires now",
        columns,
        rows,
        width,
        nothing="nothing",
        more="alerts --status firing",
        most=_MOST_FIRING,
        below=below,
        remark=new,
    )


def _coming(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    rows: list[list[Any]] = [[_when(one, summary.now), one.about] for one in handover.coming]
    title = f"Comes until {moment(handover.ahead)}"
    columns = [Column("WHEN", 10, is_whole=True), Column("WHAT", 20)]
    yield from section(title, columns, rows, width, nothing="nothing that is known", most=_MOST)


def _when(one: "Coming", now: datetime) -> Piece | str:
    if one.standing is not None:
        return remaining(one.standing, now)
    return ahead(one.at, now) if one.at != now else "now"


def _quiet(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    rows: list[list[Any]] = []
    below = []
    for one in handover.mutes:
        held = f"{counted(len(one.alerts), 'alert')} until {_clock(one.until, summary.now)} by {one.mute}"
        rows.append(["mute", ahead(one.until, summary.now), "", held])
        below.append(f"from {', '.join(one.receivers)}: {', '.join(map(about, one.alerts))}")
    for cause, explained in folded(handover.firing):
        if explained:
            held = f"{counted(len(explained), 'alert')} explained by {about(cause.alert)}"
            rows.append(["cause", "with it", "", held])
            below.append(f"{by_rule(one.alert for one in explained)}: {cause.alert.id[:12]} is told in their place")
    for silence, count in handover.silences:
        rows.append([silence.id, ahead(silence.ends_at, summary.now), silence.author, silence.comment])
        hides = counted(count, "alert") if count else "nothing"
        forced = ", forced" if silence.is_forced else ""
        unread = ", since it cannot be read" if silence.unread_because else ""
        below.append(f"hides {hides} now{unread}{forced}: {' '.join(map(str, silence.matchers))}")
    for keep, label in handover.keeps:
        rows.append(["keep", ahead(keep.until, summary.now), keep.author, keep.reason])
        below.append(f"{label}/{keep.deployment}")
    columns = [
        Column("SILENCE", 8, is_id=True),
        Column("ENDS", 9, is_whole=True),
        Column("BY", 10),
        Column("WHY", 10, keeps_end=False),
    ]
    most, more = _MOST_OF_TWO_LINES, "silence list; watcher keep --list"
    yield from section("Kept quiet", columns, rows, width, nothing="nothing", more=more, most=most, below=below)


def _clock(at: datetime, now: datetime) -> str:
    """`07:00 UTC`, with the day where that is not clear."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M} UTC" if at - now < timedelta(days=1) else moment(at)


def _told(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    rows: list[list[Any]] = []
    for one in handover.told:
        waiting = (str(one.waiting) if one.waiting else "", "yellow")
        dead = (str(one.dead) if one.dead else "", "red")
        because = one.because
        if one.channel is not None and one.channel.failing_since is not None:
            because = f"fails {ever_since(one.channel.failing_since, summary.now)}: {because}"
        rows.append([one.receiver, str(one.delivered), waiting, dead, because])
    columns = [
        Column("RECEIVER", 10),
        Column("DELIVERED", 4, is_number=True),
        Column("WAITING", 7, is_number=True),
        Column("DEAD", 4, is_number=True),
        Column("WHY", 16, keeps_end=False),
    ]
    title, nothing = "Receivers told", "none"
    yield from section(title, columns, rows, width, nothing=nothing, more="outbox list --all", most=_MOST)


def _events(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    rows: list[list[Any]] = [
        [alert.id[:12], severity(alert.severity), past(alert.starts_at, summary.now), alert.finding.rule, _mark(alert)]
        for alert in handover.events
    ]
    columns = [
        Column("ID", 12, is_id=True),
        Column("SEVERITY", 8),
        Column("WHEN", 9, is_whole=True),
        Column("RULE", 12),
        Column("STATE", 5, keeps_end=False),
    ]
    below = [alert.finding.summary for alert in handover.events]
    most, more = _MOST_OF_TWO_LINES, "alerts --status event"
    yield from section("Happened", columns, rows, width, nothing="nothing", more=more, most=most, below=below)


def _mark(alert: "Alert") -> str:
    return f"acked by {alert.acked_by}" if alert.acked_at else ""


def _ended(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    rows: list[list[Any]] = []
    below = []
    for alert, untold in handover.ended:
        lasted = duration(alert.ends_at - alert.starts_at) if alert.ends_at else ""
        rows.append([past(alert.ends_at, summary.now), lasted, about(alert)])
        below.append("; ".join(filter(None, (alert.ended_because, untold))))
    columns = [Column("WHEN", 9, is_whole=True), Column("LASTED", 6, is_whole=True), Column("ALERT", 16)]
    most, more = _MOST_OF_TWO_LINES, "alerts --status resolved"
    yield from section("Ended", columns, rows, width, nothing="nothing", more=more, most=most, below=below)


def _done(handover: HandOver, summary: "Summary", width: int) -> Iterator[Line]:
    rows: list[list[Any]] = [
        [past(one.entry.at, summary.now), one.entry.author, f"{one.what} {one.about}"] for one in handover.done
    ]
    columns = [Column("WHEN", 9, is_whole=True), Column("WHO", 6), Column("WHAT", 16)]
    below = [one.entry.comment or "no reason given" for one in handover.done]
    most = _MOST_OF_TWO_LINES
    yield from section("Done by hand", columns, rows, width, nothing="nothing", most=most, below=below)
