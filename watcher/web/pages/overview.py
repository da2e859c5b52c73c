"""`/`: whether anything needs whoever looks, and why."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.alerts.summary import summary_at
from watcher.answers import overview
from watcher.answers.overview import Bar, Overview, Running
from watcher.notify.wording import localise
from watcher.report import plots
from watcher.report.coverage import SELDOM
from watcher.report.records import account_status
from watcher.report.standing import Risk
from watcher.report.summary import Summary
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.snapshot import Section
from watcher.rules.finding import Severity
from watcher.rules.labels import owner_of
from watcher.rules.pace import percentile
from watcher.rules.sight import REASONS
from watcher.rules.text import counted, duration, few, one_line
from watcher.store.listings import WatchedAccount
from watcher.web.access import Person
from watcher.web.kept import Kept
from watcher.web.pages import Room, get
from watcher.web.pages.deployment_words import deletion_bar, deletion_when, risk_badge
from watcher.web.pages.job_words import status_kind
from watcher.web.pages.money import cost_words, grouped
from watcher.web.render import Words
from watcher.web.site import Health

#: Above this share of those that are usual something is late.
_LATE = 0.95
#: So many say what is usual.
_ENOUGH = 3


def routes(room: Room) -> list[Route]:
    """`/`."""
    site = room.site

    def make(tx: Connection) -> Markup:
        now = site.clock()
        settings = site.settings()
        inhibitions = () if settings.routing is None else settings.routing.inhibitions
        found = overview.load(tx, settings.frame(now), settings.book, inhibitions=inhibitions)
        return body(room, found, site.health())

    kept = Kept(site.store, make, under=site.settings)

    async def view(request: Request, person: Person) -> Response:
        made = await kept.get(is_live="x-live" in request.headers)
        said = room.pages.board.find(request)
        return room.pages.page("overview.html", person, at="/", title="Overview", said=said, body=made)

    return [get(room, "/", view)]


def body(room: Room, found: Overview, health: Health) -> Markup:
    """All but what differs from visitor to visitor."""
    summary = found.summary
    now = summary.now
    zone = room.site.settings().zone
    words = Words(now=now, zone=zone)
    severities = Counter(one.alert.severity.value for one in summary.firing)
    severities[Severity.INFO.value] += sum(summary.for_reports.values())
    return room.pages.part(
        "_overview.html",
        now=now,
        o=found,
        verdict=verdict(found, health, zone),
        rests_on=rests_on(summary),
        counts={one.value: severities[one.value] for one in Severity},
        reasons=REASONS,
        grouped=grouped,
        few=few,
        seldom={section.value for section in SELDOM},
        summary_of=lambda alert: localise(summary_at(alert, now), zone),
        blind=bool(found.blind) or not summary.accounts or not summary.is_discovery_complete,
        dead=any(one.state == "dead" for one in summary.undelivered),
        bars=[_bar(one, words, now) for one in found.bars],
        running=[_running(one, words, now) for one in found.running],
        accounts=[_account(one) for one in found.accounts],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether anything needs whoever looks, in one sentence."""

    kind: str  #: class of the sheet
    word: str
    sentence: str
    beside: tuple[str, ...] = ()


#: What is said of a section: where what follows it was read.
_READ = {Section.JOBS: "jobs", Section.DEPLOYMENTS: "deployments", Section.METRICS: "calls"}


def rests_on(summary: Summary) -> str:
    """How old the readings are on which the verdict rests: of each section the oldest, and the oldest of all first.

    The calls of what is far from its deletion are read seldom, so the time of the last cycle would promise too much.
    """
    found = [(one.oldest_at, _READ[one.section]) for one in summary.seen if one.section in _READ and one.oldest_at]
    ages = [f"of {what} up to {_at_most(summary.now - at)}" for at, what in sorted(found)]
    if not ages:
        return ""
    return f"This rests on readings {', '.join((f'{ages[0]} old', *ages[1:]))}."


