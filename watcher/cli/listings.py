"""`jobs` and `accounts`: what was seen last, with filters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import (
    AccountOption,
    ConfigOption,
    JsonOption,
    OwnerOption,
    SinceOption,
    fits,
)
from watcher.cli.options import (
    since as since_of,
)
from watcher.cli.table import Column, table, wrap

if TYPE_CHECKING:
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
    from watcher.cli.wording import JOB_STYLES, past
    from watcher.report.records import document, job_record
    from watcher.rules.labels import job_labels
    from watcher.store import listings

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    with desk.store(settings) as store:
        watched = {one.account.key: one for one in store.read_now(listings.accounts)}
        recorded = store.read_now(listings.jobs, since=since_at)
    shown = [
        one
        for one in recorded
        if (seen := watched.get(one.job.account)) is not None
        and fits(account, seen.account.label, seen.account.name)
        and fits(status, one.job.status.value, one.job.raw_status)
        and fits(owner, job_labels(seen.account, one.job)["owner"])
    ]
    if as_json:
        records = [
            job_record(
                (seen := watched[one.job.account]).account,
                one.job,
                status_since=one.status_since,
                first_seen_at=one.first_seen_at,
                is_listed=one.is_listed,
                as_of=seen.reading.jobs_at,
            )
            for one in shown
        ]
        desk.document(document("jobs", records, now=now))
        return
    columns = [
        Column("ACCOUNT", 8),
        Column("JOB", 14, is_id=True),
        Column("MODEL", 8),
        Column("STATUS", 9),
        Column("FOR", 6),
    ]
    rows: list[list[Any]] = [
        [
            watched[one.job.account].account.label,
            one.job.id,
            one.job.model,
            (one.job.raw_status or one.job.status.value, JOB_STYLES.get(one.job.status.value, "")),
            past(one.status_since, now).removesuffix(" ago"),
        ]
        for one in shown
    ]
    desk.lines(table(columns, rows, desk.width))
    footnotes(desk, list(watched.values()), account, section="jobs")


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
    from watcher.cli.wording import past
    from watcher.report.records import account_record, account_status, document
    from watcher.store import listings

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    with desk.store(settings) as store:
        watched = store.read_now(listings.accounts)
    shown = [
        one
        for one in watched
        if fits(account, one.account.label, one.account.name)
        and fits(status, account_status(one.reading, one.polled_at))
        and fits(owner, one.account.labels.get("owner") or one.account.owner)
        and (since_at is None or one.first_seen_at >= since_at)
    ]
    if as_json:
        records = [
            account_record(
                one.account,
                one.reading,
                first_seen_at=one.first_seen_at,
                polled_at=one.polled_at,
                jobs_under_way=len(one.reading.jobs or ()),
            )
            for one in shown
        ]
        desk.document(document("accounts", records, now=now))
        return
    columns = [
        Column("ACCOUNT", 12),
        Column("LOCATION", 8),
        Column("OWNER", 8),
        Column("STATUS", 6),
        Column("POLLED", 10),
        Column("JOBS", 4, is_number=True),
        Column("DEPL", 4, is_number=True),
        Column("NOT SEEN", 8, keeps_end=False),
    ]
    rows: list[list[Any]] = []
    for one in shown:
        reading = one.reading
        state = account_status(reading, one.polled_at)
        gaps = sorted({f"{gap.section.value} ({gap.reason.value})" for gap in reading.gaps})
        rows.append(
            [
                one.account.label,
                one.account.location,
                one.account.labels.get("owner") or one.account.owner,
                (state, {"ok": "green", "gaps": "yellow"}.get(state, "")),
                past(one.polled_at, now, missing="never"),
                "?" if reading.jobs is None else str(len(reading.jobs)),
                "?" if reading.deployments is None else str(len(reading.deployments)),
                ", ".join(gaps),
            ]
        )
    desk.lines(table(columns, rows, desk.width))


def footnotes(desk: Desk, watched: "Sequence[WatchedAccount]", globs: list[str] | None, *, section: str) -> None:
    """Under a table: the accounts of which it cannot be up to date."""
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
        counted = "1 account was" if len(blind) == 1 else f"{len(blind)} accounts were"
        text = f"{counted} not seen whole ({names}): see watcher accounts"
        desk.lines(wrap(text, desk.width, style="yellow"))
