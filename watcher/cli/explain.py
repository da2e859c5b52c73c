"""`explain`: everything about one job, deployment or alert, as a colleague would tell it."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.cli.table import Line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from watcher.answers.explanation import Explanation


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
    from watcher.answers.explanation import explanation
    from watcher.assembly.judgement import tariff_of, terms_of
    from watcher.assembly.telling import routing_of
    from watcher.costs.prices import book_of
    from watcher.settings import frame_of

    desk: Desk = ctx.obj
    settings = desk.config(config)
    desk.quieten()
    now = desk.now()
    routing, terms, tariff = routing_of(settings), terms_of(settings), tariff_of(settings)

    def load(tx: "Connection") -> "Explanation":
        found = find(tx, wanted, frame_of(settings, now), routing=routing)
        return explanation(tx, found, lambda tx: book_of(terms, tariff.of(tx)), routing)

    with desk.store(settings) as store:
        whole = store.read_now(load)
    if as_json:
        from watcher.report.records import document

        desk.document(document("explanation", whole.record(), now=now))
    else:
        lines = list(_text(whole, now, desk.width))
        desk.lines(lines[:-1] if not lines[-1] else lines)


def _text(whole: "Explanation", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.telling_alert import audit_text
    from watcher.cli.telling_deployment import deployment_text
    from watcher.cli.telling_job import job_text
    from watcher.cli.told import paragraph, sources, title

    dossier = whole.dossier
    if dossier.is_of_alert:
        yield from _alerts(whole, now, width)
    if dossier.job is not None:
        yield from job_text(dossier, whole.cost, now, width)
    elif dossier.deployment is not None:
        yield from deployment_text(dossier, now, width)
    elif dossier.account is not None:
        yield from title(f"Account {dossier.account.label}", width)
        yield from paragraph(dossier.account.id, width)
    yield from sources(whole, now, width)
    if not dossier.is_of_alert:
        yield from _alerts(whole, now, width)
    yield from audit_text(dossier.audit, width)


def _alerts(whole: "Explanation", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.telling_alert import alert_text
    from watcher.cli.told import paragraph

    if not whole.dossier.alerts:
        beside = {told.id: told.finding.rule for one in whole.unread if (told := one.told_by) is not None}
        named = ", ".join(f"{rule} ({id_[:12]})" for id_, rule in beside.items())
        text = "There is no alert about it."
        if named:
            text = f"There is no alert about it alone. That it could not be seen is told by {named}."
        yield from paragraph(text, width)
    for file in whole.dossier.alerts:
        yield from alert_text(file, now, width)