def _at_most(age: timedelta) -> str:
    """`1 d 11 h`, `44 min`: rounded up."""
    unit = timedelta(hours=1) if age > timedelta(days=1) else timedelta(minutes=1)
    return duration(max(-(-age // unit), 1) * unit)


def verdict(found: Overview, health: Health, zone: ZoneInfo) -> Verdict:
    """The answer. Never good where something could not be seen."""
    summary = found.summary
    beside = tuple(_beside(found, health))
    if found.heard:
        first, more = found.heard[0].alert, len(found.heard) - 1
        is_critical = first.severity is Severity.CRITICAL
        text = localise(one_line(summary_at(first, summary.now)), zone).rstrip(".")
        rest = f", and {counted(more, 'other alert')} beside it" if more else ""
        kind = "critical" if is_critical else "warning"
        return Verdict(
            kind=kind, word="Look now" if is_critical else "Look today", sentence=f"{text}{rest}.", beside=beside
        )
    if any(one.state == "dead" for one in summary.undelivered):
        count = sum(one.state == "dead" for one in summary.undelivered)
        sentence = f"{counted(count, 'message')} could not be delivered: somebody was not told."
        return Verdict(kind="critical", word="Look now", sentence=sentence, beside=beside)
    if not health.is_alive:
        return Verdict(kind="critical", word="Look now", sentence="The watcher stands still.", beside=beside)
    if not summary.accounts:
        return Verdict(
            kind="unknown", word="Unknown", sentence="Nothing can be said yet: no account has been seen.", beside=beside
        )
    if found.blind or not summary.is_discovery_complete or summary.unknown:
        return Verdict(
            kind="unknown",
            word="Unclear",
            sentence="Nothing that was seen needs you, but not all was seen.",
            beside=beside,
        )
    looked_after = f" {len(found.hushed)} acknowledged or silenced." if found.hushed else ""
    return Verdict(kind="good", word="All well", sentence=f"Nothing needs you.{looked_after}", beside=beside)


def _beside(found: Overview, health: Health) -> Iterator[str]:
    summary = found.summary
    if not health.is_alive:
        last = health.last_progress_at
        since = f" for {duration(summary.now - last)}" if last else ""
        yield f"The watcher itself has not moved on{since}: what stands here may be old."
    blind = summary.accounts - summary.whole
    if blind:
        of = "The only account" if summary.accounts == 1 else f"{blind} of {summary.accounts} accounts"
        yield f"{of} could not be seen whole, so there may be more."
    elif not summary.is_discovery_complete:
        yield "Discovery was incomplete: there may be accounts that are not known."
    if summary.unknown:
        yield f"Whether {counted(len(summary.unknown), 'deployment')} will be deleted soon is unknown."
    dead = sum(one.state == "dead" for one in summary.undelivered)
    if dead and found.heard:
        yield f"{counted(dead, 'message')} could not be delivered."


@dataclass(frozen=True, slots=True, kw_only=True)
class BarShown:
    """A deployment as it is drawn."""

    account: str
    name: str
    kind: str
    word: str
    when: Markup
    picture: Markup
    cost: str
    note: str
    keep: object


def _bar(bar: Bar, words: Words, now: datetime) -> BarShown:
    standing = bar.one.standing
    kind, word = risk_badge(standing)
    usage = standing.usage
    if standing.risk is Risk.UNKNOWN:
        note = standing.unknown_because
    elif standing.unknown_because:
        note = f"not verified: {standing.unknown_because}"
    elif standing.expires:
        note = "calls do not change that"
    elif usage is not None and usage.last_success_at is not None:
        note = f"last call {duration(now - usage.last_success_at)} ago"
    else:
        note = "no call since it was created" if not standing.is_bounded else "no call that could be seen"
    return BarShown(
        account=bar.one.account.label,
        name=bar.one.deployment.name,
        kind=kind,
        word=word,
        when=deletion_when(standing, words),
        picture=deletion_bar(standing, now),
        cost=cost_words(bar.money),
        note=note,
        keep=bar.keep,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningShown:
    """A job as it is drawn."""

    account: str
    job: FineTuningJob
    kind: str
    word: str
    when: Markup
    picture: Markup
    note: str


def _running(one: Running, words: Words, now: datetime) -> RunningShown:
    job, usual = one.one.job, one.usual
    lasted = (now - one.since).total_seconds() if one.since else None
    span = (percentile(usual, 0.5), percentile(usual, _LATE)) if len(usual) >= _ENOUGH else None
    is_late = one.alert is not None or bool(span and lasted is not None and lasted > span[1])
    verb = "waited" if job.status.is_waiting else "ran"
    if span is None:
        known = f"only {len(usual)} of its kind seen" if usual else "none of its kind was seen to its end"
        note = f"what is usual is unknown: {known}"
    else:
        half, most = (duration(timedelta(seconds=each)) for each in span)
        note = f"of {len(usual)} such jobs half {verb} under {half}, nearly all under {most}"
    if one.alert is not None:
        note = f"{one.alert.alert.finding.rule.replace('_', ' ')} fires; {note}"
    if job.estimated_finish_at is not None:
        ends = job.estimated_finish_at
        note += f"; the service expects its end {f'in {duration(ends - now)}' if ends > now else 'before now, wrongly'}"
    picture = Markup("")
    if lasted is not None:
        least = "" if one.is_dated else "at least "
        said = f"{job.status.value} for {least}{duration(timedelta(seconds=lasted))}; {note}"
        picture = plots.pace_bar(said, lasted, span, is_late=is_late)
    status = job.raw_status or job.status.value
    return RunningShown(
        account=one.one.account.label,
        job=job,
        kind="warning" if is_late else status_kind(job.status.value),
        word=f"{status}, late" if is_late else status,
        when=words.since(one.since) if one.is_dated else Markup("at least {}").format(words.since(one.since)),
        picture=picture,
        note=note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountShown:
    """An account's row."""

    label: str
    kind: str
    word: str
    gaps: tuple[str, ...]
    location: str
    owner: str
    deployments: str
    jobs: str
    polled_at: datetime | None
    jobs_at: datetime | None
    deployments_at: datetime | None
    usage_at: datetime | None


def _account(one: WatchedAccount) -> AccountShown:
    reading = one.reading
    status = account_status(reading, one.polled_at)
    kind, word = {"ok": ("good", "whole"), "unread": ("unknown", "not read yet")}.get(status, ("unknown", "gaps"))
    gaps = dict.fromkeys(f"{gap.section.value}: {REASONS[gap.reason]}" for gap in reading.gaps)
    return AccountShown(
        label=one.account.label,
        kind=kind,
        word=word,
        gaps=tuple(gaps)[:3],
        location=one.account.location,
        owner=owner_of(one.account).name,
        deployments="unknown" if reading.deployments is None else str(len(reading.deployments)),
        jobs="unknown" if reading.jobs is None else str(len(reading.jobs)),
        polled_at=one.polled_at,
        jobs_at=reading.jobs_at,
        deployments_at=reading.deployments_at,
        usage_at=reading.usage_at,
    )
