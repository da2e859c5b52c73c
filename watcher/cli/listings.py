"""`jobs` and `accounts`: what was seen last, with filters."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import (
    AccountOption,
    ConfigOption,
    JsonOption,
    OwnerOption,
    SinceOption,
    query_of,
)
from watcher.cli.options import (
    since as since_of,
)
from watcher.cli.table import Column, table, wrap

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.resources.snapshot import Section
    from watcher.store.listings import WatchedAccount

StatusOption = Annotated[
    list[str] | None, typer.Option("--status", metavar="WORD", help="Only with this status; may be repeated.")
]


def jobs(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: StatusOption = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tuning jobs, the newest first. With --since those created, or changed in status, since then."""
    from watcher.answers import listings as answers
    from watcher.cli.wording import JOB_STYLES, eta, lasting
    from watcher.report.records import document
    from watcher.settings import frame_of
    from watcher.store import listings

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    frame = frame_of(settings, now)
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    query = query_of(account=account, status=status, owner=owner, since=since_at)
    with desk.store(settings) as store:
        watched = store.read_now(listings.accounts)
        shown = store.read_now(answers.jobs, frame, query).items
    if as_json:
        desk.document(document("jobs", [row.record(frame) for row in shown], now=now))
        return
    columns = [
        Column("ACCOUNT", 8),
        Column("JOB", 14, keeps_end=False),
        Column("MODEL", 8),
        Column("STATUS", 9),
        Column("FOR", 9, is_whole=True),
        Column("ETA", 13, is_whole=True),
    ]
    rows: list[list[Any]] = [
        [
            row.seen.account.label,
            (job := row.one.job).id,
            job.model,
            (job.raw_status or job.status.value, JOB_STYLES.get(job.status.value, "")),
            lasting(row.one.status_since, now, is_dated=row.one.is_status_dated),
            eta(job, now),
        ]
        for row in shown
    ]
    desk.lines(table(columns, rows, desk.width))
    footnotes(desk, settings, watched, account, section="jobs")


def accounts(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="WORD", help="Only ok, gaps or unread; may be repeated."),
    ] = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accounts, and how much of each could be seen. With --since only those first seen since then."""
    from watcher.answers import listings as answers
    from watcher.report.records import document
    from watcher.settings import frame_of

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    query = query_of(account=account, status=status, owner=owner, since=since_at)
    with desk.store(settings) as store:
        shown = store.read_now(answers.accounts, frame_of(settings, now), query).items
    if as_json:
        desk.document(document("accounts", [answers.watched_record(one) for one in shown], now=now))
        return
    columns = [
        Column("ACCOUNT", 10),
        Column("OWNER", 12),
        Column("STATUS", 6),
        Column("JOBS", 8, is_whole=True),
        Column("DEPL", 8, is_whole=True),
        Column("METRICS", 6, is_whole=True),
        Column("FILES", 6, is_whole=True),
        Column("MODELS", 6, is_whole=True),
    ]
    desk.lines(table(columns, [_account_cells(one, now) for one in shown], desk.width))
    if shown:
        desk.lines(wrap("Jobs under way and deployments are counted; times are those of the readings.", desk.width))
    stopped_footnote(desk, settings, shown)
    for one in shown:
        for text in _not_seen(one):
            desk.lines(wrap(f"{one.account.label}: {text}", desk.width, style="yellow"))


_SOURCES = {
    "configuration": "config",
    "label of the account in the configuration": "config",
    "tag of the account": "tag",
    "tag of the resource group": "group's tag",
}


def _account_cells(one: "WatchedAccount", now: datetime) -> list[Any]:
    """An account with its owner and where that is from, and how old what is known of it is."""
    from watcher.report.records import account_status
    from watcher.resources.snapshot import Section
    from watcher.rules.labels import owner_of

    account, reading = one.account, one.reading
    owner = owner_of(account)
    source = _SOURCES.get(owner.source, "")
    state = account_status(reading, one.polled_at)
    return [
        account.label,
        f"{owner.name} ({source})" if source else owner.name,
        (state, {"ok": "green", "gaps": "yellow"}.get(state, "")),
        _seen_cell(one, Section.JOBS, reading.jobs_at, now, reading.jobs),
        _seen_cell(one, Section.DEPLOYMENTS, reading.deployments_at, now, reading.deployments),
        _seen_cell(one, Section.METRICS, reading.usage_at, now),
        _seen_cell(one, Section.FILES, reading.files_at, now),
        _seen_cell(one, Section.MODELS, reading.models_at, now),
    ]


def _seen_cell(
    one: "WatchedAccount",
    section: "Section",
    at: datetime | None,
    now: datetime,
    items: "Sequence[object] | None" = None,
) -> Any:
    """`2, 5 min`: how many, and how old that is; yellow where something is missing."""
    from watcher.cli.wording import past

    age = past(at, now, missing="never").removesuffix(" ago").replace("just now", "now")
    text = age if items is None else f"{len(items)}, {age}"
    return text, "yellow" if any(gap.section is section for gap in one.reading.gaps) else ""


def _not_seen(one: "WatchedAccount") -> "Iterator[str]":
    """What could not be read of an account, one reason at a time."""
    from watcher.rules.sight import REASONS

    by_reason: dict[Any, list[str]] = {}
    for gap in one.reading.gaps:
        by_reason.setdefault(gap.reason, []).append(gap.section.value)
    for reason, sections in by_reason.items():
        yield f"not seen: {', '.join(dict.fromkeys(sections))} ({REASONS[reason]})"


def stopped_footnote(desk: Desk, settings: "Config", watched: "Sequence[WatchedAccount]") -> None:
    """Under a table: that nothing has been read of late, so that all of it is old."""
    from watcher.answers.status import newest_of, stopped_at
    from watcher.rules.text import ago, moment

    now = desk.now()
    every = max(settings.poll.active, settings.poll.quiet)
    if (at := stopped_at(newest_of(watched), now, every=every)) is not None:
        text = f"NOTHING was read since {moment(at)}, {ago(at, now)}: does watcher run? Nothing above is newer"
        desk.lines(wrap(text, desk.width, style="yellow"))


def footnotes(
    desk: Desk, settings: "Config", watched: "Sequence[WatchedAccount]", globs: list[str] | None, *, section: str
) -> None:
    """Under a table: the accounts of which it cannot be up to date."""
    from watcher.answers.query import fits
    from watcher.rules.text import counted

    stopped_footnote(desk, settings, watched)
    chosen = [one for one in watched if fits(globs, one.account.label, one.account.name)]
    relevant = {section, "metrics"} if section == "deployments" else {section}
    blind = [
        one
        for one in chosen
        if any(gap.section.value in relevant for gap in one.reading.gaps)
        or (one.reading.jobs if section == "jobs" else one.reading.deployments) is None
    ]
    if not chosen:
        desk.say("no account is known yet" if not globs else "no account of this name is known", "yellow")
    elif blind:
        names = ", ".join(one.account.label for one in blind[:3]) + ("…" if len(blind) > 3 else "")
        were = "was" if len(blind) == 1 else "were"
        text = f"{counted(len(blind), 'account')} {were} not seen whole ({names}): see watcher accounts"
        desk.lines(wrap(text, desk.width, style="yellow"))
