"""What the page of a deployment says: its clock with the evidence, its calls, its cost, and its lives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from watcher.answers.money import is_idle
from watcher.answers.sheets import DAYS, DeploymentSheet
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Unknown
from watcher.costs.prices import Price
from watcher.notify.wording import localise
from watcher.report import plots
from watcher.report.plots import Column, Columns
from watcher.report.standing import Risk, Standing
from watcher.resources.calls import HOUR, HourOfCalls
from watcher.resources.changes import Change
from watcher.rules import commands
from watcher.rules.idle_words import idle_span
from watcher.rules.keep_words import keep_doubt
from watcher.rules.text import duration, one_line
from watcher.web.render import Words

_CALLS = (
    ("ok", "answered"),
    ("failed", "refused or failed"),
    ("unclear", "of unknown status"),
    ("unread", "not read: unknown"),
)
#: So many hours are drawn one by one.
_HOURS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentShown:
    """All that the template needs beside the sheet."""

    title: str
    kind: str
    word: str
    sentence: Markup
    picture: Markup
    by_hour: Markup
    by_day: Markup
    call_legend: Markup
    calls_text: str
    clock: Sequence[tuple[str, Markup]]
    money: Sequence[tuple[str, str, str]]  #: what, how much, and how that is known
    call_command: str  #: what resets the clock; "": no call does
    remarks: Sequence[str]


def deployment_shown(sheet: DeploymentSheet, words: Words, *, now: datetime, zone: ZoneInfo) -> DeploymentShown:
    """The words and pictures of a deployment."""
    file = sheet.file
    assert file.deployment is not None and file.account is not None
    one, standing = file.deployment.deployment, file.standing
    kind, word = risk_badge(standing) if standing else ("plain", file.deployment.outcome or "ended")
    hours, days = _hours(sheet, zone), _days(sheet, zone)
    can_be_called = standing is not None and standing.risk is not Risk.EXEMPT and not standing.expires
    return DeploymentShown(
        title=one_line(one.name),
        kind=kind,
        word=word,
        sentence=_sentence(standing, words) if standing else _end(sheet, words, zone),
        picture=deletion_bar(standing, now) if standing and standing.risk is not Risk.EXEMPT else Markup(""),
        by_hour=plots.columns(Columns(id="by-hour", title="Calls by hour", text=_told(hours, "hours"), columns=hours)),
        by_day=plots.columns(Columns(id="by-day", title="Calls by day", text=_told(days, "days"), columns=days)),
        call_legend=plots.legend(
            (
                ("ok", "answered"),
                ("failed", "refused or failed"),
                ("unclear", "of unknown status"),
                ("unread", "not read: unknown"),
            )
        ),
        calls_text=_total(sheet),
        clock=tuple(_clock(standing, words, now, zone)) if standing else (),
        money=tuple(_money(sheet, now)),
        call_command=commands.call_deployment(file.account, one) if can_be_called else "",
        remarks=[f"{text[:1].upper()}{text[1:]}." for text in keep_doubt(one)],
    )


def _end(sheet: DeploymentSheet, words: Words, zone: ZoneInfo) -> Markup:
    """How it ended, as far as anybody says."""
    one = sheet.file.deployment
    assert one is not None
    seen = words.past(one.ended_at)
    if one.outcome == Change.REPLACED.value:
        return Markup("It was replaced by another of its name, seen {}.").format(seen)
    cause = localise(one_line(sheet.file.cause), zone)
    return Markup("It is gone, seen {}{}.").format(seen, f": {cause}" if cause else "")


def _sentence(standing: Standing, words: Words) -> Markup:
    """Whether it will be deleted."""
    match standing.risk:
        case Risk.EXEMPT if not standing.is_fine_tuned:
            return _text("It serves a base model, and Azure deletes no deployment of one for idleness.")
        case Risk.EXEMPT:
            return _text(f"Not at risk: {standing.basis}.")
        case Risk.UNKNOWN:
            since = words.past(standing.unknown_since) if standing.unknown_since else ""
            known = Markup(" It was last known {}.").format(since) if since else Markup("")
            return Markup("Whether it will be deleted soon is unknown: {}.{}").format(
                standing.unknown_because or "nothing dates its clock", known
            )
        case Risk.SAFE:
            return Markup("Even if nobody calls it again, Azure's rules let it stand until {} at least.").format(
                words.at(standing.deletion_earliest)
            )
    earliest, latest, left = standing.deletion_earliest, standing.deletion_latest, standing.left
    how = "; calls do not change that" if standing.expires else ", unless it is called"
    if earliest is None or left is None:
        text = Markup("An alert says that it is at risk, and what that rests on can no longer be read.")
    elif left < timedelta():
        text = Markup("Its deletion was due by {}; it still stood when it was last read.").format(words.at(latest))
    elif not left:
        text = Markup("Azure may delete it at any moment{}.").format(how)
    else:
        text = Markup("Azure may delete it {}, from {} on{}.").format(words.ahead(earliest), words.at(earliest), how)
    if latest is not None and latest != earliest and left:
        text += Markup(" By Azure’s rule it goes {} at the latest.").format(words.at(latest))
    if standing.unknown_because:
        text += Markup(" That rests on its last evidence: {}.").format(standing.unknown_because)
    return text


def _clock(standing: Standing, words: Words, now: datetime, zone: ZoneInfo) -> Iterator[tuple[str, Markup]]:
    """What is added to what."""
    if standing.risk is Risk.EXEMPT:
        return
    if standing.basis and standing.risk is not Risk.UNKNOWN:  # what was not read dates nothing
        yield "Starts", _text(localise(standing.basis, zone))
        if standing.lifetime is not None:
            then = "after which it may be removed, called or not" if standing.expires else "without a call"
            yield "Runs", _text(f"{duration(standing.lifetime)} {then}")
        if standing.idle_since is not None:
            said = "Idle" if is_idle(standing, now) else "Calls since"
            span = idle_span(standing.idle_since, standing.usage, now, is_bounded=standing.is_bounded)
            yield said, _text(localise(span, zone))
        if standing.deletion_earliest is not None:
            yield "Earliest", words.at(standing.deletion_earliest)
            if not standing.expires:
                yield "Latest", words.at(standing.deletion_latest, missing="none can be named")
        for doubt in standing.doubts:
            yield "But", _text(localise(doubt, zone))
    usage = standing.usage
    if usage is None:
        yield "Calls", words.at(None, missing="unknown: they were not read")
        return
    yield "Calls read", Markup("from {} to {}").format(words.at(usage.read_from), words.at(usage.read_to))
    for name, at in (("Last answered", usage.last_success_at), ("Last refused", usage.last_failure_at)):
        yield name, Markup("in the hour from {}").format(words.at(at)) if at else _text("none in that time")


def _text(text: str) -> Markup:
    return Markup("{}").format(text)


def _money(sheet: DeploymentSheet, now: datetime) -> Iterator[tuple[str, str, str]]:
    money, cost = sheet.money, sheet.life.cost
    if money is not None:
        if isinstance(money.price, Price):
            yield "By the hour", money.price.rate.text, money.price.origin(now)
        else:
            yield "By the hour", "unknown", money.price.because
    spent = cost.cost
    span = f"{duration(cost.end - cost.begin)}{'' if money is None else ', to now'}"
    if isinstance(spent, Unknown):
        yield "To date", "unknown", spent.because
    else:
        yield "To date", spent.text, ". ".join((span, *(text.rstrip(".") for text in cost.remarks)))
    if money is None or money.is_free:
        return
    if isinstance(money.idle, IdleMoney):
        least = "at least " if money.is_least else ""
        yield "Idle so far", f"{least}{money.idle.so_far.text}", f"{money.idle.per_day.text} a day"
        if money.idle.rest is not None:
            yield "Until deletion", money.idle.rest.text, "from now on, if nobody acts"
    elif isinstance(money.idle, Unknown):
        yield "Idle so far", "unknown", money.idle.because
    elif sheet.file.standing is not None and sheet.file.standing.unknown_because:
        yield "Idle so far", "unknown", sheet.file.standing.unknown_because


def _hours(sheet: DeploymentSheet, zone: ZoneInfo) -> tuple[Column, ...]:
    end = sheet.now - timedelta(seconds=sheet.now.timestamp() % HOUR.total_seconds())
    starts = [end - HOUR * number for number in range(_HOURS - 1, -1, -1)]
    return tuple(
        _column(
            sheet,
            at,
            at + HOUR,
            [sheet.calls.hours.get(at)],
            words=f"{local:%d %b %H:%M}",
            label=_hour_label(local),
        )
        for at in starts
        for local in (at.astimezone(zone),)
    )


def _hour_label(local: datetime) -> str:
    return f"{local.day} {local:%b}" if local.hour == 0 else "12:00" if local.hour == 12 else ""


def _days(sheet: DeploymentSheet, zone: ZoneInfo) -> tuple[Column, ...]:
    by_day: dict[str, list[HourOfCalls | None]] = {}
    for at, one in sheet.calls.hours.items():
        by_day.setdefault(f"{at.astimezone(zone):%Y-%m-%d}", []).append(one)
    today = sheet.now.astimezone(zone).date()
    found = []
    for number in range(DAYS.days - 1, -1, -1):
        day = today - timedelta(days=number)
        begin = datetime(day.year, day.month, day.day, tzinfo=zone)
        after = day + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone)
        label = f"{day.day} {day:%b}" if number % 7 == 0 else ""
        found.append(_column(sheet, begin, end, by_day.get(day.isoformat(), []), words=f"{day:%a %d %b}", label=label))
    return tuple(found)


def _column(
    sheet: DeploymentSheet,
    begin: datetime,
    end: datetime,
    hours: Sequence[HourOfCalls | None],
    *,
    words: str,
    label: str,
) -> Column:
    """The calls of some hours; unread where not all of the time was read in which there could have been any."""
    calls = [one for one in hours if one is not None]
    ok, failed = sum(one.ok for one in calls), sum(one.other - one.unclear for one in calls)
    unclear = sum(one.unclear for one in calls)
    newest = max((high for _, high in sheet.coverage.spans), default=begin)
    is_under_way = end > sheet.now and begin <= newest
    is_unread = not sheet.coverage.holds(begin, min(end, newest) if is_under_way else end)
    said = f"{words}: {ok:,.0f} answered"
    said += "".join(
        f", {count:,.0f} {what}"
        for count, what in ((failed, "refused or failed"), (unclear, "of unknown status"))
        if count
    )
    if is_unread:
        said = f"{words}: not all of it was read{f', {ok + failed + unclear:,.0f} calls at least' if calls else ''}"
    parts = (("ok", ok), ("failed", failed), ("unclear", unclear))
    return Column(words=said, label=label, parts=parts, is_unread=is_unread)


def _told(columns: Sequence[Column], unit: str) -> str:
    ok = sum(height for one in columns for kind, height in one.parts if kind == "ok")
    unread = sum(one.is_unread for one in columns)
    missing = f" {unread} of them were not read whole." if unread else ""
    return f"{ok:,.0f} answered calls in the last {len(columns)} {unit}.{missing}"


def _total(sheet: DeploymentSheet) -> str:
    ok = sum(one.ok for one in sheet.calls.hours.values())
    other = sum(one.other for one in sheet.calls.hours.values())
    if not sheet.coverage.spans:
        return "Its calls are unknown: no metrics of the account were read."
    is_whole = sheet.coverage.holds(sheet.begin, max(high for _, high in sheet.coverage.spans))
    if not ok and not other:
        return f"No call in the last {DAYS.days} d{'' if is_whole else ', as far as they were read'}."
    least = "" if is_whole else "At least "
    return (
        f"{least}{ok:,.0f} answered and {other:,.0f} other calls in the last {DAYS.days} d, as far as they were read."
    )


def risk_badge(standing: Standing) -> tuple[str, str]:
    """Class and word."""
    match standing.risk:
        case Risk.SAFE:
            return "good", "safe for now"
        case Risk.EXEMPT:
            return "plain", "not deleted"
        case Risk.UNKNOWN:
            return "unknown", "unknown"
    left = standing.left
    if left is None:
        return "warning", "at risk"
    if left < timedelta():
        return "critical", "overdue"
    kind = "critical" if left <= timedelta(days=1) and not standing.expires else "warning"
    return (kind if left <= timedelta(days=3) else "info"), "expires" if standing.expires else "at risk"


def deletion_when(standing: Standing, words: Words) -> Markup:
    """`in 3 d 4 h`, `at any moment`, `unknown`."""
    if standing.risk is Risk.EXEMPT:
        return Markup('<span class="dim">never</span>')
    if standing.left is not None and standing.left < timedelta() and standing.deletion_latest is not None:
        return words.ahead(standing.deletion_latest)
    if standing.left is not None and not standing.left:
        return Markup("{}").format("at any moment")
    return words.ahead(standing.deletion_earliest)


def deletion_bar(standing: Standing, now: datetime) -> Markup:
    """The bar; empty where nothing dates it."""
    earliest, lifetime = standing.deletion_earliest, standing.lifetime
    kind, word = risk_badge(standing)
    if earliest is None or not lifetime:
        return plots.deadline_bar("Its deletion is unknown", 0.0, kind="unknown")
    share = 1 - max((earliest - now) / lifetime, 0.0)
    latest = standing.deletion_latest
    part = None
    if latest is not None and latest - earliest > lifetime / 20:
        part = lifetime / (lifetime + (latest - earliest))
    left = duration(earliest - now) if earliest > now else "nothing"
    return plots.deadline_bar(f"{word}: {share:.0%} of its time is over, {left} left", share, kind=kind, latest=part)
