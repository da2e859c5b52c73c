"""`models` and `files`: what lies in the accounts, what it came from, and what uses it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import AccountOption, ConfigOption, JsonOption, OwnerOption, SinceOption, query_of
from watcher.cli.options import since as since_of
from watcher.cli.table import Column, table, wrap

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.config import Config
    from watcher.report.holdings import FileRow, ModelRow
    from watcher.resources.lineage import Holding
    from watcher.resources.snapshot import Section

#: Accounts of which a listing says that they were not seen.
_MOST_UNSEEN = 5


def models(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="WORD", help="Only deployed, undeployed or unknown; may be repeated."),
    ] = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Custom models: what they came from, where they are deployed, when they retire. With --since those made since."""
    from watcher.answers import holdings as answers
    from watcher.report.holdings import model_record
    from watcher.report.records import document
    from watcher.resources.snapshot import Section
    from watcher.store import inventory

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    query = query_of(account=account, status=status, owner=owner, since=since_at)
    with desk.store(settings) as store:
        held = store.read_now(inventory.load, now=now, owner_tag=settings.azure.discovery.owner_tag)
    shown = answers.models_of(held, query).items
    if as_json:
        desk.document(document("models", [model_record(row) for row in shown], now=now))
        return
    columns = [
        Column("MODEL", 16, is_id=True),
        Column("BASE", 12),
        Column("ACCOUNT", 7),
        Column("JOB", 10),
        Column("AGE", 4),
        Column("DEPLOYED", 16, keeps_end=False),
        Column("RETIRES", 11),
    ]
    desk.lines(table(columns, [_model_cells(row, now) for row in shown], desk.width))
    chosen = [one for one in held.holdings if query.fits_account(one.account.label, one.account.name)]
    if doubt := next((row.unread_because for row in shown if row.unread_because), ""):
        desk.lines(wrap(f"There may be more deployments: {doubt}.", desk.width, style="yellow"))
    _unseen(desk, chosen, Section.MODELS, now)


def _model_cells(row: "ModelRow", now: "datetime") -> list[Any]:
    from watcher.resources.model import Certainty

    deployed: Any = ", ".join(f"{label}/{one.name}" for label, one in row.deployments)
    if not deployed:
        deployed = ("unknown", "magenta") if row.unread_because else ("nowhere", "dim")
    retires: Any = ("unknown", "dim")
    if row.retires is not None and (row.retires.is_retired or row.retires.at is None):
        retires = ("retired", "red")
    elif row.retires is not None and row.retires.at is not None:
        mark = "?" if row.retires.certainty in (Certainty.TENTATIVE, Certainty.TABLE) else ""
        retires = (f"{row.retires.at:%Y-%m-%d}{mark}", "red" if row.retires.at <= now else "")
    return [
        row.model.id,
        "" if row.base and row.model.id.startswith(row.base) else row.base or "unknown",  # most names begin with it
        row.account.label,
        row.model.job or "unknown",
        _age(row.model.created_at, now),
        deployed,
        retires,
    ]


