"""Counts for the metrics, in a handful of queries however much there is.

Of accounts that have left the scope nothing is counted: nobody looks at them any more.
"""

import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, case, exists, func, select

from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.costs.hosting import hourly
from watcher.costs.prices import Price, PriceBook
from watcher.resources.fine_tuning import ENDED, JobStatus
from watcher.resources.model import model_of
from watcher.store import channels, outbox, schema, state
from watcher.store.channels import Channel
from watcher.store.held import IDLE_RULES, Living, Memory, Open

#: So many countdowns are told one by one, the nearest first; their number says whether there are more.
MOST_COUNTDOWNS = 1000
#: So many SKUs are told apart; Azure may think of new ones.
_MOST_SKUS = 32
_OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What deployments cost, by account's label, at list price. What has no known price stands in no sum."""

    currency: str = ""  #: "": nobody asked
    per_hour: Mapping[str, float] = field(default_factory=dict)  #: hosting of custom models that stand
    idle_so_far: Mapping[str, float] = field(default_factory=dict)  #: of those that an open alert calls idle
    unpriced: Mapping[str, int] = field(default_factory=dict)  #: custom deployments without a known price


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the database is, in bytes."""

    used: int
    disk_free: int | None = None  #: where it lies, for us; `None`: that is elsewhere
    disk_total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the store holds at one time, by labels of little variety: no ids of jobs or alerts."""

    accounts: Mapping[str, int] = field(default_factory=dict)
    """By state: `ok`, `gaps` (something could not be read), `unread` (not tried yet)."""
    gaps: Mapping[tuple[str, str], int] = field(default_factory=dict)  #: accounts, by section and reason
    oldest_reading: Mapping[str, datetime] = field(default_factory=dict)  #: by section
    jobs: Mapping[str, int] = field(default_factory=dict)  #: by status; `unknown`: a listing lacks what was under way
    deployments: Mapping[tuple[str, str], int] = field(default_factory=dict)  #: those that live, by SKU and state
    until_deletion: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Seconds, by account's label and deployment, where an alert dates it; at most `MOST_COUNTDOWNS`."""
    countdowns: int = 0  #: how many there are
    alerts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)  #: open conditions: rule, severity, state
    unverified: int = 0  #: open conditions that rest on older evidence, since what they need was not read
    outbox: Mapping[str, int] = field(default_factory=dict)  #: notifications and reports, by state
    oldest_pending: datetime | None = None  #: wall time; `None`: nothing waits
    channels: tuple[Channel, ...] = ()
    money: Money = Money()
    last_complete_cycle: datetime | None = None
    size: Size | None = None
    skew: timedelta | None = None  #: how far this machine's clock is ahead of the service's; `None`: not measured


def counts(
    tx: Connection,
    now: datetime,
    host: str = "",
    *,
    book: PriceBook | None = None,
    receivers: Collection[str] | None = None,
    memory: Memory | None = None,
) -> Figures:
    """Count everything.

    Args:
        host: The machine whose clock is asked for.
        book: The prices in force; without it nothing is said of money.
        receivers: Those that are configured; `None`: all that were ever told.
        memory: Of the time before; `None`: there was none.
    """
    clock = state.clock(tx, host)
    held = (memory or Memory()).read(tx, now)
    countdowns = _countdowns(held.dated, now)
    nearest = sorted(countdowns.items(), key=lambda one: one[1])[:MOST_COUNTDOWNS]
    undelivered = Counter(outbox.undelivered(tx)) + Counter(_issues(tx))
    return Figures(
        accounts=_accounts(tx),
        gaps=_gaps(tx),
        oldest_reading=_oldest_readings(tx),
        jobs=_jobs(tx),
        deployments=_by_sku_and_state(held.standing),
        until_deletion=dict(nearest),
        countdowns=len(countdowns),
        alerts=held.alerts,
        unverified=held.unverified,
        outbox=dict(undelivered),
        oldest_pending=_oldest_pending(tx),
        channels=tuple(one for one in channels.listed(tx) if receivers is None or one.receiver in receivers),
        money=Money() if book is None else _money(_custom(tx, held.standing), _idle(held.dated, now), book),
        last_complete_cycle=state.at(tx, state.CYCLE_COMPLETED),
        size=_size(tx),
        skew=None if clock is None else clock.skew,
    )


# What is watched


def _accounts(tx: Connection) -> dict[str, int]:
    c = schema.accounts.c
    has_gap = exists(select(1).where(schema.gaps.c.account == c.key))
    kind = case((c.polled_at.is_(None), "unread"), (has_gap, "gaps"), else_="ok")
    rows = tx.execute(select(kind, func.count()).where(c.removed_at.is_(None)).group_by(kind))
    return {"ok": 0, "gaps": 0, "unread": 0} | {state_: count for state_, count in rows}


def _gaps(tx: Connection) -> dict[tuple[str, str], int]:
    a, g = schema.accounts.c, schema.gaps.c
    query = select(g.section, g.reason, func.count(g.account.distinct())).join(schema.accounts, a.key == g.account)
    rows = tx.execute(query.where(a.removed_at.is_(None)).group_by(g.section, g.reason))
    return {(section, reason): count for section, reason, count in rows}


def _oldest_readings(tx: Connection) -> dict[str, datetime]:
    c = schema.accounts.c
    times = {"jobs": c.jobs_at, "deployments": c.deployments_at, "metrics": c.usage_at}
    row = tx.execute(select(*(func.min(at).label(name) for name, at in times.items())).where(c.removed_at.is_(None)))
    return {name: at for name, at in row.one()._mapping.items() if at is not None}


