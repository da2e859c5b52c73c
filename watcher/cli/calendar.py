"""`calendar`: deletions, expiries, retirements and ends of exceptions as iCalendar, for a file or a pipe."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.desk import Desk
from watcher.cli.files import write_file
from watcher.cli.options import ConfigOption

#: The dates to come rest on what there is, and not on the period.
_PERIOD = timedelta(days=1)
#: Something could not be seen.
_INCOMPLETE = 3


def calendar(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it there, over what was there.")
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option("--owner", metavar="NAME", help="Only what this owner has, or [[owners]] of this name match."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Deletions, expiries, retirements and ends of exceptions as iCalendar. The daemon serves the same at
    /calendar.ics. Exit code 3: something was not seen, so a date may be missing."""
    from watcher.assembly.judgement import tariff_of, terms_of
    from watcher.assembly.reports import edition_of, report_terms_of, statement_of
    from watcher.costs.hosting import Period
    from watcher.report import calendar as made

    desk: Desk = ctx.obj
    settings = desk.config(config)
    desk.quieten()
    now = desk.now()
    with desk.store(settings) as store:
        statement = store.read_now(
            statement_of,
            edition_of(settings, owner),
            period=Period(begin=now - _PERIOD, end=now),
            period_name="1d",
            as_of=now,
            is_past=False,
            terms=report_terms_of(settings, terms_of(settings)),
            tariff=tariff_of(settings),
            owners=[one.name for one in settings.owners],
        )
    content = made.calendar_of(statement, link=settings.watcher.public_url or "")
    if output is not None:
        write_file(output, content)
    else:
        desk.out.write(content.decode())
        desk.out.flush()
    if missing := made.missing_from(statement):
        said = " ".join(missing).removesuffix(".")
        desk.complain(f"watcher: {said[:1].lower()}{said[1:]}; `watcher report` says more")
        raise typer.Exit(_INCOMPLETE)
