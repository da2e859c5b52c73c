"""`deployments`: how each stands against Azure's clocks, with filters."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.listings import footnotes
from watcher.cli.options import AccountOption, ConfigOption, JsonOption, OwnerOption, SinceOption, query_of
from watcher.cli.options import since as since_of
from watcher.cli.table import Column, table, wrap

if TYPE_CHECKING:
    from watcher.report.standing import Standing
    from watcher.store.listings import RecordedDeployment, WatchedAccount


def deployments(
    ctx: typer.Context,
    config: ConfigOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="WORD",
            help="Only at_risk, unknown, safe, exempt, gone, replaced, or this provisioning state; may be repeated.",
        ),
    ] = None,
    owner: OwnerOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deployments and the time they have left. With --since also those that ended since then."""
    from watcher.answers import listings as answers
    from watcher.report.records import document
    from watcher.rules.keep_words import keep_doubt
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
        shown = store.read_now(answers.deployments, frame, query).items
    if as_json:
        desk.document(document("deployments", [row.record(frame) for row in shown], now=now))
        return
    columns = [
        Column("ACCOUNT", 8),
        Column("DEPLOYMENT", 10, is_id=True),
        Column("SKU", 5),
        Column("STATE", 9),
        Column("RISK", 7),
        Column("DELETION", 14, is_whole=True),
        Column("LAST CALL", 12, is_whole=True),
    ]
    rows = [_deployment_row(row.seen, row.one, row.standing, now) for row in shown]
    desk.lines(table(columns, rows, desk.width))
    for row in shown:
        for doubt in keep_doubt(row.one.deployment) if row.standing else ():
            text = f"{row.seen.account.label}/{row.one.deployment.name}: {doubt}"
            desk.lines(wrap(text, desk.width, style="yellow"))
    footnotes(desk, settings, watched, account, section="deployments")


def _deployment_row(
    seen: "WatchedAccount", one: "RecordedDeployment", standing: "Standing | None", now: datetime
) -> list[Any]:
    from watcher.cli.wording import past, remaining
    from watcher.report.standing import Risk

    deployment = one.deployment
    state = deployment.raw_provisioning_state
    if deployment.is_paused:
        state = deployment.deployment_state
    elif state == "Succeeded":  # as nearly all are: the column goes where it would say nothing else
        state = ""
    head = [seen.account.label, deployment.name, deployment.sku, state]
    if standing is None:
        return [*head, (one.outcome, "dim"), past(one.ended_at, now), ""]
    if standing.risk is Risk.EXEMPT:
        return [*head, (standing.risk.value, "dim"), "", _last_call(standing, now) if standing.usage else ""]
    style = {Risk.AT_RISK: "yellow", Risk.UNKNOWN: "magenta", Risk.SAFE: "green"}[standing.risk]
    return [*head, (standing.risk.value.replace("_", " "), style), remaining(standing, now), _last_call(standing, now)]


def _last_call(standing: "Standing", now: datetime) -> str:
    """Never "none" where the metrics were not read."""
    from watcher.cli.wording import largest, past

    usage = standing.usage
    if usage is None:
        return "unknown"
    if usage.last_success_at is None:
        return f"none in {largest(usage.read_to - usage.read_from)}"
    return past(usage.last_success_at, now)