def _jobs(tx: Connection) -> dict[str, int]:
    """From the index over the status, since jobs are many and large; few are taken off again."""
    c, a = schema.jobs.c, schema.accounts.c
    by_status = select(c.status, func.count()).group_by(c.status)
    found = Counter({status: count for status, count in tx.execute(by_status)})
    left = by_status.where(c.account.in_(select(a.key).where(a.removed_at.is_not(None))))
    found.subtract({status: count for status, count in tx.execute(left)})
    under_way = [status.value for status in JobStatus if status not in ENDED]
    lost = by_status.join(schema.accounts, a.key == c.account).where(
        c.status.in_(under_way), ~c.is_listed, a.removed_at.is_(None)
    )
    for status, count in tx.execute(lost):
        found[status] -= count
        found[JobStatus.UNKNOWN.value] += count
    return {status: count for status, count in found.items() if count}


def _by_sku_and_state(standing: Iterable[Living]) -> dict[tuple[str, str], int]:
    found = Counter((one.words.sku, one.words.provisioning_state) for one in standing)
    skus = Counter[str]()
    for (sku, _), count in found.items():
        skus[sku] += count
    known = {sku for sku, _ in skus.most_common(_MOST_SKUS)}
    bounded = Counter[tuple[str, str]]()
    for (sku, state_), count in found.items():
        bounded[sku if sku in known else _OTHER, state_] += count
    return dict(bounded)


def _countdowns(opened: Iterable[Open], now: datetime) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for one in opened:
        if one.rule in COUNTDOWN_RULES and one.deletion_at is not None:
            left = (one.deletion_at - now).total_seconds()
            found[one.place] = min(found.get(one.place, left), left)
    return found


# Money


def _money(custom: Iterable[Living], idle_for: Mapping[tuple[str, str], timedelta], book: PriceBook) -> Money:
    """What custom deployments cost. The price for programs is the higher one where several fit, and what was spent the
    lower, as in alerts."""
    per_hour: dict[str, float] = {}
    idle_so_far: dict[str, float] = {}
    unpriced = Counter[str]()
    known: dict[tuple[str, str, str, int | None], tuple[float, float] | None] = {}
    for one in custom:
        # The operator's table may tell models of one family apart; Azure's own list does not.
        model = one.model if book.terms.table else one.family
        alike = (one.location, model, one.words.sku, one.words.capacity)
        if alike not in known:
            known[alike] = _price(one, book)
        if (bounds := known[alike]) is None:
            unpriced[one.label] += 1
            continue
        low, high = bounds
        idle = idle_for.get(one.life, timedelta()).total_seconds() / 3600
        per_hour[one.label] = per_hour.get(one.label, 0.0) + high
        idle_so_far[one.label] = idle_so_far.get(one.label, 0.0) + low * idle
    return Money(currency=book.currency, per_hour=per_hour, idle_so_far=idle_so_far, unpriced=dict(unpriced))


def _price(one: Living, book: PriceBook) -> tuple[float, float] | None:
    """By the hour, at least and at most."""
    words = one.words
    found = hourly(book, model=one.model, sku=words.sku, capacity=words.capacity, location=one.location)
    return (float(found.rate.low), float(found.rate.high)) if isinstance(found, Price) else None


def _custom(tx: Connection, standing: Iterable[Living]) -> list[Living]:
    """Those of custom models; where a name does not tell, those that some job has made or some account lists."""
    found, others = list[Living](), list[Living]()
    for one in standing:
        (found if one.is_custom else others).append(one)
    wanted = sorted({name for one in others for name in (one.model, model_of(one.model))})
    j, m = schema.jobs.c.fine_tuned_model, schema.models.c.id
    known: set[str] = set()
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        known.update(tx.execute(select(j).where(j.in_(some)).distinct()).scalars())
        known.update(tx.execute(select(m).where(m.in_(some)).distinct()).scalars())
    return found + [one for one in others if one.model in known or model_of(one.model) in known]


def _idle(opened: Iterable[Open], now: datetime) -> dict[tuple[str, str], timedelta]:
    """How long each deployment that an open alert calls idle has been so, as far as that was seen, by key and life."""
    found: dict[tuple[str, str], timedelta] = {}
    for one in opened:
        if one.rule in IDLE_RULES and one.idle_since is not None:
            idle = min(one.unverified_since or now, now) - one.idle_since
            found[one.life] = max(found.get(one.life, timedelta()), idle)
    return found


# What waits, and where it all lies


def _issues(tx: Connection) -> dict[str, int]:
    c = schema.reports.c
    query = select(c.state, func.count()).where(c.state.in_(("pending", "dead"))).group_by(c.state)
    return {state_: count for state_, count in tx.execute(query)}


def _oldest_pending(tx: Connection) -> datetime | None:
    n, r = schema.notifications.c, schema.reports.c
    times = (
        tx.execute(select(func.min(n.queued_at)).where(schema.IS_PENDING)).scalar(),
        tx.execute(select(func.min(r.queued_at)).where(r.state == "pending")).scalar(),
    )
    return min((at for at in times if at is not None), default=None)


def _size(tx: Connection) -> Size | None:
    if tx.dialect.name != "sqlite":
        return Size(used=tx.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    name = tx.engine.url.database
    if not name or name == ":memory:":
        return None
    try:
        files = [Path(f"{name}{ending}") for ending in ("", "-wal")]
        used = sum(file.stat().st_size for file in files if file.exists())
        disk = shutil.disk_usage(Path(name).absolute().parent)
    except OSError:  # it may be moved away at any moment, and then the queries tell
        return None
    return Size(used=used, disk_free=disk.free, disk_total=disk.total)
