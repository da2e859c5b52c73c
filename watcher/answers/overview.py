"""What the overview shows: the summary, with the money that runs beside deployments, and what is usual beside jobs.

All of it is bounded: of thousands the first few are shown, and how many more there are.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import Connection

from watcher.alerts.inhibition import InhibitRule
from watcher.alerts.keep import Keep
from watcher.answers import status
from watcher.answers.money import Money, Rates, is_idle, money_of
from watcher.answers.query import Frame
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Total, total
from watcher.costs.prices import PriceBook
from watcher.report.coverage import Unseen
from watcher.report.summary import (
    DeploymentStanding,
    FiringAlert,
    RunningJob,
    Summary,
    explained_words,
    folded,
)
from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind, Transition
from watcher.resources.training import Pace
from watcher.rules.accounts import cure_of
from watcher.rules.finding import Severity
from watcher.rules.pace import pace_key
from watcher.store import history, listings, operators, trainings
from watcher.store.listings import WatchedAccount

#: So many of each are shown.
BARS, JOBS, CHANGES, ACCOUNTS = 12, 10, 12, 20
#: Transitions that are looked at for those.
_LOOKED_AT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A deployment that runs towards its deletion."""

    one: DeploymentStanding
    money: Money
    keep: Keep | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A job under way, and how long others of its kind waited or ran."""

    one: RunningJob
    since: datetime | None  #: when it began to wait, or to run; `None`: unknown
    is_dated: bool  #: false: it was only first seen so then
    pace: Pace | None
    alert: FiringAlert | None  #: the loudest that fires about it

    @property
    def usual(self) -> tuple[float, ...]:
        """Seconds that others spent in the phase in which it is, ascending."""
        if self.pace is None:
            return ()
        return self.pace.queued if self.one.job.status.is_waiting else self.pace.ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """What could not be seen, and what mends that."""

    unseen: Unseen
    cure: str  #: "": nothing is known to help but waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A transition, with its account's label; "": the account is not known any more."""

    label: str
    one: Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One screen."""

    summary: Summary
    blind: tuple[Blind, ...]
    heard: tuple[FiringAlert, ...]  #: warnings and worse that nobody keeps quiet or looks after, loudest first
    hushed: tuple[FiringAlert, ...]  #: those that somebody does
    explained: Mapping[
        str, str
    ]  #: by id of those that explain others, which are left out: how many and which, in words
    advice: tuple[tuple[str, int], ...]  #: info alerts, by rule, the most frequent first
    bars: tuple[Bar, ...]
    fine_tuned: int  #: deployments that could have a bar
    idle: Total  #: what all idle deployments have cost since they were last called
    idle_per_day: Total
    idle_count: int
    running: tuple[Running, ...]
    changes: tuple[Changed, ...]
    accounts: tuple[WatchedAccount, ...]  #: those with gaps first
    price_words: str


def load(
    tx: Connection,
    frame: Frame,
    book_of: Callable[[Connection], PriceBook],
    *,
    inhibitions: Sequence[InhibitRule] = (),
) -> Overview:
    """The overview as of the frame's time.

    Args:
        inhibitions: What explains what.
    """
    book = book_of(tx)
    watched = listings.accounts(tx)
    summary = status.summary_of(tx, watched, frame, inhibitions=inhibitions, but_raised=True)
    standings = (*summary.at_risk, *summary.unknown, *summary.safe)
    rates = Rates(book)
    idle = [_money(one, rates, frame.now).idle for one in standings if is_idle(one.standing, frame.now)]
    keeps = {(keep.account.lower(), keep.deployment.lower()): keep for keep in operators.keeps(tx, since=frame.now)}
    shown = folded(summary.firing)
    loud = sorted((one for one, _ in shown if one.alert.severity is not Severity.INFO), key=_urgency)
    rules = Counter(one.alert.finding.rule for one, _ in shown if one.alert.severity is Severity.INFO)
    rules.update(summary.for_reports)
    return Overview(
        summary=summary,
        blind=tuple(_blind(summary.unseen, watched)),
        heard=tuple(one for one in loud if not is_hushed(one)),
        hushed=tuple(one for one in loud if is_hushed(one)),
        explained={one.alert.id: explained_words(some) for one, some in shown if some},
        advice=tuple(sorted(rules.items(), key=lambda one: (-one[1], one[0]))),
        bars=tuple(
            Bar(one=one, money=_money(one, rates, frame.now), keep=_keep(one, keeps)) for one in standings[:BARS]
        ),
        fine_tuned=len(standings),
        idle=total((one.so_far if isinstance(one, IdleMoney) else one for one in idle if one), book.currency),
        idle_per_day=total((one.per_day if isinstance(one, IdleMoney) else one for one in idle if one), book.currency),
        idle_count=len(idle),
        running=tuple(_running(tx, summary)),
        changes=tuple(_changes(tx, watched)),
        accounts=tuple(sorted(watched, key=lambda one: (not _is_odd(one), one.account.label))[:ACCOUNTS]),
        price_words=book.words,
    )


def _urgency(one: FiringAlert) -> tuple[int, bool, str, datetime]:
    """The loudest first; of those that are as loud what is to be deleted soonest, then what has fired longest."""
    deletion = one.alert.finding.values.get("deletion_earliest")
    return -one.alert.severity.rank, deletion is None, str(deletion), one.alert.starts_at


def is_hushed(one: FiringAlert) -> bool:
    """Whether somebody keeps it quiet, or has said that they look after it."""
    return bool(one.silences) or one.alert.acked_at is not None


def _money(one: DeploymentStanding, rates: Rates, now: datetime) -> Money:
    return money_of(one.account, one.deployment, one.standing, rates, now)


def _keep(one: DeploymentStanding, keeps: Mapping[tuple[str, str], Keep]) -> Keep | None:
    name = one.deployment.name.lower()
    return keeps.get((one.account.key, name)) or keeps.get((one.account.label.lower(), name))


def _is_odd(one: WatchedAccount) -> bool:
    return bool(one.reading.gaps) or one.polled_at is None


def _blind(unseen: Sequence[Unseen], watched: Sequence[WatchedAccount]) -> list[Blind]:
    accounts = {one.account.label: one.account for one in watched}
    return [Blind(unseen=one, cure=_cure(one, accounts.get(one.accounts[0]))) for one in unseen]


def _cure(one: Unseen, account: Account | None) -> str:
    """For the first of the accounts: the others want the same, each with its own name."""
    return "" if account is None or one.reason is None else cure_of(account, one.section, one.reason)


def _running(tx: Connection, summary: Summary) -> list[Running]:
    """Those about which an alert fires first, then those that have lasted longest."""
    about: dict[tuple[str, str], FiringAlert] = {}
    for alert in summary.firing:  # the loudest first
        subject = alert.alert.finding.subject
        if subject.kind is ResourceKind.JOB:
            about.setdefault((alert.alert.account, subject.incarnation), alert)

    def rank(one: RunningJob) -> tuple[bool, timedelta, str]:
        since = one.status_since or summary.now
        return (one.account.key, one.job.id) not in about, since - summary.now, one.job.id

    shown = sorted(summary.jobs, key=rank)[:JOBS]
    paces = trainings.paces(tx, [pace_key(one.account, one.job) for one in shown])
    by_account: dict[str, list[str]] = {}
    for one in shown:
        by_account.setdefault(one.account.key, []).append(one.job.id)
    own = {
        (account, job): found
        for account, ids in by_account.items()
        for job, found in trainings.durations(tx, account, ids).items()
    }
    found = []
    for one in shown:
        key = (one.account.key, one.job.id)
        since, is_dated = _since(one, own[key].queued if key in own else None)
        pace = paces.get(pace_key(one.account, one.job))
        found.append(Running(one=one, since=since, is_dated=is_dated, pace=pace, alert=about.get(key)))
    return found


def _since(one: RunningJob, queued: float | None) -> tuple[datetime | None, bool]:
    """When the phase began in which it is, and whether that is known; else it was first seen so then.

    Waiting from its creation on, running from its start on, pauses included.
    """
    job = one.job
    if job.status.is_waiting and job.created_at is not None:
        return job.created_at, True
    if not job.status.is_waiting and queued is not None and job.created_at is not None:
        return job.created_at + timedelta(seconds=queued), True
    return one.status_since, one.is_status_dated


def _changes(tx: Connection, watched: Sequence[WatchedAccount]) -> list[Changed]:
    """The newest; what the first reading of an account found is no change."""
    labels = {one.account.key: one.account.label for one in watched}
    newest = (one for _, one in islice(history.newest(tx), _LOOKED_AT) if not one.is_history)
    return [Changed(label=labels.get(one.account, ""), one=one) for one in islice(newest, CHANGES)]
