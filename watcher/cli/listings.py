"""`jobs`, `deployments` and `accounts`: what was seen last, with filters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import AccountOption, ConfigOption, JsonOption, OwnerOption, SinceOption, fits, since as since_of
from watcher.cli.table import Column, table

if TYPE_CHECKING:
    from watcher.report.standing import Standing
    from watcher.store.listings import RecordedDeployment, WatchedAccount

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
    """Fine-tuning jobs, the newest first; --since: created or changed in status since then."""
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
        Column("ACCOUNT", 10),
        Column("JOB", 14),
        Column("MODEL", 12),
        Column("STATUS", 9),
        Column("FOR", 8),
        Column("CREATED", 8),
    ]
    rows: list[list[Any]] = [
        [
            watched[one.job.account].account.label,
            one.job.id,
            one.job.model,
            (one.job.raw_status or one.job.status.value, JOB_STYLES.get(one.job.status.value, "")),
            past(one.status_since, now).removesuffix(" ago"),
            past(one.job.created_at, now),
        ]
        for one in shown
    ]
    desk.lines(table(columns, rows, desk.width))
    _footnotes(desk, list(watched.values()), account, section="jobs")


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
    """Deployments and how they stand against Azure's idle clock; --since: also those that ended since then."""
    from watcher.report.records import deployment_record, document
    from watcher.report.standing import countdowns, stand
    from watcher.rules.labels import deployment_labels
    from watcher.store import alerts, listings

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
    shown: list[tuple[WatchedAccount, RecordedDeployment, Standing | None]] = []
    for one in recorded:
        deployment, seen = one.deployment, watched.get(one.deployment.account)
        if seen is None or not fits(account, seen.account.label, seen.account.name):
            continue
        alert = firing.get((deployment.key, deployment.incarnation))
        standing = (
            stand(deployment, seen.reading, alert=alert, custom_models=models, now=now) if not one.ended_at else None
        )
        words = (standing.risk.value if standing else one.outcome, deployment.raw_provisioning_state)
        if fits(status, *words, deployment.deployment_state) and fits(
            owner, deployment_labels(seen.account, deployment, owner_tag)["owner"]
        ):
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
                now=now,
                owner_tag=owner_tag,
            )
            for seen, one, standing in shown
        ]
        desk.document(document("deployments", records, now=now))
        return
    columns = [
        Column("ACCOUNT", 10),
        Column("DEPLOYMENT", 12),
        Column("SKU", 8),
        Column("STATE", 9),
        Column("RISK", 8),
        Column("DELETION", 12),
        Column("LAST CALL", 9),
    ]
    rows = [_deployment_row(seen, one, standing, now) for seen, one, standing in shown]
    desk.lines(table(columns, rows, desk.width))
    _footnotes(desk, list(watched.values()), account, section="deployments")


def _deployment_row(seen: "WatchedAccount", one: "RecordedDeployment", standing: "Standing | None", now: Any) -> list[Any]:
    from watcher.cli.wording import UNKNOWN, past, remaining
    from watcher.report.standing import Risk

    deployment = one.deployment
    state = deployment.raw_provisioning_state
    if deployment.is_paused:
        state = deployment.deployment_state
    head = [seen.account.label, deployment.name, deployment.sku, state]
    if standing is None:
        return [*head, (one.outcome, "dim"), past(one.ended_at, now), ""]
    if standing.risk is Risk.EXEMPT:
        return [*head, (standing.risk.value, "dim"), "", _last_call(standing, now)]
    style = {Risk.AT_RISK: "yellow", Risk.UNKNOWN: "magenta", Risk.SAFE: "green"}[standing.risk]
    deletion = remaining(standing.deletion_earliest, now) if standing.risk is not Risk.UNKNOWN else UNKNOWN
    return [*head, (standing.risk.value.replace("_", " "), style), deletion, _last_call(standing, now)]


def _last_call(standing: "Standing", now: Any) -> str:
    """Never "none" where the metrics were not read."""
    from watcher.cli.wording import past
    from watcher.rules.text import duration

    usage = standing.usage
    if usage is None:
        return "unknown"
    if usage.last_success_at is None:
        return f"none in {duration(usage.read_to - usage.read_from)}"
    return past(usage.last_success_at, now)


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
    """Accounts in scope, and how much of each could be seen; --since: only those first seen since then."""
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


def _footnotes(desk: Desk, watched: "Sequence[WatchedAccount]", globs: list[str] | None, *, section: str) -> None:
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
        desk.lines(_wrapped(f"{counted} not seen whole ({names}): see watcher accounts", desk.width))


def _wrapped(text: str, width: int) -> Any:
    from watcher.cli.table import wrap

    return wrap(text, width, style="yellow")
