"""`explain`: everything about one job, deployment or alert, as a colleague would tell it."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.cli.table import Line

if TYPE_CHECKING:
    from watcher.answers.dossier import Dossier


def explain(
    ctx: typer.Context,
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="A job's or alert's id, or its beginning, or [ACCOUNT/]NAME.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything about one job, deployment or alert.

    What it is and how it stands, on what that rests and how old it is, who was told when, each attempt."""
    from watcher.answers.dossier import find
    from watcher.assembly import routing_of
    from watcher.settings import lifetimes_of

    desk: Desk = ctx.obj
    settings = desk.config(config)
    desk.quieten()
    now = desk.now()
    routing = routing_of(settings)
    with desk.store(settings) as store:
        dossier = store.read_now(
            find,
            wanted,
            routing=routing,
            now=now,
            owner_tag=settings.azure.discovery.owner_tag,
            lifetimes=lifetimes_of(settings),
        )
    if as_json:
        from watcher.answers.dossier_record import dossier_record
        from watcher.report.records import document

        desk.document(document("explanation", dossier_record(dossier), now=now))
    else:
        lines = list(_text(dossier, now, desk.width))
        desk.lines(lines[:-1] if not lines[-1] else lines)


def _text(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.telling_alert import audit_text
    from watcher.cli.telling_deployment import deployment_text
    from watcher.cli.telling_job import job_text
    from watcher.cli.told import paragraph, sources, title

    if dossier.is_of_alert:
        yield from _alerts(dossier, now, width)
    if dossier.job is not None:
        yield from job_text(dossier, now, width)
    elif dossier.deployment is not None:
        yield from deployment_text(dossier, now, width)
    elif dossier.account is not None:
        yield from title(f"Account {dossier.account.label}", width)
        yield from paragraph(dossier.account.id, width)
    yield from sources(dossier, now, width)
    if not dossier.is_of_alert:
        yield from _alerts(dossier, now, width)
    yield from audit_text(dossier.audit, width)


def _alerts(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.telling_alert import alert_text
    from watcher.cli.told import paragraph

    if not dossier.alerts:
        yield from paragraph("There is no alert about it.", width)
    for file in dossier.alerts:
        yield from alert_text(file, now, width)
