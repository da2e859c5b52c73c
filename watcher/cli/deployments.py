"""`deployments`: how each stands against Azure's clocks, with filters."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.listings import footnotes
from watcher.cli.options import AccountOption, ConfigOption, JsonOption, OwnerOption, SinceOption, fits
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
    from watcher.cli.lifetimes import lifetimes_of
    from watcher.report.records import deployment_record, document
    from watcher.report.standing import countdowns, stand
    from watcher.rules.keep_words import keep_doubt
    from watcher.rules.labels import owner_of
    from watcher.store import alerts, listings, pauses

    desk: Desk = ctx.obj
    settings = desk.config(config)
    now = desk.now()
    owner_tag = settings.azure.discovery.owner_tag
    since_at = since_of(since, now=now, zone=settings.watcher.timezone)
    with desk.store(settings) as store:
        watched = {one.account.key: one for one in store.read_now(listings.accounts)}
        recorded = store.read_now(listings.deployments, ended_since=since_at)
        models = store.read_now(listings.custom_models)
        firing = countdowns(store.read_now(alerts.listed, firing_only=True))
        running_since = store.read_now(pauses.running_since)
    lifetimes = lifetimes_of(settings)
    shown: list[tuple[WatchedAccount, RecordedDeployment, Standing | None]] = []
    for one in recorded:
        deployment, seen = one.deployment, watched.get(one.deployment.account)
        if seen is None or not fits(account, seen.account.label, seen.account.name):
            continue
        life = (deployment.key, deployment.incarnation)
        standing = None
        if not one.ended_at:
            standing = stand(
                deployment,
                seen.reading,
                alert=firing.get(life),
                custom_models=models,
                now=now,
                lifetimes=lifetimes,
                running_since=running_since.get(life),
            )
        words = (standing.risk.value if standing else one.outcome, deployment.raw_provisioning_state)
        whose = owner_of(seen.account, deployment=deployment, owner_tag=owner_tag).name
        if fits(status, *words, deployment.deployment_state) and fits(owner, whose):
            shown.append((seen, one, standing))
    if as_json:
        records = [
            deployment_record(
                seen.account,
                one.deployment,
                standing,
                first_seen_at=one.first_seen_at,
                ended_at=one.ended_at,
                outcome=one.outcome,
                as_of=seen.reading.deployments_at,
                owner_tag=owner_tag,
            )
            for seen, one, standing in shown
        ]
        desk.document(document("deployments", records, now=now))
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
    rows = [_deployment_row(seen, one, standing, now) for seen, one, standing in shown]
    desk.lines(table(columns, rows, desk.width))
    for seen, one, standing in shown:
        for doubt in keep_doubt(one.deployment) if standing else ():
            text = f"{seen.account.label}/{one.deployment.name}: {doubt}"
            desk.lines(wrap(text, desk.width, style="yellow"))
    footnotes(desk, list(watched.values()), account, section="deployments")


def _deployment_row(
    seen: "WatchedAccount", one: "RecordedDeployment", standing: "Standing | None", now: datetime
) -> list[Any]:
    from watcher.cli.wording import past, remaining
    from watcher.report.standing import Risk

    deployment = one.deployment
    state = deployment.raw_provisioning_state
    if deployment.is_paused:
        state = deployment.deployment_state
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