def files(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="WORD", help="Only with this status, or unused; may be repeated."),
    ] = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Files of fine-tuning, what uses them, and how near each account is to its limits. --since: those new since."""
    from watcher.answers import holdings as answers
    from watcher.report.holdings import file_record
    from watcher.report.records import document
    from watcher.resources.snapshot import Section
    from watcher.settings import frame_of
    from watcher.store import inventory, listings

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    frame = frame_of(settings, now)
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    query = query_of(account=account, status=status, owner=owner, since=since_at)
    with desk.store(settings) as store:
        held = store.read_now(inventory.load, now=now, owner_tag=frame.owner_tag)
        recorded = store.read_now(listings.jobs)
    shown = answers.files_of(held, (one.job for one in recorded), frame, query).items
    chosen = [one for one in held.holdings if query.fits_account(one.account.label, one.account.name)]
    if as_json:
        usage = [_usage_record(one, settings) for one in chosen]
        desk.document(document("files", [file_record(row) for row in shown], now=now, usage=usage))
        return
    by_account: dict[str, list[FileRow]] = {}
    for row in shown:
        by_account.setdefault(row.account.key, []).append(row)
    for holding in chosen:
        if holding.files is None or (holding.account.key not in by_account and (status or owner or since)):
            continue
        _account_files(desk, holding, by_account.get(holding.account.key, []), settings, now)
    _unseen(desk, chosen, Section.FILES, now)


#: Shorter words for the usual ones; `--json` has Azure's own.
_PURPOSES = {"fine-tune": "data", "fine-tune-results": "results"}


def _account_files(
    desk: Desk, holding: "Holding", rows: "Iterable[FileRow]", settings: "Config", now: "datetime"
) -> None:
    from watcher.rules.labels import owner_of
    from watcher.rules.text import ago

    read = f"read {ago(holding.files_at, now)}" if holding.files_at else "never read"
    owner = owner_of(holding.account).name
    desk.lines(wrap(f"{holding.account.label} ({owner}), {read}", desk.width, style="bold"))
    columns = [
        Column("FILE", 14, keeps_end=False),
        Column("NAME", 8),
        Column("PURPOSE", 7, keeps_end=False),
        Column("STATUS", 9),
        Column("SIZE", 8, is_number=True),
        Column("AGE", 4),
        Column("USED BY", 8),
        Column("OWNER", 6),
    ]
    cells = [_file_cells(row, now) for row in rows]
    if cells:
        desk.lines(table(columns, cells, desk.width, indent=2))
    record = _usage_record(holding, settings)
    for line in _limits(record):
        near = line[1] is not None and line[1] >= settings.rules.limit_near.at_percent
        desk.lines(wrap(line[0], desk.width, indent=2, style="yellow" if near else "dim"))
    desk.say("")


def _file_cells(row: "FileRow", now: "datetime") -> list[Any]:
    from watcher.rules.labels import owner_of
    from watcher.rules.text import size

    file = row.file
    used: Any = ("unknown", "magenta")
    if row.used_by is not None:
        first = row.used_by[0] if row.used_by else ""
        used = f"{first} and {len(row.used_by) - 1} more" if len(row.used_by) > 1 else first or ("nothing", "dim")
    status = file.raw_status or file.status.value
    return [
        file.id,
        file.filename or "unknown",
        _PURPOSES.get(file.purpose, file.purpose),
        (status, "red" if file.status.value == "error" else ""),
        "unknown" if file.bytes is None else size(file.bytes),
        _age(file.created_at, now),
        used,
        "" if row.owner == owner_of(row.account).name else row.owner,  # most files are the account's owner's
    ]


def _usage_record(holding: "Holding", settings: "Config") -> dict[str, Any]:
    """How much of Azure's limits an account uses; the limits are as configured, not read from the service."""
    from watcher.resources.snapshot import Section

    is_offered = Section.FILES not in holding.not_offered
    limits, held = settings.rules.limit_near, holding.files if is_offered else None
    return {
        "account": holding.account.label,
        "account_id": holding.account.id,
        "files": None if held is None else len(held),
        "files_limit": limits.files or None,
        "bytes": None if held is None else sum(file.bytes or 0 for file in held),
        "bytes_limit": limits.file_bytes or None,
        "files_of_unknown_size": None if held is None else sum(file.bytes is None for file in held),
        "is_offered": is_offered,
    }


def _limits(usage: dict[str, Any]) -> list[tuple[str, float | None]]:
    """The line under an account's files, with the larger of the shares that are used up."""
    from watcher.rules.text import counted, size

    if not usage["is_offered"]:
        return [("the service offers no list of files here, so how much of its limits is used is not known", None)]
    parts, shares = [], []
    for key, shown in (("files", str), ("bytes", size)):
        used, limit = usage[key], usage[f"{key}_limit"]
        text = f"{shown(used)} of {shown(limit)}" if limit else shown(used)
        parts.append(f"files {text}" if key == "files" else text)
        shares += [used * 100 / limit] if limit else []
    if unknown := usage["files_of_unknown_size"]:
        parts.append(f"{counted(unknown, 'file')} of unknown size not counted")
    return [(", ".join(parts), max(shares, default=None))]


def _unseen(desk: Desk, chosen: "Iterable[Holding]", section: "Section", now: "datetime") -> None:
    """Under a table: of which accounts it cannot be up to date, and why."""
    from watcher.resources.snapshot import Section
    from watcher.rules.holdings import unread
    from watcher.rules.text import ago, counted, few

    chosen = list(chosen)
    if not chosen:
        desk.say("no account is known here", "yellow")
    doubts = [doubt for holding in chosen if (doubt := unread(holding, section)) is not None]
    silent = [holding.account.label for holding in chosen if section in holding.not_offered]
    if silent and section is Section.MODELS:  # of files each account's own line says it
        named = few(silent, _MOST_UNSEEN)
        text = f"not offered: the service has no list of models in {named}; of it are shown those that jobs have made"
        desk.lines(wrap(text, desk.width, style="dim"))
    for doubt in doubts[:_MOST_UNSEEN]:
        since = f"; last read {ago(doubt.since, now)}" if doubt.since else ""
        desk.lines(wrap(f"not seen: {doubt.because}{since}", desk.width, style="yellow"))
    if len(doubts) > _MOST_UNSEEN:
        more = len(doubts) - _MOST_UNSEEN
        desk.say(f"… and {counted(more, 'account')} more: see watcher accounts", "yellow")


def _age(at: "datetime | None", now: "datetime") -> str:
    """In its largest unit alone: `3 d`."""
    from watcher.rules.text import duration

    return "unknown" if at is None else " ".join(duration(now - at).split()[:2])
